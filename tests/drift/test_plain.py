"""What workers send back is data, comes back whole, and can make nothing run."""

import json
import os
import pickle
import re
import struct

import numpy as np
import pyarrow as pa
import pytest

from tfx_wine_ext.drift.plain import from_bytes, to_bytes
from tfx_wine_ext.drift.sample import RowSample
from tfx_wine_ext.drift.sketches import SketchLimits, TableSketch

LIMITS = SketchLimits(numbers=10, buffer=16, categories=20, kept=10)


def equal(one, other):
    """Whether two values are the same in all their parts, whatever attributes they have."""
    if isinstance(one, float):  # numpy's own, too
        return one == other or (one != one and other != other)
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    if isinstance(one, (pa.Array, pa.Table)):
        return one.equals(other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    if hasattr(one, "Serialize"):
        return one.Serialize() == other.Serialize()
    if type(one).__module__.startswith("tfx_wine_ext."):
        return equal(vars(one), vars(other))
    return one == other


def sketched(*tables, limits=LIMITS):
    sketch = TableSketch(["code"], ["id"], limits)
    for table in tables:
        sketch.add(pa.table(table))
    return sketch


SKETCHES = {
    "no row": sketched(),
    "no value": sketched({"x": pa.nulls(3), "y": pa.array([None], pa.float64()).take([0, 0, 0])}),
    "few values": sketched({"x": [1.5, np.nan, np.inf, None], "k": ["a", None, "", "é"]}),
    "rows that wait": sketched({"x": [1.5, 2.5], "code": [3, 4], "id": ["p", "q"]}),
    "compressed numbers": sketched({"x": np.random.default_rng(1).normal(size=999)}),
    "huge numbers": sketched({"x": [1.7e308, -1.7e308] * 40 + list(range(20))}),
    "forgotten categories": sketched({"k": [b"\xff%d" % i for i in range(99)] + [b"x"] * 9}),
    "a column that came late": sketched({"x": [1.0]}, {"y": ["a"]}),
}


@pytest.mark.parametrize("name", SKETCHES)
def test_a_sketch_comes_back_whole(name):
    [again] = from_bytes(to_bytes(SKETCHES[name]))
    assert equal(again, SKETCHES[name])
    assert equal(again.merge(SKETCHES[name]).summaries(), twice(SKETCHES[name]).summaries())


def twice(sketch):
    return pickle.loads(pickle.dumps(sketch)).merge(sketch)


def test_a_sample_comes_back_whole_with_its_types():
    table = pa.table(
        {
            "x": pa.array([[1.5], None, []], pa.large_list(pa.float32())),
            "k": pa.array(["a", "b", "a"]).dictionary_encode(),
            "s": [{"y": 1}, None, {"y": 2}],
        }
    )
    sample = RowSample(2, ignore=["z"])
    sample.add(table)
    nothing = RowSample(2)
    again, absent, empty = from_bytes(to_bytes(sample, None, nothing))
    assert equal(again, sample)
    assert again.table().schema == table.schema
    assert (absent, equal(empty, nothing)) == (None, True)


def test_what_comes_back_can_be_added_to():
    [again] = from_bytes(to_bytes(SKETCHES["few values"]))
    again.add(pa.table({"x": [2.5], "k": ["a"]}))
    assert again.rows == 5
    assert again.summaries()["x"].steps().points.tolist() == [1.5, 2.5]


class Runs:
    """Pickled, it makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def head_of(values, buffers=()):
    text = json.dumps({"version": 1, "values": values, "buffers": list(buffers)}).encode()
    return b"tfx-wine-ext drift\n" + struct.pack("<Q", len(text)) + text


GOOD = to_bytes(SKETCHES["forgotten categories"], None)
BAD = {
    "nothing": (b"", "expected the sketches of a worker, found 0 other bytes"),
    "text": (b"rows: 3", "expected the sketches of a worker, found 7 other bytes"),
    "the first half": (GOOD[: len(GOOD) // 2], "bytes of sketches, found|broken head"),
    "more": (GOOD + b"x", "bytes of sketches, found"),
    "another version": (GOOD.replace(b'"version": 1', b'"version": 9'), "version 1, found 9: work"),
    "another class": (head_of([["object", "Popen", ["dict", []]]]), "KeyError.*Popen"),
    "another kind": (head_of([["eval", "1"]]), "a value of the kind 'eval'"),
    "objects": (head_of([["numbers", "|O", 0]], [0]), "an array of object"),
    "a length": (b"tfx-wine-ext drift\n" + struct.pack("<Q", 2**60) + b"{}", "version 1, found No"),
    "nested": (head_of([]).replace(b"[]", b"[" * 50_000, 1), "broken head"),
}


@pytest.mark.parametrize("name", BAD)
def test_other_bytes_are_refused(name):
    data, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        from_bytes(data)


def test_nothing_of_a_pickle_runs(tmp_path):
    path = str(tmp_path / "made")
    with pytest.raises(ValueError, match="expected the sketches of a worker"):
        from_bytes(pickle.dumps(Runs(path)))
    assert not os.path.exists(path)


def test_what_is_not_on_the_list_is_not_written():
    with pytest.raises(TypeError, match=re.escape("Runs does not travel between workers")):
        to_bytes(Runs(""))
