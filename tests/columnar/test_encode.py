import datetime
import decimal
import hashlib

import google_crc32c
import numpy as np
import pyarrow as pa
import pytest

from tfx_wine_ext.columnar import (
    EncodedExamples,
    EncodeError,
    EncodeOptions,
    encode,
    encode_examples,
    plan_features,
)
from tfx_wine_ext.errors import Option, Remedy

from .reference import parsed

D = decimal.Decimal


def encoded(array, **options):
    """What the one column "x" becomes: for each row None, or (kind, values)."""
    batch = pa.RecordBatch.from_arrays([array], names=["x"])
    examples = encode_examples(batch, plan_features(batch.schema, EncodeOptions(**options)))
    return [parsed(record)["x"] for record in examples.records]


def test_the_bytes_are_those_of_an_example_with_its_features_in_the_order_of_their_names():
    batch = pa.RecordBatch.from_pydict({"b": ["hi", None], "a": [1.5, 0.0], "c": [300, -1]})
    assert encode_examples(batch, plan_features(batch.schema)).records == [
        bytes.fromhex(
            "0a 29"
            "0a 0d 0a 01 61 12 08 12 06 0a 04 00 00 c0 3f"
            "0a 0b 0a 01 62 12 06 0a 04 0a 02 68 69"
            "0a 0b 0a 01 63 12 06 1a 04 0a 02 ac 02"
        ),
        bytes.fromhex(
            "0a 2b"
            "0a 0d 0a 01 61 12 08 12 06 0a 04 00 00 00 00"
            "0a 05 0a 01 62 12 00"
            "0a 13 0a 01 63 12 0e 1a 0c 0a 0a ff ff ff ff ff ff ff ff ff 01"
        ),
    ]


def test_zeros_false_and_empty_strings_are_values():
    assert encoded(pa.array([0])) == [("int64_list", [0])]
    assert encoded(pa.array([0.0])) == [("float_list", [0.0])]
    assert encoded(pa.array([False])) == [("int64_list", [0])]
    assert encoded(pa.array([""])) == [("bytes_list", [b""])]


def test_a_null_is_an_absent_feature_and_an_empty_list_is_a_present_one():
    assert encoded(pa.array([None, [], [0]], pa.list_(pa.int64()))) == [
        None,
        ("int64_list", []),
        ("int64_list", [0]),
    ]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([True]), ("int64_list", [1])),
        (pa.array([-128], pa.int8()), ("int64_list", [-128])),
        (pa.array([65535], pa.uint16()), ("int64_list", [65535])),
        (pa.array([2**63 - 1], pa.uint64()), ("int64_list", [2**63 - 1])),
        (pa.array([-(2**63)], pa.int64()), ("int64_list", [-(2**63)])),
        (pa.array(np.array([1.5], np.float16)), ("float_list", [1.5])),
        (pa.array([0.25], pa.float32()), ("float_list", [0.25])),
        (pa.array([0.1], pa.float64()), ("float_list", [0.10000000149011612])),
        (pa.array([float("inf")]), ("float_list", [float("inf")])),
        (pa.array([D("-1.25")], pa.decimal128(5, 2)), ("float_list", [-1.25])),
        (pa.array([D("12")], pa.decimal128(5, 0)), ("int64_list", [12])),
        (pa.array([D("1200")], pa.decimal128(5, -2)), ("int64_list", [1200])),
        (pa.array([D("0.5")], pa.decimal256(60, 40)), ("float_list", [0.5])),
        (pa.array(["naïve"]), ("bytes_list", ["naïve".encode()])),
        (pa.array(["a"], pa.large_string()), ("bytes_list", [b"a"])),
        (pa.array([b"\xff\x00"], pa.binary()), ("bytes_list", [b"\xff\x00"])),
        (pa.array([b"\xff\x00"], pa.large_binary()), ("bytes_list", [b"\xff\x00"])),
        (pa.array([b"abc"], pa.binary(3)), ("bytes_list", [b"abc"])),
        (pa.array(["red"]).dictionary_encode(), ("bytes_list", [b"red"])),
        (pa.array([datetime.date(1970, 1, 2)]), ("int64_list", [86_400_000_000])),
        (pa.array([86_400_000], pa.int64()).view(pa.date64()), ("int64_list", [86_400_000_000])),
        (pa.array([datetime.time(0, 0, 1)], pa.time32("s")), ("int64_list", [1_000_000])),
        (pa.array([datetime.time(0, 0, 1)], pa.time64("ns")), ("int64_list", [1_000_000])),
        (pa.array([1], pa.timestamp("s")), ("int64_list", [1_000_000])),
        (pa.array([1], pa.timestamp("ms", "Europe/Paris")), ("int64_list", [1_000])),
        (pa.array([1_500], pa.int64()).view(pa.timestamp("ns")), ("int64_list", [1])),
        (pa.array([-1], pa.int64()).view(pa.timestamp("ns")), ("int64_list", [-1])),
        (pa.array([-2], pa.duration("ms")), ("int64_list", [-2_000])),
        (pa.nulls(1), None),
        (pa.array([[1, 2]], pa.large_list(pa.int8())), ("int64_list", [1, 2])),
        (pa.array([[0.5, 2]], pa.list_(pa.float64(), 2)), ("float_list", [0.5, 2.0])),
        (pa.array([["a", ""]]), ("bytes_list", [b"a", b""])),
        (pa.array([[]], pa.list_(pa.null())), ("bytes_list", [])),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_each_type_has_the_fate_that_is_documented(array, expected):
    assert encoded(array) == [expected]


