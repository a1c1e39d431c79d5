"""A pipeline whose runs take turns between two releases of TFX, on one metadata store.

It needs two environments. The one that runs the tests is the first; ``$TFX_WINE_EXT_OTHER_PYTHON``
names the interpreter of the other (`make test-1.21` makes one). Without it the tests are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store

OTHER = os.environ.get("TFX_WINE_EXT_OTHER_PYTHON")
VERSIONS = (
    "import importlib.metadata as m; print(*(m.version(n) for n in ('tfx', 'keras', 'pyarrow')))"
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not OTHER, reason="$TFX_WINE_EXT_OTHER_PYTHON names no second environment"),
]


def said_by(python, *arguments, checkout):
    """Runs an interpreter in the checkout, and returns what it printed."""
    done = subprocess.run([python, *arguments], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module", params=["dnn", "trees"])
def three_spans(request, checkout, tmp_path_factory):
    """Summaries of three warm spans: ours, the other, ours again; and their store."""
    output = tmp_path_factory.mktemp(request.param) / "out"
    options = ["--output", output, "--model", request.param, "--warm-start", "--spans", "3"]
    # What is under test is the hand-over, not how good the third of a small table makes a model.
    gate = ["--min-r2", "0", "--r2-margin", "1"]
    summaries = []
    for span, python in enumerate([sys.executable, OTHER, sys.executable], 1):
        run = ["-m", "examples.wine_quality.run", *options, *gate, "--span", str(span)]
        said_by(python, *map(str, run), checkout=checkout)
        summaries.append(json.loads((output / "summary.json").read_text(encoding="utf-8")))
    return summaries, output / "metadata.db"


def test_the_two_environments_are_of_two_releases(checkout):
    ours, others = (said_by(p, "-c", VERSIONS, checkout=checkout) for p in (sys.executable, OTHER))
    assert ours != others


def test_each_start_is_warm_from_the_other_release_s_model(three_spans):
    summaries, _ = three_spans
    starts = [summary["warm_start"] for summary in summaries]
    assert [(start["warm"], start["generation"]) for start in starts] == [
        (False, 0),
        (True, 1),
        (True, 2),
    ]
    assert all(summary["pushed"] for summary in summaries)


def test_each_drift_report_compares_with_the_other_release_s_examples(three_spans):
    summaries, _ = three_spans
    assert [s["drift"]["baseline_span"] for s in summaries] == [None, 1, 2]
    unknown = [s["drift"]["verdict"] == "NO_BASELINE" for s in summaries]
    assert unknown == [True, False, False]


def test_both_releases_read_the_whole_store(three_spans, checkout):
    _, store = three_spans
    found = runs(Snapshot.read(open_store(str(store))), "wine_quality")
    assert [run.state for run in found] == ["COMPLETE"] * 3
    assert [run.model.generation for run in found] == [0, 1, 2]
    command = ["-m", "tfx_wine_ext.cli", "runs", "--store", str(store), "--json"]
    [ours, others] = (said_by(p, *command, checkout=checkout) for p in (sys.executable, OTHER))
    assert json.loads(ours) == json.loads(others)
