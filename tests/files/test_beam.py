"""BeamFiles does on the local file system what LocalFiles does."""

from __future__ import annotations

import gzip
import os

import pytest

from tfx_wine_ext.files.beam import BeamFiles
from tfx_wine_ext.files.local import LocalFiles


@pytest.fixture(params=[BeamFiles, LocalFiles])
def files(request):
    return request.param()


@pytest.fixture(params=["plain", "with [1] and * and ?"])
def folder(request, tmp_path):
    return str(tmp_path / request.param)


def write(files, path, content=b"x"):
    with files.create(path) as stream:
        stream.write(content)


def test_what_is_written_is_read_with_its_folders_made(files, folder):
    write(files, f"{folder}/a/b.bin", b"content")

    with files.open(f"{folder}/a/b.bin") as stream:
        assert stream.read() == b"content"


def test_bytes_are_left_alone_whatever_the_name_says(files, folder):
    content = gzip.compress(b"text")
    write(files, f"{folder}/a.gz", content)

    with open(f"{folder}/a.gz", "rb") as stream:
        assert stream.read() == content
    with files.open(f"{folder}/a.gz") as stream:
        assert stream.read() == content


def test_files_are_found_by_pattern_in_order_and_folders_are_not(files, tmp_path):
    for name in ("b.parquet", "a.parquet", "a.txt", "sub.parquet/c.parquet"):
        write(files, f"{tmp_path}/{name}")

    assert files.glob(f"{tmp_path}/*.parquet") == [
        f"{tmp_path}/a.parquet",
        f"{tmp_path}/b.parquet",
    ]
    assert files.glob(f"{tmp_path}/*/*.parquet") == [f"{tmp_path}/sub.parquet/c.parquet"]
    assert files.glob(f"{tmp_path}/*.csv") == []


def test_a_folder_is_told_from_what_is_not_there(files, folder):
    write(files, f"{folder}/a")

    assert (files.is_dir(folder), files.is_dir(f"{folder}/b")) == (True, False)


def test_a_folder_has_the_names_of_its_files_and_folders(files, folder):
    write(files, f"{folder}/b/c")
    write(files, f"{folder}/a")

    assert (files.names(folder), files.names(f"{folder}/b")) == (["a", "b"], ["c"])
    assert [files.exists(f"{folder}/{name}") for name in ("a", "b", "z")] == [True, True, False]


def test_a_file_is_renamed_and_replaces_another(files, folder):
    write(files, f"{folder}/a", b"new")
    write(files, f"{folder}/b", b"old")

    files.rename(f"{folder}/a", f"{folder}/b")

    with files.open(f"{folder}/b") as stream:
        assert stream.read() == b"new"
    with pytest.raises(FileNotFoundError):
        files.open(f"{folder}/a")


def test_a_folder_is_moved_with_all_that_is_in_it(files, folder):
    write(files, f"{folder}/from/a/b", b"1")

    files.move_tree(f"{folder}/from", f"{folder}/to")

    with files.open(f"{folder}/to/a/b") as stream:
        assert stream.read() == b"1"
    assert files.is_dir(f"{folder}/from") is False


def test_a_folder_is_deleted_and_its_neighbour_is_not(files, folder):
    write(files, f"{folder}/gone/a/b")
    write(files, f"{folder}/gone too/a")

    files.remove_tree(f"{folder}/gone")

    assert (files.is_dir(f"{folder}/gone"), files.is_dir(f"{folder}/gone too")) == (False, True)


def test_deleting_a_folder_that_is_not_there_does_nothing(files, folder):
    write(files, f"{folder}/kept")

    files.remove_tree(f"{folder}/never")

    assert os.listdir(folder) == ["kept"]
