"""Checks of a Resolver's channels, shared by the strategies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def require(input_dict: Mapping[str, Any], *names: str) -> None:
    """Checks that the Resolver has the channels that a strategy reads.

    Args:
        input_dict: Artifacts by the names of the Resolver's channels.
        *names: Names of the required channels.

    Raises:
        ValueError: A channel is missing; the message names it.

    Example:
        >>> require({"model": []}, "model")
    """
    for name in names:
        if name not in input_dict:
            raise ValueError(
                f"{name}: expected a channel of this name, found {', '.join(sorted(input_dict))}: "
                f"Resolver(strategy_class=..., {name}=...)"
            )
