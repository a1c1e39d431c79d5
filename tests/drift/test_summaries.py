import datetime
import decimal
import hashlib
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_wine_ext.drift import summaries
from tfx_wine_ext.drift.summaries import (
    CategoricalSummary,
    NumericSummary,
    aligned,
    merge,
    shortened,
    summarize,
    summarize_column,
    summarize_in_pieces,
)

NAN, INF = float("nan"), float("inf")
NUMBERS = st.lists(st.one_of(st.floats(), st.integers(-3, 3).map(float), st.none()), max_size=30)
WORDS = st.lists(st.one_of(st.text(max_size=2), st.none()), max_size=30)


def seen(summary):
    """Everything that a summary holds, as literals."""
    if isinstance(summary, NumericSummary):
        infinite = (summary.negative_infinity, summary.positive_infinity)
        return summary.values.tolist(), summary.missing, summary.nan, infinite
    return summary.as_dict(), summary.missing


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([3, None, 1], pa.int8()), ([1.0, 3.0], 1, 0, (0, 0))),
        (pa.array([True, False, None]), ([0.0, 1.0], 1, 0, (0, 0))),
        (pa.array([2.5, NAN, INF, -INF, -INF, None]), ([2.5], 1, 1, (2, 1))),
        (pa.array(np.array([1.5, 0.5], np.float16)), ([0.5, 1.5], 0, 0, (0, 0))),
        (pa.array([decimal.Decimal("1.25"), None]), ([1.25], 1, 0, (0, 0))),
        (pa.array([datetime.date(1970, 1, 2)]), ([86_400e6], 0, 0, (0, 0))),
        (pa.array([1, 2], pa.timestamp("s")), ([1e6, 2e6], 0, 0, (0, 0))),
        (pa.array([3], pa.duration("ms")), ([3e3], 0, 0, (0, 0))),
        (pa.array([2**64 - 1], pa.uint64()), ([2.0**64], 0, 0, (0, 0))),
        (pa.array([7, 8, 7]).dictionary_encode(), ([7.0, 7.0, 8.0], 0, 0, (0, 0))),
        (pa.array([], pa.float32()), ([], 0, 0, (0, 0))),
        (pa.array([None, None], pa.int64()), ([], 2, 0, (0, 0))),
        (pa.array(["a", "b", "a", None]), ({"a": 2, "b": 1}, 1)),
        (pa.array(["b", None, "b"]).dictionary_encode(), ({"b": 2}, 1)),
        (pa.array([b"\xff", b"ok"]), ({"\\xff": 1, "ok": 1}, 0)),
        (pa.array([b"ab"], pa.binary(2)), ({"ab": 1}, 0)),
        (pa.array([None, None]), ({}, 2)),
    ],
)
def test_a_column_is_counted_without_dropping_anything(column, expected):
    assert seen(summarize_column(column)) == expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([[1, 2], [], None, [None, 3]]), ([1.0, 2.0, 3.0], 3, 0, (0, 0))),
        (pa.array([[1, 2], None], pa.list_(pa.int64(), 2)), ([1.0, 2.0], 1, 0, (0, 0))),
        (pa.array([[["a"], []], None], pa.list_(pa.list_(pa.string()))), ({"a": 1}, 2)),
        (pa.array([["a"], ["a", None]], pa.large_list(pa.string())), ({"a": 2}, 1)),
    ],
)
def test_a_list_is_flattened_and_an_empty_one_is_a_missing_value(column, expected):
    assert seen(summarize_column(column)) == expected


def test_a_column_in_chunks_is_one_column():
    column = pa.chunked_array([["a", "b"], [], ["b", None]], pa.string())
    assert seen(summarize_column(column)) == ({"a": 1, "b": 2}, 1)


def test_codes_can_be_counted_as_categories_whether_int_or_float():
    ints = summarize_column(pa.array([1, 2, 2, None]), categorical=True)
    floats = summarize_column(pa.array([1.0, 2.0, 2.0, 0.5]), categorical=True)
    assert seen(ints) == ({"1": 1, "2": 2}, 1)
    assert seen(floats) == ({"0.5": 1, "1": 1, "2": 2}, 0)


