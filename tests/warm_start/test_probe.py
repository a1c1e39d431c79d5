"""A claim is made of what was compared: both models are run on the same raw values."""

import dataclasses
import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.warm_start.models import columns, predictions, randomized, spec_of, wide_and_deep
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.inputs import Affine, Buckets, InputSpec, Raw, Unknown, Vocabulary
from tfx_wine_ext.warm_start.transfer import checkpoint_of, transfer

X = InputSpec({"x": [Affine.identity("a"), Affine.identity("b")]})
TEXT = InputSpec({"city": [Raw("city")]})
NUMBER = InputSpec({"n": [Raw("n")]})
layers = keras.layers


def numbers_model(*middle):
    x = keras.Input([2], name="x")
    y = x
    for layer in middle:
        y = layer(y)
    return keras.Model(x, layers.Dense(1, name="out")(layers.Dense(4, name="hidden")(y)))


def text_model(lookup, rows, dtype="string", name="city"):
    x = keras.Input([1], name=name, dtype=dtype)
    y = layers.Flatten()(layers.Embedding(rows, 3, name="table")(lookup(x)))
    return keras.Model(x, layers.Dense(1, name="out")(y))


def one_hot_model(encoder, dtype="string", name="city"):
    x = keras.Input([1], name=name, dtype=dtype)
    return keras.Model(x, layers.Dense(1, name="out")(encoder(x)))


def carried(build, spec, *arguments, config=None):
    """A base and a new model, each built with its own argument, and the report."""
    before, after = arguments
    base, new = trained(build(before)), trained(build(after), 2)
    return base, new, transfer(checkpoint_of(base, spec), new, spec, config)


def trained(model, seed=1):
    """Weights as after training; statistics of layers stay what they were adapted to."""
    random = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(random.normal(0, 0.5, weight.shape))
    return model


def difference(base, new, values):
    return float(np.abs(np.asarray(base(values)) - np.asarray(new(values))).max())


VALUES = np.random.default_rng(5).normal(3, 2, (50, 2)).astype(np.float32)


def adapted(shift):
    layer = layers.Normalization(name="normalization")
    layer.adapt(VALUES * shift + shift)
    return layer


def given(shift):
    return layers.Normalization(
        mean=[1.0 * shift, 2.0], variance=[4.0, 9.0 * shift], name="normalization"
    )


# --- what can be compensated ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "middle",
    [
        adapted,
        given,
        lambda k: layers.Rescaling(0.1 * k, offset=k - 1.0, name="rescaling"),
        lambda k: layers.Rescaling([0.1 * k, 2.0], offset=[k, 0.5], name="rescaling"),
        lambda k: layers.Normalization(mean=0.5 * k, variance=k, axis=None, name="normalization"),
        lambda k: layers.Normalization(
            mean=[1.0, k], variance=[4.0, k], invert=True, name="normalization"
        ),
    ],
    ids=["adapted", "given", "rescaling", "rescaling of columns", "of all", "inverted"],
)
def test_statistics_within_the_model_are_compensated(middle):
    base, new, report = carried(lambda k: numbers_model(middle(k)), X, 1.0, 3.0)
    assert difference(base, new, VALUES) < 1e-4
    assert report.preserves_function, (report.not_compensated, report.verification)
    assert report.verification.startswith("Verified: both predict the same on 256 of 256")


def test_an_adapted_layer_keeps_the_statistics_of_the_new_data():
    _, new, report = carried(lambda k: numbers_model(adapted(k)), X, 1.0, 3.0)
    np.testing.assert_allclose(
        np.ravel(new.get_layer("normalization").mean), VALUES.mean(0) * 3 + 3, rtol=1e-4
    )
    entry = {x.name: x for x in report.variables}["normalization/mean"]
    assert entry.action == "initialised"
    assert entry.reason == "its statistics are those of the new data, which is compensated"


def test_transform_s_z_score_under_the_layer_is_compensated_with_it():
    before = InputSpec({"x": [Affine.z_score("a", 3.0, 2.0), Affine.z_score("b", 1.0, 0.5)]})
    after = InputSpec({"x": [Affine.z_score("b", 2.0, 1.5), Affine.z_score("a", 5.0, 1.0)]})
    base, new = trained(numbers_model(given(1))), trained(numbers_model(given(2)), 2)
    report = transfer(checkpoint_of(base, before), new, after)
    raw = {"a": VALUES[:, 0], "b": VALUES[:, 1]}
    np.testing.assert_allclose(
        predictions(base, before, raw), predictions(new, after, raw), atol=1e-4
    )
    assert report.preserves_function


