import dataclasses
import hashlib
import io
import json
import os
import pathlib
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from tests.warm_start.documents import places, replaced
from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.warm_start.checkpoint import (
    Checkpoint,
    CheckpointError,
    Probe,
    check_checkpoint,
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


def test_a_checkpoint_behind_a_scheme_is_written_checked_and_read():
    folder, files = "ram://checkpoint/warm_start", files_for("ram://checkpoint/warm_start")
    write_checkpoint(folder, CHECKPOINT)
    check_checkpoint(folder)
    check_checkpoint(folder, files)
    found = read_checkpoint(folder).weights["dense/kernel"]
    assert not os.path.exists("ram:")
    np.testing.assert_array_equal(found, CHECKPOINT.weights["dense/kernel"])


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
    with pytest.raises(CheckpointError, match=r"checkpoint\.json: expected JSON, found"):
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
        ({"layout": True}, "expected layout version 1, found True"),
        ({"layout": 1.0}, r"expected layout version 1, found 1\.0"),
        ({"step": "140"}, "step: expected an integer.*, found '140'"),
        ({"step": -1}, "step: expected an integer.*, found -1"),
        ({"generation": -1}, "generation: expected an integer.*, found -1"),
        (
            {"optimizer_step": 2**63},
            "optimizer_step: expected an integer from 0 to",
        ),
        ({"inputs": {"x": [{"kind": "log"}]}}, "inputs: kind must be one of affine"),
        ({"files": {}}, r"files: expected one file below the folder, found \[\]"),
        ({"files": {"../secret": {}}}, r"expected one file below the folder, found \['\.\./sec"),
        ({"files": {"/etc/secret": {}}}, "files: expected one file below the folder"),
        (
            {
                "variables": [
                    {"role": "weight", "name": "w", "shape": [3, 2], "dtype": "float32"},
                ]
            },
            r"expected 'w' of the shape \[3, 2\] and type float32, found the header .*\(2, 3\)",
        ),
        ({"variables": [{"role": "weight"}]}, r"variables\[0\]: expected the key 'name'"),
        (
            {"variables": [{"role": "weight", "name": "w", "shape": [], "dtype": "object"}]},
            r"variables\[0\]\.dtype: expected a numeric type, found 'object'",
        ),
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
    monkeypatch.chdir(tmp_path)
    path = arrays_file(folder)
    np.savez(path, **{"0": np.array([Bomb()], object), "1": np.array(1), "2": np.array(1)})
    content = path.read_bytes()
    assert b"exploded" in content
    name = str(path.relative_to(folder))
    digest = hashlib.sha256(content).hexdigest()
    changed(folder, files={name: {"bytes": len(content), "sha256": digest}})
    with pytest.raises(CheckpointError, match=r"variables\.npz: .*found the header .*\|O"):
        read_checkpoint(str(folder))
    assert not (tmp_path / "exploded").exists()
    pickle.loads(pickle.dumps(Bomb()))  # It would have gone off.
    assert (tmp_path / "exploded").exists()


# --- weights that are no numbers -----------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_model_that_diverged_is_saved_but_is_no_base(tmp_path, value):
    weights = {"kernel": np.ones(2, np.float32), "bias": np.array([0, value], np.float32)}
    write_checkpoint(str(tmp_path), dataclasses.replace(CHECKPOINT, weights=weights))
    message = "expected finite weights, found NaN or infinite values in bias: its training diverged"
    for read in (check_checkpoint, read_checkpoint):
        with pytest.raises(CheckpointError, match=rf"checkpoint\.json: {message}"):
            read(str(tmp_path))
    changed(tmp_path, not_finite=[])  # As earlier releases wrote it.
    check_checkpoint(str(tmp_path))
    with pytest.raises(CheckpointError, match=rf"variables\.npz: {message}"):
        read_checkpoint(str(tmp_path))


def test_a_state_of_the_optimizer_that_diverged_does_not_spoil_the_weights(tmp_path):
    slots = {"velocity": {"dense/kernel": np.full((2, 3), np.inf, np.float32)}}
    write_checkpoint(str(tmp_path), dataclasses.replace(CHECKPOINT, slots=slots))
    assert np.isinf(read_checkpoint(str(tmp_path)).slots["velocity"]["dense/kernel"]).all()


# --- files of others -----------------------------------------------------------------------------


def test_what_the_model_predicted_is_kept(tmp_path):
    probe = Probe(
        {"x": np.ones((4, 1), np.float32), "city": np.array([["Porto"], ["Évora"], [""], ["x"]])},
        (np.arange(4.0), np.array([b"a", b"bc", b"", b"d"])),
    )
    write_checkpoint(str(tmp_path), dataclasses.replace(CHECKPOINT, probe=probe))
    found = read_checkpoint(str(tmp_path))
    assert found.weights.keys() == CHECKPOINT.weights.keys()
    for name, array in probe.inputs.items():
        np.testing.assert_array_equal(found.probe.inputs[name], array)
    for was, now in zip(probe.outputs, found.probe.outputs):
        np.testing.assert_array_equal(was, now)


def test_a_checkpoint_of_an_earlier_release_has_no_probe(folder):
    index = json.loads((folder / "checkpoint.json").read_text())
    for key in ("probe", "no_probe", "not_finite"):
        del index[key]
    (folder / "checkpoint.json").write_text(json.dumps(index))
    assert read_checkpoint(str(folder)).probe is None


def with_arrays(folder, content, **keys):
    """The folder, with other bytes as its arrays, which the index vouches for."""
    path = arrays_file(folder)
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    name = str(path.relative_to(folder))
    changed(folder, files={name: {"bytes": len(content), "sha256": digest}}, **keys)


def zipped(compression=zipfile.ZIP_STORED, **members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(f"{name[1:]}.npy", data)
    return buffer.getvalue()


def npy(shape, descr="<f4", data=b""):
    buffer = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + data


def entry(shape, dtype="float32"):
    return [{"role": "weight", "name": "w", "shape": list(shape), "dtype": dtype}]


HUGE = 2**36  # 256 GiB of float32
HOSTILE_ARRAYS = {
    "claims 256 GiB in index and header": (zipped(_0=npy((HUGE,))), entry([HUGE])),
    "claims 256 GiB in its header": (zipped(_0=npy((HUGE,), data=b"1234")), entry([1])),
    "claims a shape whose product overflows": (
        zipped(_0=npy((2**40, 2**40))),
        entry([2**40, 2**40]),
    ),
    "is compressed": (
        zipped(zipfile.ZIP_DEFLATED, _0=npy((10**6,), data=bytes(4 * 10**6))) + bytes(4 * 10**6),
        entry([10**6]),
    ),
    "is a picture": (b"\x89PNG" + bytes(200), entry([1])),
    "is empty": (b"", entry([0])),
    "has no such array": (zipped(_1=npy((1,), data=bytes(4))), entry([1])),
    "has an array of objects": (zipped(_0=npy((1,), "|O", bytes(8))), entry([1])),
    "has a header of a million brackets": (
        zipped(_0=b"\x93NUMPY\x02\x00" + (10**6).to_bytes(4, "little") + b"(" * 10**6),
        entry([1]),
    ),
    "has more bytes than its shape": (zipped(_0=npy((1,), data=bytes(8))), entry([1])),
    "has no header": (zipped(_0=b"abc"), entry([1])),
}


@pytest.mark.parametrize("what", HOSTILE_ARRAYS)
def test_arrays_that_are_not_what_the_index_says_are_named(folder, what):
    content, variables = HOSTILE_ARRAYS[what]
    with_arrays(folder, content, variables=variables)
    started = time.monotonic()
    with pytest.raises(CheckpointError, match=re.escape(str(arrays_file(folder)))):
        read_checkpoint(str(folder))
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("name", ["checkpoint.json", "variables.npz"])
def test_a_pipe_in_the_place_of_a_file_is_named_and_not_waited_for(folder, name):
    path = arrays_file(folder) if name == "variables.npz" else folder / name
    path.unlink()
    os.mkfifo(path)
    for read in (check_checkpoint, read_checkpoint):
        with pytest.raises(CheckpointError, match=rf"{re.escape(str(path))}: expected a regular"):
            read(str(folder))


def test_an_index_of_gigabytes_is_refused_before_it_is_read(folder):
    with open(folder / "checkpoint.json", "r+b") as stream:
        stream.truncate(2**35)  # A hole: it takes no room on disk.
    for read in (check_checkpoint, read_checkpoint):
        with pytest.raises(
            CheckpointError, match=r"checkpoint\.json: expected at most 134,217,728"
        ):
            read(str(folder))


def test_a_folder_in_the_place_of_the_index_is_named(folder):
    (folder / "checkpoint.json").unlink()
    (folder / "checkpoint.json").mkdir()
    with pytest.raises(CheckpointError, match=r"checkpoint\.json: cannot be read: .*directory"):
        read_checkpoint(str(folder))


ODD = [
    "null",
    "true",
    "-1",
    "1.5",
    "1e999",
    "NaN",
    "9" * 400,
    "9" * 5000,
    str(2**40),
    '""',
    '"\\u0000/../x"',
    '"\\ud800"',
    "[]",
    "{}",
    '[{"a": [1]}]',
    '{"x": [{"kind": []}]}',
    '{"x": [{"kind": "vocabulary", "feature": "x", "tokens": [[]]}]}',
    '{"x": [{"kind": "vocabulary", "feature": "x", "tokens": ["a"], "oov_buckets": 1e300}]}',
    '{"x": [{"kind": "buckets", "feature": [], "boundaries": "ab"}]}',
    '{"x": [{"kind": "affine", "feature": "x", "center": "1", "scale": {}}]}',
    "[" * 900 + "]" * 900,
    "[" * 10**6,
]


def read_or_refuse(folder):
    """Reads a checkpoint that somebody has changed: it may be read, or refused with its path."""
    started = time.monotonic()
    refused = []
    for read in (check_checkpoint, read_checkpoint):
        try:
            read(str(folder))
        except CheckpointError as error:
            refused.append(str(error))
    assert all(message.startswith(str(folder)) for message in refused)
    assert all(len(message) < 1000 for message in refused)
    assert time.monotonic() - started < 30


def test_whatever_stands_in_the_index_it_is_read_or_refused(folder):
    path = folder / "checkpoint.json"
    index = json.loads(path.read_text())
    for place in places(index):
        for odd in ODD:
            path.write_text(replaced(index, place, odd))
            read_or_refuse(folder)


def test_whatever_bytes_are_changed_a_checkpoint_is_read_or_refused(folder):
    random = np.random.default_rng(0)
    index, arrays = (folder / "checkpoint.json").read_bytes(), arrays_file(folder).read_bytes()

    def mutated(content):
        content = bytearray(content)
        for _ in range(random.integers(1, 4)):
            start, kind = random.integers(len(content)), random.integers(4)
            end = min(len(content), start + random.integers(1, 40))
            if kind == 0:
                content[start] = random.integers(256)
            elif kind == 1:
                del content[start:end]
            elif kind == 2:
                content[start:start] = content[start:end]
            else:
                content[start:end] = bytes(end - start)
        return bytes(content)

    for number in range(400):
        (folder / "checkpoint.json").write_bytes(mutated(index) if number % 2 else index)
        if number % 2 == 0:
            with_arrays(folder, mutated(arrays))  # With the right sha256: zip and numpy see it.
        read_or_refuse(folder)
        arrays_file(folder).write_bytes(arrays)


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
