"""A store's file is read whatever a killed process has left, and nothing is written beside it."""

from __future__ import annotations

import collections
import contextlib
import gc
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import pytest

from tests.lineage.conftest import Five
from tfx_wine_ext.lineage import sqlite_file
from tfx_wine_ext.lineage.errors import StoreError
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store

# A small cache, which SQLite empties into the file before the end of the transaction. The process
# then ends as by `kill -9`, or waits in the middle of it.
WRITER = """
import os, signal, sqlite3, sys
path, mode, ending = sys.argv[1:]
connection = sqlite3.connect(path, isolation_level=None)
connection.execute(f"PRAGMA journal_mode = {mode}")
connection.execute("PRAGMA wal_autocheckpoint = 0")
if mode == "WAL":
    connection.execute("UPDATE Context SET name = 'committed' WHERE name LIKE '2026-01-05%'")
connection.execute("PRAGMA cache_size = 5")
connection.execute("BEGIN")
if ending != "idle":
    connection.execute("UPDATE Execution SET last_known_state = 4")
    connection.execute("DELETE FROM Event WHERE id % 2 = 0")
    connection.execute("UPDATE Context SET name = name || hex(zeroblob(500))")
else:
    connection.execute("UPDATE Type SET description = 'x' WHERE id = 1")
if ending == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
print("written", flush=True)
sys.stdin.read()
"""
FIVE = [f"2026-01-0{number}T00:00:00" for number in range(1, 6)]


