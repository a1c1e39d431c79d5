import numpy as np
import pyarrow as pa
import pytest

from tfx_wine_ext.columnar.plan import EncodeOptions, plan_features
from tfx_wine_ext.columnar.values import (
    ByteStrings,
    EncodeError,
    list_elements,
    read_values,
    without_offsets,
)


def values_of(array, first_row=0, **options):
    """The values of the column "x"."""
    batch = pa.RecordBatch.from_arrays([array], names=["x"])
    encode = EncodeOptions(**options)
    [feature] = plan_features(batch.schema, encode).features
    return read_values(batch, feature, encode, first_row)


def texts(strings):
    assert isinstance(strings, ByteStrings)
    pairs = zip(strings.starts.tolist(), strings.lengths.tolist())
    return [strings.data[start : start + length].tobytes() for start, length in pairs]


def test_numbers_of_every_width_are_int64_or_float32():
    for type_ in (pa.int8(), pa.uint32(), pa.bool_()):
        read = values_of(pa.array([1, 0, 1]).cast(type_))
        assert (read.values.dtype, read.values.tolist()) == (np.int64, [1, 0, 1])
        assert (read.present, read.counts) == (None, None)
    for type_ in (pa.float32(), pa.float64()):
        read = values_of(pa.array([0.5, -1.5], type_))
        assert (read.values.dtype, read.values.tolist()) == (np.float32, [0.5, -1.5])


def test_a_null_is_a_row_without_the_feature():
    assert values_of(pa.array([1, None, 3])).present.tolist() == [True, False, True]


@pytest.mark.parametrize(
    "encoded",
    [
        lambda array: array,
        lambda array: array.cast(pa.large_string()),
        lambda array: array.dictionary_encode(),
        lambda array: pa.concat_arrays([pa.array(["before"]), array]).slice(1),
    ],
)
def test_text_is_ranges_of_a_buffer_however_arrow_stores_it(encoded):
    assert texts(values_of(encoded(pa.array(["ab", "", "ç"]))).values) == [b"ab", b"", "ç".encode()]


def test_a_list_column_has_the_number_of_values_of_each_row():
    read = values_of(pa.array([[1, 2], None, [], [3]]))
    assert read.present.tolist() == [True, False, True, True]
    assert (read.counts.tolist(), read.values.tolist()) == ([2, 0, 0, 1], [1, 2, 3])


def test_what_lies_under_a_null_list_is_not_read():
    array = pa.ListArray.from_arrays(pa.array([0, 1, 3, 4]), pa.array([1, 8, 9, 2]))
    hidden = pa.array([True, False, True]).buffers()[1]
    masked = pa.Array.from_buffers(
        array.type, 3, [hidden, array.buffers()[1]], children=[array.values]
    )
    counts, elements = list_elements(masked, np.array([True, False, True]))
    assert (counts.tolist(), elements.to_pylist()) == ([1, 0, 1], [1, 2])


def test_times_are_microseconds_whatever_their_unit():
    assert values_of(pa.array([7], pa.timestamp("s"))).values.tolist() == [7_000_000]
    assert values_of(pa.array([7_999], pa.timestamp("ns"))).values.tolist() == [7]


def test_an_error_has_the_column_and_the_row_of_the_whole_table():
    with pytest.raises(EncodeError) as caught:
        values_of(pa.array([1, 2**64 - 1], pa.uint64()), first_row=100)
    assert (caught.value.column, caught.value.row) == ("x", 101)
    with pytest.raises(EncodeError) as caught:
        values_of(pa.array([[1], [2, None]]), first_row=5)
    assert (caught.value.column, caught.value.row) == ("x", 6)


def test_a_null_in_a_list_may_be_left_out():
    read = values_of(pa.array([[1], [None, 2], [None]]), null_in_list="drop")
    assert (read.counts.tolist(), read.values.tolist()) == ([1, 1, 0], [1, 2])


def test_of_slices_of_fixed_size_lists_of_lists_arrow_takes_what_they_hold():
    rows = [[[i, 0], [1, 2]] for i in range(20)]
    matrix = pa.array(rows, pa.list_(pa.list_(pa.int64(), 2), 2))
    struct = pa.array([{"m": row} for row in rows], pa.struct([("m", matrix.type)]))
    batch = pa.RecordBatch.from_arrays([matrix, struct, pa.array(range(20))], names=["m", "s", "i"])
    copy = without_offsets(batch.slice(5))
    assert copy.equals(batch.slice(5))
    taken = [copy.column(index).take(pa.array([1, 14])).to_pylist() for index in range(3)]
    assert taken == [[rows[6], rows[19]], [{"m": rows[6]}, {"m": rows[19]}], [6, 19]]
    assert without_offsets(pa.RecordBatch.from_pydict({})).num_columns == 0
