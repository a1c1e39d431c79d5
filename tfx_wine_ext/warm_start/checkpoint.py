"""Training checkpoints on disk: arrays and plain JSON, no executable code.

The layout, version 1, is a folder with two files::

    checkpoint.json                 the index: names, shapes and meaning of the arrays
    <16 hex digits>/variables.npz   the arrays, named "0", "1" and so on in the order of `variables`

``checkpoint.json`` is written last and moved into place atomically; it holds the name and the
sha256 of the arrays file. If a writer is killed at any time, the folder holds either the earlier
checkpoint or the new one. docs/warm-start.md lists the keys.

Checkpoints are untrusted: for any file content, reading returns a `Checkpoint` or raises
`CheckpointError`, and uses no more memory than the size of the files.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import io
import json
import math
import posixpath
import re
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.documents import (
    MAX_BYTES,
    DocumentError,
    Part,
    open_regular,
    parse_json,
    read_bytes,
)
from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.files.local import Files, LocalFiles
from tfx_wine_ext.warm_start.inputs import InputSpec

LAYOUT_VERSION = 1
"""The only layout that is written and read."""

INDEX_FILE = "checkpoint.json"
"""The file of a checkpoint that describes the others; JSON."""

ARRAYS_FILE = "variables.npz"
"""The file of a checkpoint that holds the values of its variables; numpy's format."""

_WEIGHT = "weight"
# The largest int64, which MLMD and TensorFlow count with.
_LARGEST_COUNT = 2**63 - 1
_NAMED_AT_MOST = 10


class CheckpointError(TfxWineExtError, ValueError):
    """A checkpoint cannot be read or used; `path` is the file at fault."""


@dataclasses.dataclass(frozen=True)
class Probe:
    """Inputs on which a model was run, and its predictions, to compare models as functions.

    Attributes:
        inputs: Numbers or strings, `[rows, ...]`, by the name of the model's input.
        outputs: The model's outputs, `[rows, ...]`, in the order of `keras.tree.flatten`.
    """

    inputs: Mapping[str, npt.NDArray[Any]]
    outputs: tuple[npt.NDArray[Any], ...]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The state needed to continue training.

    Attributes:
        weights: Arrays of the model by name, which `architecture` refers to.
        inputs: The transforms of the columns of its inputs.
        architecture: The model's structure, a JSON object; see `Architecture` for Keras models.
        slots: Optimizer state by slot, such as "velocity", then by the name of the weight.
        optimizer: The optimizer's class name; empty if no optimizer was saved.
        optimizer_step: The optimizer's own step count, used by its bias correction and schedules.
        step: Training steps so far, including those of all earlier generations.
        generation: The number of successive warm starts that led to this model.
        created: When it was written, ISO 8601 in UTC.
        library: The library that made the weights, such as "keras 3.12.4".
        probe: Sample inputs and the model's predictions; None if there are none, as in checkpoints
            of earlier releases.
        no_probe: Why there is no probe, such as an error of the model.
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
    probe: Probe | None = None
    no_probe: str = ""

    @property
    def diverged(self) -> tuple[str, ...]:
        """Names of the weights that are not finite: training cannot continue from them."""
        return tuple(name for name, array in self.weights.items() if not is_finite(array))


