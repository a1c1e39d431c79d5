"""Tables of Apache Iceberg, as a source.

pyiceberg finds the table in its catalog and plans the data files of a snapshot; their rows are read
by the library's own Parquet reader, with any version of pyarrow: columns by the ids of their fields
(`field_ids`), and without the rows that are deleted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tfx_wine_ext.columnar.widening import InexactValueError
from tfx_wine_ext.errors import Option, Remedy, TfxWineExtError
from tfx_wine_ext.files.choose import FilesByScheme, absolute, has_scheme
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.masking import SECRET_NAMES
from tfx_wine_ext.sources.configs import (
    SourceConfig,
    SourceConfigError,
    check_no_password,
    moment_of,
    register_source,
)
from tfx_wine_ext.sources.field_ids import (
    Constants,
    Field,
    FieldTypeError,
    Names,
    check_readable,
    fields_of_file,
    missing,
    read_as,
)
from tfx_wine_ext.sources.filters import RowFilter
from tfx_wine_ext.sources.footers import (
    FOOTER_READERS,
    Footer,
    ParquetFileError,
    RowGroup,
    decoding_error,
    read_footer,
)
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.parquet import ParquetSource
from tfx_wine_ext.sources.source import DAMAGED, Part, TableFileError, one_line

if TYPE_CHECKING:
    from pyiceberg.io import FileIO
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask, Table
    from pyiceberg.table.name_mapping import MappedField
    from pyiceberg.table.snapshots import Snapshot
    from pyiceberg.types import NestedField

INSTALL = "pip install 'tfx-wine-ext[iceberg]'"
_CONFIGURED = (
    "configure the catalog in ~/.pyiceberg.yaml or by environment variables "
    "PYICEBERG_CATALOG__NAME__URI and others, where drivers and workers run"
)
# Properties of catalogs that hold secrets, beside those that are named so: headers of requests,
# and settings of authentication.
_SECRET = re.compile(rf"(?i){SECRET_NAMES}|(^|\.)(auth|header)\b|connection[._-]string")
_COMPACT = (
    "rewrite the table's data files (in Spark: CALL system.rewrite_data_files), then run again"
)
_TYPES = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "timestamp_ns": pa.timestamp("ns"),
    "timestamptz_ns": pa.timestamp("ns", "UTC"),
    "string": pa.string(),
    "uuid": pa.binary(16),
    "binary": pa.binary(),
    "unknown": pa.null(),
}


@register_source("iceberg")
@dataclasses.dataclass(frozen=True)
class Iceberg(SourceConfig):
    """A table of Apache Iceberg, in a catalog or by its metadata file.

    The state that a pipeline's driver finds is the one that its executor reads, even if the table
    moves on. Renamed, moved, added, dropped and promoted columns are read by the ids of their
    fields. Rows that position deletes or deletion vectors delete are left out; tables with equality
    deletes, and data files that are not Parquet, are refused.

    Passwords and tokens of the catalog are never part of the description. Each process finds them
    in pyiceberg's own configuration: ``~/.pyiceberg.yaml`` or ``PYICEBERG_CATALOG__NAME__...``.

    Args:
        table: The name of the table with its namespace, ``db.wines``. Or, with a slash, an address
            of a metadata file (``.../metadata/00002-....metadata.json``) or of the folder of a
            table with a ``metadata/version-hint.text``, for which no catalog is asked.
        catalog: The name of the catalog in pyiceberg's configuration. Of a table without a catalog,
            only its settings for file systems are used. Default: ``default``.
        properties: Properties of the catalog, without secrets, on top of that configuration.
            Default: none.
        snapshot_id: The snapshot to read. Default: None, the current one.
        ref: The branch or tag to read, instead of a snapshot.
        timestamp: The time whose state is read, instead of a snapshot: a date, as ``2026-11-26`` or
            ``20261126``; a time of ISO 8601, UTC unless it has another offset; or whole seconds
            since 1970. It may hold placeholders of a span, as in
            ``{YYYY}-{MM}-{DD}``.
        schema_id: The schema by which columns are named and typed. Default: None, that of the
            snapshot if one, a tag or a time is named, and the current one of the table otherwise.

    Raises:
        SourceConfigError: More than one state is named, a value is malformed, or there is a secret.

    Example:
        >>> Iceberg("db.wines", ref="audited").name
        'default.db.wines'
    """

    spanned: ClassVar[Sequence[str]] = ("table", "ref", "timestamp")

    table: str
    catalog: str = "default"
    properties: Mapping[str, str] = dataclasses.field(default_factory=dict)
    snapshot_id: int | None = None
    ref: str | None = None
    timestamp: str | None = None
    schema_id: int | None = None

    def named_code(self) -> Mapping[str, str]:
        """Classes of pyiceberg's catalogs and file systems, which properties may name."""
        return {
            f"properties: {name}": value
            for name, value in self.properties.items()
            if name.endswith("-impl") or name.startswith("auth")
        }

    def __post_init__(self) -> None:
        check_no_password("table", self.table)
        for name, value in self.properties.items():
            if not isinstance(value, str):
                raise SourceConfigError(
                    type(value).__name__, path="properties", column=name, expected="text"
                )
            if _SECRET.search(name):
                raise SourceConfigError(
                    "a secret, which would be recorded", _CONFIGURED, path="properties", column=name
                )
            check_no_password(f"properties: {name}", value)
        states = {"snapshot_id": self.snapshot_id, "ref": self.ref, "timestamp": self.timestamp}
        named = [name for name, value in states.items() if value is not None]
        if len(named) > 1:
            raise SourceConfigError(
                " and ".join(named), path=self.name, expected=f"one of {', '.join(states)}"
            )

        if self.timestamp is not None:
            text = str(self.timestamp)  # YAML makes dates and times of such text.
            object.__setattr__(self, "timestamp", text)
            if not re.search("[{@]", text):
                moment_of(text)

    @property
    def name(self) -> str:
        """The name of the table after that of its catalog, or its address."""
        return self.table if self._has_address else f"{self.catalog}.{self.table}"

    @property
    def _has_address(self) -> bool:
        return "/" in self.table

    def pinned(self) -> Iceberg:
        """Returns a description of the snapshot and the schema that are read now.

        Raises:
            TableFileError: See `open`.
        """
        with self._loaded() as table:
            snapshot = self._snapshot(table)
            return dataclasses.replace(
                self,
                snapshot_id=snapshot.snapshot_id,
                schema_id=self._schema_id(table, snapshot),
                ref=None,
                timestamp=None,
            )

    def open(self, how: Reading) -> IcebergTable:
        """Plans the data files and reads their footers, and the files of deleted positions.

        Raises:
            TableFileError: pyiceberg is missing, the catalog is not configured or cannot be used,
                there is no such table or snapshot or it has no rows; or a file is missing, damaged,
                of another format, or has columns of types that cannot be read as the table's.
        """
        with self._loaded() as table:
            snapshot = self._snapshot(table)
            schema_id = self._schema_id(table, snapshot)
            schema = table.schemas().get(schema_id)
            if schema is None:
                raise TableFileError(
                    f"those with the ids {sorted(table.schemas())}",
                    path=self.name,
                    expected=f"the schema {schema_id}",
                )
            fields = [_field(each) for each in schema.fields]
            tasks = self._tasks(table, snapshot)
            files = _TableFiles(self, table.io)
            deleted = _deleted_rows(tasks, files)
            mapping = table.metadata.name_mapping()
            names = _names(mapping.root) if mapping else None

            def inspected(task: FileScanTask) -> tuple[Footer, _DataFile]:
                footer = _footer(task, files)
                return footer, _DataFile(
                    footer.schema,
                    fields_of_file(footer.schema, names),
                    {**_defaults(schema.fields), **_partition_values(task, table, fields)},
                    (0, *np.cumsum([group.rows for group in footer.row_groups]).tolist()),
                    deleted[task.file.file_path],
                )

            with ThreadPoolExecutor(FOOTER_READERS) as pool:
                found = list(pool.map(inspected, tasks))
            uuid = table.metadata.table_uuid
            fingerprint = f"iceberg-v1:{uuid}:{snapshot.snapshot_id}:{schema_id}"
        return IcebergTable(found, fields, fingerprint, how, files)

    def loaded_io(self) -> FileIO:
        """Returns pyiceberg's access to the files of the table."""
        with self._loaded() as table:
            return table.io

    @contextlib.contextmanager
    def _loaded(self) -> Iterator[Table]:
        """Loads the table, and words what pyiceberg raises, without secrets."""
        try:
            from pyiceberg.catalog import load_catalog
            from pyiceberg.table import StaticTable
            from pyiceberg.utils.config import Config

            # pyiceberg itself reads its configuration once, when it is imported.
            configured = Config().get_catalog_config(self.catalog)
        except ImportError as error:
            raise TableFileError(
                f"no module {error.name}", INSTALL, path=self.name, expected="pyiceberg"
            ) from error
        except Exception as error:
            raise TableFileError(
                f"one that is not ({type(error).__name__})",  # Its message repeats secrets.
                "correct .pyiceberg.yaml, or the environment variables PYICEBERG_...",
                path=self.name,
                expected="a valid configuration of pyiceberg",
            ) from None
        if configured is None and not self.properties and not self._has_address:
            raise TableFileError(
                "none",
                _CONFIGURED.replace("NAME", self.catalog.upper()),
                path=self.name,
                expected=f"the catalog {self.catalog!r} in pyiceberg's configuration",
            )
        # A reader makes no tables in the catalog's database.
        conf = {"init_catalog_tables": "false", **(configured or {}), **self.properties}
        secrets = {*_secrets(conf)}
        with contextlib.ExitStack() as stack:
            try:
                if self._has_address:
                    table: Table = StaticTable.from_metadata(absolute(self.table), cast(Any, conf))
                else:
                    catalog = load_catalog(self.catalog, **cast(Any, conf))
                    stack.callback(catalog.close)
                    table = catalog.load_table(self.table)
                secrets.update(_secrets(table.io.properties))
                yield table
            except TfxWineExtError:
                raise
            except Exception as error:
                raise self._worded(error, secrets) from None  # It may hold secrets.

    def _worded(self, error: Exception, secrets: Iterable[str]) -> TableFileError:
        kind, says = type(error).__name__, one_line(error)
        for secret in sorted(secrets, key=len, reverse=True):
            says = says.replace(secret, "***")
        if "equality deletes" in says:
            return TableFileError(
                "equality deletes", _COMPACT, path=self.name, expected="position deletes only"
            )
        if kind in ("NoSuchTableError", "NoSuchNamespaceError", "NoSuchIdentifierError"):
            return TableFileError(
                f"none ({says})",
                "check the name, and the catalog",
                path=self.name,
                expected=f"a table {self.table!r} in the catalog",
            )
        remedy = _CONFIGURED
        if self._has_address:
            remedy = "check its address"
        elif isinstance(error, FileNotFoundError):
            remedy = "restore the file from a copy"
        return TableFileError(f"cannot be used ({kind}: {says})", remedy, path=self.name)

    def _snapshot(self, table: Table) -> Snapshot:
        """Returns the snapshot that is described."""
        if self.snapshot_id is not None:
            what, found = f"the snapshot {self.snapshot_id}", table.snapshot_by_id(self.snapshot_id)
        elif self.ref is not None:
            what, found = f"a branch or tag {self.ref!r}", table.snapshot_by_name(self.ref)
        elif self.timestamp is not None:
            what = f"a snapshot of {self.timestamp} or before"
            moment = moment_of(self.timestamp)
            found = table.snapshot_as_of_timestamp(int(moment.timestamp() * 1000))
        else:
            what, found = "at least one row", table.current_snapshot()
        if found is not None:
            return found
        snapshots = table.snapshots()
        raise TableFileError(
            f"{len(snapshots)} others, the first of "
            f"{_time(min(snapshot.timestamp_ms for snapshot in snapshots))}"
            if snapshots
            else "none, for nothing was ever written",
            "it may have expired: name another, or run the pipeline again" if snapshots else (),
            path=self.name,
            expected=what,
        )

    def _schema_id(self, table: Table, snapshot: Snapshot) -> int:
        if self.schema_id is not None:
            return self.schema_id
        ref = table.refs().get(self.ref) if self.ref is not None else None
        is_branch = ref is not None and ref.snapshot_ref_type.name == "BRANCH"
        is_current = self.ref is None and self.snapshot_id is None and self.timestamp is None
        if snapshot.schema_id is None or is_branch or is_current:
            return table.schema().schema_id
        return snapshot.schema_id

    def _tasks(self, table: Table, snapshot: Snapshot) -> Sequence[FileScanTask]:
        # By name: the order must not depend on the one who plans.
        tasks = sorted(
            table.scan(snapshot_id=snapshot.snapshot_id).plan_files(),
            key=lambda task: task.file.file_path,
        )
        twice = [a for a, b in zip(tasks, tasks[1:]) if a.file.file_path == b.file.file_path]
        if twice:
            raise TableFileError(
                f"{_local(twice[0].file.file_path)} twice",
                _COMPACT,
                path=self.name,
                expected="each data file once",
            )
        if not tasks:
            raise TableFileError(
                f"none in the snapshot {snapshot.snapshot_id}",
                path=self.name,
                expected="at least one row",
            )
        return tasks


