"""Tables and queries of BigQuery as a source, by streams of Arrow batches of its Storage API."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from tfx_wine_ext.sources.configs import SourceConfig, SourceConfigError, register_source
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.remote_table import RemoteTable
from tfx_wine_ext.sources.source import Part, TableFileError, one_line

if TYPE_CHECKING:
    from google.cloud import bigquery, bigquery_storage

NO_FINGERPRINT = "none"
ANSWER_SECONDS = 30.0
"""How long a request is tried again, if the service fails or does not answer."""
PINNED_MILLIS = 24 * 60 * 60 * 1000
"""How long ago a table may have changed that is pinned: BigQuery keeps two days at least."""
_MOST_MESSAGE, _MOST_QUERY = 600, 100
_1970 = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MILLISECOND = datetime.timedelta(milliseconds=1)
# What has a time at which its content was changed last, and can be read by streams.
_STORED = ("TABLE", "SNAPSHOT", "CLONE")
_SIMPLE = {
    "STRING": pa.string(),
    "BYTES": pa.binary(),
    "INTEGER": pa.int64(),
    "INT64": pa.int64(),
    "FLOAT": pa.float64(),
    "FLOAT64": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "BOOL": pa.bool_(),
    "NUMERIC": pa.decimal128(38, 9),
    "BIGNUMERIC": pa.decimal256(76, 38),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "DATETIME": pa.timestamp("us"),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "GEOGRAPHY": pa.string(),
    "JSON": pa.string(),
}


@register_source("bigquery")
@dataclasses.dataclass(frozen=True)
class BigQuery(SourceConfig):
    """The rows of a table, or of a query, of BigQuery.

    Credentials are those of Google's own environment (``GOOGLE_APPLICATION_CREDENTIALS``, or the
    machine's account); none are recorded.

    Args:
        table: ``project.dataset.table``.
        query: A SELECT in GoogleSQL, in place of a table. It is run once for each run of the
            component, into a temporary table, which is read.
        project: The project that pays. Default: that of the environment.
        row_restriction: Selects rows of `table`, as the condition of a WHERE.
        snapshot_millis: The state of `table` at a time, in milliseconds since 1970. Default: now.
            The driver pins a table that has changed within a day, so that the executor reads the
            same state.
        fingerprint: ``none``: the component runs every time. Default: by when the table, or the
            tables of the query, have changed last.
        location: Where queries run, such as ``EU``. Default: found out by BigQuery.
        max_streams: The most parts. Default: 0, BigQuery decides.

    Raises:
        SourceConfigError: The arguments do not fit each other.

    Example:
        >>> BigQuery("lab.wine.bottles", row_restriction="year = {YYYY}").name
        'bigquery lab.wine.bottles WHERE year = {YYYY}'
    """

    table: str | None = None
    query: str | None = None
    project: str | None = None
    row_restriction: str | None = None
    snapshot_millis: int | None = None
    fingerprint: str | None = None
    location: str | None = None
    max_streams: int = 0

    spanned: ClassVar[Sequence[str]] = ("table", "query", "row_restriction")

    def __post_init__(self) -> None:
        if (self.query is None) == (self.table is None):
            self._refuse("a table or a query", "none" if self.query is None else "both")
        if self.query is not None:
            # BigQuery says whether it is one: GoogleSQL has its own comments and quotes.
            if self.row_restriction is not None or self.snapshot_millis is not None:
                found = "a query, which can say WHERE and FOR SYSTEM_TIME AS OF itself"
                self._refuse("row_restriction and snapshot_millis with a table only", found)
        elif self.table is not None and self.table.count(".") < 2:
            self._refuse("a table as 'project.dataset.table'", repr(self.table))
        if self.max_streams < 0:
            self._refuse("max_streams: a number from 0 on", repr(self.max_streams))
        if self.fingerprint not in (None, NO_FINGERPRINT):
            self._refuse(f"fingerprint: {NO_FINGERPRINT!r} or nothing", repr(self.fingerprint))

    def _refuse(self, expected: str, found: str) -> None:
        raise SourceConfigError(found, path="bigquery", expected=expected)

    @property
    def name(self) -> str:
        """The table and its restriction, or the beginning of the query on one line."""
        if self.query is not None:
            text = " ".join(self.query.split())
            return f"bigquery: {text[:_MOST_QUERY]}{' ...' if len(text) > _MOST_QUERY else ''}"
        restriction = f" WHERE {self.row_restriction}" if self.row_restriction else ""
        return f"bigquery {self.table}{restriction}"

    def pinned(self) -> BigQuery:
        """Returns the description with the time of the last change, if that is within a day.

        Raises:
            TableFileError: The table cannot be used.
        """
        if self.table is None or self.snapshot_millis is not None:
            return self
        with _telling(self.name):
            table = client_of(self).get_table(self.table, **_patience())
            now = time.time() * 1000
            changed = _changed_millis(table)
            if table.table_type not in _STORED or changed is None:
                return self
            if table.streaming_buffer is not None:  # Its rows are newer than the last change.
                return dataclasses.replace(self, snapshot_millis=int(max(now, changed + 1)))
            # Of a change in the middle of the millisecond, the next one has all.
            recent = now - changed < PINNED_MILLIS
            return dataclasses.replace(self, snapshot_millis=changed + 1) if recent else self

    def open(self, how: Reading) -> BigQueryTable:
        """Asks for the columns; a query is only checked, without cost.

        Raises:
            TableFileError: BigQuery refuses, or is not there; the table or the query cannot be
                used; the package is missing.
        """
        with _telling(self.name):
            if self.table is not None:
                fields = client_of(self).get_table(self.table, **_patience()).schema
            else:
                job = _checked(self)
                fields = job.schema
            return BigQueryTable(self, fields, how)


class BigQueryTable(RemoteTable):
    """The rows of a table or query; `BigQuery.open` makes it."""

    kind = "bigquery"

    def __init__(
        self, config: BigQuery, fields: Sequence[bigquery.SchemaField], how: Reading
    ) -> None:
        self._config = config
        columns, refused = [], {}
        for field in fields:
            try:
                columns.append((field.name, arrow_type(field)))
            except ValueError as error:
                columns.append((field.name, pa.null()))
                refused[field.name] = str(error)
        self._session_schema = b""
        super().__init__(config.name, pa.schema(columns), how, refused)

    def state(self) -> str:
        """Returns ``bigquery-v1:`` and 32 hexadecimal digits; "" if BigQuery does not know.

        It does not for views, external tables, and tables into which rows are streamed.
        """
        config = self._config
        if config.fingerprint == NO_FINGERPRINT:
            return ""
        digest = hashlib.sha256(f"{config.query} {config.row_restriction}".encode())
        if config.snapshot_millis is not None:
            digest.update(f"{config.table} {config.snapshot_millis}".encode())
            return f"bigquery-v1:{digest.hexdigest()[:32]}"
        with _telling(self.paths[0]):
            client = client_of(config)
            names: Sequence[Any] = [config.table]
            if config.query is not None:
                names = _checked(config).referenced_tables
            tables = [client.get_table(each, **_patience()) for each in names]
        for table in sorted(tables, key=lambda each: each.full_table_id or ""):
            changed = _changed_millis(table)
            if table.table_type not in _STORED or table.streaming_buffer or changed is None:
                return ""
            facts = (table.full_table_id, changed, table.num_rows, table.num_bytes)
            digest.update(repr(facts).encode())
        return f"bigquery-v1:{digest.hexdigest()[:32]}"

    def cut(self) -> Sequence[Part]:
        """Begins a session of the Storage API, and returns its streams; a query is run first."""
        from google.cloud.bigquery_storage_v1 import types

        config = self._config
        with _telling(self.paths[0]):
            client = client_of(config)
            if config.table is not None:
                project, dataset, name = config.table.rsplit(".", 2)
            else:
                job = client.query(config.query or "", location=config.location, **_patience())
                job.result(timeout=None)
                project, dataset, name = (
                    job.destination.project,
                    job.destination.dataset_id,
                    job.destination.table_id,
                )
            wanted = {self._paths[name][0] for name in self.schema.names}
            session = types.ReadSession(
                table=f"projects/{project}/datasets/{dataset}/tables/{name}",
                data_format=types.DataFormat.ARROW,
                read_options=types.ReadSession.TableReadOptions(
                    selected_fields=[each for each in self._columns.names if each in wanted],
                    row_restriction=config.row_restriction or "",
                ),
            )
            if config.snapshot_millis is not None:
                at = _1970 + config.snapshot_millis * _MILLISECOND
                session.table_modifiers = types.ReadSession.TableModifiers(snapshot_time=at)
            begun = reader_of(config).create_read_session(
                parent=f"projects/{client.project}",
                read_session=session,
                max_stream_count=config.max_streams,
                **_patience(),
            )
            self._session_schema = begun.arrow_schema.serialized_schema
            streams = [stream.name for stream in begun.streams]
        size = begun.estimated_total_bytes_scanned // max(len(streams), 1)
        seed = config.query or f"{config.table} {config.row_restriction}"
        return [
            self.a_part(name, index, "stream", f"{seed} {index}", max(size, 1))
            for index, name in enumerate(streams)
        ]

    def received(self, part: Part, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yields the batches of a stream; see `RemoteTable`.

        If the connection breaks, the client goes on where the stream was, or fails.
        """
        with _telling(self.paths[0]):
            schema = pa.ipc.read_schema(pa.py_buffer(self._session_schema))
            reader = reader_of(self._config)
            expected = {field.name: field.type for field in self._columns}
            with contextlib.closing(reader.transport):
                read: Any = reader.read_rows  # It has no annotations.
                for answer in read(part.path, retry=_patience()["retry"]):
                    sent = pa.py_buffer(answer.arrow_record_batch.serialized_record_batch)
                    batch = pa.ipc.read_record_batch(sent, schema)
                    if batch.num_rows != answer.row_count:
                        raise ValueError(f"{batch.num_rows} rows of {answer.row_count}")
                    arrays = [
                        column.cast(expected[field.name])  # The names of elements may differ.
                        for field, column in zip(batch.schema, batch.columns)
                    ]
                    yield pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def arrow_type(field: bigquery.SchemaField) -> pa.DataType:
    """Returns the type in which the Storage API sends a column.

    Args:
        field: The column, or a field of a record.

    Raises:
        ValueError: It has none that can become a feature; the message says what to do.
    """
    if field.field_type in ("RECORD", "STRUCT"):
        type_ = pa.struct([(each.name, arrow_type(each)) for each in field.fields])
    elif field.field_type in _SIMPLE:
        type_ = _SIMPLE[field.field_type]
    else:
        raise ValueError(f"{field.field_type}, which is no single value; convert it in a query")
    return pa.list_(type_) if field.mode == "REPEATED" else type_


