"""What drivers decide: functions of inputs and parameters, which executors can call, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfx import types

Inputs = Mapping[str, Sequence[types.Artifact]]
"""The artifacts of each input; an optional input may be missing or empty."""