@dataclasses.dataclass(frozen=True)
class _DataFile:
    """What is known of a data file, beside the footer.

    Attributes:
        schema: The columns that it holds.
        found: The same with ids.
        constants: Values of fields that it may lack.
        first_rows: The positions at which its row groups begin, and the number of its rows.
        deleted: The positions of deleted rows, sorted.
    """

    schema: pa.Schema
    found: tuple[Field, ...]
    constants: Constants
    first_rows: tuple[int, ...]
    deleted: npt.NDArray[np.int64]

    def places(self, fields: Sequence[Field]) -> list[int | None]:
        """Returns the position of the column of each field; None if the file lacks it."""
        places = {field.id: place for place, field in enumerate(self.found)}
        return [places.get(field.id) for field in fields]

    def kept(self, row_groups: Sequence[RowGroup]) -> tuple[RowGroup, ...]:
        """Returns the row groups with the numbers of rows that are not deleted."""
        deleted = np.diff(np.searchsorted(self.deleted, self.first_rows))
        return tuple(
            dataclasses.replace(group, rows=(group.rows or 0) - int(count))
            for group, count in zip(row_groups, deleted)
        )

    def kept_rows(self, first: int, rows: int) -> npt.NDArray[np.bool_] | None:
        """Returns which rows from a position on are not deleted; None: all."""
        start, end = np.searchsorted(self.deleted, (first, first + rows))
        if start == end:
            return None
        kept = np.ones(rows, np.bool_)
        kept[self.deleted[start:end] - first] = False
        return kept

    def check(self, path: str, fields: Sequence[Field]) -> None:
        """Checks that fields of the table can be read from the file.

        Raises:
            TableFileError: One cannot.
        """
        for field, place in zip(fields, self.places(fields)):
            if place is None:
                continue
            name = self.found[place].name
            try:
                if self.schema.names.count(name) > 1:  # It is read by its name.
                    raise FieldTypeError(
                        f"{name!r} twice", column=field.name, expected="one column"
                    )
                check_readable(self.found[place], field)
            except FieldTypeError as error:
                leave_out = Remedy(Option.EXCLUDE_COLUMNS, (field.name,))
                raise TableFileError.of(error, path=path, remedies=(_COMPACT, leave_out)) from error

    def read_as(
        self, path: str, batch: pa.RecordBatch, fields: Sequence[Field], columns: pa.Schema
    ) -> pa.RecordBatch:
        """Converts a batch with the columns of `places` to the fields of the table.

        Raises:
            TableFileError: A value does not fit the type of the table.
        """
        arrays: list[pa.Array] = []
        in_file = iter(batch.columns)
        for field, place in zip(fields, self.places(fields)):
            if place is None:
                arrays.append(missing(field, batch.num_rows, self.constants))
                continue
            try:
                arrays.append(read_as(next(in_file), self.found[place], field, self.constants))
            except (InexactValueError, pa.ArrowInvalid) as error:
                raise TableFileError(
                    one_line(error),
                    Remedy(Option.EXCLUDE_COLUMNS, (field.name,)),
                    path=path,
                    column=field.name,
                    expected=f"values of {field.type}, the type in the table",
                ) from error
        return pa.RecordBatch.from_arrays(arrays, schema=columns) if arrays else batch


