"""Delta Lake tables as a source: one version of the table, read file by file.

The package ``deltalake`` reads the log, which says what files a version has, the values of their
partition columns, and which of their rows are deleted. The rows are read by this library.
"""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import datetime
import hashlib
import itertools
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pa_fs

from tfx_wine_ext.columnar.arrow_types import is_list
from tfx_wine_ext.columnar.widening import wider_type
from tfx_wine_ext.errors import Option, Remedy, TfxWineExtError
from tfx_wine_ext.files import gcs, s3
from tfx_wine_ext.files.choose import FilesByScheme, absolute, has_scheme
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.sources.configs import (
    SourceConfig,
    SourceConfigError,
    check_no_password,
    moment_of,
    register_source,
)
from tfx_wine_ext.sources.filters import RowFilter
from tfx_wine_ext.sources.footers import (
    FOOTER_READERS,
    Footer,
    RowGroup,
    content_fingerprint,
    read_footer,
    schema_fingerprint,
)
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.managed_tables import DELTA_LOG as LOG
from tfx_wine_ext.sources.parquet import ParquetSource
from tfx_wine_ext.sources.source import Part, TableFileError, one_line
from tfx_wine_ext.suggestions import path_hint

# Seconds after which the store is given up; our own client has reached it before.
_STORE_SECONDS = "20s"
_MOST_OF_A_MESSAGE = 300

_MISTAKEN = re.compile(r"\\|%[0-9a-fA-F]{2}")
_COMMIT = re.compile(r"(\d{20})\.json")
# Of one file, of several, and of version 2.
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*(?:parquet|json)")
_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")
_PRIMITIVE = {
    "binary": pa.binary(),
    "boolean": pa.bool_(),
    "byte": pa.int8(),
    "date": pa.date32(),
    "double": pa.float64(),
    "float": pa.float32(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "short": pa.int16(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
    "void": pa.null(),
}
# What a table may ask of its readers. ``deltalake`` refuses more than these, too, and honours those
# that are about the log; the others are honoured below.
_WIDENING = {"typeWidening", "typeWidening-preview"}
_FEATURES = {
    *_WIDENING,
    "columnMapping",
    "deletionVectors",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    # Their columns are refused by name.
    "variantType",
    "variantType-preview",
    "variantShredding",
    "variantShredding-preview",
}
_PHYSICAL_NAME, _ID = "delta.columnMapping.physicalName", "delta.columnMapping.id"
_ID_IN_FILE = b"PARQUET:field_id"


@register_source("delta")
@dataclasses.dataclass(frozen=True)
class Delta(SourceConfig):
    """A Delta Lake table: its latest version, or the one that a number or a time names.

    Deletion vectors and column mapping are honoured; a table that asks anything else of its readers
    is refused.

    Args:
        path: The folder of the table: local, ``s3://`` or ``gs://``. Credentials come from the
            environment (docs/file-systems.md).
        version: The number of a version. Default: None, the latest.
        timestamp: A time: that of the last version at or before it is read. A date (midnight),
            ``2026-11-26T12:00:00``, also with a zone (else UTC), ``20261126``, or seconds since
            1970. It may hold placeholders of a span, as in ``{YYYY}-{MM}-{DD}``. Default: None.

    Raises:
        SourceConfigError: The path holds a password; version and time are both given, or one is
            malformed.

    Example:
        >>> Delta("s3://lake/wines", version=3).name
        's3://lake/wines@v3'
        >>> Delta("s3://lake/wines", timestamp="{YYYY}-{MM}-{DD}").to_json()
        '{"path": "s3://lake/wines", "source": "delta", "timestamp": "{YYYY}-{MM}-{DD}"}'
    """

    path: str
    version: int | None = None
    timestamp: str | None = None

    spanned = ("path", "timestamp")

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))  # Of pathlib's, too.
        check_no_password("path", self.path)
        if has_scheme(self.path) and not self.path.startswith(("s3://", "gs://")):
            raise SourceConfigError(
                repr(self.path), path="path", expected="a local folder, s3:// or gs://"
            )
        if _MISTAKEN.search(self.path):
            raise SourceConfigError(
                repr(self.path),
                "name it by a link without them",
                path="path",
                expected="a folder without backslashes, and without % before two hexadecimal "
                "digits, which deltalake decodes",
            )
        if self.version is not None and self.timestamp is not None:
            raise SourceConfigError(
                "both", path=self.path, expected="a version, or a timestamp, or neither"
            )
        version = self.version
        if version is not None and (type(version) is not int or version < 0):
            raise SourceConfigError(
                repr(version), path="version", expected="the number of a version, from 0"
            )
        if self.timestamp is not None:
            text = str(self.timestamp)  # YAML makes dates, times and numbers of such text.
            object.__setattr__(self, "timestamp", text)
            if not re.search("[{@]", text):
                moment_of(text)

    @property
    def name(self) -> str:
        """The path, and what names the version: ``wines@v3``."""
        if self.version is not None:
            return f"{self.path}@v{self.version}"
        return self.path if self.timestamp is None else f"{self.path}@{self.timestamp}"

    def pinned(self) -> Delta:
        """Returns this description with the number of the version in place of the time, or of none.

        It is the last version that changed the table: VACUUM writes versions that do not, which are
        no reason to run a pipeline again.

        Raises:
            TableFileError: There is no table, no such version, or its log cannot be read.
        """
        log = _Log(absolute(self.path))
        version = int(log.load(self).version())
        if self.version is None:
            version = log.changed_until(version)
        return dataclasses.replace(self, version=version, timestamp=None)

    def open(self, how: Reading) -> DeltaSource:
        """Opens the table; of `how`, `root`, `unify` and `cast` have no meaning for it.

        Raises:
            TableFileError: There is no table or no such version; a file that its log names is gone,
                or another one; the version has no rows; it asks something of its readers that this
                library cannot do; or the package ``deltalake`` is missing.
        """
        folder = absolute(self.path)
        return DeltaSource(folder, _Log(folder).load(self), how)


