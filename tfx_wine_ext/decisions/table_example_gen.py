"""Reads what TableExampleGen is asked for, resolves its span, and fingerprints the table."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfx.components.example_gen import input_processor, utils
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.utils import proto_utils

from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.columnar.partition import check_partition_feature
from tfx_wine_ext.columnar.tables import reading_of
from tfx_wine_ext.columnar.tasks import plan_table
from tfx_wine_ext.files.choose import FilesByScheme, absolute
from tfx_wine_ext.files.for_tensorflow import let_tensorflow_read
from tfx_wine_ext.sources.configs import SourceConfig, SourceConfigError, source_from_json
from tfx_wine_ext.sources.files import Files
from tfx_wine_ext.sources.source import TableFileError, TableSource
from tfx_wine_ext.types import parquet_example_gen as keys
from tfx_wine_ext.types.table_example_gen import UNKNOWN_FINGERPRINT

_SPAN: re.Pattern[str] = re.compile(utils.SPAN_FULL_REGEX)
_VERSION: re.Pattern[str] = re.compile(utils.VERSION_FULL_REGEX)
_TIMES = (utils.SPAN_BEGIN_TIMESTAMP, utils.SPAN_END_TIMESTMAP, utils.SPAN_YYYYMMDD_UTC)


@dataclass(frozen=True)
class TableRequest:
    """The parameters of a TableExampleGen.

    Attributes:
        input_config: The input splits; their patterns are descriptions of sources as JSON.
        output_config: The output splits.
        range_config: The span to read; None if it is not given.
        options: How rows are read.
    """

    input_config: example_gen_pb2.Input
    output_config: example_gen_pb2.Output
    range_config: range_config_pb2.RangeConfig | None
    options: IngestOptions

    @classmethod
    def of(cls, exec_properties: Mapping[str, Any]) -> TableRequest:
        """Reads the parameters of the component.

        Raises:
            SourceConfigError: A description is not valid, or another package's is not installed.
        """
        input_config, output_config = example_gen_pb2.Input(), example_gen_pb2.Output()
        proto_utils.json_to_proto(exec_properties[keys.INPUT_CONFIG_KEY], input_config)
        proto_utils.json_to_proto(exec_properties[keys.OUTPUT_CONFIG_KEY], output_config)
        range_config = None
        if exec_properties.get(keys.RANGE_CONFIG_KEY):
            range_config = range_config_pb2.RangeConfig()
            proto_utils.json_to_proto(exec_properties[keys.RANGE_CONFIG_KEY], range_config)
        options = IngestOptions.from_json(exec_properties[keys.INGEST_OPTIONS_KEY])
        return cls(input_config, output_config, range_config, options)

    @property
    def sources(self) -> dict[str, SourceConfig]:
        """The description of the source of each input split."""
        return {split.name: source_from_json(split.pattern) for split in self.input_config.splits}

    @property
    def partition_feature(self) -> str | None:
        """The feature by which rows are assigned to splits; None: by their content."""
        return self.output_config.split_config.partition_feature_name or None

    def reading(self, sources: Mapping[str, SourceConfig]) -> TableRequest:
        """Returns a request that reads these sources."""
        return dataclasses.replace(self, input_config=input_config_of(sources))

    @contextlib.contextmanager
    def opened(self) -> Iterator[list[TableSource]]:
        """Opens the sources of the input splits, and holds their state.

        Raises:
            TableFileError: One cannot be used.
        """
        how = reading_of(self.options, FilesByScheme())
        with contextlib.ExitStack() as stack:
            yield [
                stack.enter_context(source.open(how).snapshot()) for source in self.sources.values()
            ]

    def fingerprint(self, sources: Sequence[TableSource]) -> str:
        """Returns the fingerprint of the sources of all input splits, ``name:fingerprint``."""
        found = (source.fingerprint().replace(",", ";") for source in sources)
        return ",".join(
            f"{split.name}:{fingerprint or UNKNOWN_FINGERPRINT + uuid.uuid4().hex}"
            for split, fingerprint in zip(self.input_config.splits, found)
        )

    def of_splits(self, fingerprint: str) -> dict[str, str | None]:
        """Returns the fingerprint of each input split from that of all; None if it is unknown."""
        parts = (
            (split.name, part.removeprefix(f"{split.name}:"))
            for split, part in zip(self.input_config.splits, fingerprint.split(","))
        )
        return {
            name: None if part.startswith(UNKNOWN_FINGERPRINT) else part for name, part in parts
        }

    def content_fingerprint(self, fingerprint: str) -> str:
        """Returns a fingerprint without the names of the splits; "" if a part of it is unknown."""
        known = [part for part in self.of_splits(fingerprint).values() if part is not None]
        return ",".join(known) if len(known) == len(self.input_config.splits) else ""


@dataclass(frozen=True)
class DecidedTable:
    """What a TableExampleGen reads.

    Attributes:
        request: The parameters, of which span and version are resolved.
        rows: Number of rows of each input split; None if it is unknown before reading.
        exec_properties: Those of the component, with all that was decided.
        span_date: The date that the span stands for, YYYY-MM-DD; None if it was not found by one.
    """

    request: TableRequest
    rows: Mapping[str, int | None]
    exec_properties: dict[str, Any]
    span_date: str | None


def input_config_of(sources: Mapping[str, SourceConfig]) -> example_gen_pb2.Input:
    """Returns input splits whose patterns are descriptions of sources.

    Example:
        >>> [split] = input_config_of({"all": Files("wines", "*.avro")}).splits
        >>> split.name, split.pattern
        ('all', '{"path": "wines", "pattern": "*.avro", "source": "files"}')
    """
    return example_gen_pb2.Input(
        splits=[
            example_gen_pb2.Input.Split(name=name, pattern=source.to_json())
            for name, source in sources.items()
        ]
    )


def decide(exec_properties: Mapping[str, Any]) -> DecidedTable:
    """Resolves the span as TFX does, checks the tables, and fingerprints their content.

    Args:
        exec_properties: Those of the component; they are not changed.

    Raises:
        SourceConfigError: A description is not valid, or its placeholders do not fit.
        TableFileError: A table cannot be used.
        ValueError: No span matches, a column cannot become a feature, or the filters or
            ``partition_feature_name`` do not fit the columns.
    """
    request = TableRequest.of(exec_properties)
    sources, span, version, by_date = _at_span(request.sources, request.range_config)
    request = request.reading({name: source.pinned() for name, source in sources.items()})
    rows: dict[str, int | None] = {}
    with request.opened() as opened:
        for name, source in zip(sources, opened):
            plan = plan_table(source, request.options)
            if request.partition_feature:
                check_partition_feature(plan, request.partition_feature)
            rows[name] = source.rows
        fingerprint = request.fingerprint(opened)
    decided = {
        **exec_properties,
        keys.INPUT_CONFIG_KEY: proto_utils.proto_to_json(request.input_config),
        keys.SPAN_KEY: span,
        keys.VERSION_KEY: version,
        keys.INPUT_FINGERPRINT_KEY: fingerprint,
    }
    date = datetime.date(*utils.span_number_to_date(span)).isoformat() if by_date else None
    return DecidedTable(request, rows, decided, date)


@contextlib.contextmanager
def opened_unchanged(recorded: str, request: TableRequest) -> Iterator[list[TableSource]]:
    """Opens the sources of the input splits, and compares them with what the driver recorded.

    Args:
        recorded: The fingerprint of all input splits; see `TableRequest.fingerprint`.
        request: The parameters.

    Raises:
        TableFileError: A table is another one than the driver saw, or cannot be used.
    """
    with request.opened() as sources:
        before = request.of_splits(recorded)
        now = request.of_splits(request.fingerprint(sources))
        for name, source in request.sources.items():
            if before[name] is not None and before[name] != now[name]:
                raise TableFileError(
                    "it changed after the driver had read it",
                    "run again",
                    path=source.name,
                )
        yield sources


def check_placeholders(sources: Mapping[str, SourceConfig]) -> None:
    """Refuses placeholders of spans that cannot be resolved, as far as this is known early.

    Raises:
        SourceConfigError: The placeholders are not those of TFX, or do not fit each other.
    """
    for source in sources.values():
        for field in dataclasses.fields(source):
            value = getattr(source, field.name)
            if field.name not in source.spanned and isinstance(value, str) and _has_place(value):
                raise SourceConfigError(
                    repr(value),
                    path=source.name,
                    column=field.name,
                    expected=f"placeholders of a span in {' or '.join(source.spanned) or 'none'}",
                )
        if isinstance(source, Files):
            split = example_gen_pb2.Input.Split(name="split", pattern=source.pattern)
            try:
                utils.verify_split_pattern_specs(split)
            except ValueError as error:
                raise SourceConfigError(str(error), path=source.name) from error
        elif any(_VERSION.search(text) for text in _texts(source).values()):
            raise SourceConfigError(
                utils.VERSION_SPEC,
                "name the span by {SPAN} or a date only",
                path=source.name,
                expected="no version in a query, since the latest one cannot be found out",
            )
    of_spans = [s for s in sources.values() if isinstance(s, Files) and _has_place(s.pattern)]
    folders = {absolute(source.path): source.path for source in of_spans}
    if len(folders) > 1:
        raise SourceConfigError(
            " and ".join(sorted(folders.values())),
            "name a folder above both, and patterns below it",
            path="source",
            expected="one folder in which to look for the span",
        )


def _texts(source: SourceConfig) -> dict[str, str]:
    """Returns the fields of a source in which placeholders are replaced."""
    values = {name: getattr(source, name) for name in source.spanned}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _has_date(text: str) -> bool:
    return any(place in text for place in (*utils.DATE_SPECS, *_TIMES))


def _has_place(text: str) -> bool:
    return bool(_SPAN.search(text)) or _has_date(text)


def _at_span(
    sources: Mapping[str, SourceConfig], range_config: range_config_pb2.RangeConfig | None
) -> tuple[dict[str, SourceConfig], int, int | None, bool]:
    """Replaces the placeholders of a span by TFX's own rules.

    Returns:
        The sources; the number of the span; its version, None if there is none; and whether the
        span stands for a date.
    """
    check_placeholders(sources)
    by_files = {
        name: source
        for name, source in sources.items()
        if isinstance(source, Files) and _has_place(source.pattern)
    }
    by_text = {
        name: source
        for name, source in sources.items()
        if not isinstance(source, Files) and any(map(_has_place, _texts(source).values()))
    }
    at_span = dict(sources)
    if not by_files and not by_text and range_config is None:
        return at_span, 0, None, False
    others = [source for source in sources.values() if not isinstance(source, Files)]
    if not by_files and not others:
        raise SourceConfigError(
            "none",
            "write one, or leave range_config out",
            path=next(iter(sources.values())).name,
            expected="{SPAN} or a date, as range_config names a span",
        )
    # Without placeholders it is the number of the span, as in TFX's query-based ExampleGens.
    static = range_config is not None and range_config.HasField("static_range")
    if (by_text or not by_files) and not static:
        raise SourceConfigError(
            "none" if range_config is None else "a rolling range",
            "set range_config to a static range",
            path=others[0].name,
            expected="the number of the span, since the latest one cannot be found out by a query",
        )
    version = None
    if by_files:
        folder = next(iter(by_files.values())).path
        let_tensorflow_read(folder)  # TFX lists the files, too.
        splits = [
            example_gen_pb2.Input.Split(name=name, pattern=source.pattern)
            for name, source in by_files.items()
        ]
        try:
            processor = input_processor.FileBasedInputProcessor(folder, splits, range_config)
            span, version = processor.resolve_span_and_version()
            for name, files in by_files.items():
                pattern = processor.get_pattern_for_span_version(files.pattern, span, version)
                at_span[name] = dataclasses.replace(files, pattern=pattern)
        except ValueError as error:
            raise ValueError(f"{folder}: {error}") from error
    else:
        # Its checks are TFX's: one span, and not a range of several.
        processor = input_processor.QueryBasedInputProcessor([], range_config)
        span, _ = processor.resolve_span_and_version()
    for name, source in by_text.items():
        texts = {field: _filled(text, span) for field, text in _texts(source).items()}
        at_span[name] = dataclasses.replace(source, **texts)
    by_date = any(_has_date(source.pattern) for source in by_files.values()) or any(
        _has_date(text) for source in by_text.values() for text in _texts(source).values()
    )
    return at_span, span, version, by_date


def _filled(text: str, span: int) -> str:
    """Replaces TFX's placeholders in a text by a span."""
    if any(place in text for place in _TIMES):
        text = str(utils.get_query_for_span(text, span))
    if any(place in text for place in utils.DATE_SPECS):
        text = str(utils.get_pattern_for_span_version(text, False, True, False, span, None))
    # Each with its own width, as {SPAN:3} is.
    return _SPAN.sub(
        lambda place: str(
            utils.get_pattern_for_span_version(place.group(), True, False, False, span, None)
        ),
        text,
    )
