"""Independent tasks on Beam's workers; results and errors arrive whole on every runner."""

from __future__ import annotations

import functools
import pickle
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apache_beam as beam

from tfx_wine_ext.executors.beam_files import BeamFiles


def run_on_workers(
    pipeline: beam.Pipeline,
    work: Callable[[Any], bytes],
    tasks: Sequence[Any],
    folder: str,
    errors: tuple[type[Exception], ...],
) -> Iterator[bytes | None]:
    """Does each task on a worker, and then hands out the results, one in memory at a time.

    Results come back as small files, where metrics and return values do not on every runner. So do
    errors of the given types, of which Beam would leave no more than their text.

    Args:
        pipeline: An empty pipeline; it is run.
        work: A module's function, or a partial of one; its result is one task's. A task may be done
            twice.
        tasks: Picklable.
        folder: For the results, on a file system that all workers reach; the caller deletes it when
            it has taken them.
        errors: Types that are raised as they were on the worker.

    Returns:
        A result for each task, in their order, None for one that the runner lost. All tasks are
        done when this returns.

    Raises:
        Exception: Of `errors`, as the worker raised it; any other as Beam raises it.
    """
    files = BeamFiles()
    paths = [f"{folder}/{number:05d}" for number in range(len(tasks))]
    numbered = [(path, pickle.dumps(task)) for path, task in zip(paths, tasks)]
    try:
        with pipeline:
            _ = (
                pipeline
                | "Tasks" >> beam.Create(numbered)
                | "Work" >> beam.Map(functools.partial(_do, work, errors))
            )
    except Exception as error:
        for path in paths:
            if files.exists(f"{path}.error"):
                raise pickle.loads(_read(f"{path}.error", files)) from error
        raise
    # No pattern is matched here: the folder's own path may have brackets in it.
    return (_read(path, files) if files.exists(path) else None for path in paths)


def _do(
    work: Callable[[Any], bytes],
    errors: tuple[type[Exception], ...],
    numbered: tuple[str, bytes],
) -> None:
    """Does one task and leaves its result, or its error."""
    path, task = numbered
    try:
        result = work(pickle.loads(task))
    except errors as error:
        _leave(f"{path}.error", pickle.dumps(error))
        raise
    _leave(path, result)


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
