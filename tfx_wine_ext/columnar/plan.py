"""Which features a table's columns become: decided from the schema alone, before any row is read.

`plan_features` gives every selected column its fate (``docs/arrow-types.md``) or refuses them all
at once, in one error that names each offending column and the remedy.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

import pyarrow as pa

from tfx_wine_ext.columnar.arrow_types import Kind, UnsupportedTypeError, bare, is_list, kind_of
from tfx_wine_ext.columnar.casts import cast_values
from tfx_wine_ext.columnar.wording import Argument, Message, Setting
from tfx_wine_ext.suggestions import hint

NULL_IN_LIST_POLICIES = ("error", "drop")
KEY_ORDERS = ("bytewise", "upb")


class UnsupportedColumnsError(ValueError):
    """Columns that cannot become features.

    Attributes:
        problems: one (name, reason) for each problem.
        columns: the names of the offending columns, each once: what ``exclude_columns`` takes.
    """

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        self.columns = names = tuple(dict.fromkeys(name for name, _ in problems))
        lines = "".join(f"\n  {name!r}: {reason}" for name, reason in problems)
        super().__init__(
            Message(
                f"{len(names)} column(s) cannot become features of tf.train.Example:{lines}\n"
                "Leave them out with ",
                Setting(Argument.EXCLUDE_COLUMNS, repr(names)),
                ", or name the columns to keep with ",
                Setting(Argument.COLUMNS, "(...)"),
                ".",
            )
        )

    def __reduce__(
        self,
    ) -> tuple[type[UnsupportedColumnsError], tuple[tuple[tuple[str, str], ...]]]:
        return UnsupportedColumnsError, (self.problems,)


class UnknownColumnsError(ValueError):
    """An option names columns that the table does not have."""


@dataclass(frozen=True)
class EncodeOptions:
    """How columns become features; every option can be written as JSON.

    A column inside a struct is named with dots, ``"address.city"``. Where a name is both a column
    and a path into a struct, both are meant.

    Attributes:
        columns: names of the columns (or fields of structs) to encode. Default: None, all.
        exclude_columns: names of columns (or fields) to leave out. Default: none.
        cast: feature name -> type to convert its values, or the elements of its lists, to before
            they are encoded. ``"int64"``, ``"float32"`` and ``"bytes"`` give a feature of that
            kind: of these, int64 refuses values that are not whole or do not fit, float32 rounds
            to nearest, and bytes writes numbers as text. Any other name is an Arrow type
            (``"timestamp[us]"``), converted to by Arrow's safe cast, and then has that type's
            fate. Default: no casts.
        null_in_list: what to do with a null inside a list: ``"error"`` or ``"drop"`` (the list
            becomes shorter). Default: error, since dropping moves the values behind it.
        allow_float_overflow: whether a finite double or decimal beyond the range of float32
            (3.4e38) may become an infinity. Default: False, an error that names the column.
        key_order: order of the features within a record, which decides the record's hash and so
            its split. ``"bytewise"`` is protobuf's in C++, Java, and Python before protobuf 4;
            ``"upb"`` is that of Python's protobuf 4 and later, which differs where one name begins
            with another (``ab`` comes before ``a``). Readers do not care. Default: bytewise, so
            that splits do not change with the version of protobuf.

    Raises:
        ValueError: an option has a value that it cannot have, or a string where a sequence of
            names is due.

    Example:
        >>> options = EncodeOptions(exclude_columns=("id",), cast={"zip": "bytes"})
        >>> EncodeOptions.from_json(options.to_json()) == options
        True
    """

    columns: tuple[str, ...] | None = None
    exclude_columns: tuple[str, ...] = ()
    cast: Mapping[str, str] = field(default_factory=dict)
    null_in_list: Literal["error", "drop"] = "error"
    allow_float_overflow: bool = False
    key_order: Literal["bytewise", "upb"] = "bytewise"

    def __post_init__(self) -> None:
        if self.columns is not None:
            object.__setattr__(self, "columns", _names("columns", self.columns))
        object.__setattr__(self, "exclude_columns", _names("exclude_columns", self.exclude_columns))
        if not isinstance(self.cast, Mapping) or not all(
            isinstance(text, str) for pair in self.cast.items() for text in pair
        ):
            raise ValueError(
                f"cast must map feature names to type names, both text; got {self.cast!r}"
            )
        object.__setattr__(self, "cast", dict(self.cast))
        if self.null_in_list not in NULL_IN_LIST_POLICIES:
            raise ValueError(
                f"null_in_list must be one of {NULL_IN_LIST_POLICIES}; got {self.null_in_list!r}"
            )
        if not isinstance(self.allow_float_overflow, bool):
            raise ValueError(
                f"allow_float_overflow must be True or False; got {self.allow_float_overflow!r}"
            )
        if self.key_order not in KEY_ORDERS:
            raise ValueError(f"key_order must be one of {KEY_ORDERS}; got {self.key_order!r}")

    def to_json(self) -> str:
        """Returns the options as JSON text, keys sorted, so that equal options give equal text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> EncodeOptions:
        """Returns the options that `to_json` wrote; options left out have their defaults.

        Raises:
            ValueError: the text is not a JSON object, has a key that is not an option, or an
                option has a value that it cannot have.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"encode options must be a JSON object; got {text!r}") from error
        known = {option.name for option in fields(cls)}
        if not isinstance(values, dict) or not values.keys() <= known:
            raise ValueError(
                f"encode options must be a JSON object with keys of {sorted(known)}; got {text!r}"
            )
        return cls(**values)


def _names(option: str, names: Any) -> tuple[str, ...]:
    if not isinstance(names, (tuple, list)) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{option} must be a sequence of column names; got {names!r}")
    return tuple(names)


@dataclass(frozen=True)
class Feature:
    """One feature of the examples, and where its values come from.

    Attributes:
        name: the feature's name: the column's, or ``struct.field``.
        path: the column's name, and the names of the fields inside it if it is a struct.
        arrow_type: type of the values as they are in the column, lists included.
        kind: the field of ``tf.train.Feature`` that the values go to.
        is_list: whether a row has a list of values instead of one.
        cast: the type that the values are converted to first (see `EncodeOptions`), or None.
    """

    name: str
    path: tuple[str, ...]
    arrow_type: pa.DataType
    kind: Kind
    is_list: bool
    cast: str | None = None


@dataclass(frozen=True)
class FeaturePlan:
    """The features that a table becomes; made by `plan_features`, picklable.

    Attributes:
        features: the features, in the order of ``options.key_order``: the order on the wire.
        options: the options that the plan was made with.
        column_types: type of each top-level column that is read, by name, in the schema's order.
    """

    features: tuple[Feature, ...]
    options: EncodeOptions
    column_types: Mapping[str, pa.DataType]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the top-level columns that must be read, in the schema's order."""
        return tuple(self.column_types)

    def feature(self, name: str) -> Feature:
        """Returns the feature of this name.

        Raises:
            KeyError: there is no such feature.
        """
        for feature in self.features:
            if feature.name == name:
                return feature
        raise KeyError(name)


