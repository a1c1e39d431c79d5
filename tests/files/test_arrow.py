"""What is so on object stores only; tests/files/test_choose.py has what is so everywhere."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys

import pyarrow.fs
import pytest

from tfx_wine_ext.files import arrow
from tfx_wine_ext.files.arrow import ArrowFiles
from tfx_wine_ext.files.local import RemoteError

FILES = ArrowFiles()


def write(path, content=b"x"):
    with FILES.create(path) as stream:
        stream.write(content)


def read(path):
    with FILES.open(path) as stream:
        return stream.read()


def keys(s3):
    """All objects of the bucket, markers of folders included."""
    from moto.backends import get_backend

    [backend] = [b["global"] for b in [get_backend("s3")["123456789012"]]]
    return sorted(backend.buckets[s3.removeprefix("s3://")].keys)


def test_a_small_file_takes_few_requests(s3, s3_server):
    def requests(done):
        before = len(s3_server.requests)
        done()
        return len(s3_server.requests) - before

    assert requests(lambda: write(f"{s3}/a/b")) == 3  # An upload is begun, filled and ended.
    assert requests(lambda: read(f"{s3}/a/b")) == 2  # Its size, and its content.
    assert requests(lambda: FILES.exists(f"{s3}/a/b")) == 1
    assert requests(lambda: FILES.glob(f"{s3}/a/*")) == 1
    assert requests(lambda: FILES.names(f"{s3}/a")) == 1


def test_an_object_that_marks_a_folder_is_no_file(s3, s3_server):
    pyarrow.fs.S3FileSystem(endpoint_override=s3_server.url).create_dir(f"{s3[5:]}/marked")
    assert keys(s3) == ["marked/"]
    write(f"{s3}/marked/a")
    assert FILES.glob(f"{s3}/marked/*") == FILES.glob(f"{s3}/**") == [f"{s3}/marked/a"]
    assert FILES.names(f"{s3}/marked") == ["a"]
    FILES.move_tree(f"{s3}/marked", f"{s3}/moved")
    assert FILES.glob(f"{s3}/**") == [f"{s3}/moved/a"]


def test_a_folder_is_a_whole_part_of_a_name(s3):
    write(f"{s3}/model/a")
    assert [FILES.is_dir(f"{s3}/{name}") for name in ("model", "mod", "model/a")] == [
        True,
        False,
        False,
    ]


def test_nothing_appears_before_a_file_is_closed_and_nothing_of_one_that_failed(s3):
    stream = FILES.create(f"{s3}/a")
    stream.write(b"x" * 9_000_000)
    stream.flush()
    assert keys(s3) == []
    with pytest.raises(ZeroDivisionError), stream:
        raise ZeroDivisionError
    assert keys(s3) == []
    FILES.create(f"{s3}/b").write(b"forgotten")
    assert keys(s3) == []


def test_what_was_sent_of_a_file_that_cannot_be_read_to_its_end_is_withdrawn(s3):
    class Broken:
        left = 1

        def read(self, size):
            if not self.left:
                raise OSError("the disk is broken")
            self.left -= 1
            return b"x" * 6_000_000

    with arrow._explained(f"{s3}/a") as client, pytest.raises(OSError, match="disk is broken"):
        arrow._send(client, Broken(), f"{s3[5:]}/a")
    assert "a" not in keys(s3)


def test_a_large_file_is_sent_in_parts(s3):
    content = bytes(range(256)) * 80_000
    write(f"{s3}/a", content)
    assert read(f"{s3}/a") == content


def test_an_object_that_is_too_large_to_be_copied_by_the_server_is_copied_here(s3, monkeypatch):
    monkeypatch.setattr(arrow, "MOST_COPIED_BYTES", 2)
    write(f"{s3}/a.gz", b"123")
    FILES.rename(f"{s3}/a.gz", f"{s3}/b.gz")
    assert (keys(s3), read(f"{s3}/b.gz")) == (["b.gz"], b"123")


def test_nothing_is_left_where_a_file_was_renamed_and_a_folder_removed(s3):
    write(f"{s3}/out/.staging/a.1")
    FILES.rename(f"{s3}/out/.staging/a.1", f"{s3}/out/.staging/a")
    FILES.move_tree(f"{s3}/out/.staging", f"{s3}/out/Split-a")
    FILES.remove_tree(f"{s3}/out/.staging")
    assert [key for key in keys(s3) if not key.endswith("/")] == ["out/Split-a/a"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda path: FILES.glob(f"{path}/*"),
        lambda path: FILES.glob(path),
        lambda path: FILES.open(path),
        lambda path: write(path),
        lambda path: FILES.names(path),
    ],
    ids=["pattern", "path", "open", "write", "names"],
)
def test_a_bucket_that_does_not_exist_is_named(s3, ask):
    message = r"^s3://no-such-bucket/a[/*]*: expected the bucket 'no-such-bucket', found none on"
    with pytest.raises(RemoteError, match=message):
        ask("s3://no-such-bucket/a")


def _child(path, queue):
    queue.put(read(path))


def test_a_process_that_was_forked_has_a_client_of_its_own(s3):
    write(f"{s3}/a", b"content")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(f"{s3}/a", queue))
    child.start()
    assert queue.get(timeout=30) == b"content"
    child.join(30)
    assert child.exitcode == 0


def test_a_process_ends_well_whatever_it_left_open(s3):
    write(f"{s3}/a", b"content")
    program = (
        "from tfx_wine_ext.files.choose import FilesByScheme as F; "
        f"a = F().open('{s3}/a'); print(a.read()); b = F().create('{s3}/b')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "b'content'\n", "")