def test_nan_passes():
    ((kind, (value,)),) = encoded(pa.array([float("nan")]))
    assert kind == "float_list"
    assert np.isnan(value)


def test_a_struct_is_flattened_and_a_null_struct_has_no_children():
    rows = [{"b": 1, "c": {"d": "x"}}, None, {"b": None, "c": None}]
    batch = pa.RecordBatch.from_pydict({"a": rows})
    records = encode_examples(batch, plan_features(batch.schema)).records
    assert [parsed(record) for record in records] == [
        {"a.b": ("int64_list", [1]), "a.c.d": ("bytes_list", [b"x"])},
        {"a.b": None, "a.c.d": None},
        {"a.b": None, "a.c.d": None},
    ]


def test_no_rows_no_columns_and_one_row():
    for batch, expected in [
        (pa.RecordBatch.from_pydict({"a": pa.array([], pa.int64())}), []),
        (pa.RecordBatch.from_arrays([], names=[]), []),
        (pa.RecordBatch.from_pydict({"a": [1]}), ["0a0c0a0a0a016112051a030a0101"]),
    ]:
        examples = encode_examples(batch, plan_features(batch.schema))
        assert [record.hex() for record in examples.records] == expected
        assert len(examples) == batch.num_rows
        assert examples.data.dtype == np.uint8
        assert examples.offsets.dtype == np.int64


def test_rows_of_which_no_column_is_chosen_are_examples_without_features():
    batch = pa.RecordBatch.from_pydict({"a": [1, 2]})
    plan = plan_features(batch.schema, EncodeOptions(columns=()))
    assert encode_examples(batch, plan).records == [b"\x0a\x00", b"\x0a\x00"]


def test_lengths_may_need_any_number_of_bytes():
    texts = ["x" * size for size in (0, 1, 100, 127, 128, 16_383, 16_384, 2_097_152)]
    assert encoded(pa.array(texts)) == [("bytes_list", [text.encode()]) for text in texts]
    assert encoded(pa.array([texts])) == [("bytes_list", [text.encode() for text in texts])]
    numbers = [
        sign * (2**bits + delta) for bits in range(63) for delta in (-1, 0) for sign in (1, -1)
    ]
    assert encoded(pa.array(numbers)) == [("int64_list", [number]) for number in numbers]
    assert encoded(pa.array([numbers])) == [("int64_list", numbers)]


def test_names_may_have_spaces_dots_any_script_and_any_length():
    names = ["fixed acidity", "a.b", "日本", "", "k" * 200]
    batch = pa.RecordBatch.from_arrays([pa.array([1])] * len(names), names=names)
    (record,) = encode_examples(batch, plan_features(batch.schema)).records
    assert parsed(record) == {name: ("int64_list", [1]) for name in names}


