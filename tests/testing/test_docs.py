"""Runs the tests that docs/testing.md shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "testing.md"


def collect_from_guide() -> list:
    found = []
    for block in re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text("utf-8"), re.M | re.S):
        namespace: dict = {}
        exec(compile(block, GUIDE.name, "exec"), namespace)
        found += [value for name, value in namespace.items() if name.startswith("test_")]
    return found


def test_the_guide_shows_these_tests():
    assert [test.__name__ for test in collect_from_guide()] == [
        "test_statistics_are_of_every_split",
        "test_the_same_statistics_give_the_same_schema_from_the_cache",
        "test_a_failure_is_raised_and_recorded",
    ]


@pytest.mark.e2e
@pytest.mark.parametrize("test", collect_from_guide(), ids=lambda test: test.__name__)
def test_a_test_of_the_guide_passes(test, tmp_path):
    test(tmp_path)
