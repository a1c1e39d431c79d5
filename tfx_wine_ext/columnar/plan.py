"""Plans the features of a table from its schema, before any row is read.

`plan_features` converts every selected column as in ``docs/arrow-types.md``, or raises one error
that names every offending column and the remedy.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

import pyarrow as pa

from tfx_wine_ext.columnar.arrow_types import (
    MAP_FIELDS,
    Kind,
    UnsupportedTypeError,
    bare,
    is_list,
    kind_of,
)
from tfx_wine_ext.columnar.casts import cast_values
from tfx_wine_ext.errors import Option, Remedy, TfxWineExtError
from tfx_wine_ext.suggestions import hint

NESTED_POLICIES = ("error", "ragged")
NULL_IN_LIST_POLICIES = ("error", "drop")
KEY_ORDERS = ("bytewise", "upb")


class UnsupportedColumnsError(TfxWineExtError, ValueError):
    """Columns that cannot become features.

    Attributes:
        problems: a (name, reason) for each problem.
        columns: the names of the offending columns, without repetition, for ``exclude_columns``.

    Args:
        problems: as above.
        ragged: whether ``nested="ragged"`` would solve all of them.
    """

    def __init__(self, problems: Sequence[tuple[str, str]], *, ragged: bool = False) -> None:
        self.problems = tuple(problems)
        self.columns = names = tuple(dict.fromkeys(name for name, _ in problems))
        super().__init__(
            f"{len(names)} that cannot:"
            + ";".join(f"\n  {name!r}: {reason}" for name, reason in problems),
            (
                Remedy(Option.EXCLUDE_COLUMNS, names),
                Remedy(Option.COLUMNS),
                *([Remedy(Option.NESTED, "ragged")] if ragged else []),
            ),
            expected="columns that can become features of tf.train.Example",
        )


class UnknownColumnsError(TfxWineExtError, ValueError):
    """An option names columns that the table does not have, or that do not suit it."""


@dataclass(frozen=True)
class EncodeOptions:
    """How columns become features; every option can be written as JSON.

    A column inside a struct is named with dots, ``"address.city"``. A name that is both a column
    and a path into a struct refers to both.

    Attributes:
        columns: names of the columns (or fields of structs) to encode. Default: None, all.
        exclude_columns: names of columns (or fields) to exclude. Default: none.
        cast: type by feature name, to which values or list elements are converted before they are
            encoded. ``"int64"``, ``"float32"`` and ``"bytes"`` give a feature of that kind: int64
            refuses values that are not integers or do not fit, float32 rounds to nearest, and
            bytes writes numbers as text. Any other name is an Arrow type (``"timestamp[us]"``): an
            Arrow safe cast, followed by the conversion of that type. Default: no casts.
        nested: what to do with lists of lists, lists of structs, and maps: ``"error"``, or
            ``"ragged"`` (one feature for the values of each field, and one for the row lengths of
            each inner list; see docs/how-to/nested.md). Default: error, since nothing in an example
            says which features belong together.
        null_in_list: what to do with a null inside a list: ``"error"`` or ``"drop"`` (the list
            becomes shorter). Default: error, since dropping shifts the following values. A null
            in a field of a struct inside a list is always an error: without it, the field's values
            would shift against those of the other fields.
        allow_float_overflow: whether a finite double or decimal beyond the range of float32
            (3.4e38) may become an infinity. Default: False, an error that names the column.
        key_order: order of the features within a record, which determines the record's hash and so
            its split. ``"bytewise"`` is the order of protobuf in C++, Java, and Python before
            protobuf 4; ``"upb"`` is the order of protobuf 4 and later in Python, which differs if
            one name is a prefix of another (``ab`` comes before ``a``). Readers ignore the order.
            Default: bytewise, so that splits do not depend on the version of protobuf.

    Raises:
        ValueError: an option has an invalid value, or a string instead of a sequence of names.

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
    nested: Literal["error", "ragged"] = "error"

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
        if self.nested not in NESTED_POLICIES:
            raise ValueError(f"nested must be one of {NESTED_POLICIES}; got {self.nested!r}")

    def to_json(self) -> str:
        """Returns the options as JSON text with sorted keys: equal options give equal text."""
        values = asdict(self)
        if self.nested == "error":
            # Omitted by default: the text is part of the cache key, and releases without this
            # option have cached results.
            del values["nested"]
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> EncodeOptions:
        """Returns the options that `to_json` wrote; missing options have their defaults.

        Raises:
            ValueError: the text is not a JSON object, has an unknown key, or an option has an
                invalid value.
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
        path: the column's name, and the names of the fields inside it if it is a struct (or, of a
            nested column, a list of structs or a map).
        arrow_type: type of the values in the column, including lists; of a nested column, without.
        kind: the field of ``tf.train.Feature`` that holds the values.
        is_list: whether a row has a list of values instead of one.
        cast: the type to which the values are first converted (see `EncodeOptions`), or None.
        partitions: for the values of a nested column, the names of the features with the row
            lengths by which they are cut into inner lists, outermost first; None for all others.
        level: for a feature with row lengths, the depth of the lists that have them: 1 for the
            lists inside the outermost one, 2 for those inside these; None for all others.
    """

    name: str
    path: tuple[str, ...]
    arrow_type: pa.DataType
    kind: Kind
    is_list: bool
    cast: str | None = None
    partitions: tuple[str, ...] | None = None
    level: int | None = None


