"""The one place that touches private names of Keras.

Keras's own code depends on each of them, but no release promises them. All were checked on Keras
3.12, 3.13, 3.14 and 3.15, by `tests/warm_start`. With a Keras that lacks one, a warm start fails
with a `RuntimeError` that names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

CHECKED = "3.12 to 3.15"
"""The releases of Keras that have all the private names."""


class Call(NamedTuple):
    """One call of a layer or operation in a model's graph."""

    operation: Any
    tensors: list[Any]  # The symbolic tensors among its arguments.
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: list[Any]  # The symbolic tensors that it returned.


def has_graph(model: Any) -> bool:
    """Returns whether this is a model that can be walked: functional, or a built `Sequential`."""
    import keras

    return isinstance(model, keras.Model) and bool(getattr(model, "inputs", None))


def calls_of(model: Any) -> list[Call]:
    """Returns the calls from a model's inputs to its outputs, in topological order.

    Uses `KerasTensor._keras_history`, `Operation._inbound_nodes`, and the attributes of the class
    `Node`, which Keras does not export. A model without a graph has no calls.
    """
    if not has_graph(model):
        return []
    inputs = {id(tensor) for tensor in model.inputs}
    calls: list[Call] = []
    done: set[int] = set()
    stack = [(tensor, False) for tensor in reversed(model.outputs)]
    while stack:
        tensor, expanded = stack.pop()
        if id(tensor) in inputs:
            continue
        history = _private(tensor, "_keras_history")
        node = _private(history.operation, "_inbound_nodes")[history.node_index]
        if id(node) in done:
            continue
        arguments = _private(node, "arguments")
        tensors, args, kwargs = (
            _private(arguments, name) for name in ("keras_tensors", "args", "kwargs")
        )
        if expanded:
            done.add(id(node))
            calls.append(Call(history.operation, tensors, args, kwargs, _private(node, "outputs")))
        else:
            stack.append((tensor, True))
            stack += [(x, False) for x in reversed(tensors)]
    return calls


def input_name(tensor: Any) -> str:
    """Returns the name of the `keras.Input` that made a tensor, by `KerasTensor._keras_history`."""
    name: str = _private(tensor, "_keras_history").operation.name
    return name


def step_counter(optimizer: Any) -> Any:
    """Returns the variable that counts an optimizer's steps: `Optimizer._iterations`.

    With gradient accumulation, the public `iterations` is not the variable.
    """
    return _private(optimizer, "_iterations")


def learning_rate_of(optimizer: Any) -> Any:
    """Returns `Optimizer._learning_rate`: a variable, a schedule, or a function.

    The public `learning_rate` is a schedule's current value, so it cannot tell them apart.
    """
    return _private(optimizer, "_learning_rate")


def generated_stem(operation: Any) -> str:
    """Returns the name that Keras generates for an operation, such as `layer_normalization`.

    Its number in the process is omitted. Repeats `keras.src.utils.naming.to_snake_case`.
    """
    name = re.sub(r"\W+", "", type(operation).__name__)
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def parts_of(layer: Any) -> Iterator[Any]:
    """Yields a layer and the layers in its attributes, private ones too, lists and mappings."""
    import keras

    seen: set[int] = set()
    waiting: list[Any] = [layer]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, keras.Layer):
            yield value
            waiting += vars(value).values()
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, (list, tuple, set)):
            waiting += value


def _private(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        import keras

        raise RuntimeError(
            f"warm starts need {type(owner).__name__}.{name}, a private name of Keras {CHECKED}, "
            f"which Keras {keras.__version__} does not have: install Keras {CHECKED}"
        ) from None
