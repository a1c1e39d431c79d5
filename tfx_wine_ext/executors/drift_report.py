"""The executor of DriftReport: reads both sides, compares them, and writes the report."""

from __future__ import annotations

import datetime
import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from absl import logging
from google.protobuf import message as protobuf_message
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.orchestration.portable import outputs_utils
from tfx.proto import example_gen_pb2
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils

from tfx_wine_ext.artifacts.layout import STATISTICS_FILE, node_folder, split_folder, stopped_folder
from tfx_wine_ext.artifacts.properties import properties_of, span_date_of, span_of, version_of
from tfx_wine_ext.decisions.drift_report import describe, lost_baseline, sides_of
from tfx_wine_ext.drift.anomalies import anomalies_proto
from tfx_wine_ext.drift.compare import DriftResult, check_names, compare
from tfx_wine_ext.drift.config import DriftConfig
from tfx_wine_ext.drift.document import DataSource, LostSource, report_document
from tfx_wine_ext.drift.from_statistics import statistics_summaries
from tfx_wine_ext.drift.metric import Verdict
from tfx_wine_ext.drift.plain import from_bytes, to_bytes
from tfx_wine_ext.drift.ranking import deciding_metric, limit_of
from tfx_wine_ext.drift.sample import RowSample
from tfx_wine_ext.drift.sketches import TableSketch
from tfx_wine_ext.executors.beam_tasks import run_on_workers
from tfx_wine_ext.files.beam import BeamFiles
from tfx_wine_ext.progress.launches import counting_rows, rows_of
from tfx_wine_ext.publishers.drift_report import publish, worst_features
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.report.drift_page import render_drift_page
from tfx_wine_ext.sources.examples import ExampleTable
from tfx_wine_ext.sources.layout import is_hidden
from tfx_wine_ext.sources.parquet import ParquetTable
from tfx_wine_ext.sources.shard_files import LostRowsError, check_shards
from tfx_wine_ext.sources.source import TableFileError, TableSource
from tfx_wine_ext.types import drift_report as keys
from tfx_wine_ext.types import parquet_example_gen as example_gen_keys

REPORT, WARN, FAIL = MODES = ("report", "warn", "fail")

_TABLES: Mapping[int, Callable[..., TableSource]] = {
    example_gen_pb2.FORMAT_TF_EXAMPLE: ExampleTable,
    example_gen_pb2.FORMAT_PARQUET: ParquetTable,
}
# Lifecycle stages at which TFDV, too, does not validate a feature.
_PASSED_OVER = (
    schema_pb2.PLANNED,
    schema_pb2.ALPHA,
    schema_pb2.DEBUG_ONLY,
    schema_pb2.DEPRECATED,
    schema_pb2.DISABLED,
)
MOST_IN_MESSAGE = 3
_AS_IT_WAS_WRITTEN = "copy the artifact again from an intact source, or rerun its component"


class DriftDetectedError(RuntimeError):
    """The data drifted, and the mode is `fail`; the message names the worst features."""


