from __future__ import annotations

import pytest

from tfx_wine_ext.report.words.text import (
    count,
    isolated,
    labels,
    moment,
    number,
    pair,
    percent,
    visible,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("  ", "··"),
        (" a b ", "·a b·"),
        ("a\x00\x1b\r\n\tb", "a[U+0000][U+001B][U+000D][U+000A][U+0009]b"),
        ("\x7f\x85", "[U+007F][U+0085]"),
        ("\u202egnp\u2066\u2069", "[U+202E]gnp[U+2066][U+2069]"),
        ("\u200b\ufeff\u00ad\u2028", "[U+200B][U+FEFF][U+00AD][U+2028]"),
        ("\ud800", "[U+D800]"),
        ("\U000e0041", "[U+E0041]"),
        # Joiners stay: without them this family falls apart, and the Persian word is misspelt.
        ("👨\u200d👩\u200d👧 می\u200cخواهم", "👨\u200d👩\u200d👧 می\u200cخواهم"),  # noqa: RUF001
        ("é\u0301 日本 שלום", "é\u0301 日本 שלום"),
    ],
)
def test_what_cannot_be_seen_is_made_visible(text, shown):
    assert visible(text) == shown


def test_a_long_text_is_cut_in_the_middle_so_that_both_ends_are_seen():
    assert visible("a" * 50 + "b" * 50, 12) == "aaaaaaaa…bbb"
    assert visible("a" * 12, 12) == "a" * 12


def test_what_is_cut_off_does_not_count_as_a_space_at_the_end():
    assert visible("a" + " " * 100 + "b", 9) == "a     … b"


def test_isolation_wraps_a_text_in_marks_that_have_no_direction():
    assert isolated("שם") == "\u2068שם\u2069"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "—"),
        (0, "0"),
        (-0.0, "0"),
        (2015, "2015"),
        (2015.75, "2016"),
        (12345.678, "12,346"),
        (-1234567, "-1,234,567"),
        (0.00012345, "0.0001234"),
        (0.000012345, "1.234e-05"),
        (1e15, "1e+15"),
        (-1.7e308, "-1.7e+308"),
        (5e-324, "4.941e-324"),
        (1.10, "1.1"),
    ],
)
def test_a_number_has_four_digits_or_all_of_a_whole_one(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        (10.4, 9.9, ("10.4", "9.9")),
        (0.99574, 0.99581, ("0.9957", "0.9958")),
        (0.99574, 0.99574, ("0.9957", "0.9957")),
        (1e16, 1e16 + 2, ("1e+16", "1.0000000000000002e+16")),
    ],
)
def test_two_numbers_have_the_digits_that_tell_them_apart(one, other, shown):
    assert pair(one, other) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (None, "—"),
        (0.0, "0 %"),
        (1e-9, "<0.01 %"),
        (0.0004, "0.04 %"),
        (0.031, "3.1 %"),
        (0.534, "53 %"),
        (0.994, "99.4 %"),
        (0.99999, ">99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(share, shown):
    assert percent(share).replace("\u00a0", " ") == shown


def test_estimated_numbers_of_things_are_rounded():
    assert (count(1234.5, "row"), count(0, "row")) == ("1,234 rows", "0 rows")


@pytest.mark.parametrize(
    ("iso", "shown"),
    [
        ("2026-11-24T23:30:59Z", "24 November 2026, 23:30 UTC"),
        ("2026-01-02T03:04:05+05:30", "2 January 2026, 03:04 UTC+05:30"),
        ("2026-01-02T03:04:05", "2 January 2026, 03:04"),
        ("2026-01-02", "2 January 2026"),
        ("once\x00", "once[U+0000]"),
    ],
)
def test_a_time_is_shown_to_the_minute_with_its_zone(iso, shown):
    assert moment(iso) == shown


HEAD, TAIL = "sensor_of_the_third_tank_in_the_cellar_" * 3, "_as_measured_in_degrees_celsius" * 3


@pytest.mark.parametrize("limit", [18, 48])
@pytest.mark.parametrize(
    "names",
    [
        [f"{HEAD}{i}{TAIL}" for i in range(30)],
        [f"{HEAD}{i}{TAIL}{j}{HEAD}" for i in range(3) for j in range(3)],
        [f"{'x' * i}" for i in range(60, 70)],
        [HEAD + "a" * i for i in range(3)],
        ["a" * i + HEAD for i in range(3)],
        ["a ", "a·", " a", "·a"],
        [HEAD[:17] + "…", HEAD, HEAD + "!"],
        ["name (2)", "name\u202e", "name[U+202E]"],
    ],
)
def test_no_two_labels_look_alike_however_long_the_names_are(names, limit):
    found = labels(names, limit)
    assert list(found) == names
    assert len(set(found.values())) == len(names)
    assert max(map(len, found.values())) <= limit + 6 * 7  # An unseen character is shown as eight.


def test_names_that_share_head_and_tail_show_what_tells_them_apart():
    found = labels([f"{HEAD}{i}{TAIL}" for i in (7, 8)], 48)
    assert list(found.values()) == [
        "sensor_of_the_thi…he_cellar_7_as_measur…_celsius",
        "sensor_of_the_thi…he_cellar_8_as_measur…_celsius",
    ]


def test_names_that_fit_stay_as_they_are():
    assert labels(["pH", "alcohol", "pH"], 18) == {"pH": "pH", "alcohol": "alcohol"}
