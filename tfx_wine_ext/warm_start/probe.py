"""Verifies that two models are the same function, by running both on equivalent inputs.

A model's function depends on more than its weights: statistics and vocabularies of layers,
constants, attributes of custom layers. The base is run when it is saved, on inputs generated from
its specification. The new model is run after the transfer, on its columns for the same raw values.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.warm_start.architecture import Architecture, parts_of
from tfx_wine_ext.warm_start.checkpoint import Checkpoint, Probe
from tfx_wine_ext.warm_start.inputs import (
    Affine,
    Buckets,
    Coded,
    FeatureTransform,
    InputSpec,
    Unknown,
    Vocabulary,
    width,
)
from tfx_wine_ext.warm_start.rows import CodeMap, Side

ROWS = 256
"""Rows of a probe, for models of up to some thousand columns."""

_LARGEST = 2**20  # Numbers in the inputs, and in the outputs: 4 MB of float32 each.
_LEAST_ROWS = 8
_BATCH = 64
_UNKNOWN_SIZE = 8  # For an axis of any length.
_UNKNOWN_TEXTS = tuple(f"unknowntext{number}" for number in range(8))
# Values of a z-score; with heavy tails, a few rows in a thousand are ten deviations away.
_STEPS = (0.0, -3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0, -10.0, 10.0)
_PRECISION = 1e-5  # For float32: a hundred roundings to seven digits.
_RAW_STEPS = (*_STEPS, -100.0, 100.0, 1000.0)


Predict = Callable[[Mapping[str, npt.NDArray[Any]]], Any]
_Run = Callable[[Mapping[str, npt.NDArray[Any]]], "list[npt.NDArray[Any]]"]


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


@dataclasses.dataclass(frozen=True)
class Verification:
    """Whether a model was found to be the same function as its base.

    Attributes:
        verified: Both were run, and predicted the same.
        sentence: The result of the comparison, or why there was none.
        differs: Both were run, and did not predict the same.
    """

    verified: bool
    sentence: str
    differs: bool = False


# --- the inputs of a model -----------------------------------------------------------------------


def inputs_of(model: Any, spec: InputSpec) -> list[Input]:
    """Returns the inputs of a model in order; without `model.inputs`, those of the specification.

    Args:
        model: A built Keras model.
        spec: The transforms of its inputs.
    """
    signature: list[tuple[str, tuple[Any, ...], str]]
    if getattr(model, "inputs", None):
        signature = [
            (tensor._keras_history.operation.name, tuple(tensor.shape[1:]), str(tensor.dtype))
            for tensor in model.inputs
        ]
    else:
        signature = [
            (name, (sum(map(width, columns)),), _likely_type(columns))
            for name, columns in spec.inputs.items()
        ]
    given = dict(spec.inputs)
    if len(signature) == len(given) == 1:
        given = {signature[0][0]: next(iter(given.values()))}
    return [_input(name, shape, dtype, given.get(name)) for name, shape, dtype in signature]


def _likely_type(columns: Iterable[FeatureTransform]) -> str:
    whole = all(isinstance(x, Coded) and not x.one_hot for x in columns)
    return "int64" if whole else "float32"


def _input(
    name: str,
    shape: tuple[Any, ...],
    dtype: str,
    given: tuple[FeatureTransform, ...] | None,
) -> Input:
    sized = tuple(_UNKNOWN_SIZE if size is None else int(size) for size in shape)
    total = int(np.prod(sized, dtype=np.int64))
    transforms = given or (Unknown(name),)
    if len(transforms) == 1 and width(transforms[0]) == 1 and not _is_one_hot(transforms[0]):
        return Input(name, sized, dtype, ((transforms[0], 0),), total)
    counts: dict[str, int] = {}
    columns = []
    for transform in transforms:
        place = counts.get(transform.feature, 0)
        counts[transform.feature] = place + 1
        columns.append((transform, place))
    return Input(name, sized, dtype, tuple(columns), 1)


def _is_one_hot(transform: FeatureTransform) -> bool:
    return isinstance(transform, Coded) and transform.one_hot


# --- making a probe ------------------------------------------------------------------------------


def make_probe(model: Any, spec: InputSpec) -> tuple[Probe | None, str]:
    """Runs a model on inputs that cover the possible values of its columns.

    A column's values are its bounds, steps around its mean, its tokens (a sample of a long
    vocabulary), buckets of unknown tokens, and NaN for numbers. Each column is varied alone, with
    the others at their mean or first token, then all columns at random. The inputs are
    deterministic for a model and its specification. The model's state is not changed.

    Args:
        model: A built Keras model.
        spec: The transforms of its inputs.

    Returns:
        The probe and an empty string, or None and the reason why the model cannot be run.
    """
    try:
        inputs = inputs_of(model, spec)
        return _probe(inputs, _Pools(parts_of(model)), lambda x: run(model, inputs, x)), ""
    except Exception as error:  # A model may raise anything for unexpected inputs.
        return None, f"the model could not be run on generated inputs: {error!r:.300}"


def probe_of(predict: Predict, spec: InputSpec) -> Probe:
    """Makes the `Checkpoint.probe` of a model that is not a Keras model; see `checkpoint_of`.

    Args:
        predict: Takes arrays by the name of the input, `[rows, columns]` float32 (int64 if all
            columns are codes), and returns an array `[rows, ...]`.
        spec: The transforms of the inputs.

    Example:
        >>> spec = InputSpec({"x": [Affine.z_score("pH", 3.1, 0.2)]})
        >>> probe = probe_of(lambda inputs: 2 * inputs["x"], spec)
        >>> probe.inputs["x"].shape, len(probe.outputs)
        ((256, 1), 1)
    """
    return _probe(inputs_of(None, spec), _Pools([]), lambda x: [np.asarray(predict(x))])


def _probe(inputs: list[Input], pools: _Pools, predict: _Run) -> Probe:
    total = sum(len(model_input.columns) * model_input.times for model_input in inputs)
    rows = max(_LEAST_ROWS, min(ROWS, _LARGEST // max(total, 1)))
    values = _values(inputs, rows, pools)
    outputs = predict(values)
    size = sum(int(np.prod(x.shape[1:], dtype=np.int64)) for x in outputs)
    kept = max(_LEAST_ROWS, min(rows, _LARGEST // max(size, 1)))
    return Probe({name: x[:kept] for name, x in values.items()}, tuple(x[:kept] for x in outputs))


class _Pools:
    """Probe values for columns whose values the specification does not define."""

    def __init__(self, parts: Iterable[Any]) -> None:
        self.texts: list[str] = []
        self.numbers: list[float] = list(_RAW_STEPS)
        self.whole: list[int] = []
        sizes = []
        sentences = closed = False
        for part in parts:
            kind = type(part).__name__
            if kind == "Embedding":
                sizes.append(int(part.input_dim))
            elif kind == "CategoryEncoding" and part.num_tokens:
                sizes.append(int(part.num_tokens))
            elif kind == "TextVectorization":
                sentences = True
                self.texts += [str(token) for token in part.get_vocabulary()[2:]]
            elif kind == "StringLookup":
                closed |= not part.num_oov_indices
                self.texts += part.get_vocabulary(include_special_tokens=False)
            elif kind == "IntegerLookup":
                self.whole += [int(x) for x in part.get_vocabulary(include_special_tokens=False)]
                self.whole += [] if not part.num_oov_indices else [10**6 + i for i in range(4)]
            elif kind == "Normalization" and part.mean is not None:
                import keras

                mean = np.ravel(keras.ops.convert_to_numpy(part.mean))[:20]
                deviation = np.sqrt(np.ravel(keras.ops.convert_to_numpy(part.variance)))[:20]
                steps = np.outer(_STEPS, deviation) + mean
                self.numbers += [float(x) for x in np.ravel(steps)]
            elif kind == "Discretization" and part.bin_boundaries is not None:
                edges = [float(x) for x in np.ravel(part.bin_boundaries)][:50]
                self.numbers += [y for x in edges for y in (x, x - 1e-3, x + 1e-3)]
        self.texts = _some([str(text) for text in self.texts], 200)
        known = list(self.texts)
        if not closed or not known:
            self.texts += [*_UNKNOWN_TEXTS, ""]
        if sentences:
            pairs = zip(known, reversed(known))
            self.texts += [f"{first} {second} {_UNKNOWN_TEXTS[0]}" for first, second in pairs]
        if not self.whole:
            self.whole = list(range(min(sizes, default=4)))[:200]

    def of(self, transform: FeatureTransform, dtype: str) -> list[Any]:
        """Returns the values of a column; the first is its value while other columns vary."""
        if isinstance(transform, Coded):
            first, none = 0, []
            if isinstance(transform, Vocabulary):
                first = transform.first_token if transform.tokens else 0
                # A code of -1 cannot be looked up, but a one-hot vector of zeros is possible.
                if transform.one_hot and transform.default < 0 and not transform.oov_buckets:
                    none = [-1]
            codes = [code for code in _some(range(transform.size), 200) if code != first]
            return [first, *codes, *none]
        if dtype == "string":
            return list(self.texts)
        if isinstance(transform, Affine):
            if not transform.scale:
                return [0]
            mean = transform.mean
            rest = 0.0 if mean is None else (mean - transform.center) / transform.scale
            is_raw = transform.center == 0 and transform.scale == 1
            values = [rest, *((x - transform.center) / transform.scale for x in self.numbers)]
            values = [rest, *self.numbers] if is_raw else [rest, *_STEPS]
        else:
            values = list(self.numbers)
        if dtype == "bool":
            return [0, 1]
        if dtype.startswith(("int", "uint")):
            whole = isinstance(transform, Affine)
            return [round(x) for x in values] if whole else list(self.whole)
        return [*values, float("nan")]


def _some(values: Sequence[Any], count: int) -> list[Any]:
    """Returns at most `count` values: the first ones, and the others evenly spaced."""
    if len(values) <= count:
        return list(values)
    half = count // 2
    places = np.linspace(half, len(values) - 1, count - half).astype(int)
    return [*values[:half], *(values[place] for place in places)]


def _values(inputs: list[Input], rows: int, pools: _Pools) -> dict[str, npt.NDArray[Any]]:
    random = np.random.default_rng(0)
    cells: dict[str, list[npt.NDArray[Any]]] = {}
    movable: list[tuple[npt.NDArray[Any], list[Any]]] = []
    for model_input in inputs:
        name, times = model_input.name, model_input.times
        cells[name] = []
        for transform, _ in model_input.columns:
            values = pools.of(transform, model_input.dtype)
            # No NaN at random: nearly all rows would have one.
            finite = np.array([x for x in values if x == x])
            block = np.full((rows, times), values[0], np.array(values).dtype)
            half = rows // 2
            block[half:] = finite[random.integers(len(finite), size=(rows - half, times))]
            cells[name].append(block)
            movable += [(block[:, place], values) for place in range(min(times, half))]
    row = 0
    # In the first half one column varies at a time, in turn.
    for turn in range(max((len(values) for _, values in movable), default=0)):
        for column, values in movable:
            if turn < len(values) and row < rows // 2:
                column[row] = values[turn]
                row += 1
    return {
        model_input.name: _packed(model_input, cells[model_input.name], rows)
        for model_input in inputs
    }


def _packed(model_input: Input, cells: list[npt.NDArray[Any]], rows: int) -> npt.NDArray[Any]:
    """Packs the values of columns, `[rows, columns]`, into the array that the model takes."""
    parts = []
    for (transform, _), values in zip(model_input.columns, cells):
        is_one_hot = _is_one_hot(transform)
        parts.append(one_hot(values[:, 0], width(transform)) if is_one_hot else values)
    joined = np.concatenate(parts, axis=1) if parts else np.zeros((rows, 0))
    dtype: Any = np.str_ if model_input.dtype == "string" else _numpy_type(model_input.dtype)
    return joined.astype(dtype).reshape(rows, *model_input.shape)


def one_hot(codes: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Returns one vector for each code; zeros for codes out of range.

    Example:
        >>> one_hot(np.array([1, -1]), 2).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """
    vectors: npt.NDArray[Any] = (codes[:, None] == np.arange(size)).astype(np.float64)
    return vectors


