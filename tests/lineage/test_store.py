"""A metadata store is opened for reading, or an error says in a line what is wrong with it."""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from urllib.parse import quote

import ml_metadata.errors
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from benchmarks.stores import TfxStore
from tests.lineage.conftest import Five
from tfx_wine_ext.lineage import sqlite_file
from tfx_wine_ext.lineage import store as store_module
from tfx_wine_ext.lineage.connection import connection_config
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import StoreError, open_store, store_name


@pytest.fixture
def copy(five: Five, tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "metadata.db"
    shutil.copy(five.store.path, path)
    return path


def names(where: str) -> list[str]:
    return [run.run for run in runs(Snapshot.read(open_store(where)))]


FIVE = [f"2026-01-0{number}T00:00:00" for number in range(1, 6)]


def test_a_store_is_named_by_path_by_url_or_by_json(copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = json.dumps({"sqlite": {"filename_uri": str(copy)}})
    (tmp_path / "config.json").write_text(text)
    for where in (copy, "metadata.db", f"sqlite:///{copy}", "sqlite:///metadata.db", text):
        assert names(where) == FIVE
    assert names(tmp_path / "config.json") == FIVE


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "#1.db", "wört.db", "a&b=c.db"])
def test_any_character_may_be_in_the_path(copy, tmp_path, name):
    path = copy.rename(tmp_path / name)
    assert names(path) == FIVE
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_reading_changes_neither_the_file_nor_the_folder(copy, tmp_path):
    content, modified = copy.read_bytes(), copy.stat().st_mtime_ns
    assert len(names(copy)) == 5
    assert (copy.read_bytes(), copy.stat().st_mtime_ns) == (content, modified)
    assert list(tmp_path.iterdir()) == [copy]


def test_a_file_with_a_write_ahead_log_gets_no_files_beside_it(copy, tmp_path):
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    content = copy.read_bytes()
    assert names(copy) == FIVE
    assert [path.name for path in tmp_path.iterdir()] == ["metadata.db"]
    assert copy.read_bytes() == content


def test_what_is_still_in_the_write_ahead_log_is_read(copy):
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE Context SET name = 'x' WHERE name LIKE '2026-01-05%'")
        connection.commit()
        assert names(copy) == [*FIVE[:4], "x"]


def test_the_file_name_of_a_config_may_be_a_uri(copy, tmp_path):
    path = copy.rename(tmp_path / "a b.db")
    uri = f"file:{str(path).replace(' ', '%20')}?mode=rwc"
    assert names(json.dumps({"sqlite": {"filename_uri": uri}})) == FIVE
    assert store_name(json.dumps({"sqlite": {"filename_uri": uri}})) == str(path)


def test_a_file_that_may_not_be_written_is_read(copy, tmp_path):
    copy.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        assert names(copy) == FIVE
    finally:
        tmp_path.chmod(0o700)


def test_an_opened_store_refuses_to_be_written(copy):
    store = open_store(copy)
    with pytest.raises(ml_metadata.errors.StatusError, match="readonly"):
        store.put_artifact_type(pb.ArtifactType(name="New"))


def test_a_missing_file_is_not_made(tmp_path):
    with pytest.raises(StoreError, match=r"no\.db: expected a metadata store, found no such file"):
        open_store(tmp_path / "no.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found an empty file"),
        (b"alcohol,pH\n1,2\n", "found a file of another kind"),
        (b"SQLite format 3\x00" + b"x" * 1000, "expected an SQLite database that can be read"),
    ],
)
def test_a_file_that_is_no_store_is_told_from_one(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=f"file: .*{message}"):
        open_store(path)
    assert path.read_bytes() == content


def test_a_folder_is_no_store(tmp_path):
    with pytest.raises(StoreError, match=r"found a folder; give the file in it"):
        open_store(tmp_path)


