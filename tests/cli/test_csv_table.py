import csv
import io

import pytest

from tfx_wine_ext.cli.csv_table import csv_text, drift_csv
from tfx_wine_ext.drift.document import DataSource, DriftDocument
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.reasons import Stated
from tfx_wine_ext.drift.result import FeatureResult


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1", "'＝1"),  # noqa: RUF001
        ("'=1", "''=1"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_no_name_is_a_formula(name, cell):
    [heading, row] = csv.reader(io.StringIO(csv_text([name], [[name]]), newline=""))
    assert ("".join(heading), "".join(row)) == (cell, cell)


def test_each_name_can_be_had_back_since_no_two_are_the_same_cell():
    names = ["a", "'a", "''a", "=1", "'=1", "''=1", "-1", "'-1"]
    [_, row] = csv.reader(io.StringIO(csv_text(names, [names]), newline=""))
    assert len(set(row)) == len(names)


def test_numbers_are_the_same_when_they_are_read():
    numbers = [0.1 + 0.2, 1e-300, -2.5, 2**53, 1 / 3]
    [row] = csv.reader(io.StringIO(csv_text(["a"] * 5, [numbers])).readlines()[1:])
    assert [float(text) for text in row] == numbers
    assert row[2] == "-2.5"


def test_commas_quotes_and_breaks_stay_within_their_cell():
    text = csv_text(["a", "b"], [['x,"y"', "1\r\n2"], [None, True]])
    assert text == 'a,b\r\n"x,""y""","1\r\n2"\r\n,true\r\n'


def test_a_drift_report_has_a_line_for_each_metric():
    metric = Metric(0.25, 0.0, 0.1, 0.01, 0.1, None, 0.5, Verdict.DRIFT)
    why = Stated("a"), Stated("b")
    both = {"ks": metric, "js": metric}
    features = (
        FeatureResult("pH", "numeric", Verdict.DRIFT, why, both, 9, 8),
        FeatureResult("=x", "numeric", Verdict.DRIFT, (Stated("it is gone"),), {}, 9, None),
    )
    document = DriftDocument(
        Verdict.DRIFT,
        (),
        1.0,
        None,
        features,
        config={},
        method="exact",
        created="2026-11-24T23:30:00+00:00",
        baseline=DataSource("a", 9),
        current=DataSource("b", 8),
    )
    assert drift_csv(document).split("\r\n") == [
        "feature,kind,verdict,n_baseline,n_current,metric,value,error,noise_floor,warn,threshold,"
        "q_value,p_value,metric_verdict,reasons",
        "pH,numeric,DRIFT,9,8,ks,0.25,0.0,0.1,,0.1,0.5,0.01,DRIFT,a; b",
        "pH,numeric,DRIFT,9,8,js,0.25,0.0,0.1,,0.1,0.5,0.01,DRIFT,a; b",
        "'=x,numeric,DRIFT,9,,,,,,,,,,,it is gone",
        "",
    ]
