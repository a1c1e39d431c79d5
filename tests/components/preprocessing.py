"""A preprocessing function for Transform, to be found by its name."""

from __future__ import annotations

import tensorflow_transform as tft


def preprocessing_fn(inputs):
    return {
        "alcohol": tft.scale_to_z_score(inputs["alcohol"]),
        "colour": tft.compute_and_apply_vocabulary(inputs["colour"]),
        "quality": inputs["quality"],
    }
