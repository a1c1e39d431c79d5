"""The hyperparameters of both kinds of model: their defaults and what Tuner may try instead."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

SEED = 20260101
"""Seed of everything random in training and tuning: the same data give the same model."""

HyperparametersT = TypeVar("HyperparametersT", "TreesHyperparameters", "DnnHyperparameters")


@dataclasses.dataclass(frozen=True)
class TreesHyperparameters:
    """Settings of the boosted trees. docs/model-choice.md says how the defaults were found.

    Attributes:
        num_trees: Number of trees. All of them are kept: there is no early stopping.
        max_depth: Largest number of nodes on a path from root to leaf, the root included (as ydf
            and TF-DF count: 7 means at most six questions).
        shrinkage: Learning rate: the factor on each tree's answer.
        subsample: Share of the rows, drawn anew for each tree.
        feature_share: Share of the features, drawn anew for each node.
        min_examples: Least number of rows in a leaf.
    """

    num_trees: int = 300
    max_depth: int = 7
    shrinkage: float = 0.02
    subsample: float = 0.8
    feature_share: float = 0.2
    min_examples: int = 5


@dataclasses.dataclass(frozen=True)
class DnnHyperparameters:
    """Settings of the network.

    Attributes:
        units: Width of each of the hidden layers.
        layers: Number of hidden layers.
        dropout: Share of each hidden layer's outputs that is dropped in training.
        learning_rate: Adam's.
        batch_size: Rows in a step.
        max_epochs: Passes over the data at most. Training stops earlier when the held-out fifth of
            the train split has not improved for `patience` epochs.
        patience: See `max_epochs`.
    """

    units: int = 64
    layers: int = 2
    dropout: float = 0.2
    learning_rate: float = 0.003
    batch_size: int = 64
    max_epochs: int = 30
    patience: int = 5


TREES_SPACE: dict[str, list[Any]] = {
    "num_trees": [100, 200, 300],
    "max_depth": [4, 5, 6, 7, 8],
    "shrinkage": [0.02, 0.03, 0.05, 0.1],
    "subsample": [0.6, 0.8, 1.0],
    "feature_share": [0.2, 0.3, 0.4, 0.6, 1.0],
    "min_examples": [5, 10, 20],
}
"""The values Tuner may choose from for the trees, by the names of `TreesHyperparameters`."""

DNN_SPACE: dict[str, list[Any]] = {
    "units": [32, 64, 128],
    "layers": [1, 2, 3],
    "dropout": [0.0, 0.1, 0.2, 0.3],
    "learning_rate": [0.001, 0.003, 0.01],
}
"""The values Tuner may choose from for the network, by the names of `DnnHyperparameters`."""


def from_tuner(kind: type[HyperparametersT], config: Mapping[str, Any] | None) -> HyperparametersT:
    """Returns the hyperparameters of a kind: what Tuner chose, and the defaults for the rest.

    Args:
        kind: `TreesHyperparameters` or `DnnHyperparameters`.
        config: `FnArgs.hyperparameters`: the config of a `keras_tuner.HyperParameters`, whose
            `values` hold the chosen ones by name. None when the pipeline has no Tuner.

    Raises:
        ValueError: The config has no `values`, or a value of an unknown name, as when the trees'
            hyperparameters are given to the network.

    Example:
        >>> from_tuner(TreesHyperparameters, {"space": [], "values": {"num_trees": 7}}).num_trees
        7
        >>> from_tuner(TreesHyperparameters, None) == TreesHyperparameters()
        True
    """
    if config is None:
        return kind()
    if "values" not in config:
        raise ValueError(
            "The hyperparameters must be the config of a keras_tuner.HyperParameters, with the "
            f"key 'values'; found the keys {sorted(config)}."
        )
    known = [field.name for field in dataclasses.fields(kind)]
    unknown = sorted(set(config["values"]) - set(known))
    if unknown:
        raise ValueError(
            f"{kind.__name__} has no {unknown}; it has {known}. Were these hyperparameters tuned "
            "for the other kind of model?"
        )
    return kind(**config["values"])
