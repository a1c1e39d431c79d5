"""Derives an `InputSpec` from a transform graph by running it.

The graph's internals are not inspected: raw values go in, and the outputs show the transform. A
column that is `(x - center) / scale` for all probed values is `Affine`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.warm_start.inputs import (
    Affine,
    Buckets,
    FeatureTransform,
    InputSpec,
    Unknown,
    Vocabulary,
)

_TOLERANCE = 1e-3
"""Maximum relative deviation of a probe from the line: float32 outputs of values far from 0 are no
more precise than this."""

_UNKNOWN_TOKENS = 512
"""The number of unknown tokens to probe: enough to hit each of up to 64 buckets."""


def input_spec(transform_graph: str | None, inputs: Mapping[str, Iterable[str]]) -> InputSpec:
    """Determines the transforms of a model's input columns.

    Each transformed feature is one of these: an affine function of one raw number (a z-score, a
    scaling to [0, 1], the number itself), vocabulary codes of one raw string, as integers or
    one-hot, buckets of one raw number, or else unknown. An unknown feature has a fingerprint of its
    outputs for the probes, by which a change is noticed.

    Args:
        transform_graph: Path of Transform's `transform_graph`; in a run_fn
            `fn_args.transform_graph_path`. A run_fn without Transform writes the specification of
            its raw features itself: `InputSpec({"numbers": [Affine.identity("pH")],
            "city": [Raw("city")]})`.
        inputs: The names of the transformed features that form an input's columns, in order, by the
            name of the Keras input.

    Raises:
        ValueError: The transform graph lacks one of the features, or no graph was given.
        OSError: The transform graph does not exist.
    """
    inputs = {key: tuple(columns) for key, columns in inputs.items()}
    if not transform_graph:
        raise ValueError(
            f"transform_graph: expected the path of a transform graph, found {transform_graph!r}. "
            "Give the trainer transform_graph=transform.outputs['transform_graph'], or, if the "
            "model takes raw features, write the specification: InputSpec({'numbers': "
            "[Affine.identity('pH')], 'city': [Raw('city')]})"
        )
    graph = _Graph(transform_graph)
    names = sorted({name for columns in inputs.values() for name in columns})
    absent = [name for name in names if name not in graph.outputs]
    if absent:
        raise ValueError(
            f"the transform graph {transform_graph} has no {absent}; it has {sorted(graph.outputs)}"
        )
    transforms = {name: graph.transform(name) for name in names}
    return InputSpec(
        {key: tuple(transforms[name] for name in columns) for key, columns in inputs.items()}
    )


class _Graph:
    """A transform graph that can be run on many raw rows at once."""

    def __init__(self, path: str) -> None:
        import tensorflow as tf
        import tensorflow_transform as tft

        output = tft.TFTransformOutput(path)
        self._tf = tf
        self._spec = output.raw_feature_spec()
        self._loaded = tf.saved_model.load(output.transform_savedmodel_dir)
        self._output = output
        self._strings = [n for n, x in self._spec.items() if x.dtype == tf.string]
        self._numbers = [n for n in self._spec if n not in self._strings]
        # Row 0 is the reference; in each other row one raw feature has another value.
        probes: list[tuple[str, Any]] = [(name, 1.0) for name in self._numbers]
        probes += [(name, "\x00probe") for name in self._strings]
        answers = self.ask([{}, *({name: value} for name, value in probes)])
        self.outputs = answers
        self._reached: dict[str, list[str]] = {
            output: [
                name
                for row, (name, _) in enumerate(probes, 1)
                if not np.array_equal(values[row], values[0])
            ]
            for output, values in answers.items()
        }
        self._vocabularies = self._read_vocabularies()

    def ask(self, rows: list[dict[str, Any]]) -> dict[str, npt.NDArray[Any]]:
        """Returns the transformed features of raw rows, `[rows, columns]`; gaps are 0 or ""."""
        tf = self._tf
        raw = {}
        for name, spec in self._spec.items():
            blank: Any = "" if spec.dtype == tf.string else 0
            values = [row.get(name, blank) for row in rows]
            if spec.dtype == tf.string:
                values = [value.encode("utf-8", "surrogateescape") for value in values]
            column = tf.cast(tf.constant(values), spec.dtype) if name in self._numbers else values
            if isinstance(spec, tf.io.VarLenFeature):
                places = [[i, 0] for i in range(len(rows))]
                raw[name] = tf.SparseTensor(places, column, [len(rows), 1])
            else:
                shape = [len(rows), *spec.shape]
                # The value is repeated for a feature with several values.
                column = tf.reshape(column, [len(rows), *[1] * len(spec.shape)])
                raw[name] = tf.broadcast_to(column, shape)
        answers = {
            name: tf.sparse.to_dense(x).numpy() if isinstance(x, tf.SparseTensor) else x.numpy()
            for name, x in self._loaded.transform_fn(raw).items()
        }
        return {name: answer.reshape(len(rows), -1) for name, answer in answers.items()}

    def transform(self, output: str) -> FeatureTransform:
        """Determines the transform of one transformed feature."""
        values = self.outputs[output]
        if values.dtype.kind in "iufb":
            reached = self._reached[output]
            strings = [name for name in self._strings if name in reached or not reached]
            for name in strings:
                vocabulary = self._vocabulary(output, name)
                if vocabulary is not None:
                    return vocabulary
            numbers = reached or self._far(output)
            if len(numbers) == 1 and numbers[0] in self._numbers and values.shape[1] == 1:
                if values.dtype.kind == "f" or self._is_number(output, numbers[0]):
                    return self._affine(output, numbers[0]) or self._unknown(output)
                return self._buckets(output, numbers[0]) or self._unknown(output)
            if not numbers and not strings and values.dtype.kind == "f" and not values.any():
                return Affine(output, 0.0, 0.0)  # Always 0.
        return self._unknown(output)

    # --- numbers -------------------------------------------------------------------------------

    def _at(self, output: str, raw: str, values: Iterable[float]) -> npt.NDArray[Any]:
        """Returns the single column of a transformed feature for values of one raw number."""
        answer = self.ask([{raw: value} for value in values])[output]
        return answer[:, 0].astype(np.float64)

    def _exact(self, raw: str, values: Iterable[float]) -> npt.NDArray[Any]:
        """Returns the values rounded to the type of the raw feature."""
        kind = self._spec[raw].dtype.as_numpy_dtype
        given = np.array(list(values), np.float64)
        return (np.round(given) if np.issubdtype(kind, np.integer) else given).astype(kind)

    def _far(self, output: str) -> list[str]:
        """Returns the raw numbers that affect an output which 1 instead of 0 did not change."""
        names = []
        for raw in self._numbers:
            probes = self._exact(raw, [0, *(s * 10.0**k for k in range(-3, 10) for s in (1, -1))])
            if np.ptp(self._at(output, raw, probes.tolist())) > 0:
                names.append(raw)
        return names

    def _is_number(self, output: str, raw: str) -> bool:
        """Returns whether an integer output is the raw number itself."""
        probes = self._exact(raw, [-1000, -7, 0, 1, 12345])
        return bool(np.array_equal(self._at(output, raw, probes.tolist()), probes))

    def _affine(self, output: str, raw: str) -> Affine | None:
        z = self._at(output, raw, [0.0, 1.0])
        if not z[1] - z[0]:
            return None
        center, scale = -z[0] / (z[1] - z[0]), 1 / (z[1] - z[0])
        # If the center is far from 0, values near 0 are imprecise: probe again around the center.
        for _ in range(3):
            values = self._exact(raw, [center - 100 * abs(scale), center + 100 * abs(scale)])
            low, high = (float(x) for x in values)
            z = self._at(output, raw, [low, high])
            if low == high or not np.all(np.isfinite(z)) or z[0] == z[1]:
                return None
            scale = (high - low) / (z[1] - z[0])
            center = low - z[0] * scale
        steps = (-90.0, -3.0, -0.5, 0.0, 0.7, 2.0, 41.0)
        values = self._exact(raw, [center + step * abs(scale) for step in steps])
        z = self._at(output, raw, values.tolist())
        expected = (values.astype(np.float64) - center) / scale
        if np.any(np.abs(z - expected) > _TOLERANCE * (1 + np.abs(expected))):
            return None
        # The center is the mean of a z-score or the minimum of a scaling to [0, 1]. Probes cannot
        # distinguish them, so the mean is unknown.
        return Affine(output, float(center), float(scale))

    def _buckets(self, output: str, raw: str) -> Buckets | None:
        """Finds the boundaries between buckets by bisection."""
        ends = self._exact(raw, [-1e12, 1e12]).tolist()
        first, last = self._at(output, raw, ends)
        if first != 0 or not 0 < last < 10_000:
            return None
        low = np.full(int(last), float(ends[0]))
        high = np.full(int(last), float(ends[1]))
        wanted = np.arange(1, int(last) + 1)
        for _ in range(100):
            middle = self._exact(raw, (low + high) / 2).astype(np.float64)
            if np.all((middle == low) | (middle == high)):
                break
            reached = self._at(output, raw, middle.tolist()) >= wanted
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        boundaries = high.tolist()
        if any(a >= b for a, b in zip(boundaries, boundaries[1:])):
            return None
        return Buckets(output, tuple(boundaries))

    # --- strings -------------------------------------------------------------------------------

    def _read_vocabularies(self) -> list[tuple[str, ...]]:
        """Returns the tokens of every vocabulary of the graph."""
        folder = os.path.join(self._output.transform_savedmodel_dir, "assets")
        files = files_for(folder)
        names = files.names(folder) if files.is_dir(folder) else []
        vocabularies = []
        for name in names:
            stem = name[: -len(".tfrecord.gz")] if name.endswith(".tfrecord.gz") else name
            tokens = self._output.vocabulary_by_name(stem)
            vocabularies.append(tuple(token.decode("utf-8", "surrogateescape") for token in tokens))
        return vocabularies

    def _codes(self, output: str, raw: str, tokens: Iterable[str]) -> npt.NDArray[Any] | None:
        """Returns the code of each token, -1 for none; None if the outputs are not codes."""
        answer = self.ask([{raw: token} for token in tokens])[output]
        if answer.shape[1] == 1:
            whole = answer.dtype.kind == "i"
            return answer[:, 0].astype(np.int64) if whole else None
        if not np.isin(answer, (0, 1)).all() or answer.sum(axis=1).max() > 1:
            return None
        return np.where(answer.any(axis=1), answer.argmax(axis=1), -1)

    def _vocabulary(self, output: str, raw: str) -> Vocabulary | None:
        one_hot = self.outputs[output].shape[1] > 1
        unknown = [f"\x00unknown {number}" for number in range(_UNKNOWN_TOKENS)]
        for tokens in self._vocabularies:
            codes = self._codes(output, raw, [*tokens, *unknown])
            if codes is None or not tokens:
                continue
            known_codes, unknown_codes = codes[: len(tokens)], codes[len(tokens) :]
            reserved = int(known_codes[0])
            if reserved < 0 or not np.array_equal(known_codes, reserved + np.arange(len(tokens))):
                continue
            end = reserved + len(tokens)
            if unknown_codes.min() >= end:
                return Vocabulary(
                    output, tokens, int(unknown_codes.max()) - end + 1, -1, reserved, one_hot
                )
            if unknown_codes.min() == unknown_codes.max():
                return Vocabulary(output, tokens, 0, int(unknown_codes[0]), reserved, one_hot)
        return None

    def _unknown(self, output: str) -> Unknown:
        """Returns a fingerprint of the output for a few hundred raw values."""
        grid = [s * x for x in np.geomspace(1e-6, 1e9, 150) for s in (1.0, -1.0)]
        rows: list[dict[str, Any]] = [{}]
        rows += [dict.fromkeys(self._numbers, x) for x in grid]
        some_tokens = [token for tokens in self._vocabularies for token in tokens[:100]]
        rows += [dict.fromkeys(self._strings, token) for token in some_tokens]
        answer = self.ask(rows)[output]
        return Unknown(output, hashlib.sha256(answer.tobytes()).hexdigest()[:16])