def plan_features(schema: pa.Schema, options: EncodeOptions = EncodeOptions()) -> FeaturePlan:
    """Decides what each column of a table becomes.

    Args:
        schema: schema of the table.
        options: which columns, and how.

    Returns:
        The plan that `encode_examples` follows.

    Raises:
        UnsupportedColumnsError: columns of types that have no form as a feature, or that the
            ``cast`` asked for cannot convert, or two columns of one feature name. All of them are
            named in the one error.
        UnknownColumnsError: ``columns``, ``exclude_columns`` or ``cast`` names a column that is not
            there (or, for ``cast``, is not selected or is a whole struct).

    Example:
        >>> plan = plan_features(pa.schema({"b": pa.list_(pa.string()), "a": pa.float64()}))
        >>> [(feature.name, feature.kind) for feature in plan.features]
        [('a', 'float_list'), ('b', 'bytes_list')]
    """
    found = [leaf for column in schema for leaf in leaves(column.type, (column.name,))]
    _check_known(Argument.COLUMNS, options.columns or (), schema, found)
    _check_known(Argument.EXCLUDE_COLUMNS, options.exclude_columns, schema, found)
    columns = None if options.columns is None else frozenset(options.columns)
    excluded = frozenset(options.exclude_columns)
    chosen = [
        (path, type_) for path, type_ in found if _is_chosen(_names_of(path), columns, excluded)
    ]
    names = Counter(".".join(path) for path, _ in chosen)
    unknown = tuple(name for name in options.cast if name not in names)
    if unknown:
        raise UnknownColumnsError(
            Message(
                Argument.CAST,
                f" names {unknown!r}, but the features are {tuple(names)!r}: a cast takes the name "
                "of a selected column, or of a field inside a struct as 'struct.field'"
                + hint(unknown, names),
            )
        )
    problems: list[tuple[str, str]] = []
    features: list[Feature] = []
    clashing: dict[str, list[tuple[str, ...]]] = {}
    for path, _ in chosen:
        if names[".".join(path)] > 1:
            clashing.setdefault(".".join(path), []).append(path)
    problems += [(name, _clash(paths)) for name, paths in clashing.items()]
    for path, type_ in chosen:
        name = ".".join(path)
        try:
            features.append(_feature(name, path, type_, options.cast.get(name)))
        except UnsupportedTypeError as error:
            problems.append((name, str(error)))
    if problems:
        raise UnsupportedColumnsError(problems)
    # upb takes the end of a name for something that comes after every byte.
    end = (256,) if options.key_order == "upb" else ()
    features.sort(key=lambda feature: (*feature.name.encode(), *end))
    read = {path[0] for path, _ in chosen}
    return FeaturePlan(
        features=tuple(features),
        options=options,
        column_types={column.name: column.type for column in schema if column.name in read},
    )