def _numpy_type(dtype: str) -> Any:
    return np.float32 if dtype == "bfloat16" else np.dtype(dtype)


# --- running a model -----------------------------------------------------------------------------


def run(
    model: Any, inputs: list[Input], values: Mapping[str, npt.NDArray[Any]]
) -> list[npt.NDArray[Any]]:
    """Returns a model's predictions, one array for each output; its state is not changed.

    Args:
        model: A built Keras model.
        inputs: Its inputs.
        values: Arrays `[rows, ...]` by the name of the input.
    """
    import keras

    state = [
        (x, np.array(keras.ops.convert_to_numpy(x))) for x in model.variables if not x.trainable
    ]
    rows = len(next(iter(values.values())))
    fixed = model.inputs[0].shape[0] if getattr(model, "inputs", None) else None
    size = fixed or _BATCH
    batches = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for start in range(0, rows, size):
                chosen = np.arange(start, min(start + size, rows))
                # Rows are repeated to fill a fixed batch size.
                taken = np.resize(chosen, size) if fixed else chosen
                fed = _fed(model, inputs, {name: x[taken] for name, x in values.items()})
                outputs = keras.tree.flatten(model(fed, training=False))
                batches.append([_as_array(x)[: len(chosen)] for x in outputs])
    finally:
        for variable, value in state:
            variable.assign(value)
    return [np.concatenate(parts) for parts in zip(*batches)]


