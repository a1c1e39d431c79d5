"""Boosted trees that go on: an earlier ensemble, restated, and new trees for what it leaves over.

An additive ensemble is continued by adding trees that are fitted to its residuals on the new data:
that is what boosting does anyhow, from one tree to the next. What an earlier ensemble asks are
thresholds of columns, and these move with the columns' means and deviations.
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
    """Turns questions about one set of columns into the same questions about another.

    The answers are the same for the same raw values, but for the last bit of a value that lies on
    a threshold. Learners put thresholds between the values that they saw.

    Args:
        column: `[splits]` int, which column of `before` each asks about.
        threshold: `[splits]` float, what it is compared with.
        before: What the columns were.
        after: What they are, in whatever order.

    Returns:
        Column and threshold of each split for `after`, of the types that were given.

    Raises:
        ValueError: A column that is asked about is gone, or was changed in another way than by
            shifting it and scaling it by a positive factor.

    Example:
        >>> before = [Affine.z_score("pH", 3.0, 0.5), Affine.z_score("alcohol", 10.0, 1.0)]
        >>> after = [Affine.z_score("alcohol", 11.0, 2.0), Affine.z_score("pH", 3.0, 0.5)]
        >>> asked, levels = np.array([1, 0]), np.array([3.0, 1.0])
        >>> columns, thresholds = restate_splits(asked, levels, before, after)
        >>> columns.tolist(), thresholds.tolist()  # Alcohol above 13, pH above 3.5.
        ([0, 1], [1.0, 1.0])
    """
    places = {transform.feature: place for place, transform in enumerate(after)}
    new_column, new_threshold = np.array(column), np.array(threshold)
    for old in np.unique(column):
        was = before[old]
        if was.feature not in places:
            raise ValueError(
                f"the trees ask about {was.feature!r}, which the new data do not have; they have "
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
                f"the trees ask about {was.feature!r}, which was {was} and is {now}: only a shift "
                "and a positive factor can be restated"
            )
        new_threshold[splits] = was.restate(np.asarray(threshold)[splits], now)
    return new_column, new_threshold
