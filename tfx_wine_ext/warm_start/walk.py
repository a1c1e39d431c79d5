"""Walks a Keras model from its inputs, and finds what the rows of its weights mean."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from tfx_wine_ext.warm_start.architecture import Architecture, Label, LayerFacts
from tfx_wine_ext.warm_start.inputs import (
    Affine,
    Buckets,
    Coded,
    FeatureTransform,
    InputSpec,
    Raw,
    Unknown,
    Vocabulary,
    is_one_hot,
    width,
    with_places,
)
from tfx_wine_ext.warm_start.keras_internals import (
    Call,
    calls_of,
    generated_stem,
    has_graph,
    input_name,
    parts_of,
)

# Settings that a layer's function depends on besides its weights and shapes.
_SETTINGS = (
    *("activation", "recurrent_activation", "use_bias", "axis", "epsilon", "negative_slope"),
    *("mask_zero", "output_mode"),
)
# Layers that pass their columns on in the same order.
_RESHAPE = {"Flatten", "Reshape", "Squeeze", "ExpandDims"}
_IDENTITY = {
    *("Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout"),
    *("ActivityRegularization", "Identity", "Cast"),
}
# Layers that convert one feature, numbers or strings, to codes.
_CODERS = {"StringLookup", "IntegerLookup", "TextVectorization", "Discretization"}
_SCALERS = {"Normalization", "Rescaling"}

PASSES_ON = {*_IDENTITY, *_RESHAPE, "Concatenate"}
"""Layers and operations that change no values."""


def examine(
    model: Any, inputs: InputSpec, *, follow_made: bool = True
) -> tuple[Architecture, dict[str, Any]]:
    """Walks a functional or sequential model, and those nested in it; names the weights of others.

    Args:
        model: A built Keras model.
        inputs: The transforms of its inputs.
        follow_made: Whether layers with statistics and vocabularies are followed. False for a
            comparison with a checkpoint of an earlier release, which did not follow them.

    Returns:
        Its structure, and its weights (`keras.Variable`) by their names in the structure.

    Raises:
        ValueError: The model is not built, or `inputs` does not fit it.
        RuntimeError: This Keras lacks a private name that is needed.
    """
    if not model.built:
        raise ValueError(
            f"model {model.name!r} has no weights yet: first build it, or call it on a batch"
        )
    walk = _Walk(model, inputs, follow_made)
    return walk.architecture, walk.weights


@dataclasses.dataclass(frozen=True)
class _Columns:
    """What is known about a tensor.

    Attributes:
        labels: Labels in the tensor's shape without the batch; None if a dimension is unknown.
        direct: The features whose unchanged columns or codes it contains.
        features: The features it depends on.
    """

    labels: Any
    direct: frozenset[str]
    features: frozenset[str]


@dataclasses.dataclass
class _Met:
    """What the walk knows about a layer or operation."""

    operation: Any
    name: str
    uses: int = 0
    features: set[str] = dataclasses.field(default_factory=set)
    constants: list[Any] = dataclasses.field(default_factory=list)  # Such as 2.0 in `x * 2.0`.


class _Walk:
    def __init__(self, model: Any, inputs: InputSpec, follow_made: bool) -> None:
        self._inputs = inputs
        self._follow_made = follow_made
        self._transforms = dict(inputs.features)
        self._made: dict[str, dict[str, FeatureTransform]] = {}
        self._sources: dict[str, str] = {}  # The source of each feature that a layer made.
        self._met: dict[int, _Met] = {}
        self._rows: dict[str, list[tuple[Label, ...] | None]] = collections.defaultdict(list)
        self._row_features: dict[str, set[str]] = collections.defaultdict(set)
        self._biases: dict[str, str] = {}
        self._codings = {name: name for name, x in self._transforms.items() if is_one_hot(x)}
        self._opaque: dict[str, set[str]] = collections.defaultdict(set)
        calls = calls_of(model)
        self._name_operations(model, calls, "")
        # A Sequential has no inputs before it is built, and a subclassed model never has any.
        if has_graph(model):
            self._walk(calls, self._input_columns(model))
        self.weights = self._named_weights(model)
        self.architecture = self._result(has_graph(model))

    # --- names ---------------------------------------------------------------------------------

    def _name_operations(self, model: Any, calls: list[Call], prefix: str) -> None:
        """Names layers in the model's order, then operations in the order of the walk."""
        numbers = _Numbers()
        taken: set[str] = set()
        for operation in [*model.layers, *(call.operation for call in calls)]:
            if id(operation) in self._met:
                continue
            name = operation.name
            stem = generated_stem(operation)
            if re.fullmatch(rf"{re.escape(stem)}(_\d+)?", name):
                name = numbers.next(stem)
            name = _unique(name, taken)
            taken.add(name)
            self._met[id(operation)] = _Met(operation, prefix + name)
            if _is_model(operation):
                self._name_operations(operation, calls_of(operation), f"{prefix}{name}/")
        for call in calls:
            met = self._met[id(call.operation)]
            met.uses += 1
            met.constants += _constants(call)

    def _name(self, operation: Any) -> str:
        return self._met[id(operation)].name

    def _named_weights(self, model: Any) -> dict[str, Any]:
        weights: dict[str, Any] = {}
        seen: set[int] = set()

        def add(owner: Any, prefix: str) -> None:
            names = _PartNames(owner)
            for weight in owner.weights:
                if id(weight) not in seen:
                    seen.add(id(weight))
                    _, separator, tail = weight.path.rpartition(f"{owner.name}/")
                    path = tail if separator and prefix else weight.path
                    weights[_unique(prefix + names.of(path), weights)] = weight

        def descend(owner: Any) -> None:
            for layer in owner.layers:
                if _is_model(layer):
                    descend(layer)
                add(layer, f"{self._name(layer)}/")

        descend(model)
        add(model, "")
        return weights

    # --- the walk ------------------------------------------------------------------------------

    def _input_columns(self, model: Any) -> dict[int, _Columns]:
        names = [input_name(tensor) for tensor in model.inputs]
        given = self._inputs.of_inputs(names)
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise ValueError(
                f"the input specification names {unknown}, but model {model.name!r} has the "
                f"inputs {names}"
            )
        return {
            id(tensor): _labelled(name, tensor.shape[1:], given.get(name, (Unknown(name),)))
            for name, tensor in zip(names, model.inputs)
        }

    def _walk(self, calls: list[Call], tensors: dict[int, _Columns]) -> None:
        # Inputs come before embeddings, which are named by their features and pass the name on.
        for call in calls:
            incoming = [tensors[id(x)] for x in call.tensors]
            self._met[id(call.operation)].features.update(*(x.features for x in incoming))
            for tensor, columns in zip(call.outputs, self._visit(call, incoming)):
                tensors[id(tensor)] = columns

    def _visit(self, call: Call, incoming: list[_Columns]) -> list[_Columns]:
        if has_graph(call.operation):
            inner = dict(zip(map(id, call.operation.inputs), incoming))
            self._walk(calls_of(call.operation), inner)
            return [inner[id(tensor)] for tensor in call.operation.outputs]
        if len(call.outputs) == 1 and incoming:
            followed = self._follow(call, incoming, tuple(call.outputs[0].shape[1:]))
            if followed is not None:
                return [followed]
        return self._unknown(call, incoming)

    def _follow(
        self, call: Call, incoming: list[_Columns], shape: tuple[Any, ...]
    ) -> _Columns | None:
        """Returns the output of an operation whose effect on columns is known, None for others."""
        layer, first = call.operation, incoming[0]
        kind = type(layer).__name__
        if kind in _IDENTITY or (
            kind == "Activation" and _arguments(layer).get("activation") == "linear"
        ):
            return first
        if kind in _RESHAPE:
            known = first.labels is not None and None not in shape
            return dataclasses.replace(first, labels=first.labels.reshape(shape) if known else None)
        if kind == "Concatenate" and layer.axis != 0:
            return _concatenated(incoming, layer.axis)
        if kind == "Embedding":
            return self._embedding(layer, first, shape)
        if kind == "Dense":
            return self._dense(layer, first, shape)
        labels = None
        if kind == "GetItem":
            labels = _sliced(first.labels, call)
        elif kind == "CategoryEncoding":
            labels = self._encoded(first.labels, layer.num_tokens, layer.output_mode)
        elif kind == "OneHot" and layer.axis == -1:
            labels = self._encoded(first.labels, layer.num_classes, "each")
        if labels is not None and labels.shape == shape:
            return self._of_labels(labels, first)
        if kind in _CODERS | _SCALERS and len(incoming) == 1 and self._follow_made:
            return self._make(layer, kind, first, shape)
        return None

    def _unknown(self, call: Call, incoming: list[_Columns]) -> list[_Columns]:
        joined = _joined(None, incoming)
        if joined.direct:
            self._opaque[self._name(call.operation)].update(joined.direct)
        name = self._output_name(call.operation, joined.features)
        return [
            _hidden(f"{name}:{number}" if number else name, tensor.shape[1:], joined.features)
            for number, tensor in enumerate(call.outputs)
        ]

    def _output_name(self, operation: Any, features: Iterable[str]) -> str:
        met = self._met[id(operation)]
        return f"{met.name}({','.join(sorted(features))})" if met.uses > 1 else met.name

    # --- layers that compute features from features --------------------------------------------

    def _make(
        self, layer: Any, kind: str, incoming: _Columns, shape: tuple[Any, ...]
    ) -> _Columns | None:
        """Returns the output of a layer with statistics or a vocabulary; None if unknown."""
        labels = None if incoming.labels is None else list(incoming.labels.flat)
        if not labels or any(label.kind != "column" for label in labels):
            return None
        if kind in _SCALERS:
            columns = self._scaled(layer, kind, incoming.labels)
        else:
            columns = self._coded(layer, kind, labels, shape)
        if columns is None:
            return None
        # Changed transforms of its sources cannot be compensated.
        resolved = (Raw,) if kind in _CODERS and kind != "Discretization" else (Raw, Affine)
        sources = {label.name for label in labels}
        changed = {x for x in sources if not isinstance(self._transforms[x], resolved)}
        if changed:
            self._opaque[self._name(layer)].update(changed)
        return dataclasses.replace(columns, features=incoming.features)

    def _scaled(self, layer: Any, kind: str, labels: Any) -> _Columns | None:
        """Returns the columns of a layer that shifts and scales each column by its own numbers."""
        try:
            factors, offsets = (
                np.broadcast_to(x, labels.shape).ravel() for x in _factor_and_offset(layer, kind)
            )
        except (TypeError, ValueError):
            return None
        repeated = {label.name for label in labels.flat if label.place}
        made: dict[str, tuple[Affine, str]] = {}
        names = []
        for label, factor, offset in zip(labels.flat, factors, offsets):
            transform = self._transforms[label.name]
            source = transform if isinstance(transform, Affine) else Affine.identity(label.name)
            usable = source.scale and factor and np.isfinite([factor, offset]).all()
            if isinstance(transform, Coded) or not usable:
                return None
            center = float(source.center - offset * source.scale / factor)
            mean = source.mean
            if mean is None and kind == "Normalization" and not layer.invert:
                mean = center
            place = f"@{label.place}" if label.name in repeated else ""
            name = f"{kind}({label.name}{place})"
            names.append(name)
            made[name] = (Affine(name, center, float(source.scale / factor), mean), label.name)
        renamed = {name: self._add_made(layer, *made[name]) for name in made}
        columns = [Label("column", renamed[name], 0) for name in names]
        direct = frozenset(renamed.values())
        return _Columns(_array(columns, labels.shape), direct, direct)

    def _coded(
        self, layer: Any, kind: str, labels: list[Label], shape: tuple[Any, ...]
    ) -> _Columns | None:
        """Returns the codes of one feature, or their one-hot columns."""
        source = labels[0].name
        if any(label.name != source for label in labels):
            return None
        transform = _coding_of(layer, kind, f"{kind}({source})", self._transforms[source])
        if transform is None:
            return None
        if transform.one_hot and (len(shape) != 1 or shape[0] < transform.size):
            return None
        name = self._add_made(layer, transform, source)
        direct = frozenset([name])
        if transform.one_hot:
            self._codings[name] = name
            codes = _code_labels(name, transform.size, shape[0])
            return _Columns(_array(codes, shape), direct, direct)
        return _Columns(_numbered("column", name, shape), direct, direct)

    def _add_made(self, layer: Any, transform: FeatureTransform, source: str) -> str:
        """Registers a feature that a layer makes, under a unique name, which is returned."""
        name = _unique(transform.feature, self._transforms)
        transform = dataclasses.replace(transform, feature=name)
        self._sources[name] = self._source(source)
        self._transforms[name] = transform
        self._made.setdefault(self._name(layer), {})[name] = transform
        return name

    def _source(self, feature: str) -> str:
        return self._sources.get(feature, feature)

    # --- codes and weights ---------------------------------------------------------------------

    def _of_labels(self, labels: Any, source: _Columns) -> _Columns:
        """Returns a part of a tensor, which depends only on the features that its labels name."""
        direct = frozenset(
            self._codings[label.name] if label.kind == "code" else label.name
            for label in labels.flat
            if label.kind in ("column", "code")
        )
        mixed = any(label.kind == "hidden" for label in labels.flat)
        features = source.features if mixed else frozenset(map(self._source, direct))
        return _Columns(labels, direct, features)

    def _encoded(self, labels: Any, count: int, mode: str) -> Any:
        """Returns the labels of one-hot columns; None if the input is not integer codes."""
        columns = [] if labels is None else list(labels.flat)
        if not columns or any(label.kind != "column" for label in columns):
            return None
        features = {label.name for label in columns}
        if any(_coding(self._transforms[name]) is None for name in features):
            return None
        several = len(columns) > 1
        if mode == "each":
            rows = [row for column in columns for row in self._codes(column, count, several)]
            return _array(rows, (*labels.shape, count))
        if len(features) > 1 or (mode == "one_hot" and several):
            return None
        return _array(self._codes(columns[0], count, False), (count,))

    def _codes(self, column: Label, count: int, several: bool) -> list[Label]:
        name = f"{column.name}@{column.place}" if several else column.name
        self._codings[name] = column.name
        where = f"the one-hot vector of {column.name!r}"
        return _code_labels(name, _size(self._transforms[column.name], count, where), count)

    def _embedding(self, layer: Any, incoming: _Columns, shape: tuple[Any, ...]) -> _Columns:
        met = self._met[id(layer)]
        shown = ",".join(sorted(map(self._source, incoming.direct)))
        stem, slash, last = met.name.rpartition("/")
        # The first of several uses determines the name.
        if re.fullmatch(r"embedding(_\d+)?", layer.name) and incoming.direct and "[" not in last:
            names = {other.name for other in self._met.values()}
            met.name = _unique(f"{stem}{slash}embedding[{shown}]", names)
        features = sorted(incoming.direct)
        codings = {_coding(self._transforms.get(feature)) for feature in features}
        rows = None
        if len(codings) == 1 and None not in codings:
            shared = self._transforms[self._codings.setdefault(met.name, features[0])]
            count = layer.input_dim
            size = _size(self._transforms[features[0]], count, f"embedding {met.name!r}")
            if _coding(shared) in codings:
                rows = tuple(_code_labels(met.name, size, count))
        self._note_rows(f"{met.name}/embeddings", rows, incoming)
        return _hidden(f"{met.name}({shown})", shape, incoming.features)

    def _dense(self, layer: Any, incoming: _Columns, shape: tuple[Any, ...]) -> _Columns:
        name = self._name(layer)
        self._note_rows(f"{name}/kernel", _last_axis(incoming.labels), incoming)
        if layer.use_bias:
            self._biases[f"{name}/kernel"] = f"{name}/bias"
        return _hidden(self._output_name(layer, incoming.features), shape, incoming.features)

    def _note_rows(self, weight: str, rows: tuple[Label, ...] | None, incoming: _Columns) -> None:
        self._rows[weight].append(rows)
        self._row_features[weight].update(incoming.direct)

    # --- the result ----------------------------------------------------------------------------

    def _result(self, walked: bool) -> Architecture:
        rows = {}
        for name, uses in self._rows.items():
            if name in self.weights and uses[0] is not None and set(uses) == {uses[0]}:
                rows[name] = uses[0]
            elif self._row_features[name]:
                self._opaque[name.rpartition("/")[0]].update(self._row_features[name])
        return Architecture(
            walked=walked,
            layers={
                met.name: _layer_facts(met, met.name in self._made)
                for met in self._met.values()
                if type(met.operation).__name__ != "InputLayer"
            },
            rows=rows,
            biases=self._biases,
            codings=self._codings,
            opaque={name: tuple(sorted(features)) for name, features in self._opaque.items()},
            made=self._made,
        )


