"""What each kind of database needs: types, one state for several readers, a fingerprint."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc

from tfx_wine_ext.columnar.arrow_types import is_list
from tfx_wine_ext.sources.secrets import secret
from tfx_wine_ext.sources.source import TableFileError
from tfx_wine_ext.sources.sql_session import Session, library_of, needed
from tfx_wine_ext.sources.sql_text import INNER, inner, quoted, within


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a query.

    Attributes:
        name: Its name.
        type: The Arrow type of its values as they are read.
        sql: How it is selected from the inner query; "" by the name alone.
        problem: Why it cannot become a feature, and what to write in the query; "" if it can.
    """

    name: str
    type: pa.DataType
    sql: str = ""
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Ranges:
    """How a query is cut by the values of a column.

    Attributes:
        column: The column.
        type: Its type, as SQL.
        bounds: Where the second range and those after it begin, as text.
        rows: The rows of each range by its number, from 0 on; those without a value have the
            number `nulls`.
        width: Bytes of a row, about.
    """

    column: str
    type: str
    bounds: tuple[str, ...]
    rows: Mapping[int, int]
    width: float

    @property
    def nulls(self) -> int:
        """The number of the range of rows without a value."""
        return len(self.bounds) + 1


@dataclasses.dataclass(frozen=True)
class Database:
    """A database behind an ADBC driver of which nothing else is known: the base of those that are.

    All columns of the query are read, since names have another form in some databases, and in one
    part. There is no fingerprint but that of a query of the user.

    Args:
        uri: The address.
        credentials: The reference to the password. Default: None.
        driver: The driver; see `library_of`.
        options: More options of the driver.
        secret_option: The option of the driver that takes the password.
    """

    uri: str
    credentials: str | None = None
    driver: str = ""
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    secret_option: str = "password"
    has_ranges: ClassVar[bool] = False
    folds_case: ClassVar[bool] = False
    # Beyond them, dates in days and timestamps in their unit are infinite.
    limits: ClassVar[Sequence[tuple[int, int]]] = ((-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1))

    @property
    def name(self) -> str:
        """The address without parameters."""
        return self.uri.partition("?")[0]

    def absolute(self) -> Database:
        """Returns a database whose address means the same to a process in another folder."""
        return self

    def repeated(self, names: Sequence[str]) -> list[str]:
        """Returns the names that the database cannot tell from others."""
        same = Counter(name.lower() if self.folds_case else name for name in names)
        return [name for name in names if same[name.lower() if self.folds_case else name] > 1]

    @contextlib.contextmanager
    def session(self, snapshot: str | None = None) -> Iterator[Session]:
        """Connects, and begins a transaction that only reads.

        Args:
            snapshot: What `export` returned in another process. Default: None, the state of now.
        """
        password = secret(self.credentials, self.name) if self.credentials else None
        session = self._connected(password)
        try:
            self._begin(session, snapshot)
            yield session
        finally:
            session.close()

    def export(self, session: Session) -> str | None:
        """Returns a name of the state that a session reads, for other processes; None if none."""
        return None

    def columns(self, session: Session, query: str) -> list[Column]:
        """Returns the columns of a query; they may have the same name."""
        schema = session.schema(within(query, "*", "WHERE 1 = 0"))
        return [_known(Column(each.name, each.type), each) for each in schema]

    def fingerprint(self, session: Session, query: str, columns: Sequence[Column]) -> str:
        """Returns text that is computed from all rows of a query; "" if there is no way."""
        return ""

    def ranges(self, session: Session, query: str, column: str, parts: int | None) -> Ranges:
        """Cuts a query by the values of a column."""
        raise NotImplementedError

    def in_range(self, session: Session, ranges: Ranges, index: int) -> str:
        """Returns the condition for the rows of a range in this session."""
        raise NotImplementedError

    def select(self, query: str, columns: Sequence[Column], condition: str = "") -> str:
        """Returns the query that reads columns of another, and maybe more columns."""
        return within(query, "*", condition)

    def batches(
        self, session: Session, query: str, columns: Sequence[Column], condition: str = ""
    ) -> Iterator[pa.RecordBatch]:
        """Yields rows with some columns; first an empty batch with their types."""
        yield from session.batches(self.select(query, columns, condition))

    def _connected(self, password: str | None) -> Session:
        options = {**self.options, "uri": self.uri}
        if password is not None:
            options[self.secret_option] = password
        library = library_of(self.driver, self.name)
        return Session(self.name, library, options, [password] if password else ())

    def _begin(self, session: Session, snapshot: str | None) -> None:
        session.set_option(**{"adbc.connection.readonly": "true"})


