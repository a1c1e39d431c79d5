"""Verifies that two models are the same function, by running both on equivalent inputs.

A model's function depends on more than its weights: statistics and vocabularies of layers,
constants, attributes of custom layers. The base is run when it is saved, on inputs generated from
its specification. The new model is run after the transfer, on its columns for the same raw values.
"""

from __future__ import annotations

import dataclasses
import enum
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.report.words import warm_start as words
from tfx_wine_ext.warm_start.architecture import Architecture
from tfx_wine_ext.warm_start.checkpoint import Checkpoint, Probe
from tfx_wine_ext.warm_start.inputs import (
    Affine,
    Coded,
    FeatureTransform,
    InputSpec,
    Vocabulary,
)
from tfx_wine_ext.warm_start.keras_internals import has_graph, input_name, parts_of
from tfx_wine_ext.warm_start.rows import Side
from tfx_wine_ext.warm_start.translation import (
    STEPS,
    UNKNOWN_TEXTS,
    Arrays,
    Input,
    inputs_of,
    translated,
)

ROWS = 256
"""Rows of a probe, for models of up to some thousand columns."""

_LARGEST = 2**20  # Numbers in the inputs, and in the outputs: 4 MB of float32 each.
_LEAST_ROWS = 8
_BATCH = 64
_MANY = 200  # Codes or tokens of a column.
_PRECISION = 1e-5  # For float32: a hundred roundings to seven digits.
_RAW_STEPS = (*STEPS, -100.0, 100.0, 1000.0)

Predict = Callable[[Arrays], Any]
_Run = Callable[[Arrays], "list[npt.NDArray[Any]]"]

Outcome = enum.Enum(
    "Outcome",
    "AGREES DIFFERS OTHER_SHAPES NO_PROBE EARLIER_RELEASE TOO_FEW_ROWS ONLY_NAN FAILED",
)
"""The results of a comparison; all but the first three mean that nothing could be compared."""


@dataclasses.dataclass(frozen=True)
class Verification:
    """Whether a model was found to be the same function as its base.

    Attributes:
        outcome: The result of the comparison.
        count: The rows that agree, differ, mean the same, or have another prediction than NaN.
        total: The rows that these are of.
        largest: The largest difference of a prediction.
        detail: The shapes that differ, or why nothing was compared.
        suspects: Layers to be checked first, if a Keras model differs.
    """

    outcome: Outcome
    count: int = 0
    total: int = 0
    largest: float = 0.0
    detail: Any = None
    suspects: tuple[str, ...] | None = None

    @property
    def verified(self) -> bool:
        """Whether both were run, and predicted the same."""
        return self.outcome is Outcome.AGREES

    @property
    def differs(self) -> bool:
        """Whether both were run, and did not predict the same."""
        return self.outcome in (Outcome.DIFFERS, Outcome.OTHER_SHAPES)

    @property
    def sentence(self) -> str:
        """The result of the comparison, or why there was none."""
        return words.verified(self)


# --- making a probe ------------------------------------------------------------------------------


def make_probe(model: Any, spec: InputSpec) -> tuple[Probe | None, str]:
    """Runs a model on inputs that cover the possible values of its columns.

    A column's values are its bounds, steps around its mean, its tokens (a sample of a long
    vocabulary), buckets of unknown tokens, and NaN for numbers. Each column is varied alone, with
    the others at their mean or first token, then all columns at random. The inputs are
    deterministic for a model and its specification. The model's state is not changed.

    Returns:
        The probe and an empty string, or None and the reason why the model cannot be run.
    """
    try:
        inputs = inputs_of(model, spec)
        return _probe(inputs, _Pools(parts_of(model)), lambda x: run(model, inputs, x)), ""
    except Exception as error:  # A model may raise anything for unexpected inputs.
        return None, words.NOT_RUN.format(error)


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
                steps = np.outer(STEPS, deviation) + mean
                self.numbers += [float(x) for x in np.ravel(steps)]
            elif kind == "Discretization" and part.bin_boundaries is not None:
                edges = [float(x) for x in np.ravel(part.bin_boundaries)][:50]
                self.numbers += [y for x in edges for y in (x, x - 1e-3, x + 1e-3)]
        self.texts = _some([str(text) for text in self.texts], _MANY)
        known = list(self.texts)
        if not closed or not known:
            self.texts += [*UNKNOWN_TEXTS, ""]
        if sentences:
            pairs = zip(known, reversed(known))
            self.texts += [f"{first} {second} {UNKNOWN_TEXTS[0]}" for first, second in pairs]
        if not self.whole:
            self.whole = list(range(min(sizes, default=4)))[:_MANY]

    def of(self, transform: FeatureTransform, dtype: str) -> list[Any]:
        """Returns the values of a column; the first is its value while other columns vary."""
        if isinstance(transform, Coded):
            first, none = 0, []
            if isinstance(transform, Vocabulary):
                first = transform.first_token if transform.tokens else 0
                # A code of -1 cannot be looked up, but a one-hot vector of zeros is possible.
                none = [-1] * (transform.one_hot and transform.drops_unknown)
            codes = [code for code in _some(range(transform.size), _MANY) if code != first]
            return [first, *codes, *none]
        if dtype == "string":
            return list(self.texts)
        if isinstance(transform, Affine):
            if not transform.scale:
                return [0]
            is_raw = transform.center == 0 and transform.scale == 1
            values = [transform.at_mean, *(self.numbers if is_raw else STEPS)]
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
    half = rows // 2
    cells: dict[str, list[npt.NDArray[Any]]] = {}
    movable: list[tuple[npt.NDArray[Any], list[Any]]] = []
    for model_input in inputs:
        times = model_input.times
        cells[model_input.name] = []
        for transform, _ in model_input.columns:
            values = pools.of(transform, model_input.dtype)
            # No NaN at random: nearly all rows would have one.
            finite = np.array([x for x in values if x == x])
            block = np.full((rows, times), values[0], np.array(values).dtype)
            block[half:] = finite[random.integers(len(finite), size=(rows - half, times))]
            cells[model_input.name].append(block)
            movable += [(block[:, place], values) for place in range(min(times, half))]
    row = 0
    # In the first half one column varies at a time, in turn.
    for turn in range(max((len(values) for _, values in movable), default=0)):
        for column, values in movable:
            if turn < len(values) and row < half:
                column[row] = values[turn]
                row += 1
    return {x.name: x.packed(cells[x.name]) for x in inputs}


