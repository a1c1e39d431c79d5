"""Raw examples, what a transform graph would make of them, and models for the result."""

from __future__ import annotations

import keras
import numpy as np

from tfx_wine_ext.warm_start.inputs import Affine, Buckets, InputSpec, Vocabulary
from tfx_wine_ext.warm_start.rows import hash_buckets
from tfx_wine_ext.warm_start.transfer import checkpoint_of, transfer


def transformed(transform, raw):
    """What `transform` makes of the raw values of its feature."""
    if isinstance(transform, Affine):
        if transform.scale == 0:
            return np.zeros((len(raw), 1), np.float32)
        return ((raw - transform.center) / transform.scale).astype(np.float32)[:, None]
    if isinstance(transform, Buckets):
        codes = np.digitize(raw, transform.boundaries)
    else:
        codes = np.array([_code(transform, token) for token in raw])
    if transform.one_hot:
        return (codes[:, None] == np.arange(transform.size)).astype(np.float32)
    return codes[:, None].astype(np.int32)


def _code(vocabulary, token):
    if token in vocabulary.tokens:
        return vocabulary.reserved + vocabulary.tokens.index(token)
    if vocabulary.oov_buckets:
        bucket = hash_buckets([token], vocabulary.oov_buckets)[0]
        return vocabulary.reserved + len(vocabulary.tokens) + bucket
    return vocabulary.default


def columns(spec, raw):
    """The inputs of a model, by name."""
    return {
        name: np.concatenate([transformed(x, raw[x.feature]) for x in transforms], axis=1)
        for name, transforms in spec.inputs.items()
    }


def randomized(model, seed=1):
    """The model, with weights that a trained one might have, biases too."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(random.normal(0, 0.5, weight.shape))
    return model


def predictions(model, spec, raw):
    inputs = columns(spec, raw)
    if len(model.inputs) == 1:
        (inputs,) = inputs.values()
    return np.asarray(model(inputs, training=False))


def carried(build, before, after, config=None):
    """A base model, a new one that continues from it, and the report."""
    base, new = randomized(build(before)), randomized(build(after), seed=2)
    report = transfer(checkpoint_of(base, before), new, after, config)
    return base, new, report


def wide_and_deep(spec, dropout=0.5):
    """Every input on its own: embeddings for codes, the rest concatenated."""
    inputs, parts = {}, []
    for name, transforms in spec.inputs.items():
        transform = transforms[0]
        coded = isinstance(transform, (Vocabulary, Buckets)) and not transform.one_hot
        width = sum(getattr(x, "size", 1) if getattr(x, "one_hot", 0) else 1 for x in transforms)
        inputs[name] = keras.Input([width], name=name, dtype="int32" if coded else "float32")
        if coded:
            table = keras.layers.Embedding(transform.size, 4, name=f"{name}_table")
            parts.append(keras.layers.Flatten()(table(inputs[name])))
        else:
            parts.append(inputs[name])
    joined = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    hidden = keras.layers.Dense(8, activation="relu", name="hidden")(joined)
    hidden = keras.layers.Dropout(dropout)(hidden)
    return keras.Model(inputs, keras.layers.Dense(1, name="output")(hidden))


def spec_of(*transforms):
    """One input for each feature."""
    return InputSpec({x.feature: (x,) for x in transforms})
