"""Row filters in disjunctive normal form, as for `pyarrow.parquet.read_table`."""

from __future__ import annotations

import datetime
import decimal
import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Callable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from tfx_wine_ext.columnar.casts import parsed_value
from tfx_wine_ext.errors import Option, TfxWineExtError
from tfx_wine_ext.sources.footers import READER_OPTIONS, thrift_limits
from tfx_wine_ext.suggestions import hint

# The longest list of values whose "in" rules out row groups, see `_is_in`.
_FEW_VALUES = 64


def _is_in(column: pc.Expression, values: pa.Array) -> pc.Expression:
    # Older pyarrow (at least 10) uses statistics for comparisons, but not for is_in.
    if 0 < len(values) <= _FEW_VALUES:
        return functools.reduce(operator.or_, (column == value for value in values))
    return column.isin(values)


_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": lambda column, value: column == value,
    "==": lambda column, value: column == value,
    "!=": lambda column, value: column != value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
    "in": lambda column, values: _is_in(column, values),
    # Arrow's is_in is false for a null, so its negation alone would keep nulls.
    "not in": lambda column, values: column.is_valid() & ~column.isin(values),
}
# Statistics ignore NaN, and NaN differs from every value: a row group whose minimum and maximum
# equal the value may still hold a matching row.
_BY_STATISTICS_OF_FLOATS: Mapping[str, Callable[[Any, Any], Any]] = {
    **_OPERATORS,
    "!=": lambda column, value: column.is_valid(),
    "not in": lambda column, values: column.is_valid(),
}
_FORM = "a list of (column, op, value), or a list of such lists, with op one of " + " ".join(
    _OPERATORS
)


class FilterError(TfxWineExtError, ValueError):
    """A filter has another form, or does not suit the columns of the table."""

    def __init__(self, expected: str, found: str, *remedies: str) -> None:
        super().__init__(found, remedies, argument=Option.FILTERS, expected=expected)


