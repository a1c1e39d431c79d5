"""Files that are gone are None, wherever they were."""

from __future__ import annotations

import threading
import time

import pytest

from tfx_wine_ext.files import tolerant
from tfx_wine_ext.files.local import LocalFiles
from tfx_wine_ext.files.tolerant import SoftFiles, Unread


def test_what_is_there_is_read(tmp_path):
    (tmp_path / "b").write_bytes(b"x")
    (tmp_path / "a").mkdir()
    files = SoftFiles()
    assert files.read(f"{tmp_path}/b") == b"x"
    assert files.names(str(tmp_path)) == ["a", "b"]
    assert files.existing(f"{tmp_path}/b") == f"{tmp_path}/b"
    assert files.existing(f"{tmp_path}/a") == f"{tmp_path}/a"


@pytest.mark.parametrize("path", ["", "gone", "gone/x", "a\0b", "x" * 5000, "C:\\gone"])
def test_what_is_gone_is_none(path):
    files = SoftFiles()
    assert (files.read(path), files.names(path or "gone"), files.existing(path)) == (None, [], None)


def test_a_folder_is_not_read_and_a_file_has_no_names(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    assert SoftFiles().read(str(tmp_path)) is None
    assert SoftFiles().names(f"{tmp_path}/file") == []


@pytest.mark.e2e
def test_a_path_with_a_scheme_is_read_by_tensorflow():
    import tensorflow as tf

    with tf.io.gfile.GFile("ram://lineage/run/a.txt", "wb") as file:
        file.write(b"x")
    files = SoftFiles()
    assert files.read("ram://lineage/run/a.txt") == b"x"
    assert files.names("ram://lineage/run") == ["a.txt"]
    assert files.existing("ram://lineage/run/a.txt") == "ram://lineage/run/a.txt"
    assert (files.read("ram://lineage/gone"), files.existing("ram://lineage/gone")) == (None, None)
    assert files.read("ram://lineage/run/a.txt") == b"x"


class OtherFiles(LocalFiles):
    """Not a server: the local file system under addresses, which fails as it is told."""

    def __init__(self):
        self.asked = []
        self.fail = lambda path: None

    def at(self, path):
        self.asked.append(path)
        self.fail(path)
        return path.partition("://")[2].partition("/")[2]

    def names(self, folder):
        return super().names(self.at(folder))

    def exists(self, path):
        return super().exists(self.at(path) or "/")

    def open(self, path):
        return super().open(self.at(path))


@pytest.fixture
def other(monkeypatch):
    other = OtherFiles()
    monkeypatch.setattr(tolerant, "files_for", lambda path: other)
    return other


def raising(error):
    def fail(path):
        raise error

    return fail


def test_after_three_failures_and_no_success_a_bucket_is_not_asked_again(other):
    other.fail = raising(PermissionError("denied"))
    files = SoftFiles()
    for number in range(5):
        assert files.read(f"hdfs://a:1/x/{number}") is None
    assert files.names("hdfs://b:1/x") == []
    assert len(other.asked) == 4
    unread = files.take_unread()
    assert {(each.problem, each.why) for each in unread} == {("unreadable", "denied")}
    assert [each.place for each in unread] == ["hdfs://a:1"] * 5 + ["hdfs://b:1"]


def test_a_failure_of_some_files_hides_no_others(other, tmp_path):
    (tmp_path / "good").write_bytes(b"x")
    bad = PermissionError("denied")
    other.fail = lambda path: raising(bad)(path) if "bad" in path else None
    files = SoftFiles()
    assert files.read(f"s3://a/{tmp_path}/good") == b"x"
    for number in range(5):
        assert files.read(f"s3://a/{tmp_path}/bad{number}") is None
    assert files.read(f"s3://a/{tmp_path}/good") == b"x"
    assert files.read(f"s3://a/{tmp_path}") is None  # A folder: no failure of the server.
    assert len(files.take_unread()) == 6


def test_a_slow_failure_is_not_repeated_but_other_buckets_are_asked(other, monkeypatch):
    monkeypatch.setattr(tolerant, "SLOW_SECONDS", 0.0)
    other.fail = raising(OSError("out of order"))
    files = SoftFiles()
    asked = ("s3://a/x", "s3://a/y", "s3://b/x", "s3://b/y")
    assert [files.read(path) for path in asked] == [None] * 4
    assert other.asked == ["s3://a/x", "s3://b/x"]
    other.fail = raising(PermissionError("denied"))
    assert [files.read(path) for path in ("s3://c/x", "s3://c/y")] == [None] * 2
    assert other.asked[2:] == ["s3://c/x", "s3://c/y"]


def test_a_server_that_cannot_be_reached_is_not_asked_again_for_any_bucket(other):
    other.fail = raising(ConnectionError("cannot be reached"))
    files = SoftFiles()
    assert (files.read("s3://a/x"), files.read("s3://b/x")) == (None, None)
    assert (files.read("hdfs://a:1/x"), files.read("hdfs://b:1/x")) == (None, None)
    assert SoftFiles(before=files).read("s3://a/x") is None
    asked = [path for path in other.asked if not path.endswith("//a")]  # Is there a bucket?
    assert asked == ["s3://a/x", "hdfs://a:1/x", "hdfs://b:1/x"]
    assert {each.why for each in files.take_unread()} == {"cannot be reached"}


def test_a_server_that_never_answers_is_waited_for_once(other, monkeypatch):
    monkeypatch.setattr(tolerant, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(tolerant, "SLOW_SECONDS", 0.1)
    over = threading.Event()
    other.fail = lambda path: over.wait(30)
    files = SoftFiles()
    started = time.monotonic()
    assert [files.is_there(f"s3://a/{number}") for number in range(9)] == [None] * 9
    assert time.monotonic() - started < 2
    over.set()
    assert (files.take_unread()[0].why or "").startswith("no answer within 0.2 s; check")


def test_what_a_server_says_is_gone_is_gone(other, tmp_path):
    (tmp_path / "run").mkdir()
    files = SoftFiles()
    root = f"s3://a/{tmp_path}"
    assert (files.is_there(f"{root}/gone"), files.is_there(f"{root}/run")) == (False, True)
    assert files.read(f"{root}/run", "a.txt") is None
    assert files.read(f"{root}/other run", "a.txt") is None
    files.note_if_missing(f"{root}/third run")
    assert files.take_unread() == (
        Unread(f"{root}/run/a.txt", "missing"),
        Unread(f"{root}/other run", "missing"),
        Unread(f"{root}/third run", "missing"),
    )


def test_a_larger_file_than_a_document_may_be_is_not_kept(other, monkeypatch, tmp_path):
    monkeypatch.setattr(tolerant, "MAX_BYTES", 10)
    (tmp_path / "large").write_bytes(b"x" * 11)
    files = SoftFiles()
    assert files.read(f"s3://a/{tmp_path}/large") is None
    [unread] = files.take_unread()
    assert (unread.why, unread.place) == ("expected at most 10 bytes, found a larger file", None)


def test_a_password_is_neither_sent_nor_told(other):
    other.fail = raising(OSError("no s3://key:secret@wine/a"))
    files = SoftFiles()
    assert files.read("s3://key:secret@wine/a") is None
    assert other.asked == ["s3://wine/a", "s3://wine"]
    [unread] = files.take_unread()
    assert unread == Unread(
        "s3://key:***@wine/a", "unreadable", "no s3://key:***@wine/a", (), "s3://wine"
    )


@pytest.mark.e2e
def test_a_file_system_that_nobody_knows_is_asked_once():
    files = SoftFiles()
    assert files.read("nosuch://server/a") is None
    started = time.monotonic()
    assert files.names("nosuch://server/b") == []
    assert files.existing("nosuch://server/c") is None
    assert time.monotonic() - started < 2
