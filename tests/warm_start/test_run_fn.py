import dataclasses
import json
import logging
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tests.warm_start.documents import places, replaced
from tests.warm_start.models import columns, predictions, randomized, spec_of, wide_and_deep
from tfx_wine_ext import warm_start
from tfx_wine_ext.files.tensorflow import GFiles
from tfx_wine_ext.warm_start.checkpoint import read_checkpoint, write_checkpoint
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.decision import UnusableBaseError
from tfx_wine_ext.warm_start.inputs import Affine, InputSpec, Vocabulary
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


@pytest.mark.parametrize(
    ("inputs", "kind", "complaint"),
    [
        ({"numbers": ["pH_z"]}, TypeError, "^inputs: expected an InputSpec, found {'numbers': "),
        (spec_of(Affine.identity("pH"), Affine.identity("fat")), ValueError, "names .'fat'"),
    ],
)
def test_inputs_that_do_not_fit_are_found_before_a_cold_start(tmp_path, inputs, kind, complaint):
    model = wide_and_deep(BEFORE)
    with pytest.raises(kind, match=complaint):
        restore(model, fn_args(tmp_path / "1"), inputs)


def test_a_model_that_is_not_built_is_found_before_a_cold_start(tmp_path):
    model = keras.Sequential([keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="has no weights yet: first build it"):
        restore(model, fn_args(tmp_path / "1"), BEFORE)


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
    assert "cannot be used: the base has another architecture: only/kernel" in report.reason
    for was, now in zip(weights, other.get_weights()):
        np.testing.assert_array_equal(was, now)


@pytest.mark.parametrize("damage", ["gone", "another architecture"])
def test_an_unusable_base_is_an_error_where_the_policy_says_so(tmp_path, damage):
    if damage != "gone":
        only = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, name="only")])
        save(only, fn_args(tmp_path / "1"), BEFORE, TransferReport(False, ""))
    with pytest.raises(UnusableBaseError, match=r"1/warm_start: the base cannot be used: "):
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


def restored(tmp_path, compile_again=False, **config):
    """A model that continues from a base, as a run_fn without any callbacks has it."""
    run(tmp_path / "1", BEFORE)
    model = randomized(wide_and_deep(BEFORE), seed=2)
    model.compile("adam", loss="mse", jit_compile=False)
    args = fn_args(tmp_path / "2", request_for(tmp_path, **config))
    report = restore(model, args, BEFORE)
    if compile_again:
        model.compile("sgd", loss="mse", jit_compile=False)
    return model, args, report


def moved_by(model, train):
    before = [model.get_layer(x).get_weights()[0] for x in ("hidden", "output")]
    train(model)
    after = [model.get_layer(x).get_weights()[0] for x in ("hidden", "output")]
    return [not np.array_equal(a, b) for a, b in zip(before, after)]


def one_batch(model):
    model.train_on_batch(columns(BEFORE, RAW), LABEL)


def one_fit(model):
    model.fit(columns(BEFORE, RAW), LABEL, batch_size=20, verbose=0)


@pytest.mark.parametrize("compile_again", [False, True])
@pytest.mark.parametrize("train", [one_batch, one_fit])
def test_restore_freezes_what_the_policy_names_without_any_callback(tmp_path, train, compile_again):
    frozen = {"frozen_layers": ("hidden",), "frozen_steps": 2}
    model, args, report = restored(tmp_path, compile_again, **frozen)
    assert [moved_by(model, train) for _ in range(4)] == [[False, True]] * 2 + [[True, True]] * 2
    assert all(layer.trainable for layer in model.layers)
    assert save(model, args, BEFORE, report).steps == 4


def test_layers_thaw_in_the_midst_of_a_fit(tmp_path):
    model, _, _ = restored(tmp_path, frozen_layers=("hidden",), frozen_steps=4)
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(model.get_layer("hidden").trainable)

    model.fit(columns(BEFORE, RAW), LABEL, batch_size=4, epochs=2, callbacks=[Watch()], verbose=0)
    assert seen == [False] * 3 + [True] * 7


