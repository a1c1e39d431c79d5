import keras
import numpy as np
import pytest

from tests.warm_start.models import columns, randomized, spec_of, wide_and_deep
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.inputs import Affine, InputSpec, Vocabulary
from tfx_wine_ext.warm_start.optimizer import slots_of, step_of
from tfx_wine_ext.warm_start.transfer import checkpoint_of, transfer
from tfx_wine_ext.warm_start.walk import examine

PH = Affine.z_score("pH", 3.2, 0.25)
PH_MOVED = Affine.z_score("pH", 3.0, 0.5)
CITY = Vocabulary("city", ("Porto", "Braga"), 1)
CITY_MOVED = Vocabulary("city", ("Faro", "Braga", "Porto"), 1)


def raw(rows=64, seed=0):
    random = np.random.default_rng(seed)
    ph = random.normal(3.1, 0.3, rows)
    city = random.choice(["Porto", "Braga", "Faro"], rows)
    return {"pH": ph, "city": city}, (ph + (city == "Porto"))[:, None].astype(np.float32)


def compiled(spec, optimizer, seed=1, eager=False):
    model = randomized(wide_and_deep(spec, dropout=0.0), seed)
    model.compile(optimizer, loss="mse", jit_compile=False, run_eagerly=eager)
    return model


def trained(spec, optimizer, steps=5, eager=False):
    values, label = raw()
    model = compiled(spec, optimizer, eager=eager)
    for _ in range(steps):
        model.train_on_batch(columns(spec, values), label)
    return model


OPTIMIZERS = {
    "Adam": keras.optimizers.Adam,
    "AMSGrad": lambda: keras.optimizers.Adam(amsgrad=True),
    "AdamW": keras.optimizers.AdamW,
    "Nadam": keras.optimizers.Nadam,
    "SGD": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "RMSprop": keras.optimizers.RMSprop,
    "Adagrad": keras.optimizers.Adagrad,
    "Lion": keras.optimizers.Lion,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_as_if_it_had_never_stopped(name):
    spec = spec_of(PH, CITY)
    eager = name != "Adam"  # One of them shows that a traced step goes on likewise.
    base = trained(spec, OPTIMIZERS[name](), eager=eager)
    new = compiled(spec, OPTIMIZERS[name](), seed=2, eager=eager)
    report = transfer(checkpoint_of(base, spec), new, spec)
    assert report.optimizer.endswith("step 5.")
    values, label = raw(seed=3)
    for model in (base, new):
        for _ in range(3):
            model.train_on_batch(columns(spec, values), label)
    for was, now in zip(base.weights, new.weights):
        np.testing.assert_allclose(now, was, rtol=1e-4, atol=1e-6)


def linear():
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])
    # With no learning rate only the moments change.
    model.compile(keras.optimizers.Adam(0.0), loss="mse", jit_compile=False)
    return model


def test_the_moments_are_those_that_training_on_the_new_inputs_would_have_made():
    before, after = InputSpec({"x": [PH]}), InputSpec({"x": [PH_MOVED]})
    values, label = raw()
    base, new, other = linear(), linear(), linear()
    base.set_weights([np.array([[2.0]]), np.array([1.0])])
    # The same function on the new inputs: so both see the same gradients of the outputs.
    transfer(checkpoint_of(base, before), other, after)
    for _ in range(4):
        base.train_on_batch(columns(before, values)["x"], label)
        other.train_on_batch(columns(after, values)["x"], label)
    report = transfer(checkpoint_of(base, before), new, after)
    assert report.optimizer == "Kept: 4 variables, step 4."
    found, expected = slots(new), slots(other)
    for exact in (
        ("momentum", "dense/kernel"),
        ("momentum", "dense/bias"),
        ("velocity", "dense/bias"),
    ):
        np.testing.assert_allclose(found[exact], expected[exact], rtol=1e-4)
    # Without the product of both gradients, which is not known: v / r^2 + k^2 v_b.
    old = slots(base)
    ratio, offset = 0.5 / 0.25, (3.0 - 3.2) / 0.5
    np.testing.assert_allclose(
        found["velocity", "dense/kernel"],
        old["velocity", "dense/kernel"] / ratio**2 + offset**2 * old["velocity", "dense/bias"],
        rtol=1e-5,
    )


def slots(model):
    _, weights = examine(model, InputSpec({}))
    return {
        (slot, name): variable.numpy()
        for slot, variables in slots_of(model, weights).items()
        for name, variable in variables.items()
    }


def test_slots_move_with_their_tokens_and_new_tokens_begin_afresh():
    before, after = spec_of(PH, CITY), spec_of(PH_MOVED, CITY_MOVED)
    base, new = trained(before, "adam"), compiled(after, "adam", seed=2)
    transfer(checkpoint_of(base, before), new, after)
    old, found = slots(base), slots(new)
    for slot in ("momentum", "velocity"):
        was, now = old[slot, "city_table/embeddings"], found[slot, "city_table/embeddings"]
        assert np.ptp(was) > 0
        # Porto, Braga, unknown: now Faro, Braga, Porto, unknown.
        np.testing.assert_array_equal(now, [0 * was[0], was[1], was[0], was[2]])


