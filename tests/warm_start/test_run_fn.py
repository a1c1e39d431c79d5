import dataclasses
import json
import logging
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tests.warm_start.models import columns, predictions, randomized, spec_of, wide_and_deep
from tfx_wine_ext.warm_start.checkpoint import read_checkpoint, write_checkpoint
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.decision import UnusableBaseError
from tfx_wine_ext.warm_start.freeze import FreezeLayers, callbacks
from tfx_wine_ext.warm_start.gfile import GFiles
from tfx_wine_ext.warm_start.inputs import Affine, InputSpec
from tfx_wine_ext.warm_start.report import TransferReport
from tfx_wine_ext.warm_start.run_fn import REQUEST_KEY, WarmStartRequest, restore, save

BEFORE = spec_of(Affine.z_score("pH", 3.2, 0.25))
AFTER = spec_of(Affine.z_score("pH", 3.0, 0.5))
RAW = {"pH": np.array([2.9, 3.0, 3.1, 3.4, 3.6] * 4)}
LABEL = np.sin(4 * RAW["pH"])[:, None]


def fn_args(folder, request=None):
    custom_config = None if request is None else {REQUEST_KEY: request.to_dict(), "other": 1}
    return SimpleNamespace(
        serving_model_dir=f"{folder}/Format-Serving", custom_config=custom_config
    )


def run(folder, spec, request=None, seed=1):
    """A run_fn: builds, restores, trains three steps, saves."""
    model = randomized(wide_and_deep(spec), seed)
    model.compile("adam", loss="mse", jit_compile=False)
    args = fn_args(folder, request)
    report = restore(model, args, spec)
    before = predictions(model, spec, RAW)
    for _ in range(3):
        model.train_on_batch(columns(spec, RAW), LABEL)
    return model, before, save(model, args, spec, report)


def request_for(tmp_path, **config):
    return WarmStartRequest(
        "Warm start from model 7.", f"{tmp_path}/1/warm_start", 1, WarmStartConfig(**config)
    )


def test_without_a_request_the_start_is_cold_and_the_checkpoint_is_saved(tmp_path):
    _, _, report = run(tmp_path / "1", BEFORE)
    assert report == TransferReport(False, "Cold start: no warm start was asked for.", steps=3)
    found = read_checkpoint(f"{tmp_path}/1/warm_start")
    assert (found.step, found.generation, found.optimizer) == (3, 0, "Adam")


def test_a_second_run_goes_on_from_the_first(tmp_path):
    first, _, _ = run(tmp_path / "1", BEFORE)
    _, before, report = run(tmp_path / "2", AFTER, request_for(tmp_path), seed=2)
    np.testing.assert_allclose(before, predictions(first, BEFORE, RAW), atol=1e-5)
    assert report.warm
    assert (report.reason, report.base) == (
        "Warm start from model 7.",
        f"{tmp_path}/1/warm_start",
    )
    assert (report.base_step, report.steps, report.generation) == (3, 3, 1)
    found = read_checkpoint(f"{tmp_path}/2/warm_start")
    assert (found.step, found.generation, found.optimizer_step) == (6, 1, 6)
    written = json.loads((tmp_path / "2" / "warm_start" / "warm_start.json").read_text())
    assert TransferReport.from_dict(written) == report
    assert written["counts"] == {"restored": 2, "remapped": 2, "initialised": 0, "skipped": 0}


def test_steps_go_on_after_a_reset_of_the_optimizer(tmp_path):
    run(tmp_path / "1", BEFORE)
    run(tmp_path / "2", AFTER, request_for(tmp_path, optimizer="reset"))
    found = read_checkpoint(f"{tmp_path}/2/warm_start")
    assert (found.step, found.optimizer_step) == (6, 3)


def test_the_checkpoint_goes_where_the_request_says(tmp_path):
    request = WarmStartRequest(directory=f"{tmp_path}/elsewhere")
    run(tmp_path / "1", BEFORE, request)
    assert read_checkpoint(f"{tmp_path}/elsewhere").step == 3
    assert not (tmp_path / "1").exists()


def test_a_missing_base_is_a_cold_start_with_a_warning(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        _, _, report = run(tmp_path / "2", AFTER, request_for(tmp_path))
    assert not report.warm
    assert report.reason.startswith(
        f"Cold start: the base {tmp_path}/1/warm_start cannot be used: "
        f"{tmp_path}/1/warm_start/checkpoint.json: cannot be read: "
    )
    assert caplog.messages == [report.reason]
    assert read_checkpoint(f"{tmp_path}/2/warm_start").generation == 0


def test_another_architecture_is_a_cold_start_that_leaves_the_model_as_it_was(tmp_path):
    run(tmp_path / "1", BEFORE)
    other = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, name="only")])
    weights = other.get_weights()
    report = restore(other, fn_args(tmp_path / "2", request_for(tmp_path)), AFTER)
    assert "cannot be used: the base is of another architecture: only/kernel" in report.reason
    for was, now in zip(weights, other.get_weights()):
        np.testing.assert_array_equal(was, now)


@pytest.mark.parametrize("damage", ["gone", "of another architecture"])
def test_an_unusable_base_is_an_error_where_the_policy_says_so(tmp_path, damage):
    if damage != "gone":
        only = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, name="only")])
        save(only, fn_args(tmp_path / "1"), BEFORE, TransferReport(False, ""))
    with pytest.raises(UnusableBaseError, match=r"The warm start failed: the base .*warm_start"):
        run(tmp_path / "2", AFTER, request_for(tmp_path, on_unusable_base="error"))


def test_an_unknown_key_of_the_request_is_an_error():
    args = SimpleNamespace(serving_model_dir="m", custom_config={REQUEST_KEY: {"bases": ""}})
    with pytest.raises(ValueError, match=r"\['warm_start'\] has the unknown keys \['bases'\]"):
        WarmStartRequest.of(args)


def test_a_run_fn_without_a_place_for_the_model_is_an_error():
    args = SimpleNamespace(serving_model_dir="", custom_config=None)
    with pytest.raises(ValueError, match=r"serving_model_dir is empty"):
        WarmStartRequest.of(args)


def test_checkpoints_go_through_tensorflows_file_systems_where_a_path_has_a_scheme(tmp_path):
    base = "ram://pipeline/1"
    run(base, BEFORE)
    request = dataclasses.replace(request_for(tmp_path), base=f"{base}/warm_start")
    _, _, report = run(tmp_path / "2", AFTER, request)
    assert report.warm
    write_checkpoint(f"{base}/warm_start", read_checkpoint(f"{tmp_path}/2/warm_start"), GFiles())
    assert read_checkpoint(f"{base}/warm_start", GFiles()).step == 6
    assert len(GFiles().glob(f"{base}/warm_start/*/variables.npz")) == 1


# --- frozen layers -------------------------------------------------------------------------------


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


# --- imports -------------------------------------------------------------------------------------


def test_importing_the_package_loads_neither_keras_nor_tensorflow(checkout):
    program = (
        "import sys, tfx_wine_ext.warm_start\n"
        "print(sorted({'keras', 'tensorflow', 'tensorflow_transform', 'tfx'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=checkout, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_spec_of_nothing_is_a_model_whose_inputs_are_unknown(tmp_path):
    spec = InputSpec({})
    model = wide_and_deep(BEFORE)
    save(model, fn_args(tmp_path / "1"), spec, TransferReport(False, ""))
    new = randomized(wide_and_deep(BEFORE), seed=3)
    report = restore(new, fn_args(tmp_path / "2", request_for(tmp_path)), spec)
    assert report.counts()["restored"] == 4
