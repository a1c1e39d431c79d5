"""The structure of a Keras model, as far as weights depend on the meaning of its inputs.

A functional model is walked from its inputs. Each column of each tensor has a label: a column of an
input, one code of a category, or an output of a layer. At kernels and embeddings the labels of the
columns become labels of the weight's rows, by which rows with the same meaning are found in another
model.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tfx_wine_ext.documents import Part
from tfx_wine_ext.warm_start.inputs import (
    Affine,
    Buckets,
    Coded,
    FeatureTransform,
    InputSpec,
    Raw,
    Unknown,
    Vocabulary,
    transform_from_dict,
    transform_to_dict,
    width,
)


class Label(NamedTuple):
    """The meaning of a column of a tensor, or of a row of a weight.

    Attributes:
        kind: ``"column"``: an unchanged column of an input; ``"code"``: one code of a coded
            feature; ``"spare"``: a code that the feature does not use; ``"hidden"``: an output of
            a layer.
        name: Name of the feature (for rows of an embedding, of the embedding), or of the layer.
        place: Index of the column, code or output, from 0.
    """

    kind: str
    name: str
    place: int


@dataclasses.dataclass(frozen=True)
class LayerFacts:
    """The properties of a layer that are compared between models.

    Attributes:
        kind: Its class.
        settings: Settings that change its function besides its weights, such as its activation.
        features: The features it depends on, directly or through other layers.
        config: Its other arguments, such as a slope or a constant; long values as digests.
    """

    kind: str
    settings: Mapping[str, Any]
    features: tuple[str, ...]
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A model's structure.

    Attributes:
        walked: Whether the model could be walked, as functional and sequential models can.
        layers: Layers and operations by name. Generated names are numbered within the model, since
            Keras numbers them within the process; an embedding with a generated name is named by
            its features.
        rows: Labels of a weight's rows, by the name of the weight.
        biases: Name of the bias, by the name of the kernel beside it.
        codings: A feature that has the codes, by the name in labels of kind ``code``.
        opaque: The features whose unchanged columns reach a layer that may be nonlinear in them, by
            the name of the layer.
        made: The features that a layer with statistics or a vocabulary computes, by the name of the
            layer, then by their own names, which begin with the layer's class.
    """

    walked: bool = False
    layers: Mapping[str, LayerFacts] = dataclasses.field(default_factory=dict)
    rows: Mapping[str, tuple[Label, ...]] = dataclasses.field(default_factory=dict)
    biases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    codings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    opaque: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    made: Mapping[str, Mapping[str, FeatureTransform]] = dataclasses.field(default_factory=dict)

    @property
    def features(self) -> dict[str, FeatureTransform]:
        """The features that its layers compute."""
        return {name: x for features in self.made.values() for name, x in features.items()}

    def to_dict(self) -> dict[str, Any]:
        """Returns a JSON object for `from_dict`; runs of consecutive labels are one entry.

        Example:
            >>> rows = {"kernel": (Label("code", "city", 0), Label("code", "city", 1))}
            >>> Architecture(rows=rows).to_dict()["rows"]
            {'kernel': [['code', 'city', 0, 2]]}
        """
        return {
            "walked": self.walked,
            "layers": {
                name: {**dataclasses.asdict(facts), "features": list(facts.features)}
                for name, facts in self.layers.items()
            },
            "rows": {name: _runs(labels) for name, labels in self.rows.items()},
            "biases": dict(self.biases),
            "codings": dict(self.codings),
            "opaque": {name: list(features) for name, features in self.opaque.items()},
            "made": {
                layer: {name: transform_to_dict(x) for name, x in features.items()}
                for layer, features in self.made.items()
            },
        }

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], sizes: Mapping[str, int] | None = None
    ) -> Architecture:
        """Reads what `to_dict` writes.

        Args:
            data: The JSON object, which is untrusted.
            sizes: The number of rows of each weight, by name, which limits the number of labels.
                Default: not checked.

        Raises:
            ValueError: The object is invalid.
        """
        part = Part(data, "the structure of a Keras model")
        made = part.get("made")
        return cls(
            walked=part["walked"].boolean(),
            layers={name: _read_facts(x) for name, x in part["layers"].parts().items()},
            rows={
                name: _read_labels(x, sizes.get(name, 0) if sizes is not None else _MANY_ROWS)
                for name, x in part["rows"].parts().items()
            },
            biases={name: x.text() for name, x in part["biases"].parts().items()},
            codings={name: x.text() for name, x in part["codings"].parts().items()},
            opaque={name: _read_texts(x) for name, x in part["opaque"].parts().items()},
            made={
                layer: {name: transform_from_dict(x.value) for name, x in features.parts().items()}
                for layer, features in (made.parts() if made else {}).items()
            },
        )


