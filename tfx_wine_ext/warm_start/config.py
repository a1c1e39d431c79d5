"""The policy of warm starts: which base to use, how, and when to start cold instead."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from tfx_wine_ext.suggestions import hint

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "base": ("latest_blessed", "latest", "pinned"),
    "on_shape_mismatch": ("error", "initialise", "overlap"),
    "optimizer": ("keep", "reset"),
    "on_unusable_base": ("cold", "error"),
}
_RANGES: Mapping[str, tuple[Callable[[float], bool], str]] = {
    "learning_rate_factor": (lambda value: value > 0, "above 0"),
    "shrink": (lambda value: 0 < value <= 1, "above 0 and at most 1"),
    "perturb": (lambda value: value >= 0, "0 or more"),
}


@dataclasses.dataclass(frozen=True)
class WarmStartConfig:
    """How to start warm, and when not to.

    Args:
        base: ``"latest_blessed"``: the newest model that an Evaluator blessed, so that training
            does not continue from a bad model; ``"latest"``: the newest model; ``"pinned"``: the
            model given by `pinned`.
        pinned: Artifact id or URI of the base, for ``base="pinned"`` only.
        same_schema_only: Start cold if the base was trained with another schema. Default: False,
            since the transfer handles added and removed features.
        on_shape_mismatch: What to do with a variable that only one of the models has, or whose
            shape differs for other reasons than the inputs. ``"error"``: the base cannot be
            used (see `on_unusable_base`); ``"initialise"``: the variable keeps its initial values;
            ``"overlap"``: the block common to both shapes is copied, the rest keeps its initial
            values. Default: ``"error"``, since a partly random network is rarely intended.
        optimizer: ``"keep"`` continues with the base's optimizer state and step, ``"reset"`` starts
            with fresh state at step 0.
        learning_rate_factor: Factor on the learning rate, above 0. Values below 1 keep the model
            closer to the base.
        frozen_layers: Names of layers that are not trained in the first `frozen_steps` steps, so
            that newly initialised layers do not disturb trained ones.
        frozen_steps: The number of steps, at least 1 if layers are given.
        shrink: Factor on the values from the base, above 0 and at most 1; see `perturb`.
        perturb: Factor on the new model's initial values, which are added; 0 or more. For example,
            ``shrink=0.5, perturb=0.5`` is shrink and perturb (Ash & Adams, "On Warm-Starting
            Neural Network Training", NeurIPS 2020): a network that starts from a trained one can
            fit as well as a fresh one but generalise worse; shrinking its weights and adding noise
            closes the gap. It gives up the function of the base, so it is off by default (1 and 0).
        max_generations: Maximum number of successive warm starts; the next start is cold and
            forgets the old data. None: no limit.
        cold_on_drift: Start cold if the new data drifted from the base's data.
        on_unusable_base: ``"cold"``: start cold, with a warning, if the base is missing, damaged,
            or has another architecture; ``"error"``: fail.

    Raises:
        ValueError: A value is not allowed or out of range, or arguments contradict each other.
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
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, found {value!r}")
        for name in ("same_schema_only", "cold_on_drift"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, found {getattr(self, name)!r}")
        for name, (is_allowed, allowed) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"{name} must be a number, found {value!r}")
            if not math.isfinite(value):
                raise ValueError(f"{name} must be finite, found {value!r}")
            if not is_allowed(value):
                raise ValueError(f"{name} must be {allowed}, found {value!r}")
        self._check_pinned()
        self._check_frozen()
        if self.max_generations is not None:
            _count(self.max_generations, "max_generations")
            if self.max_generations < 1:
                raise ValueError(
                    f"max_generations must be at least 1 or None, found {self.max_generations}: "
                    "to start cold every time, omit the warm start"
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
                "frozen_layers and frozen_steps belong together, and the steps must be at least 1: "
                f"found frozen_layers={list(self.frozen_layers)}, frozen_steps={self.frozen_steps}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Returns all fields, including defaults, as a JSON object for `from_dict`."""
        return {**dataclasses.asdict(self), "frozen_layers": list(self.frozen_layers)}

    def to_json(self) -> str:
        """Returns the same as JSON text with sorted keys."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WarmStartConfig:
        """Reads what `to_dict` writes; missing keys keep their defaults.

        Raises:
            ValueError: A key is unknown, or a value is out of range.
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
            ValueError: The text is not JSON, a key is unknown, or a value is out of range.
            TypeError: A value is of the wrong type.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"the warm start config is not JSON: {error}") from None
        return cls.from_dict(data)


def _count(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{where} must be an int, found {value!r}")
