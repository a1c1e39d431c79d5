import dataclasses
import json
import pathlib
import pickle
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tfx_wine_ext.warm_start.checkpoint import (
    Checkpoint,
    CheckpointError,
    read_checkpoint,
    write_checkpoint,
)
from tfx_wine_ext.warm_start.inputs import Affine, InputSpec

CHECKPOINT = Checkpoint(
    weights={"dense/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "count": np.array(7)},
    inputs=InputSpec({"x": [Affine.z_score("pH", 3.1, 0.2)]}),
    architecture={"layers": {}},
    slots={"velocity": {"dense/kernel": np.ones((2, 3), np.float32)}},
    optimizer="Adam",
    optimizer_step=40,
    step=140,
    generation=3,
    created="2026-01-01T00:00:00+00:00",
    library="keras 3.12.4",
)


@pytest.fixture
def folder(tmp_path):
    write_checkpoint(str(tmp_path / "warm_start"), CHECKPOINT)
    return tmp_path / "warm_start"


def arrays_file(folder):
    (path,) = folder.glob("*/variables.npz")
    return path


def test_what_is_written_is_read_again(folder):
    found = read_checkpoint(str(folder))
    assert found.weights.keys() == CHECKPOINT.weights.keys()
    for name, array in CHECKPOINT.weights.items():
        np.testing.assert_array_equal(found.weights[name], array)
        assert found.weights[name].dtype == array.dtype
    np.testing.assert_array_equal(found.slots["velocity"]["dense/kernel"], np.ones((2, 3)))
    fields = [x.name for x in dataclasses.fields(Checkpoint) if x.name not in ("weights", "slots")]
    assert {x: getattr(found, x) for x in fields} == {x: getattr(CHECKPOINT, x) for x in fields}


def test_the_layout_is_this(folder):
    digest = json.loads((folder / "checkpoint.json").read_text())["files"].popitem()[1]["sha256"]
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == [
        f"{digest[:16]}/variables.npz",
        "checkpoint.json",
    ]
    index = json.loads((folder / "checkpoint.json").read_text())
    assert index["layout"] == 1
    assert index["variables"] == [
        {"role": "weight", "name": "dense/kernel", "shape": [2, 3], "dtype": "float32"},
        {"role": "weight", "name": "count", "shape": [], "dtype": "int64"},
        {"role": "velocity", "name": "dense/kernel", "shape": [2, 3], "dtype": "float32"},
    ]


def test_a_later_checkpoint_takes_the_place_of_the_earlier_one(folder):
    later = dataclasses.replace(CHECKPOINT, weights={"w": np.zeros(1)}, slots={}, step=200)
    write_checkpoint(str(folder), later)
    assert read_checkpoint(str(folder)).step == 200
    assert len(list(folder.iterdir())) == 2


def test_equal_checkpoints_are_equal_bytes(folder, tmp_path):
    write_checkpoint(str(tmp_path / "again"), CHECKPOINT)
    for path in folder.rglob("*"):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_bfloat16_is_kept_as_float32(tmp_path):
    import ml_dtypes

    values = np.array([1.5, -2.25], ml_dtypes.bfloat16)
    write_checkpoint(str(tmp_path), dataclasses.replace(CHECKPOINT, weights={"w": values}))
    found = read_checkpoint(str(tmp_path)).weights["w"]
    assert (found.dtype, found.tolist()) == (np.float32, [1.5, -2.25])


def test_an_array_of_objects_is_refused(tmp_path):
    checkpoint = dataclasses.replace(CHECKPOINT, weights={"w": np.array([print])})
    with pytest.raises(TypeError, match="w: an array of Python objects cannot be saved"):
        write_checkpoint(str(tmp_path), checkpoint)


# --- damage --------------------------------------------------------------------------------------


def test_a_folder_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"checkpoint\.json: cannot be read: .*No such file"):
        read_checkpoint(str(tmp_path))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_a_truncated_index_is_named(folder, share):
    path = folder / "checkpoint.json"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match=r"checkpoint\.json: not JSON, or truncated"):
        read_checkpoint(str(folder))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_truncated_arrays_are_named(folder, share):
    path = arrays_file(folder)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointError, match=r"variables\.npz: expected \d+ bytes, found \d+: "):
        read_checkpoint(str(folder))