_MANY_ROWS = 2**24
_LABEL_KINDS = ("column", "code", "spare", "hidden")


def _read_texts(part: Part) -> tuple[str, ...]:
    return tuple(item.text() for item in part.items())


def _read_facts(part: Part) -> LayerFacts:
    config = part.get("config")
    return LayerFacts(
        part["kind"].text(),
        part["settings"].mapping(),
        _read_texts(part["features"]),
        config.mapping() if config else {},
    )


def _read_labels(part: Part, at_most: int) -> tuple[Label, ...]:
    labels: list[Label] = []
    for run in part.items():
        items = run.items()
        if len(items) != 4:
            raise run.error("kind, name, place and count", f"{len(items)} values")
        kind, name = items[0].one_of(_LABEL_KINDS), items[1].text()
        start = items[2].integer(0, 2**31)
        count = items[3].integer(0, at_most - len(labels))
        labels += [Label(kind, name, start + i) for i in range(count)]
    return tuple(labels)


def _runs(labels: Iterable[Label]) -> list[list[Any]]:
    runs: list[list[Any]] = []
    for kind, name, place in labels:
        last = runs[-1] if runs else None
        if last and last[:2] == [kind, name] and last[2] + last[3] == place:
            last[3] += 1
        else:
            runs.append([kind, name, place, 1])
    return runs


