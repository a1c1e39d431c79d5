"""Summaries of columns for the statistics of drift: small, mergeable, nothing dropped silently.

A summary counts *values*. A scalar row is one value. A row that is a list of k elements is k values
(lists are flattened, as they are in a ``tf.train.Example``), and a null or an empty list is one
missing value; a null element is one missing value. So for every summary::

    n == missing + present

So the elements of the rows are compared, but not their number per row.

Metrics read summaries through `NumericDistribution` and `CategoricalDistribution`. The exact
summaries of this module satisfy them with an `error` of 0; a summary based on a sketch states its
error.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Union, overload, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tfx_wine_ext.columnar.arrow_types import (
    MICROSECONDS,
    NANOSECONDS_PER_MICROSECOND,
    temporal_unit,
)
from tfx_wine_ext.columnar.widening import storage_type, widened
from tfx_wine_ext.drift.precision import DOUBLE, EXACT, Precision

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import TypeGuard

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

# Texts and images with more bytes than this are told apart by their digests.
LONG_BYTES = 1024
_SHOWN_BYTES = 64
# More numbers than a batch of any reader has, unless a list is huge, are sorted in pieces: work on
# all at once would take several times their memory.
MOST_NUMBERS = 2**24
_PIECE_NUMBERS = 2**20


@dataclasses.dataclass(frozen=True, eq=False)
class Steps:
    """A cumulative count as a step function, like an empirical distribution function.

    Args:
        points: float64 ``[k]``, finite, strictly ascending: where the function jumps.
        cumulative: int64 ``[k]``, ascending: how many finite values are <= each point.
    """

    points: Floats
    cumulative: Counts

    @property
    def total(self) -> int:
        """Number of finite values."""
        return int(self.cumulative[-1]) if len(self.cumulative) else 0

    @property
    def counts(self) -> Counts:
        """How many values are at each point."""
        counts = self.cumulative.copy()
        counts[1:] -= self.cumulative[:-1]
        return counts

    def at(self, x: Floats) -> Counts:
        """Counts the finite values that are <= each of `x`.

        Example:
            >>> Steps(np.array([1.0, 2.0]), np.array([3, 4])).at(np.array([0.0, 1.0, 9.0]))
            array([0, 3, 4])
        """
        return np.concatenate([[0], self.cumulative])[np.searchsorted(self.points, x, "right")]


@dataclasses.dataclass(frozen=True)
class Moments:
    """Range, mean and spread of finite values.

    Args:
        minimum: The smallest value.
        maximum: The largest value.
        mean: The mean of the values.
        std: The standard deviation of the population (``numpy.std``).
    """

    minimum: float
    maximum: float
    mean: float
    std: float

    @classmethod
    def of(cls, points: Floats, counts: Counts) -> Moments:
        """Moments of values with counts; none of them overflows.

        Args:
            points: float64 ``[k]``, k > 0, finite and ascending.
            counts: int64 ``[k]``, each at least 1.

        Example:
            >>> Moments.of(np.array([1.0, 4.0]), np.array([2, 1]))
            Moments(minimum=1.0, maximum=4.0, mean=2.0, std=1.4142135623730951)
        """
        low, high = float(points[0]), float(points[-1])
        scale = power_of_two(points)
        scaled = points / scale
        total = int(counts.sum())
        mean = float((scaled * counts).sum()) / total
        variance = float(((scaled - mean) ** 2 * counts).sum()) / total
        # Rounding must not make the mean of equal values differ from them.
        return cls(low, high, min(max(mean * scale, low), high), math.sqrt(variance) * scale)


def power_of_two(ascending: Floats) -> float:
    """An exact divisor of values that keeps squares and differences from overflowing.

    Example:
        >>> power_of_two(np.array([-3.0, 1.0]))
        2.0
    """
    return float(np.ldexp(1.0, int(np.frexp(np.abs(ascending[[0, -1]]).max())[1]) - 1))


@runtime_checkable
class NumericDistribution(Protocol):
    """What the metrics need to know about a numeric column.

    `error` bounds how far the share of values up to any point may be from the truth; 0 if exact.
    """

    @property
    def precision(self) -> Precision:
        """How exactly the values are known."""

    @property
    def n(self) -> int:
        """Number of values, missing ones included."""

    @property
    def missing(self) -> int:
        """Number of nulls."""

    @property
    def nan(self) -> int:
        """Number of NaN, which cannot be compared and count as missing."""

    @property
    def negative_infinity(self) -> int:
        """Number of values that are minus infinity."""

    @property
    def positive_infinity(self) -> int:
        """Number of values that are plus infinity."""

    @property
    def error(self) -> float:
        """Largest error of a cumulative share, 0 to 1."""

    @property
    def distance_error(self) -> float:
        """Largest Wasserstein distance of `steps` from the true values, in the column's unit."""

    def steps(self) -> Steps:
        """The finite values."""

    def moments(self) -> Moments | None:
        """Range, mean and spread of the finite values; None if there is none."""


