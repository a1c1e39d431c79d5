import pytest

from tfx_wine_ext.history import what_moved

PRINTED = """\
From run 1 (2026-01-01T00:00:00) to run 2 (2026-01-02T00:00:00)
  The data changed: span 1 to span 2; 151 rows before, 152 now.
  1 of 2 features drifted; most: alcohol up (mean 4.97 to 9.97).
  The model continues from model 9: warm start, generation 1.
  R2 fell by 0.25 (0.5 to 0.25). The earlier model has 0.125 on the new data, \
which is 0.375 lower; the new model is 0.125 higher.
  The model was not blessed.
  No model was pushed.

Features, by the drift report

 feature   verdict   metric         score   limit   mean before       now
 ────────────────────────────────────────────────────────────────────────
 alcohol   DRIFT     wasserstein     1.73     0.1          4.97    9.97 ↑
 pH        OK        missing_rate       0    0.05         4.975     4.975

Metrics

 metric          before   that model, new data    now   change   interval of the change
 ──────────────────────────────────────────────────────────────────────────────────────
 r2                 0.5                  0.125   0.25    -0.25
 mse                  —                  0.875   0.75
 example_count      100                             —

"""


def test_what_moved_is_told_in_sentences_and_tables(on_store):
    assert on_store("diff 1 2") == (0, PRINTED, "")


@pytest.mark.parametrize(
    ("arguments", "before", "after"),
    [
        ("", 3, 4),
        ("3", 1, 2),
        ("latest", 3, 4),
        ("1 4", 0, 3),
        ("-2 1", 3, 0),
    ],
)
def test_the_runs_are_the_named_ones_or_the_latest_and_the_one_before(
    document_of, five, arguments, before, after
):
    assert document_of(f"diff {arguments}") == what_moved(five.runs[before], five.runs[after])


def test_runs_that_are_alike_are_said_to_be(on_store):
    status, out, _ = on_store("diff 2 2")
    assert status == 0
    assert out.startswith(
        "From run 2 (2026-01-02T00:00:00) to run 2 (2026-01-02T00:00:00)\n"
        "  The data are the same.\n"
    )
    assert "Features" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "diff 1",
            "run 2026-01-01T00:00:00: expected one before it to compare with, found that it is "
            "the first; name two runs",
        ),
        ("diff 1 2 3", "found 1 more argument than expected: '3'; see tfx-wine-ext diff --help"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(on_store, arguments, message):
    assert on_store(arguments) == (2, "", f"tfx-wine-ext: error: {message}\n")
