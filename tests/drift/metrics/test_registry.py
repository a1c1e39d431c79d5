import functools
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_wine_ext.drift import DriftConfig, Metric, Threshold, Verdict, compare
from tfx_wine_ext.drift.growth import Growth
from tfx_wine_ext.drift.metrics import (
    DriftMetricError,
    register_metric,
    registered_metrics,
    unregister_metric,
)
from tfx_wine_ext.drift.reasons import BeyondLimit

BEFORE, AFTER = pa.table({"x": range(1, 101)}), pa.table({"x": range(101, 201)})
WORDS = {"meaning": "m.", "sees": "s.", "misses": "x.", "source": "ours"}


@pytest.fixture
def register():
    """Registers a metric for the length of a test."""
    names = []

    def registered(measure, name="of_a_test", **options):
        register_metric(name, **{"kinds": ["numeric"], "label": "Of a test", **WORDS, **options})(
            measure
        )
        names.append(name)

    yield registered
    for name in names:
        unregister_metric(name)


def certain(value, **more):
    return lambda pair: Metric(value, p_value=0.0, **more)


def test_the_metrics_of_the_library_are_these():
    assert {
        name: (sorted(metric.kinds), metric.threshold.fail, metric.threshold.warn, metric.unit)
        for name, metric in registered_metrics().items()
    } == {
        "psi": (["categorical", "numeric"], 0.25, 0.1, ""),
        "js": (["categorical", "numeric"], 0.1, None, ""),
        "ks": (["numeric"], 0.1, None, ""),
        "wasserstein": (["numeric"], 0.1, None, "standard deviations"),
        "chi_square": (["categorical"], 0.2, None, ""),
        "l_infinity": (["categorical"], 0.1, None, "share"),
        "unseen_mass": (["categorical"], 0.01, 0.0, "share"),
        "missing_rate": (["categorical", "numeric"], 0.05, None, "share"),
        "infinite_rate": (["numeric"], 0.05, None, "share"),
    }


def test_a_registered_metric_is_measured_judged_and_configured_like_the_others(register):
    register(certain(0.3), fail=0.2)
    [feature] = compare(BEFORE, BEFORE).features
    assert feature.verdict.value == "DRIFT"
    assert feature.reasons == (BeyondLimit("of_a_test", 0.3, 0.2),)
    milder = DriftConfig(thresholds={"of_a_test": Threshold(0.5, 0.3)})
    assert milder.to_dict()["thresholds"]["of_a_test"] == {"fail": 0.5, "warn": 0.3}
    assert compare(BEFORE, BEFORE, milder).features[0].verdict.value == "WARN"
    own = DriftConfig(features={"x": {"of_a_test": 0.5}})
    assert compare(BEFORE, BEFORE, own).features[0].verdict.value == "OK"


def test_a_metric_without_a_p_value_is_only_shown(register):
    register(lambda pair: Metric(9.0), fail=0.2)
    result = compare(BEFORE, BEFORE)
    assert result.verdict.value == "OK"
    assert result.features[0].metrics["of_a_test"].value == 9.0


def test_a_metric_is_given_columns_of_its_kinds_only(register):
    seen = []
    register(lambda pair: seen.append(type(pair).__name__), "of_numbers")
    register(lambda pair: seen.append(type(pair).__name__), "of_texts", kinds=["categorical"])
    table = pa.table({"x": range(100), "text": ["a", "b"] * 50})
    result = compare(table, table)
    assert seen == ["NumericPair", "CategoricalPair"]
    assert [{"of_numbers", "of_texts"} & {*each.metrics} for each in result.features] == [set()] * 2


def test_of_a_column_that_only_grows_a_metric_is_judged_if_it_is_not_of_the_values(register):
    register(certain(0.3), "of_the_values", fail=0.2)
    register(certain(0.3), "of_the_rows", fail=0.2, of_values=False)
    [feature] = compare(BEFORE, AFTER).features
    assert feature.growth == Growth(certain=True, judged=False)
    assert feature.reasons == (BeyondLimit("of_the_rows", 0.3, 0.2),)