@records_failures
class DriftReportExecutor(base_beam_executor.BaseBeamExecutor):
    """Summarises the files of both sides on Beam's workers, and compares the summaries.

    Each task reads one file, in batches, into a sketch of bounded memory; the executor merges the
    sketches. No rows pass through Beam except the classifier's sample.
    """

    def Do(  # noqa: N802 (the name is TFX's)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        """Writes report, anomalies and blessing, and records the scores on the artifacts.

        Args:
            input_dict: ``examples`` and optionally ``baseline``, or ``statistics`` and optionally
                ``baseline_statistics``; optionally ``schema``.
            output_dict: ``report``, ``anomalies`` and ``blessing``: one artifact each, with its
                URI; changed in place.
            exec_properties: The parameters of the component.

        Returns:
            Outputs and execution properties, for launchers that read them from the return value.

        Raises:
            ArtifactGoneError: The files of the current data, of the schema, or of a baseline that
                the author chose are missing.
            DriftDetectedError: The data drifted, and the mode is ``fail``.
            TableFileError: A file of the examples cannot be read or is missing (`LostRowsError`),
                or the number of examples differs from the number written.
            ValueError: A column has two kinds, there is nothing to compare (no rows, only ignored
                columns, or none in common), or the configuration names a column that neither side
                has.
            RuntimeError: The Beam runner lost work.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        # The driver checks this too, but some runners have no drivers, and files may vanish.
        lost = lost_baseline(input_dict, exec_properties)
        if lost is None and exec_properties.get(keys.LOST_KEY):
            # On the notebook path the driver has already removed the lost input.
            lost = LostSource(**json.loads(exec_properties[keys.LOST_KEY]))
        if lost is not None:
            baseline_key = sides_of(input_dict, exec_properties)[1]
            input_dict = {**input_dict, baseline_key: []}
        given = DriftConfig.from_dict(json.loads(exec_properties[keys.DRIFT_CONFIG_KEY]))
        config = _with_schema(given, input_dict.get(keys.SCHEMA_KEY) or ())
        report, anomalies, blessing = (
            artifact_utils.get_single_instance(output_dict[key])
            for key in (keys.REPORT_KEY, keys.ANOMALIES_KEY, keys.BLESSING_KEY)
        )
        sides = _sides(input_dict, exec_properties)
        if keys.STATISTICS_KEY in sides_of(input_dict, exec_properties):
            summarized = [None if side is None else _of_statistics(side) for side in sides]
            method = "coarse"
        else:
            summarized = self._of_examples(sides, config, f"{report.uri}/.tasks")
            methods = {side.method for side in summarized if side}
            method = "exact" if methods == {"exact"} else "sketch"
        current, baseline = summarized
        assert current is not None
        try:
            if baseline is not None:
                # Only the names that the user gave: the data may lack features of the schema.
                check_names(given, sorted(baseline.names | current.names))
            result = _compared(baseline, current, config)
        except ValueError as error:
            uris = [str(side.source.uri) for side in (baseline, current) if side is not None]
            raise ValueError(f"{' and '.join(uris)}: {error}") from error
        document = report_document(
            result,
            baseline=None if baseline is None else baseline.source,
            current=current.source,
            method=method,
            created=_iso(datetime.datetime.now(datetime.timezone.utc)),
            lost=lost,
        )
        self._gate(document, exec_properties[keys.MODE_KEY], report.uri)
        write_report(document, report.uri)
        split = exec_properties[keys.SPLIT_KEY]
        io_utils.write_bytes_file(
            os.path.join(split_folder(anomalies.uri, split), keys.ANOMALIES_FILE),
            anomalies_proto(document).SerializeToString(),
        )
        drifted = document["verdict"] == Verdict.DRIFT.value
        io_utils.write_string_file(
            os.path.join(blessing.uri, keys.NOT_BLESSED_FILE if drifted else keys.BLESSED_FILE), ""
        )
        publish(document, split=split, report=report, anomalies=anomalies, blessing=blessing)
        output = execution_result_pb2.ExecutorOutput()
        outputs_utils.populate_output_artifact(output, output_dict)
        outputs_utils.populate_exec_properties(output, exec_properties)
        return output

    def _of_examples(
        self, sides: Sequence[_Side | None], config: DriftConfig, folder: str
    ) -> list[_Summarized | None]:
        """Reads the files of both sides on Beam's workers."""
        tasks = [
            _FileTask(number, path, side.payload)
            for number, side in enumerate(sides)
            if side is not None
            for path in side.paths()
        ]
        logging.info("%d files to read", len(tasks))
        readings = [None if side is None else _Reading(config) for side in sides]
        try:
            with counting_rows(None) as counter:
                results = run_on_workers(
                    self._make_beam_pipeline(),
                    functools.partial(_read_file, config, counter),
                    tasks,
                    folder,
                    (TableFileError, ValueError, TypeError),
                )
            for task, result in zip(tasks, results):
                _merge(readings[task.side], config, task, result)
        finally:
            BeamFiles().remove_tree(folder)
        return [
            None if side is None or reading is None else reading.summarized(side)
            for side, reading in zip(sides, readings)
        ]

    def _gate(self, document: Mapping[str, Any], mode: str, report_uri: str) -> None:
        """Warns that the data drifted, or stops the pipeline."""
        if document["verdict"] != Verdict.DRIFT.value or mode == REPORT:
            return
        message = drift_message(document)
        if mode == WARN:
            logging.warning("%s", message)
            return
        kept = stopped_folder(node_folder(report_uri), os.path.basename(report_uri.rstrip("/")))
        write_report(document, kept)
        raise DriftDetectedError(f"{message}. The report is in {kept}")


@dataclass(frozen=True)
class _Side:
    """The split of an artifact that one side of the comparison reads."""

    artifact: types.Artifact
    split: str

    @property
    def uri(self) -> str:
        return str(artifact_utils.get_split_uri([self.artifact], self.split))

    @property
    def payload(self) -> int:
        return int(examples_utils.get_payload_format(self.artifact))

    def paths(self) -> list[str]:
        """Returns the files of the split, sorted; not by glob, as the path may contain brackets.

        Raises:
            LostRowsError: There are no files, or one of them is missing.
        """
        listed = fileio.listdir(self.uri) if fileio.isdir(self.uri) else []
        names = sorted(name for name in (entry.rstrip("/") for entry in listed) if name)
        paths = [os.path.join(self.uri, name) for name in names if not is_hidden(name)]
        if not paths:
            raise LostRowsError(
                self.uri, f"the files of split {self.split}", "none", _AS_IT_WAS_WRITTEN
            )
        check_shards(paths)
        return paths

    def check_rows(self, rows: int) -> None:
        """Compares the number of rows read with the one that ParquetExampleGen recorded, if any.

        Raises:
            LostRowsError: The files have fewer or more examples than when they were written.
        """
        key = example_gen_keys.of_split(example_gen_keys.ROWS_KEY, self.split)
        if not self.artifact.has_custom_property(key):
            return
        expected = self.artifact.get_int_custom_property(key)
        if rows != expected:
            raise LostRowsError(
                self.uri,
                f"{expected} examples in split {self.split}, as the artifact's property {key} says",
                str(rows),
                f"its files were cut or replaced: {_AS_IT_WAS_WRITTEN}",
            )

    def source(self, rows: int) -> DataSource:
        """Returns what the report says about this side."""
        artifact, properties = self.artifact, properties_of(self.artifact)
        created = artifact.mlmd_artifact.create_time_since_epoch
        utc = datetime.timezone.utc
        return DataSource(
            name=describe(artifact, self.split),
            rows=rows,
            uri=artifact.uri,
            split=self.split,
            span=span_of(properties),
            span_date=span_date_of(properties),
            version=version_of(properties),
            created=_iso(datetime.datetime.fromtimestamp(created / 1000, utc)) if created else None,
        )


@dataclass(frozen=True)
class _Summarized:
    """One side, in the form that `compare` takes."""

    summaries: Mapping[str, Any]
    source: DataSource
    method: str
    names: frozenset[str]
    sample: pa.Table | None = None


@dataclass(frozen=True)
class _FileTask:
    """One file to read, of side 0 (the current data) or side 1 (the baseline)."""

    side: int
    path: str
    payload: int


def _sides(
    inputs: Mapping[str, Sequence[types.Artifact]], exec_properties: Mapping[str, Any]
) -> list[_Side | None]:
    """Returns the current side and the baseline; None for a side without an artifact."""
    splits = exec_properties[keys.SPLIT_KEY], exec_properties[keys.BASELINE_SPLIT_KEY]
    artifacts = [inputs.get(key) or [None] for key in sides_of(inputs, exec_properties)]
    return [
        None if artifact is None else _Side(artifact, split)
        for [artifact], split in zip(artifacts, splits)
    ]


class _Reading:
    """A summary of rows: a sketch, and a sample if the classifier is enabled."""

    def __init__(self, config: DriftConfig) -> None:
        self.sketch = TableSketch(config.categorical, config.ignore)
        self.sample = (
            RowSample(config.classifier_rows, ignore=config.ignore) if config.classifier else None
        )

    @classmethod
    def from_bytes(cls, config: DriftConfig, data: bytes) -> _Reading:
        reading = cls(config)
        reading.sketch, reading.sample = from_bytes(data)
        return reading

    def to_bytes(self) -> bytes:
        return to_bytes(self.sketch, self.sample)

    def add(self, batch: pa.RecordBatch) -> None:
        self.sketch.add(batch)
        if self.sample is not None:
            self.sample.add(batch)

    def merge(self, other: _Reading) -> None:
        self.sketch.merge(other.sketch)
        if self.sample is not None and other.sample is not None:
            self.sample.merge(other.sample)

    def summarized(self, side: _Side) -> _Summarized:
        # Batches without columns have no known number of rows.
        if self.sketch.summaries():
            side.check_rows(self.sketch.rows)
        return _Summarized(
            self.sketch.summaries(),
            side.source(self.sketch.rows),
            self.sketch.method,
            self.sketch.names,
            self.sample.table() if self.sample is not None else None,
        )


def _merge(
    reading: _Reading | None, config: DriftConfig, task: _FileTask, result: bytes | None
) -> None:
    """Merges the summary of one file into the summary of its side."""
    if result is None:
        raise RuntimeError(
            f"{task.path}: the Beam runner lost the task that read it; run again, and if the error "
            "persists, use another runner"
        )
    assert reading is not None
    try:
        reading.merge(_Reading.from_bytes(config, result))
    except ValueError as error:
        raise ValueError(f"{task.path}: {error}") from error


def _read_file(config: DriftConfig, counter: str, task: _FileTask) -> bytes:
    """Summarises one file, on a worker."""
    reading = _Reading(config)
    rows, count = 0, rows_of(counter, f"{task.side} {task.path}")
    ignored = frozenset(config.ignore)
    table = _TABLES[task.payload]([task.path], lambda name: name not in ignored, BeamFiles())
    for batch in table.batches():
        try:
            reading.add(batch)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{task.path}: {error}") from error
        rows += batch.num_rows
        count(rows)
        del batch  # Before the next one is read.
    reading.sketch.add_names(table.names)
    return reading.to_bytes()


def _rows(side: _Summarized) -> int:
    """Returns the number of rows; if no column was read, just whether there are any."""
    return side.source.rows if side.summaries else len(side.names)


def _compared(
    baseline: _Summarized | None, current: _Summarized, config: DriftConfig
) -> DriftResult:
    if baseline is None:
        return compare(None, current.summaries, config, rows=(None, _rows(current)))
    samples = None
    if baseline.sample is not None and current.sample is not None:
        samples = baseline.sample, current.sample
    rows = _rows(baseline), _rows(current)
    return compare(baseline.summaries, current.summaries, config, samples, rows)


def _of_statistics(side: _Side) -> _Summarized:
    """Reads what StatisticsGen wrote for a split."""
    path = os.path.join(side.uri, STATISTICS_FILE)
    try:
        datasets = statistics_pb2.DatasetFeatureStatisticsList.FromString(
            io_utils.read_bytes_file(path)
        ).datasets
    except (protobuf_message.DecodeError, SystemError) as error:  # Depends on protobuf's version.
        raise ValueError(
            f"{path}: expected statistics of StatisticsGen, found other or damaged bytes; "
            f"{_AS_IT_WAS_WRITTEN}"
        ) from error
    if len(datasets) != 1:
        raise ValueError(
            f"{path}: expected statistics of one dataset without slices, found {len(datasets)}; "
            "give examples instead, or run StatisticsGen without slices"
        )
    source = side.source(int(datasets[0].num_examples))
    try:
        summaries = statistics_summaries(datasets[0])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise ValueError(
            f"{path}: expected statistics of StatisticsGen, found numbers that contradict each "
            f"other ({type(error).__name__}: {error}); {_AS_IT_WAS_WRITTEN}"
        ) from error
    return _Summarized(summaries, source, "coarse", frozenset(summaries))


def _with_schema(config: DriftConfig, schemas: Sequence[types.Artifact]) -> DriftConfig:
    """Adds the schema's categorical integers, and ignores its features that are not in use."""
    categorical, ignore = list(config.categorical), list(config.ignore)
    for artifact in schemas:
        schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(artifact.uri))
        for feature in schema.feature:
            if feature.lifecycle_stage in _PASSED_OVER and feature.name not in ignore:
                ignore.append(feature.name)
            if feature.int_domain.is_categorical and feature.name not in categorical:
                categorical.append(feature.name)
    return replace(config, categorical=tuple(categorical), ignore=tuple(ignore))


def write_report(document: Mapping[str, Any], folder: str) -> None:
    """Writes a report as JSON and as a page.

    Args:
        document: From `report_document`.
        folder: On any file system that TFX supports; it is created.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    io_utils.write_string_file(os.path.join(folder, keys.REPORT_JSON), text)
    io_utils.write_string_file(os.path.join(folder, keys.REPORT_HTML), render_drift_page(document))


def drift_message(document: Mapping[str, Any]) -> str:
    """Says in one line that the data drifted, and which features drifted most.

    Args:
        document: From `report_document`.
    """
    worst = [_in_words(feature) for feature in worst_features(document)[:MOST_IN_MESSAGE]]
    what = f"{document['current']['name']} drifted from {document['baseline']['name']}"
    return f"{what}: {'; '.join(document['reasons'])}. Worst: {', '.join(worst)}"


def _in_words(feature: Mapping[str, Any]) -> str:
    name = deciding_metric(feature)
    if name is None:
        return f"{feature['name']} ({feature['reasons'][0]})"
    metric = feature["metrics"][name]
    return f"{feature['name']} ({name} {metric['value']:.3g}, limit {limit_of(metric)})"


def _iso(time: datetime.datetime) -> str:
    return time.isoformat(timespec="seconds")