def test_the_callbacks_take_the_place_of_what_restore_froze(tmp_path):
    model, args, report = restored(tmp_path, frozen_layers=("hidden",), frozen_steps=4)
    policy = WarmStartRequest.of(args).config
    model.fit(
        columns(BEFORE, RAW),
        LABEL,
        batch_size=4,
        callbacks=warm_start.callbacks(policy, report),
        verbose=0,
    )
    assert isinstance(warm_start.callbacks(policy, report)[0], warm_start.FreezeLayers)
    assert all(layer.trainable for layer in model.layers)
    assert moved_by(model, one_batch) == [True, True]


def test_layers_that_stayed_frozen_are_told_of_and_thawed_when_it_is_saved(tmp_path, caplog):
    model, args, report = restored(tmp_path, frozen_layers=("hidden",), frozen_steps=40)
    one_batch(model)
    export = tmp_path / "export"
    model.export(str(export), verbose=False)  # What stands before the training is not in the way.
    with caplog.at_level(logging.WARNING):
        save(model, args, BEFORE, report)
    assert "frozen until the end: fit and train_on_batch took 1 steps, and frozen_steps is 40" in (
        caplog.text
    )
    assert all(layer.trainable for layer in model.layers)
    assert moved_by(model, one_batch) == [True, True]


@pytest.mark.parametrize("start", ["warm", "cold"])
def test_a_frozen_layer_that_is_not_there_is_an_error_when_restore_is_called(tmp_path, start):
    if start == "warm":
        run(tmp_path / "1", BEFORE)
    model = wide_and_deep(BEFORE)
    model.compile("adam", loss="mse")
    config = {"frozen_layers": ("hiden",), "frozen_steps": 2}
    request = request_for(tmp_path, **config)
    if start == "cold":
        request = dataclasses.replace(request, base="")
    message = r"there are no \['hiden'\]; the model has \['pH', 'hidden', 'dropout\w*', 'output'\]"
    with pytest.raises(ValueError, match=message):
        restore(model, fn_args(tmp_path / "2", request), BEFORE)


# --- bases that are no good ----------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["cold", "error"])
def test_a_base_whose_training_diverged_is_no_base(tmp_path, policy, caplog):
    model = randomized(wide_and_deep(BEFORE))
    model.compile("adam", loss="mse")
    model.get_layer("output").bias.assign([np.nan])
    with caplog.at_level(logging.WARNING):
        save(model, fn_args(tmp_path / "1"), BEFORE, TransferReport(False, ""))
    assert "The training diverged: output/bias are not finite" in caplog.text
    request = request_for(tmp_path, on_unusable_base=policy)
    if policy == "error":
        with pytest.raises(UnusableBaseError, match="NaN or infinite values in output/bias"):
            run(tmp_path / "2", BEFORE, request)
    else:
        _, _, report = run(tmp_path / "2", BEFORE, request)
        assert not report.warm
        assert "expected finite weights, found NaN or infinite values in output/bias" in (
            report.reason
        )
        assert read_checkpoint(f"{tmp_path}/2/warm_start").generation == 0


ODD = [None, True, -1, 2**40, 1.5, "", "x", [], {}, [[]], [["code", "city", 0, 2**40]], {"x": [1]}]


def test_whatever_structure_a_checkpoint_claims_the_start_is_warm_or_cold(tmp_path):
    spec = spec_of(
        Affine.z_score("pH", 3.2, 0.25), Vocabulary("city", ("Porto", "Braga"), oov_buckets=2)
    )
    model = randomized(wide_and_deep(spec))
    save(model, fn_args(tmp_path / "1"), spec, TransferReport(False, ""))
    path = tmp_path / "1" / "warm_start" / "checkpoint.json"
    index = json.loads(path.read_text())
    args = fn_args(tmp_path / "2", request_for(tmp_path))
    new = randomized(wide_and_deep(spec), seed=2)
    outcomes = set()
    for key in ("architecture", "inputs", "optimizer"):
        for place in places(index[key], (key,)):
            for odd in ODD:
                path.write_text(replaced(index, place, json.dumps(odd)))
                outcomes.add(restore(new, args, spec).warm)
    assert outcomes == {True, False}


def test_a_spec_of_nothing_is_a_model_whose_inputs_are_unknown(tmp_path):
    spec = InputSpec({})
    model = wide_and_deep(BEFORE)
    save(model, fn_args(tmp_path / "1"), spec, TransferReport(False, ""))
    new = randomized(wide_and_deep(BEFORE), seed=3)
    report = restore(new, fn_args(tmp_path / "2", request_for(tmp_path)), spec)
    assert report.counts()["restored"] == 4
