"""Patterns mean what they mean to Python's own glob."""

from __future__ import annotations

import glob
import itertools
import os

import pytest

from tfx_wine_ext.files.patterns import fixed_parts, matches, unescaped

NAMES = ("a", "b.csv", ".h", "[1]")
PATTERNS = ["*", "**", "a/*", "*/b.csv", "**/b.csv", "**/a/*", "a/**/b.csv", ".*/*", "[[]1]/*"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_matches_the_files_that_python_finds(tmp_path, pattern):
    folders = [(), *itertools.product(NAMES[::2] + NAMES[3:], repeat=1), ("a", "a"), ("a", ".h")]
    paths = ["/".join([*folder, name + "_"]) for folder in folders for name in ("", *NAMES)]
    paths += ["/".join([*folder, "b.csv"]) for folder in folders]
    for path in paths:
        os.makedirs(os.path.dirname(tmp_path / path), exist_ok=True)
        (tmp_path / path).touch()
    found = glob.glob(pattern, root_dir=tmp_path, recursive=True)
    expected = {path for path in found if os.path.isfile(tmp_path / path)}
    assert {path for path in paths if matches(path.split("/"), pattern.split("/"))} == expected
    assert expected


def test_what_is_escaped_is_a_name():
    escaped = glob.escape("a [1]*?")
    assert (fixed_parts([escaped, "[ab]"]), unescaped(escaped)) == (1, "a [1]*?")