def leaves(
    type_: pa.DataType, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], pa.DataType]]:
    """Yields what a column is flattened to: itself, or the fields of a struct, at any depth.

    Args:
        type_: Its type.
        path: Its name, and those around it.

    Example:
        >>> [".".join(path) for path, _ in leaves(pa.struct([("b", "i8"), ("c", "i8")]), ("a",))]
        ['a.b', 'a.c']
    """
    inner = bare(type_)
    if pa.types.is_struct(inner):
        for index in range(inner.num_fields):
            child = inner[index]
            yield from leaves(child.type, (*path, child.name))
    else:
        yield path, type_


def _names_of(path: tuple[str, ...]) -> set[str]:
    """The names that mean a leaf: its own, and those of the structs around it."""
    return {".".join(path[: depth + 1]) for depth in range(len(path))}


def _is_chosen(names: set[str], columns: frozenset[str] | None, excluded: frozenset[str]) -> bool:
    """Whether a leaf is chosen; by its few names, not by the many that may have been given."""
    return (columns is None or any(name in columns for name in names)) and not any(
        name in excluded for name in names
    )


def _check_known(
    option: Argument,
    names: Sequence[str],
    schema: pa.Schema,
    found: Sequence[tuple[tuple[str, ...], pa.DataType]],
) -> None:
    known = set(schema.names).union(*(_names_of(path) for path, _ in found))
    unknown = tuple(name for name in names if name not in known)
    if unknown:
        raise UnknownColumnsError(
            Message(
                option,
                f" names {unknown!r}, but the table's columns are {tuple(schema.names)!r}"
                + hint(unknown, sorted(known)),
            )
        )


def _clash(paths: Sequence[tuple[str, ...]]) -> str:
    sources = [
        f"column {path[0]!r}"
        if len(path) == 1
        else f"field {'.'.join(path[1:])!r} of column {path[0]!r}"
        for path in paths
    ]
    return f"{len(paths)} columns would give a feature of this name: " + ", ".join(sources)


def _feature(name: str, path: tuple[str, ...], type_: pa.DataType, cast: str | None) -> Feature:
    values = bare(type_)
    is_list_column = is_list(values)
    if is_list_column:
        values = bare(values.value_type)
    remedy = ""
    try:
        kind = kind_of(values)
        if cast is not None:
            remedy = f"cannot cast {type_} to {cast!r}: "
            kind = kind_of(cast_values(pa.array([], values), cast).type)
    except (pa.ArrowException, ValueError, UnsupportedTypeError) as error:
        raise UnsupportedTypeError(f"{type_}: {remedy}{error}") from error
    return Feature(name, path, type_, kind, is_list_column, cast)
