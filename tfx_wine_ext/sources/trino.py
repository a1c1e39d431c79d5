"""Queries and tables of Trino, or of Presto, as a source."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import pyarrow as pa

from tfx_wine_ext.masking import SECRET_NAMES
from tfx_wine_ext.sources.configs import (
    SourceConfig,
    SourceConfigError,
    check_no_password,
    register_source,
)
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.remote_table import RemoteTable
from tfx_wine_ext.sources.secrets import check_reference, secret
from tfx_wine_ext.sources.source import Part, TableFileError, batch_of, batch_rows, one_line
from tfx_wine_ext.sources.sql_text import quoted, single_query
from tfx_wine_ext.sources.trino_types import (
    Signature,
    TrinoTypeError,
    arguments_of,
    array_of,
    arrow_type,
    fields_of,
    type_name,
)

if TYPE_CHECKING:
    from trino.client import TrinoQuery

NO_FINGERPRINT = "none"
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 10.0
"""How long a request may take; a server that works answers each of them within about a second."""
_ATTEMPTS = 3
_BATCH_BYTES = 32 * 1024 * 1024
_FIRST_ROWS = 1024
_MOST_MESSAGE, _MOST_QUERY = 600, 100
_MOST_ELEMENTS = 200  # Of an array that is written in a query, 254.
_INTEGERS = ("tinyint", "smallint", "integer", "bigint")
# Of the errors within each other that the clients make of one of the system, the innermost.
_OF_SYSTEM = re.compile(r"""\[(?:Errno|SSL)[^"']*(?=["'])""")


@register_source("trino")
@dataclasses.dataclass(frozen=True)
class Trino(SourceConfig):
    """The rows of a query, or of a table, of a Trino server.

    Args:
        uri: The server: ``https://trino.example`` or ``http://localhost:8080``, without user
            and password.
        query: A SELECT, which may begin with WITH, or VALUES, or TABLE; it is asked as it is.
            Nothing else is run.
        user: The name of the user.
        table: A table of `catalog` and `schema`, in place of a query.
        catalog: Where the query looks for tables. Default: what the query says.
        schema: Likewise.
        credentials: Names the password or token, which is never recorded; see
            `tfx_wine_ext.sources.secrets.secret`. It needs https. Default: none.
        authentication: What it is: ``password`` (the default) or ``jwt``.
        fingerprint: How a change of the content is noticed. Default: by the number of rows and a
            checksum of all of them, which the server computes in any order. A query of your own,
            such as ``SELECT max(changed_at) FROM wines``, is cheaper. ``none``: not at all, so that
            the component runs every time.
        version: Of `table`, if its connector keeps earlier states (Iceberg, Delta): the id of a
            snapshot, or the name of a tag or branch. Default: the current state.
        partition_column: A column of integers by whose ranges workers read `table` at the same
            time; this needs `version`, without which they would not see one state. Default: one
            part.
        partitions: How many ranges. Default: 8.
        session: Session properties, such as ``{"query_max_run_time": "10m"}``; no secrets.
        protocol: ``trino``, or ``presto`` for a server that expects the headers ``X-Presto-...``.

    Raises:
        SourceConfigError: The arguments do not fit each other, or hold a password.

    Example:
        >>> Trino("https://trino.example", "SELECT * FROM wines", user="etl",
        ...       catalog="lake", schema="wine", credentials="env:TRINO_PASSWORD").name
        'https://trino.example, lake.wine: SELECT * FROM wines'
    """

    uri: str
    query: str | None = None
    user: str = ""
    table: str | None = None
    catalog: str | None = None
    schema: str | None = None
    credentials: str | None = None
    authentication: str = "password"
    fingerprint: str | None = None
    version: int | str | None = None
    partition_column: str | None = None
    partitions: int = 8
    session: Mapping[str, str | int | bool] = dataclasses.field(default_factory=dict)
    protocol: str = "trino"

    spanned: ClassVar[Sequence[str]] = ("query", "table", "fingerprint")

    def __post_init__(self) -> None:
        check_no_password("uri", self.uri)
        try:
            url = urlsplit(self.uri)
            is_server = bool(url.hostname and url.port != 0 and not url.path.strip("/"))
        except ValueError:  # No port, or brackets that do not close.
            is_server = False
        if not is_server or url.scheme not in ("http", "https"):
            self._refuse("uri", "https://HOST[:PORT] or http://HOST[:PORT]", self.uri)
        if "@" in url.netloc:
            self._refuse("uri", "no user; give it by `user`", self.uri)
        if not self.user:
            self._refuse("user", "the name of the user", repr(self.user))
        if (self.query is None) == (self.table is None):
            found = "none" if self.query is None else "both"
            self._refuse("query", "a query or a table", found)
        if self.table is not None and not (self.catalog and self.schema):
            self._refuse("table", "catalog and schema beside it", "none")
        if self.credentials is not None:
            try:
                check_reference("credentials", self.credentials)
            except ValueError as error:
                raise SourceConfigError(str(error), path=self.uri) from None
            if url.scheme != "https":
                self._refuse("credentials", "an address with https, which hides them", "http")
        for name, known in (("authentication", ("password", "jwt")), ("protocol", _PROTOCOLS)):
            if getattr(self, name) not in known:
                self._refuse(name, " or ".join(known), repr(getattr(self, name)))
        if self.version is not None and self.table is None:
            self._refuse("version", "a table", "a query, which can say FOR VERSION AS OF itself")
        if self.partition_column is not None and self.version is None:
            self._refuse("partition_column", "a version of a table, which all ranges see", "none")
        if not isinstance(self.partitions, int) or not 1 <= self.partitions <= 10_000:
            self._refuse("partitions", "a number from 1 to 10000", repr(self.partitions))
        for name in self.session:
            if re.search(SECRET_NAMES, name, re.IGNORECASE):
                self._refuse("session", "no secrets, which would be recorded", repr(name))
        for name in ("query", "fingerprint"):
            text = getattr(self, name)
            try:
                single_query("SELECT 1" if text in (None, NO_FINGERPRINT) else text)
            except ValueError as error:
                raise SourceConfigError(str(error), path=f"{self.uri}: {name}") from None

    def _refuse(self, field: str, expected: str, found: str) -> None:
        path = "" if field == "uri" else f"{self.uri}: "
        raise SourceConfigError(found, path=f"{path}{field}", expected=expected)

    @property
    def name(self) -> str:
        """The address, where it looks for tables, and the beginning of the query on one line."""
        place = ".".join(filter(None, (self.catalog, self.schema)))
        text = f"table {self.table}" if self.query is None else " ".join(self.query.split())
        if len(text) > _MOST_QUERY:
            text = f"{text[:_MOST_QUERY]} ..."
        if self.version is not None:
            text = f"{text}, version {self.version}"
        return f"{self.uri}{place and f', {place}'}: {text}"

    @property
    def statement(self) -> str:
        """The query that selects all rows."""
        if self.query is not None:
            return single_query(self.query)
        names = map(quoted, (self.catalog or "", self.schema or "", self.table or ""))
        if self.version is None:
            return f"SELECT * FROM {'.'.join(names)}"
        is_id = isinstance(self.version, int)
        version = f"BIGINT '{self.version}'" if is_id else _literal(str(self.version))
        return f"SELECT * FROM {'.'.join(names)} FOR VERSION AS OF {version}"

    def open(self, how: Reading) -> TrinoTable:
        """Asks the server for the columns, without running the query.

        Raises:
            TableFileError: The server is not there or refuses the user; it is no query, or names
                something that is not there; a column cannot be read; the package is missing.
        """
        columns, rows = ask(self, f"{_only_query(self.statement)} LIMIT 0")
        for _ in rows:
            pass
        return TrinoTable(self, [(each["name"], each["typeSignature"]) for each in columns], how)


class TrinoTable(RemoteTable):
    """The rows of a query or table; `Trino.open` makes it."""

    kind = "trino"

    def __init__(
        self, config: Trino, signatures: Sequence[tuple[str, Signature]], how: Reading
    ) -> None:
        self._config = config
        self._signatures = signatures
        columns, refused = [], {}
        for name, signature in signatures:
            try:
                columns.append((name, arrow_type(signature)))
            except TrinoTypeError as error:
                columns.append((name, pa.null()))
                refused[name] = str(error)
        super().__init__(config.name, pa.schema(columns), how, refused)
        self._refused = refused
        self._ranges: Sequence[tuple[int, int]] = ()

    def state(self) -> str:
        """Returns ``trino-v1:`` and 32 hexadecimal digits, or "".

        Raises:
            TableFileError: The server is not there, or refuses the query.
        """
        config = self._config
        if config.fingerprint == NO_FINGERPRINT:
            return ""
        digest = hashlib.sha256()
        digest.update(repr([(name, type_name(type_)) for name, type_ in self._signatures]).encode())
        if config.fingerprint is None and isinstance(config.version, int):
            digest.update(config.statement.encode())  # A snapshot never changes.
        else:
            own = config.fingerprint
            asked = self._checksum if own is None else _only_query(single_query(own))
            _, rows = ask(config, asked, f"{self.paths[0]}: fingerprint")
            content = list(rows)
            if not content:
                raise TableFileError(
                    "none",
                    "correct the query `fingerprint`",
                    path=self.paths[0],
                    expected="a row, whose values are the fingerprint",
                )
            for row in content:
                digest.update(json.dumps(row).encode())
        return f"trino-v1:{digest.hexdigest()[:32]}"

    @property
    def _checksum(self) -> str:
        """A query for the number of rows and a checksum of all rows, whatever their order."""
        names = [f"c{place}" for place in range(len(self._signatures))]
        texts = [
            as_text(name, signature)
            for name, (column, signature) in zip(names, self._signatures)
            if column not in self._refused
        ]
        return (
            f"SELECT count(*) AS n, checksum(xxhash64(to_utf8({_joined(texts)}))) AS c FROM "
            f"(\n{self._config.statement}\n) AS t ({', '.join(names)})"
        )

    def cut(self) -> Sequence[Part]:
        """Returns one part, or ranges of a column of a version of a table."""
        config = self._config
        if config.partition_column is None:
            return [self.a_part(self.paths[0], 0, "", config.statement, 1)]
        type_ = dict(self._signatures).get(config.partition_column)
        if type_ is None or type_["rawType"] not in _INTEGERS:
            raise TableFileError(
                "none" if type_ is None else type_name(type_),
                path=f"{self.paths[0]}: partition_column",
                column=config.partition_column,
                expected="a column of integers",
            )
        column = quoted(config.partition_column)
        _, rows = ask(config, f"SELECT min({column}), max({column}) FROM ({config.statement})")
        [[low, high]] = rows
        if low is None:
            low = high = 0
        width = -(-(high - low + 1) // config.partitions)
        self._ranges = [
            (start, min(start + width - 1, high)) for start in range(low, high + 1, width)
        ]
        return [
            self.a_part(self.paths[0], index, "range", f"{config.statement}{index}", 1)
            for index in range(len(self._ranges))
        ]

    def received(self, part: Part, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yields the rows of a part, in batches of about 32 MiB at most; see `RemoteTable`."""
        config = self._config
        statement = config.statement
        if config.partition_column is not None:
            column, (low, high) = quoted(config.partition_column), self._ranges[part.index]
            without = f" OR {column} IS NULL" if part.index == 0 else ""
            statement = (
                f"SELECT * FROM ({statement}) WHERE {column} BETWEEN {low} AND {high}{without}"
            )
        sent, rows = ask(config, statement)
        found = [(each["name"], each["typeSignature"]) for each in sent]
        if found != self._signatures:
            raise TableFileError(
                ", ".join(f"{name} {type_name(type_)}" for name, type_ in found),
                "run again",
                path=self.paths[0],
                expected="the columns that it had before: "
                + ", ".join(f"{name} {type_name(type_)}" for name, type_ in self._signatures),
            )
        wanted = [
            (place, name, type_) for place, (name, type_) in enumerate(found) if name in columns
        ]
        most = batch_rows(len(found))
        take = min(_FIRST_ROWS, most)
        with contextlib.closing(rows):  # type: ignore[type-var]
            while page := list(itertools.islice(rows, take)):
                arrays = []
                for place, name, type_ in wanted:
                    try:
                        arrays.append(array_of([row[place] for row in page], type_))
                    except (ValueError, TypeError, ArithmeticError, pa.ArrowException) as error:
                        raise TableFileError(
                            one_line(error),
                            "convert it in the query, or leave the column out",
                            path=self.paths[0],
                            column=name,
                            expected=f"values of {type_name(type_)} that Arrow can hold",
                        ) from error
                fields = [pa.field(name, array.type) for (_, name, _), array in zip(wanted, arrays)]
                batch = batch_of(fields, arrays, len(page))
                # Python's objects take several times as much.
                take = max(1, min(most, _BATCH_BYTES * len(page) // max(batch.nbytes, 1)))
                del page
                yield batch


def _only_query(statement: str) -> str:
    """Returns a query for the rows of a statement; the server refuses it if that is no query."""
    return f"WITH the_query AS (\n{statement}\n) SELECT * FROM the_query"


def as_text(value: str, signature: Signature, depth: int = 0) -> str:
    """Returns an expression for the text of a value, which is another one for another value.

    Trino's checksum of rows would not do: the hash of a row is a sum of those of its fields, so
    values that change places between rows are not noticed.

    Args:
        value: An expression.
        signature: Its type.
        depth: How many lambda expressions there are around it.

    Example:
        >>> as_text("c", {"rawType": "varbinary", "arguments": []})
        'to_hex(c)'
    """
    name, each = signature["rawType"], f"e{depth}"
    if name == "varbinary":
        return f"to_hex({value})"
    if name == "json":
        return f"json_format({value})"
    if name == "array":
        [element] = arguments_of(signature)
        text = as_text(each, element, depth + 1)
        return f"json_format(CAST(transform({value}, {each} -> {text}) AS json))"
    if name == "map":
        # A map has its entries in any order.
        pair = [
            as_text(f"{each}[{n}]", type_, depth + 1)
            for n, type_ in enumerate(arguments_of(signature), start=1)
        ]
        entries = f"transform(map_entries({value}), {each} -> {_joined(pair)})"
        return f"json_format(CAST(array_sort({entries}) AS json))"
    if name == "row":
        texts = [
            as_text(f"{value}[{n}]", type_, depth)
            for n, (_, type_) in enumerate(fields_of(signature), start=1)
        ]
        return f"IF({value} IS NULL, NULL, {_joined(texts)})"
    return f"CAST({value} AS varchar)"


def _joined(texts: Sequence[str]) -> str:
    """Returns an expression for texts as one, from which they could be told again."""
    arrays = [
        f"ARRAY[{', '.join(texts[start : start + _MOST_ELEMENTS])}]"
        for start in range(0, len(texts), _MOST_ELEMENTS)
    ]
    return f"json_format(CAST({' || '.join(arrays) or 'ARRAY[0]'} AS json))"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def ask(
    config: Trino, statement: str, where: str | None = None
) -> tuple[list[dict[str, Any]], Iterator[list[Any]]]:
    """Runs a statement.

    Args:
        config: The server.
        statement: It.
        where: What errors call it. Default: the name of the source.

    Returns:
        Its columns, and its rows, which end only after the server has said that the query is
        finished. Closing them earlier cancels it.

    Raises:
        TableFileError: The server is not there, or refuses; also while rows are read.
    """
    query, hidden = _prepared(config, statement)
    telling = functools.partial(_telling, where or config.name, hidden)
    with telling():
        rows = iter(query.execute())
        columns = query.columns
        if not columns:
            raise ValueError("an answer without columns")

    def read() -> Iterator[list[Any]]:
        try:
            with telling():
                yield from rows
                if query.stats.get("state") != "FINISHED":
                    raise ValueError(f"the end of a query that is {query.stats.get('state')}")
        except GeneratorExit:  # Not after an error of the server, which would not answer.
            with contextlib.suppress(Exception):
                query.cancel()
            raise

    return columns, read()


_PROTOCOLS = ("trino", "presto")


def _prepared(config: Trino, statement: str) -> tuple[TrinoQuery, str]:
    """Returns a query that is not yet sent, and the secret that it has; "" if none."""
    try:
        import requests
        from trino import auth, client
    except ImportError as error:
        raise TableFileError(
            f"no package trino ({error})",
            "pip install 'tfx-wine-ext[trino]'",
            path=config.name,
        ) from error

    class Request(client.TrinoRequest):
        """Sends the headers of the protocol."""

        @property
        def http_headers(self) -> Any:
            headers = super().http_headers
            if config.protocol == "presto":
                for name in [each for each in headers if each.startswith("X-Trino-")]:
                    headers[name.replace("Trino", "Presto")] = headers.pop(name)
            return headers

    url = urlsplit(config.uri)
    session = requests.Session()
    hidden, login = "", None
    if config.credentials is not None:
        hidden = secret(config.credentials, config.name)
        login = (
            auth.BasicAuthentication(config.user, hidden)
            if config.authentication == "password"
            else auth.JWTAuthentication(hidden)
        )
        del session.adapters["http://"]  # A server could name such an address for the next page.
    request = Request(
        host=url.hostname or "",
        port=url.port or (443 if url.scheme == "https" else 80),
        client_session=client.ClientSession(
            user=config.user,
            catalog=config.catalog,
            schema=config.schema,
            source="tfx-wine-ext",
            properties={name: _property(value) for name, value in config.session.items()},
            timezone="UTC",  # Not the machine's: each worker must see the same.
        ),
        http_session=session,
        http_scheme=url.scheme,
        auth=login,
        max_attempts=_ATTEMPTS,
        request_timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
    )
    return client.TrinoQuery(request, statement, legacy_primitive_types=True), hidden


def _property(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@contextlib.contextmanager
def _telling(where: str, hidden: str) -> Iterator[None]:
    """Raises the errors of the client as a `TableFileError`, in one line and without the secret."""
    try:
        yield
    except TableFileError:
        raise
    except Exception as error:
        kind = getattr(error, "error_type", None)
        says = getattr(error, "message", None) or str(error)
        says = one_line(ValueError(says.replace(hidden, "***") if hidden else says))
        if isinstance(error, json.JSONDecodeError):
            says = f"an answer that is no JSON ({says})"
        elif not kind and (inner := _OF_SYSTEM.search(says)):
            says = f"no answer ({inner.group()})"
        # The query began in the second line.
        says = re.sub(r"^line (\d+):", lambda line: f"line {max(1, int(line.group(1)) - 1)}:", says)
        raise TableFileError(
            says[:_MOST_MESSAGE],
            {
                "USER_ERROR": "correct the query, or the rights of the user",
                None: "check that the server runs, its address, and the user",
            }.get(kind, "run again; the server's log says more"),
            path=where,
        ) from None
