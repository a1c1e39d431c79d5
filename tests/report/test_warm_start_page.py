"""The page of a warm start."""

from __future__ import annotations

import dataclasses

from tfx_wine_ext.report.warm_start_page import render_warm_start_page
from tfx_wine_ext.warm_start import TransferReport, VariableTransfer

HOSTILE = "<script>alert(1)</script>"
WARM = TransferReport(
    warm=True,
    reason="Warm start from model 7 (models/7), the latest one: generation 2.",
    base="models/7/warm_start",
    generation=2,
    base_step=100,
    variables=(
        VariableTransfer("dense/kernel", "remapped", "rescaled", (11, 8), (11, 8), 11, 0, 0),
        VariableTransfer(HOSTILE, "skipped", HOSTILE, None, (3,)),
    ),
    optimizer="Adam's state is kept.",
    not_compensated=("buckets of age moved",),
    steps=50,
)


def test_a_warm_start_is_told_variable_by_variable():
    page = render_warm_start_page(WARM)
    for text in (
        "Warm start from model 7 (models/7), the latest one: generation 2.",
        "buckets of age moved",
        "Generation 2",
        "150",
        "11 \u00d7 8",
        "11, 0, 0",
        "Adam&#39;s state is kept.",
    ):
        assert text in page
    assert page.count("<tr>") == 1 + len(WARM.variables)


def test_whether_it_was_verified_is_told():
    checked = dataclasses.replace(
        WARM, not_compensated=(), verified=True, verification="Verified: both predict the same."
    )
    page = render_warm_start_page(checked)
    assert "Before its first step the model predicted what its base did." in page
    assert "Verified: both predict the same." in page
    unchecked = dataclasses.replace(
        checked, verified=False, verification="Not verified: the base was not run."
    )
    page = render_warm_start_page(unchecked)
    assert "Whether the model predicted what its base did, before its first step, is not" in page
    assert "Not verified: the base was not run." in page
    assert 'class="verdict WARN"' in page


def test_a_page_of_an_earlier_release_s_report_can_be_made():
    report = WARM.to_dict()
    del report["verified"], report["verification"]
    assert "buckets of age moved" in render_warm_start_page(report)


def test_names_stay_text():
    page = render_warm_start_page(WARM)
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_cold_start_says_why_and_has_no_table():
    cold = TransferReport(warm=False, reason="Cold start: there is no model yet.", steps=5)
    page = render_warm_start_page(cold)
    assert "Cold start: there is no model yet." in page
    assert "<table" not in page
