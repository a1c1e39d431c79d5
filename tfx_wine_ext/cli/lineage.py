"""``tfx-wine-ext lineage``: what an artifact was made from, and what was made from it."""

from __future__ import annotations

import argparse
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tfx_wine_ext.cli.answer import add_json_option, answering
from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.parser import whole_number
from tfx_wine_ext.cli.store_options import STORE_HELP, add_store_options, read_snapshot
from tfx_wine_ext.cli.terminal import print_line

if TYPE_CHECKING:
    from tfx_wine_ext.files.tolerant import SoftFiles
    from tfx_wine_ext.lineage.graph import Subgraph
    from tfx_wine_ext.lineage.snapshot import Artifact, Execution

DEFAULT_DEPTH = 8
LOOK_SECONDS = 5
"""How long files on servers are looked for: a graph may have thousands of artifacts."""

_EPILOG = f"""
ARTIFACT is the number of an artifact in the store (as 'show' prints it), its
URI or path, the path of a file in it, or the folder that a model was pushed to.

Each line of the tree is an artifact or the execution of a component between two
artifacts; a branch that is already shown is not repeated. --json, --dot and
--mermaid contain the whole graph, regardless of --depth.
{STORE_HELP}
examples:
  tfx-wine-ext lineage 24 --store build/wine/metadata.db
  tfx-wine-ext lineage serving/1795614296 --up --down
  tfx-wine-ext lineage 24 --dot | dot -Tsvg > lineage.svg

exit status: 0 shown, 2 error.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Declares the arguments of the command."""
    parser = commands.add_parser(
        "lineage",
        help="show what an artifact was made from, or what was made from it",
        description="Shows what an artifact was made from, as a tree.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("artifact", metavar="ARTIFACT", help="a number, a path or a URI")
    parser.add_argument(
        "--up", action="store_true", help="show what it was made from (the default)"
    )
    parser.add_argument("--down", action="store_true", help="show what was made from it")
    parser.add_argument(
        "--depth",
        metavar="N",
        type=whole_number(1, "a number of at least 1"),
        default=DEFAULT_DEPTH,
        help="the depth of the tree, counted in components (default: %(default)s)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--dot", action="store_true", help="print the graph for Graphviz")
    form.add_argument("--mermaid", action="store_true", help="print the graph for Mermaid")
    add_json_option(form)
    add_store_options(parser, pipeline=False)


def run(options: argparse.Namespace) -> int:
    """Reads the store and prints the lineage.

    Returns:
        0.

    Raises:
        CommandError: The store cannot be read, or has no such artifact.
    """
    from tfx_wine_ext.cli.run_tables import print_unread
    from tfx_wine_ext.documents import jsonable
    from tfx_wine_ext.lineage import graph
    from tfx_wine_ext.lineage.find import ArtifactNotFoundError, find_artifact
    from tfx_wine_ext.lineage.runs import files_of
    from tfx_wine_ext.lineage.snapshot import DOWNSTREAM, UPSTREAM

    with answering(options.json) as answer:
        snapshot, store = read_snapshot(options)
        files = files_of(snapshot)
        try:
            id_ = find_artifact(snapshot, options.artifact, files).id
        except ArtifactNotFoundError as error:
            raise CommandError(f"ARTIFACT {error} ({store})") from error
        direction = DOWNSTREAM if options.down else UPSTREAM
        if options.up and options.down:
            direction = graph.BOTH
        around = graph.subgraph(snapshot, id_, direction)
        missing = _missing(around.artifacts, files)
        unread = files.take_unread()

        def show() -> None:
            is_graph = options.dot or options.mermaid
            print_unread(unread, beside=is_graph)
            if is_graph:
                text = graph.to_dot(around) if options.dot else graph.to_mermaid(around)
                for line in text.rstrip("\n").split("\n"):
                    print_line(line)
            else:
                if missing:
                    print_line(_note(missing, around))
                for up in (True, False):
                    if direction in (graph.BOTH, UPSTREAM if up else DOWNSTREAM):
                        for line in tree(around, options.depth, up=up):
                            print_line(line)

        document = {**graph.to_dict(around), "missing": missing, "unread": jsonable(unread)}
        answer(document, show)
    return 0


def _missing(artifacts: Iterable[Artifact], files: SoftFiles) -> list[int]:
    """Returns the ids of the artifacts whose files are gone; `files` keeps what nobody knows."""
    from tfx_wine_ext.files.tolerant import is_remote

    missing = []
    ends = math.inf
    for artifact in artifacts:
        if artifact.state == "DELETED":
            continue
        if is_remote(artifact.uri) and time.monotonic() > ends:
            files.note_unasked(artifact.uri, f"there was no time for them within {LOOK_SECONDS} s")
        elif files.is_there(artifact.uri) is False:
            missing.append(artifact.id)
        if is_remote(artifact.uri):  # Not counted is what the first one takes: imports.
            ends = min(ends, time.monotonic() + LOOK_SECONDS)
    return missing


def _note(missing: Sequence[int], graph: Subgraph) -> str:
    some = [artifact.uri for artifact in graph.artifacts if artifact.id in missing[:3]]
    more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
    return (
        f"Note: the files of {len(missing)} of {len(graph.artifacts)} artifacts are not there: "
        f"{', '.join(some)}{more}. What the store knows of them is below."
    )


def tree(graph: Subgraph, depth: int, *, up: bool) -> Iterator[str]:
    """Yields the lines of a tree of a graph: artifacts and executions take turns.

    Args:
        graph: The result of `subgraph`, in the requested direction or in both.
        depth: The number of executions on the longest branch from the artifact.
        up: True shows what the artifact was made from, False what was made from it.
    """
    artifacts = {artifact.id: artifact for artifact in graph.artifacts}
    executions = {execution.id: execution for execution in graph.executions}
    # Going up, an artifact leads to the execution that wrote it, and the execution to its inputs.
    executions_of: dict[int, list[int]] = defaultdict(list)
    artifacts_of: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for edge in graph.edges:
        if edge.written == up:
            executions_of[edge.artifact].append(edge.execution)
        else:
            artifacts_of[edge.execution].append((edge.key, edge.artifact))
    yield f"{_artifact(artifacts[graph.artifact_id])} was {'made' if up else 'read'} by"
    if not executions_of[graph.artifact_id]:
        yield "└── nothing that the store knows of"

    def below(artifact: int, level: int, indent: str) -> list[_Branch]:
        return [_Branch(True, id_, "", level, indent) for id_ in executions_of[artifact]]

    seen = {(False, graph.artifact_id)}
    # The branches that remain to be shown, the last one of each list first. This is no recursion,
    # since chains of warm starts can be longer than Python's recursion limit.
    open_branches = [below(graph.artifact_id, 1, "")[::-1]]
    while open_branches:
        siblings = open_branches[-1]
        if not siblings:
            open_branches.pop()
            continue
        branch = siblings.pop()
        indent = branch.indent + ("│   " if siblings else "    ")
        if branch.is_execution:
            label = _execution(graph, executions[branch.id])
            following = [
                _Branch(False, id_, f"{key}: ", branch.level, indent)
                for key, id_ in artifacts_of[branch.id]
            ]
        else:
            label = branch.key + _artifact(artifacts[branch.id])
            following = below(branch.id, branch.level + 1, indent)
        if following and (branch.is_execution, branch.id) in seen:
            label, following = f"{label} (see above)", []
        elif following and branch.is_execution and branch.level == depth:
            label, following = f"{label} ... (more: --depth)", []
        seen.add((branch.is_execution, branch.id))
        yield f"{branch.indent}{'├── ' if siblings else '└── '}{label}"
        open_branches.append(following[::-1])


class _Branch(NamedTuple):
    """A line of the tree that remains to be shown."""

    is_execution: bool
    id: int
    key: str
    level: int
    indent: str


def _artifact(artifact: Artifact) -> str:
    from tfx_wine_ext.lineage.graph import span_label

    span = span_label(artifact)
    place = "" if span is None else f", span {span}"
    return f"{artifact.type} {artifact.id}{place}, {artifact.uri}"


def _execution(graph: Subgraph, execution: Execution) -> str:
    run = graph.runs.get(execution.id)
    name = execution.component or execution.type
    state = "" if execution.state == "COMPLETE" else f", {execution.state}"
    return f"{name}, execution {execution.id}{f' of run {run}' if run else ''}{state}"
