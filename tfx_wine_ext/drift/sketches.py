"""Summaries of any number of rows in bounded memory, with the resulting error.

A `TableSketch` takes a table batch by batch, and sketches of parts can be merged in any order.
While a column has few enough distinct values, everything is exact. Beyond that it is compressed.
Its `error` is not promised in advance but is the sum of the errors of each compression, so it holds
for every order of the rows and every tree of merges. See docs/adr/0006-bounded-memory.md.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfx_wine_ext.drift.precision import DOUBLE, EXACT, Precision
from tfx_wine_ext.drift.summaries import (
    CategoricalSummary,
    Counts,
    Distribution,
    Floats,
    Moments,
    NumericSummary,
    Steps,
    Summary,
    last_of_equal,
    summarize_column,
    summarize_in_pieces,
)


@dataclasses.dataclass(frozen=True)
class SketchLimits:
    """How much of each column is kept: a trade of memory against error.

    Args:
        numbers: Number of distinct numbers up to which a numeric column is exact, whatever its
            length. Default: 10,000, so that integers, codes and rounded measurements usually are
            exact.
        buffer: Number of values that are compressed at once. Default: 32,768, which takes 0.25 MB
            for each doubling of the rows beyond. The error of a share is at most about ``log2(rows
            / buffer) / (2 buffer)``: 0.00008 for 10 million rows. A column with fewer values than
            this is also exact.
        categories: Number of distinct categories up to which a column is exact. Default: 100,000.
        kept: Number of categories that are kept if there are more. Default: 50,000. The error of a
            share is at most ``1 / kept``.
        category_bytes: Bytes that the categories of a column may take. Default: 64 MiB. If
            categories are long, fewer are kept, and the error is accordingly larger. A category of
            more than 1,024 bytes (an image, a document) takes 160: its beginning, its length and
            its digest.

    Raises:
        ValueError: A limit is too small, or `kept` is not below `categories`.

    Example:
        >>> SketchLimits(kept=200_000)
        Traceback (most recent call last):
        ...
        ValueError: kept must be at least 1 and below categories (100000), found 200000
    """

    numbers: int = 10_000
    buffer: int = 32_768
    categories: int = 100_000
    kept: int = 50_000
    category_bytes: int = 2**26

    def __post_init__(self) -> None:
        if self.numbers < 0:
            raise ValueError(f"numbers must be at least 0, found {self.numbers}")
        if self.buffer < 2:
            raise ValueError(f"buffer must be at least 2, found {self.buffer}")
        if self.category_bytes < 1:
            raise ValueError(f"category_bytes must be at least 1, found {self.category_bytes}")
        if not 0 < self.kept < self.categories:
            raise ValueError(
                f"kept must be at least 1 and below categories ({self.categories}), "
                f"found {self.kept}"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class SketchedNumbers:
    """What a sketch knows about a numeric column: a `NumericDistribution`.

    Args:
        finite: The finite values. Their number is exact, their places are not.
        missing: Number of nulls.
        nan: Number of NaN.
        negative_infinity: Number of values that are minus infinity.
        positive_infinity: Number of values that are plus infinity.
        error: Largest error of a cumulative share, 0 to 1.
        distance_error: Largest Wasserstein distance from the true values, in the column's unit.
        exact_moments: Range, mean and spread of the true values; None to use those of `finite`.
        precision: How exactly the values are known, apart from what the sketch lost.
        repeated: How many values were seen to occur before; None if unknown. Once the column is
            compressed, some repetitions are missed.
        parts: Number of parts that were searched for repetitions, each by itself; 1 if all values
            were searched together.
    """

    finite: Steps
    missing: int = 0
    nan: int = 0
    negative_infinity: int = 0
    positive_infinity: int = 0
    error: float = 0.0
    distance_error: float = 0.0
    exact_moments: Moments | None = None
    precision: Precision = DOUBLE
    repeated: int | None = None
    parts: int = 1

    @property
    def n(self) -> int:
        """Number of values, including missing ones, NaN and infinities."""
        infinite = self.negative_infinity + self.positive_infinity
        return self.finite.total + self.missing + self.nan + infinite

    def steps(self) -> Steps:
        """The finite values."""
        return self.finite

    def moments(self) -> Moments | None:
        """Range, mean and spread of the finite values; None if there are none."""
        return self._moments

    @functools.cached_property
    def _moments(self) -> Moments | None:
        if self.exact_moments is None and self.finite.total:
            return Moments.of(self.finite.points, self.finite.counts)
        return self.exact_moments


@dataclasses.dataclass(frozen=True, eq=False)
class SketchedCategories:
    """What a sketch knows about a categorical column: a `CategoricalDistribution`.

    Args:
        n: Number of values, including missing ones.
        values: The most frequent values, which were kept, as bytes ``[k]``.
        counts: int64 ``[k]``: never more than a value's true count, and at most ``error * present``
            less.
        missing: Number of nulls.
        error: Largest error of the share of one value, including values that were not kept.
        distinct: How many distinct values there are.
        distinct_is_estimate: Whether `distinct` is an estimate.
        numbers: How exactly the values are known if they are numbers in text; None if they are
            text.
    """

    n: int
    values: pa.LargeBinaryArray
    counts: Counts
    missing: int
    error: float
    distinct: int
    distinct_is_estimate: bool
    numbers: Precision | None = None


class TableSketch:
    """A table in bounded memory, whatever its number of rows: built from batches, and merged.

    Batches may have different columns: if a batch lacks a column, its rows count as missing there.
    A column without values in one batch takes its kind from other batches.

    Args:
        categorical: Names of columns whose numbers are categories.
        ignore: Columns that are not read.
        limits: How much is kept. Default: None, a `SketchLimits` of defaults.

    Example:
        >>> sketch = TableSketch()
        >>> sketch.add(pa.table({"x": [1, 2], "kind": ["a", None]}))
        >>> sketch.add(pa.table({"x": [2]}))
        >>> sketch.rows, sketch.method, sketch.summaries()["kind"].missing
        (3, 'exact', 2)
        >>> other = TableSketch()
        >>> other.add(pa.table({"x": [9]}))
        >>> sketch.merge(other).summaries()["x"].steps().points
        array([1., 2., 9.])
    """

    def __init__(
        self,
        categorical: Iterable[str] = (),
        ignore: Iterable[str] = (),
        limits: SketchLimits | None = None,
    ) -> None:
        self._categorical = frozenset(categorical)
        self._ignore = frozenset(ignore)
        self._limits = limits or SketchLimits()
        self._columns: dict[str, _Column] = {}
        self._rows = 0
        self._names: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """All columns that were seen, including ignored ones."""
        return self._names

    @property
    def rows(self) -> int:
        """Number of rows so far."""
        return self._rows

    @property
    def method(self) -> str:
        """``exact`` while nothing was lost to compression, ``sketch`` after."""
        lost = any(column.lossy for column in self._columns.values())
        return "sketch" if lost else "exact"

    def add(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Adds the rows of a batch.

        Raises:
            TypeError: `batch` is no batch, or a column has a type without single values.
            ValueError: Two columns have the same name, or a column is numeric here and was
                categorical before, or the other way round.
        """
        if not isinstance(batch, (pa.RecordBatch, pa.Table)):
            raise TypeError(
                f"expected a pyarrow RecordBatch or Table, found {type(batch).__name__}"
            )
        names = batch.schema.names
        _check_distinct(names)
        self.add_names(names)
        for index, name in enumerate(names):
            if name not in self._ignore:
                codes = name in self._categorical
                for summary in summarize_in_pieces(batch.column(index), name, codes):
                    self._column(name, self._rows).add(summary)
                    del summary  # Before the next one is made.
        for name in self._columns.keys() - set(names):
            self._columns[name].missing += batch.num_rows
        self._rows += batch.num_rows

    def add_schema(self, schema: pa.Schema) -> None:
        """Adds columns without any row.

        Raises:
            TypeError: A column has a type without single values.
            ValueError: Two columns have the same name.
        """
        _check_distinct(schema.names)
        self.add_names(schema.names)
        known: dict[tuple[pa.DataType, bool], Summary] = {}
        for field in schema:
            if field.name in self._ignore:
                continue
            kind, codes = field.type, field.name in self._categorical
            # Extension types of users may not be hashable.
            is_extension = isinstance(kind, pa.BaseExtensionType)
            summary = None if is_extension else known.get((kind, codes))
            if summary is None:
                # pa.array() cannot make lists of uuid.
                summary = summarize_column(pa.nulls(0, kind), field.name, codes)
            if not is_extension:
                known[kind, codes] = summary
            self._column(field.name, self._rows).add(summary)

    def add_names(self, names: Iterable[str]) -> None:
        """Adds the names of columns whose values a reader has skipped.

        Example:
            >>> sketch = TableSketch(ignore=("id",))
            >>> sketch.add_names(["id"])
            >>> sketch.names
            frozenset({'id'})
        """
        self._names = self._names.union(names)

    def merge(self, other: TableSketch) -> TableSketch:
        """Adds the rows of another sketch to this one and returns this one.

        Raises:
            ValueError: The sketches were made with different arguments, or a column is numeric in
                one sketch and categorical in the other.
        """
        for name in ("_categorical", "_ignore", "_limits"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise ValueError(
                    f"sketches of one table must have the same {name[1:]}, found {mine} "
                    f"and {theirs}"
                )
        self.add_names(other._names)
        for name, column in other._columns.items():
            self._column(name, self._rows).merge(column)
        for name in self._columns.keys() - other._columns.keys():
            self._columns[name].missing += other._rows
        self._rows += other._rows
        return self

    def add_columns(self, other: TableSketch) -> None:
        """Adds the columns of a sketch of the same rows, to which this one must add none later."""
        self.add_names(other._names)
        self._columns.update(other._columns)
        self._rows = other._rows

    def summaries(self) -> dict[str, Distribution]:
        """What is known about each column, in the order in which the columns were first seen."""
        return {name: self.summary(name) for name in self._columns}

    @property
    def columns(self) -> Sequence[str]:
        """The columns in the order in which they were first seen, without ignored ones."""
        return list(self._columns)

    def summary(self, name: str) -> Distribution:
        """What is known about a column.

        Raises:
            KeyError: There is no such column.
        """
        return self._columns[name].distribution()

    def _column(self, name: str, rows: int) -> _Column:
        if name not in self._columns:
            self._columns[name] = _Column(name, self._limits, missing=rows)
        return self._columns[name]


def _check_distinct(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        raise ValueError(f"column names must be distinct, found {twice} more than once: rename")


class _Column:
    """A column whose kind is known as soon as it has a value."""

    def __init__(self, name: str, limits: SketchLimits, missing: int) -> None:
        self.name = name
        self.limits = limits
        self.missing = missing
        self.kind: type[Summary] | None = None
        # All values are missing, but the type is numeric: the column's kind unless a value shows
        # another.
        self.seems_numeric = False
        self.sketch: _Numbers | _Categories | None = None

    @property
    def lossy(self) -> bool:
        return self.sketch is not None and self.sketch.lossy

    def add(self, summary: Summary) -> None:
        self.missing += summary.missing
        if summary.n == summary.missing:
            self.seems_numeric |= isinstance(summary, NumericSummary)
        elif isinstance(summary, NumericSummary):
            self._of_kind(_Numbers).add(summary)
        else:
            self._of_kind(_Categories).add(summary.values, summary.counts, summary.numbers)

    def merge(self, other: _Column) -> None:
        self.missing += other.missing
        self.seems_numeric |= other.seems_numeric
        if other.sketch is not None:
            self._of_kind(type(other.sketch)).merge(other.sketch)

    def distribution(self) -> Distribution:
        if self.sketch is not None:
            return self.sketch.distribution(self.missing)
        if self.seems_numeric:
            return NumericSummary(np.zeros(0), self.missing, precision=EXACT)
        return CategoricalSummary.of(pa.array([], pa.large_binary()), self.missing)

    def _of_kind(self, kind: Any) -> Any:
        if self.sketch is None:
            self.sketch = kind(self.limits)
        if not isinstance(self.sketch, kind):
            raise ValueError(
                f"column {self.name!r} is numeric in one batch and categorical in another: cast "
                "it, or name it as categorical"
            )
        return self.sketch


class _Numbers:
    """Counts of distinct numbers while there are few; then levels of ever sparser numbers.

    A number on level h represents 2^h numbers. A full level is sorted, and of each two neighbours
    one moves up to represent both (Manku, Rajagopalan and Lindsay 1998; Karnin, Lang and Liberty
    2016). That shifts the cumulative count by at most 2^h between the two and nowhere else: upwards
    if the lower one is kept, downwards if the upper one is. Both are added up, and so is the
    distance by which values moved.
    """

    def __init__(self, limits: SketchLimits) -> None:
        self.limits = limits
        self.nan = self.negative_infinity = self.positive_infinity = 0
        self.precision = EXACT
        self.pending: list[Floats] = []
        self.pending_size = 0
        self.exact: Steps | None = Steps(np.zeros(0), np.zeros(0, np.int64))
        self.levels: list[Floats] = []
        self.raised = self.lowered = 0
        self.moved = 0.0
        self.repeated = 0
        self.count = 0
        self.moments: Moments | None = None

    @property
    def lossy(self) -> bool:
        self._flush()
        return self.raised + self.lowered > 0

    def add(self, summary: NumericSummary) -> None:
        self._add_counts(summary)
        if len(summary.values):
            self._add_moments(len(summary.values), _moments_of_all(summary.values))
            self.pending.append(summary.values)
            self.pending_size += len(summary.values)
            if self.pending_size >= self.limits.buffer:
                self._flush()

    def merge(self, other: _Numbers) -> None:
        self._flush()
        other._flush()
        self._add_counts(other)
        if other.moments is not None:
            self._add_moments(other.count, other.moments)
        self.raised += other.raised
        self.lowered += other.lowered
        self.moved += other.moved
        self.repeated += other.repeated
        if other.exact is not None:
            self._add_steps(other.exact)
        else:
            self._leave_exact()
            for height, level in enumerate(other.levels):
                self._add_level(height, level)
            self._compress()

    def distribution(self, missing: int) -> SketchedNumbers:
        self._flush()
        rest = (missing, self.nan, self.negative_infinity, self.positive_infinity)
        if self.exact is not None:
            return SketchedNumbers(
                self.exact,
                *rest,
                precision=self.precision,
                repeated=self.exact.total - len(self.exact.points),
            )
        points = np.concatenate(self.levels)
        weights = np.repeat(
            2 ** np.arange(len(self.levels), dtype=np.int64), [len(x) for x in self.levels]
        )
        order = np.argsort(points, kind="stable")
        steps = _steps(points[order], weights[order])
        return SketchedNumbers(
            steps,
            *rest,
            error=max(self.raised, self.lowered) / steps.total,
            distance_error=min(self.moved / steps.total, sys.float_info.max),
            # If nothing was lost, they come from the same values as those of an exact summary.
            exact_moments=self.moments if self.lossy else None,
            precision=self.precision,
            repeated=self.repeated + _repeated(self.levels[0]),
            parts=-(-steps.total // self.limits.buffer),
        )

    def _add_counts(self, other: NumericSummary | _Numbers) -> None:
        self.nan += other.nan
        self.negative_infinity += other.negative_infinity
        self.positive_infinity += other.positive_infinity
        self.precision = self.precision.coarser(other.precision)

    def _add_moments(self, count: int, moments: Moments) -> None:
        self.moments = (
            moments
            if self.moments is None
            else _merged_moments(self.count, self.moments, count, moments)
        )
        self.count += count

    def _flush(self) -> None:
        if not self.pending:
            return
        values = np.concatenate(self.pending)
        if len(self.pending) > 1:
            values.sort(kind="stable")  # A stable sort uses the sorted runs.
        self.pending, self.pending_size = [], 0
        if self.exact is not None:
            self._add_steps(_steps(values, None))
        else:
            self._add_level(0, values)
            self._compress()

    def _add_steps(self, steps: Steps) -> None:
        if self.exact is None:
            self._add_weighted(steps)
            return
        points = np.concatenate([self.exact.points, steps.points])
        counts = np.concatenate([self.exact.counts, steps.counts])
        order = np.argsort(points, kind="stable")
        self.exact = _steps(points[order], counts[order])
        if len(self.exact.points) > self.limits.numbers:
            self._leave_exact()

    def _leave_exact(self) -> None:
        if self.exact is not None:
            steps, self.exact = self.exact, None
            self._add_weighted(steps)

    def _add_weighted(self, steps: Steps) -> None:
        """Puts a value that occurs 5 = 4 + 1 times on the levels 2 and 0."""
        counts = steps.counts
        self.repeated += steps.total - len(counts)
        for height in range(int(counts.max(initial=0)).bit_length()):
            self._add_level(height, steps.points[(counts >> height) & 1 == 1])
        self._compress()

    def _add_level(self, height: int, ascending: Floats) -> None:
        while len(self.levels) <= height:
            self.levels.append(np.zeros(0))
        if not len(self.levels[height]):
            self.levels[height] = ascending
        elif len(ascending):
            joined = np.concatenate([self.levels[height], ascending])
            joined.sort(kind="stable")
            self.levels[height] = joined

    def _compress(self) -> None:
        height = 0
        while height < len(self.levels):
            level = self.levels[height]
            if len(level) >= self.limits.buffer:
                pairs = level[: len(level) // 2 * 2].reshape(-1, 2)
                if not height:  # On higher levels, a number represents others.
                    self.repeated += _repeated(level)
                self.levels[height] = level[pairs.size :].copy()
                upper = self.raised > self.lowered
                with np.errstate(over="ignore"):
                    gaps = float((pairs[:, 1] - pairs[:, 0]).sum())
                    self.moved += gaps * 2**height
                if gaps > 0:
                    self.lowered += 2**height * upper
                    self.raised += 2**height * (not upper)
                self._add_level(height + 1, pairs[:, int(upper)].copy())
            height += 1


def _repeated(ascending: Floats) -> int:
    return int(np.count_nonzero(ascending[1:] == ascending[:-1]))


class _Categories:
    """Counts of distinct values; if there are too many, counts of the most frequent ones.

    To forget values, the count of the most frequent value to be dropped is subtracted from all
    counts, and values with a count above 0 stay (Misra and Gries 1982; Agarwal et al. 2012 showed
    that such summaries can be merged). So no count is too large, and none is too small by more than
    the sum of the subtracted counts.
    """

    def __init__(self, limits: SketchLimits) -> None:
        self.limits = limits
        self.present = 0
        self.taken_off = 0
        self.values: pa.LargeBinaryArray = pa.array([], pa.large_binary())
        self.counts: Counts = np.zeros(0, np.int64)
        self.pending: list[tuple[pa.LargeBinaryArray, Counts]] = []
        self.pending_size = self.pending_bytes = 0
        self.distinct: _Distinct | None = None
        self.numbers: Precision | None = EXACT  # This holds unless a value shows another kind.

    @property
    def lossy(self) -> bool:
        self._flush()
        return self.distinct is not None

    def add(
        self, values: pa.LargeBinaryArray, counts: Counts, numbers: Precision | None = None
    ) -> None:
        self._add_numbers(numbers)
        self.present += int(counts.sum())
        self._queue(values, counts)

    def merge(self, other: _Categories) -> None:
        self._flush()
        other._flush()
        self._add_numbers(other.numbers)
        self.present += other.present
        self.taken_off += other.taken_off
        if other.distinct is not None:
            if self.distinct is None:
                self.distinct = _Distinct()
                self.distinct.add(self.values)
            self.distinct.merge(other.distinct)
        self._queue(other.values, other.counts)
        self._flush()

    def distribution(self, missing: int) -> SketchedCategories:
        self._flush()
        exact = self.distinct is None
        return SketchedCategories(
            self.present + missing,
            self.values,
            self.counts,
            missing,
            self.taken_off / self.present,
            len(self.values) if self.distinct is None else self.distinct.estimate(),
            not exact,
            self.numbers,
        )

    def _add_numbers(self, other: Precision | None) -> None:
        if self.numbers is not None:
            self.numbers = None if other is None else self.numbers.coarser(other)

    def _queue(self, values: pa.LargeBinaryArray, counts: Counts) -> None:
        self.pending.append((values, counts))
        self.pending_size += len(values)
        self.pending_bytes += _bytes(values)
        # The buffer is as large as the counts, so each value is processed a few times, however
        # small the batches.
        enough = self.pending_size >= max(len(self.values), self.limits.kept // 2)
        if enough or self.pending_bytes >= self.limits.category_bytes:
            self._flush()

    def _flush(self) -> None:
        if not self.pending:
            return
        parts = [(self.values, self.counts), *self.pending]
        encoded = pa.concat_arrays([values for values, _ in parts]).dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        counts = np.concatenate([counts for _, counts in parts])
        if self.distinct is not None:
            self.distinct.add(encoded.dictionary)
        self.pending, self.pending_size, self.pending_bytes = [], 0, 0
        self.values = encoded.dictionary
        # Sums of whole numbers below 2^53 are exact as floats.
        self.counts = np.bincount(codes, counts, len(self.values)).astype(np.int64)
        size = _bytes(self.values)
        if len(self.values) > self.limits.categories or size > self.limits.category_bytes:
            # Half of the bytes, like half of the categories, so that the limit is not reached again
            # at once.
            room = len(self.values) * self.limits.category_bytes // (2 * max(size, 1))
            self._forget(min(self.limits.kept, room, len(self.values) - 1))

    def _forget(self, kept: int) -> None:
        if self.distinct is None:
            self.distinct = _Distinct()
            self.distinct.add(self.values)
        goes = len(self.counts) - kept - 1
        excess = int(np.partition(self.counts, goes)[goes])
        stay = np.flatnonzero(self.counts > excess)
        self.values = self.values.take(pa.array(stay))
        self.counts = self.counts[stay] - excess
        self.taken_off += excess


class _Distinct:
    """Estimates the number of distinct values from the k smallest hashes (KMV), k = 4,096."""

    def __init__(self) -> None:
        # Imported here, so that only tables with very many categories wait for it.
        from tfx_bsl.sketches import KmvSketch

        self.sketch = KmvSketch(4096)

    def add(self, values: pa.LargeBinaryArray) -> None:
        self.sketch.AddValues(values)

    def merge(self, other: _Distinct) -> None:
        self.sketch.Merge(other.sketch)

    def estimate(self) -> int:
        return int(self.sketch.Estimate())

    def __getstate__(self) -> bytes:
        return bytes(self.sketch.Serialize())

    def __setstate__(self, state: bytes) -> None:
        from tfx_bsl.sketches import KmvSketch

        self.sketch = KmvSketch.Deserialize(state)


# The parts of a `TableSketch`; see tfx_wine_ext/drift/plain.py.
PARTS_OF_SKETCHES: tuple[type, ...] = (
    SketchLimits,
    Steps,
    Moments,
    _Column,
    _Numbers,
    _Categories,
    _Distinct,
    Precision,
)


def _bytes(values: pa.LargeBinaryArray) -> int:
    return int(pc.sum(pc.binary_length(values)).as_py() or 0)


def _steps(ascending: Floats, counts: Counts | None) -> Steps:
    """Steps of ascending values, with equal values together; None for `counts` means once each."""
    last = last_of_equal(ascending)
    upto = last + 1 if counts is None else np.cumsum(counts)[last]
    return Steps(ascending[last], upto.astype(np.int64))


def _moments_of_all(ascending: Floats) -> Moments:
    return Moments.of(ascending, np.ones(len(ascending), np.int64))


def _merged_moments(n: int, one: Moments, m: int, other: Moments) -> Moments:
    """Moments of both together, from deviations, which do not overflow (Chan et al. 1979)."""
    share = m / (n + m)
    cross = (share * (1 - share)) ** 0.5
    low, high = min(one.minimum, other.minimum), max(one.maximum, other.maximum)
    mean = one.mean * (1 - share) + other.mean * share
    apart = np.hypot(one.std * (1 - share) ** 0.5, other.std * share**0.5)
    return Moments(
        low,
        high,
        min(max(mean, low), high),
        float(min(np.hypot(apart, other.mean * cross - one.mean * cross), sys.float_info.max)),
    )
