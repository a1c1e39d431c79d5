"""What a model consists of, under names that do not depend on what was built before."""

import json

import keras
import numpy as np
import pytest

from tests.warm_start.models import spec_of
from tfx_wine_ext.warm_start.architecture import Architecture, Label, LayerFacts
from tfx_wine_ext.warm_start.inputs import Affine, InputSpec, Raw, Vocabulary
from tfx_wine_ext.warm_start.transfer import checkpoint_of, transfer

PH = Affine.z_score("pH", 3.2, 0.25)
CITY = Vocabulary("city", ("Porto", "Braga"), oov_buckets=1)
CODES = tuple(Label("code", "city", place) for place in range(3))
STRUCTURE = Architecture(
    walked=True,
    layers={"dense": LayerFacts("Dense", {"activation": "relu"}, ("pH",), {"units": 2})},
    rows={"dense/kernel": (Label("column", "pH", 0), *CODES), "dense/bias": ()},
    biases={"dense/kernel": "dense/bias"},
    codings={"city": "city"},
    opaque={"lambda": ("pH",)},
    made={"normalization": {"Normalization pH": PH}},
)


def test_a_structure_is_read_again_from_json_with_its_labels_as_runs():
    data = json.loads(json.dumps(STRUCTURE.to_dict()))
    assert data["rows"]["dense/kernel"] == [["column", "pH", 0, 1], ["code", "city", 0, 3]]
    assert Architecture.from_dict(data) == STRUCTURE
    assert STRUCTURE.features == {"Normalization pH": PH}


def test_more_labels_than_a_weight_has_rows_are_refused_before_they_are_made():
    data = STRUCTURE.to_dict()
    data["rows"]["dense/kernel"] = [["code", "city", 0, 2**40]]
    for sizes in (None, {"dense/kernel": 4}):
        with pytest.raises(ValueError, match="dense/kernel"):
            Architecture.from_dict(data, sizes)


def test_made_up_layer_names_do_not_depend_on_what_was_built_before():
    def build(_):
        return keras.Sequential([keras.Input([1]), keras.layers.Dense(2), keras.layers.Dense(1)])

    first = checkpoint_of(build(None), spec_of(PH))
    second = checkpoint_of(build(None), spec_of(PH))
    names = ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
    assert (list(first.weights), list(second.weights)) == (names, names)


class Composite(keras.layers.Layer):
    """A layer of layers in an attribute, a list and a mapping."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = keras.layers.Dense(3)
        self.others = [keras.layers.Dense(3), keras.layers.Dense(3)]
        self.named = {"last": keras.layers.Dense(3)}
        self.inner = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(3)])

    def build(self, shape):
        for layer in (self.first, *self.others, self.named["last"]):
            layer.build(shape)
            shape = (*shape[:-1], 3)
        self.inner.build(shape)

    def call(self, x):
        for layer in (self.first, *self.others, self.named["last"], self.inner):
            x = layer(x)
        return x


NESTED = {
    "Bidirectional": lambda: keras.layers.Bidirectional(keras.layers.LSTM(3)),
    "Bidirectional of GRU": lambda: keras.layers.Bidirectional(keras.layers.GRU(3)),
    "TimeDistributed": lambda: keras.layers.TimeDistributed(keras.layers.Dense(3)),
    "StackedRNNCells": lambda: keras.layers.RNN(
        [keras.layers.LSTMCell(3), keras.layers.LSTMCell(4)]
    ),
    "SpectralNormalization": lambda: keras.layers.SpectralNormalization(keras.layers.Dense(3)),
    "within each other": lambda: keras.layers.TimeDistributed(
        keras.layers.SpectralNormalization(keras.layers.Dense(3))
    ),
    "MultiHeadAttention": lambda: Attention(),
    "Composite": Composite,
    "Sequential": lambda: keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)]),
}


class Attention(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = keras.layers.MultiHeadAttention(2, 3)

    def build(self, shape):
        self.attention.build(shape, shape)

    def call(self, x):
        return self.attention(x, x)


def nested(kind):
    x = keras.Input([4, 2], name="x")
    y = keras.layers.Flatten()(NESTED[kind]()(NESTED["Sequential"]()(x)))
    model = keras.Model(x, keras.layers.Dense(1)(y))
    # One step is made, for the optimizer's state: to trace it takes seconds.
    model.compile("adam", "mse", run_eagerly=True)
    return model


@pytest.mark.parametrize("kind", NESTED)
def test_a_model_that_was_built_before_in_the_process_is_the_same_architecture(kind):
    spec = InputSpec({"x": [Raw("series")]})
    values = np.random.default_rng(0).normal(size=(8, 4, 2)).astype(np.float32)
    base = nested(kind)
    base.train_on_batch(values, np.ones((8, 1)))
    for _ in range(2):
        nested(kind)  # As a Tuner does.
    new = nested(kind)
    report = transfer(checkpoint_of(base, spec), new, spec)
    assert set(report.counts()) - {"restored"} == {x for x, n in report.counts().items() if n == 0}
    np.testing.assert_allclose(base(values), new(values), atol=1e-6)
    assert report.preserves_function, (report.not_compensated, report.verification)
    assert report.optimizer.startswith("Kept: ")
    assert "Fresh" not in report.optimizer


def test_names_that_were_given_are_kept_though_they_end_in_numbers():
    class Towers(keras.layers.Layer):
        def __init__(self, order):
            super().__init__()
            self.towers = [keras.layers.Dense(2, name=f"tower_{number}") for number in order]

        def build(self, shape):
            for tower in self.towers:
                tower.build(shape)

        def call(self, x):
            return sum(tower(x) * number for number, tower in enumerate(self.towers, 1))

    def build(order):
        x = keras.Input([4, 2], name="x")
        return keras.Model(x, Towers(order)(x))

    base = build([5, 2])
    assert [x for x in checkpoint_of(base, InputSpec({})).weights if "kernel" in x] == [
        "towers/tower_5/kernel",
        "towers/tower_2/kernel",
    ]