def test_many_rows_are_the_same_as_few_rows_at_a_time(monkeypatch):
    batch = pa.RecordBatch.from_pydict(
        {
            "a": [None if i % 7 == 0 else i * i for i in range(1000)],
            "b": ["x" * (i % 50) for i in range(1000)],
            "c": [[float(j) for j in range(i % 5)] for i in range(1000)],
        }
    )
    plan = plan_features(batch.schema)
    whole = encode_examples(batch, plan)
    monkeypatch.setattr(encode, "SUB_BATCH_ROWS", 17)
    parts = encode_examples(batch, plan)
    assert parts.records == whole.records
    assert parts.offsets.tolist() == whole.offsets.tolist()
    assert encode_examples(batch.slice(500, 100), plan).records == whole.records[500:600]


def refused(array):
    """What is known about a value that cannot be encoded, and the remedies."""
    with pytest.raises(EncodeError) as caught:
        encoded(array)
    error = caught.value
    return (error.column, error.row, error.found), error.remedies


@pytest.mark.parametrize("rows", [1, 100])
def test_an_error_names_the_column_and_the_row_of_the_batch(monkeypatch, rows):
    monkeypatch.setattr(encode, "SUB_BATCH_ROWS", rows)
    array = pa.array([1, None, 2**63], pa.uint64())
    assert refused(array) == (
        ("x", 2, "9223372036854775808"),
        (Remedy(Option.CAST, ("x", "float32", "bytes")),),
    )


def test_what_lies_under_a_null_is_not_looked_at():
    validity = pa.array([True, False]).buffers()[1]
    for values in (
        pa.array([1, 2**64 - 1], pa.uint64()),
        pa.array([1, 1e300], pa.float64()),
        pa.array([1, 2**62], pa.int64()).view(pa.timestamp("s")),
    ):
        array = pa.Array.from_buffers(values.type, 2, [validity, values.buffers()[1]])
        assert encoded(array)[1] is None


def test_a_double_beyond_float32_is_an_error_unless_allowed():
    array = pa.array([[1.0], [2.0, -1e39]])
    assert refused(array) == (
        ("x", 1, "-1e+39"),
        (Remedy(Option.ALLOW_FLOAT_OVERFLOW, True), Remedy(Option.CAST, ("x", "bytes"))),
    )
    assert encoded(array, allow_float_overflow=True) == [
        ("float_list", [1.0]),
        ("float_list", [2.0, float("-inf")]),
    ]


def test_a_null_inside_a_list_is_an_error_or_dropped():
    array = pa.array([[1], None, [2, None, 3], [None]])
    assert refused(array) == (
        ("x", 2, "a null"),
        ("fill it", Remedy(Option.NULL_IN_LIST, "drop")),
    )
    assert encoded(array, null_in_list="drop") == [
        ("int64_list", [1]),
        None,
        ("int64_list", [2, 3]),
        ("int64_list", []),
    ]


def test_a_date_too_far_away_for_microseconds_is_an_error():
    array = pa.array([2**31 - 1], pa.int32()).view(pa.date32())
    assert refused(array) == (("x", 0, "2147483647 D"), (Remedy(Option.CAST, ("x", "int64")),))
    assert encoded(array, cast={"x": "int64"}) == [("int64_list", [2**31 - 1])]


def test_a_whole_decimal_too_large_is_an_error():
    array = pa.array([None, D(10) ** 30], pa.decimal128(38, 0))
    assert refused(array) == (
        ("x", 1, "1000000000000000000000000000000"),
        (Remedy(Option.CAST, ("x", "float32", "bytes")),),
    )
    assert encoded(array, cast={"x": "bytes"}) == [None, ("bytes_list", [b"1" + b"0" * 30])]
    assert encoded(array, cast={"x": "float32"}) == [
        None,
        ("float_list", [float(np.float32(1e30))]),
    ]


@pytest.mark.parametrize(
    ("array", "cast", "expected"),
    [
        (pa.array([1]), "float32", ("float_list", [1.0])),
        (pa.array([2**60 + 1]), "float32", ("float_list", [float(2**60)])),
        (pa.array(["1.5"]), "float32", ("float_list", [1.5])),
        (pa.array(["15"]), "int64", ("int64_list", [15])),
        (pa.array([15]), "bytes", ("bytes_list", [b"15"])),
        (pa.array([2.0]), "int64", ("int64_list", [2])),
        (pa.array([[1, 2]]), "bytes", ("bytes_list", [b"1", b"2"])),
        (pa.array([7], pa.timestamp("s")), "int64", ("int64_list", [7])),
        (pa.array([7], pa.timestamp("s")), "float32", ("float_list", [7.0])),
        (pa.array([datetime.time(0, 1)], pa.time32("s")), "int64", ("int64_list", [60])),
        (pa.array(["1970-01-02"]), "timestamp[s]", ("int64_list", [86_400_000_000])),
        (pa.array([D("0.0000001")], pa.decimal128(9, 7)), "bytes", ("bytes_list", [b"0.0000001"])),
        (pa.nulls(1), "float32", None),
        (pa.array([[]], pa.list_(pa.null())), "float32", ("float_list", [])),
    ],
)
def test_a_cast_changes_the_values_before_they_are_encoded(array, cast, expected):
    assert encoded(array, cast={"x": cast}) == [expected]