class DeltaSource(ParquetSource):
    """One version of a Delta Lake table.

    The columns are those of the version, with its types: a column that a file lacks is null in its
    rows, a narrower type is widened. The files are in the order in which they were written.

    Args:
        folder: The folder of the table.
        table: The version, as ``deltalake.DeltaTable``.
        how: How it is read.

    Attributes:
        version: Its number.

    Raises:
        TableFileError: See `Delta.open`.
    """

    kind = "delta"

    def __init__(self, folder: str, table: Any, how: Reading) -> None:
        self.version = int(table.version())
        self._table = f"{folder}@v{self.version}"
        schema = _Schema(self._table, table, how)
        adds = _adds(folder, table, self._table)
        with ThreadPoolExecutor(FOOTER_READERS) as pool:
            footers = list(pool.map(lambda add: self._checked(add, how.files), adds))
        self._fingerprint = _fingerprint(schema.arrow, adds, footers)
        self._data: dict[str, _DataFile] = {}
        found: list[Footer] = []
        for add, footer in zip(adds, footers):
            kept, row_groups = _kept_rows(add, footer)
            columns, same = schema.in_file(footer)
            self._data[footer.path] = _DataFile(columns, same, schema.constants(add), kept)
            found.append(
                dataclasses.replace(
                    footer,
                    schema=schema.arrow,
                    row_groups=row_groups,
                    in_path=tuple(schema.partitions),
                )
            )
        if not sum(footer.rows for footer in found):
            raise TableFileError(
                "none", "read another version", path=self._table, expected="at least one row"
            )
        super().__init__(found, how.reads, flat=how.flat, files=how.files)

    def fingerprint(self) -> str:
        """Returns the fingerprint of columns, files, partitions and deleted rows of the version.

        A version that has the same as another one has the same fingerprint, as after VACUUM or a
        change of the table's properties. OPTIMIZE gives another: it changes the order of rows.
        """
        return self._fingerprint

    def rows_of(
        self, footer: Footer, columns: pa.Schema, rows: int
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Reads the row groups of a file, without its deleted rows."""
        data = self._data[footer.path]
        in_file = [data.columns[name] for name in columns.names if name in data.columns]
        reading = self._read(footer, pa.schema(in_file), rows)
        before: dict[int, int] = {}
        with self._there(footer.path), contextlib.closing(reading):
            for row_group, batch in reading:
                start = before.get(row_group, 0)
                before[row_group] = start + batch.num_rows
                kept = data.kept_of(row_group, start, batch.num_rows)
                count = batch.num_rows if kept is None else len(kept)
                if count:
                    yield row_group, _as_stated(footer.path, batch, columns, data, kept, count)

    def select(self, parts: Sequence[Part]) -> DeltaSource:
        """Returns a source of these row groups only; see `TableSource`."""
        selected = super().select(parts)
        selected._data = {
            footer.path: self._data[footer.path].of_row_groups(footer.row_groups)
            for footer in selected._footers
        }
        return selected

    def _checked(self, add: _Add, files: Files) -> Footer:
        """Reads a footer, and checks that the file is the one that the log names."""
        with self._there(add.path):
            footer = read_footer(add.path, files)
        for what, found, expected in [
            ("bytes", footer.size, add.size),
            ("rows", footer.rows, add.rows),
        ]:
            if expected is not None and found != expected:
                raise TableFileError(
                    f"{found:,} {what}",
                    ("restore it from a copy", "read another version"),
                    path=add.path,
                    expected=f"{expected:,} {what}, as the log of {self._table} says",
                )
        return footer

    @contextlib.contextmanager
    def _there(self, path: str) -> Iterator[None]:
        """Explains a file that is gone."""
        try:
            yield
        except TfxWineExtError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            raise TableFileError(
                "it is gone",
                (
                    "read a later version",
                    "restore it",
                    "keep files for longer than your runs take: VACUUM deletes those that only "
                    "earlier versions have",
                ),
                path=path,
                expected=f"a file of {self._table}",
            ) from error

    def _constant(self, footer: Footer, name: str) -> pa.Array:
        return self._data[footer.path].constants[name]

    def _kept_row_groups(self, footer: Footer, row_filter: RowFilter | None) -> Sequence[RowGroup]:
        if row_filter is not None:
            data = self._data[footer.path]
            if not data.as_in_table.union(data.constants).issuperset(row_filter.columns):
                return footer.row_groups  # Statistics are by the names and types of the file.
        return super()._kept_row_groups(footer, row_filter)


@dataclasses.dataclass(frozen=True)
class _DataFile:
    """How one file is read.

    Attributes:
        columns: The columns that are in the file, by their name in the table: the name in the file,
            and the type as which they are read.
        as_in_table: Those that have the same name and type in the file.
        constants: The values of the partition columns, as arrays of length 1.
        kept: Which rows are not deleted, packed to bits, by row group; empty if all are.
    """

    columns: Mapping[str, pa.Field]
    as_in_table: frozenset[str]
    constants: Mapping[str, pa.Array]
    kept: Mapping[int, np.ndarray[Any, Any]] = dataclasses.field(default_factory=dict)

    def kept_of(self, row_group: int, start: int, count: int) -> pa.Array | None:
        """Returns the positions of the rows of a batch that are kept; None if all are."""
        if row_group not in self.kept:
            return None
        kept = np.unpackbits(self.kept[row_group], count=start + count)[start:]
        return pa.array(np.flatnonzero(kept))

    def of_row_groups(self, row_groups: Sequence[RowGroup]) -> _DataFile:
        indices = {group.index for group in row_groups}
        kept = {index: rows for index, rows in self.kept.items() if index in indices}
        return dataclasses.replace(self, kept=kept)


def _as_stated(
    path: str,
    batch: pa.RecordBatch,
    columns: pa.Schema,
    data: _DataFile,
    kept: pa.Array | None,
    count: int,
) -> pa.RecordBatch:
    """Returns the kept rows of a batch of a file, with columns as the table has them."""
    if not columns.names:
        return batch.slice(0, count)
    arrays = []
    for column in columns:
        stored = data.columns.get(column.name)
        if stored is None:
            constant = data.constants.get(column.name)
            value = pa.nulls(1, column.type) if constant is None else constant
            arrays.append(value.take(pa.array(np.zeros(count, np.int8))))
            continue
        array = batch.column(batch.schema.get_field_index(stored.name))
        if kept is not None:
            array = array.take(kept)
        if _is_nanoseconds(stored.type):
            try:
                array = pc.cast(array, column.type)
            except pa.ArrowInvalid as error:
                found = f"a time of {stored.type} that is not whole microseconds"
                raise _unreadable(path, column.name, found, column.type) from error
        # The same layout; the names of fields of structs may be others.
        arrays.append(array.view(column.type) if array.type != column.type else array)
    return pa.RecordBatch.from_arrays(arrays, schema=columns)


class _Schema:
    """The columns of a version, and how they are found in its files.

    Attributes:
        arrow: The columns, as Arrow has them; those of unknown types, which are not read, are null.
        partitions: The names of the partition columns.
    """

    def __init__(self, of: str, table: Any, how: Reading) -> None:
        metadata = table.metadata()
        self._columns: list[dict[str, Any]] = json.loads(table.schema().to_json())["fields"]
        self.partitions: list[str] = list(metadata.partition_columns)
        self._mode = metadata.configuration.get("delta.columnMapping.mode", "none")
        self._how = how
        for path, type_ in (leaf for column in self._columns for leaf in _leaves(column)):
            if path[0] in self.partitions and type_ == "binary":
                type_ = "binary of a partition column, which writers spell differently"
            elif _arrow(type_) is not None:
                continue
            if self._reads(path):
                raise TableFileError(
                    f"the type {type_}",
                    ("convert it", Remedy(Option.EXCLUDE_COLUMNS, (path[0],))),
                    path=of,
                    column=".".join(path),
                    expected="a type that this library reads",
                )
        self.arrow: pa.Schema = pa.schema(
            [(column["name"], _arrow(column["type"]) or pa.null()) for column in self._columns]
        )
        self._last: tuple[pa.Schema, dict[str, pa.Field], frozenset[str]] | None = None

    def constants(self, add: _Add) -> Mapping[str, pa.Array]:
        """Returns the values of the partition columns in a file; none for one that is not read."""
        return {
            name: pa.array([add.partitions[name]], self.arrow.field(name).type)
            for name in self.partitions
            if self._reads((name,))
        }

    def in_file(self, footer: Footer) -> tuple[Mapping[str, pa.Field], frozenset[str]]:
        """Returns `columns` and `as_in_table` of a `_DataFile`.

        Raises:
            TableFileError: A column of the file cannot be read as the table says.
        """
        # Most files are alike.
        if self._last is None or not self._last[0].equals(footer.schema, check_metadata=True):
            columns, same = {}, set()
            for column, stored in zip(self._columns, self._stored(self._columns, footer.schema)):
                name, wanted = column["name"], self.arrow.field(column["name"]).type
                is_read = any(self._reads(path) for path, _ in _leaves(column))
                if stored is None or name in self.partitions or not is_read:
                    continue
                found, type_ = stored.type, self._type_in_file(column["type"], stored.type)
                if _is_nanoseconds(found) and pa.types.is_timestamp(wanted):
                    type_ = found
                elif not _fits(found, type_):
                    raise _unreadable(footer.path, name, found, wanted)
                columns[name] = pa.field(stored.name, type_)
                if stored.name == name and found == wanted:
                    same.add(name)
            self._last = footer.schema, columns, frozenset(same)
        return self._last[1:]

    def _reads(self, path: Sequence[str]) -> bool:
        """Tells whether a column, or a field of a struct, is read; see `FileTable`."""
        if not self._how.flat:
            return self._how.reads(path[0])
        *around, name = (".".join(path[:length]) for length in range(1, len(path) + 1))
        return self._how.reads(name, *around)

    def _stored(
        self, columns: Sequence[Mapping[str, Any]], found: Iterable[pa.Field]
    ) -> list[pa.Field | None]:
        """Returns what a file has for columns, or for the fields of a struct; None for nothing."""
        fields = list(found)
        by_name = {field.name: field for field in fields}
        by_id = {(field.metadata or {}).get(_ID_IN_FILE): field for field in fields}
        if self._mode == "id" and by_id.keys() != {None}:
            return [by_id.get(str(column["metadata"][_ID]).encode()) for column in columns]
        return [by_name.get(self._physical_name(column)) for column in columns]

    def _physical_name(self, column: Mapping[str, Any]) -> str:
        if self._mode == "none":
            return str(column["name"])
        return str(column["metadata"].get(_PHYSICAL_NAME, column["name"]))

    def _type_in_file(self, type_: Any, found: pa.DataType) -> pa.DataType:
        """Returns the type of the table, with the names that the fields of structs have in a file.

        The names of missing fields are such that none has them.
        """
        if isinstance(type_, str):
            return _arrow(type_)
        if type_["type"] == "struct" and pa.types.is_struct(found):
            known = [each for each in type_["fields"] if _arrow(each["type"]) is not None]
            inner = [found[index] for index in range(found.num_fields)]
            fields = []
            for number, (field, stored) in enumerate(zip(known, self._stored(known, inner))):
                if stored is None:
                    fields.append((f"\0{number}", _arrow(field["type"])))
                else:
                    fields.append((stored.name, self._type_in_file(field["type"], stored.type)))
            return pa.struct(fields)
        if type_["type"] == "array" and is_list(found):
            return pa.list_(self._type_in_file(type_["elementType"], found.value_type))
        if type_["type"] == "map" and pa.types.is_map(found):
            return pa.map_(
                self._type_in_file(type_["keyType"], found.key_type),
                self._type_in_file(type_["valueType"], found.item_type),
            )
        return _arrow(type_)


def _arrow(type_: Any) -> pa.DataType | None:
    """Returns the Arrow type of a type as the log has it; None for one that is not known.

    A struct lacks its fields of unknown types.
    """
    if isinstance(type_, str):
        digits = _DECIMAL.fullmatch(type_)
        return pa.decimal128(*map(int, digits.groups())) if digits else _PRIMITIVE.get(type_)
    if type_["type"] == "struct":
        fields = [(field["name"], _arrow(field["type"])) for field in type_["fields"]]
        return pa.struct([field for field in fields if field[1] is not None])
    inner = [_arrow(type_[key]) for key in ("elementType", "keyType", "valueType") if key in type_]
    if None in inner:
        return None
    return pa.list_(*inner) if type_["type"] == "array" else pa.map_(*inner)


def _leaves(column: Mapping[str, Any], around: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Yields the paths and types, as the log has them, of a column's fields."""
    path, type_ = (*around, column["name"]), column["type"]
    if isinstance(type_, str) or type_["type"] != "struct":
        yield path, type_
        return
    for field in type_["fields"]:
        yield from _leaves(field, path)


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Tells whether values of a type in a file can be converted to a type, as far as types tell."""
    if pa.types.is_struct(found) and pa.types.is_struct(wanted):
        fields = [wanted[index] for index in range(wanted.num_fields)]
        return all(
            _fits(found.field(field.name).type, field.type)
            for field in fields
            if found.get_field_index(field.name) >= 0
        )
    if is_list(found) and is_list(wanted):
        return _fits(found.value_type, wanted.value_type)
    for is_kind in (pa.types.is_integer, pa.types.is_decimal):  # Each value is checked.
        if is_kind(found) and is_kind(wanted):
            return True
    if pa.types.is_timestamp(found) and pa.types.is_timestamp(wanted):
        return not _is_nanoseconds(found)  # Zones are those of the table.
    return wider_type(found, wanted) in (
        wanted,
        *([pa.large_string()] if pa.types.is_string(wanted) else []),
        *([pa.large_binary()] if pa.types.is_binary(wanted) else []),
    )


def _is_nanoseconds(type_: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(type_) and type_.unit == "ns")


def _unreadable(
    path: str, column: str, found: pa.DataType | str, wanted: pa.DataType
) -> TableFileError:
    return TableFileError(
        str(found),
        ("write it again", Remedy(Option.EXCLUDE_COLUMNS, (column,))),
        path=path,
        column=column,
        expected=f"{wanted}, as the table says, or a narrower type",
    )


@dataclasses.dataclass(frozen=True)
class _Add:
    """What the log says of a file.

    Attributes:
        path: The file.
        size: Its bytes.
        rows: Its rows, deleted ones included; None if the log does not say.
        partitions: The values of the partition columns.
        kept: Which rows are not deleted, from the first on; None if all are kept.
    """

    path: str
    size: int
    rows: int | None
    partitions: Mapping[str, Any]
    kept: np.ndarray[Any, Any] | None


def _adds(folder: str, table: Any, of: str) -> list[_Add]:
    """Returns the files of a version in the order in which they were written."""
    with _reading_log(of):
        deleted = _deleted(table)
        actions = table.get_add_actions()
        columns = {
            name: [value.as_py() for value in actions.column(name)]
            for name in ("path", "size_bytes", "modification_time", "num_records", "partition")
            if name in actions.column_names
        }
    count = len(columns["path"])
    rows = columns.get("num_records", [None] * count)
    partitions = columns.get("partition", [{}] * count)
    # The order of the log is another one after a checkpoint.
    order = sorted(
        range(count), key=lambda n: (columns["modification_time"][n], columns["path"][n])
    )
    root, found = table.table_uri.rstrip("/"), []
    for number in order:
        uri = columns["path"][number]
        path = unquote(uri)
        if path.startswith("file:"):
            path = "/" + path[len("file:") :].lstrip("/")
        if not (path.startswith("/") or has_scheme(path)):
            path, uri = f"{folder.rstrip('/')}/{path}", f"{root}/{uri}"
        kept = deleted.pop(uri, None)
        size = columns["size_bytes"][number]
        found.append(_Add(path, size, rows[number], partitions[number], kept))
    if deleted or len({add.path for add in found}) < count:
        what = "deletes rows of another file" if deleted else "names a file twice"
        raise TableFileError(f"its log {what}", ("write it again", "read another version"), path=of)
    return found


def _deleted(table: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Returns which rows are kept, by the addresses of the files of which some are deleted."""
    from arro3.core import list_flatten, list_offsets  # deltalake has it.

    kept: dict[str, np.ndarray[Any, Any]] = {}
    if not _features(table).isdisjoint(_WIDENING) and "deletionVectors" not in _features(table):
        return kept  # There are none, and deltalake refuses to look.
    for batch in table.deletion_vectors():
        lists = batch.column("selection_vector")
        values, ends = np.asarray(list_flatten(lists)), np.asarray(list_offsets(lists))
        for number, uri in enumerate(batch.column("filepath")):
            kept[uri.as_py()] = values[ends[number] - ends[0] : ends[number + 1] - ends[0]]
    return kept


def _kept_rows(
    add: _Add, footer: Footer
) -> tuple[dict[int, np.ndarray[Any, Any]], tuple[RowGroup, ...]]:
    """Returns `kept` of a `_DataFile`, and the row groups with the numbers of their kept rows."""
    if add.kept is None:
        return {}, footer.row_groups
    # The rows after the last deleted one may be left out.
    mask = np.ones(footer.rows, np.bool_)
    mask[: len(add.kept)] = add.kept
    kept, row_groups, start = {}, [], 0
    for group in footer.row_groups:
        total = group.rows or 0
        of_group = mask[start : start + total]
        start += total
        count = int(np.count_nonzero(of_group))
        if count < total:
            kept[group.index] = np.packbits(of_group)
        if count:
            size = group.uncompressed_bytes * count // total
            row_groups.append(RowGroup(group.index, count, size))
    return kept, tuple(row_groups)


def _fingerprint(schema: pa.Schema, adds: Sequence[_Add], footers: Sequence[Footer]) -> str:
    digest = hashlib.sha256(schema_fingerprint(schema).encode())
    digest.update(content_fingerprint(footers).encode())
    for add in adds:
        deleted = b"" if add.kept is None else np.flatnonzero(~add.kept).astype("<i8").tobytes()
        digest.update(repr((sorted(add.partitions.items()), len(deleted))).encode() + deleted)
    return f"delta-v1:{digest.hexdigest()[:32]}"


class _Log:
    """The log of a table, as far as the names of its files tell.

    Args:
        folder: The folder of the table.

    Raises:
        TableFileError: There is none, or it cannot be listed.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._commits: dict[int, pa_fs.FileInfo] = {}
        checkpoints = set()
        for info in _infos(f"{folder.rstrip('/')}/{LOG}"):
            if match := _COMMIT.fullmatch(info.base_name):
                self._commits[int(match[1])] = info
            elif match := _CHECKPOINT.fullmatch(info.base_name):
                checkpoints.add(int(match[1]))
        if not self._commits and not checkpoints:
            files = FilesByScheme()
            found, check = "nothing there", f"check the path{path_hint(folder)}"
            if files.exists(folder):
                found, check = "a folder without one", "check the path"
                found = found if files.is_dir(folder) else "a file"
            raise TableFileError(
                found,
                (check, "read plain files by sources.Files"),
                path=folder,
                expected=f"the folder of a Delta Lake table, which has a folder {LOG} with its log",
            )
        if 0 not in self._commits and not checkpoints:
            raise TableFileError(
                f"version {min(self._commits)}, and no checkpoint",
                f"restore the files of {LOG}",
                path=folder,
                expected="a log that begins with version 0 or a checkpoint",
            )
        self._first = 0 if 0 in self._commits else min(checkpoints)
        self._latest = max([*self._commits, *checkpoints])

    def load(self, config: Delta) -> Any:
        """Returns the version that a description names, as a ``deltalake.DeltaTable``.

        Raises:
            TableFileError: There is none, it cannot be read, or the package is missing.
        """
        version = self._latest if config.version is None else config.version
        if config.timestamp is not None:
            version = self._version_at(config.timestamp)
        if not self._first <= version <= self._latest:
            raise TableFileError(
                f"version {version}",
                "name one of them",
                path=self._folder,
                expected=f"a version from {self._first} to {self._latest}",
            )
        of = f"{self._folder}@v{version}"
        for number, info in self._commits.items():
            if info.size == 0 and number <= version:
                raise TableFileError(
                    "0 bytes", f"restore the files of {LOG}", path=f"{of}: {info.base_name}"
                )
        deltalake = _deltalake(self._folder)
        with _reading_log(of):
            table = deltalake.DeltaTable(
                self._folder, version=version, storage_options=_storage_options(self._folder)
            )
            unknown = sorted(_features(table) - _FEATURES)
        if unknown:
            raise TableFileError(
                f"that it needs {', '.join(unknown)}",
                "write it without them",
                path=of,
                expected=f"a table that needs nothing but {', '.join(sorted(_FEATURES))}",
            )
        return table

    def _version_at(self, text: str) -> int:
        """Returns the last version at or before a time.

        A version's time is that in its commit, if writers note it (``inCommitTimestamp``), else
        that of the file, as Delta Lake defines it.
        """
        moment = moment_of(text)
        versions = sorted(number for number in self._commits if number >= self._first)
        written = [self._commits[number].mtime_ns // 1_000_000 for number in versions]
        # A version is not older than the one before it, whatever clocks say.
        of_file = dict(zip(versions, itertools.accumulate(written, max)))

        def milliseconds(version: int) -> int:
            return self._noted(version) or of_file[version]

        sought = int(moment.timestamp() * 1000)
        number = bisect.bisect_right(versions, sought, key=milliseconds)
        if number and sought <= time.time() * 1000:
            return versions[number - 1]
        said = [
            f"version {version} of {_utc(milliseconds(version))}"
            for version in (versions[:1] + versions[-1:])
        ]
        raise TableFileError(
            text,
            "name a time that has come, and at which there was a version",
            path=self._folder,
            expected=f"a time from that of {' to now; the latest is '.join(dict.fromkeys(said))}"
            if versions
            else "a version with a time, or its number",
        )

    def _noted(self, version: int) -> int | None:
        """Returns the time that a commit notes in its first line, in milliseconds."""
        first = next(iter(self._actions(version)), {})
        noted = first.get("commitInfo", {}).get("inCommitTimestamp")
        return None if noted is None else int(noted)

    def changed_until(self, version: int) -> int:
        """Returns the last version up to one that has other files, columns or rules than before."""
        while version > self._first and version in self._commits:
            if any(not action.keys() <= {"commitInfo", "txn"} for action in self._actions(version)):
                break
            version -= 1
        return version

    def _actions(self, version: int) -> list[dict[str, Any]]:
        path = f"{self._folder.rstrip('/')}/{LOG}/{version:020}.json"
        with _reading_log(f"{self._folder}@v{version}"), FilesByScheme().open(path) as file:
            return [json.loads(line) for line in file.read().splitlines()]


def _features(table: Any) -> set[str]:
    """Returns what a version asks of its readers."""
    return set(table.protocol().reader_features or ())


def _infos(log: str) -> Sequence[pa_fs.FileInfo]:
    """Lists the files of a log."""
    try:
        if has_scheme(log):
            from tfx_wine_ext.files.arrow import ArrowFiles

            return ArrowFiles().infos(log)
        selector = pa_fs.FileSelector(log, allow_not_found=True)
        return list(pa_fs.LocalFileSystem().get_file_info(selector))
    except TfxWineExtError as error:
        raise TableFileError.of(error) from error
    except OSError as error:
        raise TableFileError(
            f"cannot be listed ({error.strerror or one_line(error)})",
            "check that it may be read",
            path=log,
        ) from error


def _deltalake(path: str) -> Any:
    try:
        import deltalake
    except ImportError as error:
        raise TableFileError(
            "that it is missing",
            "pip install 'tfx-wine-ext[delta]'",
            path=path,
            expected="the package deltalake, which reads the log of Delta Lake tables",
        ) from error
    return deltalake


@contextlib.contextmanager
def _reading_log(of: str) -> Iterator[None]:
    """Explains the errors of deltalake."""
    try:
        yield
    except (TfxWineExtError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # A panic of Rust is no Exception.
        # Without colours, and what calls led to it.
        says = re.sub(r"\x1b\[\d+m|↳|\n +0: .*", "", str(error), flags=re.DOTALL)
        says = " ".join(says.split())[:_MOST_OF_A_MESSAGE] or repr(error)
        if re.search("[Uu]nsupported|not supported|atalog-managed", says):
            raise TableFileError(
                f"it needs what deltalake cannot do ({says})",
                ("update deltalake", "write it without the feature"),
                path=of,
            ) from error
        remedies = (f"restore the files of {LOG}", "read another version")
        raise TableFileError(
            f"its log cannot be read ({says})",
            ("run again", "check the store") if isinstance(error, OSError) else remedies,
            path=of,
        ) from error


def _storage_options(path: str) -> dict[str, str]:
    """Returns what deltalake does not find in the environment by itself."""
    if not has_scheme(path):
        return {}
    options = {"timeout": _STORE_SECONDS, "retry_timeout": _STORE_SECONDS, "max_retries": "3"}
    if path.startswith("s3://"):
        of_s3 = s3.settings_for(path)
        options["aws_region"] = of_s3.region or s3.DEFAULT_REGION
        if of_s3.endpoint:
            options["aws_endpoint"] = of_s3.endpoint
            options["aws_allow_http"] = "true"
        if of_s3.is_anonymous:
            options["aws_skip_signature"] = "true"
        options.update(s3.keys_of_profile(path, os.environ))
    else:
        of_gcs = gcs.Settings.of(os.environ)
        if of_gcs.endpoint:
            account = {"gcs_base_url": of_gcs.endpoint, "disable_oauth": True}
            account.update(dict.fromkeys(["client_email", "private_key", "private_key_id"], ""))
            options["google_service_account_key"] = json.dumps(account)
            options["allow_http"] = "true"
        elif of_gcs.is_anonymous:
            options["google_skip_signature"] = "true"
    return options


def _utc(milliseconds: int) -> str:
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.isoformat(sep=" ", timespec="milliseconds")
