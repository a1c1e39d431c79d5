import io

import pytest
from rich.console import Console

from tfx_wine_ext.cli import drift_table
from tfx_wine_ext.cli.drift_table import print_features, sentence
from tfx_wine_ext.drift.document import DataSource, DriftDocument
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.reasons import Stated
from tfx_wine_ext.drift.result import FeatureResult


def metric(value, threshold, verdict, warn=None, error=0.0):
    return Metric(value, error, threshold=threshold, warn=warn, verdict=Verdict(verdict))


def feature(name, verdict, *reasons, **metrics):
    kind = "numeric" if metrics else "unknown"
    return FeatureResult(name, kind, Verdict(verdict), reasons, metrics)


def document(verdict, features=(), reasons=()):
    return DriftDocument(
        Verdict(verdict),
        tuple(reasons),
        0.0,
        None,
        tuple(features),
        config={},
        method="exact",
        created="2026-11-24T23:30:00+00:00",
        baseline=DataSource("white", 4898),
        current=DataSource("red", 1),
    )


FEATURES = [
    feature("pH", "OK", ks=metric(0.031, 0.1, "OK"), psi=metric(0.02, 0.25, "OK")),
    feature("gone", "DRIFT", Stated("the column is gone")),
    feature("new [red]\x1b[31m", "WARN", Stated("the column is new")),
    feature(
        "sugar",
        "DRIFT",
        ks=metric(0.2, 0.1, "DRIFT"),
        psi=metric(2.58, 0.25, "DRIFT"),
        missing_rate=metric(0.0, 0.05, "OK"),
    ),
    feature("code", "WARN", psi=metric(0.1234, 0.25, "WARN", warn=0.1)),
    feature("age", "INCONCLUSIVE", ks=metric(0.1, 0.1, "INCONCLUSIVE", error=0.013)),
]
PRINTED = r"""
 feature             kind      verdict        why
 ─────────────────────────────────────────────────────────────────────────
 sugar               numeric   DRIFT          psi 2.58 (limit 0.25), ks
                                              0.2 (limit 0.1)
 gone                unknown   DRIFT          the column is gone
 age                 numeric   INCONCLUSIVE   ks 0.1 ± 0.013 (limit 0.1)
 code                numeric   WARN           psi 0.123 (limit 0.1)
 new [red]\x1b[31m   unknown   WARN           the column is new
 pH                  numeric   OK             ks 0.031 (limit 0.1)

"""
OF_TWO = """
 feature   kind      verdict   why
 ───────────────────────────────────────────────────────────────────────
 sugar     numeric   DRIFT     psi 2.58 (limit 0.25), ks 0.2 (limit 0.1)
 gone      unknown   DRIFT     the column is gone

... and 4 more features, none of them worse: --json and --html have all of them

"""


def printed(features, **options):
    out = io.StringIO()
    print_features(document("DRIFT", features), Console(file=out, width=75, **options))
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())


def test_the_worst_features_come_first_and_what_decided_stands_beside_them():
    assert printed(FEATURES) == PRINTED


def test_on_a_terminal_the_verdicts_are_in_colours():
    assert "\x1b[1;31mDRIFT" in printed(FEATURES, force_terminal=True, color_system="standard")


def test_of_many_features_the_worst_are_shown_and_the_others_counted(monkeypatch):
    monkeypatch.setattr(drift_table, "MOST_FEATURES", 2)
    assert printed(FEATURES) == OF_TWO


@pytest.mark.parametrize(
    ("verdict", "reasons", "expected"),
    [
        ("OK", [], "OK from white (4,898 rows) to red (1 row): no feature drifted."),
        (
            "DRIFT",
            [Stated("pH drifted"), Stated("and more")],
            "DRIFT from white (4,898 rows) to red (1 row): pH drifted; and more.",
        ),
    ],
)
def test_one_sentence_says_it(verdict, reasons, expected):
    assert sentence(document(verdict, reasons=reasons)) == expected
