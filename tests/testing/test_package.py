"""Tests of the names of tfx_wine_ext.testing."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

import tfx_wine_ext.testing

HEAVY = ("tfx", "tensorflow", "tensorflow_data_validation", "apache_beam", "keras")


def heavy_modules_after(statement: str) -> list[str]:
    code = f"import sys; {statement}; print([m for m in {HEAVY!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return ast.literal_eval(run.stdout)


@pytest.mark.parametrize(
    "statement",
    [
        "import tfx_wine_ext.testing",
        "from tfx_wine_ext.testing import as_table, parquet_file",
        "from tfx_wine_ext.testing import FakeMetadata; FakeMetadata().executions()",
    ],
)
def test_neither_tfx_nor_tensorflow_is_imported_before_it_is_needed(statement):
    assert heavy_modules_after(statement) == []


def test_the_check_for_heavy_modules_sees_them():
    assert heavy_modules_after("sys.modules['keras'] = sys") == ["keras"]


@pytest.mark.parametrize("name", tfx_wine_ext.testing.__all__)
def test_every_public_name_can_be_loaded_and_is_documented(name):
    assert getattr(tfx_wine_ext.testing, name).__doc__


def test_the_public_names_are_listed_once_each_and_sorted():
    assert dir(tfx_wine_ext.testing) == sorted(tfx_wine_ext.testing._MODULE_OF_NAME)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'tfx_wine_ext.testing' has no attribute 'lunch'"):
        tfx_wine_ext.testing.lunch  # noqa: B018