def test_int_and_float_make_the_same_summary():
    assert seen(summarize_column(pa.array([2, 1]))) == seen(summarize_column(pa.array([2.0, 1.0])))


def test_a_struct_is_refused_by_name():
    with pytest.raises(TypeError, match=r"column 'place' is of type struct<.*drop the column"):
        summarize(pa.table({"place": [{"x": 1}]}))


def test_the_same_name_twice_is_refused():
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"])
    with pytest.raises(ValueError, match=r"must be distinct, found \['x'\] more than once"):
        summarize(table)


def test_something_else_than_a_table_is_refused():
    with pytest.raises(TypeError, match="a pandas DataFrame, found dict"):
        summarize({"x": [1]})


def test_a_pandas_frame_is_a_table_and_its_index_is_no_column():
    frame = pd.DataFrame({"x": [1.5, 2.5], "kind": ["a", None]}, index=["p", "q"])
    found = {name: seen(summary) for name, summary in summarize(frame).items()}
    assert found == {"x": ([1.5, 2.5], 0, 0, (0, 0)), "kind": ({"a": 1}, 1)}


@given(NUMBERS, NUMBERS)
def test_merged_numbers_are_the_summary_of_all_of_them(one, other):
    kind = pa.float64()
    parts = summarize_column(pa.array(one, kind)).merge(summarize_column(pa.array(other, kind)))
    assert seen(parts) == seen(summarize_column(pa.array(one + other, kind)))
    assert parts.n == len(one) + len(other)


@given(WORDS, WORDS)
def test_merged_categories_are_the_summary_of_all_of_them(one, other):
    kind = pa.string()
    parts = summarize_column(pa.array(one, kind)).merge(summarize_column(pa.array(other, kind)))
    assert seen(parts) == seen(summarize_column(pa.array(one + other, kind)))
    assert parts.n == len(one) + len(other)


def test_a_part_that_is_all_missing_takes_the_kind_of_the_other():
    parts = [summarize(pa.table({"x": x})) for x in (pa.nulls(2), pa.array([1.0, None]))]
    assert seen(merge(*parts)["x"]) == ([1.0], 3, 0, (0, 0))
    assert seen(merge(*reversed(parts))["x"]) == ([1.0], 3, 0, (0, 0))


def test_parts_without_any_value_can_be_merged_whatever_their_types():
    parts = [summarize(pa.table({"x": pa.nulls(2, kind)})) for kind in (pa.int8(), pa.string())]
    assert merge(*parts)["x"].n == merge(*reversed(parts))["x"].missing == 4


def test_parts_with_different_columns_are_refused():
    parts = [summarize(pa.table({name: [1]})) for name in ("x", "y")]
    with pytest.raises(ValueError, match=r"the same columns, found \['x', 'y'\] in only one"):
        merge(*parts)


def test_parts_of_different_kinds_are_refused():
    parts = [summarize(pa.table({"x": x})) for x in ([1], ["a"])]
    with pytest.raises(ValueError, match="column 'x' is numeric in one part and categorical"):
        merge(*parts)


@given(st.lists(st.integers(0, 5), min_size=1))
def test_steps_are_the_distribution_function(values):
    steps = NumericSummary.of(np.array(values, np.float64)).steps()
    assert steps.points.tolist() == sorted(set(values))
    assert steps.at(np.arange(-1.0, 7.0)).tolist() == [
        sum(value <= x for value in values) for x in range(-1, 7)
    ]


def test_no_values_have_no_steps():
    steps = NumericSummary.of(np.zeros(0)).steps()
    assert (steps.total, steps.at(np.array([1.0])).tolist()) == (0, [0])


