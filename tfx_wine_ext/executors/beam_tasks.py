"""Independent tasks on Beam's workers; results and errors arrive whole on every runner."""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam

from tfx_wine_ext.columnar.wording import Message
from tfx_wine_ext.executors.beam_files import BeamFiles

# Errors of subclasses in here may be raised as such; others as the type that was asked for.
_OUR_PACKAGE = "tfx_wine_ext."


def run_on_workers(
    pipeline: beam.Pipeline,
    work: Callable[[Any], bytes],
    tasks: Sequence[Any],
    folder: str,
    errors: tuple[type[Exception], ...],
) -> Iterator[bytes | None]:
    """Does each task on a worker, and then hands out the results, one in memory at a time.

    Results come back as small files, where metrics and return values do not on every runner. So do
    errors of the given types, of which Beam would leave no more than their text. Both are data: an
    error is the name of its type and its arguments, and only types of a closed list are raised. The
    files lie in a folder that no one knows before, so that nothing that was put there is read.

    Args:
        pipeline: An empty pipeline; it is run.
        work: A module's function, or a partial of one; its result is one task's. A task may be done
            twice.
        tasks: Picklable: Beam sends them to its workers as it sends `work`.
        folder: For the results, on a file system that all workers reach. It is emptied first; the
            caller deletes it when it has taken them.
        errors: Types that are raised as they were on the worker, and so are those of their
            subclasses that this package defines. Their arguments (by `__reduce__`) are text and
            numbers; of others only the text is kept.

    Returns:
        A result for each task, in their order, None for one that the runner lost. All tasks are
        done when this returns.

    Raises:
        Exception: Of `errors`, as the worker raised it; any other as Beam raises it.
    """
    files = BeamFiles()
    files.remove_tree(folder)
    own = f"{folder}/{uuid.uuid4().hex}"
    paths = [f"{own}/{number:05d}" for number in range(len(tasks))]
    try:
        with pipeline:
            _ = (
                pipeline
                | "Tasks" >> beam.Create(list(zip(paths, tasks)))
                | "Work" >> beam.Map(functools.partial(_do, work, errors))
            )
    except Exception as error:
        for path in paths:
            if files.exists(f"{path}.error"):
                found = _error_from(_read(f"{path}.error", files), errors)
                if found is not None:
                    raise found from error
        raise
    # No pattern is matched here: the folder's own path may have brackets in it.
    return (_read(path, files) if files.exists(path) else None for path in paths)


def _do(
    work: Callable[[Any], bytes],
    errors: tuple[type[Exception], ...],
    numbered: tuple[str, Any],
) -> None:
    """Does one task and leaves its result, or its error."""
    path, task = numbered
    try:
        result = work(task)
    except errors as error:
        _leave(f"{path}.error", _error_bytes(error, errors))
        raise
    _leave(path, result)


def _error_bytes(error: Exception, errors: Iterable[type[Exception]]) -> bytes:
    """Writes an error as the name of its type, or of the one that was asked for, and arguments."""
    known = _by_name(errors)
    cls, arguments = type(error), error.__reduce__()[1]
    if isinstance(arguments, tuple):
        # The front is a component here, and so its spelling of arguments is the right one.
        arguments = tuple(str(a) if isinstance(a, Message) else a for a in arguments)
    if known.get(_name(cls)) is not cls or not _are_plain(arguments):
        cls = next(each for each in cls.__mro__ if each in errors)
        arguments = (str(error),)
    return json.dumps({"type": _name(cls), "arguments": arguments}).encode()


def _error_from(data: bytes, errors: Iterable[type[Exception]]) -> Exception | None:
    """Reads what `_error_bytes` wrote; None if it is no such thing, or of another type."""
    try:
        found = json.loads(data)
        return _by_name(errors)[found["type"]](*found["arguments"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def _by_name(errors: Iterable[type[Exception]]) -> dict[str, type[Exception]]:
    """The closed list: these types, and this package's subclasses of them."""
    found, left = {}, list(errors)
    while left:
        cls = left.pop()
        if cls in errors or cls.__module__.startswith(_OUR_PACKAGE):
            found[_name(cls)] = cls
        left += cls.__subclasses__()
    return found


def _name(cls: type[Exception]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _are_plain(arguments: Any) -> bool:
    return isinstance(arguments, tuple) and all(
        each is None or isinstance(each, (str, int, float)) for each in arguments
    )


def _leave(path: str, data: bytes) -> None:
    """Writes a file whole or not at all; where a task is done twice, the last one stands."""
    files = BeamFiles()
    attempt = f"{path}.{uuid.uuid4().hex}"
    with files.create(attempt) as stream:
        stream.write(data)
    files.rename(attempt, path)


def _read(path: str, files: BeamFiles) -> bytes:
    with files.open(path) as stream:
        return stream.read()