def _fed(model: Any, inputs: list[Input], values: Mapping[str, npt.NDArray[Any]]) -> Any:
    """Returns the values in the structure that the model takes."""
    import keras

    tensors = {x.name: _tensor(values[x.name], x.dtype) for x in inputs}
    if len(tensors) == 1:
        (only,) = tensors.values()
        structure = getattr(model, "input", None) if getattr(model, "inputs", None) else None
        if not isinstance(structure, (dict, list, tuple)):
            return only
    if not getattr(model, "inputs", None):
        return tensors
    return keras.tree.map_structure(
        lambda tensor: tensors[tensor._keras_history.operation.name], model.input
    )


def _tensor(value: npt.NDArray[Any], dtype: str) -> Any:
    import keras

    if dtype == "string":
        import tensorflow as tf

        texts = np.char.encode(value.astype(np.str_), "utf-8", "surrogatepass")
        return tf.constant(texts.tolist(), tf.string, shape=value.shape)
    return keras.ops.convert_to_tensor(value, dtype=dtype)


def _as_array(value: Any) -> npt.NDArray[Any]:
    if hasattr(value, "to_dense"):
        raise TypeError("the output is sparse")
    array = np.asarray(value)
    if array.dtype.hasobject:
        return array.astype(np.bytes_)
    return array.astype(np.float32) if array.dtype.kind == "V" else array