def is_finite(array: Any) -> bool:
    """Whether an array has neither NaN nor an infinity.

    Example:
        >>> is_finite([1, 2]), is_finite([1.0, float("nan")])
        (True, False)
    """
    array = np.asarray(array)
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def write_checkpoint(folder: str, checkpoint: Checkpoint, files: Files | None = None) -> None:
    """Writes a checkpoint; replaces an existing one.

    A checkpoint with non-finite weights is also written, for inspection, and marked in its index:
    `read_checkpoint` and `check_checkpoint` refuse it.

    Args:
        folder: Where to write; created if missing.
        checkpoint: An empty `created` becomes the current time. Arrays of types that numpy does
            not support, such as bfloat16, are written as float32 without loss.
        files: The file system. Default: by the scheme of the folder.

    Raises:
        TypeError: An array holds Python objects.
        ValueError: The index would exceed the limit for reading (128 MiB, some five million
            vocabulary tokens).
        OSError: The folder cannot be written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_checkpoint(folder, Checkpoint({"w": np.ones(2)}, InputSpec({}), step=7))
        ...     read_checkpoint(folder).step
        7
    """
    files = files or files_for(str(folder))
    variables = _named(_WEIGHT, checkpoint.weights)
    for slot, arrays in checkpoint.slots.items():
        variables += _named(slot, arrays)
    probe = []
    if checkpoint.probe is not None:
        outputs = {str(i): array for i, array in enumerate(checkpoint.probe.outputs)}
        probe = _named("input", checkpoint.probe.inputs) + _named("output", outputs)
    buffer = io.BytesIO()
    members: dict[str, Any] = {str(i): x for i, (*_, x) in enumerate([*variables, *probe])}
    np.savez(buffer, **members)
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
        "not_finite": list(checkpoint.diverged),
        "inputs": checkpoint.inputs.to_dict(),
        "architecture": checkpoint.architecture,
        "variables": [
            {"role": role, "name": name, "shape": list(array.shape), "dtype": array.dtype.name}
            for role, name, array in variables
        ],
        "probe": [
            {"role": role, "name": name, "shape": list(array.shape), "dtype": array.dtype.str}
            for role, name, array in probe
        ],
        "no_probe": checkpoint.no_probe,
        "files": {arrays_file: {"bytes": len(content), "sha256": digest}},
    }
    text = json.dumps(index, indent=1).encode()
    if len(text) > MAX_BYTES:
        raise ValueError(
            f"{posixpath.join(folder, INDEX_FILE)}: expected at most {MAX_BYTES} bytes, found "
            f"{len(text)}: the vocabularies of the inputs are too long for a warm start"
        )

    _write(files, posixpath.join(folder, arrays_file), content)
    _write(files, posixpath.join(folder, INDEX_FILE), text)
    for path in files.glob(posixpath.join(folder, "*", ARRAYS_FILE)):
        if not path.endswith(arrays_file):
            files.remove_tree(posixpath.dirname(path))


def read_checkpoint(folder: str, files: Files | None = None) -> Checkpoint:
    """Reads and validates a checkpoint.

    Args:
        folder: The checkpoint's folder.
        files: The file system. Default: by the scheme of the folder.

    Raises:
        CheckpointError: There is no checkpoint, its layout is unknown, a file is missing,
            truncated, changed or invalid, or its weights are not finite.
    """
    files = files or files_for(str(folder))
    index = _Index.read(folder, files)
    content = _read(files, index.arrays_file, index.bytes)
    _check_size(index.arrays_file, len(content), index.bytes)
    if hashlib.sha256(content).hexdigest() != index.sha256:
        raise CheckpointError(
            "the file was changed: its sha256 differs from the recorded one", path=index.arrays_file
        )
    arrays = _arrays(index.arrays_file, content, [*index.variables, *index.probe])
    weights: dict[str, npt.NDArray[Any]] = {}
    slots: dict[str, dict[str, npt.NDArray[Any]]] = {}
    for variable, array in zip(index.variables, arrays):
        weight = variable.role == _WEIGHT
        (weights if weight else slots.setdefault(variable.role, {}))[variable.name] = array
    probed = list(zip(index.probe, arrays[len(index.variables) :]))
    checkpoint = dataclasses.replace(
        index.checkpoint,
        weights=weights,
        slots=slots,
        probe=Probe(
            {entry.name: array for entry, array in probed if entry.role == "input"},
            tuple(array for entry, array in probed if entry.role == "output"),
        )
        if probed
        else None,
    )
    _check_finite(index.arrays_file, checkpoint.diverged)
    return checkpoint


def check_checkpoint(folder: str, files: Files | None = None) -> None:
    """Checks that a checkpoint exists and is complete, without reading its arrays.

    Args:
        folder: The checkpoint's folder.
        files: The file system. Default: by the scheme of the folder.

    Raises:
        CheckpointError: There is no checkpoint, its layout is unknown, its arrays file is missing
            or has another size than recorded, or its weights were not finite when it was saved.
            Only `read_checkpoint` detects that the content of the arrays was changed.
    """
    files = files or files_for(str(folder))
    index = _Index.read(folder, files)
    _check_size(index.arrays_file, _size(files, index.arrays_file), index.bytes)


def _check_size(path: str, size: int, expected: int) -> None:
    if size != expected:
        raise CheckpointError(
            f"{size}: the file is truncated or belongs to another checkpoint",
            path=path,
            expected=f"{expected} bytes",
        )


def _check_finite(path: str, names: Sequence[str]) -> None:
    if names:
        more = f" and {len(names) - _NAMED_AT_MOST} more" if names[_NAMED_AT_MOST:] else ""
        raise CheckpointError(
            f"NaN or infinite values in {', '.join(names[:_NAMED_AT_MOST])}{more}: its training "
            "diverged",
            path=path,
            expected="finite weights",
        )


