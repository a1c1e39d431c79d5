"""The spans of the wine data as files of other formats, as lakehouse tables, and in databases.

Each holds the rows of the Parquet spans, so `TableExampleGen` makes the same examples in the same
splits of them, and the pipeline the same model.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq

from examples.wine_quality.constants import COLUMNS, FEATURES
from tfx_wine_ext import sources
from tfx_wine_ext.sources.configs import SourceConfig

Serve = Callable[[Sequence[pa.Table], Path], "AbstractContextManager[SourceConfig]"]


@contextlib.contextmanager
def wine_source(kind: str, spans: Sequence[Path], folder: Path) -> Iterator[SourceConfig]:
    """Writes the spans to a source, and runs its server, if it has one, as long as the block.

    Args:
        kind: A key of `KINDS`.
        spans: The Parquet files of `write_spans`, in the order of the spans.
        folder: For all that is written. What an earlier call has written of the same spans stays
            as it is, so that the pipeline finds it unchanged.

    Yields:
        The source, in which ``{SPAN}`` stands for the number of the span.
    """
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in spans)).hexdigest()[:12]
    tables = [pq.read_table(path, columns=COLUMNS) for path in spans]
    with KINDS[kind](tables, folder.absolute() / kind / digest) as source:
        yield source


def _once(folder: Path, write: Callable[[], None]) -> None:
    """Fills a folder, unless an earlier call has."""
    written = folder / "written"
    if not written.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write()
        written.touch()


def _files(ending: str, write: Callable[[pa.Table, Path], None]) -> Serve:
    """Returns what writes one file for each span."""

    @contextlib.contextmanager
    def serve(tables: Sequence[pa.Table], folder: Path) -> Iterator[SourceConfig]:
        def write_all() -> None:
            for number, table in enumerate(tables, start=1):
                path = folder / f"span-{number}" / f"wine{ending}"
                path.parent.mkdir()
                write(table, path)

        _once(folder, write_all)
        yield sources.Files(str(folder), f"span-{{SPAN}}/*{ending}")

    return serve


def _write_avro(table: pa.Table, path: Path) -> None:
    fields = [{"name": name, "type": ["null", "double"]} for name in FEATURES]
    fields += [{"name": name, "type": "long"} for name in COLUMNS if name not in FEATURES]
    schema = {"type": "record", "name": "wine", "fields": fields}
    with path.open("wb") as file:
        fastavro.writer(file, schema, table.to_pylist(), codec="deflate")


def _write_csv(table: pa.Table, path: Path) -> None:
    """Writes numbers as Python does, which keeps all digits, and the point of a double."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        writer.writerows(zip(*(column.to_pylist() for column in table.columns)))


def _write_orc(table: pa.Table, path: Path) -> None:
    pyarrow.orc.write_table(table, str(path))


KINDS: Mapping[str, Serve] = {
    "avro": _files(".avro", _write_avro),
    "csv": _files(".csv", _write_csv),
    "orc": _files(".orc", _write_orc),
}
"""What writes and serves each kind of source: from the spans and a folder."""
