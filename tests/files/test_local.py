import errno
import os
import pickle
import re
import socket

import pytest

from tfx_wine_ext.files.local import IrregularFileError, LocalFiles, check_regular_file

FILES = LocalFiles()


def put(path, data=b"x"):
    with FILES.create(str(path)) as stream:
        stream.write(data)
    return str(path)


def test_glob_lists_files_by_name_and_never_folders(tmp_path):
    b, a = put(tmp_path / "b"), put(tmp_path / "a")
    nested = put(tmp_path / "folder" / "c")

    assert FILES.glob(f"{tmp_path}/*") == [a, b]
    assert FILES.glob(f"{tmp_path}/**") == [a, b, nested]
    assert FILES.glob(f"{tmp_path}/z*") == []


def test_glob_lists_a_link_to_a_file_that_is_gone_so_that_it_is_not_passed_over(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "gone")
    assert FILES.glob(f"{tmp_path}/*") == [str(tmp_path / "a")]


def test_a_folder_is_told_from_a_file_and_from_nothing(tmp_path):
    path = put(tmp_path / "a")
    assert [FILES.is_dir(p) for p in (str(tmp_path), path, f"{path}x")] == [True, False, False]


def pipe(folder):
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def bound_socket(folder):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
    return folder / "socket"


IRREGULAR = {
    "a folder": lambda folder: folder,
    "a pipe": pipe,
    "a socket": bound_socket,
    "a device": lambda folder: "/dev/null",
}


@pytest.mark.parametrize("kind", IRREGULAR)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, kind):
    path = IRREGULAR[kind](tmp_path)
    link = tmp_path / "link"
    link.symlink_to(path)
    for each in (str(path), str(link)):
        message = f"^{re.escape(each)}: expected a regular file, found {kind}; "
        with pytest.raises(IrregularFileError, match=message):
            check_regular_file(each)
        with pytest.raises(IrregularFileError, match=message) as caught:
            FILES.open(each)
        restored = pickle.loads(pickle.dumps(caught.value))
        assert (restored.path, restored.found) == (each, kind)


def test_a_substituted_process_is_a_pipe():
    reader, writer = os.pipe()
    try:
        with pytest.raises(IrregularFileError, match="found a pipe; write its content to a file"):
            check_regular_file(f"/dev/fd/{reader}")
    finally:
        os.close(reader)
        os.close(writer)


def test_a_regular_file_and_a_link_to_one_are_no_fault(tmp_path):
    path = put(tmp_path / "a")
    (tmp_path / "link").symlink_to(path)
    check_regular_file(path)
    check_regular_file(tmp_path / "link")
    with pytest.raises(FileNotFoundError):
        check_regular_file(tmp_path / "gone")


def test_create_makes_folders_and_replaces_what_is_there(tmp_path):
    path = put(tmp_path / "a" / "b" / "c", b"long")
    put(path, b"new")
    with FILES.open(path) as stream:
        assert stream.read() == b"new"


def test_create_takes_a_name_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put("a")
    assert os.listdir(tmp_path) == ["a"]


def test_rename_replaces_the_destination(tmp_path):
    a, b = put(tmp_path / "a", b"new"), put(tmp_path / "b", b"old")
    FILES.rename(a, b)
    assert (os.listdir(tmp_path), (tmp_path / "b").read_bytes()) == (["b"], b"new")


def test_move_tree_moves_a_folder_and_refuses_one_that_holds_something(tmp_path):
    put(tmp_path / "a" / "x", b"1")
    FILES.move_tree(f"{tmp_path}/a", f"{tmp_path}/b")
    assert (tmp_path / "b" / "x").read_bytes() == b"1"

    put(tmp_path / "c" / "y", b"2")
    with pytest.raises(OSError, match="not empty"):
        FILES.move_tree(f"{tmp_path}/c", f"{tmp_path}/b")
    assert (tmp_path / "c" / "y").read_bytes() == b"2"


def test_remove_tree_deletes_a_folder_and_does_nothing_where_there_is_none(tmp_path):
    put(tmp_path / "a" / "b" / "c")
    FILES.remove_tree(f"{tmp_path}/a")
    FILES.remove_tree(f"{tmp_path}/a")
    assert os.listdir(tmp_path) == []


def test_remove_tree_does_not_hide_that_a_folder_stays(tmp_path, monkeypatch):
    # Whoever runs the tests may be allowed to delete anything, so the refusal is the test's own.
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "not yours")

    put(tmp_path / "a" / "b")
    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(PermissionError, match="not yours"):
        FILES.remove_tree(f"{tmp_path}/a")


def test_workers_can_be_sent_the_file_system():
    assert isinstance(pickle.loads(pickle.dumps(FILES)), LocalFiles)