@dataclass(frozen=True)
class _Leaf:
    """A column, or a field inside it, that may become a feature.

    Attributes:
        path: as in `Feature`.
        type: type of the values in it; of a nested column, without lists.
        lists: the paths of the lists around the values, outermost first; empty if not nested.
    """

    path: tuple[str, ...]
    type: pa.DataType
    lists: tuple[tuple[str, ...], ...] = ()

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def lengths(self) -> Mapping[str, tuple[tuple[str, ...], int]]:
        """The path and level of each inner list, by the name of the feature of its lengths."""
        return {
            row_lengths_name(".".join(path), level): (path, level)
            for level, path in enumerate(self.lists)
            if level
        }


@dataclass(frozen=True)
class FeaturePlan:
    """The features of a table; made by `plan_features`, picklable.

    Attributes:
        features: the features in the order of ``options.key_order``, which is the order on the
            wire.
        options: the options of the plan.
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
    """Plans the features of a table.

    Args:
        schema: schema of the table.
        options: which columns to convert, and how.

    Returns:
        The plan for `encode_examples`.

    Raises:
        UnsupportedColumnsError: columns cannot be represented as features, cannot be converted by
            their ``cast``, or have the same feature name. The error names all of them.
        UnknownColumnsError: ``columns``, ``exclude_columns`` or ``cast`` names a column that does
            not exist (or, for ``cast``, that is not selected or is a whole struct).

    Example:
        >>> plan = plan_features(pa.schema({"b": pa.list_(pa.string()), "a": pa.float64()}))
        >>> [(feature.name, feature.kind) for feature in plan.features]
        [('a', 'float_list'), ('b', 'bytes_list')]
    """
    fields = [leaf for column in schema for leaf in _leaves(column, options.nested == "ragged")]
    _check_known(Option.COLUMNS, options.columns or (), schema, fields)
    _check_known(Option.EXCLUDE_COLUMNS, options.exclude_columns, schema, fields)
    columns = None if options.columns is None else frozenset(options.columns)
    excluded = frozenset(options.exclude_columns)
    chosen = [leaf for leaf in fields if _is_chosen(_names_of(leaf.path), columns, excluded)]
    # A dict: lists of structs with several fields have their lengths in common.
    lengths = {each: name for leaf in chosen for name, each in leaf.lengths.items()}
    names = Counter(leaf.name for leaf in chosen)
    unknown = tuple(name for name in options.cast if name not in names)
    if unknown:
        raise UnknownColumnsError(
            repr(unknown),
            f"the features are {tuple(names)!r}{hint(unknown, names)}",
            argument=Option.CAST,
            expected="names of selected columns, or of fields inside structs as 'struct.field'",
        )
    problems: list[tuple[str, str]] = []
    features = [
        Feature(name, path, pa.int64(), "int64_list", True, level=level)
        for (path, level), name in lengths.items()
    ]
    names += Counter(lengths.values())
    clashing: dict[str, list[str]] = {}
    for leaf in chosen:
        if names[leaf.name] > 1:
            clashing.setdefault(leaf.name, []).append(_described(leaf.path))
    for (path, level), name in lengths.items():
        if names[name] > 1:
            clashing.setdefault(name, []).append(
                f"the row lengths (level {level}) of {_described(path)}"
            )
    problems += [(name, _clash(sources)) for name, sources in clashing.items()]
    for leaf in chosen:
        try:
            features.append(_feature(leaf, options.cast.get(leaf.name)))
        except UnsupportedTypeError as error:
            problems.append((leaf.name, str(error)))
    if problems:
        raise UnsupportedColumnsError(problems, ragged=_would_be_ragged(schema, options))
    # In upb's order, the end of a name comes after every byte.
    end = (256,) if options.key_order == "upb" else ()
    features.sort(key=lambda feature: (*feature.name.encode(), *end))
    read = {leaf.path[0] for leaf in chosen}
    return FeaturePlan(
        features=tuple(features),
        options=options,
        column_types={column.name: column.type for column in schema if column.name in read},
    )


def leaves(
    type_: pa.DataType, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], pa.DataType]]:
    """Yields the leaves of a column: itself, or the fields of a struct at any depth.

    Args:
        type_: Its type.
        path: The names of the enclosing structs and its own.

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