def examine(
    model: Any, inputs: InputSpec, *, follow_made: bool = True
) -> tuple[Architecture, dict[str, Any]]:
    """Walks a model.

    Args:
        model: A built Keras model. Functional and sequential models are walked, including nested
            ones; for other models only the weights are named.
        inputs: The transforms of its inputs.
        follow_made: Whether layers with statistics and vocabularies are followed. False for a
            comparison with a checkpoint of an earlier release, which did not follow them.

    Returns:
        Its structure, and its weights (`keras.Variable`) by their names in the structure.

    Raises:
        ValueError: The model is not built, or `inputs` does not fit it.
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


# Settings that a layer's function depends on besides its weights and shapes.
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
# Layers that pass their columns on in the same order.
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


# Layers that convert one feature, numbers or strings, to codes.
_CODERS = {"StringLookup", "IntegerLookup", "TextVectorization", "Discretization"}


HANDED_ON = {*_IDENTITY, *_RESHAPE, "Concatenate"}
"""Layers and operations that change no values."""


class _Walk:
    def __init__(self, model: Any, inputs: InputSpec, follow_made: bool) -> None:
        self._inputs = inputs
        self._follow_made = follow_made
        self._transforms = dict(inputs.features)
        self._made: dict[str, dict[str, FeatureTransform]] = {}
        self._sources: dict[str, str] = {}  # The source of each feature that a layer made.
        self._constants: dict[int, list[Any]] = {}
        self._names: dict[int, str] = {}
        self._parts: dict[int, _PartNames] = {}
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
        # A Sequential has no inputs before it is built, and a subclassed model never has any.
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
        """Names layers in the model's order, then operations in the order of the walk."""
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
            key = id(node.operation)
            self._uses[key] = self._uses.get(key, 0) + 1
            self._constants.setdefault(key, []).extend(_constants(node))

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
        names = _PartNames(model)
        for weight in model.weights:
            add(weight, names.of(weight.path))

    def _weight_name(self, layer: Any, weight: Any) -> str:
        _, separator, tail = weight.path.rpartition(f"{layer.name}/")
        names = self._parts.setdefault(id(layer), _PartNames(layer))
        return f"{self._names[id(layer)]}/{names.of(tail if separator else weight.path)}"

    # --- the walk ------------------------------------------------------------------------------

    def _input_columns(self, model: Any) -> dict[int, _Columns]:
        names = [tensor._keras_history.operation.name for tensor in model.inputs]
        given = self._inputs.inputs
        if len(names) == len(given) == 1:
            # The name of a single input is irrelevant, and Keras may have generated it.
            given = {names[0]: next(iter(given.values()))}
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

    def _walk(self, nodes: list[Any], tensors: dict[int, _Columns]) -> None:
        # Inputs come before embeddings, which are named by their features and pass the name on.
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
            if len(taken) == 1:
                made = self._make(operation, kind, taken[0], shape)
                if made is not None:
                    return [made]
        return self._unknown(node, taken)

    # --- layers that compute features from features --------------------------------------------

    def _make(
        self, layer: Any, kind: str, taken: _Columns, shape: tuple[Any, ...]
    ) -> _Columns | None:
        """Returns the output of a layer with statistics or a vocabulary; None if unknown."""
        if kind not in _CODERS and kind not in ("Normalization", "Rescaling"):
            return None
        if not self._follow_made:
            return None
        labels = None if taken.labels is None else list(taken.labels.flat)
        if not labels or any(label.kind != "column" for label in labels):
            return None
        if kind not in _CODERS:
            columns = self._scaled(layer, kind, taken.labels)
        else:
            columns = self._coded(layer, kind, labels, shape)
        if columns is None:
            return None
        # Changed transforms of its sources cannot be compensated.
        name = self._names[id(layer)]
        sources = {label.name for label in labels}
        resolved = (Raw,) if kind in _CODERS and kind != "Discretization" else (Raw, Affine)
        changed = {x for x in sources if not isinstance(self._transforms[x], resolved)}
        if changed:
            self._opaque.setdefault(name, set()).update(changed)
        return dataclasses.replace(columns, features=taken.features)

    def _scaled(self, layer: Any, kind: str, labels: Any) -> _Columns | None:
        """Returns the columns of a layer that shifts and scales each column by its own numbers."""
        try:
            factor, offset = _factor_and_offset(layer, kind)
            factor = np.broadcast_to(factor, labels.shape).ravel()
            offset = np.broadcast_to(offset, labels.shape).ravel()
        except (TypeError, ValueError):
            return None
        several = {label.name for label in labels.flat if label.place}
        transforms: list[tuple[str, Affine]] = []
        taken: dict[str, str] = {}
        for label, a, b in zip(labels.flat, factor, offset):
            source = self._transforms[label.name]
            if isinstance(source, Affine):
                center, scale, mean = source.center, source.scale, source.mean
            else:
                center, scale, mean = 0.0, 1.0, None
            if isinstance(source, Coded) or not scale or not a or not np.isfinite([a, b]).all():
                return None
            center, scale = float(center - b * scale / a), float(scale / a)
            if mean is None and kind == "Normalization" and not layer.invert:
                mean = center
            place = f"@{label.place}" if label.name in several else ""
            name = f"{kind}({label.name}{place})"
            transforms.append((name, Affine(name, center, scale, mean)))
            taken[name] = label.name
        renamed = self._add_made(layer, dict(transforms), taken)
        made = [Label("column", renamed[name], 0) for name, _ in transforms]
        direct = frozenset(label.name for label in made)
        return _Columns(_array(made, labels.shape), direct, direct)

    def _coded(
        self, layer: Any, kind: str, labels: list[Label], shape: tuple[Any, ...]
    ) -> _Columns | None:
        """Returns the codes of one feature, or their one-hot columns."""
        sources = {label.name for label in labels}
        if len(sources) != 1:
            return None
        (source,) = sources
        name = f"{kind}({source})"
        transform = _coding_of(layer, kind, name, self._transforms[source])
        if transform is None:
            return None
        if transform.one_hot and (len(shape) != 1 or shape[0] < transform.size):
            return None
        name = self._add_made(layer, {name: transform}, {name: source})[name]
        direct = frozenset([name])
        if transform.one_hot:
            self._codings[name] = name
            size = transform.size
            codes = [Label("code" if i < size else "spare", name, i) for i in range(shape[0])]
            return _Columns(_array(codes, shape), direct, direct)
        if None in shape:
            return _Columns(None, direct, direct)
        count = int(np.prod(shape, dtype=np.int64))
        columns = [Label("column", name, i) for i in range(count)]
        return _Columns(_array(columns, shape), direct, direct)

    def _add_made(
        self, layer: Any, made: Mapping[str, Any], taken: Mapping[str, str]
    ) -> dict[str, str]:
        """Registers features under unique names; returns the names."""
        renamed = {}
        own = self._made.setdefault(self._names[id(layer)], {})
        for name, transform in made.items():
            new = name
            while new in self._transforms:
                new += "~"
            renamed[name] = new
            self._sources[new] = self._source(taken[name])
            own[new] = self._transforms[new] = dataclasses.replace(transform, feature=new)
        return renamed

    def _source(self, feature: str) -> str:
        return self._sources.get(feature, feature)

    def _of_labels(self, labels: Any, source: _Columns) -> _Columns:
        """Returns a part of a tensor, which depends only on the features that its labels name."""
        direct = set()
        for label in labels.flat:
            if label.kind == "column":
                direct.add(label.name)
            elif label.kind == "code":
                direct.add(self._codings[label.name])
        mixed = any(label.kind == "hidden" for label in labels.flat)
        features = source.features if mixed else frozenset(map(self._source, direct))
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
        """Returns the labels of one-hot columns; None if the input is not integer codes."""
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
        shown = ",".join(sorted(map(self._source, taken.direct)))
        if re.fullmatch(r"embedding(_\d+)?", layer.name) and taken.direct:
            stem, _, last = name.rpartition("/")
            # The first of several uses determines the name.
            if "[" not in last:
                name = f"{stem}/" if stem else ""
                name += f"embedding[{shown}]"
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
        return _hidden(f"{name}({shown})", shape, taken.features)

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
                _config(operation, self._constants.get(key, []), self._names[key] in self._made),
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
            made=self._made,
        )