@runtime_checkable
class CategoricalDistribution(Protocol):
    """What the metrics need to know about a categorical column.

    `values` need not list all values: ``n - missing - sum of counts`` values are not listed.
    `error` bounds how far the share of any value, listed or not, among the present values may be
    from the truth; 0 if exact. Counts may be too small, never too large.
    """

    @property
    def n(self) -> int:
        """Number of values, missing ones included."""

    @property
    def missing(self) -> int:
        """Number of nulls."""

    @property
    def values(self) -> pa.LargeBinaryArray:
        """The distinct values."""

    @property
    def counts(self) -> Counts:
        """How often each of `values` occurs."""

    @property
    def error(self) -> float:
        """Largest error of the share of one value, 0 to 1."""

    @property
    def distinct(self) -> int:
        """How many distinct values there are, including those not in `values`."""

    @property
    def distinct_is_estimate(self) -> bool:
        """Whether `distinct` is an estimate."""

    @property
    def numbers(self) -> Precision | None:
        """How exactly the values are known, if they are numbers in text; None: they are text."""


@dataclasses.dataclass(frozen=True, eq=False)
class NumericSummary:
    """The values of a numeric column, sorted: exact, with 8 bytes per value.

    Integers, booleans (0 and 1), decimals, dates and times (microseconds since 1970) are held as
    float64, so that int is comparable with float. Integers beyond 2**53 are rounded.

    Args:
        values: float64 ``[k]``, finite and ascending.
        missing: Number of nulls.
        nan: Number of NaN.
        negative_infinity: Number of values that are minus infinity.
        positive_infinity: Number of values that are plus infinity.
        precision: How exactly the values are known.

    Example:
        >>> one = NumericSummary.of(np.array([3.0, 1.0, np.nan]), missing=2)
        >>> both = one.merge(NumericSummary.of(np.array([2.0, np.inf])))
        >>> both.values, both.n, both.missing, both.nan, both.positive_infinity
        (array([1., 2., 3.]), 7, 2, 1, 1)
    """

    values: Floats
    missing: int = 0
    nan: int = 0
    negative_infinity: int = 0
    positive_infinity: int = 0
    precision: Precision = DOUBLE

    @classmethod
    def of(
        cls, values: npt.NDArray[Any], missing: int = 0, precision: Precision | None = None
    ) -> NumericSummary:
        """Summarises `values` in any order, which may include NaN and infinities, and nulls.

        `precision` is that of the array's type by default.
        """
        if precision is None:
            precision = Precision.of(pa.from_numpy_dtype(np.asarray(values).dtype))
        ordered = np.sort(np.asarray(values, np.float64))  # Sorting puts NaN at the end.
        real = len(ordered) - int(np.count_nonzero(np.isnan(ordered)))
        low = int(np.searchsorted(ordered[:real], -np.inf, "right"))
        high = int(np.searchsorted(ordered[:real], np.inf, "left"))
        return cls(ordered[low:high], missing, len(ordered) - real, low, real - high, precision)

    def merge(self, other: NumericSummary) -> NumericSummary:
        """The summary of both sets of values together."""
        joined = np.concatenate([self.values, other.values])
        return NumericSummary(
            np.sort(joined, kind="stable"),  # Merges two sorted runs in linear time.
            self.missing + other.missing,
            self.nan + other.nan,
            self.negative_infinity + other.negative_infinity,
            self.positive_infinity + other.positive_infinity,
            self.precision.coarser(other.precision),
        )

    @property
    def n(self) -> int:
        """Number of values, including missing ones, NaN and infinities."""
        infinite = self.negative_infinity + self.positive_infinity
        return len(self.values) + self.missing + self.nan + infinite

    @property
    def error(self) -> float:
        """0: every value is here."""
        return 0.0

    @property
    def distance_error(self) -> float:
        """0: every value is here."""
        return 0.0

    def steps(self) -> Steps:
        """The finite values as a step function, with equal values together."""
        last = last_of_equal(self.values)
        return Steps(self.values[last], (last + 1).astype(np.int64))

    def moments(self) -> Moments | None:
        """Range, mean and spread of the finite values; None if there is none."""
        steps = self.steps()
        return Moments.of(steps.points, steps.counts) if steps.total else None


