"""The state of a Keras optimizer, by the weight it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# With which power of the gradient a slot grows. A weight that is stated in units of `1 / r` has a
# gradient `1 / r` as large, so its first moments are divided by r, its second ones by r squared.
POWERS: Mapping[str, Mapping[str, int]] = {
    "Adam": {"momentum": 1, "velocity": 2, "velocity_hat": 2},
    "AdamW": {"momentum": 1, "velocity": 2, "velocity_hat": 2},
    "Nadam": {"momentum": 1, "velocity": 2},
    "Lamb": {"momentum": 1, "velocity": 2},
    "Lion": {"momentum": 1},
    "SGD": {"momentum": 1},
    "RMSprop": {"velocity": 2, "average_gradient": 1},
    "Adagrad": {"accumulator": 2},
}

NO_WEIGHT = "no weight"
"""Stands in the place of a slot for the optimizer's variables that belong to no weight."""


def power_of(optimizer: str, slot: str) -> int | None:
    """With which power of the gradient a slot grows; None if that is not known.

    Example:
        >>> power_of("Adam", "velocity"), power_of("Ftrl", "linear")
        (2, None)
    """
    return POWERS.get(optimizer, {}).get(slot)


def optimizer_of(model: Any) -> Any:
    """The optimizer that counts the steps and has the slots; None without one.

    A model with mixed precision, for one, has it within a `LossScaleOptimizer`, whose own state,
    the factor of the loss, adapts itself anew.

    Args:
        model: A Keras model.
    """
    import keras

    optimizer = getattr(model, "optimizer", None)
    while optimizer is not None:
        inner = [x for x in vars(optimizer).values() if isinstance(x, keras.optimizers.Optimizer)]
        if len(inner) != 1 or inner[0] is optimizer:
            break
        optimizer = inner[0]
    return optimizer


def slots_of(model: Any, weights: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Finds the optimizer's variables by slot and by the weight that they belong to.

    Keras names a slot's variable after its weight and its slot; of several names that fit, the
    longest one does.

    Args:
        model: A compiled Keras model; without an optimizer there are no slots.
        weights: `keras.Variable` by name.

    Returns:
        By slot, such as ``"velocity"``, then by the weight's name, the optimizer's variable. Those
        that belong to no weight, such as Nadam's product, are numbered under `NO_WEIGHT`.
    """
    optimizer = optimizer_of(model)
    if optimizer is None or not optimizer.built:
        return {}
    prefixes: dict[str, list[str]] = {}
    for name, weight in weights.items():
        if weight.trainable:
            prefixes.setdefault(f"{weight.path.replace('/', '_')}_", []).append(name)
    slots: dict[str, dict[str, Any]] = {}
    for variable in optimizer.variables:
        fitting = [prefix for prefix in prefixes if variable.name.startswith(prefix)]
        if not fitting:
            own = (optimizer._iterations, getattr(optimizer, "_learning_rate", None))
            if not any(variable is x for x in own):
                others = slots.setdefault(NO_WEIGHT, {})
                others[str(len(others))] = variable
            continue
        prefix = max(fitting, key=len)
        found = slots.setdefault(variable.name[len(prefix) :], {})
        # Weights of like names come in the order in which the optimizer was given them.
        waiting = [name for name in prefixes[prefix] if name not in found]
        if waiting and tuple(weights[waiting[0]].shape) == tuple(variable.shape):
            found[waiting[0]] = variable
    return slots


def set_step(model: Any, step: int) -> None:
    """Sets the optimizer's own count of steps."""
    counter = optimizer_of(model)._iterations  # `iterations` is not the variable with accumulation.
    counter.assign(step)


def step_of(model: Any) -> int:
    """The optimizer's own count of steps; 0 without an optimizer."""
    optimizer = optimizer_of(model)
    return 0 if optimizer is None else int(optimizer._iterations.numpy())
