import dataclasses

import keras
import numpy as np
import pytest

from tests.warm_start.models import (
    carried,
    columns,
    predictions,
    randomized,
    spec_of,
    wide_and_deep,
)
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.facts import Fact, Kind
from tfx_wine_ext.warm_start.inputs import Affine, Buckets, InputSpec, Unknown, Vocabulary
from tfx_wine_ext.warm_start.transfer import MismatchError, checkpoint_of, transfer

CITIES = ("Porto", "Braga", "Faro", "Evora", "Lagos")
RAW = {
    "pH": np.array([2.9, 3.0, 3.1, 3.4, 3.6]),
    "alcohol": np.array([9.0, 12.5, 10.0, 14.0, 11.0]),
    "city": np.array(CITIES),
    "other": np.array(["Faro", "Faro", "Porto", "Nowhere", "Braga"]),
}
PH = Affine.z_score("pH", 3.2, 0.25)
ALCOHOL = Affine.z_score("alcohol", 10.5, 1.5)
CITY = Vocabulary("city", ("Porto", "Braga", "Faro"), oov_buckets=1)


def same(base, new, before, after, raw=RAW):
    was, now = predictions(base, before, raw), predictions(new, after, raw)
    assert np.ptp(was) > 0.1
    np.testing.assert_allclose(now, was, atol=1e-5)


def by_name(report):
    return {x.name: (x.action, x.reason) for x in report.variables}


def test_an_unchanged_model_is_restored_as_it_is():
    spec = spec_of(PH, CITY)
    base, new, report = carried(wide_and_deep, spec, spec)
    assert by_name(report) == {
        "city_table/embeddings": ("restored", "the same"),
        "hidden/kernel": ("restored", "the same"),
        "hidden/bias": ("restored", "the same"),
        "output/kernel": ("restored", "the same"),
        "output/bias": ("restored", "the same"),
    }
    assert report.preserves_function
    for was, now in zip(base.weights, new.weights):
        np.testing.assert_array_equal(was, now)


def test_other_means_and_deviations_are_restated_in_kernel_and_bias():
    before = spec_of(PH, ALCOHOL)
    after = spec_of(Affine.z_score("pH", 3.0, 0.5), Affine.z_score("alcohol", 12.0, 1.0))
    base, new, report = carried(wide_and_deep, before, after)
    same(base, new, before, after)
    assert report.preserves_function
    assert by_name(report) == {
        "hidden/kernel": (
            "remapped",
            "2 rows kept, 0 new, 0 vanished: feature pH restated; feature alcohol restated",
        ),
        "hidden/bias": ("remapped", "shifted by moved means, from hidden/kernel"),
        "output/kernel": ("restored", "the same"),
        "output/bias": ("restored", "the same"),
    }


def test_the_rescaled_kernel_is_what_the_formula_says():
    def build(_):
        return keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])

    before, after = spec_of(Affine.z_score("x", 1.0, 2.0)), spec_of(Affine.z_score("x", 4.0, 6.0))
    base, new = build(before), build(after)
    base.set_weights([np.array([[5.0]]), np.array([7.0])])
    transfer(checkpoint_of(base, before), new, after)
    kernel, bias = new.get_weights()
    np.testing.assert_allclose(kernel, [[5.0 * 6 / 2]])
    np.testing.assert_allclose(bias, [7.0 + 5.0 * (4 - 1) / 2])


def test_raw_values_that_become_z_scores_are_restated():
    before, after = spec_of(Affine.identity("pH"), ALCOHOL), spec_of(PH, ALCOHOL)
    base, new, report = carried(wide_and_deep, before, after)
    same(base, new, before, after)
    assert report.preserves_function