def _named(role: str, arrays: Mapping[str, Any]) -> list[tuple[str, str, npt.NDArray[Any]]]:
    """Returns arrays in C order and with a dtype that numpy can write without pickle."""
    named = []
    for name, given in arrays.items():
        array = np.asarray(given, order="C")
        if array.dtype.hasobject:
            raise TypeError(f"{name}: an array of Python objects cannot be saved, only numbers can")
        # Dtypes of other packages, such as bfloat16, have kind "V": they would become raw bytes.
        dtype = np.dtype(np.float32) if array.dtype.kind == "V" else array.dtype.newbyteorder("=")
        named.append((role, name, array.astype(dtype, copy=False)))
    return named


def _write(files: Files, path: str, content: bytes) -> None:
    """Writes a file atomically."""
    partial = f"{path}.{uuid.uuid4().hex}.partial"
    with files.create(partial) as stream:
        stream.write(content)
    files.rename(partial, path)


@contextlib.contextmanager
def _reading(path: str) -> Iterator[None]:
    """Turns whatever is raised while a file is read into a `CheckpointError`."""
    try:
        yield
    except CheckpointError:
        raise
    except DocumentError as error:
        raise CheckpointError(error.problem, path=path) from None
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error}", path=path) from error
    except MemoryError:
        raise CheckpointError("it does not fit into memory", path=path) from None
    except Exception as error:
        # Errors of TensorFlow's file systems are not OSErrors. zipfile does not document what it
        # raises for damaged files: BadZipFile, EOFError, struct.error, NotImplementedError,
        # RuntimeError and UnicodeDecodeError were observed.
        raise CheckpointError(f"cannot be read: {error!r:.200}", path=path) from error


def _size(files: Files, path: str) -> int:
    with (
        _reading(path),
        open_regular(path) if isinstance(files, LocalFiles) else files.open(path) as stream,
    ):
        stream.seek(0, io.SEEK_END)
        return stream.tell()  # TensorFlow's files return nothing from `seek`.


def _read(files: Files, path: str, limit: int) -> bytes:
    """Returns the content of a file, or `limit` + 1 bytes of a longer one."""
    with _reading(path):
        if isinstance(files, LocalFiles):
            return read_bytes(path, limit)
        with files.open(path) as stream:
            return stream.read(limit + 1)


# --- the index -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Entry:
    """The index entry of one array."""

    role: str
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


_NUMBERS = ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
_NUMBERS += ("float16", "float32", "float64", "complex64", "complex128")
_VARIABLE_TYPES = {name: np.dtype(name) for name in _NUMBERS}
_PROBE_TYPES = {dtype.str: dtype for dtype in _VARIABLE_TYPES.values()}
_TEXT_TYPE = re.compile(r"<U[0-9]{1,9}|\|S[0-9]{1,9}")
_ARRAYS_NAME = re.compile(rf"[0-9a-f]{{16}}/{re.escape(ARRAYS_FILE)}")
_LARGEST_RANK = 32


@dataclasses.dataclass(frozen=True)
class _Index:
    """The validated content of ``checkpoint.json``."""

    checkpoint: Checkpoint
    variables: list[_Entry]
    probe: list[_Entry]
    arrays_file: str
    bytes: int
    sha256: str

    @classmethod
    def read(cls, folder: str, files: Files) -> _Index:
        """Reads and validates the index; `checkpoint` has no arrays yet."""
        path = posixpath.join(folder, INDEX_FILE)
        with _reading(path):
            return cls._of(path, folder, parse_json(_read(files, path, MAX_BYTES), path))

    @classmethod
    def _of(cls, path: str, folder: str, index: Part) -> _Index:
        layout = index.mapping().get("layout")
        # True and 1.0 are equal to 1, but are never written.
        if type(layout) is not int or layout != LAYOUT_VERSION:
            raise CheckpointError(
                f"{layout!r:.60}: was it written by another release?",
                path=path,
                expected=f"layout version {LAYOUT_VERSION}",
            )
        step, generation, optimizer_step = (
            index[key].integer(0, _LARGEST_COUNT)
            for key in ("step", "generation", "optimizer_step")
        )
        not_finite = index.get("not_finite")
        _check_finite(path, [x.text() for x in not_finite.items()] if not_finite else [])
        try:
            inputs = InputSpec.from_dict(index["inputs"].mapping())
        except ValueError as error:
            raise CheckpointError(f"inputs: {error}", path=path) from None
        no_probe = index.get("no_probe")
        probe = index.get("probe")
        files = index["files"].parts()
        # A name from the file must not lead out of the folder.
        if len(files) != 1 or not _ARRAYS_NAME.fullmatch(next(iter(files))):
            raise index["files"].error("one file below the folder", f"{list(files)!r:.100}")
        [(name, expected)] = files.items()
        return cls(
            Checkpoint(
                weights={},
                inputs=inputs,
                architecture=index["architecture"].mapping(),
                optimizer=index["optimizer"].text(),
                created=index["created"].text(),
                library=index["library"].text(),
                no_probe=no_probe.text() if no_probe else "",
                step=step,
                generation=generation,
                optimizer_step=optimizer_step,
            ),
            _entries(index["variables"], _VARIABLE_TYPES),
            _entries(probe, _PROBE_TYPES, ("input", "output")) if probe else [],
            posixpath.join(folder, name),
            expected["bytes"].integer(0, _LARGEST_COUNT),
            expected["sha256"].text(),
        )


