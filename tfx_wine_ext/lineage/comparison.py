"""Comparisons of two runs on plain values, shared with the history page.

It imports nothing heavy, so a page can be made without MLMD.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def interval_of_change(
    old: tuple[float, float, float], new: tuple[float, float, float]
) -> tuple[float, float]:
    """Returns the confidence interval of the difference of two values.

    Of two intervals l1..u1 and l2..u2 around m1 and m2, that of m2 - m1 is from
    ``d - sqrt((m2 - l2)^2 + (u1 - m1)^2)`` to ``d + sqrt((u2 - m2)^2 + (m1 - l1)^2)`` (Zou and
    Donner, 2008, doi:10.1002/sim.3095). It is valid for independent evaluations, such as those of
    different data; for two models on the same data it is usually too wide.

    Args:
        old: The earlier value, and the lower and upper end of its interval.
        new: The later value, and the ends of its interval.

    Example:
        >>> interval_of_change((0.0, -3.0, 3.0), (2.0, -2.0, 6.0))
        (-3.0, 7.0)
    """
    (m1, l1, u1), (m2, l2, u2) = old, new
    change = m2 - m1
    return change - math.hypot(m2 - l2, u1 - m1), change + math.hypot(u2 - m2, m1 - l1)


def same_examples(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> bool | None:
    """Tells whether the Examples of two runs are the same data; None if unknown.

    Args:
        old: ``id``, ``content_fingerprint`` and ``rows`` of the first run's; None: it has none.
        new: The same of the second run's.

    Example:
        >>> one = {"id": 1, "content_fingerprint": "a", "rows": {"train": 2}}
        >>> same_examples(one, {**one, "id": 2}), same_examples(one, None)
        (True, None)
    """
    if old is None or new is None:
        return None
    if old["id"] == new["id"]:
        return True
    if old["content_fingerprint"] and new["content_fingerprint"]:
        # The same files may have been split differently.
        same: bool = old["content_fingerprint"] == new["content_fingerprint"]
        return same and bool(old["rows"] == new["rows"])
    if None not in (old["rows"], new["rows"]) and old["rows"] != new["rows"]:
        return False
    return None