@pytest.mark.parametrize("order", [("alcohol", "pH"), ("pH", "alcohol")])
def test_columns_of_one_matrix_are_found_in_another_order(order):
    def build(_):
        return keras.Sequential(
            [
                keras.Input([2]),
                keras.layers.Dense(8, activation="tanh"),
                keras.layers.Dropout(0.1),
                keras.layers.Dense(1),
            ]
        )

    before = InputSpec({"features": [PH, ALCOHOL]})
    new_ones = {"pH": Affine.z_score("pH", 3.1, 0.1), "alcohol": Affine.z_score("alcohol", 9, 2)}
    after = InputSpec({"features": [new_ones[name] for name in order]})
    base, new, report = carried(build, before, after)
    same(base, new, before, after)
    assert report.preserves_function


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("oov_buckets", [1, 2, 3])
@pytest.mark.parametrize(
    "tokens",
    [
        ("Faro", "Porto", "Braga"),
        ("Evora", "Faro", "Porto", "Lagos", "Braga"),
        ("Porto", "Braga", "Faro"),
    ],
    ids=["reordered", "grown", "same"],
)
def test_tokens_take_their_rows_with_them(tokens, oov_buckets, one_hot):
    old = dataclasses.replace(CITY, oov_buckets=oov_buckets, one_hot=one_hot)
    before, after = spec_of(PH, old), spec_of(PH, dataclasses.replace(old, tokens=tokens))
    base, new, report = carried(wide_and_deep, before, after)
    same(base, new, before, after)
    assert report.preserves_function


@pytest.mark.parametrize("one_hot", [False, True])
def test_a_shrunk_vocabulary_predicts_alike_for_the_tokens_that_remain(one_hot):
    before = spec_of(PH, Vocabulary("city", CITIES, 1, one_hot=one_hot))
    after = spec_of(PH, Vocabulary("city", ("Lagos", "Porto"), 1, one_hot=one_hot))
    base, new, report = carried(wide_and_deep, before, after)
    there = {name: values[[0, 4]] for name, values in RAW.items()}
    same(base, new, before, after, there)
    moved = {x.name: (x.kept, x.added, x.vanished) for x in report.variables}
    if one_hot:
        assert moved["hidden/kernel"] == (4, 0, 3)
    else:
        assert moved["city_table/embeddings"] == (3, 0, 3)


def test_more_buckets_begin_as_the_ones_they_were_part_of():
    before, after = spec_of(PH, CITY), spec_of(PH, dataclasses.replace(CITY, oov_buckets=4))
    base, new, report = carried(wide_and_deep, before, after)
    same(base, new, before, after)
    assert report.preserves_function
    reason = by_name(report)["city_table/embeddings"][1]
    assert reason == (
        "3 rows kept, 4 new, 1 vanished: feature city: 4 new codes begin as the bucket of unknown "
        "tokens that they were in; 1 codes of city vanished"
    )


def test_unknown_tokens_that_were_no_column_begin_at_zero():
    before = spec_of(PH, dataclasses.replace(CITY, oov_buckets=0, one_hot=True))
    after = spec_of(PH, Vocabulary("city", CITIES, 1, one_hot=True))
    base, new, _ = carried(wide_and_deep, before, after)
    same(base, new, before, after)


def test_without_a_bucket_a_new_token_begins_as_the_mean_of_all():
    before = spec_of(dataclasses.replace(CITY, oov_buckets=0))
    after = spec_of(Vocabulary("city", ("Braga", "Evora"), 0))
    base, new, report = carried(wide_and_deep, before, after)
    old = base.get_layer("city_table").get_weights()[0]
    np.testing.assert_allclose(
        new.get_layer("city_table").get_weights()[0], [old[1], old.mean(axis=0)], rtol=1e-6
    )
    assert by_name(report)["city_table/embeddings"][1] == (
        "1 rows kept, 1 new, 2 vanished: feature city: 1 new codes begin as the mean of all "
        "tokens; 2 codes of city vanished"
    )


def test_tokens_whose_default_was_a_known_one_begin_as_that():
    old = dataclasses.replace(CITY, oov_buckets=0, default=0)
    before, after = spec_of(PH, old), spec_of(PH, dataclasses.replace(old, tokens=CITIES))
    base, new, _ = carried(wide_and_deep, before, after)
    same(base, new, before, after)


def test_reserved_codes_stay_where_they_are():
    old = dataclasses.replace(CITY, reserved=2)
    before, after = spec_of(PH, old), spec_of(PH, dataclasses.replace(old, tokens=CITIES[::-1]))
    base, new, _ = carried(wide_and_deep, before, after)
    same(base, new, before, after)
    tables = [model.get_layer("city_table").get_weights()[0] for model in (base, new)]
    np.testing.assert_array_equal(tables[0][:2], tables[1][:2])


