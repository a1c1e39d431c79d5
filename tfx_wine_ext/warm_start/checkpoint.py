"""Training checkpoints on disk: arrays and plain JSON, nothing that is ever run.

The layout, version 1, is a folder with two files::

    checkpoint.json                 what there is, and what it means
    <16 hex digits>/variables.npz   the arrays, named "0", "1" and so on in the order of `variables`

``checkpoint.json`` is written last and put in its place in one step, and it names the arrays' file
with its sha256. Whatever moment a writer is killed at, the folder holds the earlier checkpoint or
the new one. docs/warm-start.md lists the keys.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import io
import json
import posixpath
import uuid
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.columnar.files import Files, LocalFiles
from tfx_wine_ext.warm_start.inputs import InputSpec

LAYOUT_VERSION = 1
"""The layout that is written; no other is read."""

INDEX_FILE = "checkpoint.json"
ARRAYS_FILE = "variables.npz"

_WEIGHT = "weight"


class CheckpointError(ValueError):
    """A checkpoint cannot be read; the message names the file and the reason."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What is needed to go on training.

    Attributes:
        weights: Arrays of the model by name, which `architecture` refers to.
        inputs: What the columns of its inputs are.
        architecture: The model's structure, a JSON object: see `Architecture` for Keras models.
        slots: Optimizer state: by slot, such as "velocity", then by the name of the weight.
        optimizer: The optimizer's class, empty if none was saved.
        optimizer_step: The optimizer's own count, which its bias correction and schedules go by.
        step: Training steps so far, those of all earlier generations included.
        generation: How many warm starts in a row led here.
        created: When it was written, ISO 8601 in UTC.
        library: What made the weights, such as "keras 3.12.4".
    """

    weights: Mapping[str, npt.NDArray[Any]]
    inputs: InputSpec
    architecture: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    slots: Mapping[str, Mapping[str, npt.NDArray[Any]]] = dataclasses.field(default_factory=dict)
    optimizer: str = ""
    optimizer_step: int = 0
    step: int = 0
    generation: int = 0
    created: str = ""
    library: str = ""


def write_checkpoint(folder: str, checkpoint: Checkpoint, files: Files | None = None) -> None:
    """Writes a checkpoint, in place of one that is there already.

    Args:
        folder: Where it goes; made if missing.
        checkpoint: An empty `created` becomes the present time. Arrays of types that numpy does
            not know, such as bfloat16, are written as float32, which holds all their values.
        files: The file system; default the local one.

    Raises:
        TypeError: An array holds Python objects.
        OSError: The folder cannot be written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_checkpoint(folder, Checkpoint({"w": np.ones(2)}, InputSpec({}), step=7))
        ...     read_checkpoint(folder).step
        7
    """
    files = files or LocalFiles()
    named = [(_WEIGHT, name, array) for name, array in checkpoint.weights.items()]
    named += [
        (slot, name, x) for slot, arrays in checkpoint.slots.items() for name, x in arrays.items()
    ]
    arrays = [_plain(name, array) for _, name, array in named]
    buffer = io.BytesIO()
    np.savez(buffer, **{str(number): array for number, array in enumerate(arrays)})
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    arrays_file = f"{digest[:16]}/{ARRAYS_FILE}"
    index = {
        "layout": LAYOUT_VERSION,
        "created": checkpoint.created
        or datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "library": checkpoint.library,
        "step": checkpoint.step,
        "generation": checkpoint.generation,
        "optimizer": checkpoint.optimizer,
        "optimizer_step": checkpoint.optimizer_step,
        "inputs": checkpoint.inputs.to_dict(),
        "architecture": checkpoint.architecture,
        "variables": [
            {"role": role, "name": name, "shape": list(array.shape), "dtype": array.dtype.name}
            for (role, name, _), array in zip(named, arrays)
        ],
        "files": {arrays_file: {"bytes": len(content), "sha256": digest}},
    }
    text = json.dumps(index, indent=1).encode()

    _write(files, posixpath.join(folder, arrays_file), content)
    _write(files, posixpath.join(folder, INDEX_FILE), text)
    for path in files.glob(posixpath.join(folder, "*", ARRAYS_FILE)):
        if not path.endswith(arrays_file):
            files.remove_tree(posixpath.dirname(path))


def read_checkpoint(folder: str, files: Files | None = None) -> Checkpoint:
    """Reads a checkpoint, and checks it before anything is made of it.

    Args:
        folder: Where it is.
        files: The file system; default the local one.

    Raises:
        CheckpointError: There is none, its layout is unknown, or a file is missing, truncated,
            changed or not what it should be.
    """
    files = files or LocalFiles()
    path = posixpath.join(folder, INDEX_FILE)
    index = _index(path, _read(files, path))
    (arrays_file,) = index["files"]
    path = posixpath.join(folder, arrays_file)
    content = _read(files, path)
    expected = index["files"][arrays_file]
    _check_size(path, len(content), expected["bytes"])
    if hashlib.sha256(content).hexdigest() != expected["sha256"]:
        raise CheckpointError(f"{path}: the file was changed: its sha256 is not the recorded one")
    weights, slots = _arrays(path, content, index["variables"])
    return Checkpoint(
        weights=weights,
        inputs=index["inputs"],
        architecture=index["architecture"],
        slots=slots,
        optimizer=index["optimizer"],
        optimizer_step=index["optimizer_step"],
        step=index["step"],
        generation=index["generation"],
        created=index["created"],
        library=index["library"],
    )


def check_checkpoint(folder: str, files: Files | None = None) -> None:
    """Checks that a checkpoint is there and whole, without reading its arrays.

    Args:
        folder: Where it is.
        files: The file system; default the local one.

    Raises:
        CheckpointError: There is none, its layout is unknown, or its arrays are missing or not as
            long as they should be. That their content was changed is noticed by `read_checkpoint`.
    """
    files = files or LocalFiles()
    path = posixpath.join(folder, INDEX_FILE)
    [(name, expected)] = _index(path, _read(files, path))["files"].items()
    path = posixpath.join(folder, name)
    try:
        with files.open(path) as stream:
            size = stream.seek(0, io.SEEK_END)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    _check_size(path, size, expected["bytes"])


def _check_size(path: str, size: int, expected: int) -> None:
    if size != expected:
        raise CheckpointError(
            f"{path}: expected {expected} bytes, found {size}: "
            "the file is truncated or of another checkpoint"
        )


def _plain(name: str, array: Any) -> npt.NDArray[Any]:
    """The array in a type that numpy can write without pickle."""
    array = np.asarray(array)
    if array.dtype.hasobject:
        raise TypeError(f"{name}: an array of Python objects cannot be saved, only numbers can")
    # Types of other packages, bfloat16 for one, have kind "V" and would come back as mere bytes.
    plain: npt.NDArray[Any] = array.astype(np.float32) if array.dtype.kind == "V" else array
    return plain


def _write(files: Files, path: str, content: bytes) -> None:
    """Writes a file that is complete as soon as it is there."""
    partial = f"{path}.{uuid.uuid4().hex}.partial"
    with files.create(partial) as stream:
        stream.write(content)
    files.rename(partial, path)


def _read(files: Files, path: str) -> bytes:
    try:
        with files.open(path) as stream:
            return stream.read()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error


_FIELDS = {
    "created": str,
    "library": str,
    "step": int,
    "generation": int,
    "optimizer": str,
    "optimizer_step": int,
    "inputs": dict,
    "architecture": dict,
    "variables": list,
    "files": dict,
}


def _index(path: str, content: bytes) -> dict[str, Any]:
    try:
        index = json.loads(content)
    except ValueError as error:
        raise CheckpointError(f"{path}: not JSON, or truncated: {error}") from None
    found = index.get("layout") if isinstance(index, dict) else None
    if found != LAYOUT_VERSION:
        raise CheckpointError(
            f"{path}: expected layout version {LAYOUT_VERSION}, found {found!r}: was it written "
            "by another release?"
        )
    for key, kind in _FIELDS.items():
        if not isinstance(index.get(key), kind):
            raise CheckpointError(
                f"{path}: {key!r} must be of type {kind.__name__}, found {index.get(key)!r}"
            )
    names = list(index["files"])
    # A name from the file is never followed out of the folder.
    if len(names) != 1 or names[0].count("/") != 1 or names[0].startswith(("/", "..")):
        raise CheckpointError(f"{path}: 'files' must name one file below the folder, found {names}")
    try:
        index["inputs"] = InputSpec.from_dict(index["inputs"])
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: 'inputs': {error}") from None
    return dict(index)


def _arrays(
    path: str, content: bytes, variables: list[dict[str, Any]]
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, dict[str, npt.NDArray[Any]]]]:
    weights: dict[str, npt.NDArray[Any]] = {}
    slots: dict[str, dict[str, npt.NDArray[Any]]] = {}
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            for number, variable in enumerate(variables):
                array = stored[str(number)]
                found = (list(array.shape), array.dtype.name)
                if found != (variable["shape"], variable["dtype"]):
                    raise CheckpointError(
                        f"{path}: {variable['name']!r} must have the shape {variable['shape']} "
                        f"and the type {variable['dtype']}, found {found[0]} and {found[1]}"
                    )
                role = variable["role"]
                target = weights if role == _WEIGHT else slots.setdefault(role, {})
                target[variable["name"]] = array
    except (KeyError, TypeError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: not the arrays of its checkpoint: {error!r}") from None
    except ValueError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: an array cannot be read: {error}") from None
    return weights, slots
