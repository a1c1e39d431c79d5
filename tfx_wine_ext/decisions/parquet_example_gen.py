"""Reads what ParquetExampleGen is asked for, and checks and fingerprints the files."""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfx.components.example_gen import driver, utils
from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

from tfx_wine_ext.artifacts.properties import whole
from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.columnar.partition import check_partition_feature
from tfx_wine_ext.columnar.tables import read_tables, table_of
from tfx_wine_ext.columnar.tasks import plan_table
from tfx_wine_ext.files.choose import absolute
from tfx_wine_ext.files.for_tensorflow import let_tensorflow_read
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.sources.footers import Footer, find_files
from tfx_wine_ext.types import parquet_example_gen as keys


@dataclass(frozen=True)
class Decided:
    """What a ParquetExampleGen reads.

    Attributes:
        request: The parameters, of which span and version are resolved.
        tables: The footers of the files of each input split.
        exec_properties: Those of the component, with all that was decided.
        span_date: The date that the span stands for, YYYY-MM-DD; None if it was not found by one.
    """

    request: Request
    tables: list[list[Footer]]
    exec_properties: dict[str, Any]
    span_date: str | None

    @property
    def span(self) -> int:
        """Number of the span."""
        return int(self.exec_properties[keys.SPAN_KEY])


def decide(exec_properties: Mapping[str, Any], files: Files) -> Decided:
    """Finds span and version as TFX does, checks the files, and fingerprints their content.

    A span that TFX's own driver has found, or Kubeflow's hook, is kept.

    Args:
        exec_properties: Those of the component; they are not changed.
        files: The file system.

    Raises:
        FileNotFoundError: No file matches the pattern of a split.
        ParquetFileError: A file is not a usable Parquet file.
        PartitionError: The Hive partitions in the paths of files are inconsistent.
        ValueError: No span matches, a column cannot become a feature, or the filters or
            ``partition_feature_name`` do not fit the columns.
    """
    decided = dict(exec_properties)
    request = Request.of(decided)
    by_date = any(utils.YEAR_SPEC in split.pattern for split in request.input_config.splits)
    span = whole(decided.get(keys.SPAN_KEY))
    if span is None:
        let_tensorflow_read(request.input_base)  # TFX lists the files, too.
        try:
            # It needs neither a metadata store nor to know the pipeline.
            decided = driver.FileBasedDriver(None).resolve_exec_properties(decided, None, None)
        except ValueError as error:
            raise ValueError(f"input_base {request.input_base}: {error}") from error
        request, span = Request.of(decided), decided[keys.SPAN_KEY]
    elif not by_date:
        by_date = _is_by_date(request, span)
    # Kubeflow gives doubles, and no version if there is none.
    decided[keys.SPAN_KEY] = span
    decided[keys.VERSION_KEY] = whole(decided.get(keys.VERSION_KEY))
    tables = request.tables(files)
    decided.update(request.decision(tables, files))
    date = datetime.date(*utils.span_number_to_date(span)).isoformat() if by_date else None
    return Decided(request, tables, decided, date)


def _is_by_date(request: Request, span: int) -> bool:
    """Tells whether resolved patterns have the date of their span, and not its number."""
    patterns = [split.pattern for split in request.input_config.splits]
    if not span or any(re.search(rf"(?<!\d)0*{span}(?!\d)", pattern) for pattern in patterns):
        return False
    try:
        year, month, day = utils.span_number_to_date(span)
    except (OverflowError, ValueError):  # No day, but some other large number.
        return False
    parts = f"{year:04}", f"{month:02}", f"{day:02}"
    return all(part in pattern for part in parts for pattern in patterns)


@dataclass(frozen=True)
class Request:
    """The parameters of a ParquetExampleGen, of which span and version are resolved.

    Attributes:
        input_base: The folder to which patterns are relative.
        input_config: The input splits and their patterns.
        output_config: The output splits.
        options: Those of this component only; the defaults in TFX's own ExampleGen.
    """

    input_base: str
    input_config: example_gen_pb2.Input
    output_config: example_gen_pb2.Output
    options: IngestOptions

    @classmethod
    def of(cls, exec_properties: Mapping[str, Any]) -> Request:
        """Reads the parameters of the component."""
        input_config, output_config = example_gen_pb2.Input(), example_gen_pb2.Output()
        proto_utils.json_to_proto(exec_properties[keys.INPUT_CONFIG_KEY], input_config)
        proto_utils.json_to_proto(exec_properties[keys.OUTPUT_CONFIG_KEY], output_config)
        options = exec_properties.get(keys.INGEST_OPTIONS_KEY)
        return cls(
            exec_properties[keys.INPUT_BASE_KEY],
            input_config,
            output_config,
            IngestOptions.from_json(options) if options else IngestOptions(),
        )

    @property
    def partition_feature(self) -> str | None:
        """The feature by which rows are assigned to splits; None: by their content."""
        return self.output_config.split_config.partition_feature_name or None

    def tables(self, files: Files) -> list[list[Footer]]:
        """Reads the footers of the files of each input split.

        Raises:
            FileNotFoundError: No file matches the pattern of a split.
            ParquetFileError: A file is not a usable Parquet file.
            PartitionError: The Hive partitions in the paths of files are inconsistent.
        """
        patterns = (
            os.path.join(self.input_base, split.pattern) for split in self.input_config.splits
        )
        # Absolute afterwards: in a pattern, brackets in the name of this folder would be special.
        paths = [[absolute(path) for path in find_files(pattern, files)] for pattern in patterns]
        return read_tables(paths, absolute(self.input_base), self.options, files)

    def decision(self, tables: Sequence[Sequence[Footer]], files: Files) -> dict[str, str]:
        """Checks that the files can be read as asked, and fingerprints their content.

        Returns:
            Properties of the execution: the fingerprint, and the digests of the files, by which the
            executor names a file that changed meanwhile.

        Raises:
            ValueError: A column cannot become a feature, or the filters or
                ``partition_feature_name`` do not fit the columns.
        """
        fingerprints = []
        for split, footers in zip(self.input_config.splits, tables):
            source = table_of(footers, self.options, files)
            plan = plan_table(source, self.options)
            if self.partition_feature:
                check_partition_feature(plan, self.partition_feature)
            fingerprints.append(f"{split.name}:{source.fingerprint()}")
        digests = self.digests(footer for footers in tables for footer in footers)
        return {
            keys.INPUT_FINGERPRINT_KEY: ",".join(fingerprints),
            keys.INPUT_FILES_KEY: json.dumps(digests, sort_keys=True),
        }

    def digests(self, footers: Iterable[Footer]) -> dict[str, str]:
        """Returns the digest of each file, by its path in `input_base`."""
        return {os.path.relpath(footer.path, self.input_base): footer.digest for footer in footers}