def client_of(config: BigQuery) -> bigquery.Client:
    """Returns a client for tables and queries."""
    from google.cloud import bigquery

    return bigquery.Client(project=config.project, location=config.location)


def reader_of(config: BigQuery) -> bigquery_storage.BigQueryReadClient:
    """Returns a client of the Storage API."""
    from google.cloud import bigquery_storage

    client: Any = bigquery_storage.BigQueryReadClient  # It has no annotations.
    return client()  # type: ignore[no-any-return]


def _checked(config: BigQuery) -> bigquery.QueryJob:
    """Returns what BigQuery says of a query, without running it."""
    from google.cloud import bigquery

    how = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
    job = client_of(config).query(
        config.query or "", job_config=how, location=config.location, **_patience()
    )
    if job.statement_type != "SELECT":
        raise TableFileError(
            f"a statement {job.statement_type}", path=config.name, expected="a SELECT"
        )
    return job


def _patience() -> dict[str, Any]:
    """Returns for how long a request is tried again."""
    from google.api_core import exceptions
    from google.api_core.retry import Retry, if_exception_type

    transient = (
        exceptions.InternalServerError,
        exceptions.BadGateway,
        exceptions.ServiceUnavailable,
        exceptions.GatewayTimeout,
        ConnectionError,
    )
    retry = Retry(predicate=if_exception_type(*transient), timeout=ANSWER_SECONDS)
    return {"retry": retry, "timeout": ANSWER_SECONDS}


def _changed_millis(table: bigquery.Table) -> int | None:
    return None if table.modified is None else (table.modified - _1970) // _MILLISECOND


@contextlib.contextmanager
def _telling(name: str) -> Iterator[None]:
    """Raises the errors of the clients as a `TableFileError`, in one line."""
    try:
        yield
    except (TableFileError, GeneratorExit):
        raise
    except ImportError as error:
        raise TableFileError(
            f"no package of Google's ({error})",
            "pip install 'tfx-wine-ext[bigquery]'",
            path=name,
        ) from error
    except Exception as error:
        # That of a retry is that it gave up.
        error = getattr(error, "cause", None) or error
        says = one_line(ValueError(getattr(error, "message", None) or str(error)))
        raise TableFileError(
            f"{type(error).__name__}: {says[:_MOST_MESSAGE]}",
            "check the table, the query, and the rights of the account; or run again",
            path=name,
        ) from error