def _known(column: Column, field: pa.Field) -> Column:
    """Marks a column whose type the driver does not explain, if it is one."""
    metadata = field.metadata or {}
    opaque = "arrow.opaque" in str(field.type) or (
        metadata.get(b"ARROW:extension:name") == b"arrow.opaque"
    )
    if not opaque or column.problem:
        return column
    told = re.search(r'type_name"?[=:] ?"?([^",\]]*)', str(field.type)) or re.search(
        r'type_name"?[=:] ?"?([^",\]]*)',
        metadata.get(b"ARROW:extension:metadata", b"").decode(errors="replace"),
    )
    return dataclasses.replace(column, problem=_write(column.name, told[1] if told else "opaque"))


def _write(name: str, type_: str, cast: str = "CAST({} AS text)") -> str:
    """Says that a type has no form as a feature, and what to write in the query."""
    return f"{type_} has no form as a feature; write {cast.format(quoted(name))} in the query"


class Named(Database):
    """A database in which names are written as the standard says."""

    def select(self, query: str, columns: Sequence[Column], condition: str = "") -> str:
        """Returns the query that reads columns of another."""
        return within(query, ", ".join(self._selected(columns)) or "1", condition)

    @staticmethod
    def _selected(columns: Sequence[Column]) -> list[str]:
        return [f"{each.sql or inner(each.name)} AS {quoted(each.name)}" for each in columns]


# What PostgreSQL's driver returns as bytes that mean nothing here, or with an unknown type.
_AS_TEXT = ("enum", "uuid", "json", "jsonb", "xml", "inet", "cidr", "macaddr", "bit", "varbit")
_POSTGRES_CASTS: Mapping[str, Sequence[str]] = {
    "numeric": ["float8"],
    "money": ["numeric", "float8"],
    "oid": ["int8"],  # The driver's int32 does not hold all of them.
    **{name: ["text"] for name in _AS_TEXT},
}
_POSTGRES_AS_IT_IS = (
    *("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar", "name"),
    *("char", "bytea", "date", "time", "timestamp", "timestamptz", "unknown"),
)
_POSTGRES_ADVICE = {"interval": "extract(epoch FROM {})::float8", "timetz": "{}::time"}
_POSTGRES_SETTINGS = {
    # A scan begins at the beginning.
    "synchronize_seqscans": "off",
    # The connection waits while workers read.
    "idle_in_transaction_session_timeout": "0",
    # Values have one form as text, in bounds of ranges and in the fingerprint.
    "bytea_output": "hex",
    "DateStyle": "ISO",
    "extra_float_digits": "1",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
}
# Rows come in the order of the query, in each run.
_POSTGRES_ORDER = {"max_parallel_workers_per_gather": "0"}
_POSTGRES_PARAMETERS = {
    "connect_timeout": "10",
    # A server that is gone without a word is missed after 30 s.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "application_name": "tfx_wine_ext",
}