@dataclasses.dataclass(frozen=True, eq=False)
class CategoricalSummary:
    """How often each value of a categorical column occurs: exact; its memory grows with the values.

    If a value has more than `LONG_BYTES`, only its beginning, length and digest are kept. It then
    takes little memory and still differs from all other values; see `shortened`.

    Args:
        values: Distinct values as bytes ``[k]``; text is stored in UTF-8.
        counts: int64 ``[k]``, each at least 1.
        missing: Number of nulls, and of NaN if the values are numbers.
        numbers: How exactly the values are known, if they are numbers in text; None: they are text.

    Example:
        >>> one = CategoricalSummary.of(pa.array(["a", "b", "a", None]))
        >>> both = one.merge(CategoricalSummary.of(pa.array(["b", "c"])))
        >>> both.as_dict(), both.n, both.missing
        ({'a': 2, 'b': 2, 'c': 1}, 6, 1)
    """

    values: pa.LargeBinaryArray
    counts: Counts
    missing: int = 0
    numbers: Precision | None = None

    @classmethod
    def of(cls, values: pa.Array | pa.ChunkedArray, missing: int = 0) -> CategoricalSummary:
        """Counts strings or bytes; nulls add to `missing`."""
        nulls = values.null_count
        counted = pc.value_counts(pc.drop_null(shortened(values)).cast(pa.large_binary()))
        return cls(
            counted.field("values"),
            counted.field("counts").to_numpy(zero_copy_only=False).astype(np.int64),
            missing + nulls,
        )

    def merge(self, other: CategoricalSummary) -> CategoricalSummary:
        """The summary of both sets of values together."""
        values, mine, others = aligned(self, other)
        numbers = coarser_numbers(self, other)
        return CategoricalSummary(values, mine + others, self.missing + other.missing, numbers)

    @property
    def n(self) -> int:
        """Number of values, missing ones included."""
        return int(self.counts.sum()) + self.missing

    @property
    def error(self) -> float:
        """0: every value is here."""
        return 0.0

    @property
    def distinct(self) -> int:
        """How many distinct values there are."""
        return len(self.values)

    @property
    def distinct_is_estimate(self) -> bool:
        """False: they were counted."""
        return False

    def as_dict(self) -> dict[str, int]:
        r"""The counts by value; bytes that are not UTF-8 are shown as ``\xff``."""
        return dict(zip(map(text_of, self.values), self.counts.tolist()))


Summary = Union[NumericSummary, CategoricalSummary]
Distribution = Union[NumericDistribution, CategoricalDistribution]


def is_numeric(summary: Distribution) -> TypeGuard[NumericDistribution]:
    """Whether a summary is numeric, at a hundredth of the cost of ``isinstance``.

    Example:
        >>> is_numeric(NumericSummary.of(np.array([1.0])))
        True
    """
    return hasattr(summary, "steps")


def absent(summary: Distribution) -> int:
    """How many values are missing, including NaN in a numeric column.

    Example:
        >>> absent(NumericSummary.of(np.array([1.0, np.nan]), missing=3))
        4
    """
    return summary.missing + (summary.nan if is_numeric(summary) else 0)


def coarser_numbers(
    one: CategoricalDistribution, other: CategoricalDistribution
) -> Precision | None:
    """How exactly the numbers in both are known; None if the values are not numbers.

    A side without values does not affect the result.
    """
    if not len(one.values):
        return other.numbers
    if not len(other.values):
        return one.numbers
    if one.numbers is None or other.numbers is None:
        return None
    return one.numbers.coarser(other.numbers)


def last_of_equal(ordered: Floats) -> Counts:
    """Indices of the last value of each run of equal values.

    Example:
        >>> last_of_equal(np.array([1.0, 1.0, 2.0]))
        array([1, 2])
    """
    return np.flatnonzero(np.append(ordered[1:] != ordered[:-1], [True])[: len(ordered)])


def text_of(value: pa.Scalar) -> str:
    """One value of a categorical column as text that a report can show."""
    content: bytes = value.as_py()
    return content.decode("utf-8", "backslashreplace")


