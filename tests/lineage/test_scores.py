"""How far each feature moved, from reports, from properties and from statistics."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from benchmarks.stores import drift_document, write, write_statistics
from tests.lineage.conftest import ramp
from tfx_wine_ext.drift import DriftConfig, DriftResult, FeatureResult, Metric, Verdict
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.lineage.scores import (
    Score,
    StatisticsPairs,
    read_report,
    read_statistics,
    scores_of_properties,
    scores_of_report,
    scores_of_statistics,
)


def test_the_scores_of_a_report_are_the_deciding_metrics_the_worst_first():
    before = {"pH": ramp(0.0), "alcohol": ramp(0.0), "colour": ["red", "white"] * 100}
    after = {"pH": ramp(0.0), "alcohol": ramp(-5.0), "colour": ["red"] * 200}
    scores = scores_of_report(drift_document(before, after))
    assert [(s.feature, s.verdict, s.direction) for s in scores] == [
        ("alcohol", "DRIFT", "down"),
        ("colour", "DRIFT", None),
        ("pH", "OK", None),
    ]
    assert (scores[1].before, scores[1].after) == (None, None)
    assert scores[0] == Score(
        "alcohol",
        "DRIFT",
        "wasserstein",
        pytest.approx(1.73207, abs=1e-5),
        0.1,
        "down",
        pytest.approx(4.975),
        pytest.approx(-0.025),
    )


def test_a_column_that_is_gone_or_new_has_no_metric():
    document = drift_document(
        {"old": ramp(0.0), "x": ramp(0.0)}, {"new": ramp(0.0), "x": ramp(0.0)}
    )
    found = {score.feature: score for score in scores_of_report(document)}
    assert (found["old"].metric, found["old"].score, found["old"].after) == (None, None, None)
    assert (found["new"].metric, found["new"].before, found["new"].direction) == (None, None, None)


def test_the_properties_of_a_report_have_its_worst_features():
    properties = {
        "worst_1": "alcohol",
        "worst_1_verdict": "DRIFT",
        "worst_1_metric": "ks",
        "worst_1_score": 0.5,
        "worst_1_threshold": 0.1,
        "worst_2": "gone",
        "worst_2_verdict": "DRIFT",
        "worst_3": "pH",
        "worst_3_verdict": "WARN",
        "worst_3_metric": "ks",
        "worst_3_score": 0.06,
        "worst_3_threshold": 0.05,
        "worst_5": "after a gap",
        "worst_5_verdict": "DRIFT",
    }
    assert scores_of_properties(properties) == (
        Score("alcohol", "DRIFT", "ks", 0.5, 0.1),
        Score("gone", "DRIFT"),
        # What is recorded of a warning is where warnings begin, not where drift does.
        Score("pH", "WARN", "ks", 0.06, None),
    )


def test_a_warning_is_measured_by_the_threshold_of_drift():
    features = tuple(
        FeatureResult(
            name,
            "numeric",
            Verdict.WARN,
            metrics={"ks": Metric(0.06, threshold=threshold, warn=0.05, verdict=Verdict.WARN)},
        )
        for name, threshold in (("pH", 0.1), ("x", None))
    )
    result = DriftResult(Verdict.WARN, (), 0.0, None, features, config=DriftConfig())
    assert scores_of_report(result) == (
        Score("pH", "WARN", "ks", 0.06, 0.1),
        Score("x", "WARN", "ks", 0.06, 0.05),
    )


@pytest.mark.parametrize(
    ("score", "threshold", "expected"),
    [(0.05, 0.1, 0.5), (0.0, 0.1, 0.0), (None, 0.1, None), (0.1, None, None), (0.1, 0.0, None)],
)
def test_nearness_is_the_score_in_thresholds(score, threshold, expected):
    assert Score("x", "OK", "ks", score, threshold).nearness == expected


def test_statistics_of_two_sets_of_data_are_compared(tmp_path):
    for name, start in (("a", 0.0), ("b", 9.0)):
        write_statistics(f"{tmp_path}/{name}", {"train": {"x": ramp(start)}, "eval": {"x": [1]}})
    [score] = scores_of_statistics(f"{tmp_path}/a", f"{tmp_path}/b")
    assert (score.feature, score.verdict, score.direction) == ("x", "DRIFT", "up")
    assert (score.before, score.after) == (pytest.approx(4.975), pytest.approx(13.975))


def test_the_split_is_train_or_the_first_that_both_have(tmp_path):
    write_statistics(f"{tmp_path}/a", {"one": {"x": ramp(0.0)}, "two": {"x": ramp(0.0)}})
    write_statistics(f"{tmp_path}/b", {"two": {"x": ramp(9.0)}, "zero": {"x": ramp(0.0)}})
    [score] = scores_of_statistics(f"{tmp_path}/a", f"{tmp_path}/b")
    assert score.verdict == "DRIFT"
    write_statistics(f"{tmp_path}/c", {"three": {"x": ramp(0.0)}})
    assert scores_of_statistics(f"{tmp_path}/a", f"{tmp_path}/c") is None


@pytest.mark.parametrize("content", [b"\xff\xff", b""])
def test_statistics_that_are_broken_are_none(tmp_path, content):
    write_statistics(f"{tmp_path}/a", {"train": {"x": ramp(0.0)}})
    write(f"{tmp_path}/b/Split-train/FeatureStats.pb", content)
    assert scores_of_statistics(f"{tmp_path}/a", f"{tmp_path}/b") is None


def test_of_sliced_statistics_the_whole_is_read(tmp_path):
    from tensorflow_metadata.proto.v0 import statistics_pb2

    message = statistics_pb2.DatasetFeatureStatisticsList()
    message.datasets.add(name="colour_red", num_examples=1)
    message.datasets.add(name="All Examples", num_examples=2)
    write(f"{tmp_path}/a/Split-train/FeatureStats.pb", message.SerializeToString())
    assert read_statistics(f"{tmp_path}/a", "train", SoftFiles()).num_examples == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"baseline": None}, None),
        ({"current": {"created": "yesterday"}}, "current.created: expected an ISO 8601 time"),
        (
            {"reasons": ["x"], "reason_facts": [{"type": "CriticalDrifted"}]},
            "reason_facts[0]: expected the key 'feature'",
        ),
    ],
)
def test_a_report_that_is_none_is_noted_with_the_place(tmp_path, change, why):
    document = drift_document({"x": ramp(0.0)}, {"x": ramp(0.0)})
    for key, value in change.items():
        document[key] = {**document[key], **value} if isinstance(value, dict) else value
    (tmp_path / "drift_report.json").write_text(json.dumps(document))
    files = SoftFiles()
    report = read_report(str(tmp_path), files)
    noted = [file.why for file in files.take_unread()]
    assert (report is None) is (why is not None)
    assert [said[: len(why)] for said in noted] == [why] if why else not noted


class CountingFiles(SoftFiles):
    """Counts how often each file is read."""

    def __init__(self):
        super().__init__()
        self.times = Counter()

    def read(self, folder, name="", *, expected=True):
        self.times[folder] += 1
        return super().read(folder, name, expected=expected)


def test_of_neighbouring_pairs_the_statistics_of_each_run_are_read_once(tmp_path):
    for number, start in enumerate((0.0, 9.0, 9.0, 0.0)):
        write_statistics(f"{tmp_path}/{number}", {"train": {"x": ramp(start)}})
    files = CountingFiles()
    pairs = StatisticsPairs(files)
    folders = [f"{tmp_path}/{number}" for number in range(4)]
    for two in zip(folders, folders[1:]):
        assert pairs.scores(*two) == scores_of_statistics(*two)
    assert files.times == dict.fromkeys(folders, 1)


def test_statistics_that_cannot_be_read_are_missed_by_both_pairs(tmp_path):
    for number in range(3):
        write_statistics(f"{tmp_path}/{number}", {"train": {"x": ramp(number)}})
    write(f"{tmp_path}/1/Split-train/FeatureStats.pb", b"nonsense")
    files = SoftFiles()
    pairs = StatisticsPairs(files)
    for two in ("01", "12"):
        assert pairs.scores(*(f"{tmp_path}/{number}" for number in two)) is None
        assert [unread.path for unread in files.take_unread()] == [
            f"{tmp_path}/1/Split-train/FeatureStats.pb"
        ]


def test_pairs_with_different_splits_are_compared_as_each_by_itself(tmp_path):
    splits = [("train", "eval"), ("eval",), ("eval", "train"), ("train",)]
    for number, names in enumerate(splits):
        columns = {name: {"x": ramp(number + len(name))} for name in names}
        write_statistics(f"{tmp_path}/{number}", columns)
    folders = [f"{tmp_path}/{number}" for number in range(4)]
    pairs = StatisticsPairs(SoftFiles())
    for two in zip(folders, folders[1:]):
        assert pairs.scores(*two) == scores_of_statistics(*two)
