"""What a transfer did, variable by variable."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

ACTIONS = ("restored", "remapped", "initialised", "skipped")
"""What a transfer can do with a variable."""


@dataclasses.dataclass(frozen=True)
class VariableTransfer:
    """What became of one variable.

    Attributes:
        name: Of the variable.
        action: ``"restored"``: the base's values as they are; ``"remapped"``: made of the base's
            values; ``"initialised"``: the new model's own initial values; ``"skipped"``: a variable
            of the base that the new model has no place for.
        reason: Why, and how.
        shape: In the new model; None if skipped.
        base_shape: In the base; None if the base has none.
        kept: Rows of the base that live on, where it was remapped row by row.
        added: Rows of the new variable that the base has none for.
        vanished: Rows of the base that have no place in the new variable.
    """

    name: str
    action: str
    reason: str
    shape: tuple[int, ...] | None
    base_shape: tuple[int, ...] | None
    kept: int = 0
    added: int = 0
    vanished: int = 0


@dataclasses.dataclass(frozen=True)
class TransferReport:
    """What a warm start did, or why there was none.

    Attributes:
        warm: Whether the model goes on from a base.
        reason: The sentence that says why.
        base: Folder of the base's checkpoint; empty for a cold start.
        generation: How many warm starts in a row led to this model; 0 for a cold start.
        base_step: Training steps in the base and before it.
        variables: What became of each variable of the model, then of the base's others.
        optimizer: What became of the optimizer's state, a sentence.
        not_compensated: Why the model may not predict as the base did: a sentence per reason.
        optimizer_step: The optimizer's own count when training begins.
        steps: Training steps of this run, once it is saved.
        verified: Whether base and model were both run, on the same raw values, and predicted the
            same.
        verification: What was compared and found, or why nothing was compared, a sentence.

    Example:
        >>> report = TransferReport(warm=False, reason="Cold start: there is no model yet.")
        >>> report.counts()
        {'restored': 0, 'remapped': 0, 'initialised': 0, 'skipped': 0}
        >>> TransferReport.from_dict(report.to_dict()) == report
        True
    """

    warm: bool
    reason: str
    base: str = ""
    generation: int = 0
    base_step: int = 0
    variables: tuple[VariableTransfer, ...] = ()
    optimizer: str = ""
    not_compensated: tuple[str, ...] = ()
    optimizer_step: int = 0
    steps: int = 0
    verified: bool = False
    verification: str = ""

    @property
    def preserves_function(self) -> bool:
        """Whether the model was found to predict as the base did, before its first step.

        Nothing is known that speaks against it, and both were run and compared. It holds for raw
        examples that both can tell apart: for tokens that vanished, features
        that were removed, and gaps that are filled with a mean, the new inputs say less.
        """
        return self.warm and self.verified and not self.not_compensated

    def counts(self) -> dict[str, int]:
        """How many variables were restored, remapped, initialised and skipped."""
        actions = [variable.action for variable in self.variables]
        return {action: actions.count(action) for action in ACTIONS}

    def to_dict(self) -> dict[str, Any]:
        """A JSON object: the fields, `counts`, and `preserves_function`."""
        return {
            **dataclasses.asdict(self),
            "variables": [
                {
                    **dataclasses.asdict(x),
                    "shape": None if x.shape is None else list(x.shape),
                    "base_shape": None if x.base_shape is None else list(x.base_shape),
                }
                for x in self.variables
            ],
            "not_compensated": list(self.not_compensated),
            "counts": self.counts(),
            "preserves_function": self.preserves_function,
        }

    def to_json(self) -> str:
        """The same as text, which `warm_start.json` holds."""
        return json.dumps(self.to_dict(), indent=1)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TransferReport:
        """Reads what `to_dict` writes, in earlier releases too, which verified nothing."""
        fields = {x.name: data[x.name] for x in dataclasses.fields(cls) if x.name in data}
        fields["variables"] = tuple(
            VariableTransfer(
                **{
                    **x,
                    "shape": None if x["shape"] is None else tuple(x["shape"]),
                    "base_shape": None if x["base_shape"] is None else tuple(x["base_shape"]),
                }
            )
            for x in data["variables"]
        )
        fields["not_compensated"] = tuple(data["not_compensated"])
        return cls(**fields)
