"""Reads what ParquetExampleGen is asked for, and checks and fingerprints the files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.columnar.partition import check_partition_feature
from tfx_wine_ext.columnar.tables import read_tables, table_of
from tfx_wine_ext.columnar.tasks import plan_table
from tfx_wine_ext.files.choose import absolute
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.sources.footers import Footer, find_files
from tfx_wine_ext.types import parquet_example_gen as keys


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