class RowFilter:
    """Rows to keep: those that meet all conditions of any of several lists.

    As in SQL, a condition on a null is never met. Dates and times may be given as ISO 8601 text:
    values are cast to the type of their column.

    Args:
        filters: ``[(column, op, value), ...]`` or ``[[(column, op, value), ...], ...]``.

    Raises:
        FilterError: `filters` has another form.

    Example:
        >>> keep = RowFilter([("alcohol", ">", 10), ("colour", "in", ["red", "white"])])
        >>> keep.columns
        ('alcohol', 'colour')
        >>> batch = pa.record_batch([pa.array([9.5, 11.0]), pa.array(["red", "red"])],
        ...                         names=["alcohol", "colour"])
        >>> keep.apply(batch).to_pydict()
        {'alcohol': [11.0], 'colour': ['red']}
    """

    def __init__(self, filters: Sequence[Any]) -> None:
        """Parses either form."""
        if not _is_list(filters) or not filters:
            raise FilterError(_FORM, repr(filters))
        nested = all(_is_list(f) and f and _is_list(f[0]) for f in filters)
        self._any_of = [
            list(map(_condition, all_of)) for all_of in (filters if nested else [filters])
        ]

    @property
    def columns(self) -> tuple[str, ...]:
        """The top-level columns in the conditions, without repetition."""
        return tuple(dict.fromkeys(name for all_of in self._any_of for name, _, _ in all_of))

    def expression(self, schema: pa.Schema) -> pc.Expression:
        """Returns the filter as an Arrow expression on a schema.

        Raises:
            FilterError: a column is not in the schema, or a value does not fit its type.
        """
        return self._expression(schema, _OPERATORS)

    def _expression(
        self, schema: pa.Schema, operators: Mapping[str, Callable[[Any, Any], Any]]
    ) -> pc.Expression:
        any_of = None
        for conditions in self._any_of:
            all_of = None
            for name, op, value in conditions:
                literal = _literal(schema, name, op, value)
                of_type = operators if pa.types.is_floating(schema.field(name).type) else _OPERATORS
                term = of_type[op](pc.field(name), literal)
                all_of = term if all_of is None else all_of & term
            any_of = all_of if any_of is None else any_of | all_of
        return any_of

    def may_hold(self, known: pa.Table) -> list[bool]:
        """Tells for each row, from the known columns, whether it may match.

        Args:
            known: The known columns, at least one.

        Example:
            >>> known = pa.table({"colour": ["red", "blue"]})
            >>> RowFilter([("alcohol", ">", 10), ("colour", "=", "red")]).may_hold(known)
            [True, False]
        """
        of_known = [[c for c in all_of if c[0] in known.column_names] for all_of in self._any_of]
        if not all(of_known):
            return [True] * known.num_rows
        found = ds.InMemoryDataset(known).to_table(
            columns={"kept": RowFilter(of_known).expression(known.schema)}
        )
        return [kept is True for kept in found["kept"].to_pylist()]

    def row_groups(
        self, stream: BinaryIO, schema: pa.Schema, constants: Mapping[str, pa.Scalar] | None = None
    ) -> frozenset[int]:
        """Returns the row groups of a Parquet file that may hold a matching row.

        Args:
            stream: The open file, or only its footer, with the length and the magic number.
            schema: Its schema, or the wider one as which it is read.
            constants: The values of columns that are not in the file. Default: none.
        """
        guarantees = [
            pc.field(name) == value if value.is_valid else pc.field(name).is_null()
            for name, value in (constants or {}).items()
        ]
        limits = thrift_limits(stream.seek(0, 2))
        file_format = ds.ParquetFileFormat(
            read_options=ds.ParquetReadOptions(**READER_OPTIONS),
            default_fragment_scan_options=ds.ParquetFragmentScanOptions(**limits),
        )
        fragment = file_format.make_fragment(
            pa.PythonFile(stream, mode="r"),
            partition_expression=functools.reduce(operator.and_, guarantees, pc.scalar(True)),
        )
        by_statistics = self._expression(schema, _BY_STATISTICS_OF_FLOATS)
        kept = fragment.subset(filter=by_statistics, schema=schema)
        return frozenset(group.id for group in kept.row_groups)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Returns the rows of the batch to keep, in order."""
        table = ds.InMemoryDataset(batch).to_table(filter=self.expression(batch.schema))
        return pa.RecordBatch.from_arrays(
            [
                column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
                for column in table.columns
            ]
            if table.num_rows
            else [column.slice(0, 0) for column in batch.columns],
            schema=batch.schema,
        )


def to_json_value(value: object) -> object:
    """Converts dates, times and decimals in a filter to text that `RowFilter` can parse.

    Raises:
        TypeError: for any other type that JSON does not support.
    """
    if isinstance(value, (datetime.date, datetime.datetime, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    raise TypeError(
        f"filters: a value of type {type(value).__name__} cannot be recorded: {value!r}"
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _condition(condition: Any) -> tuple[str, str, Any]:
    """Checks one ``(column, op, value)``."""
    if not (_is_list(condition) and len(condition) == 3):
        raise FilterError(_FORM, repr(condition))
    name, op, value = condition
    if not (isinstance(name, str) and isinstance(op, str) and op in _OPERATORS):
        raise FilterError(_FORM, repr(condition))
    takes_many = op in ("in", "not in")
    if takes_many != isinstance(value, (list, tuple, set, frozenset)):
        form = "a list of values" if takes_many else "one value"
        raise FilterError(f"{form} for {op!r}", repr(condition))
    if None in value if takes_many else value is None:
        raise FilterError(
            "values other than None, as rows in which the column is null are always dropped",
            repr(condition),
        )
    return name, op, value


def _literal(schema: pa.Schema, name: str, op: str, value: Any) -> Any:
    """Casts the value of a condition to the type of its column."""
    if schema.get_field_index(name) < 0:
        struct = name.partition(".")[0]
        if schema.get_field_index(struct) >= 0 and pa.types.is_struct(schema.field(struct).type):
            raise FilterError(
                "a whole column",
                f"{name!r}, which is within the struct {struct!r}",
                "make a column of the field",
                "filter the rows beforehand",
            )
        known = f"the columns are {', '.join(schema.names)}{hint(name, schema.names)}"
        raise FilterError("the name of a column", repr(name), known)
    data_type = schema.field(name).type
    if pa.types.is_dictionary(data_type):
        data_type = data_type.value_type
    many = op in ("in", "not in")
    try:
        values = pa.array([parsed_value(v, data_type) for v in (value if many else [value])])
        values = values.cast(data_type)
    except (pa.ArrowException, ArithmeticError, TypeError, ValueError) as error:
        expected = f"a value of column {name!r}, which is {data_type}"
        raise FilterError(expected, f"{value!r} ({error})") from error
    return values if many else values[0]
