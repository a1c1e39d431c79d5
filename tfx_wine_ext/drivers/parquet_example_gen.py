"""The driver of ParquetExampleGen: checks the files and fingerprints their content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfx_wine_ext.decisions.parquet_example_gen import decide
from tfx_wine_ext.drivers.example_gen import ExampleGenDriver, Found
from tfx_wine_ext.files.choose import FilesByScheme
from tfx_wine_ext.publishers.failure import records_failures


@records_failures
class ParquetExampleGenDriver(ExampleGenDriver):
    """Finds span and version as TFX does, then checks the files before anything else runs.

    It reads the footers of all files of the span, refuses unusable ones, and replaces TFX's
    fingerprint of modification times with a fingerprint of the content. The driver runs before the
    cache lookup: files that were touched or copied again keep their cached result, and changed
    files lose it.

    Raises:
        FileNotFoundError: No file matches the pattern of a split.
        ParquetFileError: A file is not a usable Parquet file.
        RemoteError: The files are on S3, and TFX cannot read there; or the store cannot be used.
        PartitionError: The Hive partitions in the paths of files are inconsistent.
        ValueError: No span matches, a column cannot become a feature, or the filters or
            ``partition_feature_name`` do not fit the columns.
    """

    def find(self, exec_properties: Mapping[str, Any]) -> Found:
        """Finds the files of the span, and fingerprints their content."""
        decided = decide(exec_properties, FilesByScheme())
        inputs = {
            split.name: f"{len(footers)} files, {sum(footer.rows for footer in footers)} rows"
            for split, footers in zip(decided.request.input_config.splits, decided.tables)
        }
        return Found(decided.exec_properties, decided.span_date, inputs)
