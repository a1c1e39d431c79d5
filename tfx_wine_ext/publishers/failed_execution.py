"""Marks an execution as failed, with the message of its error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import grpc
from absl import logging
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import execution_result_pb2

from tfx_wine_ext.report.words.failure import failure_message

_SUCCEEDED = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)
_CANCELLED, _UNKNOWN = grpc.StatusCode.CANCELLED.value[0], grpc.StatusCode.UNKNOWN.value[0]


@contextlib.contextmanager
def logged(what: str, *of: object) -> Iterator[None]:
    """Logs an error of the store: what is recorded about work must not make the work fail.

    Args:
        what: What could not be recorded, with places for `of`.
        of: Names the places.
    """
    try:
        yield
    except Exception:
        logging.exception(f"{what} could not be recorded", *of)


def record_failure(
    store: metadata_store.MetadataStore, execution_id: int, error: BaseException
) -> None:
    """Marks an execution as failed, unless it has succeeded; only logs errors of the store."""
    with logged("the failure of execution %d", execution_id):
        [execution] = store.get_executions_by_id([execution_id])
        if execution.last_known_state in _SUCCEEDED:
            return
        execution.last_known_state = metadata_store_pb2.Execution.FAILED
        stopped = isinstance(error, (KeyboardInterrupt, SystemExit))
        result = execution_result_pb2.ExecutionResult(
            code=_CANCELLED if stopped else _UNKNOWN, result_message=failure_message(error)
        )
        execution_lib.set_execution_result(result, execution)
        store.put_executions([execution])