def test_a_metric_that_needs_no_values_is_measured_where_all_are_missing(register):
    register(certain(0.3), "of_all", needs_values=False)
    register(certain(0.3), "of_values")
    empty = pa.table({"x": pa.array([None] * 100, pa.float64())})
    [feature] = compare(empty, empty).features
    assert [*feature.metrics] == ["missing_rate", "of_all"]


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda pair: 1 / 0, "to measure 'x', found ZeroDivisionError: division by zero$"),
        (lambda pair: 0.5, "to measure 'x' as a Metric or as None, found float$"),
        (certain(float("nan")), r"in finite numbers >= 0, found Metric\(value=nan"),
        (certain(-1.0), r"in finite numbers >= 0, found Metric\(value=-1.0"),
        (certain(1.0, error=float("inf")), "in finite numbers >= 0, found Metric"),
        (certain("much"), "in finite numbers >= 0, found Metric"),
        (certain(True), r"in finite numbers >= 0, found Metric\(value=True"),
        (certain(10**400), "in finite numbers >= 0, found Metric"),
        (lambda pair: Metric(0.5, p_value=1.5), "with a p-value of at most 1, found 1.5$"),
        (certain(0.5, details={"a": float("nan")}), "finite numbers by name, found {'a': nan}$"),
        (certain(0.5, details={"a": "much"}), "finite numbers by name, found {'a': 'much'}$"),
        (certain(0.5, details=None), "finite numbers by name, found None$"),
        (lambda pair: sys.exit(0), "to measure 'x', found SystemExit: 0$"),
    ],
)
def test_a_metric_that_fails_is_named_with_the_feature(register, measure, message):
    register(measure)
    with pytest.raises(DriftMetricError, match=f"^drift metric 'of_a_test': .*{message}") as raised:
        compare(BEFORE, AFTER)
    assert raised.value.metric == "of_a_test"


def test_numbers_of_numpy_are_numbers(register):
    kinds = np.float32, np.int64, np.float16
    for name, kind in zip(("a", "b", "c"), kinds):
        register(certain(kind(2), error=kind(0), details={"n": kind(3)}), name, fail=0.5)
    result = compare(BEFORE, BEFORE)
    found = json.loads(json.dumps(result.to_dict()))["features"][0]["metrics"]
    assert [(found[name]["value"], found[name]["details"]) for name in ("a", "b", "c")] == [
        (2.0, {"n": 3.0})
    ] * 3
    assert result.features[0].verdict.value == "DRIFT"


def test_a_metric_does_not_bring_a_verdict_of_its_own(register):
    register(certain(0.3, q_value=float("nan"), verdict="much"))
    [feature] = compare(BEFORE, AFTER).features  # It only grows, so that no metric is judged.
    assert feature.growth is not None
    metric = feature.metrics["of_a_test"]
    assert (metric.q_value, metric.verdict) == (None, Verdict.OK)


def test_a_name_that_is_taken_by_what_has_no_name_is_refused(register):
    register(functools.partial(certain, 0.3))
    with pytest.raises(DriftMetricError, match=r"found that of functools\.partial"):
        register(certain(0.3))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("psi", {}, "'psi': expected a name that is not taken, found that of .*metrics.psi.psi$"),
        ("Energy", {}, "'Energy': expected a name of lower-case letters"),
        ("e" * 41, {}, "at most 40"),
        ("energy", {"kinds": []}, r"expected kinds among numeric and categorical, found \[\]"),
        ("energy", {"kinds": ["number"]}, r"found \['number'\]"),
        ("energy", {"fail": -1}, "fail must be a number >= 0 or None, found -1"),
        ("energy", {"fail": 0.1, "warn": 0.2}, "warn must be at most fail"),
    ],
)
def test_what_cannot_be_registered_is_refused(register, name, options, message):
    before = dict(registered_metrics())
    with pytest.raises(ValueError, match=message):
        register(certain(0.3), name, **options)
    assert dict(registered_metrics()) == before