def aligned(
    one: CategoricalDistribution, other: CategoricalDistribution
) -> tuple[pa.LargeBinaryArray, Counts, Counts]:
    """The values of both summaries, and how often each value occurs in each of them.

    Example:
        >>> a, b = CategoricalSummary.of(pa.array(["x", "y"])), CategoricalSummary.of(
        ...     pa.array(["y", "z"]))
        >>> [x.tolist() for x in aligned(a, b)]
        [[b'x', b'y', b'z'], [1, 1, 0], [0, 1, 1]]
    """
    encoded = pa.concat_arrays([one.values, other.values]).dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    counts = []
    for own, summary in ((codes[: len(one.values)], one), (codes[len(one.values) :], other)):
        column = np.zeros(len(encoded.dictionary), np.int64)
        column[own] = summary.counts  # Distinct within a summary: none is written twice.
        counts.append(column)
    return encoded.dictionary, counts[0], counts[1]


def shortened(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Replaces long strings or bytes by short ones: equal values stay equal.

    A value of more than `LONG_BYTES` becomes its beginning, its length and its SHA-256, which no
    two values share. The other values do not change, and nothing is copied if no value is long.

    Args:
        values: Strings or bytes, which may include nulls.

    Example:
        >>> [text] = shortened(pa.array(["a" * 2000])).to_pylist()
        >>> text[60:120].decode()
        'aaaa... (2000 bytes, SHA-256 c4a700f85b7e9e5cdbdc51170409ee2'
    """
    if isinstance(values, pa.ChunkedArray):
        chunks = [shortened(chunk) for chunk in values.chunks]
        if all(new is old for new, old in zip(chunks, values.chunks)):
            return values
        return pa.chunked_array([chunk.cast(pa.large_binary()) for chunk in chunks])
    lengths = pc.binary_length(values)
    if (pc.max(lengths).as_py() or 0) <= LONG_BYTES:
        return values
    is_long = pc.fill_null(pc.greater(lengths, LONG_BYTES), False)
    at = np.flatnonzero(is_long.to_numpy(zero_copy_only=False))
    short = values.filter(pc.invert(is_long)).cast(pa.large_binary())
    digests = pa.array([_digest(_content(values, i)) for i in at.tolist()], pa.large_binary())
    order = np.empty(len(values), np.int64)
    order[at] = len(short) + np.arange(len(at))
    order[np.delete(np.arange(len(values)), at)] = np.arange(len(short))
    return pa.concat_arrays([short, digests]).take(pa.array(order))


def _content(values: pa.Array, index: int) -> pa.Buffer:
    """Returns the bytes of a value where they are: a scalar would be a copy."""
    kind, at = values.type, values.offset + index
    if pa.types.is_fixed_size_binary(kind):
        return values.buffers()[1].slice(at * kind.byte_width, kind.byte_width)
    large = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    start, end = np.frombuffer(values.buffers()[1], np.int64 if large else np.int32)[at : at + 2]
    return values.buffers()[2].slice(int(start), int(end - start))


def _digest(value: pa.Buffer) -> bytes:
    start = value.slice(0, _SHOWN_BYTES).to_pybytes()
    for cut in range(4):  # Do not cut within a character.
        try:
            start[: _SHOWN_BYTES - cut].decode()
        except UnicodeDecodeError:
            continue
        start = start[: _SHOWN_BYTES - cut]
        break
    digest = hashlib.sha256(memoryview(value)).hexdigest()
    shown: bytes = start
    return shown + f"... ({value.size} bytes, SHA-256 {digest})".encode()


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values of a dictionary column; long values are shortened before they are repeated."""
    kind = column.type.value_type
    chunks = []
    for chunk in column.chunks:
        values = shortened(chunk.dictionary) if is_bytes(kind) else chunk.dictionary
        if values is not chunk.dictionary:
            chunk = pa.DictionaryArray.from_arrays(chunk.indices, values)
            kind = values.type
        chunks.append(chunk.dictionary_decode())
    return pa.chunked_array([chunk.cast(kind) for chunk in chunks], kind)


def summarize_column(
    column: pa.Array | pa.ChunkedArray, name: str = "column", categorical: bool = False
) -> Summary:
    """Summarises one Arrow column.

    Args:
        column: Booleans, integers, floats, decimals, dates and times make a `NumericSummary`;
            strings, bytes and columns of Arrow's null type a `CategoricalSummary`; dictionaries and
            lists (also nested) make what their values make.
        name: The name of the column, for messages.
        categorical: Count numbers as categories, for codes whose order means nothing. 1 and 1.0 are
            the same category.

    Raises:
        TypeError: The column has a type without single values, such as a struct or a map.

    Example:
        >>> summarize_column(pa.array([[1, 2], [], None, [None]])).missing
        3
    """
    return _summarized(*_flat(column), name, categorical)


def summarize_in_pieces(
    column: pa.Array | pa.ChunkedArray, name: str = "column", categorical: bool = False
) -> Iterator[Summary]:
    """Yields the summary of a column, or several, if lists hold more than `MOST_NUMBERS` numbers.

    See `summarize_column` for the arguments and errors.
    """
    values, missing = _flat(column)
    kind = values.type
    if len(values) <= MOST_NUMBERS or is_bytes(kind) or pa.types.is_dictionary(kind):
        yield _summarized(values, missing, name, categorical)
        return
    for start in range(0, len(values), _PIECE_NUMBERS):
        yield _summarized(values.slice(start, _PIECE_NUMBERS), missing, name, categorical)
        missing = 0


def _flat(column: pa.Array | pa.ChunkedArray) -> tuple[pa.ChunkedArray, int]:
    """Returns the values of a column, those in its lists, and the number of lists without any."""
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    column = stored(column)
    missing = 0
    while is_list(column.type):
        filled = pc.drop_null(column)
        empty = pc.sum(pc.equal(pc.list_value_length(filled), 0)).as_py() or 0
        missing += column.null_count + empty
        column = pc.list_flatten(filled)
    return column, missing


def _summarized(column: pa.ChunkedArray, missing: int, name: str, categorical: bool) -> Summary:
    """Summarises values of which none is a list; `missing` are those that are not among them."""
    if pa.types.is_dictionary(column.type):
        column = _decoded(column)
    kind = column.type
    if pa.types.is_null(kind):
        return CategoricalSummary.of(pa.array([], pa.large_binary()), missing + len(column))
    if is_bytes(kind):
        return CategoricalSummary.of(column, missing)
    values = pc.drop_null(column)
    missing += column.null_count
    if categorical:
        return _codes(values, name, missing)
    return NumericSummary.of(as_floats(values, name), missing, Precision.of(kind))


def _codes(values: pa.ChunkedArray, name: str, missing: int) -> CategoricalSummary:
    """Counts numbers as categories; NaN are missing, as in a numeric column."""
    kind = values.type
    if pa.types.is_integer(kind):  # Not as floats, which cannot tell all integers apart.
        counted = pc.value_counts(values)
        names = counted.field("values").cast(pa.string())
        counts = counted.field("counts").to_numpy(zero_copy_only=False).astype(np.int64)
    else:
        numbers = as_floats(values, name)
        absent = np.isnan(numbers)
        missing += int(np.count_nonzero(absent))
        distinct, counts = np.unique(numbers[~absent], return_counts=True)
        names = pa.array(numbers_as_text(distinct, Precision.of(kind)), pa.string())
    return CategoricalSummary(names.cast(pa.large_binary()), counts, missing, Precision.of(kind))


def numbers_as_text(values: Floats, precision: Precision) -> list[str]:
    """Writes numbers as briefly as their precision allows; whole numbers have no fraction.

    Example:
        >>> numbers_as_text(np.float32([0.1, 3.0]).astype(np.float64), Precision(24))
        ['0.1', '3']
        >>> numbers_as_text(np.array([0.1 + 0.2, np.inf]), DOUBLE)
        ['0.30000000000000004', 'inf']
    """
    short = precision.shortest(values)
    return [str(int(x)) if x.is_integer() else text for x, text in zip(values.tolist(), short)]


def summarize(
    table: pa.Table | pa.RecordBatch | pd.DataFrame, categorical: Iterable[str] = ()
) -> dict[str, Summary]:
    """Summarises each column of a table.

    Args:
        table: An Arrow table or batch, or a pandas data frame (whose NaN stay NaN, not null; both
            are counted, and compared together as absent values).
        categorical: Names of columns whose numbers are categories.

    Raises:
        TypeError: `table` has another type, or a column has a type without single values.
        ValueError: Two columns have the same name.

    Example:
        >>> summary = summarize(pa.table({"x": [1, 2], "kind": ["a", None]}))
        >>> summary["x"].values, summary["kind"].missing
        (array([1., 2.]), 1)
    """
    table = table_of(table)
    names = list(table.schema.names)
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"column names must be distinct, found {twice} more than once: rename")
    codes = set(categorical)
    return {
        name: summarize_column(table.column(i), name, name in codes) for i, name in enumerate(names)
    }