# --- names ---------------------------------------------------------------------------------------


def _unique(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "~"
    return name


class _Numbers:
    """Numbers equal names; the first one has no number."""

    def __init__(self) -> None:
        self._counts: collections.Counter[str] = collections.Counter()

    def next(self, stem: str) -> str:
        count = self._counts[stem]
        self._counts[stem] += 1
        return f"{stem}_{count}" if count else stem


class _PartNames:
    """Names of a layer's weights; generated names of its parts are numbered within the layer.

    Keras numbers them within the process: the LSTM of the second `Bidirectional` is
    `forward_lstm_1`.
    """

    def __init__(self, layer: Any) -> None:
        self._stems: dict[str, str] = {}
        for part in parts_of(layer):
            stem = re.escape(generated_stem(part))
            match = re.fullmatch(rf"((?:forward_|backward_)?{stem})(_\d+)?", part.name)
            if match:
                self._stems[part.name] = match[1]
        self._numbers = _Numbers()
        self._names: dict[str, str] = {}

    def of(self, path: str) -> str:
        """Returns the path of a weight in the layer, such as `forward_lstm/lstm_cell/kernel`."""
        *parts, last = path.split("/")
        for part in parts:
            if part not in self._names:
                stem = self._stems.get(part)
                self._names[part] = self._numbers.next(stem) if stem else part
        return "/".join([*map(self._names.__getitem__, parts), last])


# --- layers --------------------------------------------------------------------------------------


def _is_model(operation: Any) -> bool:
    import keras

    return isinstance(operation, keras.Model)


def _arguments(operation: Any) -> dict[str, Any]:
    try:
        return dict(operation.get_config())
    except Exception:  # A custom layer may have no config; then only the probe shows differences.
        return {}


def _layer_facts(met: _Met, is_made: bool) -> LayerFacts:
    kind = type(met.operation).__name__
    arguments = _arguments(met.operation)
    simple = (str, int, float, bool, list)
    config: dict[str, Any] = {}
    if not _is_model(met.operation) and kind not in _IDENTITY | _RESHAPE | _POSITIONS:
        config = {
            key: _compared(value)
            for key, value in arguments.items()
            if _is_compared(key) and not (is_made and key in _OF_MADE)
        }
        if met.constants:
            config["constants"] = _compared(met.constants)
    return LayerFacts(
        kind,
        {key: arguments[key] for key in _SETTINGS if isinstance(arguments.get(key), simple)},
        tuple(sorted(met.features)),
        {key: value for key, value in config.items() if value is not _NOT_JSON},
    )


# Arguments that do not change the function, or are compared as shapes, weights or positions.
_NO_CONFIG = {
    *_SETTINGS,
    *("name", "trainable", "dtype", "module", "registered_name", "build_config", "seed"),
    "function",
    *("units", "filters", "input_dim", "output_dim", "num_tokens", "max_tokens", "num_classes"),
    *("batch_shape", "batch_input_shape", "shape", "target_shape", "newshape", "sparse", "ragged"),
    *("momentum", "synchronized", "vocabulary_size", "mask_value_dtype"),
}
_NO_CONFIG_END = ("_initializer", "_regularizer", "_constraint")
# Statistics and vocabularies of a layer whose columns are followed.
_OF_MADE = {"mean", "variance", "scale", "offset", "vocabulary", "bin_boundaries", "num_bins"}
_POSITIONS = {"GetItem", "OneHot"}
_SHORT = 200
_NOT_JSON = object()


def _is_compared(key: Any) -> bool:
    return isinstance(key, str) and key not in _NO_CONFIG and not key.endswith(_NO_CONFIG_END)


def _compared(value: Any) -> Any:
    """Returns a value as JSON, a digest if it is long, or `_NOT_JSON`."""
    try:
        text = json.dumps(_plain(value), sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return _NOT_JSON
    if len(text) <= _SHORT:
        return json.loads(text)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(x) for key, x in value.items() if _is_compared(key)}
    if isinstance(value, (list, tuple)):
        return [_plain(x) for x in value]
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return np.asarray(value).tolist()
    return value


def _constants(call: Call) -> list[Any]:
    import keras

    if isinstance(call.operation, keras.Layer):
        return []
    leaves = keras.tree.flatten((call.args, call.kwargs))
    skipped = (keras.KerasTensor, keras.Variable)
    return [leaf for leaf in leaves if leaf is not None and not isinstance(leaf, skipped)]


def _factor_and_offset(layer: Any, kind: str) -> tuple[Any, Any]:
    """Returns the factor and then the offset that a layer applies to its input."""
    import keras

    if kind == "Rescaling":
        return np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64)
    mean = np.asarray(keras.ops.convert_to_numpy(layer.mean), np.float64)[0]
    variance = np.asarray(keras.ops.convert_to_numpy(layer.variance), np.float64)[0]
    deviation = np.maximum(np.sqrt(variance), keras.backend.epsilon())
    return (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)


