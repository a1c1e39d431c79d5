"""One connection to a database by an ADBC driver, in one transaction that only reads."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from tfx_wine_ext.sources.source import TableFileError

_INSTALL = "pip install 'tfx-wine-ext[sql]'"
# What drivers add to a database's message: the text of the query, which is ours.
_QUERY = re.compile(r"\n(Query was:|query: ).*", re.DOTALL)
_MOST_MESSAGE = 600


class Session:
    """A connection; its errors are `TableFileError`s, without secrets.

    Args:
        name: What errors call the database.
        driver: The driver's library; see `library_of`.
        options: The driver's options, such as `uri`.
        secrets: Texts that no message may hold.

    Raises:
        TableFileError: The driver is not installed, or cannot connect.
    """

    def __init__(
        self, name: str, driver: str, options: Mapping[str, str], secrets: Sequence[str] = ()
    ) -> None:
        self._name = name
        self._secrets = [text for each in secrets for text in (each, quote(each, safe=""))]
        dbapi = needed("adbc_driver_manager.dbapi", name)
        self._handles: Any = needed("adbc_driver_manager", name)._lib
        self._errors = (dbapi.Error, dbapi.Warning, pa.ArrowException, OSError)
        with (
            self._asking("check the address, and that the database can be reached"),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # Not every database has transactions.
            self._connection = dbapi.connect(driver, db_kwargs=dict(options))

    def close(self) -> None:
        """Closes the connection, whatever state it is in."""
        # A connection that is lost can be neither rolled back nor closed without an error.
        for each in (self._connection.rollback, self._connection.close):
            with contextlib.suppress(Exception):
                each()

    def rows(self, query: str, *parameters: str) -> list[tuple[Any, ...]]:
        """Returns the rows of a query, or none of another statement.

        Args:
            query: The query.
            parameters: Its parameters, which it calls ``$1``, ``$2`` and so on.
        """
        with self._asking(), self._executed(query, parameters) as stream:
            table = stream.read_all()
            return list(zip(*(column.to_pylist() for column in table.columns)))

    def schema(self, query: str) -> pa.Schema:
        """Returns the columns of a query's result."""
        with self._asking(), self._executed(query) as stream:
            return stream.schema

    def batches(self, query: str, **options: str) -> Iterator[pa.RecordBatch]:
        """Yields the result of a query; first an empty batch, which has the schema.

        Args:
            query: The query.
            options: The driver's options for it.
        """
        with self._asking(), self._executed(query, (), options) as stream:
            yield pa.RecordBatch.from_arrays(
                [pa.array([], each.type) for each in stream.schema], schema=stream.schema
            )
            for batch in stream:
                yield batch
                del batch

    def set_option(self, **options: str) -> None:
        """Sets options of the connection, if the driver has them."""
        with contextlib.suppress(*self._errors):
            self._connection.adbc_connection.set_options(**options)

    @contextlib.contextmanager
    def _executed(
        self, query: str, parameters: Sequence[str] = (), options: Mapping[str, str] = {}
    ) -> Iterator[pa.RecordBatchReader]:
        cursor = self._connection.cursor(adbc_stmt_kwargs=dict(options) or None)
        try:
            if parameters:
                yield self._bound(cursor.adbc_statement, query, parameters)
            else:
                yield cursor.execute(query).fetch_record_batch()
        finally:
            try:
                cursor.close()
            except Exception:  # That of the query, again.
                cursor._closed = True  # So that it is not closed when it is collected.

    def _bound(self, statement: Any, query: str, parameters: Sequence[str]) -> Any:
        """Executes a query with parameters; pyarrow 10 needs the C interface for it."""
        names = [str(number) for number, _ in enumerate(parameters)]
        batch = pa.RecordBatch.from_arrays([pa.array([each]) for each in parameters], names)
        array, schema = self._handles.ArrowArrayHandle(), self._handles.ArrowSchemaHandle()
        batch._export_to_c(array.address, schema.address)
        statement.set_sql_query(query)
        statement.bind(array, schema)
        stream, _ = statement.execute_query()
        return pa.RecordBatchReader._import_from_c(stream.address)

    @contextlib.contextmanager
    def _asking(self, remedy: str = "correct the query, or the data") -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            says = _QUERY.sub("", str(error))
            for each in self._secrets:
                says = says.replace(each, "***")
            says = " ".join(says.split())
            if len(says) > _MOST_MESSAGE:  # It may repeat a value; what is wrong is at its end.
                says = f"{says[: _MOST_MESSAGE // 2]} ... {says[-_MOST_MESSAGE // 2 :]}"
            for pattern, other in _REMEDIES.items():
                if re.search(pattern, says):
                    remedy = other
                    break
            # Not from the error: its message is not masked.
            raise TableFileError(says, remedy, path=self._name) from None


# By the messages: most errors have no SQLSTATE here.
_REMEDIES = {
    "Could not load": "install the driver, such as pip install adbc-driver-flightsql",
    "password|authentication|role .* does not exist": "correct the user of the address, or the "
    "password, which `credentials` names",
    "read-only|read.?write mode|readonly|data-modifying": "write a query that only reads",
    "is locked|lock on file": "run again when no other process writes to it",
    "permission denied": "grant SELECT to the user",
    "due to statement timeout": "raise the statement_timeout of the user, or of the address",
    "closed the connection|terminating|no connection|conflict with recovery": "run again when the "
    "database can be reached",
}


def needed(module: str, name: str) -> Any:
    """Imports a module of an ADBC package.

    Raises:
        TableFileError: The package is missing; the message has the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise TableFileError(
            f"none ({error})",
            "pip install duckdb" if package == "duckdb" else _INSTALL,
            path=name,
            expected=f"the package {package}",
        ) from error


def library_of(driver: str, name: str) -> str:
    """Returns what the driver manager loads: the library in a Python package, or a name as it is.

    Args:
        driver: A package such as ``adbc_driver_postgresql``, or what ADBC's driver manager takes:
            the path of a library, or a name that it looks for.
        name: What errors call the database.
    """
    if re.fullmatch(r"adbc_driver_\w+", driver) and importlib.util.find_spec(driver):
        return str(needed(driver, name)._driver_path())
    return driver
