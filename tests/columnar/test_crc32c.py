import google_crc32c
import numpy as np
import pytest

from tfx_wine_ext.columnar import crc32c
from tfx_wine_ext.columnar.crc32c import crc32c_of

NOISE = np.random.default_rng(17).integers(0, 256, 300_000).astype(np.uint8)


def one_by_one(data, starts, lengths):
    runs = zip(starts.tolist(), lengths.tolist())
    return [google_crc32c.value(data[start : start + n].tobytes()) for start, n in runs]


def records(count, length, varying, step=None):
    """Returns records of one layout, and where they start."""
    step = step or length
    data = np.tile(NOISE[:step], count)
    rows = data.reshape(count, step)[:, :length]
    columns = np.random.default_rng(length).choice(length, varying, replace=False)
    rows[:, columns] = NOISE[: count * varying].reshape(count, varying)
    return data, np.arange(count) * step


def test_the_checksum_of_known_bytes_is_known():
    data = np.frombuffer(b"123456789" + bytes(32), np.uint8)
    crcs = crc32c_of(data, np.array([0, 9, 0]), np.array([9, 32, 0]))
    assert crcs.dtype == np.uint32
    # RFC 3720, B.4, and the check value of the catalogue of CRCs.
    assert crcs.tolist() == [0xE3069283, 0x8A9136AA, 0]


def test_no_runs_have_no_checksums():
    none = np.empty(0, np.int64)
    assert crc32c_of(NOISE, none, none).tolist() == []
    assert crc32c_of(np.empty(0, np.uint8), none, none).tolist() == []


@pytest.mark.parametrize("length", [0, 1, 2, 3, 127, 128, 129, 300, 4096, 4097])
@pytest.mark.parametrize("count", [1, 2, 255, 256, 700])
def test_runs_of_one_layout_have_the_checksums_of_each_of_them(length, count):
    data, starts = records(count, length, min(length, 8)) if length else (NOISE, np.arange(count))
    lengths = np.full(count, length)
    assert crc32c_of(data, starts, lengths).tolist() == one_by_one(data, starts, lengths)


@pytest.mark.parametrize("varying", [0, 1, 83, 84, 85, 150])
def test_it_makes_no_difference_in_how_many_bytes_runs_differ(varying):
    data, starts = records(1950, 150, varying)
    lengths = np.full(1950, 150)
    assert crc32c_of(data, starts, lengths).tolist() == one_by_one(data, starts, lengths)


@pytest.mark.parametrize(
    "starts",
    [
        np.arange(5000) * 16,  # more than one block
        np.arange(300) * 56,  # with gaps, as in a file
        np.arange(300) * 900,  # with long gaps
        np.arange(300) * 7,  # overlapping
        np.arange(300)[::-1] * 40,  # backwards
        np.zeros(300, np.int64),  # the same run
        np.append(np.arange(299) * 40, len(NOISE) - 40),  # up to the last byte
        np.random.default_rng(3).integers(0, len(NOISE) - 40, 300),
    ],
)
@pytest.mark.parametrize("length", [0, 1, 40])
def test_runs_may_lie_anywhere(starts, length):
    lengths = np.full(len(starts), length)
    assert crc32c_of(NOISE, starts, lengths).tolist() == one_by_one(NOISE, starts, lengths)


@pytest.mark.parametrize("seed", range(4))
def test_runs_of_all_lengths_keep_their_order(seed):
    random = np.random.default_rng(seed)
    lengths = random.choice([0, 1, 5, 64, 127, 128, 300, 2000], 3000, p=[0.1] * 6 + [0.39, 0.01])
    starts = random.integers(0, len(NOISE) - 2000, 3000)
    assert crc32c_of(NOISE, starts, lengths).tolist() == one_by_one(NOISE, starts, lengths)


def test_one_byte_that_differs_in_one_record_of_many_is_seen():
    data, starts = records(9000, 30, 0)
    lengths = np.full(9000, 30)
    intact = crc32c_of(data, starts, lengths)
    assert len(set(intact.tolist())) == 1
    for row, byte in ((0, 0), (1, 29), (4095, 3), (4096, 0), (8999, 29)):
        damaged = data.copy()
        damaged[30 * row + byte] ^= 1
        changed = np.flatnonzero(crc32c_of(damaged, starts, lengths) != intact)
        assert changed.tolist() == [row]


def test_rows_after_the_first_may_differ_more_than_those():
    data, starts = records(2000, 150, 140)
    data[: 150 * 1000] = np.tile(data[:150], 1000)
    lengths = np.full(2000, 150)
    assert crc32c_of(data, starts, lengths).tolist() == one_by_one(data, starts, lengths)


def test_long_runs_that_lie_far_apart_are_not_copied_together():
    data = np.tile(NOISE, 20)
    starts, lengths = np.array([len(data) - 5000, 0, 3_000_000]), np.array([5000, 7000, 5000])
    assert crc32c_of(data, starts, lengths).tolist() == one_by_one(data, starts, lengths)


def test_read_only_bytes_are_read():
    data = np.frombuffer(NOISE.tobytes(), np.uint8)
    starts, lengths = np.arange(300) * 20, np.full(300, 20)
    assert crc32c_of(data, starts, lengths).tolist() == one_by_one(NOISE, starts, lengths)


def test_records_of_one_layout_are_not_processed_one_by_one(monkeypatch):
    data, starts = records(5000, 60, 12, step=76)
    lengths = np.full(5000, 60)
    expected = one_by_one(data, starts, lengths)
    monkeypatch.delattr(crc32c, "_one_by_one")
    assert crc32c_of(data, starts, lengths).tolist() == expected
