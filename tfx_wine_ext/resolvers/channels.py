"""What all strategies ask of the channels that a Resolver gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def require(input_dict: Mapping[str, Any], *names: str) -> None:
    """Checks that the channels that a strategy reads are there.

    Args:
        input_dict: What a strategy resolves, by the names of the Resolver's channels.
        *names: Of those that it reads.

    Raises:
        ValueError: one is missing; the message names it.

    Example:
        >>> require({"model": []}, "model")
    """
    for name in names:
        if name not in input_dict:
            raise ValueError(
                f"{name}: expected a channel of this name, found {', '.join(sorted(input_dict))}: "
                f"Resolver(strategy_class=..., {name}=...)"
            )
