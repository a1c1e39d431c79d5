"""The state of a Keras optimizer, by weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The power of the gradient that a slot is proportional to. A weight that is multiplied by r has a
# gradient divided by r, so its first moments are divided by r, its second moments by r squared.
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
"""The slot name of optimizer variables that belong to no weight."""


def power_of(optimizer: str, slot: str) -> int | None:
    """Returns the power of the gradient that a slot is proportional to; None if unknown.

    Example:
        >>> power_of("Adam", "velocity"), power_of("Ftrl", "linear")
        (2, None)
    """
    return POWERS.get(optimizer, {}).get(slot)


def optimizer_of(model: Any) -> Any:
    """Returns the optimizer that counts the steps and has the slots; None if there is none.

    With mixed precision, for example, it is wrapped in a `LossScaleOptimizer`, whose own state, the
    loss scale, is not transferred because it adapts quickly.

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
    """Finds the optimizer's variables by slot and weight.

    Keras names a variable after its weight and its slot; if several weights match, the longest name
    is taken.

    Args:
        model: A compiled Keras model; without an optimizer there are no slots.
        weights: `keras.Variable` by name.

    Returns:
        The optimizer's variables by slot, such as ``"velocity"``, then by the name of the weight.
        Variables that belong to no weight, such as Nadam's product, are numbered under `NO_WEIGHT`.
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
        slot = slots.setdefault(variable.name[len(prefix) :], {})
        # Variables of weights with equal names come in the order of the weights.
        waiting = [name for name in prefixes[prefix] if name not in slot]
        if waiting and tuple(weights[waiting[0]].shape) == tuple(variable.shape):
            slot[waiting[0]] = variable
    return slots


def set_step(model: Any, step: int) -> None:
    """Sets the optimizer's own step count."""
    # With gradient accumulation, `iterations` is not the variable.
    counter = optimizer_of(model)._iterations
    counter.assign(step)


def step_of(model: Any) -> int:
    """Returns the optimizer's own step count; 0 without an optimizer."""
    optimizer = optimizer_of(model)
    return 0 if optimizer is None else int(optimizer._iterations.numpy())