def test_a_reset_optimizer_begins_at_step_0():
    spec = spec_of(PH, CITY)
    base, new = trained(spec, "adam"), compiled(spec, "adam", seed=2)
    report = transfer(checkpoint_of(base, spec), new, spec, WarmStartConfig(optimizer="reset"))
    assert report.optimizer == "Reset by the policy: fresh state at step 0."
    assert (report.base_step, report.optimizer_step) == (5, 0)
    assert int(new.optimizer.iterations) == 0


def test_another_optimizer_is_reset_and_said_to_be():
    spec = spec_of(PH, CITY)
    base, new = trained(spec, "adam"), compiled(spec, "rmsprop", seed=2)
    report = transfer(checkpoint_of(base, spec), new, spec)
    assert report.optimizer == "Reset: the optimizer is RMSprop, the base's was Adam."


def test_a_model_without_an_optimizer_is_restored_without_one():
    spec = spec_of(PH)
    base, new = randomized(wide_and_deep(spec)), wide_and_deep(spec)
    assert transfer(checkpoint_of(base, spec), new, spec).optimizer == (
        "The model has no optimizer."
    )


def test_moments_of_an_unknown_kind_are_fresh_where_the_weight_was_restated():
    before, after = spec_of(PH), spec_of(PH_MOVED)
    base, new = trained_without_city(before), compiled(after, keras.optimizers.Ftrl(), seed=2)
    report = transfer(checkpoint_of(base, before), new, after)
    assert report.optimizer == (
        "Kept: 6 variables, step 2. Fresh: accumulator of hidden/kernel, linear of hidden/kernel."
    )


def trained_without_city(spec):
    values, label = raw()
    model = compiled(spec, keras.optimizers.Ftrl())
    for _ in range(2):
        model.train_on_batch(columns(spec, values), label)
    return model


def test_the_learning_rate_is_that_of_the_new_run_times_the_factor():
    spec = spec_of(PH)
    base = compiled(spec, keras.optimizers.Adam(0.5))
    new = compiled(spec, keras.optimizers.Adam(0.01))
    transfer(checkpoint_of(base, spec), new, spec, WarmStartConfig(learning_rate_factor=0.1))
    assert float(new.optimizer.learning_rate) == pytest.approx(0.001)


def test_the_factor_needs_a_learning_rate_that_is_a_number():
    spec = spec_of(PH)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    base, new = compiled(spec, "adam"), compiled(spec, keras.optimizers.Adam(schedule))
    with pytest.raises(ValueError, match="learning_rate_factor needs a compiled model whose"):
        transfer(checkpoint_of(base, spec), new, spec, WarmStartConfig(learning_rate_factor=0.1))


# --- optimizers within others --------------------------------------------------------------------


def wrapped(optimizer, **arguments):
    return keras.optimizers.LossScaleOptimizer(optimizer, **arguments)


def test_steps_and_state_within_a_loss_scale_are_carried():
    spec = spec_of(PH, CITY)
    base = trained(spec, wrapped(keras.optimizers.Adam()))
    checkpoint = checkpoint_of(base, spec)
    assert (checkpoint.optimizer, checkpoint.step, checkpoint.optimizer_step) == ("Adam", 5, 5)
    assert set(checkpoint.slots) == {"momentum", "velocity"}
    new = compiled(spec, wrapped(keras.optimizers.Adam()), seed=2)
    report = transfer(checkpoint, new, spec, WarmStartConfig(learning_rate_factor=0.5))
    assert (report.optimizer_step, report.optimizer) == (5, "Kept: 10 variables, step 5.")
    assert float(new.optimizer.inner_optimizer.learning_rate) == pytest.approx(0.0005)
    values, label = raw(seed=3)
    new.train_on_batch(columns(spec, values), label)
    assert step_of(new) == 6


def test_a_base_with_mixed_precision_counts_its_steps(tmp_path):
    from tests.warm_start.test_run_fn import fn_args, request_for
    from tfx_wine_ext.warm_start.run_fn import restore, save

    spec = spec_of(PH, CITY)
    values, label = raw()
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        for name, request in (("1", None), ("2", request_for(tmp_path))):
            # Keras's own first scale overflows in the first steps, which do not count then.
            model = compiled(spec, wrapped(keras.optimizers.Adam(), initial_scale=1.0))
            args = fn_args(tmp_path / name, request)
            report = restore(model, args, spec)
            for _ in range(3):
                model.train_on_batch(columns(spec, values), label)
            report = save(model, args, spec, report)
            assert report.steps == 3
        assert (report.base_step, report.warm) == (3, True)
        assert report.preserves_function, report.verification
    finally:
        keras.config.set_dtype_policy(policy)


def test_a_state_that_is_not_finite_is_not_gone_on_with():
    spec = spec_of(PH, CITY)
    base = trained(spec, keras.optimizers.Adam())
    checkpoint = checkpoint_of(base, spec)
    checkpoint.slots["velocity"]["hidden/kernel"][0, 0] = np.inf
    new = compiled(spec, "adam", seed=2)
    report = transfer(checkpoint, new, spec)
    assert report.optimizer == (
        "Reset: the base's velocity of hidden/kernel has values that are not finite."
    )
    assert (report.optimizer_step, report.preserves_function) == (0, True)
