"""Whether a file was written or replaced, as far as this can be seen."""

from __future__ import annotations

import io
import os
import pathlib
import shutil

import pytest

from tfx_wine_ext.sources.stamps import FileState, rewritten, stamp_of, state_of


def state(path: pathlib.Path) -> FileState:
    with path.open("rb") as stream:
        return state_of(stream)


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    os.utime(path, ns=(1, 1))
    return path


def test_a_file_that_is_written_or_replaced_is_another_one(path: pathlib.Path) -> None:
    before = state(path)
    assert not before.is_other(state(path))
    os.utime(path, ns=(2, 2))
    assert before.is_other(state(path))
    copy = path.with_name("b")
    shutil.copy(path, copy)
    os.utime(copy, ns=(1, 1))
    copy.replace(path)
    assert before.is_other(state(path))


def test_on_another_machine_and_of_a_remote_file_only_the_size_says_something(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(path)
    remote = state_of(io.BytesIO(b"abc"))
    assert remote == FileState(3, None)
    assert not before.is_other(remote)
    assert before.is_other(state_of(io.BytesIO(b"abcd")))
    monkeypatch.setattr("platform.node", lambda: "of another worker")
    os.utime(path, ns=(2, 2))
    assert not before.is_other(state(path))


def test_looking_leaves_a_stream_where_it_is(path: pathlib.Path) -> None:
    with path.open("rb") as stream:
        stream.read(1)
        assert state_of(stream).size == 3
        assert stream.read() == b"bc"


def test_a_copy_in_the_place_of_a_file_is_not_the_file_rewritten(path: pathlib.Path) -> None:
    with path.open("rb") as stream:
        before = stamp_of(stream)
        os.utime(path, ns=(2, 2))
        assert rewritten(before, stamp_of(stream))
        copy = path.with_name("b")
        shutil.copy(path, copy)
        copy.replace(path)
    with path.open("rb") as stream:
        assert not rewritten(before, stamp_of(stream))
        assert not rewritten(before, None)
