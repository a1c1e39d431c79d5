import keras
import numpy as np
import pytest

from tests.warm_start.models import columns, randomized, spec_of, wide_and_deep
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.freeze import (
    FreezeLayers,
    callbacks,
    freeze_first_steps,
    layers_named,
)
from tfx_wine_ext.warm_start.inputs import Affine
from tfx_wine_ext.warm_start.report import TransferReport

BEFORE = spec_of(Affine.z_score("pH", 3.2, 0.25))
RAW = {"pH": np.array([2.9, 3.0, 3.1, 3.4, 3.6] * 4)}
LABEL = np.sin(4 * RAW["pH"])[:, None]


def fitted(config, warm=True, steps_per_execution=1):
    """The weights of the hidden and of the output layer after each of six steps."""
    spec = BEFORE
    model = randomized(wide_and_deep(spec))
    model.compile("adam", loss="mse", jit_compile=False, steps_per_execution=steps_per_execution)
    seen = [[model.get_layer(x).get_weights()[0] for x in ("hidden", "output")]]

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append([model.get_layer(x).get_weights()[0] for x in ("hidden", "output")])

    report = TransferReport(warm, "")
    model.fit(
        columns(spec, RAW),
        LABEL,
        batch_size=4,
        epochs=2,
        callbacks=[*callbacks(config, report), Watch()],
        verbose=0,
    )
    moved = [
        [not np.array_equal(a, b) for a, b in zip(one, two)] for one, two in zip(seen, seen[1:])
    ]
    return model, moved


def test_frozen_layers_begin_to_learn_after_their_steps():
    config = WarmStartConfig(frozen_layers=("hidden",), frozen_steps=4)
    model, moved = fitted(config)
    assert moved == [[False, True]] * 4 + [[True, True]] * 6
    assert all(layer.trainable for layer in model.layers)
    assert int(model.optimizer.iterations) == 10


def test_layers_that_are_still_frozen_at_the_end_are_thawed():
    model, moved = fitted(WarmStartConfig(frozen_layers=("hidden",), frozen_steps=100))
    assert moved == [[False, True]] * 10
    assert all(layer.trainable for layer in model.layers)


def test_nothing_is_frozen_after_a_cold_start():
    config = WarmStartConfig(frozen_layers=("hidden",), frozen_steps=4)
    assert fitted(config, warm=False)[1] == [[True, True]] * 10


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"frozen_layers: there are no \['hiden'\]; the model has"):
        fitted(WarmStartConfig(frozen_layers=("hiden",), frozen_steps=4))


def test_frozen_layers_keep_the_optimizer_state_of_the_base():
    model, _ = fitted(WarmStartConfig(frozen_layers=("hidden",), frozen_steps=4))
    names = {x.name for x in model.optimizer.variables}
    assert {"hidden_kernel_momentum", "output_kernel_momentum"} <= names
    assert isinstance(FreezeLayers(("hidden",), 1), keras.callbacks.Callback)


def test_layers_within_models_are_frozen_too_and_what_was_frozen_before_stays_so():
    inner = keras.Sequential(
        [keras.Input([1]), keras.layers.Dense(2, name="a"), keras.layers.Dense(2, name="b")],
        name="inner",
    )
    inner.get_layer("a").trainable = False
    model = keras.Sequential([keras.Input([1]), inner, keras.layers.Dense(1, name="out")])
    model.compile("sgd", "mse")
    freeze_first_steps(model, WarmStartConfig(frozen_layers=("inner",), frozen_steps=1))
    assert not inner.get_layer("b").trainable
    model.train_on_batch(np.ones((2, 1)), np.ones((2, 1)))
    assert (inner.get_layer("a").trainable, inner.get_layer("b").trainable) == (False, True)
    assert [x.name for x in layers_named(model, ["b"])] == ["b"]


def test_steps_of_a_model_that_is_not_compiled_cannot_be_counted():
    config = WarmStartConfig(frozen_layers=("hidden",), frozen_steps=1)
    with pytest.raises(ValueError, match="the model is not compiled, so its steps cannot be"):
        freeze_first_steps(wide_and_deep(BEFORE), config)
