"""Where the files of artifacts are."""

from __future__ import annotations

import pytest

from tfx_wine_ext.artifacts.layout import stopped_by


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/pipelines/DriftReport/stopped/7", ("DriftReport", 7)),
        ("DriftReport/stopped/7/drift_report.html", ("DriftReport", 7)),
        ("/pipelines/DriftReport/report/7", None),
        ("/pipelines/DriftReport/stopped/x", None),
        ("/pipelines/DriftReport/stopped/7x", None),
        ("stopped/7", None),
        (f"DriftReport/stopped/{10**18}", None),
    ],
)
def test_the_folder_of_a_report_that_stopped_a_run_names_node_and_execution(path, expected):
    assert stopped_by(path) == expected
