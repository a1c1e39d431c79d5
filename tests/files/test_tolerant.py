"""Files that are gone are None, wherever they were."""

from __future__ import annotations

import time

import pytest

from tfx_wine_ext.files.tolerant import SoftFiles


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


@pytest.mark.e2e
def test_a_file_system_that_nobody_knows_is_asked_once():
    files = SoftFiles()
    assert files.read("nosuch://server/a") is None
    started = time.monotonic()
    assert files.names("nosuch://server/b") == []
    assert files.existing("nosuch://server/c") is None
    assert time.monotonic() - started < 2