def _coding_of(
    layer: Any, kind: str, name: str, source: FeatureTransform
) -> Vocabulary | Buckets | None:
    """Returns the coding of a layer; None if its outputs are not codes."""
    # Hashed buckets, tf-idf weights and inverted lookups have no rows of their own.
    modes = {"int": False, "one_hot": True, "multi_hot": True, "count": True}
    try:
        config = layer.get_config()
        one_hot = modes.get(config["output_mode"])
        if one_hot is None or config.get("invert", False):
            return None
        if kind == "Discretization":
            boundaries = np.asarray(layer.bin_boundaries, np.float64)
            if isinstance(source, Affine):
                boundaries = boundaries * source.scale + source.center
            return Buckets(name, tuple(boundaries.tolist()), one_hot)
        tokens = tuple(str(token) for token in layer.get_vocabulary(include_special_tokens=False))
        words = kind == "TextVectorization"
        masked = not one_hot and (words or config["mask_token"] is not None)
        return Vocabulary(
            name,
            tokens,
            1 if words else config["num_oov_indices"],
            reserved=int(masked),
            one_hot=one_hot,
            oov_first=True,
            integers=kind == "IntegerLookup",
        )
    except (TypeError, ValueError, KeyError, AttributeError):
        return None  # It was not adapted, or its boundaries do not ascend.


