"""The inputs of a model, and the same raw values as inputs of another model."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.warm_start.inputs import (
    Affine,
    Buckets,
    Coded,
    FeatureTransform,
    InputSpec,
    Unknown,
    Vocabulary,
    is_one_hot,
    width,
    with_places,
)
from tfx_wine_ext.warm_start.keras_internals import has_graph, input_name
from tfx_wine_ext.warm_start.rows import CodeMap, Side

Arrays = Mapping[str, npt.NDArray[Any]]

# Transform and values, one-hot as codes, by feature and the number of its earlier columns.
_Columns = dict[tuple[str, int], tuple[FeatureTransform, npt.NDArray[Any]]]

# Values of a z-score; with heavy tails, a few rows in a thousand are ten deviations away.
STEPS = (0.0, -3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0, -10.0, 10.0)
"""Values of a z-score that a probe has."""

UNKNOWN_TEXTS = tuple(f"unknowntext{number}" for number in range(8))
"""Texts that no vocabulary has."""

_UNKNOWN_SIZE = 8  # For an axis of any length.


class Input(NamedTuple):
    """An input of a model.

    Attributes:
        name: Name of the input.
        shape: Shape of one row; axes of any length have a chosen length.
        dtype: ``"string"``, or numpy's name of the type.
        columns: The transforms of its columns in order, each with the number of earlier columns of
            the same feature. A transform shared by all columns occurs once.
        times: The number of columns of each transform.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    columns: tuple[tuple[FeatureTransform, int], ...]
    times: int

    @property
    def is_whole(self) -> bool:
        """Whether its values are integers."""
        return self.dtype.startswith(("int", "uint"))

    def packed(self, cells: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Packs values `[rows, times]` of each of `columns` into the array that the model takes.

        Codes out of range become one-hot vectors of zeros.
        """
        parts = [
            values[:, :1] == np.arange(width(transform)) if is_one_hot(transform) else values
            for (transform, _), values in zip(self.columns, cells)
        ]
        types = {"string": np.str_, "bfloat16": np.float32}
        joined: npt.NDArray[Any] = np.concatenate(parts, axis=1)
        return joined.astype(types.get(self.dtype, self.dtype)).reshape(len(joined), *self.shape)


def inputs_of(model: Any, spec: InputSpec) -> list[Input]:
    """Returns the inputs of a model in order; without a graph, those of the specification."""
    signature: list[tuple[str, tuple[Any, ...], str]]
    if has_graph(model):
        signature = [(input_name(x), tuple(x.shape[1:]), str(x.dtype)) for x in model.inputs]
    else:
        signature = []
        for name, columns in spec.inputs.items():
            are_codes = all(isinstance(x, Coded) and not x.one_hot for x in columns)
            dtype = "int64" if are_codes else "float32"
            signature.append((name, (sum(map(width, columns)),), dtype))
    given = spec.of_inputs([name for name, _, _ in signature])
    return [_input(name, shape, dtype, given.get(name)) for name, shape, dtype in signature]


def _input(
    name: str, shape: tuple[Any, ...], dtype: str, given: tuple[FeatureTransform, ...] | None
) -> Input:
    sized = tuple(_UNKNOWN_SIZE if size is None else int(size) for size in shape)
    transforms = given or (Unknown(name),)
    if len(transforms) == 1 and not is_one_hot(transforms[0]):
        return Input(name, sized, dtype, ((transforms[0], 0),), int(np.prod(sized, dtype=np.int64)))
    return Input(name, sized, dtype, with_places(transforms), 1)


def translated(
    probed: Arrays, base_spec: InputSpec, base: Side, inputs: list[Input], new: Side
) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[Any]]:
    """Translates a base's inputs `probed` to the new model's, for the same raw values.

    Returns:
        The new model's inputs by name, and for each row whether it means the same.
    """
    rows = len(next(iter(probed.values())))
    usable = np.ones(rows, bool)
    columns = _base_columns(probed, base_spec)
    used: set[tuple[str, int]] = set()
    values = {}
    for model_input in inputs:
        cells = []
        for transform, place in model_input.columns:
            key = (transform.feature, place)
            used.add(key)
            if key in columns:
                old, column = columns[key]
                cell, means_the_same = _translate(old, transform, column)
                usable &= means_the_same.all(axis=1)
            else:
                cell = _any_values(transform, (rows, model_input.times), model_input.dtype)
            if cell.shape[1] != model_input.times:
                raise ValueError(f"input {model_input.name!r} had {cell.shape[1]} columns")
            cells.append(cell)
        if model_input.is_whole:
            usable &= np.all([(np.abs(x - np.round(x)) < 1e-6).all(axis=1) for x in cells], axis=0)
            cells = [np.round(x) for x in cells]
        values[model_input.name] = model_input.packed(cells)
    for key, (old, column) in columns.items():
        if key not in used:
            usable &= _is_replacement(old, column).all(axis=1)
    return values, usable & _tell_apart(columns, base, new)


def _base_columns(probed: Arrays, spec: InputSpec) -> _Columns:
    base_columns: _Columns = {}
    given = spec.of_inputs(list(probed))
    for name, array in probed.items():
        flat = array.reshape(len(array), -1)
        start = 0
        model_input = _input(name, tuple(array.shape[1:]), "", given.get(name))
        for transform, place in model_input.columns:
            end = start + (width(transform) if is_one_hot(transform) else model_input.times)
            part = flat[:, start:end]
            if is_one_hot(transform):
                part = np.where(part.any(axis=1), part.argmax(axis=1), -1)[:, None]
            base_columns[transform.feature, place] = (transform, part)
            start = end
    return base_columns


def _translate(
    old: FeatureTransform, now: FeatureTransform, values: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Returns the new column's values for the same raw values, and where they exist."""
    everywhere = np.ones(values.shape, bool)
    if isinstance(old, Affine) and isinstance(now, Affine):
        if (old.center, old.scale) == (now.center, now.scale):
            return values, everywhere
        if not old.scale:
            return _any_values(now, values.shape, "float64"), everywhere
        raw = np.asarray(values, np.float64) * old.scale + old.center
        if not now.scale:
            return np.zeros(values.shape), np.isclose(raw, now.center, rtol=1e-9, atol=0)
        return (raw - now.center) / now.scale, everywhere
    if isinstance(old, Coded) and isinstance(now, Coded):
        return _recoded(old, now, values.astype(np.int64))
    return values, everywhere & (type(old) is type(now))


def _recoded(
    old: FeatureTransform, now: FeatureTransform, codes: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    if dataclasses.replace(old, feature="") == dataclasses.replace(now, feature=""):
        return codes, np.ones(codes.shape, bool)
    # An old code may correspond to several new ones, which rows use in turn.
    targets: dict[int, list[int]] = collections.defaultdict(list)
    for new_code, old_code in _counterparts(old, now):
        targets[old_code].append(new_code)
    recoded, exists = np.zeros(codes.shape, np.int64), np.zeros(codes.shape, bool)
    for code, choices in targets.items():
        rows, columns = np.nonzero(codes == code)
        # The same new code in all columns of a row: a multi-hot vector would count two codes twice.
        recoded[rows, columns] = np.array(choices)[rows % len(choices)]
        exists[rows, columns] = True
    return recoded, exists


def _counterparts(old: FeatureTransform, now: FeatureTransform) -> Iterator[tuple[int, int]]:
    """Yields each new code with the single old code that all its raw values had, if any."""
    if isinstance(old, Buckets) and isinstance(now, Buckets):
        edges = [-np.inf, *now.boundaries, np.inf]
        old_edges = [-np.inf, *old.boundaries, np.inf]
        for code, (low, high) in enumerate(zip(edges, edges[1:])):
            was = int(np.searchsorted(old.boundaries, low, side="right"))
            if old_edges[was] <= low and high <= old_edges[was + 1]:
                yield code, was
        return
    if not isinstance(old, Vocabulary) or not isinstance(now, Vocabulary):
        return
    codes = CodeMap(old, is_table=False)
    for code in range(now.size):
        sources, _ = codes.find(now, code)
        if len(sources) == 1:
            yield code, sources[0]
        elif not sources and old.drops_unknown and code >= now.reserved:
            yield code, -1
    if now.one_hot and now.drops_unknown and old.drops_unknown:
        yield -1, -1


def _any_values(
    transform: FeatureTransform, shape: tuple[int, ...], dtype: str
) -> npt.NDArray[Any]:
    """Returns values of a column that the base does not have."""
    random = np.random.default_rng(2)
    if isinstance(transform, Coded):
        return random.integers(0, transform.size, shape)
    if dtype == "string":
        return random.choice(UNKNOWN_TEXTS, shape)
    if isinstance(transform, Affine) and not transform.scale:
        return np.zeros(shape)
    whole = dtype.startswith(("int", "uint", "bool"))
    return random.integers(0, 2, shape) if whole else random.choice(STEPS, shape)


def _is_replacement(old: FeatureTransform, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns where a removed feature has the value that replaces it."""
    if not isinstance(old, Affine) or (old.scale and old.mean is None):
        return np.zeros(values.shape, bool)
    if not old.scale:
        return np.ones(values.shape, bool)
    return np.isclose(np.asarray(values, np.float64), old.at_mean, rtol=1e-6, atol=1e-6)


def _tell_apart(columns: _Columns, base: Side, new: Side) -> npt.NDArray[Any]:
    """Returns in which rows the new model's own vocabularies tell texts apart as the base's did."""
    usable = np.array(True)
    for layer, features in base.architecture.made.items():
        facts = base.architecture.layers.get(layer)
        for name, old in features.items():
            now = new.features.get(name)
            if not isinstance(old, Vocabulary) or not isinstance(now, Vocabulary) or facts is None:
                continue
            tokens, old_tokens = set(now.tokens), set(old.tokens)
            # Tokens unknown to both fall into buckets, which must be subsets of the old ones.
            same_buckets = not old.oov_buckets or now.oov_buckets % old.oov_buckets == 0
            for (feature, _), (_, column) in columns.items():
                if feature in facts.features:
                    rows = column.astype(np.str_).tolist()
                    if facts.kind == "TextVectorization":
                        rows = [[word for text in row for word in text.split()] for row in rows]
                    usable = usable & [
                        all(x in tokens or (same_buckets and x not in old_tokens) for x in row)
                        for row in rows
                    ]
    return usable
