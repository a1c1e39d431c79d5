"""A store that a pipeline cannot write is an error in seconds; the check records nothing."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import pathlib
import shutil
import sqlite3

import pytest
from ml_metadata.metadata_store import metadata_store

from tests.lineage.conftest import Five
from tfx_wine_ext.lineage import sqlite_file
from tfx_wine_ext.lineage.connection import connection_config
from tfx_wine_ext.lineage.errors import StoreError
from tfx_wine_ext.lineage.store import open_store
from tfx_wine_ext.lineage.writable import check_writable


def test_a_new_file_gets_tables_and_the_types_that_tfx_makes_first(tmp_path: pathlib.Path) -> None:
    config = connection_config(tmp_path / "new.db")
    for _ in range(2):
        check_writable(config)
    store = metadata_store.MetadataStore(config)
    types = [type_.name for type_ in store.get_context_types()]
    assert types == ["pipeline", "pipeline_run", "node", "execution_cache"]
    assert store.get_contexts() == []


def test_a_store_with_runs_stays_as_it_is(five: Five, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "metadata.db"
    shutil.copy(five.store.path, path)
    check_writable(connection_config(path))  # It makes the types that the store lacks.
    before = dump(path)
    check_writable(connection_config(path))
    assert dump(path) == before


def dump(path: pathlib.Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_a_file_in_no_folder_is_an_error_and_no_folder_is_made(tmp_path: pathlib.Path) -> None:
    message = f"expected a folder in which an SQLite file can be made, found no folder {tmp_path}/x"
    with pytest.raises(StoreError, match=message):
        check_writable(connection_config(tmp_path / "x" / "metadata.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_kind_is_an_error(tmp_path: pathlib.Path) -> None:
    (tmp_path / "metadata.db").write_bytes(b"alcohol,pH\n" * 100)
    with pytest.raises(StoreError, match=r"metadata\.db: expected an SQLite database .*damaged"):
        check_writable(connection_config(tmp_path / "metadata.db"))


def test_a_database_of_something_else_is_an_error_and_gets_no_tables(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "bookmarks.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE places (url TEXT)")
    before = dump(path)
    with pytest.raises(StoreError, match="expected the tables of MLMD, found an SQLite database w"):
        check_writable(connection_config(path))
    assert dump(path) == before


def test_an_empty_database_gets_tables(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "metadata.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
    check_writable(connection_config(path))
    assert len(dump(path)) > 15


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("UPDATE Type SET type_kind = 'x'", "type_kind of the table Type"),
        ("INSERT INTO TypeProperty VALUES (1, 'span', 'x')", "data_type of the table TypeProperty"),
    ],
)
def test_a_value_over_which_mlmd_would_end_the_process_is_an_error(
    tmp_path: pathlib.Path, change: str, where: str
) -> None:
    path = tmp_path / "metadata.db"
    check_writable(connection_config(path))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
        connection.commit()
    for use in (lambda: check_writable(connection_config(path)), lambda: open_store(path)):
        with pytest.raises(StoreError, match=f"values of the type .* in the column {where}"):
            use()


def test_a_store_that_is_opened_for_reading_only_is_an_error(
    five: Five, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "metadata.db"
    shutil.copy(five.store.path, path)
    sqlite = {"filename_uri": str(path), "connection_mode": "READONLY"}
    with pytest.raises(StoreError, match="expected a metadata store that this account may write"):
        check_writable(connection_config(json.dumps({"sqlite": sqlite})))


def test_a_store_that_another_process_writes_is_an_error_in_bounded_time(
    five: Five, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "LOCK_SECONDS", 0.2)
    path = tmp_path / "metadata.db"
    shutil.copy(five.store.path, path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"locked by another process for more than 0\.2 s"):
            check_writable(connection_config(path))


def test_a_type_that_two_processes_made_at_the_same_time_is_an_error(
    tmp_path: pathlib.Path,
) -> None:
    config = connection_config(tmp_path / "metadata.db")
    check_writable(config)
    with contextlib.closing(sqlite3.connect(tmp_path / "metadata.db")) as connection:
        again = "INSERT INTO Type (name, type_kind) SELECT name, type_kind FROM Type WHERE name = ?"
        connection.execute(again, ("node",))
        connection.commit()
    with pytest.raises(StoreError, match=r"each type .* once, found twice: node, .* new database"):
        check_writable(config)


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("user", "database", "message"),
    [
        ("reader", "empty", "expected the tables of MLMD, or an account that may make them, found"),
        ("writer", "none", 'found FATAL: database "none" does not exist; check .*PGPASSWORD'),
    ],
)
def test_a_database_without_tables_or_that_is_not_there_is_an_error(
    postgresql, user, database, message, monkeypatch
):
    monkeypatch.setenv("PGPASSWORD", postgresql.env(user)["PGPASSWORD"])
    with pytest.raises(StoreError, match=message):
        check_writable(connection_config(postgresql.url(user, database)))


@pytest.mark.e2e
def test_an_account_that_may_only_read_is_an_error(postgresql, monkeypatch, capfd):
    writer, reader = (postgresql.env(user)["PGPASSWORD"] for user in ("writer", "reader"))
    monkeypatch.setenv("PGPASSWORD", writer)
    config = connection_config(postgresql.url("writer"))
    check_writable(config)
    store = metadata_store.MetadataStore(config)
    type_id = store.get_context_type("pipeline").id
    store.put_contexts([metadata_store.proto.Context(type_id=type_id, name="a pipeline")])
    check_writable(config)
    assert [context.name for context in store.get_contexts()].count("a pipeline") == 1
    monkeypatch.setenv("PGPASSWORD", reader)
    capfd.readouterr()
    with pytest.raises(StoreError, match=r"may write, found ERROR: permission denied for table"):
        check_writable(connection_config(postgresql.url("reader")))
    assert capfd.readouterr() == ("", "")


@pytest.mark.e2e
def test_processes_that_make_the_tables_at_the_same_time_all_succeed(postgresql, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", postgresql.env("writer")["PGPASSWORD"])
    url = postgresql.url("writer", "new")
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_check, [url] * 3) == [None] * 3
    store = metadata_store.MetadataStore(connection_config(url))
    assert {type_.name for type_ in store.get_context_types()} == {
        "pipeline",
        "pipeline_run",
        "node",
        "execution_cache",
    }


def _check(url: str) -> None:
    check_writable(connection_config(url))