@pytest.mark.parametrize(
    "between",
    [layers.BatchNormalization, lambda: layers.Activation("relu"), layers.LayerNormalization],
)
def test_where_it_cannot_be_compensated_an_adapted_layer_gets_the_statistics_of_the_base(between):
    def build(k):
        return numbers_model(adapted(k), between())

    base, new, report = carried(build, X, 1.0, 3.0)
    assert difference(base, new, VALUES) < 1e-4
    assert report.preserves_function


def test_where_it_cannot_be_compensated_given_statistics_are_named():
    def build(k):
        return numbers_model(given(k), layers.Activation("relu"))

    base, new, report = carried(build, X, 1.0, 3.0)
    assert difference(base, new, VALUES) > 0.1
    assert not report.preserves_function
    assert any(
        "feature Normalization(a): its mean or its scale changed, and it reaches activation" in x
        for x in report.not_compensated
    )


class Subclassed(keras.Model):
    """A model without a graph that could be walked."""

    def __init__(self, shift):
        super().__init__()
        self.normalization = adapted(shift)
        self.out = layers.Dense(1)

    def call(self, x):
        return self.out(self.normalization(x))


def test_a_layer_within_a_subclassed_model_computes_with_the_weights_that_it_got():
    def build(k):
        model = Subclassed(k)
        model(VALUES)
        return model

    base, new, report = carried(build, X, 1.0, 3.0)
    assert difference(base, new, VALUES) < 1e-4
    assert report.preserves_function


TOKENS = {1: ["Porto", "Braga", "Faro"], 2: ["Lagos", "Faro", "Porto", "Évora"]}
CITIES = tf.constant([["Porto"], ["Faro"], ["Lagos"], ["Évora"], ["Nowhere"], ["Elsewhere"]])
# Of a token that the new vocabulary does not have nothing is left.
LOOKUPS = {
    "one bucket": lambda k: layers.StringLookup(vocabulary=TOKENS[k]),
    "two buckets": lambda k: layers.StringLookup(vocabulary=TOKENS[k], num_oov_indices=2),
    "mask": lambda k: layers.StringLookup(vocabulary=TOKENS[k], mask_token=""),
    "mask and three": lambda k: layers.StringLookup(
        vocabulary=TOKENS[k], num_oov_indices=3, mask_token="-"
    ),
}


@pytest.mark.parametrize("kind", LOOKUPS)
def test_the_vocabulary_of_a_lookup_moves_the_rows_of_its_embedding(kind):
    lookup = LOOKUPS[kind]
    base, new, report = carried(lambda k: text_model(lookup(k), 8), TEXT, 1, 2)
    assert difference(base, new, CITIES) < 1e-6
    assert report.preserves_function, (report.not_compensated, report.verification)


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_the_vocabulary_of_a_lookup_moves_the_rows_of_its_kernel(mode):
    def build(k):
        return one_hot_model(layers.StringLookup(vocabulary=TOKENS[k], output_mode=mode))

    base, new, report = carried(build, TEXT, 1, 2)
    assert difference(base, new, CITIES) < 1e-6
    assert report.preserves_function


def test_integers_are_looked_up_like_texts():
    known = {1: [10, 20, 33], 2: [33, 7, 10]}

    def build(k):
        lookup = layers.IntegerLookup(vocabulary=known[k], num_oov_indices=2)
        return text_model(lookup, 6, "int64", "n")

    base, new, report = carried(build, NUMBER, 1, 2)
    assert difference(base, new, np.array([[10], [33], [7], [8], [9], [123]])) < 1e-6
    assert report.preserves_function


def test_words_of_a_text_are_looked_up_like_tokens():
    def build(k):
        words = layers.TextVectorization(
            vocabulary=[token.lower() for token in TOKENS[k]], output_sequence_length=3
        )
        x = keras.Input([], name="city", dtype="string")
        y = layers.Flatten()(layers.Embedding(8, 3, name="table")(words(x)))
        return keras.Model(x, layers.Dense(1, name="out")(y))

    base, new, report = carried(build, TEXT, 1, 2)
    texts = tf.constant(["Porto faro", "lagos lagos", "what is évora", ""])
    assert difference(base, new, texts) < 1e-6
    assert report.preserves_function


# --- what cannot, and is named -------------------------------------------------------------------


