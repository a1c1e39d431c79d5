"""docs/warm-start.md: its table is complete."""

from __future__ import annotations

import re

import pytest

from tfx_wine_ext.components.warm_start_trainer import WarmStartTrainer
from tfx_wine_ext.testing import (
    FakeMetadata,
    as_channel,
    examples_artifact,
    launch,
    schema_artifact,
)

KINDS = {int: "int", str: "string", float: "float"}
TFX_OWN = ("tfx_version", "is_external")


@pytest.fixture(scope="module")
def page(checkout):
    return (checkout / "docs" / "warm-start.md").read_text(encoding="utf-8")


@pytest.mark.e2e
def test_the_table_lists_all_that_is_recorded_with_its_type(page, tmp_path):
    rows = {"train": [{"x": 1.0}], "eval": [{"x": 1.0}]}
    inputs = {
        "examples": as_channel(examples_artifact(tmp_path / "examples", rows)),
        "schema": as_channel(
            schema_artifact(tmp_path / "schema", 'feature { name: "x" type: FLOAT }')
        ),
        "run_fn": "tests.components.warm_run_fn.run_fn",
        "warm_start": {"base": "latest"},
    }
    with FakeMetadata() as store:
        where = {"store": store, "pipeline_root": tmp_path / "root"}
        base = launch(WarmStartTrainer(**inputs), **where).outputs["model"]
        component = WarmStartTrainer(**inputs, base_model=as_channel(*base))
        [model] = launch(component, **where).outputs["model"]

    section = page.split("### On the model\n")[1]
    table = dict(re.findall(r"^\| `(.*?)` \| (\w+) \|", section, re.MULTILINE))
    assert table == {
        name: KINDS[type(value)]
        for name, value in model.custom_properties.items()
        if name not in TFX_OWN
    }
