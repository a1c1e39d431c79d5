"""Arrow IPC files (Feather V2) and streams as a source of rows, read one record batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.ipc

from tfx_wine_ext.sources.file_table import FileTable, check_values, conform
from tfx_wine_ext.sources.footers import Footer, RowGroup
from tfx_wine_ext.sources.source import DAMAGED, TableFileError, limited
from tfx_wine_ext.sources.stamps import Stamp

FILE_MAGIC = b"ARROW1"
FEATHER_V1_MAGIC = b"FEA1"
# A stream begins with a message, and a message with this.
STREAM_MAGIC = b"\xff\xff\xff\xff"
END_OF_STREAM = STREAM_MAGIC + bytes(4)


def is_arrow(head: bytes) -> bool:
    """Tells whether a file begins like an Arrow file or stream, or Feather of any version."""
    return head.startswith((FILE_MAGIC, FEATHER_V1_MAGIC, STREAM_MAGIC))


@dataclass(frozen=True)
class ArrowFile(Footer):
    """What is known about a file; a stream has one part."""

    is_stream: bool = False


class ArrowTable(FileTable):
    """Arrow IPC files, Feather V2 files and Arrow IPC streams of one table; see `FileTable`.

    A part is a record batch of a file, or a whole stream. A stream must end with the mark of its
    end, which all writers write when they are closed: otherwise a truncated one would lose rows
    unnoticed.
    """

    kind = "arrow"
    unit = "record batch"

    @property
    def by_columns(self) -> bool:  # type: ignore[override]
        """Whether a file is read faster if only some of its columns are read: no stream is."""
        return not any(isinstance(x, ArrowFile) and x.is_stream for x in self._footers)

    @classmethod
    def inspect(cls, path: str, stream: BinaryIO, size: int, stamp: Stamp | None) -> ArrowFile:
        """Reads the schema, and for a file the number of its record batches."""
        head = stream.read(len(FILE_MAGIC))
        stream.seek(0)
        if head.startswith(FEATHER_V1_MAGIC):
            raise TableFileError(
                "Feather V1, which has other types",
                "write it again as Feather V2, the default of pandas and pyarrow",
                path=path,
            )
        if not is_arrow(head):
            raise TableFileError(
                f"{head!r}" if size else "an empty file",
                ("leave it out", "write it again"),
                path=path,
                expected=f"an Arrow file, which begins with {FILE_MAGIC!r}, or an Arrow stream",
            )
        is_stream = not head.startswith(FILE_MAGIC)
        reader: Any = (pa.ipc.open_stream if is_stream else pa.ipc.open_file)(stream)
        count = 1 if is_stream else reader.num_record_batches
        groups = tuple(RowGroup(n, None, size // count) for n in range(count))
        schema = reader.schema.remove_metadata()
        return ArrowFile(path, size, "", schema, groups, stamp, is_stream=is_stream)

    def _unit(self, footer: Footer) -> str:
        return "" if isinstance(footer, ArrowFile) and footer.is_stream else self.unit

    def rows_of(
        self, footer: Footer, columns: pa.Schema, rows: int
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Reads the record batches of a file."""
        with self._opened(footer) as stream:
            of_stream = isinstance(footer, ArrowFile) and footer.is_stream
            batches = _of_stream if of_stream else _of_file
            reading = batches(stream, footer, columns.names)
            while True:
                with self._decoding(footer.path, "cannot be decoded"):
                    index, batch = next(reading, (0, None))
                    if batch is None:
                        return
                    # Damaged offsets of values would end the process later.
                    check_values(batch)
                for piece in limited(batch, None, rows):
                    yield index, conform(footer.path, piece, columns, dict(footer.partitions))
                    del piece
                del batch


def _of_file(
    stream: BinaryIO, footer: Footer, names: Sequence[str]
) -> Iterator[tuple[int, pa.RecordBatch]]:
    known: dict[str, int] = {}
    for place, name in enumerate(pa.ipc.open_file(stream).schema.names):
        known.setdefault(name, place)
    # Without any column Arrow reads all of them.
    wanted = [known[name] for name in names if name in known] or [0]
    stream.seek(0)
    options = pa.ipc.IpcReadOptions(included_fields=wanted if known else [])
    reader = pa.ipc.open_file(stream, options=options)
    for group in footer.row_groups:
        yield group.index, reader.get_batch(group.index)


def _of_stream(
    stream: BinaryIO, footer: Footer, names: Sequence[str]
) -> Iterator[tuple[int, pa.RecordBatch]]:
    for batch in pa.ipc.open_stream(stream):
        yield 0, batch
    end = stream.tell()
    stream.seek(max(end - len(END_OF_STREAM), 0))
    if stream.read(len(END_OF_STREAM)) != END_OF_STREAM:
        raise TableFileError(
            "its end is missing",
            f"{DAMAGED}, and close the writer",
            path=footer.path,
            expected="an Arrow stream with the mark of its end",
        )
    if end != footer.size:
        raise TableFileError(
            f"{footer.size - end} bytes after its end",
            ("write one stream to a file", "leave out what follows"),
            path=footer.path,
            expected="one Arrow stream",
        )
