"""Opens files as the options of an ingestion say."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.sources.footers import Footer, read_footers
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.parquet import ParquetSource
from tfx_wine_ext.sources.schemas import with_partitions


def read_tables(
    tables: Sequence[Sequence[str]], root: str, options: IngestOptions, files: Files
) -> list[list[Footer]]:
    """Reads the footers and Hive partitions of the files of each input split.

    Args:
        tables: The files of each input split in reading order, at least one each.
        root: The folder of the files; only folders below it may be Hive partitions.
        options: How to read the files.
        files: The file system.

    Raises:
        ParquetFileError: A file cannot be used.
        PartitionError: See `with_partitions`.
    """
    footers = [read_footers(paths, files) for paths in tables]
    return (
        with_partitions(footers, root, options.encode.cast)
        if options.hive_partitioning
        else footers
    )


def table_of(footers: Sequence[Footer], options: IngestOptions, files: Files) -> ParquetSource:
    """Returns one of the tables of `read_tables` as a source.

    Raises:
        ParquetFileError, NoCommonTypeError: See `ParquetSource`.
    """
    return ParquetSource(footers, options.reads, unify=options.unify_schemas, files=files)


def reading_of(options: IngestOptions, files: Files, root: str = "") -> Reading:
    """Returns how the options say that a table is read.

    Args:
        options: How to read the files.
        files: The file system.
        root: The folder of the files; see `Reading`.
    """
    return Reading(
        options.reads,
        unify=options.unify_schemas,
        root=root if options.hive_partitioning else None,
        cast=options.encode.cast,
        files=files,
    )
