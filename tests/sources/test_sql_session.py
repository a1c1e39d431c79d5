import os
import pathlib
import sys

import pytest

from tfx_wine_ext.sources.source import TableFileError
from tfx_wine_ext.sources.sql_session import Session, library_of, needed


@pytest.fixture
def session():
    session = Session("memory", library_of("adbc_driver_sqlite", "memory"), {}, ["hunter2 o'w"])
    yield session
    session.close()


def test_a_query_gives_rows_columns_and_batches(session):
    assert session.rows("SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL") == [(1, "x"), (2, None)]
    assert session.rows("SELECT $1 AS a, $2 AS b", "it's", "") == [("it's", "")]
    assert session.rows("CREATE TABLE a (b)") == []
    assert session.schema("SELECT 1 AS a, 2.5 AS a").names == ["a", "a"]
    first, *batches = session.batches("SELECT 1 AS a")
    assert (first.num_rows, first.schema.names) == (0, ["a"])
    assert [batch.to_pydict() for batch in batches] == [{"a": [1]}]


def test_an_error_has_the_message_of_the_database_without_secrets(session):
    with pytest.raises(TableFileError, match=r"^memory: .*no such table: wines; correct") as caught:
        session.rows("SELECT * FROM wines")
    assert caught.value.__cause__ is None
    for secret in ("hunter2 o'w", "hunter2%20o%27w"):
        with pytest.raises(TableFileError, match=r"no such column: \*\*\*"):
            session.rows(f"SELECT [{secret}]")


def test_a_long_message_is_cut_in_its_middle_and_secrets_with_many_spaces_are_masked():
    library = library_of("adbc_driver_sqlite", "memory")
    session = Session("memory", library, {}, ["a  \n b"])
    with pytest.raises(TableFileError, match=r"no such column: \*\*\*"):
        session.rows("SELECT [a  \n b]")
    with pytest.raises(TableFileError, match=r"no such column: xxx.* \.\.\. x.*xx") as caught:
        session.rows(f"SELECT [{'x' * 10_000}]")
    assert len(str(caught.value)) < 700
    session.close()


def test_a_lost_connection_closes_without_an_error(session):
    session._connection.close()
    session.close()


def test_a_missing_package_is_named_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "adbc_driver_manager.dbapi", None)
    with pytest.raises(
        TableFileError, match=r"^db: expected the package adbc_driver_manager, .*tfx-wine-ext\[sql"
    ):
        needed("adbc_driver_manager.dbapi", "db")


def test_a_driver_is_a_package_or_what_the_manager_knows(monkeypatch):
    library = library_of("adbc_driver_postgresql", "db")
    assert os.path.isabs(library)
    assert pathlib.Path(library).exists()
    assert library_of("snowflake", "db") == "snowflake"
    with pytest.raises(
        TableFileError, match=r"^db: .*Could not load `nosuch`.*; install the driver"
    ):
        Session("db", library_of("nosuch", "db"), {})