# --- labels --------------------------------------------------------------------------------------


def _labelled(
    name: str, shape: tuple[Any, ...], transforms: tuple[FeatureTransform, ...]
) -> _Columns:
    features = frozenset(transform.feature for transform in transforms)
    if None in shape:
        return _Columns(None, features, features)
    total = int(np.prod(shape, dtype=np.int64))
    if len(transforms) == 1 and width(transforms[0]) == 1:
        transforms *= total
    specified = sum(map(width, transforms))
    if specified != total:
        raise ValueError(
            f"input {name!r} has {total} columns, but its specification has {specified}: "
            f"{[transform.feature for transform in transforms][:20]}"
        )
    labels: list[Label] = []
    for transform, place in with_places(transforms):
        if is_one_hot(transform):
            labels += _code_labels(transform.feature, width(transform), width(transform))
        else:
            labels.append(Label("column", transform.feature, place))
    return _Columns(_array(labels, shape), features, features)


def _code_labels(name: str, size: int, count: int) -> list[Label]:
    """Returns labels of `count` rows, of which `size` are codes."""
    return [Label("code" if i < size else "spare", name, i) for i in range(count)]


def _array(labels: list[Label], shape: tuple[int, ...]) -> Any:
    # numpy would turn a list of tuples into a matrix.
    flat = np.empty(len(labels), object)
    flat[:] = labels
    return flat.reshape(shape)