class _PartNames:
    """Names of a layer's weights; generated names of its parts are numbered within the layer.

    Keras numbers them within the process: the LSTM of the second `Bidirectional` is
    `forward_lstm_1`.
    """

    def __init__(self, layer: Any) -> None:
        self._stems: dict[str, str] = {}
        for part in parts_of(layer):
            stem = _snake(type(part).__name__)
            match = re.fullmatch(rf"((?:forward_|backward_)?{re.escape(stem)})(_\d+)?", part.name)
            if match:
                self._stems[part.name] = match[1]
        self._counts: dict[str, int] = {}
        self._names: dict[str, str] = {}

    def of(self, path: str) -> str:
        """Returns the path of a weight in the layer, such as `forward_lstm/lstm_cell/kernel`."""
        *parts, last = path.split("/")
        return "/".join([*map(self._name, parts), last])

    def _name(self, part: str) -> str:
        if part not in self._stems:
            return part
        if part not in self._names:
            stem = self._stems[part]
            count = self._counts.get(stem, 0)
            self._counts[stem] = count + 1
            self._names[part] = f"{stem}_{count}" if count else stem
        return self._names[part]


def parts_of(layer: Any) -> Iterator[Any]:
    """Yields a layer and the layers in its attributes, including lists and mappings."""
    import keras

    seen: set[int] = set()
    waiting: list[Any] = [layer]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, keras.Layer):
            yield value
            waiting += vars(value).values()
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, (list, tuple, set)):
            waiting += value