class PostgreSQL(Named):
    """PostgreSQL: ranges of a column in one snapshot, and a checksum that the server computes."""

    has_ranges = True
    # The year 4713 BC is the first. The driver moves the infinite ones before it.
    limits = ((-2_440_588, 2**31 - 1), (-210_866_803_200_000_000, 2**63 - 1))

    def export(self, session: Session) -> str:
        """Exports the snapshot of a session, which must stay open while others use it."""
        [(name,)] = session.rows("SELECT pg_export_snapshot()")
        return str(name)

    def columns(self, session: Session, query: str) -> list[Column]:
        """Returns the columns; those of types that the driver does not explain are cast."""
        schema = session.schema(within(query, "*", "WHERE false"))
        if self.repeated(schema.names) or not schema.names:
            return [Column(each.name, each.type) for each in schema]
        found = self._types_of(session, query, schema.names)
        known: dict[int, tuple[str, bool]] = {}
        columns = [
            self._column(field.name, *self._type(session, oid, known))
            for field, oid in zip(schema, found)
        ]
        # The driver knows the Arrow types of what is cast.
        read = session.schema(self.select(query, columns, "WHERE false"))
        return [dataclasses.replace(each, type=field.type) for each, field in zip(columns, read)]

    def fingerprint(self, session: Session, query: str, columns: Sequence[Column]) -> str:
        """Returns the number of rows and the sum of 64-bit hashes of their text."""
        hashed = f'sum(hashtextextended({INNER}::text COLLATE "C", 0))::text'
        [(rows, total)] = session.rows(within(query, f"count(*), {hashed}"))
        return f"{rows} {total}"

    def batches(
        self, session: Session, query: str, columns: Sequence[Column], condition: str = ""
    ) -> Iterator[pa.RecordBatch]:
        """Yields rows, in the same order whenever the database has the same state."""
        self._set(session, _POSTGRES_ORDER)
        yield from super().batches(session, query, columns, condition)

    def ranges(self, session: Session, query: str, column: str, parts: int | None) -> Ranges:
        """Cuts a query by quantiles of a column, so that ranges have about the same rows.

        Args:
            session: The connection.
            query: The query.
            column: A column of it that has an order.
            parts: How many ranges. Default: None, as many as have `RANGE_BYTES` each.
        """
        sample = within(query, "*", "LIMIT 1000")
        [(width,)] = session.rows(within(sample, f"avg(octet_length({INNER}::text))::float8"))
        width = width or 1.0
        if parts is None:
            [(rows,)] = session.rows(within(query, "count(*)"))
            parts = max(1, min(MOST_RANGES, round(rows * width / RANGE_BYTES)))
        name = inner(column)
        [oid] = self._types_of(session, query, [column])
        [(type_,)] = session.rows(
            "SELECT quote_ident(nspname) || '.' || quote_ident(typname) FROM pg_catalog.pg_type t "
            f"JOIN pg_catalog.pg_namespace n ON n.oid = typnamespace WHERE t.oid = {int(oid)}"
        )
        shares = f"(SELECT array_agg(n::float8 / {parts}) FROM generate_series(1, {parts - 1}) n)"
        quantiles = f"percentile_disc({shares}) WITHIN GROUP (ORDER BY {name})"
        bounds: list[str] = []
        if parts > 1:
            [(found,)] = session.rows(f"SELECT ({within(query, quantiles)})::text[]")
            bounds = [each for each in dict.fromkeys(found or ()) if each is not None]
        self.set_bounds(session, json_array(bounds))
        texts = "json_array_elements_text(current_setting('tfx_wine_ext.low')::json)"
        array = f"(SELECT array_agg(b::{type_} ORDER BY n) FROM {texts} WITH ORDINALITY u(b, n))"
        number = (
            f"width_bucket({name}, {array})"
            if bounds
            else f"CASE WHEN {name} IS NOT NULL THEN 0 END"
        )
        counted = session.rows(within(query, f"{number}, count(*)", "GROUP BY 1"))
        nulls = len(bounds) + 1
        rows_of = {nulls if each is None else each: rows for each, rows in counted}
        return Ranges(column, type_, tuple(bounds), dict(sorted(rows_of.items())), width)

    def in_range(self, session: Session, ranges: Ranges, index: int) -> str:
        """Returns the condition of a range, whose bounds become settings of the session."""
        name, bounds = inner(ranges.column), ranges.bounds
        if index == ranges.nulls:
            return f"WHERE {name} IS NULL"
        low = bounds[index - 1] if index else ""
        high = bounds[index] if index < len(bounds) else ""
        self.set_bounds(session, low, high)
        # In a query of its own it is computed once, and not for each row.
        value = f"(SELECT current_setting('tfx_wine_ext.{{}}')::{ranges.type})"
        conditions = [f"{name} >= {value.format('low')}"] if index else []
        if index < len(bounds):
            conditions.append(f"{name} < {value.format('high')}")
        return f"WHERE {' AND '.join(conditions) or f'{name} IS NOT NULL'}"

    @staticmethod
    def set_bounds(session: Session, low: str, high: str = "") -> None:
        """Sets what conditions compare with: values of the data, which are no part of the SQL."""
        session.rows(
            "SELECT set_config('tfx_wine_ext.low', $1, true), "
            "set_config('tfx_wine_ext.high', $2, true)",
            low,
            high,
        )

    @staticmethod
    def _types_of(session: Session, query: str, names: Sequence[str]) -> tuple[int, ...]:
        """Returns the numbers of the types of columns, whether there are rows or not."""
        oids = ", ".join(f"pg_typeof({inner(name)})::oid::int8" for name in names)
        nothing = within(query, "*", "LIMIT 0")
        one = f"(SELECT 1) one LEFT JOIN ({nothing}) {INNER} ON true"
        [found] = session.rows(f"SELECT {oids} FROM {one}")
        return found

    @staticmethod
    def _column(name: str, type_: str, is_array: bool) -> Column:
        casts = _POSTGRES_CASTS.get(type_, ())
        problem = ""
        if not casts and type_ not in _POSTGRES_AS_IT_IS:
            advice = "{}::text[]" if is_array else _POSTGRES_ADVICE.get(type_, "{}::text")
            problem = _write(name, type_ + "[]" * is_array, advice)
        sql = inner(name) + "".join(f"::{each}{'[]' * is_array}" for each in casts)
        if is_array and not problem:
            # The driver would make one list of all dimensions. The error is of the text, which is
            # no array.
            array, element = inner(name), quoted((casts or [type_])[-1])
            of_column = f"several dimensions of column {name}".replace("'", "''")
            text = f"array_dims({array}) || ' are {of_column}'"
            nothing = f"({text})::text[]::pg_catalog.{element}[]"
            sql = f"CASE WHEN array_ndims({array}) > 1 THEN {nothing} ELSE {sql} END"
        return Column(name, pa.null(), sql, problem)

    def _type(
        self, session: Session, oid: int, known: dict[int, tuple[str, bool]]
    ) -> tuple[str, bool]:
        """Returns the name of a type below domains, and whether it is an array of it."""
        if oid not in known:
            [(name, is_own, kind, base, element)] = session.rows(
                "SELECT typname::text, typnamespace = 'pg_catalog'::regnamespace, typtype::text, "
                "typbasetype::int8, CASE WHEN typcategory = 'A' THEN typelem::int8 ELSE 0 END "
                f"FROM pg_catalog.pg_type WHERE oid = {int(oid)}"
            )
            if kind == "d":
                known[oid] = self._type(session, base, known)
            elif element:
                inner, is_nested = self._type(session, element, known)
                known[oid] = (f"{inner}[]" if is_nested else inner, True)
            elif kind == "e":
                known[oid] = "enum", False
            else:
                # A type of an extension may have the name of PostgreSQL's own.
                known[oid] = name if is_own else f"the type {name}", False
        return known[oid]

    def _connected(self, password: str | None) -> Session:
        names = re.findall(r"[?&]([^=&]+)=", self.uri)
        parameters = {k: v for k, v in _POSTGRES_PARAMETERS.items() if k not in names}
        parameters["client_encoding"] = "UTF8"  # Of two, the last one holds.
        secrets = [each for each in (password, os.environ.get("PGPASSWORD")) if each]
        if password is not None:
            parameters["password"] = password
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
        uri = f"{self.uri}{'&' if '?' in self.uri else '?'}{text}"
        library = library_of("adbc_driver_postgresql", self.name)
        return Session(self.name, library, {"uri": uri}, secrets)

    def _begin(self, session: Session, snapshot: str | None) -> None:
        session.rows("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if snapshot is not None:
            if not re.fullmatch(r"[0-9A-Fa-f-]+", snapshot):
                raise ValueError(snapshot)
            try:
                session.rows(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            except TableFileError as error:
                raise TableFileError(
                    f"that it is gone ({error.found})",
                    "run again; see the server's log for why it ended",
                    path=self.name,
                    expected="the session that holds the snapshot of this run",
                ) from None
        self._set(session, _POSTGRES_SETTINGS)

    @staticmethod
    def _set(session: Session, settings: Mapping[str, str]) -> None:
        calls = (f"set_config('{name}', '{value}', true)" for name, value in settings.items())
        session.rows(f"SELECT {', '.join(calls)}")


RANGE_BYTES = 64 * 1024 * 1024
MOST_RANGES = 1000


def json_array(texts: Sequence[str]) -> str:
    """Returns texts as JSON."""
    return json.dumps(list(texts), ensure_ascii=False)


class File(Named):
    """A database in a file on this machine's disks; the path follows ``scheme:///``."""

    folds_case = True

    @property
    def path(self) -> str:
        """The path of the file, absolute."""
        after = unquote(self.uri.partition("://")[2]).removeprefix("/")
        return os.path.abspath(after)

    def absolute(self) -> Database:
        """Returns the database with an absolute path."""
        scheme = self.uri.partition(":")[0]
        return dataclasses.replace(self, uri=f"{scheme}:///{quote(self.path)}")

    def _connected(self, password: str | None) -> Session:
        if not os.path.isfile(self.path):
            raise TableFileError(
                "none", f"check the path {self.path}", path=self.name, expected="a database's file"
            )
        return self._opened()

    def _opened(self) -> Session:
        raise NotImplementedError


# What the SQLite driver makes a column of this type from, and its Arrow type.
_SQLITE_TYPES = {
    "integer": ("0", pa.int64()),
    "real": ("0.0", pa.float64()),
    "text": ("''", pa.string()),
    "blob": ("x''", pa.binary()),
}
# Columns whose values are inspected by one query.
_SQLITE_COLUMNS = 500


class SQLite(File):
    """SQLite, in which each value has a type of its own: all rows are looked at for the types."""

    def columns(self, session: Session, query: str) -> list[Column]:
        """Returns the columns with the types of all their values."""
        session.schema(within(query, "*", "WHERE 0"))  # Refuses what is no query.
        names = session.schema(query).names  # Within another, they would be made unique.
        if self.repeated(names):
            return [Column(name, pa.null()) for name in names]
        columns: list[Column] = []
        for start in range(0, len(names), _SQLITE_COLUMNS):
            some = names[start : start + _SQLITE_COLUMNS]
            asked = [
                f"group_concat(DISTINCT typeof({inner(name)})), "
                f"sum(typeof({inner(name)}) = 'integer' AND "
                f"{inner(name)} NOT BETWEEN -9007199254740992 AND 9007199254740992)"
                for name in some
            ]
            [found] = session.rows(within(query, ", ".join(asked)))
            for name, types, large in zip(some, found[::2], found[1::2]):
                present = {each for each in (types or "").split(",") if each} - {"null"}
                columns.append(self._column(session, query, name, present, bool(large)))
        return columns

    def fingerprint(self, session: Session, query: str, columns: Sequence[Column]) -> str:
        """Returns a digest of all rows, in their order."""
        digest = hashlib.sha256()
        for batch in self.batches(session, query, columns):
            digest.update(batch.serialize())
        return digest.hexdigest()

    def batches(
        self, session: Session, query: str, columns: Sequence[Column], condition: str = ""
    ) -> Iterator[pa.RecordBatch]:
        """Yields rows; the driver takes the types of the first row, which is none of them."""
        # Of a column without any value, the driver says that it is of integers.
        types = [pa.int64() if pa.types.is_null(each.type) else each.type for each in columns]
        zeros = {type_: zero for zero, type_ in _SQLITE_TYPES.values()}
        first = ", ".join(
            f"{zeros[type_]} AS {quoted(each.name)}" for each, type_ in zip(columns, types)
        )
        all_ = f"SELECT {first or '0'} UNION ALL {self.select(query, columns, condition)}"
        stream = session.batches(all_)
        skipped = False
        for batch in stream:
            if batch.num_rows and not skipped:
                batch, skipped = batch.slice(1), True
            arrays = [
                pa.nulls(batch.num_rows)
                if pa.types.is_null(each.type) and values.null_count == len(values)
                else values
                for each, values in zip(columns, batch.columns)
            ]
            if arrays:
                batch = pa.RecordBatch.from_arrays(arrays, [each.name for each in columns])
            yield batch
            del batch

    def _column(
        self, session: Session, query: str, name: str, present: set[str], large: bool
    ) -> Column:
        if not present:
            return Column(name, pa.null())
        if present == {"integer", "real"} and not large:
            return Column(name, pa.float64(), f"CAST({inner(name)} AS REAL)")
        if len(present) == 1:
            [one] = present
            return Column(name, _SQLITE_TYPES[one][1])
        numbered = within(query, f"row_number() OVER () AS n, {inner(name)} AS c")
        types = session.rows(
            within(numbered, "typeof(c), count(*), min(n)", "WHERE c IS NOT NULL GROUP BY 1")
        )
        types.sort(key=lambda each: -each[1])
        (most, *_), (other, _, row) = types[:2]
        problem = (
            f"{other} in row {row}, {most} in most others; write CAST({quoted(name)} AS TEXT) or "
            "another type in the query"
        )
        # For the fingerprint: text that tells the types apart.
        return Column(name, pa.string(), f"quote({inner(name)})", problem)

    def _opened(self) -> Session:
        options = {"uri": f"file:{quote(self.path)}?mode=ro"}
        return Session(self.name, library_of("adbc_driver_sqlite", self.name), options)

    def _begin(self, session: Session, snapshot: str | None) -> None:
        """Nothing: the driver has begun a transaction, and the file is opened to be read only."""


# Types that arrive as bytes, as other numbers, or without their zone, also within another type,
# where the name of a field is followed by a space.
_DUCKDB_ADVICE = {"BIT": "VARCHAR", "UHUGEINT": "DOUBLE", "TIME WITH TIME ZONE": "TIME"}
_DUCKDB_REFUSED = re.compile(rf"\b(?:{'|'.join(_DUCKDB_ADVICE)})(?=$|[\[\],)])")
_IN_QUOTES = re.compile(r"\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'")


class DuckDB(File):
    """DuckDB, whose library is its own driver."""

    # Infinite ones are the largest and smallest numbers.
    limits = ((-(2**31) + 2, 2**31 - 2), (-(2**63) + 2, 2**63 - 2))

    def columns(self, session: Session, query: str) -> list[Column]:
        """Returns the columns; types that arrive as something else are cast or refused."""
        whole = within(query, "*")
        types = dict(session.rows(f"SELECT column_name, column_type FROM (DESCRIBE {whole})"))
        # Names of a query within another are made unique.
        raw = session.schema(query)
        if self.repeated(raw.names):
            return [Column(each.name, each.type) for each in raw]
        columns = []
        for field in raw:
            column = Column(field.name, field.type)
            type_ = types.get(field.name, "")
            refused = _DUCKDB_REFUSED.search(_IN_QUOTES.sub("", type_))
            if type_ == "BIT":
                sql = f"{inner(field.name)}::VARCHAR"
                column = Column(field.name, pa.string(), sql)
            elif refused:
                cast = f"{{}}::{_DUCKDB_ADVICE[type_]}" if type_ in _DUCKDB_ADVICE else "a cast"
                column = dataclasses.replace(column, problem=_write(field.name, type_, cast))
            columns.append(_known(column, field))
        return columns

    def fingerprint(self, session: Session, query: str, columns: Sequence[Column]) -> str:
        """Returns the number of rows and the sum of 64-bit hashes."""
        # 0.0 and -0.0 have the same hash, as null and an empty list have, but not the same text.
        hashed = f"sum(hash({INNER}, {INNER}::VARCHAR))::VARCHAR"
        [(rows, total)] = session.rows(within(query, f"count(*), {hashed}"))
        return f"{rows} {total}"

    def _opened(self) -> Session:
        needed("duckdb", self.name)
        find = importlib.util.find_spec
        library = find("_duckdb") or find("duckdb.duckdb")
        assert library is not None
        options = {
            "path": self.path,
            "access_mode": "READ_ONLY",
            "entrypoint": "duckdb_adbc_init",
        }
        return Session(self.name, str(library.origin), options)

    def _begin(self, session: Session, snapshot: str | None) -> None:
        """Nothing: the file is opened to be read only."""


DATABASES: Mapping[str, type[Database]] = {
    "postgresql": PostgreSQL,
    "postgres": PostgreSQL,
    "sqlite": SQLite,
    "duckdb": DuckDB,
}
"""The databases that are known, by the scheme of their addresses."""


def check_finite(name: str, column: str, values: Any, limits: Sequence[tuple[int, int]]) -> None:
    """Refuses dates and timestamps that are infinite: drivers make numbers of them.

    Args:
        name: The database, for errors.
        column: The column, for errors.
        values: An array of any type.
        limits: The least and the largest date and timestamp that are not infinite.

    Raises:
        TableFileError: There is one.
    """
    if is_list(values.type):
        check_finite(name, column, values.flatten(), limits)
    if pa.types.is_map(values.type):
        for each in (values.keys, values.items):
            check_finite(name, column, each, limits)
    if pa.types.is_struct(values.type):
        for each in values.flatten():
            check_finite(name, column, each, limits)
    is_date = pa.types.is_date32(values.type)
    if not is_date and not pa.types.is_timestamp(values.type):
        return
    low, high = limits[0 if is_date else 1]
    ends = pc.min_max(values.cast(pa.int32() if is_date else pa.int64())).as_py()
    if ends["min"] is not None and not low <= ends["min"] <= ends["max"] <= high:
        raise TableFileError(
            "infinity",
            f"replace it in the query: NULLIF({quoted(column)}, 'infinity')",
            path=name,
            column=column,
            expected=f"a {'date' if is_date else 'timestamp'}",
        )
