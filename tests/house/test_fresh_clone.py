"""What a stranger does: clone, and type one command. The whole set is really installed here.

What is cloned is the last commit: a change that is not committed is not tested by this file.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from examples.wine_quality.data import load

SUMMARY_KEYS = {
    "anomalies",
    "blessed",
    "cached",
    "data_source",
    "model",
    "mse",
    "pushed",
    "r2",
    "rows",
    "seconds",
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory, checkout):
    """A fresh clone, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("fresh") / "a fresh clone"
    subprocess.run(["git", "clone", "--quiet", checkout, folder], check=True)
    yield folder
    shutil.rmtree(folder)  # 3 GB, of which pytest would keep the last three.


def make(folder, *arguments):
    """Runs make as a user would, without the variables of the make that may run these tests.

    What this checkout finds of the wine data is named: the clone has other neighbours.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    wine = load(download=False)
    if wine.source == "real":
        environment["WINE_QUALITY_DATA"] = os.path.abspath(wine.path)
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.e2e
def test_make_alone_lists_the_targets_and_installs_nothing(clone):
    done = make(clone)
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    targets = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  make ")]
    assert targets == [
        "help",
        "wine",
        "story",
        "notebook",
        "notebook-outputs",
        "test",
        "engines",
        "test-1.16",
        "test-1.21",
        "lint",
        "docs",
        "release-check",
        "constraints",
        "clean",
    ]
    assert not (clone / ".venv").exists()


@pytest.mark.e2e
def test_an_installation_that_is_killed_midway_is_repaired_by_the_next_make_wine(clone):
    first = subprocess.Popen(
        ["make", "environment"],
        cwd=clone,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    # Some packages are there, and by far not all of the two hundred and more.
    while len(list(clone.glob(".venv/lib/python3.*/site-packages/*.dist-info"))) < 5:
        assert first.poll() is None, "the installation ended before it could be killed"
        assert time.monotonic() < deadline, "no package was installed in 300 s"
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert (clone / ".venv").exists()
    assert not (clone / ".venv/tfx-wine-ext.stamp").exists()

    done = make(clone, "wine")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "half-made" in done.stdout
    summary = json.loads((clone / "build/wine/summary.json").read_text(encoding="utf-8"))
    assert set(summary) >= SUMMARY_KEYS
    assert summary["data_source"] in ("real", "sample")
    assert summary["seconds"]["total"] > 0
    assert (clone / ".venv/tfx-wine-ext.stamp").exists()


@pytest.mark.e2e
def test_the_second_make_wine_installs_nothing_and_uses_the_cache(clone):
    stamp = clone / ".venv/tfx-wine-ext.stamp"
    before = stamp.stat()
    done = make(clone, "wine")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "environment:" not in done.stdout
    assert stamp.stat().st_ino == before.st_ino
    summary = json.loads((clone / "build/wine/summary.json").read_text(encoding="utf-8"))
    assert summary["cached"]


@pytest.mark.e2e
def test_a_run_leaves_nothing_for_git_to_see(clone):
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert status.stdout == ""
