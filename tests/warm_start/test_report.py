import dataclasses
import json

from tfx_wine_ext.warm_start.report import TransferReport, VariableTransfer

REPORT = TransferReport(
    warm=True,
    reason="Warm start from model 7.",
    base="/pipelines/model/7/warm_start",
    generation=2,
    base_step=400,
    variables=(
        VariableTransfer("hidden/kernel", "remapped", "moved", (4, 2), (3, 2), 2, 2, 1),
        VariableTransfer("hidden/bias", "restored", "the same", (2,), (2,)),
        VariableTransfer("gone/kernel", "skipped", "not in the model", None, (1, 1)),
    ),
    optimizer="Kept: 4 of 6 slots.",
    not_compensated=("feature city: its vocabulary changed",),
    optimizer_step=400,
    steps=100,
    verified=True,
    verification="Both predict the same.",
)


def test_nothing_is_lost_in_json():
    data = json.loads(REPORT.to_json())
    assert TransferReport.from_dict(data) == REPORT
    assert data["variables"][0]["shape"] == [4, 2]
    assert data["variables"][2]["shape"] is None


def test_a_report_of_a_release_that_verified_nothing_is_read():
    data = REPORT.to_dict()
    del data["verified"], data["verification"]
    assert TransferReport.from_dict(data) == dataclasses.replace(
        REPORT, verified=False, verification=""
    )


def test_variables_are_counted_by_what_was_done_with_them():
    counts = {"restored": 1, "remapped": 1, "initialised": 0, "skipped": 1}
    assert REPORT.counts() == counts
    assert REPORT.to_dict()["counts"] == counts


def test_the_function_is_preserved_if_it_was_verified_and_no_change_is_known_to_be_left():
    compensated = dataclasses.replace(REPORT, not_compensated=())
    assert compensated.preserves_function
    assert not REPORT.preserves_function
    assert not dataclasses.replace(compensated, verified=False).preserves_function
    assert not dataclasses.replace(compensated, warm=False).preserves_function