def test_a_new_feature_starts_without_influence():
    before = spec_of(PH)
    after = spec_of(CITY, ALCOHOL, PH, Vocabulary("other", CITIES, 1, one_hot=True))
    base, new, report = carried(wide_and_deep, before, after)
    same(base, new, before, after)
    assert report.preserves_function
    assert by_name(report)["city_table/embeddings"] == (
        "initialised",
        "the base has no such variable: it belongs to a new feature",
    )
    # An embedding of zeros under rows of zeros would never learn anything.
    assert np.ptp(new.get_layer("city_table").get_weights()[0]) > 0


def test_a_removed_feature_is_held_at_its_mean():
    before = spec_of(PH, Affine("alcohol", 9.0, 2.0, mean=10.5), Affine.z_score("sugar", 4.0, 2.0))
    after = spec_of(PH)
    base, new, report = carried(wide_and_deep, before, after)
    at_the_mean = {**RAW, "alcohol": np.full(5, 10.5), "sugar": np.full(5, 4.0)}
    same(base, new, before, after, at_the_mean)
    assert report.preserves_function


def test_a_removed_feature_whose_mean_is_not_known_is_reported():
    before = spec_of(PH, Affine.identity("alcohol"), CITY)
    _, _, report = carried(wide_and_deep, before, spec_of(PH))
    assert report.not_compensated == (
        "hidden/kernel: feature alcohol was removed, and its mean contribution is unknown",
        "hidden/kernel: output of city_table(city) was removed, and its mean contribution is "
        "unknown",
    )
    assert by_name(report)["city_table/embeddings"] == (
        "skipped",
        "the new model has no such variable: it belonged to a feature that was removed",
    )


def test_a_feature_that_did_not_vary_gets_no_influence_from_its_old_row():
    before, after = spec_of(PH, Affine("alcohol", 10, 0)), spec_of(PH, ALCOHOL)
    base, new, report = carried(wide_and_deep, before, after)
    same(base, new, before, after)
    assert report.preserves_function


def test_a_feature_that_no_longer_varies_moves_into_the_bias():
    before, after = spec_of(PH, ALCOHOL), spec_of(PH, Affine("alcohol", 12.0, 0))
    base, new, report = carried(wide_and_deep, before, after)
    same(base, new, before, after, {**RAW, "alcohol": np.full(5, 12.0)})
    assert report.preserves_function


def shared(spec):
    tokens = spec.features["city"].size
    inputs = {name: keras.Input([1], name=name, dtype="int32") for name in spec.inputs}
    table = keras.layers.Embedding(tokens, 3)
    parts = [keras.layers.Flatten()(table(inputs[name])) for name in sorted(inputs)]
    hidden = keras.layers.Dense(4, activation="tanh")(keras.layers.Concatenate()(parts))
    return keras.Model(inputs, keras.layers.Dense(1)(hidden))


def test_a_shared_embedding_moves_once_for_all_its_features():
    before = spec_of(CITY, dataclasses.replace(CITY, feature="other"))
    grown = Vocabulary("city", CITIES[::-1], 2)
    after = spec_of(grown, dataclasses.replace(grown, feature="other"))
    base, new, report = carried(shared, before, after)
    same(base, new, before, after)
    assert report.preserves_function
    assert by_name(report)["embedding[city]/embeddings"][0] == "remapped"


def test_a_shared_embedding_whose_features_have_other_vocabularies_is_reported():
    before = spec_of(CITY, dataclasses.replace(CITY, feature="other"))
    after = spec_of(
        dataclasses.replace(CITY, tokens=("Faro", "Braga", "Porto")),
        dataclasses.replace(CITY, feature="other"),
    )
    _, _, report = carried(shared, before, after)
    assert report.not_compensated == (
        "feature city: its vocabulary changed, and it reaches embedding[city] (Embedding), "
        "which may use it in a nonlinear way",
    )


