"""ORC files as a source of rows, read one stripe at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.orc

from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.sources.file_table import FileTable, check_values, conform
from tfx_wine_ext.sources.footers import Footer, RowGroup
from tfx_wine_ext.sources.formats import every
from tfx_wine_ext.sources.orc_tail import MAGIC, Tail, check_stripe, read_tail
from tfx_wine_ext.sources.source import DAMAGED, TableFileError, limited
from tfx_wine_ext.sources.stamps import Stamp


@dataclass(frozen=True)
class OrcFile(Footer):
    """What is known about an ORC file; `tail` is None if it cannot be unpacked here."""

    tail: Tail | None = None


class OrcTable(FileTable):
    """ORC files of one table; see `FileTable`.

    Times are nanoseconds, as Arrow reads them. A column with a time that does not fit into 64 bits
    (beyond the years 1677 to 2262) is refused by the file's statistics: ORC's library would return
    another time.

    Raises:
        TableFileError: See `FileTable`; or a time does not fit.
    """

    kind = "orc"
    unit = "stripe"

    def __init__(
        self, footers: Sequence[Footer], reads: Callable[..., bool] = every, **how: Any
    ) -> None:
        super().__init__(footers, reads, **how)
        for footer in footers:
            tail = footer.tail if isinstance(footer, OrcFile) else None
            for name, time in (tail.beyond if tail else {}).items():
                if any(name == each or name.startswith(f"{each}.") for each in self.schema.names):
                    raise TableFileError(
                        f"{time} ms since 1970",
                        ("write it as text or a date", Remedy(Option.EXCLUDE_COLUMNS, (name,))),
                        path=footer.path,
                        column=name,
                        expected="times between the years 1677 and 2262, in nanoseconds",
                    )

    @classmethod
    def inspect(cls, path: str, stream: BinaryIO, size: int, stamp: Stamp | None) -> OrcFile:
        """Reads the end of the file, which has its schema and stripes."""
        if size < len(MAGIC) + 1 or stream.read(len(MAGIC)) != MAGIC:
            raise TableFileError(
                f"{size} bytes of something else" if size else "an empty file",
                ("leave it out", "write it again"),
                path=path,
                expected=f"an ORC file, which begins with {MAGIC!r}",
            )
        tail = read_tail(stream, size)
        file = pa.orc.ORCFile(stream)
        stripes = (
            [RowGroup(n, stripe.rows, stripe.size) for n, stripe in enumerate(tail.stripes)]
            if tail
            else [RowGroup(n, None, size // file.nstripes) for n in range(file.nstripes)]
        )
        return OrcFile(
            path, size, "", file.schema.remove_metadata(), tuple(stripes), stamp, tail=tail
        )

    def rows_of(
        self, footer: Footer, columns: pa.Schema, rows: int
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Reads the stripes of a file."""
        tail = footer.tail if isinstance(footer, OrcFile) else None
        with self._opened(footer) as stream:
            with self._decoding(footer.path, "cannot be decoded"):
                file = pa.orc.ORCFile(stream)
                known = file.schema.names
            there = frozenset(known)
            # Without any column ORC's library returns no rows.
            wanted = [name for name in columns.names if name in there] or known[:1]
            for group in footer.row_groups:
                place: dict[str, Any] = {"row": group.index, "unit": self.unit}
                with self._decoding(footer.path, "cannot be decoded", **place):
                    if tail:  # It ends the process at a footer that it cannot parse.
                        check_stripe(stream, tail, group.index)
                    stripe = file.read_stripe(group.index, columns=wanted)
                    check_values(stripe)
                if group.rows not in (None, stripe.num_rows):
                    raise TableFileError(
                        f"{stripe.num_rows} rows",
                        DAMAGED,
                        path=footer.path,
                        expected=f"{group.rows} rows, as its footer says",
                        **place,
                    )
                for batch in limited(stripe, None, rows):
                    yield (
                        group.index,
                        conform(footer.path, batch, columns, dict(footer.partitions)),
                    )
                    del batch