class _TableFiles(FilesByScheme):
    """Opens local files as always, and others by pyiceberg, with the catalog's settings and rights.

    Secrets are not pickled: another process asks its catalog again.
    """

    def __init__(self, config: Iceberg, io: Any) -> None:
        self._config, self._io = config, io

    def __getstate__(self) -> dict[str, Any]:
        return {"_config": self._config, "_io": None}

    def open(self, path: str) -> BinaryIO:
        """Opens a file for reading; seekable."""
        try:
            if not has_scheme(path):
                return super().open(path)
            if self._io is None:
                self._io = self._config.loaded_io()
            return cast(BinaryIO, self._io.new_input(path).open())
        except FileNotFoundError as error:
            raise TableFileError(
                "nothing there",
                "its snapshot may have expired: run again, or keep snapshots for longer",
                path=path,
                expected="a file of the table",
            ) from error


class IcebergTable(ParquetSource):
    """The Parquet files of one snapshot; `Iceberg.open` makes it.

    Args:
        found: The footers of the files as they are, and what is known of them beside, at least one.
        fields: The columns of the table.
        fingerprint: What `fingerprint` returns.
        how: How the table is read.
        files: The file system of the files.

    Raises:
        TableFileError: A column that is read has a type in a file that cannot be read as the
            table's.
    """

    kind = "iceberg"

    def __init__(
        self,
        found: Sequence[tuple[Footer, _DataFile]],
        fields: Sequence[Field],
        fingerprint: str,
        how: Reading,
        files: Files,
    ) -> None:
        schema = pa.schema([(field.name, field.type) for field in fields])
        footers = [
            dataclasses.replace(footer, schema=schema, row_groups=file.kept(footer.row_groups))
            for footer, file in found
        ]
        super().__init__(footers, how.reads, flat=how.flat, files=files)
        self._data_files = {footer.path: file for footer, file in found}
        self._fields = {field.name: field for field in fields}
        self._fingerprint = fingerprint
        for footer in footers:
            read = self._columns_of(footer, self.schema)
            self._data_files[footer.path].check(footer.path, self._fields_of(read.names))

    def fingerprint(self) -> str:
        """Returns the table's UUID and the ids of the snapshot and of the schema."""
        return self._fingerprint

    def select(self, parts: Sequence[Part]) -> IcebergTable:
        """Returns a source of these row groups only; see `TableSource`."""
        selected = super().select(parts)
        selected._data_files = {path: self._data_files[path] for path in selected.paths}
        return selected

    def rows_of(
        self, footer: Footer, columns: pa.Schema, rows: int
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Reads row groups of a file, without the deleted rows."""
        file, fields = self._data_files[footer.path], self._fields_of(columns.names)
        in_file = [file.schema.field(at) for at in file.places(fields) if at is not None]
        reading = self._read(footer, pa.schema(in_file), rows)
        current, done = -1, 0
        with contextlib.closing(reading):
            for index, batch in reading:
                current, done = index, done if index == current else 0
                kept = file.kept_rows(file.first_rows[index] + done, batch.num_rows)
                done += batch.num_rows
                if kept is not None:
                    batch = batch.filter(pa.array(kept))
                if batch.num_rows:
                    yield index, file.read_as(footer.path, batch, fields, columns)
                del batch  # Before the next one is read.

    def _fields_of(self, names: Iterable[str]) -> list[Field]:
        return [self._fields[name] for name in names]

    def _kept_row_groups(self, footer: Footer, row_filter: RowFilter | None) -> Sequence[RowGroup]:
        """Returns the row groups of a file that a filter does not exclude."""
        if row_filter is None:
            return footer.row_groups
        file = self._data_files[footer.path]
        fields = self._fields_of(row_filter.columns)
        for field, place in zip(fields, file.places(fields)):
            found = None if place is None else file.found[place]
            # Its statistics are of its own names and types.
            if found is None or (found.name, found.type) != (field.name, field.type):
                return footer.row_groups
        return super()._kept_row_groups(footer, row_filter)


def _secrets(properties: Mapping[str, Any], is_secret: bool = False) -> Iterator[str]:
    """Yields the values of the properties of a catalog that are secrets, at any depth."""
    for name, value in properties.items():
        secret = is_secret or bool(_SECRET.search(name))
        if isinstance(value, Mapping):
            yield from _secrets(value, secret)
        elif secret and len(str(value)) > 2:  # Not true or 1, which are in any message.
            yield str(value)


def _time(milliseconds: int) -> str:
    time = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return time.isoformat(timespec="seconds")


def _local(path: str) -> str:
    """Returns the path of a local file without its scheme, of which tables have three forms."""
    return absolute(re.sub("^file:(//)?(?=/)", "", path))


def _field(field: NestedField) -> Field:
    """Returns a field of a schema of Iceberg's."""
    return _field_of(field.field_id, field.name, field.field_type)


def _field_of(id_: int, name: str, type_: Any) -> Field:
    fixed = re.fullmatch(r"fixed\[(\d+)\]", str(type_))
    decimal = re.fullmatch(r"decimal\((\d+), *(\d+)\)", str(type_))
    if type_.is_struct:
        children = tuple(map(_field, type_.fields))
        return Field(id_, name, pa.struct([(each.name, each.type) for each in children]), children)
    if hasattr(type_, "element_id"):
        element = _field_of(type_.element_id, "element", type_.element_type)
        return Field(id_, name, pa.list_(element.type), (element,))
    if hasattr(type_, "key_id"):
        key = _field_of(type_.key_id, "key", type_.key_type)
        value = _field_of(type_.value_id, "value", type_.value_type)
        return Field(id_, name, pa.map_(key.type, value.type), (key, value))
    if fixed:
        return Field(id_, name, pa.binary(int(fixed[1])))
    if decimal:
        return Field(id_, name, pa.decimal128(int(decimal[1]), int(decimal[2])))
    if str(type_).startswith("geo"):
        return Field(id_, name, pa.binary())  # Geometries are bytes, as in files.
    if str(type_) not in _TYPES:
        raise TableFileError(str(type_), column=name, expected="a type that Arrow has, too")
    return Field(id_, name, _TYPES[str(type_)])


def _defaults(fields: Iterable[NestedField]) -> Constants:
    """Returns the values of fields in files that are older than the fields."""
    constants: dict[int | None, pa.Array] = {}
    for field in fields:
        if field.initial_default is not None:
            constants[field.field_id] = _constant(field.initial_default, _field(field).type)
        within: Any = field.field_type
        if within.is_struct:
            constants.update(_defaults(within.fields))
    return constants


def _partition_values(task: FileScanTask, table: Table, fields: Sequence[Field]) -> Constants:
    """Returns the values by which rows are in a file: it need not hold these columns itself."""
    types = {each.id: each.type for field in fields for each in field.all()}
    return {
        part.source_id: _constant(task.file.partition[place], types[part.source_id])
        for place, part in enumerate(table.specs()[task.file.spec_id].fields)
        if str(part.transform) == "identity" and part.source_id in types
    }


def _constant(value: Any, type_: pa.DataType) -> pa.Array:
    return pa.array([value.bytes if isinstance(value, UUID) else value], type_)


def _names(fields: Iterable[MappedField]) -> Names:
    return {
        name: (field.field_id, _names(field.fields)) for field in fields for name in field.names
    }


def _footer(task: FileScanTask, files: Files) -> Footer:
    """Reads the footer of a data file, and checks that it is the file that the table knows."""
    path, expected = _local(task.file.file_path), task.file.record_count
    if task.file.file_format.name != "PARQUET":
        found = task.file.file_format.name
        raise TableFileError(found, _COMPACT, path=path, expected="a Parquet file")
    footer = read_footer(path, files)
    if footer.rows != expected:
        raise ParquetFileError(
            path,
            f"{footer.rows} rows",
            "restore the file: this is not the one that the table wrote",
            "changed",
            expected=f"{expected} rows, as the table says",
        )
    return footer


def _deleted_rows(
    tasks: Sequence[FileScanTask], files: Files
) -> Mapping[str, npt.NDArray[np.int64]]:
    """Returns the sorted positions of the deleted rows of each data file."""
    # Not entries: some of one file count as equal. Each holds the positions for several data files.
    by_path = {delete.file_path: delete for task in tasks for delete in task.delete_files}
    with ThreadPoolExecutor(FOOTER_READERS) as pool:
        read = pool.map(lambda delete: _positions(delete, files), by_path.values())
        positions = dict(zip(by_path, read))
    none = np.empty(0, np.int64)
    return {
        task.file.file_path: np.unique(
            np.concatenate(
                [none]
                + [
                    positions[delete.file_path].get(task.file.file_path, none)
                    for delete in task.delete_files
                ]
            )
        )
        for task in tasks
    }


def _positions(delete: DataFile, files: Files) -> Mapping[str, npt.NDArray[np.int64]]:
    """Reads a file of position deletes, or of deletion vectors.

    Returns:
        The positions of deleted rows by data file.
    """
    path, kind = _local(delete.file_path), delete.file_format.name
    if delete.content.name != "POSITION_DELETES" or kind not in ("PARQUET", "PUFFIN"):
        raise TableFileError(
            f"{delete.content.name.lower().replace('_', ' ')} in {kind}",
            _COMPACT,
            path=path,
            expected="position deletes in Parquet, or deletion vectors in Puffin",
        )
    try:
        with files.open(path) as stream:
            if kind == "PUFFIN":
                from pyiceberg.table.deletion_vector import deletion_vectors_from_puffin_file
                from pyiceberg.table.puffin import PuffinFile

                return {
                    vector.referenced_data_file: vector.to_vector().to_numpy().astype(np.int64)
                    for vector in deletion_vectors_from_puffin_file(PuffinFile(stream.read()))
                }
            table = pq.ParquetFile(stream).read(["file_path", "pos"]).combine_chunks()
        if not table.num_rows:
            return {}
        paths = table["file_path"].chunk(0).dictionary_encode()
        index = paths.indices.to_numpy()
        ends = np.cumsum(np.bincount(index))
        pieces = np.split(table["pos"].to_numpy()[np.argsort(index, kind="stable")], ends[:-1])
        return dict(zip(paths.dictionary.to_pylist(), pieces))
    except TfxWineExtError:
        raise
    except Exception as error:
        raise decoding_error(
            path, "its deleted positions cannot be read", error, DAMAGED
        ) from error
