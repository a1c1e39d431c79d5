"""The result of a query of a database, by ADBC drivers, as a source."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from tfx_wine_ext.columnar.arrow_types import is_list
from tfx_wine_ext.columnar.plan import UnsupportedColumnsError
from tfx_wine_ext.columnar.values import leaf_values
from tfx_wine_ext.masking import SECRET_NAMES, masked_addresses
from tfx_wine_ext.sources.configs import (
    SourceConfig,
    SourceConfigError,
    check_no_password,
    register_source,
)
from tfx_wine_ext.sources.filters import RowFilter
from tfx_wine_ext.sources.formats import Reading, every
from tfx_wine_ext.sources.remote_table import ChosenColumns
from tfx_wine_ext.sources.secrets import check_reference
from tfx_wine_ext.sources.source import Part, TableFileError, TableSource, batch_rows, limited
from tfx_wine_ext.sources.sql_databases import DATABASES, Database, Ranges, check_finite
from tfx_wine_ext.sources.sql_session import Session
from tfx_wine_ext.sources.sql_text import INNER, single_query, within

NO_FINGERPRINT = "none"
# Rows of several kilobytes: fewer of them are encoded at a time.
BATCH_BYTES = 64 * 1024 * 1024
_SECRET_PART = re.compile(rf"(?:{SECRET_NAMES})\s*=", re.IGNORECASE)


@register_source("sql")
@dataclasses.dataclass(frozen=True)
class Sql(SourceConfig):
    """The result of a query.

    Args:
        uri: The database, without a password: ``postgresql://user@host/database``, the files
            ``sqlite:///path`` and ``duckdb:///path``, or an address that `driver` takes.
        query: The query, which only reads. Columns need names, each its own.
        partition_column: A column of the result, which is cut by its values into parts that
            workers read at the same time. It should have an index, and must have an order.
            PostgreSQL only. Default: None, one part.
        partitions: Number of parts. Default: None, one for each 64 MiB or so.
        fingerprint: A query whose result changes if the data do, such as ``SELECT max(changed)
            FROM wines``; or ``"none"``: the component then runs each time. Default: None, computed
            from all rows (PostgreSQL, SQLite, DuckDB); for another `driver` it is like "none".
        credentials: A reference to the password: ``env:NAME``, or ``package.module:function``.
            Default: None: PostgreSQL's own, $PGPASSWORD and ``~/.pgpass``.
        driver: Another ADBC driver: a package such as ``adbc_driver_flightsql``, or what ADBC's
            driver manager takes. Default: None, by the address.
        options: More options of this `driver`, without secrets.
        secret_option: The option of this `driver` that takes what `credentials` names.

    Raises:
        SourceConfigError: An argument is invalid, or holds a password.

    Example:
        >>> Sql("postgresql://wine@db/cellar", "SELECT * FROM wines;").name
        'postgresql://wine@db/cellar'
    """

    uri: str
    query: str
    partition_column: str | None = None
    partitions: int | None = None
    fingerprint: str | None = None
    credentials: str | None = None
    driver: str | None = None
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    secret_option: str = "password"
    spanned = ("uri", "query", "fingerprint")

    def __post_init__(self) -> None:
        scheme = self._check_address()
        for where in ("query", "fingerprint"):
            text = getattr(self, where)
            if text is None or (where == "fingerprint" and text == NO_FINGERPRINT):
                continue
            try:
                single_query(text)
            except ValueError as error:
                raise SourceConfigError(str(error), path=f"sources.Sql: {where}") from error
        of_server = self.driver is not None or DATABASES[scheme].has_ranges
        if self.credentials is not None:
            if not of_server:
                raise _invalid("credentials", f"none: {scheme} has no passwords", "another")
            try:
                check_reference("credentials", self.credentials)
            except ValueError as error:
                raise SourceConfigError(str(error), path="sources.Sql") from None
        if self.partitions is not None and (
            isinstance(self.partitions, bool)
            or not isinstance(self.partitions, int)
            or self.partitions < 1
        ):
            raise _invalid("partitions", "a number from 1 on", repr(self.partitions))
        if self.partitions is not None and self.partition_column is None:
            raise _invalid("partitions", "a partition_column beside it", "none")
        ranges = self.driver is None and DATABASES[scheme].has_ranges
        if self.partition_column is not None and not ranges:
            raise _invalid(
                "partition_column", "none: only PostgreSQL lets workers share one state", "one"
            )
        if self.options and self.driver is None:
            raise _invalid("options", "a driver beside it", "none")

    def _check_address(self) -> str:
        """Returns the scheme of the address."""
        # Without a scheme it may be of a form in which a password is not recognised.
        found = re.match(r"([a-z][a-z0-9+.-]*):", self.uri, re.IGNORECASE)
        scheme = found[1].lower() if found else ""
        if not found or (self.driver is None and "://" not in self.uri):
            raise _invalid(
                "uri", "an address such as postgresql://user@host/database", "other text"
            )
        check_no_password("sources.Sql: uri", self.uri)
        # Drivers have forms of their own: user:password@host, key=value;password=value.
        if _SECRET_PART.search(unquote(self.uri)) or (
            "://" not in self.uri and re.search(r":[^/]*@", self.uri)
        ):
            raise SourceConfigError(
                "other text, which is not shown",
                "name the password by `credentials`",
                path="sources.Sql: uri",
                expected="an address without a password, which would be recorded",
            )
        if self.driver is None and scheme not in DATABASES:
            raise _invalid("uri", f"one of {', '.join(DATABASES)}, or a driver", f"{scheme}://")
        for name, value in self.options.items():
            if not isinstance(value, str):
                raise _invalid(f"options: {name}", "text", repr(value))
            if (
                re.search(f"{SECRET_NAMES}|authorization", name, re.IGNORECASE)
                or _SECRET_PART.search(value)
                or masked_addresses(value) != value
            ):
                raise SourceConfigError(
                    repr(name),
                    "name the secret by `credentials`, and the option by `secret_option`",
                    path="sources.Sql: options",
                    expected="no secrets, which would be recorded",
                )
        return scheme

    def named_code(self) -> Mapping[str, str]:
        """A driver, which is a library, and whose options may name others."""
        driver = {} if self.driver is None else {"driver": self.driver}
        return {**super().named_code(), **driver}

    @property
    def name(self) -> str:
        """The address, without parameters."""
        return masked_addresses(self._database().name)

    def open(self, how: Reading) -> SqlTable:
        """Asks the database for the columns of the query.

        Raises:
            TableFileError: The driver is missing, the database cannot be reached, or it refuses
                the query.
            UnsupportedColumnsError: Columns that are read cannot become features.
        """
        return SqlTable(self, self._database().absolute(), how)

    def _database(self) -> Database:
        if self.driver is not None:
            return Database(
                self.uri, self.credentials, self.driver, self.options, self.secret_option
            )
        return DATABASES[self.uri.partition(":")[0].lower()](self.uri, self.credentials)


def _invalid(where: str, expected: str, found: str) -> SourceConfigError:
    return SourceConfigError(found, path=f"sources.Sql: {where}", expected=expected)


class SqlTable:
    """The result of a query; see `TableSource`.

    Each call of `batches` reads one state of the database. With `snapshot`, all parts and the
    fingerprint have the same: PostgreSQL's workers share a snapshot; another database is read as
    one part, and its fingerprint is computed again in the transaction that reads it.
    """

    kind = "sql"
    error = TableFileError
    names_are_complete = True
    rows: int | None = None

    def __init__(
        self, config: Sql, database: Database, how: Reading, session: Session | None = None
    ) -> None:
        self._config, self._database = config, database
        self._query = single_query(config.query)
        self._reads: Callable[..., bool] = how.reads
        self._flat = how.flat
        self._session, self._snapshot = (
            session,
            None if session is None else database.export(session),
        )
        self._fingerprint: str | None = None
        self._ranges: Ranges | None = None
        self._selected: Sequence[Part] | None = None
        self.part: Part | None = None
        self.position = 0
        with self._connected() as connection:
            self._columns = database.columns(connection, self._query)
        self._check_names([each.name for each in self._columns])
        fields = [pa.field(each.name, each.type) for each in self._columns]
        chosen = ChosenColumns.of(fields, how)
        self.structs, self.whole, self.schema = chosen.structs, chosen.whole, chosen.schema
        self._check_names(self.schema.names)
        self._paths = chosen.paths
        self._check_types()

    def _check_names(self, names: Sequence[str]) -> None:
        repeated = self._database.repeated(names)
        # What we call the query would be that column, in the fingerprint for one.
        repeated += [name for name in names if name.lower() == INNER]
        if repeated or not {"", "?column?"}.isdisjoint(names):
            raise TableFileError(
                ", ".join(map(repr, repeated)) or "one without a name",
                "name each by AS in the query",
                path=self._config.name,
                expected="columns of which each has a name of its own",
            )

    def _check_types(self) -> None:
        """Refuses columns that arrive in a form of the driver's own, or with mixed types."""
        read = {path[0] for path in self._paths.values()}
        problems = [
            (each.name, each.problem)
            for each in self._columns
            if each.problem and each.name in read
        ]
        if problems:
            error = UnsupportedColumnsError(problems)
            error.path = self._config.name
            raise error

    @property
    def paths(self) -> Sequence[str]:
        """The address of the database."""
        return [self._config.name]

    @property
    def names(self) -> Sequence[str]:
        """All columns of the query."""
        return [*self.whole.names, *self.structs]

    @property
    def size(self) -> int:
        """Bytes of all parts, about."""
        return sum(part.size for part in self._selected or [self._all])

    @property
    def passes(self) -> Sequence[pa.Schema]:
        """One pass: the query would be run again for each."""
        return [self.schema]

    @property
    def _all(self) -> Part:
        return Part(self._config.name, 0, "", 0, None, 1)

    def settle(self) -> None:
        """Does nothing: the schema is known."""

    def check(self) -> None:
        """Does nothing: there is one query."""

    def fingerprint(self) -> str:
        """Fingerprints the columns and the rows, by the query that `Sql.fingerprint` is if any.

        Returns:
            ``sql-v1:`` and 32 hexadecimal digits; "" if there is no way to compute one.

        Raises:
            TableFileError: The database does not answer, or refuses the query.
        """
        if self._fingerprint is None:
            with self._connected() as session:
                self._fingerprint = self._fingerprinted(session)
        return self._fingerprint

    def _fingerprinted(self, session: Session) -> str:
        query = self._config.fingerprint
        if query == NO_FINGERPRINT:
            return ""
        content: Any
        if query is None:
            content = self._database.fingerprint(session, self._query, self._columns)
            if not content:
                return ""
        else:
            content = session.rows(within(single_query(query), "*"))
            if not content:
                raise TableFileError(
                    "none",
                    "correct the query `fingerprint`",
                    path=self._config.name,
                    expected="a row, whose values are the fingerprint",
                )
        columns = [(each.name, str(each.type), each.sql) for each in self._columns]
        text = json.dumps([columns, content], default=str)
        return f"sql-v1:{hashlib.sha256(text.encode()).hexdigest()[:32]}"

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[TableSource]:
        """Holds one state: in PostgreSQL by a transaction that stays open; see `TableSource`."""
        how = Reading(self._reads, flat=self._flat)
        with self._database.session() as session:
            held = SqlTable(self._config, self._database, how, session)
            try:
                yield held
            finally:
                held._session = None

    def parts(self, row_filter: RowFilter | None = None) -> Sequence[Part]:
        """Returns the ranges of the partition column, or the whole result as one part."""
        config = self._config
        if self._selected is None and config.partition_column is not None:
            if config.partition_column not in [each.name for each in self._columns]:
                raise TableFileError(
                    repr(config.partition_column),
                    f"the columns are {', '.join(each.name for each in self._columns)}",
                    path=config.name,
                    expected="a partition_column of the query's result",
                )
            if any(
                is_list(each.type) for each in self._columns if each.name == config.partition_column
            ):
                raise TableFileError(
                    "arrays",
                    "name another column",
                    path=config.name,
                    column=config.partition_column,
                    expected="a partition_column of single values",
                )
            with self._connected() as session:
                self._ranges = ranges = self._database.ranges(
                    session, self._query, config.partition_column, config.partitions
                )
            parts = [
                Part(config.name, index, "range", rows, rows, round(rows * ranges.width))
                for index, rows in ranges.rows.items()
            ]
            self._selected = parts or [self._all]
        return self._selected or [self._all]

    def select(self, parts: Sequence[Part]) -> SqlTable:
        """Returns a source of these parts only; see `TableSource`."""
        selected = copy.copy(self)
        selected._selected = list(parts)
        # A connection belongs to its process; a function may not be picklable, and checks are done.
        selected._session, selected._reads = None, every
        return selected

    def batches(
        self, columns: pa.Schema | None = None, rows: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yields all rows of the selected parts, in order; see `TableSource`.

        Raises:
            TableFileError: The connection is lost, the snapshot is gone, the query gives other
                columns or rows than before, or a value has no form here.
        """
        schema = self.schema if columns is None else columns
        rows = rows or batch_rows(len(schema))
        self.position = 0
        with self._database.session(self._snapshot) as session:
            if self._fingerprint and self._snapshot is None:
                same = self._fingerprint == self._fingerprinted(session)
                self._check_unchanged("the rows that were fingerprinted", "others", same)
            for part in self._selected or [self._all]:
                self.part, read = part, 0
                for batch in rebatched(self._read(session, part, schema), rows):
                    read += batch.num_rows
                    yield batch
                    del batch
                if part.rows is not None:
                    self._check_unchanged(f"{part.rows} rows", f"{read} rows")
                self.position += part.size

    def _read(self, session: Session, part: Part, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Reads one part, in batches of any size."""
        condition = ""
        if part.unit:
            assert self._ranges is not None
            condition = self._database.in_range(session, self._ranges, part.index)
        wanted = {self._paths[name][0] for name in schema.names}
        # At least one, since a result without columns has no rows.
        columns = [each for each in self._columns if each.name in wanted] or self._columns[:1]
        stream = self._database.batches(session, self._query, columns, condition)
        with contextlib.closing(stream):  # type: ignore[type-var]
            for batch in stream:
                found = {each.name: each.type for each in batch.schema}
                for each in columns:
                    self._check_unchanged(
                        f"the column {each.name!r} of {each.type}",
                        f"{found.get(each.name, 'none')}",
                        found.get(each.name) == each.type,
                    )
                if batch.num_rows:
                    yield from limited(self._conformed(batch, schema), None, None)
                del batch

    def _conformed(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        if not schema.names:
            return next(limited(batch, schema, None), batch)
        arrays = []
        for name in schema.names:
            column, *fields = self._paths[name]
            values = leaf_values(batch.column(batch.schema.get_field_index(column)), fields)
            check_finite(self._config.name, name, values, self._database.limits)
            arrays.append(values)
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _check_unchanged(self, expected: str, found: str, same: bool | None = None) -> None:
        if expected != found if same is None else not same:
            raise TableFileError(
                f"{found}: the table was changed meanwhile, or the query is not always the same",
                "run again",
                path=self._config.name,
                expected=expected,
            )

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Session]:
        """Yields the session that holds the snapshot, or a new one."""
        if self._session is not None:
            yield self._session
        else:
            with self._database.session() as session:
                yield session


def rebatched(
    batches: Iterator[pa.RecordBatch], rows: int, most_bytes: int = BATCH_BYTES
) -> Iterator[pa.RecordBatch]:
    """Yields the same rows in batches of so many, but for the last one.

    Args:
        batches: Batches of any size with one schema.
        rows: The rows of a batch.
        most_bytes: When that many have come together, fewer rows will do. Default: `BATCH_BYTES`.

    Example:
        >>> two = [pa.record_batch([pa.array(each)], names=["a"]) for each in ([1, 2], [3, 4, 5])]
        >>> [batch.column(0).to_pylist() for batch in rebatched(iter(two), 3)]
        [[1, 2, 3], [4, 5]]
    """
    pieces: list[pa.RecordBatch] = []
    missing, size = rows, 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            pieces.append(batch.slice(start, missing))
            start += pieces[-1].num_rows
            missing -= pieces[-1].num_rows
            size += pieces[-1].nbytes
            if not missing or size > most_bytes:
                yield from _joined(pieces)
                pieces, missing, size = [], rows, 0
        del batch
    if pieces:
        yield from _joined(pieces)


def _joined(pieces: Sequence[pa.RecordBatch]) -> Sequence[pa.RecordBatch]:
    """Returns one batch; more only if it would hold too much text for one."""
    if len(pieces) == 1 or not pieces[0].num_columns:
        return pieces
    joined: Sequence[pa.RecordBatch] = pa.Table.from_batches(pieces).combine_chunks().to_batches()
    return joined
