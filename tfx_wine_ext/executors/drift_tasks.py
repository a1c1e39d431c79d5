"""What DriftReport's workers do: each task reads one file. No worker has to load TFX for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tfx_wine_ext.artifacts.layout import PARQUET, TF_EXAMPLE
from tfx_wine_ext.drift.config import DriftConfig
from tfx_wine_ext.drift.read import read
from tfx_wine_ext.files.choose import FilesByScheme
from tfx_wine_ext.progress.launches import rows_of
from tfx_wine_ext.sources.examples import ExampleTable
from tfx_wine_ext.sources.parquet import ParquetTable
from tfx_wine_ext.sources.source import TableFileError, TableSource

TABLES: Mapping[str, Callable[..., TableSource]] = {
    TF_EXAMPLE: ExampleTable,
    PARQUET: ParquetTable,
}


@dataclass(frozen=True)
class FileTask:
    """One file to read, of side 0 (the current data) or side 1 (the baseline)."""

    side: int
    path: str
    payload: str


def read_file(config: DriftConfig, counter: str, task: FileTask) -> bytes:
    """Summarises one file.

    Args:
        config: The configuration.
        counter: The key from `counting_rows`.
        task: The file; its payload is the name of one of TFX's formats.

    Raises:
        TableFileError: The file cannot be read.
        TypeError: A column has a type without single values.
        ValueError: A column is numeric in one batch and categorical in another.
    """
    count, ignored = rows_of(counter, f"{task.side} {task.path}"), frozenset(config.ignore)
    try:
        table = TABLES[task.payload](
            [task.path], lambda *names: ignored.isdisjoint(names), FilesByScheme()
        )
        return read(table, config, lambda rows, position: count(rows)).to_bytes()
    except TableFileError as error:
        # DriftReport has no options of ParquetExampleGen.
        error.remedies = tuple(remedy for remedy in error.remedies if isinstance(remedy, str))
        raise
    except TypeError as error:
        raise TypeError(f"{task.path}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{task.path}: {error}") from error
