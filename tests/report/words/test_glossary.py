from tfx_wine_ext.drift.metrics.registry import registered_metrics
from tfx_wine_ext.report.words.glossary import EVALUATION, metric_label, terms


def test_each_metric_of_drift_is_explained_by_its_own_record():
    metrics = registered_metrics()
    found = terms(drift=metrics)
    assert list(found) == [f"drift-{name}" for name in metrics]
    for name, metric in metrics.items():
        term = found[f"drift-{name}"]
        assert (term.label, term.meaning, term.sees) == (metric.label, metric.meaning, metric.sees)


def test_the_better_direction_of_a_metric_of_an_evaluation_is_known():
    found = terms(evaluation=["auc", "loss", "my_own"])
    assert {name: term.better for name, term in found.items()} == {
        "evaluation-auc": 1,
        "evaluation-loss": -1,
    }
    assert {measure.better for measure in EVALUATION.values()} <= {-1, 0, 1}


def test_a_metric_of_both_kinds_has_two_entries():
    both = set(EVALUATION) & set(registered_metrics())
    for name in both:
        assert list(terms(drift=[name], evaluation=[name])) == [
            f"drift-{name}",
            f"evaluation-{name}",
        ]
    assert terms(drift=[None, "unknown"]) == {}


def test_an_unknown_metric_keeps_its_name_and_none_is_empty():
    assert metric_label("f1, macro") == "f1, macro"
    assert metric_label("a\u202eb") == "a\ufffdb" or "\u202e" not in metric_label("a\u202eb")
    assert metric_label("") == "(no name)"
