"""The policy of a warm start: which base, what is done with it, and when not to use it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from tfx_wine_ext.suggestions import hint

BASES = ("latest_blessed", "latest", "pinned")
SHAPE_MISMATCHES = ("error", "initialise", "overlap")
OPTIMIZERS = ("keep", "reset")
UNUSABLE_BASES = ("cold", "error")


@dataclasses.dataclass(frozen=True)
class WarmStartConfig:
    """How a warm start is made.

    Args:
        base: ``"latest_blessed"``: the newest model that an Evaluator blessed, so that a bad model
            is not built upon; ``"latest"``: the newest one; ``"pinned"``: the one that `pinned`
            names.
        pinned: Artifact id or URI of the base, for ``base="pinned"`` alone.
        same_schema_only: Start cold if the base was trained under another schema. False, since the
            transfer copes with features that come and go.
        on_shape_mismatch: What to do with a variable whose shape differs in a way that the inputs
            do not explain, or that only one of the models has. ``"error"``: the base cannot be
            used (see `on_unusable_base`); ``"initialise"``: the variable starts afresh;
            ``"overlap"``: the block that both shapes have is copied, the rest starts afresh.
            Default ``"error"``: a network that is half trained and half random is seldom meant.
        optimizer: ``"keep"`` goes on with the base's optimizer state and step, ``"reset"`` begins
            with fresh state at step 0.
        learning_rate_factor: The learning rate is multiplied by this, above 0; 1 leaves it. Below
            1 keeps the model closer to the base.
        frozen_layers: Names of layers that are not trained in the first `frozen_steps` steps, so
            that layers that start afresh do not spoil those that are trained already.
        frozen_steps: How many steps, at least 1 where layers are named.
        shrink: Factor on what was taken from the base, above 0 and at most 1; see `perturb`.
        perturb: Factor on the new model's fresh initial values, which are added; 0 or more.
            ``shrink=0.5, perturb=0.5`` say is shrink and perturb (Ash & Adams, "On Warm-Starting
            Neural Network Training", NeurIPS 2020): a network that starts from a trained one can
            fit as well and generalise worse than a fresh one, and shrinking its weights and adding
            noise closes the gap. It gives up the function of the base, so it is off (1 and 0).
        max_generations: So many warm starts in a row at most, then a cold one, which forgets what
            the old data taught; None: no limit.
        cold_on_drift: Start cold where drift was found between the base's data and the new data.
        on_unusable_base: ``"cold"``: start cold, with a warning, if the base is missing, damaged,
            or another architecture; ``"error"``: fail.

    Raises:
        ValueError: A value is not one of those above, or out of its range, or arguments contradict
            each other.
        TypeError: An argument is of the wrong type.

    Example:
        >>> config = WarmStartConfig(optimizer="reset", max_generations=7)
        >>> WarmStartConfig.from_json(config.to_json()) == config
        True
        >>> WarmStartConfig.from_dict({"optimiser": "keep"})
        Traceback (most recent call last):
        ...
        ValueError: unknown key 'optimiser' in the warm start config: expected one of base, \
cold_on_drift, frozen_layers, frozen_steps, learning_rate_factor, max_generations, \
on_shape_mismatch, on_unusable_base, optimizer, perturb, pinned, same_schema_only, shrink; did \
you mean 'optimizer'?
    """

    base: str = "latest_blessed"
    pinned: str | int | None = None
    same_schema_only: bool = False
    on_shape_mismatch: str = "error"
    optimizer: str = "keep"
    learning_rate_factor: float = 1.0
    frozen_layers: tuple[str, ...] = ()
    frozen_steps: int = 0
    shrink: float = 1.0
    perturb: float = 0.0
    max_generations: int | None = None
    cold_on_drift: bool = False
    on_unusable_base: str = "cold"

    def __post_init__(self) -> None:
        _choice(self.base, BASES, "base")
        _choice(self.on_shape_mismatch, SHAPE_MISMATCHES, "on_shape_mismatch")
        _choice(self.optimizer, OPTIMIZERS, "optimizer")
        _choice(self.on_unusable_base, UNUSABLE_BASES, "on_unusable_base")
        for name in ("same_schema_only", "cold_on_drift"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, found {getattr(self, name)!r}")
        for name in ("learning_rate_factor", "shrink", "perturb"):
            _number(getattr(self, name), name)
        if self.learning_rate_factor <= 0:
            raise ValueError(
                f"learning_rate_factor must be above 0, found {self.learning_rate_factor!r}"
            )
        if not 0 < self.shrink <= 1:
            raise ValueError(f"shrink must be above 0 and at most 1, found {self.shrink!r}")
        if self.perturb < 0:
            raise ValueError(f"perturb must be 0 or more, found {self.perturb!r}")
        self._check_pinned()
        self._check_frozen()
        if self.max_generations is not None:
            _count(self.max_generations, "max_generations")
            if self.max_generations < 1:
                raise ValueError(
                    f"max_generations must be at least 1 or None, found {self.max_generations}: "
                    "to start cold every time, leave the warm start out"
                )

    def _check_pinned(self) -> None:
        if self.pinned is not None and (
            isinstance(self.pinned, bool) or not isinstance(self.pinned, (str, int))
        ):
            raise TypeError(f"pinned must be an artifact id or a URI, found {self.pinned!r}")
        if (self.base == "pinned") != (self.pinned is not None):
            raise ValueError(
                'pinned and base="pinned" belong together: '
                f"found base={self.base!r}, pinned={self.pinned!r}"
            )

    def _check_frozen(self) -> None:
        if not isinstance(self.frozen_layers, (list, tuple)) or not all(
            isinstance(name, str) for name in self.frozen_layers
        ):
            raise TypeError(
                f"frozen_layers must be a list of layer names, found {self.frozen_layers!r}"
            )
        object.__setattr__(self, "frozen_layers", tuple(self.frozen_layers))
        _count(self.frozen_steps, "frozen_steps")
        if self.frozen_steps < 0 or bool(self.frozen_steps) != bool(self.frozen_layers):
            raise ValueError(
                "frozen_layers and frozen_steps belong together, the steps being at least 1: "
                f"found frozen_layers={list(self.frozen_layers)}, frozen_steps={self.frozen_steps}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Everything, defaults too, as a JSON object that `from_dict` takes."""
        return {**dataclasses.asdict(self), "frozen_layers": list(self.frozen_layers)}

    def to_json(self) -> str:
        """The same as a JSON text, with its keys sorted."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WarmStartConfig:
        """Reads what `to_dict` writes; what is left out keeps its default.

        Raises:
            ValueError: A key is unknown, or a value is out of its range.
            TypeError: A value is of the wrong type.
        """
        if not isinstance(data, Mapping):
            raise TypeError(f"the warm start config must be a mapping, found {data!r}")
        known = sorted(field.name for field in dataclasses.fields(cls))
        for key in data:
            if key not in known:
                raise ValueError(
                    f"unknown key {key!r} in the warm start config: expected one of "
                    f"{', '.join(known)}{hint(str(key), known)}"
                )
        return cls(**data)

    @classmethod
    def from_json(cls, text: str) -> WarmStartConfig:
        """Reads what `to_json` writes.

        Raises:
            ValueError: The text is not JSON, a key is unknown, or a value is out of its range.
            TypeError: A value is of the wrong type.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"the warm start config is not JSON: {error}") from None
        return cls.from_dict(data)


def _choice(value: Any, known: tuple[str, ...], where: str) -> None:
    if value not in known:
        raise ValueError(f"{where} must be one of {', '.join(known)}, found {value!r}")


def _number(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{where} must be a number, found {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{where} must be finite, found {value!r}")


def _count(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{where} must be an int, found {value!r}")
