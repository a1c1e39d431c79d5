"""From which value on a metric fails and warns."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

_SHOWN_LENGTH = 200


@dataclasses.dataclass(frozen=True)
class Threshold:
    """From which value on a metric fails and warns.

    Args:
        fail: Value from which on a metric means drift; None: it is shown and never fails.
        warn: Value from which on it warns; None: it never warns. 0 means: any value above 0.

    Raises:
        ValueError: A level is negative or not finite, or `warn` is above `fail`.
        TypeError: A level is no number.
    """

    fail: float | None = None
    warn: float | None = None

    def __post_init__(self) -> None:
        for name, level in (("fail", self.fail), ("warn", self.warn)):
            if level is not None:
                check_number(level, name)
                if level < 0:
                    raise ValueError(f"{name} must be a number >= 0 or None, found {shown(level)}")
        if self.fail is not None and self.warn is not None and self.warn > self.fail:
            raise ValueError(f"warn must be at most fail ({self.fail}), found {self.warn}")


def check_number(value: Any, where: str) -> None:
    """Refuses what is no finite number.

    Raises:
        TypeError: It is no number.
        ValueError: It is not finite, or too large for a float.

    Example:
        >>> check_number(True, "fail")
        Traceback (most recent call last):
        ...
        TypeError: fail must be a number, found True
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{where} must be a number, found {shown(value)}")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # A whole number that no float can hold.
        finite = False
    if not finite:
        raise ValueError(f"{where} must be finite, found {shown(value)}")


def shown(value: Any) -> str:
    """Returns a value for a message, of whatever size it is.

    Example:
        >>> shown("pH")
        "'pH'"
    """
    try:
        text = repr(value)
    except ValueError:  # Python does not write whole numbers of thousands of digits.
        return "a number of too many digits"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."
