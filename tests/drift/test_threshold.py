import pytest

from tfx_wine_ext.drift.threshold import Threshold, check_number, shown


@pytest.mark.parametrize(("fail", "warn"), [(None, None), (0.2, None), (None, 0.1), (0.2, 0.2)])
def test_each_level_may_be_left_out_and_both_may_be_the_same(fail, warn):
    assert (Threshold(fail, warn).fail, Threshold(fail, warn).warn) == (fail, warn)


@pytest.mark.parametrize(
    ("fail", "warn", "error", "message"),
    [
        (-0.1, None, ValueError, "fail must be a number >= 0 or None, found -0.1"),
        (None, float("inf"), ValueError, "warn must be finite, found inf"),
        (10**400, None, ValueError, "fail must be finite, found 1000"),
        (0.1, 0.2, ValueError, r"warn must be at most fail \(0.1\), found 0.2"),
        ("0.1", None, TypeError, "fail must be a number, found '0.1'"),
        (True, None, TypeError, "fail must be a number, found True"),
    ],
)
def test_what_is_no_level_is_refused(fail, warn, error, message):
    with pytest.raises(error, match=f"^{message}"):
        Threshold(fail, warn)


def test_the_error_names_where_the_number_stands():
    with pytest.raises(ValueError, match=r"^thresholds\['ks'\] must be finite, found nan$"):
        check_number(float("nan"), "thresholds['ks']")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5"), (10**5000, "a number of too many digits"), ("x" * 999, "'" + "x" * 199 + "...")],
    ids=["a number", "many digits", "a long text"],  # Python does not print such a number.
)
def test_a_value_of_any_size_is_shown_in_short(value, text):
    assert shown(value) == text
