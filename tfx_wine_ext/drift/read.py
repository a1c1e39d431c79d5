"""Reads a side of a comparison into bounded memory, for the component and the command line alike.

A side may be read in parts, by several workers: `read` each of them, and `merge` the readings. Its
rows may also have been summarised by StatisticsGen.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from tfx_wine_ext.drift.compare import compare
from tfx_wine_ext.drift.config import DriftConfig
from tfx_wine_ext.drift.from_statistics import statistics_summaries
from tfx_wine_ext.drift.plain import from_bytes, to_bytes
from tfx_wine_ext.drift.result import DriftResult
from tfx_wine_ext.drift.sample import RowSample
from tfx_wine_ext.drift.sketches import TableSketch
from tfx_wine_ext.drift.summaries import Distribution
from tfx_wine_ext.sources.file_table import FileTable
from tfx_wine_ext.sources.source import SchemaChangedError, TableSource

# Is told the number of rows and of bytes that have been read so far.
Show = Callable[[int, int], None]

AS_IT_WAS_WRITTEN = "copy the artifact again from an intact source, or rerun its component"


class Summaries(Mapping[str, Distribution]):
    """What is known about each column, made when it is asked for: not all are in memory at once.

    Args:
        names: The columns.
        summary_of: Makes the summary of a column.
    """

    def __init__(self, names: Iterable[str], summary_of: Callable[[str], Distribution]) -> None:
        self._names = dict.fromkeys(names)
        self._summary_of = summary_of

    def __getitem__(self, name: str) -> Distribution:
        if name not in self._names:
            raise KeyError(name)
        return self._summary_of(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclasses.dataclass
class Side:
    """One side of a comparison, as far as it is known after it has been read.

    Args:
        summaries: What is known about each column.
        rows: Number of rows; 0 if no column was read.
        method: `exact`, `sketch` or `coarse`, see `DriftDocument`; of `sides_by_columns` it is
            final when all columns have been asked for.
        names: All columns, including those that were not read.
        sample: Rows for the classifier; None if the config does not ask for it.
    """

    summaries: Mapping[str, Distribution]
    rows: int
    method: str
    names: frozenset[str]
    sample: pa.Table | None = None

    @property
    def rows_or_columns(self) -> int:
        """The number of rows; if no column was read, just whether there are any columns."""
        return self.rows if self.summaries else len(self.names)


class Reading:
    """What was read of a side: a sketch of all rows, and a sample if the config asks for it."""

    def __init__(self, config: DriftConfig) -> None:
        self.sketch = TableSketch(config.categorical, config.ignore)
        self.sample = (
            RowSample(config.classifier_rows, ignore=config.ignore) if config.classifier else None
        )

    def to_bytes(self) -> bytes:
        """Returns the reading as data, which a worker can send back."""
        return to_bytes(self.sketch, self.sample)

    def merge(self, data: bytes) -> None:
        """Adds the rows of another reading, from its bytes.

        Raises:
            ValueError: A column is numeric in one of them and categorical in the other.
        """
        sketch, sample = from_bytes(data)
        self.sketch.merge(sketch)
        if self.sample is not None:
            self.sample.merge(sample)

    def side(self) -> Side:
        """Returns what is known."""
        return Side(
            Summaries(self.sketch.columns, self.sketch.summary),
            self.sketch.rows,
            self.sketch.method,
            self.sketch.names,
            None if self.sample is None else self.sample.table(),
        )


def read(
    table: TableSource,
    config: DriftConfig,
    show: Show = lambda rows, position: None,
) -> Reading:
    """Reads a table.

    Args:
        table: The table; columns that `config` ignores need not be read.
        config: Names ignored and categorical columns, and asks for a sample.
        show: Is told the number of rows and of bytes that have been read so far.

    Raises:
        TableFileError: A file cannot be read.
        TypeError: A column has a type without single values.
        ValueError: A column is numeric in one batch and categorical in another.

    Example:
        >>> import pyarrow.parquet as pq, tempfile
        >>> from tfx_wine_ext.sources.choose import open_table
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pq.write_table(pa.table({"x": [1, 2, 2]}), f"{folder}/a.parquet")
        ...     side = read(open_table(folder), DriftConfig()).side()
        >>> side.rows, side.method, side.summaries["x"].n
        (3, 'exact', 3)
    """
    while True:
        try:
            return _read(table, config, show)
        except SchemaChangedError:  # The table knows better now.
            continue


def _read(table: TableSource, config: DriftConfig, show: Show) -> Reading:
    reading = Reading(config)
    # The classifier looks at columns together, so it needs all of them in one pass.
    passes = table.passes if reading.sample is None else [table.schema]
    with _held_open(table):
        for done, columns in enumerate(passes):

            def show_pass(rows: int, position: int, done: int = done) -> None:
                rows += done * reading.sketch.rows
                show(rows // len(passes), (done * table.size + position) // len(passes))

            whole = len(passes) == 1
            sketch = _sketched(table, columns, whole, config, show_pass, reading.sample)
            reading.sketch.add_columns(sketch)
    reading.sketch.add_names(table.names)
    return reading


def _held_open(table: TableSource) -> contextlib.AbstractContextManager[None]:
    return table.held_open() if isinstance(table, FileTable) else contextlib.nullcontext()


def _sketched(
    table: TableSource,
    columns: pa.Schema,
    whole: bool,
    config: DriftConfig,
    show: Show,
    sample: RowSample | None = None,
) -> TableSketch:
    """Sketches some columns, or with `whole` all that the rows turn out to have."""
    sketch = empty_sketch(columns, config)
    # Later records may have features that the schema does not know yet.
    for batch in table.batches(None if whole else columns):
        sketch.add(batch)
        if sample is not None:
            sample.add(batch)
        del batch  # Frees this one before the next one is read.
        show(sketch.rows, table.position)
    return sketch


@contextlib.contextmanager
def sides_by_columns(
    tables: Sequence[TableSource],
    config: DriftConfig,
    show: Callable[[int], None] = lambda position: None,
    naming: Callable[[int], contextlib.AbstractContextManager[None]] = lambda number: (
        contextlib.nullcontext()
    ),
) -> Iterator[list[Side] | None]:
    """Sides whose columns are read while they are compared, so that few are in memory at once.

    Args:
        tables: The tables.
        config: As for `read`.
        show: Is told the number of bytes of all tables that have been read so far.
        naming: A context for errors of reading a table, by the number of the table.

    Yields:
        The sides, to be compared in this context; None if the tables are best read one after the
        other: rows are needed whole, or all columns are few.
    """
    passes = [table.passes for table in tables]
    is_empty = not all(table.rows for table in tables)
    if config.classifier or is_empty or min(map(len, passes)) < 2:
        yield None
        return
    names = list(dict.fromkeys(name for table in tables for name in table.schema.names))
    width = min(len(columns) for first, *_ in passes for columns in [first])
    groups = [names[start : start + width] for start in range(0, len(names), width)]
    group_of = {name: number for number, group in enumerate(groups) for name in group}
    positions = [0] * len(tables)
    sides: list[Side] = []

    def summaries_of(number: int) -> Summaries:
        table, there = tables[number], frozenset(tables[number].schema.names)
        loaded: dict[int, TableSketch] = {}

        def show_group(group: int, position: int) -> None:
            positions[number] = (group * table.size + position) // len(groups)
            show(sum(positions))

        def summary_of(name: str) -> Distribution:
            group = group_of[name]
            if group not in loaded:
                loaded.clear()
                fields = [table.schema.field(name) for name in groups[group] if name in there]
                with naming(number):
                    sketch = _sketched(
                        table, pa.schema(fields), False, config,
                        lambda rows, position: show_group(group, position),
                    )  # fmt: skip
                    sides[number].method = max(sides[number].method, sketch.method)
                loaded[group] = sketch
            return loaded[group].summary(name)

        return Summaries(table.schema.names, summary_of)

    with contextlib.ExitStack() as stack:
        for number, table in enumerate(tables):
            stack.enter_context(_held_open(table))
            sides.append(
                Side(summaries_of(number), table.rows or 0, "exact", frozenset(table.names))
            )
        yield sides


def empty_sketch(columns: pa.Schema, config: DriftConfig) -> TableSketch:
    """Returns a sketch of no rows; it refuses columns that cannot be compared.

    Raises:
        TypeError: A column has a type without single values.
    """
    sketch = TableSketch(config.categorical, config.ignore)
    sketch.add_schema(columns)
    return sketch


def side_of_statistics(data: bytes, path: str) -> Side:
    """Returns a side that StatisticsGen summarised.

    Args:
        data: A serialized DatasetFeatureStatisticsList.
        path: Its file, for messages.

    Raises:
        ValueError: The bytes are damaged, or hold the statistics of several datasets or slices, or
            numbers that contradict each other.
    """
    from google.protobuf.message import DecodeError
    from tensorflow_metadata.proto.v0 import statistics_pb2

    try:
        datasets = statistics_pb2.DatasetFeatureStatisticsList.FromString(data).datasets
    except (DecodeError, SystemError) as error:  # Depends on protobuf's version.
        raise ValueError(
            f"{path}: expected statistics of StatisticsGen, found other or damaged bytes; "
            f"{AS_IT_WAS_WRITTEN}"
        ) from error
    if len(datasets) != 1:
        raise ValueError(
            f"{path}: expected statistics of one dataset without slices, found {len(datasets)}; "
            "give examples instead, or run StatisticsGen without slices"
        )
    try:
        summaries = statistics_summaries(datasets[0])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise ValueError(
            f"{path}: expected statistics of StatisticsGen, found numbers that contradict each "
            f"other ({type(error).__name__}: {error}); {AS_IT_WAS_WRITTEN}"
        ) from error
    return Side(summaries, int(datasets[0].num_examples), "coarse", frozenset(summaries))


def compare_sides(baseline: Side | None, current: Side, config: DriftConfig) -> DriftResult:
    """Compares two sides that were read.

    Raises:
        ValueError: See `compare`.
    """
    if baseline is None:
        return compare(None, current.summaries, config, rows=(None, current.rows_or_columns))
    samples = None
    if baseline.sample is not None and current.sample is not None:
        samples = baseline.sample, current.sample
    rows = baseline.rows_or_columns, current.rows_or_columns
    return compare(baseline.summaries, current.summaries, config, samples, rows)


def method_of(*sides: Side | None) -> str:
    """Returns the least exact method by which the sides were read."""
    return max(
        (side.method for side in sides if side is not None), key=("exact", "sketch", "coarse").index
    )
