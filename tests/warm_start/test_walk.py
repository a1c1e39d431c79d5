"""What the rows of a model's weights mean, found by a walk from its inputs."""

from __future__ import annotations

import keras
import pytest

from tfx_wine_ext.warm_start.architecture import Label, LayerFacts
from tfx_wine_ext.warm_start.inputs import Affine, InputSpec, Raw, Vocabulary
from tfx_wine_ext.warm_start.walk import examine

layers = keras.layers
PH, FAT = Affine.z_score("pH", 3.2, 0.25), Affine.z_score("fat", 1.0, 0.5)
CITY = Vocabulary("city", ("Porto", "Braga"), oov_buckets=1)
SPEC = InputSpec({"numbers": [PH, FAT], "city": [CITY]})


def test_rows_of_a_kernel_are_columns_codes_and_outputs_of_layers():
    numbers = keras.Input([2], name="numbers")
    city = keras.Input([1], name="city", dtype="int32")
    parts = [
        numbers[:, 1:],
        layers.CategoryEncoding(4, "one_hot")(city),
        layers.Flatten()(layers.Embedding(3, 2)(city)),
    ]
    y = layers.Dense(1, name="out")(layers.Concatenate()(parts))
    architecture, weights = examine(keras.Model([numbers, city], y), SPEC)
    assert architecture.rows["out/kernel"] == (
        Label("column", "fat", 0),
        *(Label("code", "city", place) for place in range(3)),
        Label("spare", "city", 3),
        *(Label("hidden", "embedding[city](city)", place) for place in range(2)),
    )
    assert architecture.rows["embedding[city]/embeddings"] == tuple(
        Label("code", "embedding[city]", place) for place in range(3)
    )
    assert architecture.biases == {"out/kernel": "out/bias"}
    assert list(weights) == ["embedding[city]/embeddings", "out/kernel", "out/bias"]
    assert architecture.opaque == {}


def test_a_layer_that_is_not_known_is_named_with_the_features_that_reach_it():
    x = keras.Input([2], name="numbers")
    y = layers.Dense(1, name="out")(layers.ELU(alpha=0.5, name="elu")(x))
    architecture, _ = examine(keras.Model(x, y), InputSpec({"numbers": [PH, FAT]}))
    assert architecture.opaque == {"elu": ("fat", "pH")}
    assert architecture.layers["elu"] == LayerFacts("ELU", {}, ("fat", "pH"), {"alpha": 0.5})


def test_a_layer_with_a_vocabulary_makes_a_feature():
    x = keras.Input([1], name="city", dtype="string")
    y = layers.Embedding(4, 2)(layers.StringLookup(vocabulary=["Porto", "Braga"])(x))
    model = keras.Model(x, layers.Dense(1)(layers.Flatten()(y)))
    spec = InputSpec({"city": [Raw("city")]})
    made = Vocabulary("StringLookup(city)", ("Porto", "Braga"), 1, oov_first=True)
    architecture, _ = examine(model, spec)
    assert architecture.made == {"string_lookup": {made.feature: made}}
    assert examine(model, spec, follow_made=False)[0].made == {}


def test_a_model_without_weights_is_an_error():
    with pytest.raises(ValueError, match="has no weights yet: first build it"):
        examine(keras.Sequential([layers.Dense(1)]), InputSpec({}))
