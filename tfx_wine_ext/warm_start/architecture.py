"""The structure of a Keras model, as far as weights depend on what the inputs mean.

A functional model is walked from its inputs on. Each column of each tensor has a label that says
what it is: a column of an input, one code of a category, or an output of a layer. Where columns
meet a kernel or the rows of an embedding, the labels say which row belongs to what, so that rows
can be found again in another model by their meaning.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tfx_wine_ext.warm_start.inputs import Coded, FeatureTransform, InputSpec, Unknown, width


class Label(NamedTuple):
    """What a column of a tensor, or a row of a weight, is.

    Attributes:
        kind: ``"column"``: a column of an input as it is; ``"code"``: one code of a coded feature;
            ``"spare"``: a code that the feature does not have; ``"hidden"``: an output of a layer.
        name: Of the feature (of the embedding, for its rows), or of the layer.
        place: Which of its columns, codes or outputs, from 0.
    """

    kind: str
    name: str
    place: int


@dataclasses.dataclass(frozen=True)
class LayerFacts:
    """What is compared of a layer.

    Attributes:
        kind: Its class.
        settings: What changes its function besides its weights, such as its activation.
        features: The features it depends on, through whatever layers.
    """

    kind: str
    settings: Mapping[str, Any]
    features: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A model's structure.

    Attributes:
        walked: Whether the model could be walked: functional and sequential ones can.
        layers: By name, layers and operations. Names that Keras made up count within the model,
            since Keras counts within the process; an embedding without a name of its own is named
            by its features.
        rows: By the name of a weight, what its rows are.
        biases: By the name of a kernel, that of the bias beside it.
        codings: By the name in a label of kind ``code``, a feature that has these codes.
        opaque: By the name of a layer, the features whose columns it takes as they are, and in
            which it is not known to be linear.
    """

    walked: bool = False
    layers: Mapping[str, LayerFacts] = dataclasses.field(default_factory=dict)
    rows: Mapping[str, tuple[Label, ...]] = dataclasses.field(default_factory=dict)
    biases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    codings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    opaque: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """A JSON object that `from_dict` takes; runs of like labels are one entry.

        Example:
            >>> rows = {"kernel": (Label("code", "city", 0), Label("code", "city", 1))}
            >>> Architecture(rows=rows).to_dict()["rows"]
            {'kernel': [['code', 'city', 0, 2]]}
        """
        return {
            "walked": self.walked,
            "layers": {name: dataclasses.asdict(facts) for name, facts in self.layers.items()},
            "rows": {name: _runs(labels) for name, labels in self.rows.items()},
            "biases": dict(self.biases),
            "codings": dict(self.codings),
            "opaque": {name: list(features) for name, features in self.opaque.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Architecture:
        """Reads what `to_dict` writes.

        Raises:
            ValueError: It is something else.
        """
        try:
            return cls(
                walked=data["walked"],
                layers={
                    name: LayerFacts(x["kind"], x["settings"], tuple(x["features"]))
                    for name, x in data["layers"].items()
                },
                rows={
                    name: tuple(
                        Label(kind, of, start + i)
                        for kind, of, start, count in runs
                        for i in range(count)
                    )
                    for name, runs in data["rows"].items()
                },
                biases=data["biases"],
                codings=data["codings"],
                opaque={name: tuple(features) for name, features in data["opaque"].items()},
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"not the structure of a Keras model: {error!r}") from None


def _runs(labels: Iterable[Label]) -> list[list[Any]]:
    runs: list[list[Any]] = []
    for kind, name, place in labels:
        last = runs[-1] if runs else None
        if last and last[:2] == [kind, name] and last[2] + last[3] == place:
            last[3] += 1
        else:
            runs.append([kind, name, place, 1])
    return runs


def examine(model: Any, inputs: InputSpec) -> tuple[Architecture, dict[str, Any]]:
    """Walks a model.

    Args:
        model: A built Keras model. Functional and sequential ones are walked, and models within
            them; of others only the weights are named.
        inputs: What its inputs are.

    Returns:
        Its structure, and its weights (`keras.Variable`) by the names that the structure has.

    Raises:
        ValueError: The model is not built, or `inputs` does not fit it.
    """
    if not model.built:
        raise ValueError(
            f"model {model.name!r} has no weights yet: build it, or call it on a batch, first"
        )
    walk = _Walk(model, inputs)
    return walk.architecture, walk.weights


@dataclasses.dataclass(frozen=True)
class _Columns:
    """What is known of a tensor.

    Attributes:
        labels: In the tensor's shape without the batch; None where a dimension is not known.
        direct: The features whose columns or codes are in it as they are.
        features: The features it depends on.
    """

    labels: Any
    direct: frozenset[str]
    features: frozenset[str]


# What a layer's function depends on besides its weights and its shapes.
_SETTINGS = (
    "activation",
    "recurrent_activation",
    "use_bias",
    "axis",
    "epsilon",
    "negative_slope",
    "mask_zero",
    "output_mode",
)
# Layers that hand their columns on, in the order in which they came.
_RESHAPE = {"Flatten", "Reshape", "Squeeze", "ExpandDims"}
_IDENTITY = {
    "Dropout",
    "SpatialDropout1D",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
    "Cast",
}


class _Walk:
    def __init__(self, model: Any, inputs: InputSpec) -> None:
        self._inputs = inputs
        self._transforms = inputs.features
        self._names: dict[int, str] = {}
        self._uses: dict[int, int] = {}
        self.weights: dict[str, Any] = {}
        self._features: dict[int, set[str]] = {}
        self._operations: dict[int, Any] = {}
        self._rows: dict[str, list[tuple[Label, ...] | None]] = {}
        self._row_features: dict[str, set[str]] = {}
        self._biases: dict[str, str] = {}
        self._codings: dict[str, str] = {}
        self._opaque: dict[str, set[str]] = {}
        for feature, transform in self._transforms.items():
            if isinstance(transform, Coded) and transform.one_hot:
                self._codings[feature] = feature
        # A Sequential has no inputs before it is built, and a subclassed model never has.
        walked = bool(getattr(model, "inputs", None) and getattr(model, "outputs", None))
        if walked:
            tensors = self._input_columns(model)
            nodes = _nodes(model.outputs, {id(tensor) for tensor in model.inputs})
            self._name_operations(model, nodes, "")
            self._walk(nodes, tensors)
        else:
            self._name_operations(model, [], "")
        self._name_weights(model)
        self.architecture = self._result(walked)

    # --- names ---------------------------------------------------------------------------------

    def _name_operations(self, model: Any, nodes: list[Any], prefix: str) -> None:
        """Names layers in the model's order, then operations in that of the walk."""
        counts: dict[str, int] = {}
        taken: set[str] = set()
        operations = [*model.layers, *(node.operation for node in nodes)]
        for operation in operations:
            if id(operation) in self._names:
                continue
            name = operation.name
            stem = _snake(type(operation).__name__)
            if re.fullmatch(rf"{re.escape(stem)}(_\d+)?", name):
                count = counts.get(stem, 0)
                counts[stem] = count + 1
                name = f"{stem}_{count}" if count else stem
            while name in taken:
                name += "~"
            taken.add(name)
            self._names[id(operation)] = prefix + name
            self._operations[id(operation)] = operation
            if _is_model(operation):
                inner = _inner_nodes(operation)
                self._name_operations(operation, inner, f"{prefix}{name}/")
        for node in nodes:
            self._uses[id(node.operation)] = self._uses.get(id(node.operation), 0) + 1

    def _name_weights(self, model: Any) -> None:
        seen: set[int] = set()

        def add(weight: Any, name: str) -> None:
            if id(weight) not in seen:
                seen.add(id(weight))
                while name in self.weights:
                    name += "~"
                self.weights[name] = weight

        def descend(owner: Any) -> None:
            for layer in owner.layers:
                if _is_model(layer):
                    descend(layer)
                for weight in layer.weights:
                    add(weight, self._weight_name(layer, weight))

        descend(model)
        for weight in model.weights:
            add(weight, weight.path)

    def _weight_name(self, layer: Any, weight: Any) -> str:
        _, found, tail = weight.path.rpartition(f"{layer.name}/")
        return f"{self._names[id(layer)]}/{tail if found else weight.path}"

    # --- the walk ------------------------------------------------------------------------------

    def _input_columns(self, model: Any) -> dict[int, _Columns]:
        names = [tensor._keras_history.operation.name for tensor in model.inputs]
        given = self._inputs.inputs
        if len(names) == len(given) == 1:
            # The name of an only input says nothing, and Keras may have made it up.
            given = {names[0]: next(iter(given.values()))}
        strangers = sorted(set(given) - set(names))
        if strangers:
            raise ValueError(
                f"the input specification names {strangers}, but model {model.name!r} has the "
                f"inputs {names}"
            )
        return {
            id(tensor): _labelled(name, tensor.shape[1:], given.get(name, (Unknown(name),)))
            for name, tensor in zip(names, model.inputs)
        }

    def _walk(self, nodes: list[Any], tensors: dict[int, _Columns]) -> None:
        # Embeddings are named by their features, and hand the name on: so all their inputs first.
        for node in nodes:
            operation = node.operation
            taken = [tensors[id(x)] for x in node.arguments.keras_tensors]
            own = self._features.setdefault(id(operation), set())
            own.update(*(x.features for x in taken))
            for tensor, columns in zip(node.outputs, self._visit(node, taken)):
                tensors[id(tensor)] = columns

    def _visit(self, node: Any, taken: list[_Columns]) -> list[_Columns]:
        operation = node.operation
        kind = type(operation).__name__
        if _is_model(operation) and getattr(operation, "inputs", None):
            inner = dict(zip(map(id, operation.inputs), taken))
            self._walk(_inner_nodes(operation), inner)
            return [inner[id(tensor)] for tensor in operation.outputs]
        (shape, *more) = [tuple(tensor.shape[1:]) for tensor in node.outputs]
        if not more and len(taken) >= 1:
            labels = None
            if kind in _IDENTITY or (kind == "Activation" and _setting(operation) == "linear"):
                return [taken[0]]
            if kind in _RESHAPE:
                if taken[0].labels is None or None in shape:
                    return [dataclasses.replace(taken[0], labels=None)]
                return [dataclasses.replace(taken[0], labels=taken[0].labels.reshape(shape))]
            if kind == "Concatenate" and operation.axis != 0:
                return [_concatenated(taken, operation.axis)]
            if kind == "GetItem":
                labels = _sliced(taken[0].labels, node.arguments)
            elif kind == "CategoryEncoding":
                labels = self._encoded(taken[0].labels, operation.num_tokens, operation.output_mode)
            elif kind == "OneHot" and operation.axis == -1:
                labels = self._encoded(taken[0].labels, operation.num_classes, "each")
            if labels is not None and labels.shape == shape:
                return [self._of_labels(labels, taken[0])]
            if kind == "Embedding":
                return [self._embedding(operation, taken[0], shape)]
            if kind == "Dense":
                return [self._dense(operation, taken[0], shape)]
        return self._unknown(node, taken)

    def _of_labels(self, labels: Any, source: _Columns) -> _Columns:
        """A part of a tensor: it depends on no more than what its labels name."""
        direct = set()
        for label in labels.flat:
            if label.kind == "column":
                direct.add(label.name)
            elif label.kind == "code":
                direct.add(self._codings[label.name])
        mixed = any(label.kind == "hidden" for label in labels.flat)
        features = source.features if mixed else frozenset(direct)
        return _Columns(labels, frozenset(direct), features)

    def _unknown(self, node: Any, taken: list[_Columns]) -> list[_Columns]:
        direct = frozenset().union(*(x.direct for x in taken))
        if direct:
            self._opaque.setdefault(self._names[id(node.operation)], set()).update(direct)
        features = frozenset().union(*(x.features for x in taken))
        name = self._output_name(node.operation, features)
        return [
            _hidden(f"{name}:{number}" if number else name, tuple(tensor.shape[1:]), features)
            for number, tensor in enumerate(node.outputs)
        ]

    def _output_name(self, operation: Any, features: Iterable[str]) -> str:
        name = self._names[id(operation)]
        shared = self._uses.get(id(operation), 1) > 1
        return f"{name}({','.join(sorted(features))})" if shared else name

    def _encoded(self, labels: Any, count: int, mode: str) -> Any:
        """The labels of one-hot columns; None if the input is not one of whole codes."""
        if labels is None or not labels.size:
            return None
        columns = list(labels.flat)
        features = {label.name for label in columns}
        if any(label.kind != "column" for label in columns):
            return None
        coded = [self._transforms[name] for name in sorted(features)]
        if not all(isinstance(x, Coded) and not x.one_hot for x in coded):
            return None
        if mode == "each":
            rows = [row for x in columns for row in self._codes(x, count, len(columns) > 1)]
            return _array(rows, (*labels.shape, count))
        if len(features) > 1 or (mode == "one_hot" and len(columns) > 1):
            return None
        return _array(self._codes(columns[0], count, False), (count,))

    def _codes(self, column: Label, count: int, several: bool) -> list[Label]:
        name = f"{column.name}@{column.place}" if several else column.name
        self._codings[name] = column.name
        size = _size(self._transforms[column.name], count, f"the one-hot vector of {column.name!r}")
        return [Label("code" if i < size else "spare", name, i) for i in range(count)]

    def _embedding(self, layer: Any, taken: _Columns, shape: tuple[Any, ...]) -> _Columns:
        name = self._names[id(layer)]
        if re.fullmatch(r"embedding(_\d+)?", layer.name) and taken.direct:
            stem, _, last = name.rpartition("/")
            # Of several uses the first one names it.
            if "[" not in last:
                name = f"{stem}/" if stem else ""
                name += f"embedding[{','.join(sorted(taken.direct))}]"
                while name in self._names.values():
                    name += "~"
                self._names[id(layer)] = name
        weight = f"{name}/embeddings"
        coded = [self._transforms.get(feature) for feature in sorted(taken.direct)]
        codings = {_coding(x) for x in coded}
        if taken.direct and None not in codings and len(codings) == 1:
            first = sorted(taken.direct)[0]
            self._codings.setdefault(name, first)
            size = _size(coded[0], layer.input_dim, f"embedding {name!r}")
            rows = tuple(
                Label("code" if i < size else "spare", name, i) for i in range(layer.input_dim)
            )
            self._rows.setdefault(weight, []).append(rows)
            same = _coding(self._transforms[self._codings[name]]) in codings
            if not same:
                self._rows[weight].append(None)
        else:
            self._rows.setdefault(weight, []).append(None)
        self._row_features.setdefault(weight, set()).update(taken.direct)
        features = ",".join(sorted(taken.direct))
        return _hidden(f"{name}({features})", shape, taken.features)

    def _dense(self, layer: Any, taken: _Columns, shape: tuple[Any, ...]) -> _Columns:
        name = self._names[id(layer)]
        self._rows.setdefault(f"{name}/kernel", []).append(_last_axis(taken.labels))
        self._row_features.setdefault(f"{name}/kernel", set()).update(taken.direct)
        if layer.use_bias:
            self._biases[f"{name}/kernel"] = f"{name}/bias"
        return _hidden(self._output_name(layer, taken.features), shape, taken.features)

    # --- the result ----------------------------------------------------------------------------

    def _result(self, walked: bool) -> Architecture:
        rows = {}
        for name, uses in self._rows.items():
            if name in self.weights and uses[0] is not None and set(uses) == {uses[0]}:
                rows[name] = uses[0]
            elif self._row_features[name]:
                layer = name.rpartition("/")[0]
                self._opaque.setdefault(layer, set()).update(self._row_features[name])
        layers = {
            self._names[key]: LayerFacts(
                type(operation).__name__,
                _settings(operation),
                tuple(sorted(self._features.get(key, ()))),
            )
            for key, operation in self._operations.items()
            if type(operation).__name__ != "InputLayer"
        }
        return Architecture(
            walked=walked,
            layers=layers,
            rows=rows,
            biases=self._biases,
            codings=self._codings,
            opaque={name: tuple(sorted(features)) for name, features in self._opaque.items()},
        )


def _nodes(outputs: Iterable[Any], stop: set[int]) -> list[Any]:
    """The calls that lead to the outputs, each after those it depends on."""
    ordered: list[Any] = []
    done: set[int] = set()
    stack = [(tensor, False) for tensor in reversed(list(outputs))]
    while stack:
        tensor, expanded = stack.pop()
        if id(tensor) in stop:
            continue
        history = tensor._keras_history
        node = history.operation._inbound_nodes[history.node_index]
        if id(node) in done:
            continue
        if expanded:
            done.add(id(node))
            ordered.append(node)
        else:
            stack.append((tensor, True))
            stack += [(x, False) for x in reversed(node.arguments.keras_tensors)]
    return ordered


def _is_model(operation: Any) -> bool:
    import keras

    return isinstance(operation, keras.Model)


def _inner_nodes(model: Any) -> list[Any]:
    if not getattr(model, "inputs", None):
        return []
    return _nodes(model.outputs, {id(tensor) for tensor in model.inputs})


def _snake(name: str) -> str:
    """A class's name as Keras writes it in the names that it makes up."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _settings(operation: Any) -> dict[str, Any]:
    try:
        config = operation.get_config()
    except Exception:  # A custom layer may not have one, which says nothing about its weights.
        return {}
    simple = (str, int, float, bool, list)
    return {key: config[key] for key in _SETTINGS if isinstance(config.get(key), simple)}


def _setting(operation: Any) -> Any:
    return _settings(operation).get("activation")


def _labelled(
    name: str, shape: tuple[Any, ...], transforms: tuple[FeatureTransform, ...]
) -> _Columns:
    features = frozenset(transform.feature for transform in transforms)
    if None in shape:
        return _Columns(None, features, features)
    total = int(np.prod(shape, dtype=np.int64))
    if len(transforms) == 1 and width(transforms[0]) == 1:
        transforms *= total
    found = sum(map(width, transforms))
    if found != total:
        raise ValueError(
            f"input {name!r} has {total} columns, but its specification has {found}: "
            f"{[transform.feature for transform in transforms][:20]}"
        )
    labels: list[Label] = []
    seen: dict[str, int] = {}
    for transform in transforms:
        of = transform.feature
        if width(transform) == 1 and not getattr(transform, "one_hot", False):
            labels.append(Label("column", of, seen.get(of, 0)))
            seen[of] = seen.get(of, 0) + 1
        else:
            labels += [Label("code", of, i) for i in range(width(transform))]
    return _Columns(_array(labels, shape), features, features)


def _array(labels: list[Label], shape: tuple[int, ...]) -> Any:
    # numpy would make a matrix of a list of tuples.
    flat = np.empty(len(labels), object)
    flat[:] = labels
    return flat.reshape(shape)


def _hidden(name: str, shape: tuple[Any, ...], features: frozenset[str]) -> _Columns:
    if None in shape:
        return _Columns(None, frozenset(), features)
    count = int(np.prod(shape, dtype=np.int64))
    labels = _array([Label("hidden", name, i) for i in range(count)], shape)
    return _Columns(labels, frozenset(), features)


def _concatenated(taken: list[_Columns], axis: int) -> _Columns:
    direct = frozenset().union(*(x.direct for x in taken))
    features = frozenset().union(*(x.features for x in taken))
    if any(x.labels is None for x in taken):
        return _Columns(None, direct, features)
    labels = np.concatenate([x.labels for x in taken], axis=axis if axis < 0 else axis - 1)
    return _Columns(labels, direct, features)


def _sliced(labels: Any, arguments: Any) -> Any:
    key = arguments.kwargs.get("key", arguments.args[1] if len(arguments.args) > 1 else None)
    key = tuple(key) if isinstance(key, (list, tuple)) else (key,)
    if labels is None or key[0] is Ellipsis:
        return None if labels is None else _as_array(labels[key])
    return _as_array(labels[key[1:]]) if key[0] == slice(None) else None


def _as_array(labels: Any) -> Any:
    """What an index gives: an array, or a single label."""
    return labels if isinstance(labels, np.ndarray) else _array([labels], ())


def _last_axis(labels: Any) -> tuple[Label, ...] | None:
    """What the last axis is, if that is the same at all places of the others."""
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
    """What decides which code means what, without the name; None if it is not one integer."""
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