def _factor_and_offset(layer: Any, kind: str) -> tuple[Any, Any]:
    """Returns the factor and then the offset that a layer applies to its input."""
    import keras

    if kind == "Rescaling":
        return np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64)
    mean = np.asarray(keras.ops.convert_to_numpy(layer.mean), np.float64)[0]
    variance = np.asarray(keras.ops.convert_to_numpy(layer.variance), np.float64)[0]
    deviation = np.maximum(np.sqrt(variance), keras.backend.epsilon())
    if layer.invert:
        return deviation, mean
    return 1 / deviation, -mean / deviation


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
        if kind == "TextVectorization":
            return Vocabulary(name, tokens, 1, -1, 0 if one_hot else 1, one_hot, oov_first=True)
        masked = config["mask_token"] is not None and not one_hot
        return Vocabulary(
            name,
            tokens,
            config["num_oov_indices"],
            -1,
            int(masked),
            one_hot,
            oov_first=True,
            integers=kind == "IntegerLookup",
        )
    except (TypeError, ValueError, KeyError, AttributeError):
        return None  # It was not adapted, or its boundaries do not ascend.


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
_UNTOLD = object()


def _config(operation: Any, constants: list[Any], is_made: bool) -> dict[str, Any]:
    """Returns the arguments of a layer or an operation, without `_SETTINGS`."""
    kind = type(operation).__name__
    if _is_model(operation) or kind in _IDENTITY | _RESHAPE | _POSITIONS:
        return {}
    arguments: dict[str, Any] = {}
    try:
        arguments.update(operation.get_config())
    except Exception:  # A custom layer may have no config; then only the probe shows differences.
        arguments = {}
    config = {
        key: _compared(value)
        for key, value in arguments.items()
        if _is_compared(key) and not (is_made and key in _OF_MADE)
    }
    if constants:
        config["constants"] = _compared(constants)
    return {key: value for key, value in config.items() if value is not _UNTOLD}


def _is_compared(key: Any) -> bool:
    return isinstance(key, str) and key not in _NO_CONFIG and not key.endswith(_NO_CONFIG_END)


def _compared(value: Any) -> Any:
    """Returns a value as JSON, a digest if it is long, or `_UNTOLD` if it is not JSON."""
    plain = _plain(value)
    try:
        text = json.dumps(plain, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return _UNTOLD
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


def _constants(node: Any) -> list[Any]:
    """Returns the arguments of an operation that are not tensors, such as 2.0 in `x * 2.0`."""
    import keras

    if isinstance(node.operation, keras.Layer):
        return []
    leaves = keras.tree.flatten((node.arguments.args, node.arguments.kwargs))
    skipped = (keras.KerasTensor, keras.Variable)
    return [leaf for leaf in leaves if leaf is not None and not isinstance(leaf, skipped)]


def _nodes(outputs: Iterable[Any], stop: set[int]) -> list[Any]:
    """Returns the calls that lead to the outputs, in topological order."""
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
    """Returns a class's name in the form that Keras uses in generated names."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _settings(operation: Any) -> dict[str, Any]:
    try:
        config = operation.get_config()
    except Exception:  # A custom layer may have no config.
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
    specified = sum(map(width, transforms))
    if specified != total:
        raise ValueError(
            f"input {name!r} has {total} columns, but its specification has {specified}: "
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
    # numpy would turn a list of tuples into a matrix.
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
    """Wraps a single label, which indexing may return, in an array."""
    return labels if isinstance(labels, np.ndarray) else _array([labels], ())


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