def test_a_million_categories_are_counted_and_merged():
    words = pa.array(np.arange(1_000_000)).cast(pa.string())
    merged = CategoricalSummary.of(words).merge(CategoricalSummary.of(words[:10]))
    assert (len(merged.values), merged.n, merged.counts.max()) == (1_000_000, 1_000_010, 2)


# Long values.

LONG = "é" * 600  # 1,200 bytes
OTHER = "é" * 599 + "è"


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()])
def test_long_values_are_counted_as_what_they_are_and_kept_short(kind):
    values = pa.array([LONG, "a", None, OTHER, LONG, "b" * 1024, "a"]).cast(kind)
    for column in (values, pa.chunked_array([values[:3], values[3:]]), values.dictionary_encode()):
        summary = summarize_column(column)
        counts = summary.as_dict()
        assert sorted(counts.values()) == [1, 1, 2, 2]
        assert (counts["a"], counts["b" * 1024], summary.missing) == (2, 1, 1)
        assert max(map(len, summary.values.to_pylist())) == 1024
        [shown] = [name for name, count in counts.items() if count == 2 and name != "a"]
        assert shown.startswith("é" * 32 + "... (1200 bytes, SHA-256 ")


def test_long_values_in_lists_are_kept_short_too():
    summary = summarize_column(pa.array([[LONG, None], [], None, [LONG, "a"]]))
    assert (sorted(summary.as_dict().values()), summary.missing) == ([1, 2], 3)


def test_a_long_value_is_the_same_on_both_sides_of_a_comparison_in_any_type():
    text = pa.table({"x": [LONG, OTHER] * 50})
    data = pa.table({"x": pa.array([[LONG.encode()], [OTHER.encode()]] * 50)})
    [values, one, other] = aligned(*(summarize_column(t["x"]) for t in (text, data)))
    assert (len(values), one.tolist(), other.tolist()) == (2, [50, 50], [50, 50])


def test_bytes_that_are_no_text_are_kept_short_too():
    [shown] = summarize_column(pa.array([b"\xff" * 5000])).as_dict()
    assert shown.startswith("\\xff" * 64 + "... (5000 bytes, SHA-256 ")


def test_names_of_many_columns_are_checked_in_time_by_their_number():
    columns = 30_000
    table = pa.table([pa.array([1])] * columns, names=[f"c{i}" for i in range(columns)])
    started = time.process_time()
    assert len(table.schema.names) == columns
    with pytest.raises(ValueError, match=r"found \['c1'\] more than once"):
        summarize(table.append_column("c1", pa.array([2])))
    assert time.process_time() - started < 60


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary(), pa.binary(3000)]
)
def test_long_values_that_differ_at_the_end_differ_in_any_type_and_slice(kind):
    texts = ["b" * 3000, "a" * 2999 + "x", None, "a" * 2999 + "y"]
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    values = pa.array([text if is_text or not text else text.encode() for text in texts], kind)
    sliced = shortened(values.slice(1))
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in (texts[1], texts[3])]
    assert [value and value.decode()[64:] for value in sliced.to_pylist()] == [
        f"... (3000 bytes, SHA-256 {digests[0]})",
        None,
        f"... (3000 bytes, SHA-256 {digests[1]})",
    ]


def test_long_lists_of_numbers_are_summarised_in_pieces_that_are_the_whole(monkeypatch):
    monkeypatch.setattr(summaries, "MOST_NUMBERS", 5)
    monkeypatch.setattr(summaries, "_PIECE_NUMBERS", 2)
    lists = pa.array([[3.0, None, float("nan")], None, [], [float("inf"), 1.0, 2.0, 2.0]])
    parts = list(summarize_in_pieces(lists))
    assert len(parts) == 4
    whole = parts[0].merge(parts[1]).merge(parts[2]).merge(parts[3])
    expected = summarize_column(lists)
    assert whole.values.tolist() == expected.values.tolist() == [1.0, 2.0, 2.0, 3.0]
    assert (whole.n, whole.missing, whole.nan) == (expected.n, expected.missing, 1)
    assert len(list(summarize_in_pieces(lists.slice(3)))) == 1