def _numbered(kind: str, name: str, shape: tuple[Any, ...]) -> Any:
    """Returns labels in a shape, numbered from 0; None if a dimension is unknown."""
    if None in shape:
        return None
    return _array([Label(kind, name, i) for i in range(int(np.prod(shape, dtype=np.int64)))], shape)


def _hidden(name: str, shape: tuple[Any, ...], features: frozenset[str]) -> _Columns:
    return _Columns(_numbered("hidden", name, tuple(shape)), frozenset(), features)


def _joined(labels: Any, parts: Iterable[_Columns]) -> _Columns:
    direct = frozenset().union(*(part.direct for part in parts))
    return _Columns(labels, direct, frozenset().union(*(part.features for part in parts)))


def _concatenated(parts: list[_Columns], axis: int) -> _Columns:
    labels = [part.labels for part in parts]
    if any(x is None for x in labels):
        return _joined(None, parts)
    return _joined(np.concatenate(labels, axis=axis if axis < 0 else axis - 1), parts)


def _sliced(labels: Any, call: Call) -> Any:
    key = call.kwargs.get("key", call.args[1] if len(call.args) > 1 else None)
    key = tuple(key) if isinstance(key, (list, tuple)) else (key,)
    if labels is None:
        return None
    if key[0] is not Ellipsis:
        if key[0] != slice(None):
            return None
        key = key[1:]
    part = labels[key]
    # Indexing may return a single label.
    return part if isinstance(part, np.ndarray) else _array([part], ())


def _last_axis(labels: Any) -> tuple[Label, ...] | None:
    """Returns the labels of the last axis, if they are the same along all other axes."""
    if labels is None or labels.ndim == 0:
        return None
    if labels.ndim == 1:
        return tuple(labels)
    places = labels.reshape(-1, labels.shape[-1])
    names = [[(label.kind, label.name) for label in place] for place in places]
    if any(place != names[0] for place in names) or len(set(names[0])) != len(names[0]):
        return None
    return tuple(Label(kind, name, 0) for kind, name in names[0])


def _coding(transform: FeatureTransform | None) -> FeatureTransform | None:
    """Returns an integer coding without its name; None for other transforms."""
    if isinstance(transform, Coded) and not transform.one_hot:
        return dataclasses.replace(transform, feature="")
    return None


def _size(transform: Any, rows: int, where: str) -> int:
    size: int = transform.size
    if size > rows:
        raise ValueError(
            f"{where} has {rows} rows, but {transform.feature!r} has {size} codes: "
            "make it as large as the vocabulary with its out-of-vocabulary buckets"
        )
    return size
