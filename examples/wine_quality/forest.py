"""A forest of regression trees as arrays, evaluated by TensorFlow's own operations.

ydf and TF-DF export their models with a custom operation, which a stock TensorFlow Serving cannot
load. A tree is a table of questions, which a few gathers evaluate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfx_wine_ext.warm_start import restate_splits

if TYPE_CHECKING:
    import ydf

    from tfx_wine_ext.warm_start.inputs import FeatureTransform


@dataclasses.dataclass(frozen=True)
class Forest:
    """The sum of regression trees.

    All nodes of all trees lie in one table; a node is an index into it. A node asks whether
    `features[feature] >= threshold`, in float32, and sends the row to its `yes` or its `no` node.
    A leaf sends a row to itself, so that further steps change nothing.

    Attributes:
        feature: `[nodes]` int32, the column that a node asks about; 0 at a leaf.
        threshold: `[nodes]` float32.
        missing: `[nodes]` bool, the answer for a row whose feature is NaN.
        no: `[nodes]` int32, the next node where the answer is no.
        yes: `[nodes]` int32, the next node where the answer is yes.
        value: `[nodes]` float32, what a leaf adds to the prediction; 0 elsewhere.
        root: `[trees]` int32, the first node of each tree.
        bias: What is added to the sum of all trees.
        depth: Largest number of questions on a path from a root to a leaf.
        width: Number of columns of the features.
    """

    feature: np.ndarray
    threshold: np.ndarray
    missing: np.ndarray
    no: np.ndarray
    yes: np.ndarray
    value: np.ndarray
    root: np.ndarray
    bias: float
    depth: int
    width: int

    @classmethod
    def from_ydf(cls, model: ydf.GradientBoostedTreesModel, features: list[str]) -> Forest:
        """Reads the trees of a ydf model of boosted regression trees.

        Args:
            model: Trained on numerical features for regression, with the squared-error loss (whose
                prediction is the plain sum of the trees and the initial prediction).
            features: The names of the columns, in the order in which the forest will get them.

        Raises:
            ValueError: The model is not for regression, uses a feature that is not listed, or has a
                condition other than "a number is at least a threshold".
        """
        import ydf

        if model.task() != ydf.Task.REGRESSION:
            raise ValueError(f"A forest needs a model for regression; this one is {model.task()}.")
        names = {index: column.name for index, column in enumerate(model.data_spec().columns)}
        table = _NodeTable(names, features)
        roots = [table.add(tree.root, 0) for tree in model.get_all_trees()]
        feature, threshold, missing, no, yes, value = zip(*table.nodes)
        return cls(
            feature=np.array(feature, np.int32),
            threshold=np.array(threshold, np.float32),
            missing=np.array(missing, bool),
            no=np.array(no, np.int32),
            yes=np.array(yes, np.int32),
            value=np.array(value, np.float32),
            root=np.array(roots, np.int32),
            bias=float(model.initial_predictions()[0]),
            depth=table.depth,
            width=len(features),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Forest:
        """Reads what `to_arrays` returns.

        Raises:
            ValueError: They are other arrays.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        if sorted(arrays) != sorted(names):
            raise ValueError(f"A forest has the arrays {names}; found {sorted(arrays)}.")
        rest: dict[str, Any] = {name: np.asarray(arrays[name]) for name in names}
        for name, kind in (("bias", float), ("depth", int), ("width", int)):
            rest[name] = kind(rest[name])
        return cls(**rest)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Returns all attributes as arrays, by name."""
        return {
            field.name: np.asarray(getattr(self, field.name)) for field in dataclasses.fields(self)
        }

    def restated(
        self, before: Sequence[FeatureTransform], after: Sequence[FeatureTransform]
    ) -> Forest:
        """Returns the forest that predicts the same from columns with other means and deviations.

        Args:
            before: How the columns were transformed when the forest was trained.
            after: How they are transformed now.

        Raises:
            ValueError: A column that the forest uses is gone or cannot be restated.
        """
        feature, threshold = self.feature.copy(), self.threshold.copy()
        asks = self.no != self.yes  # A leaf sends all rows to itself.
        feature[asks], threshold[asks] = restate_splits(
            self.feature[asks], self.threshold[asks], before, after
        )
        return dataclasses.replace(self, feature=feature, threshold=threshold, width=len(after))

    def __add__(self, other: Forest) -> Forest:
        """Returns the forest whose prediction is the sum of both forests' predictions.

        This is how boosting continues: a forest trained on the residuals of an earlier one is added
        to it.

        Raises:
            ValueError: The forests are for different numbers of columns.
        """
        if self.width != other.width:
            raise ValueError(
                f"Cannot add a forest of {other.width} columns to one of {self.width}: both must "
                "have been made for the same features in the same order."
            )
        shift = len(self.feature)
        return Forest(
            feature=np.concatenate([self.feature, other.feature]),
            threshold=np.concatenate([self.threshold, other.threshold]),
            missing=np.concatenate([self.missing, other.missing]),
            no=np.concatenate([self.no, other.no + shift]),
            yes=np.concatenate([self.yes, other.yes + shift]),
            value=np.concatenate([self.value, other.value]),
            root=np.concatenate([self.root, other.root + shift]),
            bias=self.bias + other.bias,
            depth=max(self.depth, other.depth),
            width=self.width,
        )


class _NodeTable:
    """Collects the nodes of ydf's trees.

    Args:
        names: The columns' names by ydf's number.
        features: The columns of the forest.

    Attributes:
        nodes: As in `Forest`: feature, threshold, missing, no, yes and value of each.
        depth: Largest number of questions so far.
    """

    def __init__(self, names: Mapping[int, str], features: Sequence[str]) -> None:
        self.nodes: list[tuple[int, float, bool, int, int, float]] = []
        self.depth = 0
        self._names = names
        self._features = list(features)

    def add(self, node: Any, depth: int) -> int:
        """Adds a node and all below it, and returns its index."""
        import ydf

        index = len(self.nodes)
        if node.is_leaf:
            self.nodes.append((0, 0.0, False, index, index, node.value.value))
            self.depth = max(self.depth, depth)
            return index
        condition = node.condition
        if type(condition) is not ydf.tree.NumericalHigherThanCondition:
            raise ValueError(
                f"A forest knows only numerical thresholds; found a {type(condition).__name__}. "
                "Train with split_axis='AXIS_ALIGNED', allow_na_conditions=False and numerical "
                "features that are not discretized."
            )
        name = self._names[condition.attribute]
        if name not in self._features:
            raise ValueError(f"The model asks about {name!r}, which is not among {self._features}.")
        self.nodes.append((0, 0.0, False, 0, 0, 0.0))  # a placeholder until the children are known
        no = self.add(node.neg_child, depth + 1)
        yes = self.add(node.pos_child, depth + 1)
        column = self._features.index(name)
        self.nodes[index] = (column, condition.threshold, condition.missing, no, yes, 0.0)
        return index


class ForestModel(tf.Module):
    """A forest as a TensorFlow model, to be called eagerly or saved.

    The memory of a call is about 20 bytes times rows times trees.
    """

    def __init__(self, forest: Forest) -> None:
        """Takes the forest's arrays as constants."""
        super().__init__(name="forest")
        self._forest = forest

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the predictions, `[n, 1]` float32.

        Args:
            features: `[n, width]` float32; NaN is a missing value.
        """
        total = tf.reduce_sum(self.by_tree(features), axis=1, keepdims=True)
        return total + tf.constant(self._forest.bias, tf.float32)

    def by_tree(self, features: tf.Tensor) -> tf.Tensor:
        """Returns what each tree adds to the predictions, `[n, trees]` float32.

        Args:
            features: As for a call.
        """
        forest = self._forest
        columns, thresholds, missing = map(
            tf.constant, (forest.feature, forest.threshold, forest.missing)
        )
        no, yes = tf.constant(forest.no), tf.constant(forest.yes)
        node = tf.tile(forest.root[np.newaxis, :], [tf.shape(features)[0], 1])
        for _ in range(forest.depth):
            asked = tf.gather(features, tf.gather(columns, node), batch_dims=1)
            answer = tf.where(
                tf.math.is_nan(asked),
                tf.gather(missing, node),
                asked >= tf.gather(thresholds, node),
            )
            node = tf.where(answer, tf.gather(yes, node), tf.gather(no, node))
        return tf.gather(tf.constant(forest.value), node)
