"""A table whose rows a server sends: what the sources of Trino and BigQuery share."""

from __future__ import annotations

import contextlib
import copy
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import pyarrow as pa

from tfx_wine_ext.columnar.plan import leaves
from tfx_wine_ext.columnar.values import leaf_values
from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.sources.filters import RowFilter
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import (
    Part,
    TableFileError,
    batch_of,
    batch_rows,
    limited,
)

_Table = TypeVar("_Table", bound="RemoteTable")


class RemoteTable:
    """Rows of a server; the base of sources that know their columns before rows are read.

    A source is a subclass that knows its parts, by `cut`, reads them, by `received`, and knows its
    fingerprint, by `state`. It holds no connection, so that it can be pickled.

    Args:
        name: What errors call the table.
        columns: All columns, with the types of Arrow.
        how: How the table is read.
        refused: The columns that cannot be read, and why; their types do not matter.

    Attributes:
        kind: The name of the kind of source.
        whole: All columns.
        schema: The columns that are read.
        structs: With ``how.flat``, the columns that are structs, and the fields of each.
        part: The part to which the last batch belongs; None before the first one.

    Raises:
        TableFileError: Two columns that are read have one name, or one cannot be read.
    """

    kind: str
    error: type[TableFileError] = TableFileError
    names_are_complete = True
    rows: int | None = None
    part: Part | None = None
    position = 0

    def __init__(
        self, name: str, columns: pa.Schema, how: Reading, refused: Mapping[str, str]
    ) -> None:
        self.paths: Sequence[str] = [name]
        self._columns = columns
        chosen = ChosenColumns.of(columns, how)
        self.structs, self.whole, self.schema = chosen.structs, chosen.whole, chosen.schema
        self._check_columns(name, self.schema.names, refused)
        self._paths = chosen.paths
        self._parts: Sequence[Part] | None = None
        self._seen = ""

    def _check_columns(self, table: str, read: Sequence[str], refused: Mapping[str, str]) -> None:
        counts = Counter(read)
        repeated = [name for name in counts if counts[name] > 1]
        if repeated:
            raise TableFileError(
                f"{', '.join(map(repr, repeated))} more than once",
                ("rename one of them", Remedy(Option.EXCLUDE_COLUMNS, tuple(repeated))),
                path=table,
                expected="every column once",
            )
        problems = {name: refused[name] for name in read if name in refused}
        if problems:
            raise TableFileError(
                f"{len(problems)} that cannot:"
                + ";".join(f"\n  {name!r}: {reason}" for name, reason in problems.items()),
                Remedy(Option.EXCLUDE_COLUMNS, tuple(problems)),
                path=table,
                expected="columns that can be read",
            )

    @property
    def names(self) -> Sequence[str]:
        """All columns, whether they are read or not, and the structs."""
        return [*self.whole.names, *self.structs]

    @property
    def size(self) -> int:
        """Total bytes of the parts, as far as the server estimates them."""
        return sum(part.size for part in self._parts or ())

    @property
    def passes(self) -> Sequence[pa.Schema]:
        """One pass: the server sends rows."""
        return [self.schema]

    def settle(self) -> None:
        """Does nothing: the schema is known."""

    def check(self) -> None:
        """Does nothing: a table of a server has one schema."""

    @contextlib.contextmanager
    def snapshot(self: _Table) -> Iterator[_Table]:
        """Compares the fingerprints before and after the reading: each query sees its own state.

        Raises:
            TableFileError: The content has changed meanwhile, as far as the fingerprint shows it.
        """
        yield self
        # Only if it was asked for, and rows were.
        if self._seen and self._parts is not None and self._seen != self.state():
            raise TableFileError("it changed while it was read", "run again", path=self.paths[0])

    def fingerprint(self) -> str:
        """Returns a fingerprint of the content, or ""; see `TableSource`.

        Raises:
            TableFileError: The server is not there, or refuses.
        """
        self._seen = self.state()
        return self._seen

    def state(self) -> str:
        """Returns the fingerprint of the content that the table has now; "" if it has none."""
        raise NotImplementedError

    def cut(self) -> Sequence[Part]:
        """Returns the parts in which the server can send the rows; made by `a_part`."""
        raise NotImplementedError

    def received(self, part: Part, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yields the rows of a part as the server sends them, in batches of bounded bytes.

        Args:
            part: The part.
            columns: The top-level columns that are wanted, in any order; further ones may come.

        Raises:
            TableFileError: The server is not there, refuses, or does not send all rows.
        """
        raise NotImplementedError

    def a_part(self, path: str, index: int, unit: str, seed: str, size: int) -> Part:
        """Returns a part of an unknown number of rows.

        Args:
            path: What the server calls it.
            index: Its number.
            unit: What errors call it; "" if it is the whole table.
            seed: Text from which the number for shuffling is made.
            size: Its bytes, estimated.
        """
        return Part(path, index, unit, zlib.crc32(seed.encode()), None, size)

    def parts(self, row_filter: RowFilter | None = None) -> Sequence[Part]:
        """Returns all parts, whatever the filter: the server does not know it."""
        if self._parts is None:
            self._parts = self.cut()
        return self._parts

    def select(self: _Table, parts: Sequence[Part]) -> _Table:
        """Returns a source of these parts only; see `TableSource`."""
        selected = copy.copy(self)
        selected._parts = list(parts)
        return selected

    def batches(
        self, columns: pa.Schema | None = None, rows: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yields all rows; see `TableSource`.

        Args:
            columns: The columns to read. Default: all of `schema`.
            rows: The most rows of a batch. Default: as many as `batch_rows` recommends.

        Raises:
            TableFileError: See `received`.
        """
        schema = self.schema if columns is None else columns
        paths = [self._paths[name] for name in schema.names]
        before = 0
        for part in self.parts():
            self.part = part
            done = 0
            for batch in self.received(part, list(dict.fromkeys(path[0] for path in paths))):
                done += batch.nbytes
                self.position = before + min(done, part.size)
                arrays = [
                    leaf_values(batch.column(batch.schema.get_field_index(path[0])), path[1:])
                    for path in paths
                ]
                for field, array in zip(schema, arrays):
                    if array.type != field.type:
                        raise TableFileError(
                            str(array.type),
                            "run again",
                            path=self.paths[0],
                            column=field.name,
                            expected=f"{field.type}, as before",
                        )
                found = batch_of(schema, arrays, batch.num_rows)
                yield from limited(found, None, rows or batch_rows(len(schema)))
                del batch, found, arrays  # Before the next one is received.
            before += part.size
        self.position = before


class ChosenColumns(NamedTuple):
    """The columns of a table of a server, and which of them are read.

    Attributes:
        whole: All columns; with `Reading.flat`, the fields of structs in place of these.
        structs: The columns that are structs, and the fields of each.
        schema: The columns that are read. A name may stand in it twice, which is to be refused.
        paths: Where each of these is: its column, and the fields of structs.
    """

    whole: pa.Schema
    structs: Mapping[str, Sequence[str]]
    schema: pa.Schema
    paths: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, columns: Iterable[pa.Field], how: Reading) -> ChosenColumns:
        """Chooses columns as `how` says."""
        flat = [
            (path, type_)
            for column in columns
            for path, type_ in (
                leaves(column.type, (column.name,)) if how.flat else [((column.name,), column.type)]
            )
        ]
        structs: dict[str, list[str]] = {}
        for path, _ in flat:
            for struct in _around(path):
                structs.setdefault(struct, []).append(".".join(path))
        read = [each for each in flat if how.reads(".".join(each[0]), *_around(each[0]))]
        return cls(
            pa.schema([(".".join(path), type_) for path, type_ in flat]),
            structs,
            pa.schema([(".".join(path), type_) for path, type_ in read]),
            {".".join(path): path for path, _ in read},
        )


def _around(path: Sequence[str]) -> list[str]:
    """Returns the names of the structs that enclose a field."""
    return [".".join(path[:depth]) for depth in range(1, len(path))]
