"""Functions for Transform and Trainer that read a list of structs, to be found by their names."""

from __future__ import annotations

import keras
import tensorflow as tf
import tensorflow_transform as tft

ITEMS, TAGS = 4, 2


def preprocessing_fn(inputs):
    """Gets ragged tensors, and returns ragged tensors."""
    assert isinstance(inputs["basket.tags"], tf.RaggedTensor)
    return {
        "price": tft.scale_to_z_score(inputs["basket.price"]),
        "kind": tf.ragged.map_flat_values(_is("red"), inputs["basket.kind"]),
        "tags": tf.ragged.map_flat_values(_is("oak"), inputs["basket.tags"]),
        "spent": inputs["spent"],
    }


def _is(text):
    return lambda values: tf.cast(values == text, tf.int64)  # A vocabulary would take seconds.


def network() -> keras.Model:
    """Sums up what it makes of each item; those that only fill up a row count as nothing."""
    price = keras.Input([ITEMS], name="price")
    kind = keras.Input([ITEMS], dtype="int64", name="kind")
    tags = keras.Input([ITEMS, TAGS], dtype="int64", name="tags")
    there = keras.Input([ITEMS], name="there")
    item = keras.layers.Concatenate()(
        [
            keras.layers.Reshape([ITEMS, 1])(price),
            keras.layers.Embedding(4, 2)(kind),
            keras.layers.Reshape([ITEMS, 2 * TAGS])(keras.layers.Embedding(4, 2)(tags)),
        ]
    )
    item = keras.layers.Dense(16, "relu")(item)
    item = keras.layers.Reshape([ITEMS])(keras.layers.Dense(1)(item))
    spent = keras.layers.Dot(axes=1)([item, there])
    return keras.Model([price, kind, tags, there], spent)


def dense(row):
    """Pads each row. 0 means that there is nothing."""
    spent = row.pop("spent")
    shape = [None, ITEMS]
    return {
        "price": row["price"].to_tensor(shape=shape),
        "kind": (row["kind"] + 1).to_tensor(shape=shape),
        "tags": (row["tags"] + 1).to_tensor(shape=[*shape, TAGS]),
        "there": tf.ones_like(row["price"]).to_tensor(shape=shape),
    }, spent


def run_fn(fn_args):
    """Trains on the ragged features that Transform wrote."""
    transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    files = tf.io.gfile.glob(fn_args.train_files)
    rows = tf.data.TFRecordDataset(files, "GZIP").batch(32)
    spec = transform.transformed_feature_spec()
    rows = rows.map(lambda records: dense(tf.io.parse_example(records, spec))).cache()
    keras.utils.set_random_seed(1)
    model = network()
    model.compile(keras.optimizers.Adam(0.03), "mse", jit_compile=False)
    history = model.fit(rows, epochs=30, verbose=0)
    tf.saved_model.save(tf.Module(), fn_args.serving_model_dir)
    with tf.io.gfile.GFile(f"{fn_args.serving_model_dir}/loss.txt", "w") as file:
        file.write(f"{history.history['loss'][0]} {history.history['loss'][-1]}")
