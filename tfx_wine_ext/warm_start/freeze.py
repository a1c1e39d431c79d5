"""Layers that are not trained in the first steps."""

from __future__ import annotations

from typing import Any

import keras

from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.report import TransferReport


class FreezeLayers(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types.
    """Freezes layers in the first steps of `fit`, then thaws them.

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
    """

    def __init__(self, layers: tuple[str, ...], steps: int) -> None:
        super().__init__()
        self._names = layers
        self._steps = steps
        self._seen = 0
        self._frozen: list[tuple[Any, bool]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """Freezes the layers."""
        known = {layer.name: layer for layer in self.model.layers}
        absent = [name for name in self._names if name not in known]
        if absent:
            raise ValueError(f"frozen_layers: there are no {absent}; the model has {list(known)}")
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        self._seen = 0
        self._frozen = [(known[name], known[name].trainable) for name in self._names]
        for layer, _ in self._frozen:
            layer.trainable = False
        self.model.make_train_function(force=True)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Thaws the layers when the steps are over."""
        self._seen += self.model.steps_per_execution
        if self._frozen and self._seen >= self._steps:
            self._thaw()

    def on_train_end(self, logs: Any = None) -> None:
        """Thaws the layers if training ended before."""
        if self._frozen:
            self._thaw()

    def _thaw(self) -> None:
        for layer, trainable in self._frozen:
            layer.trainable = trainable
        self._frozen = []
        self.model.make_train_function(force=True)


def callbacks(config: WarmStartConfig, report: TransferReport) -> list[Any]:
    """The callbacks that a warm start needs in `fit`: none, or one that freezes layers.

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