def _entries(
    part: Part, types: Mapping[str, np.dtype[Any]], roles: Sequence[str] = ()
) -> list[_Entry]:
    entries = []
    seen: set[tuple[str, str]] = set()
    for item in part.items():
        role = item["role"].one_of(roles) if roles else item["role"].text()
        name = item["name"].text()
        if (role, name) in seen:
            raise item.error("unique names", f"{name!r} twice as {role!r}")
        seen.add((role, name))
        given = item["dtype"].text()
        is_text = roles and _TEXT_TYPE.fullmatch(given)
        dtype = np.dtype(given) if is_text else types.get(given)
        if dtype is None:
            raise item["dtype"].error("a numeric type", repr(given[:60]))
        shape = tuple(size.integer(0, _LARGEST_COUNT) for size in item["shape"].items())
        if len(shape) > _LARGEST_RANK:
            raise item["shape"].error(f"at most {_LARGEST_RANK} dimensions", str(len(shape)))
        entries.append(_Entry(role, name, shape, dtype))
    return entries


# --- the arrays ----------------------------------------------------------------------------------


def _arrays(path: str, content: bytes, entries: Sequence[_Entry]) -> list[npt.NDArray[Any]]:
    """Reads the arrays of an ``.npz`` and checks them against the index.

    numpy would trust their headers, and allocate the claimed size before reading the data.
    """
    needed = sum(entry.bytes for entry in entries)
    if needed > len(content):
        raise CheckpointError(
            f"a file of {len(content)} bytes", path=path, expected=f"{needed} bytes of arrays"
        )
    with _reading(path), zipfile.ZipFile(io.BytesIO(content)) as stored:
        members = {member.filename: member for member in stored.infolist()}
        return [
            _array(path, stored, members.get(f"{number}.npy"), entry)
            for number, entry in enumerate(entries)
        ]


def _array(
    path: str, stored: zipfile.ZipFile, member: zipfile.ZipInfo | None, entry: _Entry
) -> npt.NDArray[Any]:
    def error(found: str) -> CheckpointError:
        expected = f"{entry.name!r:.100} of the shape {list(entry.shape)} and type {entry.dtype}"
        return CheckpointError(found, path=path, expected=expected)

    if member is None:
        raise error("no such array")
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
        raise error("a compressed array, which is never written")
    data = stored.read(member)
    # Magic and version, then the length of a header whose padding depends on the numpy version.
    start = 10 + int.from_bytes(data[8:10], "little")
    header = data[:8] + data[10:start].rstrip()
    fortran = header == _header(entry, True)
    if not fortran and header != _header(entry, False):
        raise error(f"the header {data[10:start].strip()!r:.200}")
    if len(data) - start != entry.bytes:
        raise error(f"{len(data) - start} bytes instead of {entry.bytes}")
    array = np.frombuffer(data, entry.dtype, math.prod(entry.shape), start)
    if entry.dtype.kind == "U" and (array.view(np.uint32) > sys.maxunicode).any():
        raise error("invalid text")
    shaped: npt.NDArray[Any] = array.reshape(entry.shape, order="F" if fortran else "C").copy()
    return shaped


def _header(entry: _Entry, fortran: bool) -> bytes:
    """Returns the header that numpy writes before an array, without padding."""
    buffer = io.BytesIO()
    description = {"descr": entry.dtype.str, "fortran_order": fortran, "shape": entry.shape}
    write_header: Callable[..., None] = np.lib.format.write_array_header_1_0
    write_header(buffer, description)
    written = buffer.getvalue()
    return written[:8] + written[10:].rstrip()