def merge(one: Mapping[str, Summary], other: Mapping[str, Summary]) -> dict[str, Summary]:
    """Merges the summaries of two parts of one table, column by column.

    A column without values in one part (Arrow's null type, all missing) takes the other's kind.

    Raises:
        ValueError: The parts have different columns, or a column is numeric in one part and
            categorical in the other.

    Example:
        >>> parts = [summarize(pa.table({"x": [i, 9]})) for i in (1, 2)]
        >>> merge(*parts)["x"].values
        array([1., 2., 9., 9.])
    """
    if set(one) != set(other):
        raise ValueError(
            "parts of one table must have the same columns, found "
            f"{sorted(set(one) ^ set(other))} in only one of them"
        )
    return {name: _merged(name, one[name], other[name]) for name in one}


def _merged(name: str, one: Summary, other: Summary) -> Summary:
    if type(one) is not type(other):
        one = without_values(one, like=other)
        other = without_values(other, like=one)
    if isinstance(one, NumericSummary) and isinstance(other, NumericSummary):
        return one.merge(other)
    if isinstance(one, CategoricalSummary) and isinstance(other, CategoricalSummary):
        return one.merge(other)
    raise ValueError(
        f"column {name!r} is numeric in one part and categorical in the other: cast it, or name it "
        "as categorical"
    )


