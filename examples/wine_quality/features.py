"""What Transform does to the wine data: one z-score per measurement.

Name it by its dotted path, so that no wheel is built for it:
`Transform(..., preprocessing_fn="examples.wine_quality.features.preprocessing_fn")`.
"""

from __future__ import annotations

from typing import Union

import tensorflow as tf
import tensorflow_transform as tft

from examples.wine_quality.constants import FEATURES, LABEL
from examples.wine_quality.training_data import transformed_name

TensorLike = Union[tf.Tensor, tf.SparseTensor]


def preprocessing_fn(inputs: dict[str, TensorLike]) -> dict[str, tf.Tensor]:
    """Turns raw columns into z-scores, with the mean in place of missing values.

    A z-score is `(x - mean) / standard deviation`, both over the split(s) that Transform analyses,
    the deviation being the population's. The z-score of the mean is 0, so a missing value becomes
    0. A value is missing if an optional column (one that the schema reads as sparse) lacks it, or
    if it is NaN. A constant column becomes 0.

    Args:
        inputs: The eleven columns of `FEATURES`, float, and `LABEL`, any number. Each is dense,
            `[batch]` or `[batch, 1]`, or sparse `[batch, ?]` with at most one value a row.

    Returns:
        `alcohol_z` and so on, one for each feature, and the label under its own name: all float32,
        `[batch, 1]`. The names differ from the raw ones, so that a trainer that is given raw
        examples by mistake cannot take them for transformed ones.

    Raises:
        ValueError: A column is missing, or the label is optional. Both are known as soon as
            Transform traces this function, before any data are read.
    """
    missing = [name for name in (*FEATURES, LABEL) if name not in inputs]
    if missing:
        raise ValueError(
            f"preprocessing_fn needs the columns {missing}, but the schema has only "
            f"{sorted(inputs)}: check the columns of the data, or the curated schema."
        )
    if isinstance(inputs[LABEL], tf.SparseTensor):
        raise ValueError(
            f"The label {LABEL!r} must be present in every row, but the schema makes it optional: "
            "remove the rows without a label, or correct the schema (presence min_fraction 1, "
            "value_count or shape of 1)."
        )

    raw = tf.concat([_dense(inputs[name]) for name in FEATURES], axis=1)
    # One matrix instead of eleven columns: one analysis instead of eleven, and a smaller graph.
    # TFT leaves NaN out of the mean and the deviation. It adds up in the order and the batches
    # that Beam happens to make, so in float32 the last bits differ from run to run: enough to
    # move a value across a tree's threshold, and R2 by 0.004. With float64 the differences vanish
    # when the result is rounded to float32.
    z = tft.scale_to_z_score(raw, elementwise=True)
    z = tf.cast(tf.where(tf.math.is_nan(z), tf.zeros_like(z), z), tf.float32)
    outputs = {transformed_name(name): z[:, i : i + 1] for i, name in enumerate(FEATURES)}
    outputs[LABEL] = tf.reshape(tf.cast(inputs[LABEL], tf.float32), [-1, 1])
    return outputs


def _dense(column: TensorLike) -> tf.Tensor:
    """Returns a column as `[batch, 1]` float64, with NaN for a gap."""
    if isinstance(column, tf.SparseTensor):
        # The width of a sparse batch is that of its longest row: 0 when every row has a gap.
        shape = tf.stack([column.dense_shape[0], tf.constant(1, tf.int64)])
        column = tf.sparse.to_dense(
            tf.SparseTensor(column.indices, tf.cast(column.values, tf.float64), shape),
            default_value=float("nan"),
        )
    return tf.reshape(tf.cast(column, tf.float64), [-1, 1])
