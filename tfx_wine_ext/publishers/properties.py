"""Sets typed custom properties, for publishers."""

from __future__ import annotations

from collections.abc import Mapping

from tfx.types.artifact import Artifact


def set_custom_properties(
    artifact: Artifact, values: Mapping[str, str | int | float | None]
) -> None:
    """Sets custom properties, typed by their values.

    Args:
        artifact: Changed in place, where both launch paths read it.
        values: Values by key; None is omitted.
    """
    for key, value in values.items():
        if isinstance(value, str):
            artifact.set_string_custom_property(key, value)
        elif isinstance(value, int):
            artifact.set_int_custom_property(key, value)
        elif value is not None:
            artifact.set_float_custom_property(key, value)