def row_lengths_name(name: str, level: int) -> str:
    """Returns the name of the feature with the row lengths of lists; TFX Transform names them so.

    Example:
        >>> row_lengths_name("basket.items", 1)
        'basket.items$row_lengths_1'
    """
    return f"{name}$row_lengths_{level}"


def _leaves(column: pa.Field, ragged: bool) -> Iterator[_Leaf]:
    for path, type_ in leaves(column.type, (column.name,)):
        if ragged and _is_nested(type_):
            yield from _nested_leaves(type_, path, ())
        else:
            yield _Leaf(path, type_)


def _is_nested(type_: pa.DataType) -> bool:
    """Whether a type is a map, or a list of lists, structs or maps."""
    inner = bare(type_)
    if not is_list(inner):
        return bool(pa.types.is_map(inner))
    values = bare(inner.value_type)
    return is_list(values) or pa.types.is_struct(values) or pa.types.is_map(values)


def _nested_leaves(
    type_: pa.DataType, path: tuple[str, ...], lists: tuple[tuple[str, ...], ...]
) -> Iterator[_Leaf]:
    inner = bare(type_)
    if pa.types.is_struct(inner) and inner.num_fields:
        for index in range(inner.num_fields):
            child = inner[index]
            yield from _nested_leaves(child.type, (*path, child.name), lists)
    elif pa.types.is_map(inner):
        for name, child in zip(MAP_FIELDS, (inner.key_type, inner.item_type)):
            yield from _nested_leaves(child, (*path, name), (*lists, path))
    elif is_list(inner):
        yield from _nested_leaves(inner.value_type, path, (*lists, path))
    else:
        yield _Leaf(path, type_, lists)


def _would_be_ragged(schema: pa.Schema, options: EncodeOptions) -> bool:
    """Whether only the default of ``nested`` is the problem."""
    if options.nested == "ragged":
        return False
    try:
        plan_features(schema, replace(options, nested="ragged"))
    except (UnsupportedColumnsError, UnknownColumnsError):
        return False
    return True


def _names_of(path: tuple[str, ...]) -> set[str]:
    """Returns the names that select a leaf: its own, and those of the enclosing structs."""
    return {".".join(path[: depth + 1]) for depth in range(len(path))}


def _is_chosen(names: set[str], columns: frozenset[str] | None, excluded: frozenset[str]) -> bool:
    """Returns whether a leaf is selected; loops over its few names, not the many given ones."""
    return (columns is None or any(name in columns for name in names)) and not any(
        name in excluded for name in names
    )


def _check_known(
    option: Option,
    names: Sequence[str],
    schema: pa.Schema,
    found: Sequence[_Leaf],
) -> None:
    known = set(schema.names).union(*(_names_of(leaf.path) for leaf in found))
    unknown = tuple(name for name in names if name not in known)
    if unknown:
        raise UnknownColumnsError(
            repr(unknown),
            f"the columns are {tuple(schema.names)!r}{hint(unknown, sorted(known))}",
            argument=option,
            expected="names of the table's columns",
        )


def _clash(sources: Sequence[str]) -> str:
    return f"{len(sources)} columns would give a feature of this name: " + ", ".join(sources)


def _described(path: tuple[str, ...]) -> str:
    if len(path) == 1:
        return f"column {path[0]!r}"
    return f"field {'.'.join(path[1:])!r} of column {path[0]!r}"


def _feature(leaf: _Leaf, cast: str | None) -> Feature:
    type_ = leaf.type
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
    if leaf.lists:
        return Feature(leaf.name, leaf.path, type_, kind, True, cast, tuple(leaf.lengths))
    return Feature(leaf.name, leaf.path, type_, kind, is_list_column, cast)
