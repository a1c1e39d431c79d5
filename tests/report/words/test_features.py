import pytest

from tfx_wine_ext.report.words.features import changed, tally, unjudged


@pytest.mark.parametrize(
    ("drifted", "warned", "compared", "said"),
    [
        (0, 0, 12, "none of 12 features drifted"),
        (0, None, 12, "none of 12 features drifted"),
        (0, 1, 12, "1 of 12 features changed, but not beyond its limit"),
        (0, 2, 12, "2 of 12 features changed, none beyond its limit"),
        (1, 0, 1, "1 of 1 feature drifted"),
        (1_200, 0, 3_400, "1,200 of 3,400 features drifted"),
        (3, 1, 12, "3 of 12 features drifted, and 1 more changed within its limits"),
        (3, 2, 12, "3 of 12 features drifted, and 2 more changed within their limits"),
    ],
)
def test_numbers_of_features_are_said_alike_everywhere(drifted, warned, compared, said):
    assert changed(drifted, warned, compared) == said


def test_features_that_cannot_be_judged_are_counted():
    assert unjudged(1, 1) == "1 of 1 feature cannot be judged"
    assert unjudged(2, 12) == "2 of 12 features cannot be judged"


@pytest.mark.parametrize(
    ("verdict", "drifted", "warned", "cell"),
    [
        ("OK", 0, 0, "0/12"),
        ("WARN", 1, 2, "3/12"),
        ("WARN", 0, None, ""),
        ("DRIFT", 7, 2, "7/12"),
        ("DRIFT", 0, 2, ""),
        (None, None, None, ""),
    ],
)
def test_a_cell_counts_the_features_that_the_verdict_is_about(verdict, drifted, warned, cell):
    assert tally(verdict, drifted, warned, 12) == cell