class Scale(layers.Layer):
    """Multiplies by an attribute that its config does not tell."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return super().get_config()


def slope(k):
    return layers.Activation(lambda x: keras.ops.leaky_relu(x, 0.1 * k))


MIDDLES = {
    "a Lambda": lambda k: layers.Lambda(lambda x: x * k, output_shape=(2,)),
    "a constant": lambda k: lambda x: x * k,
    "a constant of keras.ops": lambda k: lambda x: keras.ops.clip(x, -k, k),
    "a tensor": lambda k: lambda x: x + keras.ops.convert_to_tensor([k, 1.0]),
    "an array": lambda k: lambda x: x + np.array([k, 1.0], np.float32),
    "a power": lambda k: lambda x: x**k,
    "a custom layer": lambda k: Scale(k),
    "a slope in a config": lambda k: layers.ELU(alpha=0.1 * k),
    "a function without a name": slope,
}


@pytest.mark.parametrize("what", MIDDLES)
def test_what_is_no_weight_is_no_longer_claimed_to_be_kept(what):
    middle = MIDDLES[what]
    base, new, report = carried(lambda k: numbers_model(middle(k)), X, 1.0, 3.0)
    assert difference(base, new, VALUES) > 1e-3
    assert report.warm
    assert not report.preserves_function
    assert report.not_compensated


@pytest.mark.parametrize("what", MIDDLES)
def test_what_is_no_weight_and_did_not_change_is_verified(what):
    middle = MIDDLES[what]
    base, new, report = carried(lambda k: numbers_model(middle(k)), X, 2.0, 2.0)
    assert difference(base, new, VALUES) == 0
    assert report.preserves_function, (report.not_compensated, report.verification)


def test_what_is_no_weight_is_named():
    *_, report = carried(lambda k: numbers_model(lambda x: x * k), X, 2.0, 3.0)
    assert report.not_compensated[0] == (
        "layer multiply (Multiply): its constants was [2.0] and is [3.0]"
    )
    *_, report = carried(lambda k: numbers_model(Scale(k, name="scale")), X, 2.0, 3.0)
    assert "check scale (Scale) first" in report.not_compensated[0]


def test_boundaries_that_moved_are_named():
    def build(k):
        buckets = layers.Discretization(bin_boundaries=[0.0, k, 5.0])
        return text_model(buckets, 4, "float32", "n")

    *_, report = carried(build, NUMBER, 1.0, 1.0)
    assert report.preserves_function
    base, new, report = carried(build, NUMBER, 1.0, 3.0)
    assert difference(base, new, np.array([[0.5], [2.0], [7.0]], np.float32)) > 0.01
    assert not report.preserves_function
    assert report.not_compensated == (
        "table/embeddings: feature Discretization(n): its boundaries moved; each bucket keeps its "
        "place",
    )


def test_a_layer_that_came_or_went_is_named():
    def build(k):
        return numbers_model(*[layers.ReLU(name="cut")] * k)

    for before, after, where in ((0, 1, "the new model"), (1, 0, "the base")):
        *_, report = carried(build, X, before, after)
        assert not report.preserves_function
        rows = "outputs of cut, in the base columns of a, columns of b"
        if before:
            rows = "columns of a, columns of b, in the base outputs of cut"
        assert report.not_compensated == (
            f"hidden/kernel: its rows are {rows}",
            f"layer cut (ReLU) is only in {where}",
        )
        assert report.counts()["restored"] == 4
        assert "The predictions of the new model differ from the base's on" in report.verification


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (layers.Hashing(8), layers.Hashing(8, salt=7)),
        (layers.Hashing(8), layers.Hashing(6)),
    ],
)
def test_another_hash_is_named(before, after):
    *_, report = carried(lambda layer: text_model(layer, 8), TEXT, before, after)
    assert not report.preserves_function
    assert any("hashing (Hashing)" in x for x in report.not_compensated)


def test_weights_of_words_that_were_counted_anew_are_named():
    def build(k):
        lookup = layers.StringLookup(
            vocabulary=TOKENS[1], idf_weights=[k, 1.0, 2.0], output_mode="tf_idf"
        )
        return one_hot_model(lookup)

    base, new, report = carried(build, TEXT, 1.0, 3.0)
    assert difference(base, new, CITIES) > 0.01
    assert not report.preserves_function
    assert report.not_compensated


def test_an_unknown_transform_without_a_fingerprint_may_have_changed():
    def build(_):
        return numbers_model()

    blind = InputSpec({"x": [Unknown("a"), Unknown("b", "1234")]})
    *_, report = carried(build, blind, 0, 0)
    assert not report.preserves_function
    assert report.not_compensated == (
        "hidden/kernel: feature a: its transform may have changed: it is Unknown without a "
        "fingerprint",
    )
    sure = InputSpec({"x": [Unknown("a", "77"), Raw("b")]})
    assert carried(build, sure, 0, 0)[2].preserves_function


def test_inputs_that_the_specification_does_not_name_may_have_changed():
    *_, report = carried(lambda _: numbers_model(), InputSpec({}), 0, 0)
    assert report.verified
    assert not report.preserves_function
    assert "its transform may have changed" in report.not_compensated[0]


# --- where nothing can be compared ---------------------------------------------------------------


def test_a_checkpoint_of_an_earlier_release_makes_no_claim():
    base, new = trained(numbers_model()), trained(numbers_model(), 2)
    old = dataclasses.replace(checkpoint_of(base, X), probe=None)
    report = transfer(old, new, X)
    assert difference(base, new, VALUES) == 0
    assert report.not_compensated == ()
    assert not report.preserves_function
    assert report.verification == (
        "Not verified: the base was not run, as its checkpoint was written by an earlier release, "
        "and has no probe."
    )


def test_an_earlier_checkpoint_with_statistics_in_the_model_is_restored_as_it_was():
    base, new = trained(numbers_model(adapted(1.0))), trained(numbers_model(adapted(3.0)), 2)
    found = checkpoint_of(base, X)
    # What an earlier release would have written: the outputs of the layer had no features.
    from tfx_wine_ext.warm_start.walk import examine

    architecture = examine(base, X, follow_made=False)[0].to_dict()
    del architecture["made"]
    for facts in architecture["layers"].values():
        del facts["config"]
    old = dataclasses.replace(found, probe=None, architecture=architecture)
    report = transfer(old, new, X)
    assert difference(base, new, VALUES) < 1e-5
    assert report.counts()["initialised"] == 0


class Stubborn(layers.Layer):
    """Raises where it is told to."""

    refuses = False

    def call(self, x):
        if self.refuses:
            raise ArithmeticError("not these numbers")
        return x


@pytest.mark.parametrize("when", ["at save", "at restore"])
def test_a_model_that_cannot_be_run_makes_no_claim_and_says_why(when):
    before, after = Stubborn(), Stubborn()
    base, new = trained(numbers_model(before)), trained(numbers_model(after), 2)
    before.refuses, after.refuses = when == "at save", when == "at restore"
    report = transfer(checkpoint_of(base, X), new, X)
    assert report.warm
    assert not report.preserves_function
    assert report.verification.startswith("Not verified: ")
    assert "not these numbers" in report.verification


def test_a_feature_that_no_longer_means_anything_leaves_nothing_to_compare():
    before, after = spec_of(Affine("pH", 3.0, 0.5)), spec_of(Affine("pH", 3.2, 0.0))
    base, new = randomized(wide_and_deep(before)), randomized(wide_and_deep(after), 2)
    report = transfer(checkpoint_of(base, before), new, after)
    assert not report.preserves_function
    assert report.verification == (
        "Not verified: of 256 probed inputs of the base only 0 mean the same in the new model."
    )


def test_a_model_that_predicts_nothing_but_nan_leaves_nothing_to_compare():
    def logarithm(of):
        return layers.Lambda(lambda x: keras.ops.log(of - x * x), name="logarithm")

    base, new = (trained(numbers_model(logarithm(of)), seed) for of, seed in ((-1.0, 1), (-2.0, 2)))
    report = transfer(checkpoint_of(base, X), new, X)
    assert not report.preserves_function
    assert report.verification == (
        "Not verified: the base predicts nothing but NaN on all but 0 of 256 probed inputs."
    )


# --- how it is compared --------------------------------------------------------------------------


def test_a_probe_leaves_the_model_as_it_was():
    class Counter(layers.Layer):
        def build(self, shape):
            self.calls = self.add_weight(name="calls", shape=(), trainable=False)

        def call(self, x, training=False):
            self.calls.assign(self.calls + 1.0)
            return x

    model = numbers_model(Counter(), layers.Dropout(0.5, seed=3), layers.BatchNormalization())
    before = [np.array(x) for x in model.variables]
    checkpoint = checkpoint_of(model, X)
    for was, now in zip(before, model.variables):
        np.testing.assert_array_equal(was, now)
    assert checkpoint.probe is not None


def test_a_probe_covers_tokens_unknown_ones_bounds_and_gaps():
    spec = spec_of(
        Affine.z_score("pH", 3.2, 0.25),
        Vocabulary("city", ("Porto", "Braga", "Faro"), oov_buckets=2, reserved=1),
        Buckets("age", (1.0, 2.0)),
        Vocabulary("kind", ("a", "b"), one_hot=True),
    )
    probe = checkpoint_of(randomized(wide_and_deep(spec)), spec).probe
    assert {x.shape[0] for x in (*probe.inputs.values(), *probe.outputs)} == {256}
    assert set(probe.inputs["city"].ravel()) == {0, 1, 2, 3, 4, 5}
    assert set(probe.inputs["age"].ravel()) == {0, 1, 2}
    assert {tuple(x) for x in probe.inputs["kind"]} == {(0, 0), (1, 0), (0, 1)}
    ph = probe.inputs["pH"].ravel()
    assert np.isnan(ph).any()
    assert {-3.0, -1.0, 0.0, 1.0, 3.0} <= set(ph[~np.isnan(ph)])
    # Tails of a distribution such as that of prices are far out.
    assert {-10.0, 10.0} <= set(ph[~np.isnan(ph)])
    again = checkpoint_of(randomized(wide_and_deep(spec)), spec).probe
    np.testing.assert_array_equal(probe.outputs[0], again.outputs[0])


def test_a_probe_of_a_large_model_stays_small():
    x = keras.Input([64, 64, 3], name="x")
    y = layers.Conv2D(4, 3, padding="same")(x)
    model = keras.Model(x, [y, layers.GlobalAveragePooling2D()(y)])
    probe = checkpoint_of(model, InputSpec({"x": [Raw("picture")]})).probe
    size = sum(x.nbytes for x in (*probe.inputs.values(), *probe.outputs))
    assert 8 <= len(probe.outputs[0]) < 256
    assert size < 12 * 2**20


SHAPES = {
    "several outputs": lambda x: [layers.Dense(2, name="p")(x), layers.Dense(3, name="q")(x)],
    "named outputs": lambda x: {
        "p": layers.Dense(2, name="p")(x),
        "q": layers.Dense(1, name="q")(x),
    },
    "classes": lambda x: keras.ops.argmax(layers.Dense(5, name="p")(x), axis=-1),
    "mixed precision": lambda x: layers.Dense(2, name="p", dtype="mixed_bfloat16")(x),
    "shared layers": lambda x: layers.Add()([(one := layers.Dense(2, name="p"))(x), one(x)]),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("structure", ["one", "list", "dict"])
def test_outputs_and_inputs_of_any_structure_are_compared(shape, structure):
    def build():
        x = keras.Input([2], name="x")
        z = keras.Input([1], name="z")
        y = layers.Concatenate()([x, z]) if structure != "one" else x
        inputs = {"one": x, "list": [x, z], "dict": {"z": z, "x": x}}[structure]
        return keras.Model(inputs, SHAPES[shape](y))

    spec = X if structure == "one" else InputSpec({**X.inputs, "z": [Affine("c", 3.0, 2.0)]})
    base, new = trained(build()), trained(build(), 2)
    checkpoint = checkpoint_of(base, spec)
    report = transfer(checkpoint, new, spec)
    assert report.preserves_function, report.verification
    for weight in new.trainable_weights:
        weight.assign(0.3 - weight)
    other = dataclasses.replace(checkpoint, probe=checkpoint_of(new, spec).probe)
    report = transfer(other, trained(build(), 3), spec)
    assert not report.preserves_function
    assert "The predictions of the new model differ from the base's on" in report.not_compensated[0]


def test_a_batch_size_that_is_fixed_and_layers_with_a_state_are_run_too():
    def build():
        x = keras.Input(batch_shape=(32, 4, 1), name="x")
        return keras.Model(x, layers.Dense(1)(layers.LSTM(3, stateful=True, name="memory")(x)))

    spec = InputSpec({"x": [Raw("series")]})
    base, new = trained(build()), trained(build(), 2)
    report = transfer(checkpoint_of(base, spec), new, spec)
    assert report.preserves_function, report.verification


def test_the_log_says_whether_it_was_verified(tmp_path, caplog):
    from tests.warm_start.test_run_fn import BEFORE, request_for, run

    with caplog.at_level(logging.INFO):
        run(tmp_path / "1", BEFORE)
        _, _, report = run(tmp_path / "2", BEFORE, request_for(tmp_path))
    assert report.verification in caplog.messages
    assert report.verification.startswith("Verified: both predict the same on 256 of 256 probed")


def test_values_far_from_zero_are_compared_as_exactly_as_they_can_be():
    before = spec_of(Affine.z_score("year", 2010.0, 5.0), Affine.z_score("price", 1e6, 3e5))
    after = spec_of(Affine.z_score("year", 2020.0, 0.1), Affine.z_score("price", 2e6, 1e3))
    base, new = randomized(wide_and_deep(before)), randomized(wide_and_deep(after), 2)
    report = transfer(checkpoint_of(base, before), new, after, WarmStartConfig())
    assert report.preserves_function, report.verification
    assert columns(after, {"year": np.ones(1), "price": np.ones(1)}).keys() == {"year", "price"}
