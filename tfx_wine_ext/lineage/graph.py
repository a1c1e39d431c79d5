"""The upstream and downstream lineage of an artifact as a graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from tfx_wine_ext.artifacts.properties import span_date_of, span_of
from tfx_wine_ext.lineage.snapshot import DOWNSTREAM, UPSTREAM, Artifact, Execution, Snapshot

BOTH = "both"
"""The direction of a graph that shows what an artifact was made from and what was made from it."""

_DIRECTIONS = (UPSTREAM, DOWNSTREAM, BOTH)


@dataclasses.dataclass(frozen=True)
class Edge:
    """An edge: an execution read or wrote an artifact.

    Attributes:
        execution: Id of the execution.
        artifact: Id of the artifact.
        key: Name of the input or output.
        written: Whether the artifact was written; else it was read.
    """

    execution: int
    artifact: int
    key: str
    written: bool


@dataclasses.dataclass(frozen=True)
class Subgraph:
    """Artifacts and executions around an artifact.

    Attributes:
        artifact_id: The requested artifact.
        artifacts: Nearest first, beginning with the requested one.
        executions: Nearest first.
        edges: Edges without repetition.
        runs: Names of the runs of the executions, by the id of the execution.
    """

    artifact_id: int
    artifacts: tuple[Artifact, ...]
    executions: tuple[Execution, ...]
    edges: tuple[Edge, ...]
    runs: dict[int, str]


def subgraph(snapshot: Snapshot, artifact_id: int, direction: str = UPSTREAM) -> Subgraph:
    """Returns everything upstream of an artifact, downstream of it, or both.

    Args:
        snapshot: Snapshot of a store.
        artifact_id: Where to start.
        direction: `upstream`: what it was made from; `downstream`: what was made from it; `both`.

    Raises:
        ValueError: The artifact or direction does not exist.

    Example:
        >>> subgraph(Snapshot({}, {}, {}, {}, {}, {}, {}), 1)
        Traceback (most recent call last):
        ...
        ValueError: artifact 1: expected the id of an artifact, found that the store has none
    """
    if direction not in _DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(_DIRECTIONS)}, found {direction!r}")
    if artifact_id not in snapshot.artifacts:
        known = f"1 to {max(snapshot.artifacts)}" if snapshot.artifacts else "none"
        raise ValueError(
            f"artifact {artifact_id}: expected the id of an artifact, found that the store has "
            f"{known}"
        )
    artifacts: dict[int, None] = {artifact_id: None}
    executions: dict[int, None] = {}
    edges: dict[Edge, None] = {}
    for way in (UPSTREAM, DOWNSTREAM) if direction == BOTH else (direction,):
        up = way == UPSTREAM
        for near, far in snapshot.steps(artifact_id, way):
            executions[near.execution] = None
            edges[Edge(near.execution, near.artifact, near.key, up)] = None
            if far is not None:
                artifacts[far.artifact] = None
                edges[Edge(far.execution, far.artifact, far.key, not up)] = None
    chosen = tuple(snapshot.executions[id_] for id_ in executions)
    return Subgraph(
        artifact_id,
        tuple(snapshot.artifacts[id_] for id_ in artifacts),
        chosen,
        tuple(edges),
        {e.id: snapshot.runs[e.run].name for e in chosen if e.run is not None},
    )


def to_dict(graph: Subgraph) -> dict[str, Any]:
    """Returns a graph as a JSON object of nodes and edges; edges follow the flow of data.

    Args:
        graph: From `subgraph`.
    """
    nodes: list[dict[str, Any]] = [
        {"node": _artifact(a.id), "kind": "artifact", "id": a.id, "type": a.type, "uri": a.uri}
        for a in graph.artifacts
    ]
    nodes += [
        {
            "node": _execution(e.id),
            "kind": "execution",
            "id": e.id,
            "type": e.type,
            "component": e.component,
            "state": e.state,
            "run": graph.runs.get(e.id),
        }
        for e in graph.executions
    ]
    edges = [{"from": start, "to": end, "key": key} for start, end, key in _arrows(graph)]
    return {"artifact": graph.artifact_id, "nodes": nodes, "edges": edges}


def to_dot(graph: Subgraph) -> str:
    """Returns a graph in the language of Graphviz.

    Args:
        graph: From `subgraph`.
    """
    lines = ["digraph lineage {", "  rankdir=LR;"]
    for a in graph.artifacts:
        bold = ", penwidth=3" if a.id == graph.artifact_id else ""
        lines.append(f"  {_artifact(a.id)} [shape=ellipse, label={_dot(_label(a))}{bold}];")
    for e in graph.executions:
        lines.append(f"  {_execution(e.id)} [shape=box, label={_dot(_label_of(graph, e))}];")
    for start, end, key in _arrows(graph):
        lines.append(f"  {start} -> {end} [label={_dot([key])}];")
    return "\n".join([*lines, "}"]) + "\n"


def to_mermaid(graph: Subgraph) -> str:
    """Returns a graph in the language of Mermaid, which GitHub and many wikis draw.

    Args:
        graph: From `subgraph`.
    """
    lines = ["flowchart LR"]
    lines += [f"  {_artifact(a.id)}([{_mermaid(_label(a))}])" for a in graph.artifacts]
    lines += [f"  {_execution(e.id)}[{_mermaid(_label_of(graph, e))}]" for e in graph.executions]
    for start, end, key in _arrows(graph):
        lines.append(f"  {start} -->|{_mermaid([key])}| {end}" if key else f"  {start} --> {end}")
    lines.append(f"  style {_artifact(graph.artifact_id)} stroke-width:3px")
    return "\n".join(lines) + "\n"


def _arrows(graph: Subgraph) -> Iterable[tuple[str, str, str]]:
    for edge in graph.edges:
        ends = _execution(edge.execution), _artifact(edge.artifact)
        start, end = ends if edge.written else ends[::-1]
        yield start, end, edge.key


def _artifact(id_: int) -> str:
    return f"artifact_{id_}"


def _execution(id_: int) -> str:
    return f"execution_{id_}"


def _label(artifact: Artifact) -> list[str]:
    span = span_label(artifact)
    return [f"{artifact.type} {artifact.id}", *([] if span is None else [f"span {span}"])]


def span_label(artifact: Artifact) -> str | int | None:
    """Returns the date of the span of Examples, else its number; None if they have no span.

    Args:
        artifact: Any artifact.
    """
    known = artifact.properties if artifact.type == "Examples" else {}
    return span_date_of(known) or span_of(known)


def _label_of(graph: Subgraph, execution: Execution) -> list[str]:
    run = graph.runs.get(execution.id)
    return [execution.component or execution.type, *([run] if run else [])]


def _dot(lines: Iterable[str]) -> str:
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(map(_one_line, escaped)) + '"'


def _mermaid(lines: Iterable[str]) -> str:
    """Quotes a text; Mermaid escapes characters by their numbers like HTML, with # for &#."""
    escaped = (
        "".join(x if x.isalnum() or x in " _-.,:/" else f"#{ord(x)};" for x in _one_line(line))
        for line in lines
    )
    return '"' + "<br/>".join(escaped) + '"'


def _one_line(text: str) -> str:
    return " ".join(text.split())
