"""Layers that are not trained in the first steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from tfx_wine_ext.warm_start.architecture import parts_of
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.report import TransferReport


def layers_named(model: Any, names: Sequence[str]) -> list[Any]:
    """The layers of a model with these names, in models and wrappers within it too.

    Args:
        model: A Keras model.
        names: As the layers were given them.

    Raises:
        ValueError: There is no layer of a name, or there are several; it lists those that exist.

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
    found = [[known[name]] if name in known else inner.get(name, []) for name in names]
    absent = [name for name, layers in zip(names, found) if not layers]
    if absent:
        # Not the model that Keras makes within a Sequential, nor what has nothing to freeze.
        within = (
            name
            for name, parts in inner.items()
            if any(part.weights and not isinstance(part, keras.Model) for part in parts)
        )
        listed = [*known, *sorted(set(within) - set(known))]
        raise ValueError(f"frozen_layers: there are no {absent}; the model has {listed[:100]}")
    several = [name for name, layers in zip(names, found) if len(layers) > 1]
    if several:
        raise ValueError(f"frozen_layers: there are several {several}: give each its own name")
    return [layer for (layer,) in found]


class _Freeze:
    """Layers of a model that are frozen now, and thaw."""

    def __init__(self, model: Any, names: Sequence[str]) -> None:
        self._model = model
        self._layers = layers_named(model, names)
        # What is within a layer follows it, and may have been frozen on its own before.
        self._was = [(x, x.trainable) for layer in self._layers for x in parts_of(layer)]
        self.freeze()

    def freeze(self) -> None:
        """Freezes them, with an optimizer that knows of their weights."""
        if not self._model.optimizer.built:
            self.thaw()
            self._model.optimizer.build(self._model.trainable_variables)
        for layer in self._layers:
            layer.trainable = False

    def thaw(self) -> None:
        for layer, trainable in self._was:
            layer.trainable = trainable


class FreezeLayers(keras.callbacks.Callback):  # Keras has no types.
    """Freezes layers in the first steps of `fit`, then thaws them.

    `restore` does so by itself where the policy names `frozen_layers`; this is for other layers, or
    other steps, of a run_fn's own choice. It takes the place of what `restore` froze.

    Keras reads `trainable` when it makes its training function, so that a change afterwards does
    nothing until the model is compiled again, which would throw the optimizer's state away. This
    callback has the training function made again instead, and has the optimizer built for all
    weights before any are frozen.

    Args:
        layers: Names of layers.
        steps: For so many training steps. With `steps_per_execution` above 1 they are counted in
            such groups, and the layers thaw after the group in which the count is reached.

    Raises:
        ValueError: On `fit`: the model has no layer of such a name; it lists those that it has.

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
        self._seen = 0
        self._freeze: _Freeze | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Freezes the layers."""
        thaw(self.model)
        self._seen = 0
        self._freeze = _Freeze(self.model, self._names)
        self.model.make_train_function(force=True)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Thaws the layers when the steps are over."""
        self._seen += self.model.steps_per_execution
        if self._seen >= self._steps:
            self._thaw()

    def on_train_end(self, logs: Any = None) -> None:
        """Thaws the layers if training ended before."""
        self._thaw()

    def _thaw(self) -> None:
        if self._freeze is not None:
            self._freeze.thaw()
            self._freeze = None
            self.model.make_train_function(force=True)


class _FirstSteps:
    """Stands before a model's training function, counts its steps, and thaws what is frozen.

    It needs no callback, and `fit` and `train_on_batch` are counted alike: both have the function
    made by `make_train_function`, which Keras documents as the place to change it.
    """

    def __init__(self, model: Any, names: Sequence[str], steps: int) -> None:
        self.model = model
        self._freeze = _Freeze(model, names)
        self._steps = steps
        self._seen = 0
        # Around Keras's own bookkeeping of attributes, which would take this for a part of the
        # model.
        object.__setattr__(model, "make_train_function", self._make)
        model.train_function = None

    def _make(self, force: bool = False) -> Any:
        model = self.model
        if model.train_function is not None and not force:
            return model.train_function
        self._freeze.freeze()  # The run_fn may have compiled the model again.
        type(model).make_train_function(model, force=True)
        made = model.train_function

        def counted(*arguments: Any) -> Any:
            result = made(*arguments)
            self._seen += model.steps_per_execution
            if self._seen >= self._steps and vars(model).get("make_train_function") == self._make:
                self.end()
                model.make_train_function(force=True)
            return result

        model.train_function = counted
        return counted

    def end(self) -> None:
        self._freeze.thaw()
        object.__delattr__(self.model, "make_train_function")
        self.model.train_function = None


def freeze_first_steps(model: Any, config: WarmStartConfig) -> None:
    """Freezes the layers that a policy names, until the model has trained its `frozen_steps`.

    Args:
        model: A compiled Keras model; `fit` and `train_on_batch` count the steps.
        config: The policy; without `frozen_layers` nothing is done.

    Raises:
        ValueError: The model has no such layer, or is not compiled.
    """
    if not config.frozen_layers:
        return
    layers_named(model, config.frozen_layers)
    if getattr(model, "optimizer", None) is None:
        raise ValueError(
            "frozen_layers: the steps of a model that is not compiled cannot be counted: compile it"
            " before restore, or freeze the layers in the training loop itself"
        )
    thaw(model)
    _FirstSteps(model, config.frozen_layers, config.frozen_steps)


def thaw(model: Any) -> bool:
    """Ends what `freeze_first_steps` began, if it has not ended by itself.

    Args:
        model: A Keras model.

    Returns:
        Whether layers were frozen still.
    """
    maker = vars(model).get("make_train_function")
    first = getattr(maker, "__self__", None)
    if not isinstance(first, _FirstSteps):
        return False
    first.end()
    return True


def callbacks(config: WarmStartConfig, report: TransferReport) -> list[Any]:
    """The callbacks that freeze what a policy names, for a model that `restore` did not freeze.

    `restore` has frozen the layers already, and needs none of these; with them the layers are
    frozen anew in every `fit`.

    Args:
        config: The policy; in a run_fn `WarmStartRequest.of(fn_args).config`.
        report: What `restore` returned: after a cold start nothing is frozen.

    Example:
        >>> config = WarmStartConfig(frozen_layers=("hidden",), frozen_steps=100)
        >>> callbacks(config, TransferReport(warm=False, reason="Cold start."))
        []
    """
    if not report.warm or not config.frozen_layers:
        return []
    return [FreezeLayers(config.frozen_layers, config.frozen_steps)]
