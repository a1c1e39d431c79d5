"""Freezes layers during the first training steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.keras_internals import parts_of
from tfx_wine_ext.warm_start.report import TransferReport


def layers_named(model: Any, names: Sequence[str]) -> list[Any]:
    """Returns the layers of a model with these names, including nested models and wrappers.

    Raises:
        ValueError: There is no layer with a name, or several; the message lists the existing ones.

    Example:
        >>> model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, name="only")])
        >>> [layer.name for layer in layers_named(model, ["only"])]
        ['only']
        >>> layers_named(model, ["hidden"])
        Traceback (most recent call last):
        ...
        ValueError: frozen_layers: there are no ['hidden']; the model has ['only']
    """
    known = {layer.name: layer for layer in model.layers}
    inner: dict[str, list[Any]] = {}
    for part in parts_of(model):
        if part is not model:
            inner.setdefault(part.name, []).append(part)
    matches = [[known[name]] if name in known else inner.get(name, []) for name in names]
    absent = [name for name, layers in zip(names, matches) if not layers]
    if absent:
        # Omits the model that Keras makes within a Sequential, and layers without weights.
        within = (
            name
            for name, parts in inner.items()
            if any(part.weights and not isinstance(part, keras.Model) for part in parts)
        )
        listed = [*known, *sorted(set(within) - set(known))]
        raise ValueError(f"frozen_layers: there are no {absent}; the model has {listed[:100]}")
    several = [name for name, layers in zip(names, matches) if len(layers) > 1]
    if several:
        raise ValueError(f"frozen_layers: there are several {several}: give each its own name")
    return [layer for (layer,) in matches]


class FreezeLayers(keras.callbacks.Callback):  # Keras has no types.
    """Freezes layers in the first steps of `fit`, then thaws them.

    `restore` already freezes the policy's `frozen_layers`; use this callback in a run_fn for other
    layers or other steps. It replaces what `restore` froze.

    Args:
        layers: Names of layers.
        steps: The number of training steps. With `steps_per_execution` above 1, steps are counted
            in groups of that size, and the layers thaw after the group that reaches the number.

    Raises:
        ValueError: On `fit`: the model has no layer with a name; the message lists the existing
            ones.

    Example:
        >>> model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, name="only")])
        >>> model.compile("sgd", "mse")
        >>> x = keras.ops.ones([8, 1])
        >>> _ = model.fit(x, x, callbacks=[FreezeLayers(("only",), steps=1)], verbose=0)
        >>> model.layers[0].trainable
        True
    """

    def __init__(self, layers: Sequence[str], steps: int) -> None:
        super().__init__()
        self._names = layers
        self._steps = steps

    def on_train_begin(self, logs: Any = None) -> None:
        """Freezes the layers."""
        thaw(self.model)
        _FirstSteps(self.model, self._names, self._steps)
        self.model.make_train_function(force=True)

    def on_train_end(self, logs: Any = None) -> None:
        """Thaws the layers if training ended early."""
        thaw(self.model)


class _FirstSteps:
    """Freezes layers, and wraps a model's training function to count steps and thaw them.

    It counts the steps of both `fit` and `train_on_batch`: both obtain the function from
    `make_train_function`, which Keras documents as the method to override. Keras reads `trainable`
    when it makes this function, so a later change has no effect until the model is compiled again,
    which would discard the optimizer's state. Instead, the function is made again.
    """

    def __init__(self, model: Any, names: Sequence[str], steps: int) -> None:
        self._model = model
        self._layers = layers_named(model, names)
        # Setting `trainable` of a layer also sets it for inner layers, which may have differed.
        self._was = [(x, x.trainable) for layer in self._layers for x in parts_of(layer)]
        self._steps = steps
        self._seen = 0
        self._freeze()
        # Bypasses Keras's attribute tracking, which would treat this object as part of the model.
        object.__setattr__(model, "make_train_function", self._make)
        model.train_function = None

    def _freeze(self) -> None:
        """Freezes the layers, after the optimizer was built with their weights."""
        if not self._model.optimizer.built:
            self._thaw()
            self._model.optimizer.build(self._model.trainable_variables)
        for layer in self._layers:
            layer.trainable = False

    def _thaw(self) -> None:
        for layer, trainable in self._was:
            layer.trainable = trainable

    def _make(self, force: bool = False) -> Any:
        model = self._model
        if model.train_function is not None and not force:
            return model.train_function
        self._freeze()  # The run_fn may have compiled the model again.
        type(model).make_train_function(model, force=True)
        made = model.train_function

        def counted(*arguments: Any) -> Any:
            result = made(*arguments)
            self._seen += model.steps_per_execution
            if self._seen >= self._steps and _first_steps_of(model) is self:
                self.end()
                model.make_train_function(force=True)
            return result

        model.train_function = counted
        return counted

    def end(self) -> None:
        self._thaw()
        object.__delattr__(self._model, "make_train_function")
        self._model.train_function = None


def _first_steps_of(model: Any) -> _FirstSteps | None:
    first_steps = getattr(vars(model).get("make_train_function"), "__self__", None)
    return first_steps if isinstance(first_steps, _FirstSteps) else None


def freeze_first_steps(model: Any, config: WarmStartConfig) -> None:
    """Freezes the policy's `frozen_layers` until the model has trained `frozen_steps` steps.

    Raises:
        ValueError: The model lacks one of the layers, or is not compiled.
    """
    if not config.frozen_layers:
        return
    layers_named(model, config.frozen_layers)
    if getattr(model, "optimizer", None) is None:
        raise ValueError(
            "frozen_layers: the model is not compiled, so its steps cannot be counted: compile it "
            "before restore, or freeze the layers in your training loop"
        )
    thaw(model)
    _FirstSteps(model, config.frozen_layers, config.frozen_steps)


def thaw(model: Any) -> bool:
    """Thaws the layers that `freeze_first_steps` froze; returns whether they were still frozen."""
    first_steps = _first_steps_of(model)
    if first_steps is not None:
        first_steps.end()
    return first_steps is not None


def callbacks(config: WarmStartConfig, report: TransferReport) -> list[Any]:
    """Returns the callbacks that freeze the policy's layers, for models without `restore`.

    `restore` freezes the layers without callbacks; with them, every `fit` freezes them again.

    Args:
        config: The policy; in a run_fn `WarmStartRequest.of(fn_args).config`.
        report: What `restore` returned; after a cold start nothing is frozen.

    Example:
        >>> config = WarmStartConfig(frozen_layers=("hidden",), frozen_steps=100)
        >>> callbacks(config, TransferReport(warm=False, reason="Cold start."))
        []
    """
    if not report.warm or not config.frozen_layers:
        return []
    return [FreezeLayers(config.frozen_layers, config.frozen_steps)]
