"""docs/reference/keys.md: every key and type of an artifact stands on it."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest

import tfx_wine_ext.types

# Keys that others begin with, and numbers: no names of anything by themselves.
NO_KEYS = {"WORST_KEY", "WORST_VERDICT", "WORST_METRIC", "WORST_SCORE", "WORST_THRESHOLD"}
NO_KEYS |= {"VARIABLES_KEY", "MOST_WORST_FEATURES", "CHOOSE_WITHOUT_DRIVER", "UNKNOWN_FINGERPRINT"}


@pytest.fixture(scope="module")
def names(checkout):
    page = (checkout / "docs" / "reference" / "keys.md").read_text(encoding="utf-8")
    return set(re.findall(r"`([^`]+)`", page))


def constants() -> set[tuple[str, str, object]]:
    """Returns module, name and value of every constant of the types, read without TFX."""
    found = set()
    for path in sorted(pathlib.Path(tfx_wine_ext.types.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                [target] = node.targets
                if target.id not in NO_KEYS:
                    found.add((path.stem, target.id, node.value.value))
    return found


def test_every_key_and_every_file_stands_on_the_page(names):
    keys = constants()
    assert ("parquet_example_gen", "ROWS_KEY", "rows") in keys
    assert ("drift_report", "REPORT_TYPE", "tfx_wine_ext.ExampleDriftReport") in keys
    on_page = names | {name.rpartition("/")[2] for name in names}
    assert {key for key in keys if key[2] not in on_page} == set()


def test_the_keys_that_are_put_together_stand_on_the_page(names):
    from tfx_wine_ext.types.drift_report import (
        WORST_METRIC,
        WORST_SCORE,
        WORST_THRESHOLD,
        WORST_VERDICT,
        of_worst,
    )
    from tfx_wine_ext.types.parquet_example_gen import BYTES_KEY, ROWS_KEY, SHARDS_KEY, of_split
    from tfx_wine_ext.types.warm_start_trainer import of_action
    from tfx_wine_ext.warm_start.report import ACTIONS

    parts = (None, WORST_VERDICT, WORST_METRIC, WORST_SCORE, WORST_THRESHOLD)
    made = [of_worst(1, part).replace("_1", "_<n>") for part in parts]
    made += [of_split(key, "<split>") for key in (ROWS_KEY, BYTES_KEY, SHARDS_KEY)]
    made += [of_action(action) for action in ACTIONS]
    assert [key for key in made if key not in names] == []


@pytest.mark.parametrize(
    ("page", "heading", "here"),
    [
        ("examples-properties.md", "On the Examples artifact", "Examples, by ParquetExampleGen"),
        ("drift-report.md", "On the report", "ExampleDriftReport"),
        ("drift-report.md", "On the blessing", "DriftBlessing"),
        ("warm-start.md", "On the model", "Model, by WarmStartTrainer"),
    ],
)
def test_the_page_of_a_component_and_this_one_list_the_same(checkout, page, heading, here):
    assert table(checkout / "docs" / page, heading) == table(
        checkout / "docs" / "reference" / "keys.md", here
    )


def table(path, heading) -> dict[str, str]:
    """Returns the type of each property in the table below a heading."""
    page = path.read_text(encoding="utf-8")
    [section] = re.findall(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", page, re.M | re.S)
    rows = re.findall(r"^\| (`.*?`) \| (\w+) \|", section, re.MULTILINE)
    return {name: kind for cell, kind in rows for name in re.findall(r"`(.*?)`", cell)}
