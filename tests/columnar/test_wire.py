import numpy as np
import pytest

from tfx_wine_ext.columnar.wire import Head, copy_runs, varint, varint_groups, varint_lengths

EDGES = [0, 1, *(2**bits + delta for bits in range(7, 64, 7) for delta in (-1, 0)), 2**64 - 1]


def test_varints_have_seven_bits_a_byte_lowest_first():
    assert [varint(value).hex() for value in (0, 127, 128, 300, 2**64 - 1)] == [
        "00",
        "7f",
        "8001",
        "ac02",
        "ffffffffffffffffff01",
    ]


def test_arrays_of_varints_are_the_same_as_single_ones():
    values = np.array(EDGES, np.uint64)
    assert varint_lengths(values).tolist() == [len(varint(value)) for value in EDGES]
    found = {}
    for rows, chunks in varint_groups(values, Head(b"\x0a")):
        for row, chunk in zip(rows.tolist(), chunks.tolist()):
            found[row] = chunk
    assert found == {
        row: bytes([10, len(varint(value))]) + varint(value) for row, value in enumerate(EDGES)
    }


@pytest.mark.parametrize(
    "head",
    [Head(), Head(b"\n"), Head(b"\n", b"\n\x01a\x12", b"\x12", b"\n"), Head(b"\n" * 120, b"\n")],
)
def test_heads_of_all_widths_are_the_same_as_single_ones(head):
    sizes = [*range(300), *range(16_200, 16_500), *range(2_097_000, 2_097_300), 2**28, 2**31 - 200]
    lengths = head.lengths(np.array(sizes))
    assert lengths.tolist() == [len(head(size)) for size in sizes]
    found = [None] * len(sizes)
    for rows, chunks in head.groups(np.array(sizes)):
        width = chunks.dtype.itemsize
        data = chunks.tobytes()
        for number, row in enumerate(range(len(sizes)) if rows is None else rows):
            found[row] = data[number * width : (number + 1) * width]
    assert found == [head(size) for size in sizes]


def test_runs_of_all_lengths_are_copied():
    random = np.random.default_rng(0)
    lengths = np.array([*range(140), 0, 1000, 65_537])
    starts = np.cumsum(lengths) - lengths
    source = random.integers(0, 256, int(lengths.sum()), dtype=np.uint8)
    order = random.permutation(len(lengths))
    to = np.empty(len(lengths), np.int64)
    to[order] = np.cumsum(lengths[order]) - lengths[order]
    out = np.zeros(len(source), np.uint8)
    copy_runs(out, to, source, starts, lengths)
    assert out.tobytes() == b"".join(
        source[starts[row] : starts[row] + lengths[row]].tobytes() for row in order
    )