# --- running a model -----------------------------------------------------------------------------


def run(model: Any, inputs: list[Input], values: Arrays) -> list[npt.NDArray[Any]]:
    """Returns a model's predictions, one array for each output; its state is not changed."""
    import keras

    state = [
        (x, np.array(keras.ops.convert_to_numpy(x))) for x in model.variables if not x.trainable
    ]
    rows = len(next(iter(values.values())))
    fixed = model.inputs[0].shape[0] if has_graph(model) else None
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


def _fed(model: Any, inputs: list[Input], values: Arrays) -> Any:
    """Returns the values in the structure that the model takes."""
    import keras

    tensors = {x.name: _tensor(values[x.name], x.dtype) for x in inputs}
    # A Sequential that was never called raises AttributeError, and has one input.
    structure = getattr(model, "input", None) if has_graph(model) else None
    if structure is not None:
        return keras.tree.map_structure(lambda x: tensors[input_name(x)], structure)
    return next(iter(tensors.values())) if len(tensors) == 1 else tensors


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
    base: Checkpoint, base_side: Side, model: Any, spec: InputSpec, new_side: Side
) -> Verification:
    """Runs a new model on the base's probe, and compares the predictions.

    They are the same function if all rows that both can distinguish give the same predictions,
    within the precision of the model's arithmetic.
    """
    inputs = inputs_of(model, spec)
    verification = _compare(
        base, base_side, inputs, new_side, lambda x: run(model, inputs, x), _precision(model)
    )
    return dataclasses.replace(verification, suspects=_suspects(model))


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
    base_side, new_side = (Side.of(Architecture(), inputs) for inputs in (base.inputs, spec))
    return _compare(
        base, base_side, inputs_of(None, spec), new_side, lambda x: [np.asarray(predict(x))]
    )


def _compare(
    base: Checkpoint,
    base_side: Side,
    inputs: list[Input],
    new_side: Side,
    predict: _Run,
    precision: float = _PRECISION,
) -> Verification:
    if base.probe is None:
        outcome = Outcome.NO_PROBE if base.no_probe else Outcome.EARLIER_RELEASE
        return Verification(outcome, detail=base.no_probe)
    try:
        values, usable = translated(base.probe.inputs, base.inputs, base_side, inputs, new_side)
        count, total = int(usable.sum()), len(usable)
        if count < _LEAST_ROWS:
            return Verification(Outcome.TOO_FEW_ROWS, count, total)
        chosen = {name: x[usable] for name, x in values.items()}
        predicted = predict(chosen)
        nudged = predict({name: _nudged(x) for name, x in chosen.items()})
    except Exception as error:  # A model may raise anything for unexpected inputs.
        return Verification(Outcome.FAILED, detail=f"{error!r:.300}")
    expected = [x[usable] for x in base.probe.outputs]
    if [x.shape for x in expected] != [x.shape for x in predicted]:
        shapes = tuple([list(x.shape[1:]) for x in outputs] for outputs in (predicted, expected))
        return Verification(Outcome.OTHER_SHAPES, detail=shapes)
    compared = min((_not_nan(x) for x in expected), default=0)
    if compared < _LEAST_ROWS:
        return Verification(Outcome.ONLY_NAN, compared, count)
    same = np.ones(count, bool)
    largest = 0.0
    for was, now, near in zip(expected, predicted, nudged):
        agrees, difference = _agree(was, now, near, precision)
        same &= agrees
        largest = max(largest, difference)
    if same.all():
        return Verification(Outcome.AGREES, count, total, largest)
    return Verification(Outcome.DIFFERS, count - int(same.sum()), count, largest)


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


def _suspects(model: Any) -> tuple[str, ...]:
    """Names layers whose function may depend on more than their weights, to be checked first."""
    own = [
        f"{part.name} ({type(part).__name__})"
        for part in parts_of(model)
        if part is not model
        and (type(part).__module__.split(".")[0] != "keras" or type(part).__name__ == "Lambda")
    ]
    return tuple(sorted(own)[:5])