def test_a_value_that_cannot_be_cast_is_an_error():
    with pytest.raises(EncodeError, match=r"row 1, column 'x': .* cast to 'int64', found .*1\.5"):
        encoded(pa.array([1.0, 1.5]), cast={"x": "int64"})
    with pytest.raises(EncodeError, match=r"row 0, .* cast to 'float32', found .*six"):
        encoded(pa.array([["1", "six"]]), cast={"x": "float32"})


def test_a_batch_must_have_the_planned_columns_and_may_have_more():
    batch = pa.RecordBatch.from_pydict({"a": [1], "b": [2]})
    plan = plan_features(batch.schema, EncodeOptions(columns=("a",)))
    assert len(encode_examples(batch, plan)) == 1
    with pytest.raises(ValueError, match=r"reads column 'a', of which the batch has 0; .*\('c',\)"):
        encode_examples(pa.RecordBatch.from_pydict({"c": [1]}), plan)
    with pytest.raises(ValueError, match=r"column 'a' is of type double, but planned as int64"):
        encode_examples(pa.RecordBatch.from_pydict({"a": [1.0]}), plan)


def test_a_record_beyond_protobufs_limit_is_refused(monkeypatch):
    monkeypatch.setattr(encode, "MAX_MESSAGE_BYTES", 100)
    with pytest.raises(
        ValueError, match=r"row 1: expected an example of at most 100 bytes, .* found 20\d bytes"
    ):
        encoded(pa.array(["a", "b" * 190]))


def test_the_records_are_made_from_data_and_offsets():
    examples = EncodedExamples(np.frombuffer(b"abc", np.uint8), np.array([0, 1, 1, 3]))
    assert examples.records == [b"a", b"", b"bc"]
    assert len(examples) == 3


@pytest.mark.parametrize("nulls", ["", "b", "abd"])
def test_floats_beside_each_other_are_written_like_each_alone(nulls):
    numbers = [0.5, float("nan"), -0.0, 3e38, 1e-45]
    columns = {
        "a": pa.array([*numbers, None if "a" in nulls else 7.0], pa.float64()),
        "b": pa.array([*numbers[::-1], None if "b" in nulls else 8.0], pa.float32()),
        "c": pa.array(["x", "", None, "y" * 300, "é", "z"]),
        "d" * 128: pa.array([*numbers, None if "d" in nulls else 9.0], pa.float64()),
        "e": pa.array([[1.5], [], None, [1, 2], [3], [4]], pa.list_(pa.float32())),
        "f": pa.array([1.0] * 6, pa.float64()),
    }
    batch = pa.RecordBatch.from_pydict(columns)
    records = encode_examples(batch, plan_features(batch.schema)).records
    expected = {name: encoded(column) for name, column in columns.items()}
    for row, record in enumerate(records):
        features = [(name, expected[name][row]) for name in columns]
        assert repr(sorted(parsed(record).items())) == repr(features)  # NaN is not equal to itself.


@pytest.mark.parametrize("rows", [0, 1, 511, 512, 513, 1100])
def test_hashes_are_those_of_each_record(rows):
    users = pa.array([f"user {i % 90}" * (i % 7) for i in range(rows)], pa.string())
    batch = pa.RecordBatch.from_arrays([users], ["a"])
    plan = plan_features(batch.schema)
    encoded_alone, encoded_once = encode_examples(batch, plan), encode_examples(batch, plan)
    apart = [google_crc32c.value(record) for record in encoded_alone.records]
    digests, crcs = encoded_once.hashes
    assert digests == b"".join(hashlib.sha256(r).digest() for r in encoded_alone.records)
    assert crcs.tolist() == encoded_once.crcs.tolist() == apart
    assert encoded_alone.crcs.tolist() == apart