# --- comparing -----------------------------------------------------------------------------------


def verify(
    probe: Probe | None,
    no_probe: str,
    model: Any,
    spec: InputSpec,
    new: Side,
    base_spec: InputSpec,
    base: Side,
) -> Verification:
    """Runs a new model on the base's probe, and compares the predictions.

    Args:
        probe: The base's probe.
        no_probe: Why there is none.
        model: The restored new model.
        spec: The transforms of its inputs.
        new: The new model's structure.
        base_spec: The transforms of the base's inputs.
        base: The base's structure.

    Returns:
        Whether they are the same function: all rows that both can distinguish give the same
        predictions, within the precision of the model's arithmetic.
    """
    inputs = inputs_of(model, spec)
    return _verify(
        probe,
        no_probe,
        lambda x: run(model, inputs, x),
        lambda chosen: _translated(chosen, inputs, new, base_spec, base),
        _precision(model),
        _suspects(model),
    )


def verify_function(base: Checkpoint, predict: Predict, spec: InputSpec) -> Verification:
    """Compares a model that is not a Keras model with its base; `restore` is for Keras models.

    Args:
        base: The checkpoint that the model continues from, with a `probe`.
        predict: As for `probe_of`, for the new model.
        spec: The transforms of its inputs.

    Returns:
        The result, for `verified` and `verification` of the `TransferReport`.

    Example:
        >>> was = InputSpec({"x": [Affine.z_score("pH", 3.0, 0.5)]})
        >>> base = Checkpoint({}, was, probe=probe_of(lambda inputs: inputs["x"] > 1, was))
        >>> now = InputSpec({"x": [Affine.z_score("pH", 3.5, 1.0)]})
        >>> verify_function(base, lambda inputs: inputs["x"] > 0, now).verified
        True
        >>> verify_function(base, lambda inputs: inputs["x"] > 1, now).differs
        True
    """
    inputs = inputs_of(None, spec)
    nothing = Architecture()
    return _verify(
        base.probe,
        base.no_probe,
        lambda x: [np.asarray(predict(x))],
        lambda chosen: _translated(
            chosen, inputs, Side.of(nothing, spec), base.inputs, Side.of(nothing, base.inputs)
        ),
        _PRECISION,
        ": the model differs from that of the checkpoint",
    )


