"""What a transfer did, and what it could not do, as facts.

`report.words.warm_start` makes the sentences of them.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

Kind = enum.Enum(
    "Kind",
    # Of a variable: where its values are from.
    "SAME ROWS_MOVED SHIFTED COMMON_BLOCK COMMON_ROWS OTHER_SHAPE NOT_THERE OF_NEW_FEATURE "
    "OWN_STATISTICS GONE OF_REMOVED_FEATURE "
    # Of rows: what was done besides moving them.
    "FEATURE_ADDED OUTPUT_ADDED RESTATED WAS_CONSTANT IS_CONSTANT CODES_FROM_BUCKET "
    "CODES_FROM_DEFAULT CODES_FROM_MEAN CODES_FROM_ZERO CODES_FROM_LAST CODES_REMOVED "
    "ROWS_REMOVED MEAN_REPLACES "
    # What is not compensated.
    "FEATURE_CHANGED BOUNDARIES_MOVED FEATURE_REMOVED OUTPUT_REMOVED NO_BIAS NONLINEAR UNTRACED "
    "ROWS_DIFFER ARGUMENT_CHANGED SHRUNK LAYER_ADDED LAYER_REMOVED PREDICTIONS_DIFFER "
    # Of the architecture: an error, unless the policy allows it.
    "NOT_IN_BASE ONLY_IN_BASE SHAPES_DIFFER LAYERS_DIFFER "
    # Of the optimizer's state.
    "NO_OPTIMIZER RESET OTHER_OPTIMIZER NOT_FINITE KEPT",
)
"""The kinds of facts."""


@dataclasses.dataclass(frozen=True)
class Fact:
    """A fact of a transfer.

    Attributes:
        kind: Which fact. It says which other fields have a value.
        name: The feature, variable or layer that it is about.
        now: What the new model has: a transform, a shape, a layer, a value.
        was: What the base had instead.
        count: A number of rows or variables.
        layer: The layer in which it matters, with its class, such as ``cut (ReLU)``.
        weight: The weight in which it matters.
        notes: Facts that belong to it.
    """

    kind: Kind
    name: str = ""
    now: Any = None
    was: Any = None
    count: int = 0
    layer: str = ""
    weight: str = ""
    notes: tuple[Fact, ...] = ()