@pytest.fixture
def copy(five: Five, tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "stores"
    folder.mkdir()
    shutil.copy(five.store.path, folder / "metadata.db")
    return folder / "metadata.db"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for copies, which must be empty at the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    gc.collect()
    assert list(folder.iterdir()) == []


def kill_in_transaction(path: pathlib.Path, mode: str = "DELETE") -> None:
    done = subprocess.run([sys.executable, "-c", WRITER, path, mode, "killed"])
    assert done.returncode == -signal.SIGKILL


def digests(folder: pathlib.Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def states(where: object) -> list[tuple[str, str]]:
    return [(run.run, run.state) for run in runs(Snapshot.read(open_store(str(where))))]


@pytest.fixture
def hot(copy):
    """A store whose writer was killed in a transaction, of which a part is in the file."""
    before = copy.read_bytes()
    kill_in_transaction(copy)
    assert copy.with_name("metadata.db-journal").stat().st_size > 512
    assert copy.read_bytes() != before
    return copy


def test_what_a_killed_transaction_has_left_is_read_as_before_it(five, hot, temporary):
    before = digests(hot.parent)
    found = runs(Snapshot.read(open_store(hot)))
    assert found == five.runs
    assert digests(hot.parent) == before


def test_the_half_of_it_that_is_in_the_file_is_wrong(hot):
    # What a copy without the journal would show: why it is not enough to copy the file.
    hot.with_name("metadata.db-journal").unlink()
    assert collections.Counter(state for _, state in states(hot)) == {"FAILED": 5}


def test_a_link_leads_to_the_journal_beside_the_file(five, hot, tmp_path, temporary):
    (tmp_path / "link.db").symlink_to(hot)
    assert runs(Snapshot.read(open_store(tmp_path / "link.db"))) == five.runs


def test_a_killed_writer_of_a_write_ahead_log_loses_what_it_did_not_commit(copy, temporary):
    kill_in_transaction(copy, "WAL")
    before = digests(copy.parent)
    assert sorted(before) == ["metadata.db", "metadata.db-shm", "metadata.db-wal"]
    names = [name for name, _ in states(copy)]
    assert names == [*FIVE[:4], "committed"]
    assert digests(copy.parent) == before


def test_a_log_without_its_index_is_read_too(copy, temporary):
    kill_in_transaction(copy, "WAL")
    copy.with_name("metadata.db-shm").unlink()
    assert [name for name, _ in states(copy)] == [*FIVE[:4], "committed"]
    assert not copy.with_name("metadata.db-shm").exists()


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_where_nothing_can_be_written_it_is_read_alike(copy, temporary, mode):
    kill_in_transaction(copy, mode)
    expected = [*FIVE[:4], "committed" if mode == "WAL" else FIVE[4]]
    for path in copy.parent.iterdir():
        path.chmod(0o444)
    copy.parent.chmod(0o555)
    before = digests(copy.parent)
    program = (
        "import sys\nfrom tests.lineage.test_sqlite_file import states\n"
        "try:\n    open(sys.argv[1] + '-new', 'w')\n"
        "except PermissionError:\n    print(*(name for name, _ in states(sys.argv[1])))\n"
    )
    done = subprocess.run(
        [*without_roots_rights(), sys.executable, "-c", program, copy],
        stdout=subprocess.PIPE,
        text=True,
        cwd=pathlib.Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    copy.parent.chmod(0o755)
    assert done.stdout.split() == expected
    assert digests(copy.parent) == before


def without_roots_rights() -> list[str]:
    """The beginning of a command that may not write what its user may not."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everything, and setpriv is not installed")
    rights = "-dac_override,-dac_read_search,-fowner"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]


def test_a_store_that_a_live_process_has_begun_to_change_is_read_as_it_is(five, copy, temporary):
    # Its journal is there, and nothing is in the file yet.
    with writing(copy, "idle"):
        assert copy.with_name("metadata.db-journal").stat().st_size > 0
        before = digests(copy.parent)
        assert runs(Snapshot.read(open_store(copy))) == five.runs
        assert digests(copy.parent) == before


def test_a_store_that_a_live_process_is_writing_is_locked_and_not_copied(
    copy, temporary, monkeypatch
):
    monkeypatch.setattr(sqlite_file, "LOCK_SECONDS", 0.3)
    with writing(copy, "waiting"):
        started = time.monotonic()
        with pytest.raises(
            StoreError, match=r"locked by another process for more than 0\.3 s; try"
        ):
            open_store(copy)
        assert time.monotonic() - started < 15


@contextlib.contextmanager
def writing(path: pathlib.Path, ending: str) -> Iterator[None]:
    """Holds a process in the middle of a transaction."""
    command = [sys.executable, "-c", WRITER, str(path), "DELETE", ending]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "written\n"
        yield
        process.communicate("")


def test_without_room_for_the_copy_it_says_how_much_is_needed(hot, temporary, monkeypatch):
    usage = collections.namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(7))
    with pytest.raises(StoreError) as caught:
        open_store(hot)
    assert str(caught.value).startswith(f"{hot}: expected ")
    needed = hot.stat().st_size + 2 * hot.with_name("metadata.db-journal").stat().st_size
    assert caught.value.expected.startswith(f"{needed:,} bytes free in {temporary} for a copy")
    assert caught.value.found == "7 bytes"
    assert "$TMPDIR" in caught.value.remedy


@pytest.mark.parametrize("journal", [b"", b"\0" * 512, b"no journal at all" * 100])
def test_a_file_that_is_no_journal_does_no_harm(five, copy, temporary, journal):
    copy.with_name("metadata.db-journal").write_bytes(journal)
    assert runs(Snapshot.read(open_store(copy))) == five.runs


@pytest.mark.parametrize("log", [b"", b"no log at all" * 100])
def test_a_file_that_is_no_log_does_no_harm(five, copy, temporary, log):
    copy.with_name("metadata.db-wal").write_bytes(log)
    assert runs(Snapshot.read(open_store(copy))) == five.runs


def test_a_path_that_is_no_text_is_read(five, copy, temporary):
    path = os.fsencode(copy.parent) + b"/caf\xe9.db"
    os.rename(copy, path)
    assert runs(Snapshot.read(open_store(os.fsdecode(path)))) == five.runs


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_is_refused_at_once(tmp_path, make):
    path = tmp_path / "metadata.db"
    make(path)
    with pytest.raises(StoreError, match=r"expected a metadata store in a regular file, found a "):
        open_store(path)


def test_a_path_with_a_nul_is_refused(tmp_path):
    for where in ("a\0b", json.dumps({"sqlite": {"filename_uri": "a\0b"}})):
        with pytest.raises(StoreError, match="found one that holds a NUL"):
            open_store(where)


def test_a_dangling_link_is_told_from_a_wrong_path(tmp_path):
    (tmp_path / "metadata.db").symlink_to("elsewhere.db")
    with pytest.raises(StoreError, match=r"found a link to elsewhere\.db, which is not there"):
        open_store(tmp_path / "metadata.db")


@pytest.mark.parametrize("size", [10, 16, 50, 100, 4096, 100_000])
def test_a_file_that_was_cut_short_is_an_error(copy, temporary, size):
    os.truncate(copy, size)
    with pytest.raises(
        StoreError, match=r"metadata\.db: expected .*( bytes: it was cut short|its beginning)"
    ):
        open_store(copy)


def test_a_damaged_page_is_an_error_that_says_so(copy, temporary):
    with sqlite3.connect(copy) as connection:
        [[root]] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'Context'")
        [[size]] = connection.execute("PRAGMA page_size")
    connection.close()
    with copy.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    with pytest.raises(StoreError, match=r"it damaged \(.*\); restore it from a backup"):
        states(copy)


def test_a_damaged_text_in_the_schema_is_an_error_that_says_so(copy, temporary):
    # SQLite quotes it in its message, which Python can then not decode.
    content = copy.read_bytes()
    copy.write_bytes(content.replace(b"PRIMARY KEY", b"PRIMARY KE\xda"))
    with pytest.raises(StoreError, match=r"it damaged \(.*UTF-8\); restore it from a backup"):
        open_store(copy)


@pytest.mark.parametrize("text", ["[" * 10**5, '{"sqlite": 5}', '{"sqlite": {"filename_uri": 5}}'])
def test_a_configuration_of_any_other_type_is_an_error(text, tmp_path):
    (tmp_path / "config.json").write_text("{" + text[1:])
    for where in ("{" + text[1:], tmp_path / "config.json"):
        with pytest.raises(StoreError, match="expected MLMD's ConnectionConfig as JSON"):
            open_store(where)


@pytest.mark.parametrize(
    ("table", "column", "value", "type_"),
    [
        ("Artifact", "type_id", "x'ff00fe'", "INT"),
        ("Artifact", "uri", "x'ff'", "TEXT"),
        ("Execution", "last_known_state", "-1.5e300", "INT"),
        ("ArtifactProperty", "int_value", "'many'", "INT"),
        ("ArtifactProperty", "double_value", "x''", "DOUBLE"),
        ("ExecutionProperty", "is_custom_property", "987654", "TINYINT(1)"),
        ("EventPath", "step_index", "NULL", "INT"),
        ("Context", "name", "x'00'", "VARCHAR(255)"),
        ("Context", "create_time_since_epoch", "'now'", "INT"),
    ],
)
def test_a_value_of_another_type_is_an_error_before_mlmd_aborts_the_process(
    copy, temporary, table, column, value, type_
):
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        one = f"rowid = (SELECT min(rowid) FROM {table})"
        where = "is_index_step = 1" if table == "EventPath" else one
        connection.execute(f"UPDATE {table} SET {column} = {value} WHERE {where}")
        connection.commit()
    message = f"expected values of the type {type_} in the column {column} of the table {table}"
    with pytest.raises(StoreError, match=re.escape(message)):
        open_store(copy)
