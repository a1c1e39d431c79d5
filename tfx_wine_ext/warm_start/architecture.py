"""The structure of a Keras model, as far as weights depend on the meaning of its inputs.

`walk.examine` finds it. Each column of each tensor has a label: a column of an input, one code of a
category, or an output of a layer. At kernels and embeddings the labels of the columns become labels
of the weight's rows, by which rows with the same meaning are found in another model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tfx_wine_ext.documents import Part
from tfx_wine_ext.warm_start.inputs import (
    FeatureTransform,
    transform_from_dict,
    transform_to_dict,
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
