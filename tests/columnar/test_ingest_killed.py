import json
import subprocess
import sys

import pytest


@pytest.mark.e2e
def test_after_kill_9_at_any_moment_every_split_is_whole_and_the_next_run_is_as_in_peace(checkout):
    ran = subprocess.run(
        [sys.executable, "scripts/kill_ingest.py", "--kills", "30", "--seed", "7"],
        cwd=checkout,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    report = json.loads(ran.stdout)
    assert (report["kills"], report["failures"]) == (30, [])
    assert sum(report["phases"].values()) == 30
    # The phases that matter were struck, or the rest says nothing.
    assert report["phases"]["while writing"] > 0
    assert report["phases"]["in commit"] > 0
