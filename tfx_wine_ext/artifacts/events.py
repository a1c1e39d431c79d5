"""Walks over the events of a metadata store."""

from __future__ import annotations

from collections.abc import Iterable

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

_OUTPUT = (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.DECLARED_OUTPUT)
_INPUT = (metadata_store_pb2.Event.INPUT, metadata_store_pb2.Event.DECLARED_INPUT)


def last_output(store: metadata_store.MetadataStore, artifact_ids: Iterable[int]) -> dict[int, int]:
    """Returns the last execution that output each artifact, including from the cache.

    Args:
        store: The metadata store.
        artifact_ids: Ids of artifacts; those without such an execution are not in the result.
    """
    executions: dict[int, int] = {}
    for event in store.get_events_by_artifact_ids(list(artifact_ids)):
        if event.type in _OUTPUT:
            last = executions.get(event.artifact_id, 0)
            executions[event.artifact_id] = max(last, event.execution_id)
    return executions


def nearest_ancestors(
    store: metadata_store.MetadataStore, artifact_id: int, candidates: Iterable[int]
) -> list[int]:
    """Returns the candidates that are an artifact's nearest ancestors.

    Args:
        store: The metadata store.
        artifact_id: Where to start; it is not one of its ancestors.
        candidates: Ids of artifacts.

    Returns:
        Ids, ascending; none if no candidate is an ancestor.
    """
    wanted, level, seen = set(candidates), {artifact_id}, {artifact_id}
    while level:
        makers = {
            event.execution_id
            for event in store.get_events_by_artifact_ids(sorted(level))
            if event.type in _OUTPUT
        }
        if not makers:
            return []
        parents = {
            event.artifact_id
            for event in store.get_events_by_execution_ids(sorted(makers))
            if event.type in _INPUT
        }
        if parents & wanted:
            return sorted(parents & wanted)
        level = parents - seen
        seen |= parents
    return []