def test_changed_arrays_are_named(folder):
    path = arrays_file(folder)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"variables\.npz: the file was changed: its sha256"):
        read_checkpoint(str(folder))


def test_missing_arrays_are_named(folder):
    shutil.rmtree(arrays_file(folder).parent)
    with pytest.raises(CheckpointError, match=r"variables\.npz: cannot be read"):
        read_checkpoint(str(folder))


def changed(folder, **keys):
    path = folder / "checkpoint.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"layout": 2}, r"checkpoint\.json: expected layout version 1, found 2: was it written by"),
        ({"layout": None}, "expected layout version 1, found None"),
        ({"step": "140"}, "'step' must be of type int, found '140'"),
        ({"inputs": {"x": [{"kind": "log"}]}}, "'inputs': kind must be one of affine"),
        ({"files": {}}, r"'files' must name one file below the folder, found \[\]"),
        ({"files": {"../secret": {}}}, r"must name one file below the folder, found \['\.\./sec"),
        ({"files": {"/etc/secret": {}}}, "must name one file below the folder"),
        (
            {
                "variables": [
                    {"role": "weight", "name": "w", "shape": [3, 2], "dtype": "float32"},
                ]
            },
            r"'w' must have the shape \[3, 2\] and the type float32, found \[2, 3\] and float32",
        ),
        ({"variables": [{"role": "weight"}]}, "not the arrays of its checkpoint: KeyError"),
    ],
)
def test_an_index_that_says_something_else_is_an_error(folder, keys, message):
    changed(folder, **keys)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(str(folder))


class Bomb:
    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path("exploded"),)


def test_no_code_is_run_from_a_checkpoint(folder, tmp_path, monkeypatch):
    import hashlib

    monkeypatch.chdir(tmp_path)
    path = arrays_file(folder)
    np.savez(path, **{"0": np.array([Bomb()], object), "1": np.array(1), "2": np.array(1)})
    content = path.read_bytes()
    assert b"exploded" in content
    name = str(path.relative_to(folder))
    digest = hashlib.sha256(content).hexdigest()
    changed(folder, files={name: {"bytes": len(content), "sha256": digest}})
    with pytest.raises(CheckpointError, match=r"variables\.npz: an array cannot be read: Object"):
        read_checkpoint(str(folder))
    assert not (tmp_path / "exploded").exists()
    pickle.loads(pickle.dumps(Bomb()))  # It would have gone off.
    assert (tmp_path / "exploded").exists()


WRITER = """
import sys
import numpy as np
from tfx_wine_ext.warm_start.checkpoint import Checkpoint, write_checkpoint
from tfx_wine_ext.warm_start.inputs import InputSpec

step = int(sys.argv[2])
while True:
    step += 1
    weights = {"w": np.full(200_000, step, np.float32)}
    write_checkpoint(sys.argv[1], Checkpoint(weights, InputSpec({}), step=step))
    print(step, flush=True)
"""


@pytest.mark.e2e
def test_a_writer_that_is_killed_at_any_moment_leaves_a_whole_checkpoint(tmp_path, checkout):
    folder = str(tmp_path / "warm_start")
    random = np.random.default_rng(0)
    step = 0
    for _ in range(15):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, folder, str(step)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=checkout,
        )
        writer.stdout.readline()
        time.sleep(random.uniform(0, 0.05))
        writer.send_signal(signal.SIGKILL)
        told, _ = writer.communicate()
        found = read_checkpoint(folder)
        # What it told of was there; it may have got one further.
        last = int(told.split()[-1]) if told else step + 1
        assert found.step in (last, last + 1)
        np.testing.assert_array_equal(found.weights["w"], np.full(200_000, found.step))
        step = found.step