def installed(folder: pathlib.Path, module: str) -> dict[str, str]:
    """Puts a package with a metric into a folder, as pip would; returns the environment for it."""
    (folder / "their_metrics.py").write_text(module)
    info = folder / "their_metrics-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-metrics\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tfx_wine_ext.drift_metrics]\nspread = their_metrics\n")
    checkout = str(pathlib.Path(__file__).parents[3])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), checkout])}


SPREAD = """
from tfx_wine_ext.drift import Metric, register_metric

@register_metric(
    "spread", kinds=["numeric"], fail=0.5, unit="share", label="Change of the spread",
    meaning="m.", sees="s.", misses="x.", source="theirs",
)
def spread(pair):
    old, new = (side.moments().std for side in (pair.reference, pair.current))
    return Metric(abs(new / old - 1), p_value=0.0)
"""


def drift(folder, environment, *options):
    for name, table in (("a", BEFORE), ("b", pa.table({"x": range(1, 300, 3)}))):
        pq.write_table(table, folder / f"{name}.parquet")
    return subprocess.run(
        [sys.executable, "-m", "tfx_wine_ext.cli", "drift", "a.parquet", "b.parquet", *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_an_installed_package_brings_its_metric_to_the_commands_and_pages(tmp_path):
    environment = installed(tmp_path, SPREAD)
    done = drift(tmp_path, environment, "--json", "--html", "page.html")
    document = json.loads(done.stdout)
    assert document["features"][0]["metrics"]["spread"]["value"] == pytest.approx(2.0)
    assert document["config"]["thresholds"]["spread"] == {"fail": 0.5, "warn": None}
    page = (tmp_path / "page.html").read_text()
    assert "Change of the spread" in page
    assert re.search(r"200\s%", page.replace("&nbsp;", " "))


def test_a_metric_of_a_package_that_breaks_is_an_error_that_names_it(tmp_path):
    done = drift(tmp_path, installed(tmp_path, "import no_such_module"), "--quiet")
    assert (done.returncode, done.stdout) == (2, "")
    assert "drift metric 'spread': expected to load 'their_metrics' of the entry points" in (
        done.stderr
    )
    assert "ModuleNotFoundError: No module named 'no_such_module'" in done.stderr


def test_a_package_that_ends_the_process_is_an_error_and_not_the_status_of_no_drift(tmp_path):
    done = drift(tmp_path, installed(tmp_path, "import sys; sys.exit(0)"), "--quiet")
    assert (done.returncode, done.stdout) == (2, "")
    assert "found SystemExit: 0" in done.stderr


def test_a_package_that_breaks_late_is_the_same_error_each_time(tmp_path):
    environment = installed(tmp_path, f"{SPREAD}\nimport no_such_module")
    code = """
from tfx_wine_ext.drift.metrics import registered_metrics
for _ in range(2):
    try:
        registered_metrics()
    except ValueError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    first, second = done.stdout.splitlines()
    assert first == second
    assert first.endswith("found ModuleNotFoundError: No module named 'no_such_module'")


def test_the_table_of_the_documentation_is_the_registry(checkout):
    page = (checkout / "docs" / "drift-metrics.md").read_text(encoding="utf-8")

    def of(kinds):
        return "all" if len(kinds) == 2 else next(iter(kinds))

    def fails_at(threshold):
        warns = {None: "", 0.0: ", warns above 0"}
        return f"{threshold.fail}" + warns.get(threshold.warn, f", warns at {threshold.warn}")

    expected = [
        (name, of(metric.kinds), fails_at(metric.threshold), metric.source)
        for name, metric in registered_metrics().items()
    ]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", page, re.M)
    assert rows == expected