def _verify(
    probe: Probe | None,
    no_probe: str,
    predict: _Run,
    translated: Callable[[Probe], tuple[dict[str, npt.NDArray[Any]], npt.NDArray[Any]]],
    precision: float,
    suspects: str,
) -> Verification:
    if probe is None:
        why = no_probe or "its checkpoint was written by an earlier release, and has no probe"
        return Verification(False, f"Not verified: the base was not run, as {why}.")
    try:
        values, usable = translated(probe)
        count = int(usable.sum())
        total = len(usable)
        if count < _LEAST_ROWS:
            return Verification(
                False,
                f"Not verified: of {total} probed inputs of the base only {count} mean the same "
                "in the new model.",
            )
        chosen = {name: x[usable] for name, x in values.items()}
        predicted = predict(chosen)
        nudged = predict({name: _nudged(x) for name, x in chosen.items()})
    except Exception as error:  # A model may raise anything for unexpected inputs.
        return Verification(False, f"Not verified: the new model could not be run: {error!r:.300}.")
    expected = [x[usable] for x in probe.outputs]
    if [x.shape for x in expected] != [x.shape for x in predicted]:
        shapes = [[list(x.shape[1:]) for x in outputs] for outputs in (predicted, expected)]
        return Verification(
            False, f"The outputs have the shapes {shapes[0]}, those of the base {shapes[1]}.", True
        )
    compared = min((_not_nan(x) for x in expected), default=0)
    if compared < _LEAST_ROWS:
        return Verification(
            False,
            f"Not verified: the base predicts nothing but NaN on all but {compared} of {count} "
            "probed inputs.",
        )
    same = np.ones(count, bool)
    largest = 0.0
    for was, now, near in zip(expected, predicted, nudged):
        agrees, difference = _agree(was, now, near, precision)
        same &= agrees
        largest = max(largest, difference)
    if same.all():
        return Verification(
            True,
            f"Verified: both predict the same on {count} of {total} probed inputs; the largest "
            f"difference is {largest:.2g}.",
        )
    return Verification(
        False,
        f"The predictions of the new model differ from the base's on {count - int(same.sum())} of "
        f"{count} probed inputs, by up to {largest:.3g}{suspects}.",
        True,
    )


def _agree(
    was: npt.NDArray[Any], now: npt.NDArray[Any], near: npt.NDArray[Any], precision: float
) -> tuple[npt.NDArray[Any], float]:
    """Returns for each row whether outputs agree, and the largest difference."""
    rows = (len(was), -1)
    if was.dtype.kind not in "fc" or now.dtype.kind not in "fc":
        different = (was != now).reshape(rows)
        return ~different.any(axis=1), float(different.any())
    was, now, near = (np.asarray(x, np.complex128).reshape(rows) for x in (was, now, near))
    with np.errstate(all="ignore"):
        difference = np.abs(was - now)
        finite = np.isfinite(was)
        size = float(np.quantile(np.abs(was[finite]), 0.9)) if finite.any() else 0.0
        # Rounding of the inputs may change the output by this much.
        rounding = np.minimum(4 * np.abs(now - near), 1e-3 * size)
        allowed = precision * (np.abs(was) + size) + np.nan_to_num(rounding)
        alike = (np.isnan(was) & np.isnan(now)) | (was == now) | (difference <= allowed)
        far = difference[~((np.isnan(was) & np.isnan(now)) | (was == now))]
        largest = float(np.nan_to_num(far, nan=np.inf).max()) if far.size else 0.0
    return alike.all(axis=1), largest


