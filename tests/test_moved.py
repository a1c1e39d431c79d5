"""Modules that moved, imported by their old paths."""

from __future__ import annotations

import importlib
import pickle
import sys

import pytest

from tfx_wine_ext.moved import MOVED


@pytest.mark.parametrize(
    ("old", "new"), [pair for pair in MOVED.items() if "beam" not in pair[0] + pair[1]]
)
def test_the_old_path_of_a_module_gives_the_module_at_its_new_path(old: str, new: str) -> None:
    module = importlib.import_module(f"tfx_wine_ext.{old}")
    assert module is importlib.import_module(f"tfx_wine_ext.{new}")
    assert sys.modules[f"tfx_wine_ext.{old}"] is module
    assert module.__name__ == f"tfx_wine_ext.{new}"
    assert module.__spec__ is not None
    assert module.__spec__.name == f"tfx_wine_ext.{new}"


def test_an_object_that_was_pickled_by_its_old_path_is_of_the_new_class() -> None:
    from tfx_wine_ext.files.local import LocalFiles

    old = pickle.loads(b"\x80\x04ctfx_wine_ext.columnar.files\nLocalFiles\n)R.")
    assert type(old) is LocalFiles


def test_a_module_that_never_was_is_still_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"tfx_wine_ext\.columnar\.file'"):
        importlib.import_module("tfx_wine_ext.columnar.file")
