"""Runs independent tasks on Beam's workers; returns their results and errors on every runner."""

from __future__ import annotations

import contextlib
import functools
import json
import operator
import pickle
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam

import tfx_wine_ext
from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.executors.beam_engine import (
    BeamEngineError,
    check_job_server,
    check_version,
    explained,
    warning_if_idle,
)
from tfx_wine_ext.files.choose import FilesByScheme, absolute

# Subclasses defined in this package are raised as themselves, others as the requested type.
_OUR_PACKAGE = "tfx_wine_ext."


def run_on_workers(
    pipeline: beam.Pipeline,
    work: Callable[[Any], bytes],
    tasks: Sequence[Any],
    folder: str,
    errors: tuple[type[Exception], ...],
) -> Iterator[bytes | None]:
    """Runs each task on a worker, then yields the results, holding one in memory at a time.

    Workers return results as small files, because metrics and return values do not arrive on every
    runner. Errors of the given types are returned the same way, because Beam keeps only their text.
    An error file holds the name of the type and its fields; only types of a closed list are
    raised. The files are written to a folder with a random name, so planted files are never read.

    Args:
        pipeline: An empty pipeline; it is run.
        work: A module-level function, or a partial of one, that computes the result of one task. A
            task may run twice.
        tasks: Picklable, like `work`: Beam sends both to its workers.
        folder: Folder for the results, on a file system that all workers reach. It is emptied
            first; the caller deletes it after consuming the results. A relative path is one of this
            process: workers run in other folders.
        errors: Types that are raised as they were on the worker; this includes subclasses that this
            package defines, with their fields (see `TfxWineExtError.to_json`). Of other errors only
            the text is kept.

    Returns:
        The result of each task, in order; None for a task that the runner lost. All tasks have
        finished when this returns.

    Raises:
        BeamEngineError: The runner or its workers cannot be reached, or lack what they need.
        Exception: One of `errors`, as the worker raised it, or any other, as Beam raises it.
    """
    check_job_server(pipeline)
    files, errors = FilesByScheme(), (*errors, BeamEngineError)
    folder = absolute(folder)
    files.remove_tree(folder)
    unguessable = f"{folder}/{uuid.uuid4().hex}"
    paths = [f"{unguessable}/{number:05d}" for number in range(len(tasks))]
    calls = [
        functools.partial(_do, tfx_wine_ext.__version__, work, errors, path, task)
        for path, task in zip(paths, tasks)
    ]
    try:
        with warning_if_idle(unguessable), pipeline:
            _ = (
                pipeline
                | "Tasks" >> beam.Create([pickle.dumps(call) for call in calls])
                # Both functions are Python's own. A worker that cannot load a function of ours
                # before it has opened its first connection leaves the job running for ever.
                | "Load" >> beam.Map(pickle.loads)
                | "Work" >> beam.Map(operator.methodcaller("__call__"))
            )
    except Exception as error:
        for path in paths:
            if files.exists(f"{path}.error"):
                worker_error = _error_from(_read(f"{path}.error", files), errors)
                if worker_error is not None:
                    raise worker_error from error
        cause = explained(error, pipeline)
        if cause is error:
            raise
        raise cause from error
    # Not by glob: the folder's path may contain brackets.
    return (_read(path, files) if files.exists(path) else None for path in paths)


def _do(
    version: str,
    work: Callable[[Any], bytes],
    errors: tuple[type[Exception], ...],
    path: str,
    task: Any,
) -> None:
    """Runs one task and writes its result or its error."""
    FilesByScheme().create(f"{path}.begun").close()
    try:
        check_version(version)
        result = work(task)
    except errors as error:
        _write(f"{path}.error", _error_bytes(error, errors))
        raise
    _write(path, result)


def _error_bytes(error: Exception, errors: Iterable[type[Exception]]) -> bytes:
    """Serializes an error with its fields, or the requested type with its text."""
    cls = type(error)
    if isinstance(error, TfxWineExtError) and _by_name(errors).get(_name(cls)) is cls:
        with contextlib.suppress(TypeError):  # A field cannot be JSON.
            return json.dumps({"type": _name(cls), "fields": error.to_json()}).encode()
    cls = next(base for base in cls.__mro__ if base in errors)
    return json.dumps({"type": _name(cls), "text": str(error)}).encode()


def _error_from(data: bytes, errors: Iterable[type[Exception]]) -> Exception | None:
    """Reads what `_error_bytes` wrote; None if it is malformed or its type is not allowed."""
    try:
        written = json.loads(data)
        cls = _by_name(errors)[written["type"]]
        if issubclass(cls, TfxWineExtError) and "fields" in written:
            return cls.from_json(written["fields"])
        return cls(written["text"])
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def _by_name(errors: Iterable[type[Exception]]) -> dict[str, type[Exception]]:
    """Returns the closed list: these types, and this package's subclasses of them."""
    allowed, pending = {}, list(errors)
    while pending:
        cls = pending.pop()
        if cls in errors or cls.__module__.startswith(_OUR_PACKAGE):
            allowed[_name(cls)] = cls
        pending += cls.__subclasses__()
    return allowed


def _name(cls: type[Exception]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _write(path: str, data: bytes) -> None:
    """Writes a file atomically; if a task runs twice, the last result remains."""
    files = FilesByScheme()
    attempt = f"{path}.{uuid.uuid4().hex}"
    with files.create(attempt) as stream:
        stream.write(data)
    files.rename(attempt, path)


def _read(path: str, files: FilesByScheme) -> bytes:
    with files.open(path) as stream:
        return stream.read()
