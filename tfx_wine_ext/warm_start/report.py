"""The report of a transfer, variable by variable."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Annotated, Any

from tfx_wine_ext.documents import Bounds, load

ACTIONS = ("restored", "remapped", "initialised", "skipped")
"""What a transfer can do with a variable."""
# So that the sum of two can be a property in the metadata store.
_COUNT = Bounds(0, 2**62)
_Shape = tuple[Annotated[int, _COUNT], ...]


@dataclasses.dataclass(frozen=True)
class VariableTransfer:
    """What the transfer did with one variable.

    Attributes:
        name: Name of the variable.
        action: ``"restored"``: it has the base's values; ``"remapped"``: its values were computed
            from the base's; ``"initialised"``: it kept its own initial values; ``"skipped"``: a
            variable of the base that the new model does not have.
        reason: Why and how.
        shape: Shape in the new model; None if skipped.
        base_shape: Shape in the base; None if the base does not have it.
        kept: Number of rows taken from the base, if it was remapped row by row.
        added: Number of new rows without a counterpart in the base.
        vanished: Number of rows of the base without a counterpart in the new variable.
    """

    name: str
    action: str
    reason: str
    shape: _Shape | None
    base_shape: _Shape | None
    kept: Annotated[int, _COUNT] = 0
    added: Annotated[int, _COUNT] = 0
    vanished: Annotated[int, _COUNT] = 0


@dataclasses.dataclass(frozen=True)
class TransferReport:
    """What a warm start did, or why the start was cold.

    Attributes:
        warm: Whether the model continues from a base.
        reason: Why, as a sentence.
        base: Folder of the base's checkpoint; empty for a cold start.
        generation: The number of successive warm starts that led to this model; 0 if cold.
        base_step: Training steps of the base and all its predecessors.
        variables: One entry for each variable of the model, then for other variables of the base.
        optimizer: What was done with the optimizer's state, as a sentence.
        not_compensated: Reasons why the model may not predict what the base did, as sentences.
        optimizer_step: The optimizer's own step count when training begins.
        steps: Training steps of this run, set when it is saved.
        verified: Whether base and model were both run on the same raw values and predicted the
            same.
        verification: The result of the comparison, or why there was none, as a sentence.

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
    generation: Annotated[int, _COUNT] = 0
    base_step: Annotated[int, _COUNT] = 0
    variables: tuple[VariableTransfer, ...] = ()
    optimizer: str = ""
    not_compensated: tuple[str, ...] = ()
    optimizer_step: Annotated[int, _COUNT] = 0
    steps: Annotated[int, _COUNT] = 0
    verified: bool = False
    verification: str = ""

    @property
    def preserves_function(self) -> bool:
        """Whether the model predicted what the base did, before its first training step.

        True if both were run and agreed, and no uncompensated change is known. It holds for raw
        examples that both models can distinguish: the new inputs carry less information about
        removed tokens, removed features, and missing values that are replaced by a mean.
        """
        return self.warm and self.verified and not self.not_compensated

    def counts(self) -> dict[str, int]:
        """Returns how many variables were restored, remapped, initialised and skipped."""
        actions = [variable.action for variable in self.variables]
        return {action: actions.count(action) for action in ACTIONS}

    def to_dict(self) -> dict[str, Any]:
        """Returns a JSON object with the fields, `counts`, and `preserves_function`."""
        fields: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return {
            **fields,
            "counts": self.counts(),
            "preserves_function": self.preserves_function,
        }

    def to_json(self) -> str:
        """Returns the same as text, the content of `warm_start.json`."""
        return json.dumps(self.to_dict(), indent=1)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], path: str = "report") -> TransferReport:
        """Reads what `to_dict` writes, also in earlier releases, which did not verify.

        Args:
            data: The JSON object, which is untrusted.
            path: Name of the document in errors.

        Raises:
            ValueError: A value is missing or of another kind; the message says where.
        """
        return load(cls, data, path)