@overload
def without_values(summary: Summary, like: Summary) -> Summary: ...


@overload
def without_values(summary: Distribution, like: Distribution) -> Distribution: ...


def without_values(summary: Distribution, like: Distribution) -> Distribution:
    """Gives a summary of only missing values the kind of `like`; other summaries do not change."""
    if summary.n > summary.missing:
        return summary
    if is_numeric(like):
        return NumericSummary(np.zeros(0), summary.missing, precision=EXACT)
    none = np.zeros(0, np.int64)
    return CategoricalSummary(pa.array([], pa.large_binary()), none, summary.missing)


def stored(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Removes extension, run-end and view encoding, as ingestion does; see `storage_type`.

    Example:
        >>> stored(pa.chunked_array([[1, 2]])).type
        DataType(int64)
    """
    kind = storage_type(column.type)
    if kind == column.type:
        return column
    return pa.chunked_array([widened(chunk, kind) for chunk in column.chunks], kind)


def is_list(kind: pa.DataType) -> bool:
    """Whether the type is a list type.

    Example:
        >>> is_list(pa.large_list(pa.int8()))
        True
    """
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def is_bytes(kind: pa.DataType) -> bool:
    """Whether the type is a type of strings or bytes.

    Example:
        >>> is_bytes(pa.binary(2))
        True
    """
    types = pa.types
    text = types.is_string(kind) or types.is_large_string(kind)
    data = types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    return bool(text or data)


def as_floats(values: pa.ChunkedArray, name: str) -> Floats:
    """Casts a column without nulls to float64, times to whole microseconds, rounded down.

    Raises:
        TypeError: The column has a type without single values; the message contains the name.

    Example:
        >>> as_floats(pa.chunked_array([[True, False]]), "x")
        array([1., 0.])
    """
    types, kind = pa.types, values.type
    unit = temporal_unit(kind)
    if unit is not None:
        # Not by Arrow's casts, which overflow beyond some 292,000 years and round up before 1970.
        ticks = values.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).to_numpy()
        if unit == "ns":
            ticks = ticks // NANOSECONDS_PER_MICROSECOND
        return np.asarray(ticks, np.float64) * MICROSECONDS.get(unit, 1)
    if types.is_decimal(kind):
        values = values.cast(pa.float64())
    elif not (types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind)):
        raise TypeError(
            f"column {name!r} is of type {kind}, which has no single value to compare: drop the "
            "column, or take its fields apart"
        )
    numbers: Floats = values.to_numpy().astype(np.float64)
    return numbers


def table_of(table: Any) -> pa.Table | pa.RecordBatch:
    """An Arrow table or batch unchanged, or the columns of a pandas data frame without the index.

    Raises:
        TypeError: `table` is something else.

    Example:
        >>> table_of(pa.table({"x": [1]})).schema.names
        ['x']
    """
    if isinstance(table, (pa.Table, pa.RecordBatch)):
        return table
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            "expected a pyarrow Table or RecordBatch or a pandas DataFrame, found "
            f"{type(table).__name__}"
        )
    return pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata()
