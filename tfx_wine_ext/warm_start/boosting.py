"""Continued boosting: restates an earlier ensemble of trees for columns with other statistics.

Boosting continues an additive ensemble by adding trees that are fitted to its residuals on the new
data. The splits of the earlier ensemble compare columns with thresholds, which must move with the
columns' means and deviations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.warm_start.inputs import Affine, FeatureTransform


def restate_splits(
    column: npt.NDArray[Any],
    threshold: npt.NDArray[Any],
    before: Sequence[FeatureTransform],
    after: Sequence[FeatureTransform],
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Restates splits on one set of columns as splits on another.

    The same raw values fall on the same side, except for rounding of a value that lies exactly on
    a threshold. Learners place thresholds between the values that they have seen.

    Args:
        column: `[splits]` int: the index into `before` of each split's column.
        threshold: `[splits]` float: the value that the column is compared with.
        before: The transforms of the old columns.
        after: The transforms of the new columns, in any order.

    Returns:
        Column and threshold of each split for `after`, with the given dtypes.

    Raises:
        ValueError: The column of a split is gone, or it changed by more than a shift and a positive
            scale factor.

    Example:
        >>> before = [Affine.z_score("pH", 3.0, 0.5), Affine.z_score("alcohol", 10.0, 1.0)]
        >>> after = [Affine.z_score("alcohol", 11.0, 2.0), Affine.z_score("pH", 3.0, 0.5)]
        >>> columns, thresholds = np.array([1, 0]), np.array([3.0, 1.0])
        >>> columns, thresholds = restate_splits(columns, thresholds, before, after)
        >>> columns.tolist(), thresholds.tolist()  # Alcohol above 13, pH above 3.5.
        ([0, 1], [1.0, 1.0])
    """
    places = {transform.feature: place for place, transform in enumerate(after)}
    new_column, new_threshold = np.array(column), np.array(threshold)
    for old in np.unique(column):
        was = before[old]
        if was.feature not in places:
            raise ValueError(
                f"the trees split on {was.feature!r}, which the new data lack; they have "
                f"{sorted(places)}"
            )
        place = places[was.feature]
        now = after[place]
        splits = np.asarray(column) == old
        new_column[splits] = place
        if was == now:
            continue
        if not (isinstance(was, Affine) and isinstance(now, Affine) and was.scale * now.scale > 0):
            raise ValueError(
                f"the trees split on {was.feature!r}, which was {was} and is {now}: only a shift "
                "and a positive factor can be restated"
            )
        new_threshold[splits] = was.restate(np.asarray(threshold)[splits], now)
    return new_column, new_threshold
