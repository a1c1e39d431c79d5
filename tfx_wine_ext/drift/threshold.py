"""The values from which on a metric fails and warns."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

_SHOWN_LENGTH = 200


@dataclasses.dataclass(frozen=True)
class Threshold:
    """The values from which on a metric fails and warns.

    Args:
        fail: Value from which on a metric means drift. None: it is shown and never fails.
        warn: Value from which on it warns. None: it never warns. 0: it warns at any value above 0.

    Raises:
        ValueError: A level is negative or not finite, or `warn` is above `fail`.
        TypeError: A level is not a number.
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
    """Refuses a value that is not a finite number.

    Raises:
        TypeError: The value is not a number.
        ValueError: The value is not finite, or is too large for a float.

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
    except OverflowError:  # The whole number is too large for a float.
        finite = False
    if not finite:
        raise ValueError(f"{where} must be finite, found {shown(value)}")


def shown(value: Any) -> str:
    """Returns a text of the value for a message, whatever its size.

    Example:
        >>> shown("pH")
        "'pH'"
    """
    try:
        text = repr(value)
    except ValueError:  # Python does not print whole numbers with thousands of digits.
        return "a number of too many digits"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."