def test_an_sqlite_file_of_something_else_gets_no_tables(tmp_path):
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE Type (id INTEGER)")
        connection.commit()
    content = path.read_bytes()
    with pytest.raises(StoreError, match=r"expected the tables of MLMD, found .* without Artifact"):
        open_store(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("version", [6, 11])
def test_a_store_of_another_schema_version_is_not_migrated(copy, version):
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        connection.execute("UPDATE MLMDEnv SET schema_version = ?", (version,))
        connection.commit()
    content = copy.read_bytes()
    message = rf"expected schema version 10 of MLMD, found {version}; .*nothing is migrated here"
    with pytest.raises(StoreError, match=message):
        open_store(copy)
    assert copy.read_bytes() == content


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def locked(path):
    """Holds an exclusive lock in another process: SQLite's locks do not count within one."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.stdin.close()


def test_a_locked_store_is_an_error_in_bounded_time(copy, monkeypatch):
    monkeypatch.setattr(sqlite_file, "LOCK_SECONDS", 0.5)
    with locked(copy):
        started = time.monotonic()
        with pytest.raises(StoreError, match=r"locked by another process for more than 0\.5 s"):
            open_store(copy)
        assert time.monotonic() - started < 15


def test_a_lock_that_ends_in_time_is_waited_for(copy):
    with locked(copy) as process:
        threading.Timer(0.5, process.stdin.close).start()
        assert names(copy) == FIVE


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_server_that_is_not_there_is_named_without_the_password(kind):
    port = free_port()
    with pytest.raises(StoreError, match=r"expected a server at 127\.0\.0\.1") as caught:
        open_store(f"{kind}://me:s%40cret@127.0.0.1:{port}/mlmd")
    assert str(caught.value).startswith(f"{kind}://me@127.0.0.1:{port}/mlmd: ")
    assert "s@cret" not in str(caught.value)
    assert "s%40cret" not in str(caught.value)


def test_a_grpc_server_that_is_not_there_is_named():
    port = free_port()
    with pytest.raises(StoreError, match=rf"grpc://127.0.0.1:{port}: expected a server at 127"):
        open_store(f"grpc://127.0.0.1:{port}")


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(store_module, "CALL_SECONDS", 0.5)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(StoreError, match=rf"grpc://127.0.0.1:{port}: expected MLMD's gRPC"):
            open_store(f"grpc://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("ftp://example.com/x", r"ftp://example.com/x: .*found the scheme 'ftp'"),
        ("mysql://me:pw@example.com", r"mysql://me@example.com: .*found no database"),
        ("postgresql:///mlmd", r"found no host"),
        ("grpc://example.com", r"expected grpc://host:port, found no host or no port"),
        ("mysql://me:pw@example.com:x/db", r"expected a port between 0 and 65535"),
        ("mysql://me:pw@example.com/db?ssl=1", r"found ssl; give a ConnectionConfig as JSON"),
        ('{"sqlite": {"file": "x"}}', r"expected MLMD's ConnectionConfig as JSON"),
        ('{"fake_database": {}}', r"with one of sqlite, mysql and postgresql"),
        ("{pw", r"expected MLMD's ConnectionConfig as JSON"),
    ],
)
def test_what_names_no_store_is_an_error_without_a_password(where, message):
    with pytest.raises(StoreError, match=message) as caught:
        open_store(where)
    assert "pw" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.e2e
def test_a_store_on_postgresql_is_read_and_refuses_to_be_written(postgresql, tmp_path, monkeypatch):
    with monkeypatch.context() as environment:
        environment.setenv("PGPASSWORD", postgresql.env("writer")["PGPASSWORD"])
        made = TfxStore(tmp_path, config=connection_config(postgresql.url("writer")))
    made.run("monday")
    made.component("CsvExampleGen", "a.CsvExampleGen", outputs={"examples": ("Examples", {})})
    made.run("tuesday")
    made.component("CsvExampleGen", "a.CsvExampleGen", state="FAILED")
    # A password with a quote and a space, in the URL.
    password = quote(postgresql.env("reader")["PGPASSWORD"])
    url = postgresql.url(f"reader:{password}")
    store = open_store(url)

    found = runs(Snapshot.read(store, "wine"))

    assert [(run.run, run.state) for run in found] == [
        ("monday", "COMPLETE"),
        ("tuesday", "FAILED"),
    ]
    assert found[0].components[0].id == "CsvExampleGen"
    assert found[0].examples.uri == f"{tmp_path}/root/CsvExampleGen/examples/1"
    with pytest.raises(ml_metadata.errors.StatusError, match="read-only transaction"):
        store.put_artifact_type(pb.ArtifactType(name="New"))


@pytest.mark.e2e
def test_a_postgresql_database_without_a_store_gets_no_tables(postgresql, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", postgresql.env("writer")["PGPASSWORD"])
    with pytest.raises(StoreError, match="expected the tables of MLMD, found none"):
        open_store(postgresql.url("writer", "empty"))
    count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert postgresql.sql("empty", count) == "0\n"


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("user", "database", "found"),
    [
        ("writer:wr%20ong", "mlmd", 'FATAL: password authentication failed for user "writer"'),
        ("writer:{}", "none", 'FATAL: database "none" does not exist'),
        ("writer", "mlmd", "no password supplied"),
    ],
)
def test_what_postgresql_refuses_is_said_without_the_password(
    postgresql, user, database, found, capfd, monkeypatch
):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    password = postgresql.env("writer")["PGPASSWORD"]
    url = postgresql.url(user.format(quote(password)), database)
    with pytest.raises(StoreError, match="expected a metadata store that opens") as caught:
        open_store(url)
    assert found in str(caught.value)
    # MLMD's own words are in the error, and not on stderr.
    assert capfd.readouterr() == ("", "")
    assert password not in str(caught.value)
    assert "ong" not in str(caught.value)
