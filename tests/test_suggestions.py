import pytest

from tfx_wine_ext.suggestions import SHOWN_NAMES, closest, hint, hint_or_list, path_hint


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ph", "pH"),
        (" pH ", "pH"),
        ("fixed_acidity", "fixed acidity"),
        ("ALCOHOL", "alcohol"),
        ("sugar", None),
        ("", None),
    ],
)
def test_a_mistyped_name_is_recognised_whatever_its_case(typed, meant):
    assert closest(typed, ["alcohol", "pH", "fixed acidity"]) == meant


def test_names_that_nothing_is_like_are_left_out_of_the_hint():
    assert hint(["ph", "sugar"], ["pH"]) == "; did you mean 'pH'?"


def test_of_many_names_some_are_listed():
    names = [f"c{i:03}" for i in range(SHOWN_NAMES + 5)]
    found = hint_or_list("x", names)
    assert found.startswith("; expected one of 'c000', 'c001', ")
    assert found.endswith("'c019', and 5 more")


def test_a_name_of_a_million_letters_is_compared_at_once():
    assert hint("a" * 1_000_000, ["b" * 1_000_000, "a" * 999_999]).startswith("; did you mean 'aa")


def test_a_file_beside_the_one_that_is_missing_is_found(tmp_path):
    (tmp_path / "white.csv").touch()
    (tmp_path / ".whit.csv").touch()
    assert path_hint(f"{tmp_path}/whit.csv") == f"; did you mean '{tmp_path}/white.csv'?"
    assert path_hint(f"{tmp_path}/whit*.csv") == ""
    assert path_hint(f"{tmp_path}/none/white.csv") == ""
