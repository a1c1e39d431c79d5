import datetime
import decimal
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.columnar.shards import ingest
from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.errors import Option
from tfx_wine_ext.sources.filters import FilterError, RowFilter, to_json_value

ROWS = pa.RecordBatch.from_pydict(
    {
        "n": pa.array([1, 2, None, 4], pa.int16()),
        "text": pa.array(["a", None, "c", "d"]),
        "kind": pa.array(["x", "y", None, "x"]).dictionary_encode(),
        "when.at": pa.array([1.5, 2.5, 3.5, float("nan")]),
        ".flag": pa.array([True, False, None, True]),
    }
)
ONE_AND_A_HALF = datetime.datetime(1970, 1, 1, 0, 0, 1, 500_000)
TWO_IN_PARIS = datetime.datetime(
    1970, 1, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=1))
)


def kept(filters, batch=ROWS):
    """Numbers of the rows that stay."""
    numbered = pa.RecordBatch.from_arrays(
        [*batch.columns, pa.array(range(batch.num_rows))], names=[*batch.schema.names, "row"]
    )
    return RowFilter(filters).apply(numbered).column(len(batch.columns)).to_pylist()


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        (("n", "=", 2), [1]),
        (("n", "==", 2), [1]),
        (("n", "!=", 2), [0, 3]),
        (("n", "<", 2), [0]),
        (("n", "<=", 2), [0, 1]),
        (("n", ">", 2), [3]),
        (("n", ">=", 2), [1, 3]),
        (("n", "in", [1, 4, 9]), [0, 3]),
        (("n", "in", (1,)), [0]),
        (("n", "in", {1, 2}), [0, 1]),
        (("n", "in", []), []),
        (("n", "in", list(range(2, 100))), [1, 3]),
        (("n", "not in", [1, 9]), [1, 3]),
        (("n", "not in", []), [0, 1, 3]),
        (("text", "=", "c"), [2]),
        (("text", "not in", frozenset(["c"])), [0, 3]),
        (("kind", "=", "x"), [0, 3]),
        (("kind", "in", ["y"]), [1]),
        (("kind", "not in", ["y"]), [0, 3]),
        (("when.at", ">=", 2), [1, 2]),
        ((".flag", "=", True), [0, 3]),
    ],
)
def test_each_operator_keeps_the_rows_for_which_it_holds_and_never_a_null(condition, rows):
    assert kept([condition]) == rows


def test_the_conditions_of_one_list_must_all_hold_and_of_several_lists_one():
    assert kept([("n", ">", 1), ("text", "=", "d")]) == [3]
    assert kept([[("n", ">", 1), ("text", "=", "d")], [("n", "=", 1)]]) == [0, 3]
    assert kept([["n", ">", 1], ["text", "=", "d"]]) == [3]  # as JSON has it


def test_the_columns_of_all_conditions_are_named_once():
    row_filter = RowFilter([[("n", ">", 1), ("text", "=", "d")], [("n", "=", 1)]])
    assert row_filter.columns == ("n", "text")


def test_all_rows_none_and_a_slice_keep_their_schema_and_order():
    three = ROWS.slice(0, 3)
    assert RowFilter([("when.at", "!=", 0)]).apply(three).equals(three)
    assert RowFilter([("n", ">", 9)]).apply(ROWS).equals(ROWS.slice(0, 0))
    assert RowFilter([("n", ">", 0)]).apply(ROWS.slice(1, 3)).to_pydict()["n"] == [2, 4]
    assert RowFilter([("n", ">", 0)]).apply(ROWS.slice(0, 0)).num_rows == 0


@pytest.mark.parametrize(
    ("values", "value", "rows"),
    [
        (pa.array(["2020-05-01", "2020-05-02"]), "2020-05-02", [1]),
        (pa.array([0, 1], pa.date32()), "1970-01-02", [1]),
        (pa.array([0, 1], pa.date32()), datetime.date(1970, 1, 2), [1]),
        (pa.array([0, 86_400_000], pa.date64()), "1970-01-02", [1]),
        (pa.array([0, 1_500], pa.timestamp("ms")), "1970-01-01T00:00:01.500", [1]),
        (pa.array([0, 1_500], pa.timestamp("ms")), ONE_AND_A_HALF, [1]),
        (pa.array([0, 86_400], pa.timestamp("s")), "1970-01-02", [1]),
        (pa.array([0, 86_400], pa.timestamp("s")), datetime.date(1970, 1, 2), [1]),
        (pa.array([0, 1], pa.timestamp("ns")), "1970-01-01T00:00:00.000000001", [1]),
        (pa.array([0, 3_600], pa.timestamp("s", "UTC")), "1970-01-01T01:00:00Z", [1]),
        (pa.array([0, 3_600], pa.timestamp("s", "UTC")), "1970-01-01T02:00:00+01:00", [1]),
        (pa.array([0, 3_600], pa.timestamp("s", "Europe/Paris")), TWO_IN_PARIS, [1]),
        (pa.array([0, 61], pa.time32("s")), "00:01:01", [1]),
        (pa.array([0, 61_000_001], pa.time64("us")), datetime.time(0, 1, 1, 1), [1]),
        (pa.array([decimal.Decimal("0.10"), decimal.Decimal("1.50")]), "1.5", [1]),
        (pa.array([decimal.Decimal("0.10"), decimal.Decimal("1.50")]), decimal.Decimal("1.5"), [1]),
    ],
)  # fmt: skip
def test_dates_times_and_decimals_are_found_as_objects_as_text_and_after_recording(
    values, value, rows
):
    recorded = IngestOptions(filters=[("v", "=", value)]).to_json()
    batch = pa.RecordBatch.from_arrays([values], ["v"])
    assert kept([("v", "=", value)], batch) == rows
    assert kept(IngestOptions.from_json(recorded).filters, batch) == rows
    assert kept([("v", "in", [value])], batch) == rows