def with_operations(spec):
    """Slices, one-hot operations, a model within the model, a sequence, all linear in the input."""
    numbers = keras.Input([3], name="numbers")
    city = keras.Input([1], name="city", dtype="int32")
    several = keras.Input([2], name="several", dtype="int32")
    size = spec.features["city"].size
    inner_input = keras.Input([2])
    inner = keras.Model(inner_input, keras.layers.Dense(3, activation="tanh")(inner_input))
    parts = [
        inner(numbers[:, 1:]),
        keras.layers.Reshape([1])(numbers[:, 0]),
        keras.layers.CategoryEncoding(size, "one_hot")(city),
        keras.layers.Flatten()(keras.ops.one_hot(several, spec.features["token"].size)),
        keras.layers.Flatten()(keras.layers.Embedding(spec.features["token"].size, 2)(several)),
        keras.layers.Embedding(size, 2)(keras.ops.squeeze(city, axis=-1)),
    ]
    hidden = keras.layers.Dense(6, activation="tanh")(keras.layers.Concatenate()(parts))
    return keras.Model([numbers, city, several], keras.layers.Dense(1)(hidden))


def test_the_walk_follows_slices_one_hot_vectors_inner_models_and_sequences():
    def spec(numbers, tokens, token):
        return InputSpec(
            {
                "numbers": numbers,
                "city": [Vocabulary("city", tokens, 1)],
                "several": [Vocabulary("token", token, 1)],
            }
        )

    names = ("a", "b", "c")
    before = spec([Affine.z_score(x, 1.0, 2.0) for x in names], ("Porto", "Braga"), ("x", "y"))
    after = spec([Affine.z_score(x, 2.0, 0.5) for x in names], CITIES, ("z", "y", "x"))
    base, new, report = carried(with_operations, before, after)
    assert report.not_compensated == ()
    random = np.random.default_rng(0)
    raw = {x: random.normal(size=40) for x in names}
    raw["city"] = random.choice(CITIES, 40)
    tokens = random.choice(["x", "y", "z", "?"], (40, 2))

    def answers(model, spec):
        given = columns(InputSpec({k: v for k, v in spec.inputs.items() if k != "several"}), raw)
        one = [
            columns(InputSpec({"t": spec.inputs["several"]}), {"token": tokens[:, i]})["t"]
            for i in range(2)
        ]
        return np.asarray(model([given["numbers"], given["city"], np.concatenate(one, axis=1)]))

    was, now = answers(base, before), answers(new, after)
    assert np.ptp(was) > 0.1
    np.testing.assert_allclose(now, was, atol=1e-5)


def test_columns_of_codes_that_are_cut_out_of_one_matrix_keep_their_own_vocabularies():
    def build(spec):
        codes = keras.Input([2], name="codes", dtype="int32")
        parts = [
            keras.layers.Embedding(transform.size, 3)(codes[:, i])
            for i, transform in enumerate(spec.inputs["codes"])
        ]
        return keras.Model(codes, keras.layers.Dense(1)(keras.layers.Concatenate()(parts)))

    before = InputSpec({"codes": [CITY, Vocabulary("other", ("Faro", "Porto"), 1)]})
    after = InputSpec({"codes": [Vocabulary("city", CITIES, 1), Vocabulary("other", CITIES, 1)]})
    base, new, report = carried(build, before, after)
    same(base, new, before, after)
    assert report.preserves_function
    names = {x.name: x.action for x in report.variables}
    assert names["embedding[city]/embeddings"] == "remapped"
    assert names["embedding[other]/embeddings"] == "remapped"


# --- what is not compensated -------------------------------------------------------------------


def test_moved_boundaries_are_reported():
    before = spec_of(PH, Buckets("alcohol", (10.0, 12.0)))
    after = spec_of(PH, Buckets("alcohol", (10.5, 12.0)))
    _, _, report = carried(wide_and_deep, before, after)
    assert report.not_compensated == (
        "alcohol_table/embeddings: feature alcohol: its boundaries moved; "
        "each bucket keeps its place",
    )
    assert not report.preserves_function
    assert by_name(report)["alcohol_table/embeddings"] == ("restored", "the same")


def test_buckets_with_the_same_boundaries_are_restored():
    spec = spec_of(PH, Buckets("alcohol", (10.0, 12.0), one_hot=True))
    base, new, report = carried(wide_and_deep, spec, spec)
    same(base, new, spec, spec)
    assert report.preserves_function


