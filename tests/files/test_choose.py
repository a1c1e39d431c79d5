"""The file system of a path."""

from __future__ import annotations

import gzip
import pickle
import subprocess
import sys
import uuid

import pytest

from tfx_wine_ext.files.choose import FilesByScheme, files_for, has_scheme
from tfx_wine_ext.files.local import RemoteError


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("gs://bucket/a", True),
        ("s3://bucket/a", True),
        ("ram://a", True),
        ("file:///a", True),
        ("file:/a", True),
        ("/a/b", False),
        ("a:b/c", False),
        ("", False),
    ],
)
def test_a_scheme_is_told_from_a_folder(path, expected):
    assert has_scheme(path) is expected


@pytest.mark.parametrize(
    "path",
    [
        "s3://key:wine-secret@wine/a",
        "s3://key:it's-wine-secret@wine/a",
        "gs://wine/a?X-Goog-Signature=wine-secret",
    ],
)
def test_an_address_with_a_secret_is_refused_without_showing_it(path):
    with pytest.raises(RemoteError, match=r"\*\*\*.*: expected an address without") as raised:
        files_for(path)
    assert "wine-secret" not in str(raised.value)


def test_files_here_and_in_object_stores_load_neither_tensorflow_nor_beam():
    program = (
        "import sys; from tfx_wine_ext.files.choose import files_for;"
        "names = [type(files_for(path)).__name__ for path in ('a', 's3://a/b', 'gs://a/b')];"
        "print(names, {'tensorflow', 'apache_beam', 'boto3'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "['LocalFiles', 'ArrowFiles', 'ArrowFiles'] set()\n"


@pytest.mark.e2e
def test_a_scheme_that_nobody_knows_is_refused_by_name():
    with pytest.raises(
        RemoteError, match=r"^nosuch://a: expected file://, gs://, .*found nosuch://"
    ):
        files_for("nosuch://a")


# What holds on every file system.

FILES = FilesByScheme()


@pytest.fixture(params=["local", "s3", "gs", pytest.param("ram", marks=pytest.mark.e2e)])
def root(request, tmp_path):
    if request.param == "gs":  # Its server does not decode addresses as Google does.
        return f"{request.getfixturevalue('gs')}/a [1]/b"
    if request.param == "s3":
        return f"{request.getfixturevalue('s3')}/a [1] #%20/b"
    return str(tmp_path) if request.param == "local" else f"ram://{uuid.uuid4().hex}/b"


def write(path, content=b"x"):
    with FILES.create(path) as stream:
        stream.write(content)


def read(path):
    with FILES.open(path) as stream:
        return stream.read()


def test_what_is_written_is_read_with_its_folders_made(root):
    write(f"{root}/a/b.bin", b"content")
    assert read(f"{root}/a/b.bin") == b"content"
    write(f"{root}/a/b.bin", b"new")
    assert read(f"{root}/a/b.bin") == b"new"


def test_a_file_to_which_nothing_is_written_is_there(root):
    with FILES.create(f"{root}/empty"):
        pass
    assert (FILES.names(root), read(f"{root}/empty")) == (["empty"], b"")


def test_a_file_is_read_from_any_place_in_it(root):
    write(f"{root}/a", b"0123456789")
    with FILES.open(f"{root}/a") as stream:
        assert (stream.seek(0, 2), stream.seek(4)) == (10, 4)
        assert (stream.read(2), stream.tell()) == (b"45", 6)
        assert (stream.read(), stream.read()) == (b"6789", b"")


def test_bytes_are_left_alone_whatever_the_name_says(root):
    content = gzip.compress(b"text")
    write(f"{root}/a.gz", content)
    assert read(f"{root}/a.gz") == content


def test_what_is_not_there_is_told_by_the_error_of_the_system(root):
    write(f"{root}/a")
    with pytest.raises(FileNotFoundError, match="nothing"):
        FILES.open(f"{root}/nothing")
    with pytest.raises(FileNotFoundError, match="nothing"):
        FILES.names(f"{root}/nothing")


def test_files_are_found_by_pattern_in_order_and_folders_are_not(root):
    for name in ("b.pq", "a.pq", "a.txt", ".a.pq", "sub.pq/c.pq", "sub.pq/d/e.pq", ".h/f.pq"):
        write(f"{root}/{name}")

    def found(pattern):
        folder = root.replace("[", "[[]")
        return [path[len(root) + 1 :] for path in FILES.glob(f"{folder}/{pattern}")]

    assert found("*.pq") == ["a.pq", "b.pq"]
    assert found("[a-c].pq") == ["a.pq", "b.pq"]
    assert found("*/*.pq") == ["sub.pq/c.pq"]
    assert found("sub.*/d/e.pq") == ["sub.pq/d/e.pq"]
    assert found("**/*.pq") == ["a.pq", "b.pq", "sub.pq/c.pq", "sub.pq/d/e.pq"]
    assert found("sub.pq/**") == ["sub.pq/c.pq", "sub.pq/d/e.pq"]
    assert found("a.pq") == ["a.pq"]
    assert (found("*.csv"), found("no/*"), found("no"), found("sub.pq")) == ([], [], [], [])


def test_a_folder_has_the_names_of_its_files_and_folders(root):
    write(f"{root}/b/c")
    write(f"{root}/a")

    assert (FILES.names(root), FILES.names(f"{root}/b/")) == (["a", "b"], ["c"])
    assert [FILES.exists(f"{root}/{name}") for name in ("a", "b", "z")] == [True, True, False]
    assert [FILES.is_dir(f"{root}/{name}") for name in ("a", "b", "b/", "z")] == [
        False,
        True,
        True,
        False,
    ]


def test_a_file_is_renamed_and_replaces_another(root):
    write(f"{root}/a", b"new")
    write(f"{root}/b", b"old")
    FILES.rename(f"{root}/a", f"{root}/b")
    assert (FILES.names(root), read(f"{root}/b")) == (["b"], b"new")


def test_a_folder_is_moved_with_all_that_is_in_it(root):
    write(f"{root}/from/a/b", b"1")
    write(f"{root}/from/c", b"2")
    FILES.move_tree(f"{root}/from", f"{root}/to")
    assert (read(f"{root}/to/a/b"), read(f"{root}/to/c")) == (b"1", b"2")
    assert FILES.is_dir(f"{root}/from") is False


def test_a_folder_is_deleted_and_its_neighbour_is_not(root):
    write(f"{root}/gone/a/b")
    write(f"{root}/gone too/a")
    FILES.remove_tree(f"{root}/gone")
    FILES.remove_tree(f"{root}/never")
    assert FILES.names(root) == ["gone too"]


def test_workers_can_be_sent_the_file_systems(root):
    write(f"{root}/a", b"content")
    for files in (FILES, files_for(root)):
        with pickle.loads(pickle.dumps(files)).open(f"{root}/a") as stream:
            assert stream.read() == b"content"
