"""docs/drift-report.md: its tables are complete."""

from __future__ import annotations

import re

import pytest

from tfx_wine_ext.components.drift_report import DriftReport
from tfx_wine_ext.testing import FakeMetadata, as_channel, examples_artifact, launch

KINDS = {int: "int", str: "string", float: "float"}
TFX_OWN = ("tfx_version", "is_external")


@pytest.fixture(scope="module")
def page(checkout):
    return (checkout / "docs" / "drift-report.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A launch in which every property has a value."""
    folder = tmp_path_factory.mktemp("drift")
    rows = [{"x": n / 10, "y": n % 2} for n in range(200)]
    later = [{"x": n / 10 + 9, "y": n % 2} for n in range(200)]
    current = examples_artifact(folder / "new", {"train": later}, span=20001)
    baseline = examples_artifact(folder / "old", {"train": rows}, span=20000)
    current.set_string_custom_property("span_date", "2024-10-05")
    baseline.set_string_custom_property("span_date", "2024-10-04")
    component = DriftReport(
        examples=as_channel(current),
        baseline=as_channel(baseline),
        config={"importances": {"x": 1}, "classifier": True},
    )
    with FakeMetadata() as store:
        return launch(component, store=store, pipeline_root=folder / "root")


def table(page: str, heading: str) -> dict[str, str]:
    """Returns name and type of the rows of the table below a heading."""
    section = page.split(f"### {heading}\n")[1].split("\n## ")[0].split("\n### ")[0]
    return dict(re.findall(r"^\| `(.*?)` \| (\w+) \|", section, re.MULTILINE))


def kinds(properties):
    return {
        re.sub(r"^worst_\d+", "worst_<n>", name): KINDS[type(value)]
        for name, value in properties.items()
        if name not in TFX_OWN
    }


def test_the_tables_list_all_that_is_recorded_with_its_type(page, result):
    [report], [blessing] = result.outputs["report"], result.outputs["blessing"]
    assert table(page, "On the report") == kinds(report.custom_properties)
    dates = [report.custom_properties[name] for name in ("span_date", "baseline_span_date")]
    assert dates == ["2024-10-05", "2024-10-04"]
    assert table(page, "On the blessing") == kinds(blessing.custom_properties)
    assert table(page, "On the execution") == kinds(result.execution.custom_properties)
