import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_wine_ext.drift.precision import DOUBLE, EXACT, Precision, representatives

FLOAT = Precision(24)
# Numbers and, beside each, some that differ from it by a few units in the last place of a float32.
NEAR = st.lists(
    st.builds(
        lambda x, steps: float(np.float32(x) * np.float32(1 + steps * 2.0**-23)),
        st.sampled_from([-3.7, -1e-30, 0.0, 1e-45, 0.1, 0.3, 9.4, 1e6, 3e37]),
        st.integers(-30, 30),
    ),
    min_size=1,
)


@pytest.mark.parametrize(
    ("kind", "bits", "unit"),
    [
        (pa.float16(), 11, 0),
        (pa.float32(), 24, 0),
        (pa.float64(), 53, 0),
        (pa.decimal128(10, 2), 53, 0),
        (pa.int8(), 64, 0),
        (pa.uint64(), 64, 0),
        (pa.bool_(), 64, 0),
        (pa.timestamp("ns"), 64, 1),
        (pa.timestamp("us", "UTC"), 64, 1),
        (pa.timestamp("ms"), 64, 1000),
        (pa.time32("s"), 64, 1_000_000),
        (pa.duration("ms"), 64, 1000),
        (pa.date32(), 64, 86_400_000_000),
        (pa.date64(), 64, 86_400_000_000),
    ],
)
def test_a_type_says_how_exactly_its_values_are_known(kind, bits, unit):
    assert Precision.of(kind) == Precision(bits, unit)


def test_the_coarser_side_decides():
    assert DOUBLE.coarser(FLOAT) == FLOAT.coarser(DOUBLE) == FLOAT
    assert EXACT.coarser(DOUBLE) == DOUBLE
    assert Precision(64, 1000).coarser(Precision(64, 1)) == Precision(64, 1000)


@pytest.mark.parametrize(
    ("bits", "given", "expected"),
    [
        (24, 0.1, 0.10000000149011612),
        (24, 16_777_217.0, 16_777_216.0),
        (24, 1e300, float("inf")),
        (24, -1e300, float("-inf")),
        (24, 1e-46, 0.0),
        (11, 70_000.0, float("inf")),
        (11, 0.0701, 0.07012939453125),
        (53, 0.1, 0.1),
    ],
)
def test_numbers_are_rounded_as_they_are_where_they_are_stored(bits, given, expected):
    assert Precision(bits).rounded(np.array([given]), EXACT).tolist() == [expected]


def test_times_are_rounded_down_to_the_larger_unit():
    seconds, micros = Precision(64, 1_000_000), Precision(64, 1)
    given = np.array([-1.0, 0.0, 999_999.0, 1_000_000.0])
    assert seconds.rounded(given, micros).tolist() == [-1_000_000.0, 0.0, 0.0, 1_000_000.0]


@pytest.mark.parametrize(
    ("precision", "points", "expected"),
    [
        (DOUBLE, [0.3, 0.1 + 0.2, 0.7], [0.3, 0.3, 0.7]),
        (FLOAT, [0.3, 0.1 + 0.2 + 1e-7, 0.7], [0.3, 0.3, 0.7]),
        (DOUBLE, [0.3, 0.3 + 1e-7], [0.3, 0.3 + 1e-7]),
        (FLOAT, [0.07, 0.0701], [0.07, 0.0701]),
        (FLOAT, [0.07, 0.070001], [0.07, 0.070001]),
        (FLOAT, [-0.3 - 1e-8, -0.3, 0.3, 0.3 + 1e-8], [-0.3 - 1e-8, -0.3 - 1e-8, 0.3, 0.3]),
        # Codes and counts: not one of them is another one's rounding.
        (FLOAT, [2.0**23, 2.0**23 + 1, 2.0**23 + 2], [2.0**23, 2.0**23 + 1, 2.0**23 + 2]),
        (DOUBLE, [2.0**52, 2.0**52 + 1], [2.0**52, 2.0**52 + 1]),
        (EXACT, [0.3, 0.1 + 0.2], [0.3, 0.1 + 0.2]),
        (Precision(11), [0.0999755859375, 0.10003662109375], [0.0999755859375, 0.10003662109375]),
    ],
)
def test_numbers_that_differ_by_their_rounding_alone_are_one(precision, points, expected):
    assert representatives(np.array(points), precision).tolist() == expected


def test_a_dense_column_does_not_become_one_number():
    points = np.arange(1_000_000, 2_000_000, dtype=np.float64) / 2**23 + 1.0
    assert len(np.unique(representatives(points, FLOAT))) == 1_000_000


def test_within_a_dense_column_rounding_errors_are_still_one():
    spaced = 1.0 + np.arange(1000) * 2.0**-20 * 0.9
    points = np.sort(np.concatenate([spaced, spaced * (1 + 2.0**-24)]))
    found = representatives(points, FLOAT)
    assert np.unique(found).tolist() == spaced.tolist()


@given(NEAR, st.sampled_from([FLOAT, DOUBLE]))
def test_no_number_moves_by_more_than_two_tolerances_and_the_order_stays(values, precision):
    points = np.unique(values)
    found = representatives(points, precision)
    assert np.all(np.diff(found) >= 0)
    assert np.all((points - found >= 0) & (points - found <= 2.001 * precision.tolerance(points)))
    assert np.isin(found, points).all()


@given(NEAR)
def test_a_group_is_represented_by_a_number_of_its_own(values):
    points = np.unique(values)
    found = representatives(points, FLOAT)
    first = np.searchsorted(points, found)
    assert found[first].tolist() == found.tolist()