def test_recorded_sets_have_one_order():
    assert json.dumps({"b", "a", "c"}, default=to_json_value) == '["a", "b", "c"]'


def test_a_value_that_json_does_not_know_is_refused_when_it_is_recorded():
    with pytest.raises(TypeError, match="filters: a value of type bytes cannot be recorded: b'x'"):
        IngestOptions(filters=[("a", "=", b"x")]).to_json()


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ([], r"expected a list of \(column, op, value\), or a list of such lists.*found \[\]"),
        ("a > 1", "found 'a > 1'"),
        ({"a": 1}, "found {'a': 1}"),
        (("a", ">", 1), "found 'a'"),
        ([[]], r"found \[\]"),
        ([[], [("a", ">", 1)]], r"found \[\]"),
        ([("a", ">")], r"found \('a', '>'\)"),
        ([("a", ">", 1), 7], "found 7"),
        ([("a", "~", 1)], r"op one of = == != < <= > >= in not in, found \('a', '~', 1\)"),
        ([("a", ["="], 1)], r"found \('a', \['='\], 1\)"),
        ([(1, ">", 1)], r"found \(1, '>', 1\)"),
        ([("a", "in", 1)], "expected a list of values for 'in', found"),
        ([("a", "in", "abc")], "expected a list of values for 'in', found"),
        ([("a", "=", [1])], "expected one value for '=', found"),
        ([("a", "=", None)], "expected values other than None, as rows.*always dropped"),
        ([("a", "not in", [1, None])], "expected values other than None"),
    ],
)
def test_filters_of_another_form_are_refused_with_what_was_expected(filters, message):
    with pytest.raises(ValueError, match=message):
        RowFilter(filters)
    with pytest.raises(ValueError, match=message):
        IngestOptions(filters=filters)


@pytest.mark.parametrize(
    ("condition", "expected", "found"),
    [
        (("m", ">", 1), "the name of a column", "'m'"),
        (("n", ">", "q"), "a value of column 'n', which is int16", "'q' (Failed to parse "),
        (("n", ">", 1.5), "a value of column 'n', which is int16", "1.5 ("),
        (("n", ">", 40_000), "a value of column 'n', which is int16", "40000 ("),
        (("n", ">", 2**70), "a value of column 'n', which is int16", "1180591620717411303424 ("),
        (("n", "in", [1, "a"]), "a value of column 'n', which is int16", "[1, 'a'] ("),
        (("n", ">", object), "a value of column 'n', which is int16", "<class 'object'> ("),
        (("d", ">", "May"), "a value of column 'd', which is date32[day]", "'May' ("),
        (
            ("t", ">", "2020-01-01T00:00:00+00:00"),
            "a value of column 't', which is timestamp[s]",
            "'2020-01-01T00:00:00+00:00' (expected a time zone in both of them, or in neither)",
        ),
        (
            ("z", ">", "2020-01-01T00:00:00"),
            "a value of column 'z', which is timestamp[s, tz=UTC]",
            "'2020-01-01T00:00:00' (expected a time zone in both of them, or in neither)",
        ),
    ],
)
def test_a_condition_that_does_not_fit_the_schema_is_refused_by_column(condition, expected, found):
    schema = pa.schema(
        {"n": pa.int16(), "t": pa.timestamp("s"), "d": pa.date32(), "z": pa.timestamp("s", "UTC")}
    )
    with pytest.raises(FilterError) as caught:
        RowFilter([condition]).expression(schema)
    assert (caught.value.argument, caught.value.expected) == (Option.FILTERS, expected)
    assert caught.value.found.startswith(found)


@pytest.mark.parametrize(
    ("filters", "groups"),
    [
        ([("n", ">", 3)], {2}),
        ([("n", "=", 1)], {0}),
        ([("n", "in", [0, 5])], {0, 2}),
        ([[("n", "<", 1)], [("n", ">", 4)]], {0, 2}),
        ([("n", ">", 0), ("text", "=", "c")], {1}),
        ([("n", ">", 99)], set()),
        ([("text", "!=", "zzz")], {0, 1, 2}),
    ],
)
@pytest.mark.parametrize("wider", [pa.int32(), pa.int64(), pa.float64()])
def test_row_groups_are_ruled_out_by_their_statistics(tmp_path, filters, groups, wider):
    table = pa.table({"n": pa.array([0, 1, 2, 3, 4, 5], pa.int32()), "text": list("aabcdd")})
    pq.write_table(table, tmp_path / "a", row_group_size=2)
    schema = pa.schema({"n": wider, "text": pa.string()})
    with open(tmp_path / "a", "rb") as stream:
        assert RowFilter(filters).row_groups(stream, schema) == groups


@pytest.mark.parametrize("type_", [pa.float32(), pa.float64()])
@pytest.mark.parametrize(("op", "value"), [("!=", 0.5), ("not in", [0.5, 1.5])])
def test_a_nan_among_equal_values_keeps_its_row_group(tmp_path, type_, op, value):
    values = pa.array([0.5, float("nan"), 0.5, 0.5, None, None, 0.5, 2.5], type_)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": values}), path, row_group_size=2)
    row_filter = RowFilter([("x", op, value)])
    with open(path, "rb") as stream:
        assert row_filter.row_groups(stream, pa.schema({"x": type_})) >= {0, 3}
    (file,) = ingest(path, tmp_path / "out", filters=[("x", op, value)])
    assert file.rows == 2  # the NaN and 2.5