def _not_nan(output: npt.NDArray[Any]) -> int:
    """Returns the number of rows that are not all NaN, in which outputs can be compared."""
    if output.dtype.kind not in "fc":
        return len(output)
    return int((~np.isnan(output)).reshape(len(output), -1).any(axis=1).sum())


def _nudged(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind != "f":
        return values
    signs = np.random.default_rng(1).choice([-1.0, 1.0], values.shape)
    step = 2 * float(np.finfo(values.dtype).eps)
    nudged: npt.NDArray[Any] = (values * (1 + step * signs)).astype(values.dtype)
    return nudged


def _precision(model: Any) -> float:
    """Returns how far equal computations may differ, relative to their result."""
    coarse = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
    return max(_PRECISION, *(8 * coarse.get(str(x.compute_dtype), 0.0) for x in parts_of(model)))


def _suspects(model: Any) -> str:
    """Names layers whose function may depend on more than their weights, to be checked first."""
    own = [
        f"{part.name} ({type(part).__name__})"
        for part in parts_of(model)
        if part is not model
        and (type(part).__module__.split(".")[0] != "keras" or type(part).__name__ == "Lambda")
    ]
    what = ": something that is neither a weight nor in the input specification differs"
    return f"{what}; check {', '.join(sorted(own)[:5])} first" if own else what


# --- the same raw values, in other columns -------------------------------------------------------


def _translated(
    probe: Probe, inputs: list[Input], new: Side, base_spec: InputSpec, base: Side
) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[Any]]:
    """Returns the new model's inputs for the base's rows, and which rows are equivalent."""
    rows = len(next(iter(probe.inputs.values())))
    usable = np.ones(rows, bool)
    columns = _base_columns(probe, base_spec)
    used: set[tuple[str, int]] = set()
    values = {}
    for model_input in inputs:
        name, times = model_input.name, model_input.times
        cells = []
        for transform, place in model_input.columns:
            key = (transform.feature, place)
            used.add(key)
            if key in columns:
                old, column = columns[key]
                translated, good = _translate(old, transform, column)
                usable &= good.all(axis=1)
            else:
                translated = _free(transform, (rows, times), model_input.dtype)
            cells.append(translated)
            if translated.shape[1] != times:
                raise ValueError(f"input {name!r} had {translated.shape[1]} columns")
        if model_input.dtype.startswith(("int", "uint")):
            usable &= np.all([(np.abs(x - np.round(x)) < 1e-6).all(axis=1) for x in cells], axis=0)
            cells = [np.round(x) for x in cells]
        values[name] = _packed(model_input, cells, rows)
    for key, (old, column) in columns.items():
        if key not in used:
            usable &= _rests(old, column).all(axis=1)
    for source, told_apart in _same_texts(columns, new, base):
        usable &= told_apart(columns[source][1])
    return values, usable


def _base_columns(
    probe: Probe, spec: InputSpec
) -> dict[tuple[str, int], tuple[FeatureTransform, npt.NDArray[Any]]]:
    """Returns transform and probe values, one-hot as codes, by feature and place."""
    base_columns: dict[tuple[str, int], tuple[FeatureTransform, npt.NDArray[Any]]] = {}
    given = dict(spec.inputs)
    if len(probe.inputs) == len(given) == 1:
        given = {next(iter(probe.inputs)): next(iter(given.values()))}
    for name, array in probe.inputs.items():
        flat = array.reshape(len(array), -1)
        start = 0
        model_input = _input(name, tuple(array.shape[1:]), "", given.get(name))
        for transform, place in model_input.columns:
            end = start + (width(transform) if _is_one_hot(transform) else model_input.times)
            part = flat[:, start:end]
            if _is_one_hot(transform):
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
            return _free(now, values.shape, "float64"), everywhere
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
    targets: dict[int, list[int]] = {}
    for new_code, old_code in _counterparts(old, now):
        targets.setdefault(old_code, []).append(new_code)
    recoded, good = np.zeros(codes.shape, np.int64), np.zeros(codes.shape, bool)
    for code, choices in targets.items():
        rows, columns = np.nonzero(codes == code)
        # The same new code in all columns of a row: a multi-hot vector would count two codes twice.
        recoded[rows, columns] = np.array(choices)[rows % len(choices)]
        good[rows, columns] = True
    return recoded, good


