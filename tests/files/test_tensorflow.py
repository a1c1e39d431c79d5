import uuid

import pytest

from tfx_wine_ext.files.tensorflow import GFiles

pytestmark = pytest.mark.e2e
FILES = GFiles()


@pytest.fixture(params=["ram", "local"])
def folder(request, tmp_path):
    return f"ram://{uuid.uuid4().hex}" if request.param == "ram" else str(tmp_path)


def write(path, content):
    with FILES.create(path) as stream:
        stream.write(content)


def test_a_file_is_made_with_its_folders_found_and_read(folder):
    write(f"{folder}/a/b.txt", b"one")
    write(f"{folder}/c/b.txt", b"two")
    assert FILES.glob(f"{folder}/*/b.txt") == [f"{folder}/a/b.txt", f"{folder}/c/b.txt"]
    assert FILES.glob(f"{folder}/*") == []  # Folders are no files.
    assert (FILES.is_dir(f"{folder}/a"), FILES.is_dir(f"{folder}/a/b.txt")) == (True, False)
    with FILES.open(f"{folder}/a/b.txt") as stream:
        assert stream.read() == b"one"


def test_what_cannot_be_read_is_an_error_of_the_system_at_once(folder):
    write(f"{folder}/a/b.txt", b"one")
    with pytest.raises(FileNotFoundError, match="a/nothing"):
        FILES.open(f"{folder}/a/nothing")
    with pytest.raises(IsADirectoryError, match="/a"):
        FILES.open(f"{folder}/a")


def test_a_renamed_file_takes_the_place_of_another(folder):
    write(f"{folder}/new", b"new")
    write(f"{folder}/old", b"old")
    FILES.rename(f"{folder}/new", f"{folder}/old")
    with FILES.open(f"{folder}/old") as stream:
        assert stream.read() == b"new"
    assert FILES.glob(f"{folder}/*") == [f"{folder}/old"]


def test_a_folder_is_moved_and_removed_with_all_in_it(tmp_path):
    folder = str(tmp_path)  # TensorFlow's file system in memory moves files only.
    write(f"{folder}/a/b/c.txt", b"x")
    FILES.move_tree(f"{folder}/a", f"{folder}/moved")
    assert FILES.glob(f"{folder}/moved/b/*") == [f"{folder}/moved/b/c.txt"]
    FILES.remove_tree(f"{folder}/moved")
    FILES.remove_tree(f"{folder}/moved")
    assert not FILES.is_dir(f"{folder}/moved")