def squared(_):
    one, two = keras.Input([1], name="pH"), keras.Input([1], name="alcohol")
    both = keras.layers.Concatenate()([keras.ops.square(one), two])
    return keras.Model([one, two], keras.layers.Dense(1)(both))


def test_a_feature_that_is_squared_first_is_reported_by_name():
    before = spec_of(PH, ALCOHOL)
    after = spec_of(Affine.z_score("pH", 3.0, 0.25), Affine.z_score("alcohol", 12, 2))
    _, _, report = carried(squared, before, after)
    assert report.not_compensated == (
        "feature pH: its mean or its scale changed, and it reaches square (Square), "
        "which may use it in a nonlinear way",
    )


def test_a_squared_feature_that_did_not_change_is_no_concern():
    before = spec_of(PH, ALCOHOL)
    after = spec_of(PH, Affine.z_score("alcohol", 12, 2))
    _, _, report = carried(squared, before, after)
    assert report.preserves_function


def test_a_kernel_without_a_bias_cannot_take_up_a_moved_mean():
    def build(_):
        return keras.Sequential([keras.Input([1]), keras.layers.Dense(1, use_bias=False)])

    _, _, report = carried(build, spec_of(PH), spec_of(Affine.z_score("pH", 3, 0.25)))
    assert report.not_compensated == (
        "dense/kernel: means moved, and there is no bias to absorb the shift",
    )


def test_an_unknown_transform_is_reported_unless_its_fingerprint_is_the_same():
    def changed(old, new):
        return carried(wide_and_deep, spec_of(Unknown("pH", old)), spec_of(Unknown("pH", new)))[
            2
        ].not_compensated

    assert changed("1a", "1a") == ()
    assert changed("1a", "2b") == ("hidden/kernel: feature pH: its transform changed",)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.one = keras.layers.Dense(3, activation="tanh")
        self.two = keras.layers.Dense(1)

    def call(self, inputs):
        return self.two(self.one(inputs))


def test_a_subclassed_model_is_restored_and_what_changed_is_reported():
    base, new = Subclassed(), Subclassed()
    for model in (base, new):
        model(np.zeros((1, 2), np.float32))
    before = InputSpec({"x": [PH, ALCOHOL]})
    after = InputSpec({"x": [PH, Affine.z_score("alcohol", 12, 2)]})
    report = transfer(checkpoint_of(base, before), new, after)
    assert report.counts() == {"restored": 4, "remapped": 0, "initialised": 0, "skipped": 0}
    assert report.not_compensated == (
        "feature alcohol: its mean or its scale changed, and the model is neither functional nor "
        "sequential, so its inputs cannot be traced",
    )
    x = np.ones((2, 2), np.float32)
    np.testing.assert_array_equal(base(x), new(x))


# --- shapes --------------------------------------------------------------------------------------


def wider(units, activation="relu"):
    def build(_):
        return keras.Sequential(
            [
                keras.Input([2]),
                keras.layers.Dense(units, activation=activation, name="hidden"),
                keras.layers.Dense(1, name="output"),
            ]
        )

    return build


BOTH = InputSpec({"x": [PH, ALCOHOL]})


def resized(before, after, policy):
    base, new = randomized(wider(before)(None)), randomized(wider(after)(None), seed=2)
    fresh = [weight.numpy() for weight in new.weights]
    config = WarmStartConfig(on_shape_mismatch=policy)
    return base, new, fresh, transfer(checkpoint_of(base, BOTH), new, BOTH, config)


def test_another_architecture_is_an_error_that_names_the_variables_and_changes_nothing():
    base, new = wider(4)(None), wider(6)(None)
    before = [weight.numpy() for weight in new.weights]
    with pytest.raises(
        MismatchError,
        match=r"hidden/kernel has the shape \[2, 6\], the base's \[2, 4\]; hidden/bias has the "
        r'shape \[6\], the base\'s \[4\]; .*"initialise" or "overlap"',
    ) as raised:
        transfer(checkpoint_of(base, BOTH), new, BOTH)
    assert raised.value.differences == (
        Fact(Kind.SHAPES_DIFFER, "hidden/kernel", [2, 6], [2, 4]),
        Fact(Kind.SHAPES_DIFFER, "hidden/bias", [6], [4]),
    )
    for was, now in zip(before, new.weights):
        np.testing.assert_array_equal(was, now)