def _counterparts(old: FeatureTransform, now: FeatureTransform) -> Iterator[tuple[int, int]]:
    """Yields each new code with the single old code that all its raw values had, if any."""
    if isinstance(old, Buckets) and isinstance(now, Buckets):
        edges = [-np.inf, *now.boundaries, np.inf]
        olds = [-np.inf, *old.boundaries, np.inf]
        for code, (low, high) in enumerate(zip(edges, edges[1:])):
            was = int(np.searchsorted(old.boundaries, low, side="right"))
            if olds[was] <= low and high <= olds[was + 1]:
                yield code, was
        return
    if not isinstance(old, Vocabulary) or not isinstance(now, Vocabulary):
        return
    codes = CodeMap(old, is_table=False)
    nothing = -1 if old.default < 0 and not old.oov_buckets else None
    for code in range(now.size):
        sources, _ = codes.find(now, code)
        if len(sources) == 1:
            yield code, sources[0]
        elif not sources and nothing is not None and code >= now.reserved:
            yield code, nothing
    if now.one_hot and now.default < 0 and not now.oov_buckets and nothing is not None:
        yield -1, nothing


def _free(transform: FeatureTransform, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    """Returns values of a column that the base does not have."""
    random = np.random.default_rng(2)
    if isinstance(transform, Coded):
        return random.integers(0, transform.size, shape)
    if dtype == "string":
        return random.choice(_UNKNOWN_TEXTS, shape)
    if isinstance(transform, Affine) and not transform.scale:
        return np.zeros(shape)
    whole = dtype.startswith(("int", "uint", "bool"))
    return random.integers(0, 2, shape) if whole else random.choice(_STEPS, shape)


def _rests(old: FeatureTransform, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns where a removed feature has the value that replaces it."""
    if isinstance(old, Affine) and not old.scale:
        return np.ones(values.shape, bool)
    if isinstance(old, Affine) and old.mean is not None:
        rest = (old.mean - old.center) / old.scale
        return np.isclose(np.asarray(values, np.float64), rest, rtol=1e-6, atol=1e-6)
    return np.zeros(values.shape, bool)


def _same_texts(
    columns: Mapping[tuple[str, int], Any], new: Side, base: Side
) -> Iterator[tuple[tuple[str, int], Callable[[npt.NDArray[Any]], npt.NDArray[Any]]]]:
    """Yields checks of whether the new model's own vocabularies distinguish the raw values."""
    for layer, features in base.architecture.made.items():
        facts = base.architecture.layers.get(layer)
        for name, old in features.items():
            now = new.features.get(name)
            if not isinstance(old, Vocabulary) or not isinstance(now, Vocabulary) or facts is None:
                continue
            words = facts.kind == "TextVectorization"
            for source in columns:
                if source[0] in facts.features:
                    yield source, _told_apart(old, now, words)


def _told_apart(
    old: Vocabulary, now: Vocabulary, words: bool
) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
    olds, nows = set(old.tokens), set(now.tokens)
    # Tokens unknown to both fall into buckets, which must be subsets of the old ones.
    apart = not old.oov_buckets or now.oov_buckets % old.oov_buckets == 0

    def good(token: str) -> bool:
        return token in nows if token in olds else token in nows or apart

    def rows(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.array(
            [
                all(good(token) for text in row for token in (text.split() if words else [text]))
                for row in values.astype(np.str_).tolist()
            ]
        )

    return rows
