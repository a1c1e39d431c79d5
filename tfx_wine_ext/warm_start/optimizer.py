"""The state of a Keras optimizer, by weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfx_wine_ext.warm_start.keras_internals import learning_rate_of, step_counter

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
"""The power of the gradient that a slot is proportional to, by the class of the optimizer.

A weight that is multiplied by r has a gradient divided by r, so its first moments are divided by r,
its second moments by r squared."""

NO_WEIGHT = "no weight"
"""The slot name of optimizer variables that belong to no weight."""


def optimizer_of(model: Any) -> Any:
    """Returns the optimizer that counts the steps and has the slots; None if there is none.

    With mixed precision, for example, it is wrapped in a `LossScaleOptimizer`, whose own state, the
    loss scale, is not transferred because it adapts quickly.
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
    """Returns the optimizer's variables by slot, such as "velocity", then by the weight's name.

    Keras names a variable after its weight and its slot; if several weights match, the longest name
    is taken. Variables that belong to no weight, such as Nadam's product, are numbered under
    `NO_WEIGHT`.
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
        matching = [prefix for prefix in prefixes if variable.name.startswith(prefix)]
        if not matching:
            own = (step_counter(optimizer), learning_rate_of(optimizer))
            if not any(variable is x for x in own):
                numbered = slots.setdefault(NO_WEIGHT, {})
                numbered[str(len(numbered))] = variable
            continue
        prefix = max(matching, key=len)
        slot = slots.setdefault(variable.name[len(prefix) :], {})
        # Variables of weights with equal names come in the order of the weights.
        waiting = [name for name in prefixes[prefix] if name not in slot]
        if waiting and tuple(weights[waiting[0]].shape) == tuple(variable.shape):
            slot[waiting[0]] = variable
    return slots


def step_of(model: Any) -> int:
    """Returns the optimizer's own step count; 0 without an optimizer."""
    optimizer = optimizer_of(model)
    return 0 if optimizer is None else int(step_counter(optimizer).numpy())