def test_another_activation_is_another_architecture():
    base, new = wider(4, "relu")(None), wider(4, "tanh")(None)
    with pytest.raises(
        MismatchError, match=r"layer hidden is Dense \{'activation': 'tanh'.*'activation': 'relu'"
    ):
        transfer(checkpoint_of(base, BOTH), new, BOTH)


def test_a_layer_more_is_another_architecture():
    deeper = keras.Sequential(
        [keras.Input([2]), *(keras.layers.Dense(2, name=x) for x in ("hidden", "more", "output"))]
    )
    with pytest.raises(MismatchError, match=r"more/kernel \[2, 2\] is not in the base"):
        transfer(checkpoint_of(wider(2)(None), BOTH), deeper, BOTH)


def test_a_mismatch_can_be_initialised():
    base, new, fresh, report = resized(4, 6, "initialise")
    assert {x.name: x.action for x in report.variables} == {
        "hidden/kernel": "initialised",
        "hidden/bias": "initialised",
        "output/kernel": "remapped",
        "output/bias": "restored",
    }
    np.testing.assert_array_equal(new.weights[0], fresh[0])
    np.testing.assert_array_equal(new.weights[3], base.weights[3])
    assert not report.preserves_function


def test_an_overlap_widens_a_layer_without_changing_the_function():
    base, new, fresh, report = resized(4, 6, "overlap")
    kernel = new.weights[0].numpy()
    np.testing.assert_array_equal(kernel[:, :4], base.weights[0])
    np.testing.assert_array_equal(kernel[:, 4:], fresh[0][:, 4:])
    # The units that are new have no influence yet.
    np.testing.assert_array_equal(new.weights[2].numpy()[4:], np.zeros((2, 1)))
    same(base, new, BOTH, BOTH)
    assert report.counts() == {"restored": 1, "remapped": 3, "initialised": 0, "skipped": 0}


def test_an_overlap_narrows_a_layer():
    base, new, _, report = resized(6, 4, "overlap")
    np.testing.assert_array_equal(new.weights[0], base.weights[0].numpy()[:, :4])
    np.testing.assert_array_equal(new.weights[2], base.weights[2].numpy()[:4])
    assert "hidden/bias has the shape [4], the base's [6]" in report.not_compensated


def test_an_input_that_the_specification_does_not_fit_is_an_error():
    model = wider(2)(None)
    with pytest.raises(ValueError, match=r"has 2 columns, but its specification has 3: \['pH', "):
        checkpoint_of(model, InputSpec({"x": [PH, ALCOHOL, Affine.identity("sugar")]}))
    with pytest.raises(ValueError, match=r"names \['y'\], but model .* has the inputs \['pH', "):
        checkpoint_of(squared(None), InputSpec({"pH": [PH], "y": [ALCOHOL]}))


def test_an_embedding_that_is_smaller_than_its_vocabulary_is_an_error():
    model = wide_and_deep(spec_of(CITY))
    with pytest.raises(ValueError, match=r"'city_table' has 4 rows, but 'city' has 6 codes"):
        checkpoint_of(model, spec_of(Vocabulary("city", CITIES, 1)))


# --- policy --------------------------------------------------------------------------------------


def test_shrink_and_perturb_mixes_the_base_with_fresh_weights():
    base, new = randomized(wider(4)(None)), randomized(wider(4)(None), seed=2)
    fresh = [weight.numpy() for weight in new.weights]
    config = WarmStartConfig(shrink=0.4, perturb=0.1)
    report = transfer(checkpoint_of(base, BOTH), new, BOTH, config)
    for was, own, now in zip(base.weights, fresh, new.weights):
        np.testing.assert_allclose(now, 0.4 * was.numpy() + 0.1 * own, atol=1e-6)
    assert report.not_compensated == ("weights were shrunk by 0.4 and perturbed by 0.1",)
