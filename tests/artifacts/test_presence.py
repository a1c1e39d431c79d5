"""Whether the files of an artifact are there, by what is on disk."""

from __future__ import annotations

import os
import pathlib
import pickle
import uuid

import pytest

from tfx_wine_ext.artifacts.presence import (
    ArtifactAccessError,
    ArtifactGoneError,
    Gone,
    missing_file,
    missing_files,
)
from tfx_wine_ext.files.choose import files_for


def test_one_file_is_enough_and_hidden_ones_do_not_count(tmp_path):
    folder = tmp_path / "Split-train"
    folder.mkdir()
    (folder / "_SUCCESS").touch()
    (folder / ".crc").touch()
    assert missing_files(str(folder)) == Gone(str(folder), "a folder without files")
    (folder / "data").touch()
    assert missing_files(str(folder)) is None


@pytest.mark.parametrize("name", ["a b [1]*", "ünï", "x\ndf"])
def test_odd_names_are_names(tmp_path, name):
    folder = tmp_path / name / "Split-train"
    assert missing_files(str(folder), str(tmp_path / name)) == Gone(
        str(tmp_path / name), "no such folder"
    )
    folder.mkdir(parents=True)
    (folder / name).touch()
    assert missing_files(str(folder), str(tmp_path / name)) is None


def test_the_highest_folder_that_is_missing_is_named(tmp_path):
    above, folder = str(tmp_path / "7"), str(tmp_path / "7" / "Split-train")
    assert missing_files(folder, above) == Gone(above, "no such folder")
    os.mkdir(above)
    assert missing_files(folder, above) == Gone(folder, "no such folder")


def test_links_to_nothing_are_nothing_and_links_to_files_are_files(tmp_path):
    folder = tmp_path / "Split-train"
    folder.mkdir()
    (folder / "a").symlink_to(tmp_path / "gone")
    (folder / "b").symlink_to(folder / "b")  # to itself
    assert missing_files(str(folder)) == Gone(str(folder), "only links to nothing")
    (tmp_path / "there").touch()
    (folder / "c").symlink_to(tmp_path / "there")
    assert missing_files(str(folder)) is None
    (tmp_path / "linked").symlink_to(folder)
    assert missing_files(str(tmp_path / "linked")) is None
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    assert missing_files(str(tmp_path / "dangling")) == Gone(
        str(tmp_path / "dangling"), "a link to nothing"
    )


def test_a_file_where_a_folder_should_be_and_the_other_way_round(tmp_path):
    (tmp_path / "file").touch()
    assert missing_files(str(tmp_path / "file")) == Gone(str(tmp_path / "file"), "a file")
    below = str(tmp_path / "file" / "Split-train")
    assert missing_files(below) == Gone(below, "no such folder")
    assert missing_file(str(tmp_path)) == Gone(str(tmp_path), "a folder")
    assert missing_file(str(tmp_path / "file")) is None


@pytest.fixture
def nobody():
    """Runs as an account that may read nothing of root's, where the tests run as root."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("look", [missing_file, missing_files])
def test_what_may_not_be_read_is_not_called_gone(tmp_path, request, look):
    secret = tmp_path / "secret"
    (secret / "Split-train").mkdir(parents=True)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    secret.chmod(0)
    request.getfixturevalue("nobody")
    try:
        with pytest.raises(ArtifactAccessError, match=r"Split-train: .* access is denied; grant "):
            look(str(secret / "Split-train"))
    finally:
        if not os.getuid():
            os.seteuid(0)
        secret.chmod(0o700)


@pytest.mark.e2e
def test_what_is_in_memory_is_there_and_what_is_not_is_named_with_its_address():
    folder = f"ram://{uuid.uuid4().hex}/examples/7"
    split = f"{folder}/Split-train"
    assert missing_files(split, folder) == Gone(folder, "no such folder")
    with files_for(folder).create(f"{split}/_SUCCESS"):
        pass
    assert missing_files(split, folder) == Gone(split, "a folder without files")
    with files_for(folder).create(f"{split}/data"):
        pass
    assert (missing_files(split, folder), missing_file(f"{split}/data")) == (None, None)
    assert missing_file(f"{split}/other") == Gone(f"{split}/other", "no such file")
    assert missing_file(split) == Gone(split, "a folder")


def test_errors_are_the_same_in_another_process():
    gone = ArtifactGoneError("baseline", Gone("/x", "no such folder"), "bring it back")
    assert str(pickle.loads(pickle.dumps(gone))) == str(gone)
    assert str(gone) == "baseline: expected its files, found no such folder: /x; bring it back"
    denied = ArtifactAccessError("/x")
    assert str(pickle.loads(pickle.dumps(denied))) == str(denied)
    assert pathlib.Path(denied.path) == pathlib.Path("/x")
