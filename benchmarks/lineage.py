"""Compares reading the history of a metadata store with a query for each of its nodes.

A store of N runs of the wine pipeline (all components with their events and properties; files of
drift reports, anomalies and evaluations on disk) is made once below the user's cache folder. Ours:
opens and reads the store, and makes `runs` and `history_document`. The peer reads the same facts
for a table of the runs in the obvious way, through MLMD's API: the contexts, then the executions of
each run, the node and the outputs of each execution, the metrics by TFMA. TFMA's import is not
counted, but its reading is.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

import numpy as np

from benchmarks.measure import Measured, measure

FEATURES = 12


def store_of(runs: int) -> pathlib.Path:
    """Makes the store if it does not exist, and returns its folder."""
    from benchmarks.stores import RESOLVER, TfxStore, drift_document, wine_run

    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = pathlib.Path(cache) / "tfx_wine_ext" / "benchmarks" / f"lineage-{runs}"
    if (folder / "complete").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    random = np.random.default_rng(runs)

    def table(shift: float) -> dict[str, list[float]]:
        return {f"f{i}": random.normal(shift * i / 10, 1, 200).tolist() for i in range(FEATURES)}

    # Ten documents, in turns: a comparison takes longer than all else here.
    documents = [drift_document(table(0), table(shift / 10), 2, 1) for shift in range(10)]
    started = time.perf_counter()
    # In memory, where there is such a folder: MLMD waits for the disk at each of its writes.
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as fast:
        store, ids = TfxStore(folder, database=pathlib.Path(fast) / "metadata.db"), {}
        for number in range(1, runs + 1):
            r2 = 0.5 + float(random.normal(0, 0.05))
            ids = wine_run(
                store,
                f"run-{number:06d}",
                number,
                ids,
                document=documents[number % 10],
                metrics={"r2": r2, "mse": 1 - r2, "example_count": 500.0},
            )
            store.component("PreviousSpan", RESOLVER)
            store.component("BaseModel", RESOLVER)
            store.component(
                "SchemaGen",
                "tfx.components.schema_gen.component.SchemaGen",
                inputs={"statistics": [ids["statistics"]]},
                outputs={"schema": ("Schema", {})},
            )
        shutil.move(store.path, folder / "metadata.db")
    print(f"{runs} runs made in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    (folder / "complete").touch()
    return folder


def ours(path: str) -> None:
    """Reads the whole history."""
    from tfx_wine_ext.history import history_document
    from tfx_wine_ext.lineage.runs import runs
    from tfx_wine_ext.lineage.snapshot import Snapshot
    from tfx_wine_ext.lineage.store import open_store

    print("BEGIN", flush=True)
    started = time.perf_counter()
    snapshot = Snapshot.read(open_store(path))
    read = time.perf_counter()
    found = runs(snapshot, "wine")
    told = time.perf_counter()
    document = history_document(found, "wine", "metadata.db")
    ended = time.perf_counter()
    print(f"END {ended - started}", flush=True)
    assert len(document["runs"]) == len(snapshot.runs)
    parts = {"read": read - started, "runs": told - read, "history": ended - told}
    print(json.dumps({name: round(value, 2) for name, value in parts.items()}), file=sys.stderr)


def query_per_node(path: str) -> None:
    """Reads rows, drift, warm start, metrics, blessing and push of each run, node by node."""
    import tensorflow_model_analysis as tfma
    from ml_metadata.metadata_store import metadata_store
    from ml_metadata.proto import metadata_store_pb2 as pb

    print("BEGIN", flush=True)
    started = time.perf_counter()
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = path
    store = metadata_store.MetadataStore(config)
    table = []
    for run in store.get_contexts_by_type("pipeline_run"):
        row = {"run": run.name}
        for execution in store.get_executions_by_context(run.id):
            contexts = store.get_contexts_by_execution(execution.id)
            [node] = [context.name for context in contexts if context.type == "node"]
            events = store.get_events_by_execution_ids([execution.id])
            outputs = [event.artifact_id for event in events if event.type == pb.Event.OUTPUT]
            for artifact in store.get_artifacts_by_id(outputs):
                for name, value in artifact.custom_properties.items():
                    row[f"{node} {name}"] = getattr(value, value.WhichOneof("value"))
                if artifact.type == "ModelEvaluation":
                    result = tfma.load_eval_result(artifact.uri)
                    row["metrics"] = result.get_metrics_for_slice()
        table.append(row)
    print(f"END {time.perf_counter() - started}", flush=True)
    assert all("metrics" in row for row in table)


def statistics_pair(repeats: int = 20) -> float:
    """Returns the milliseconds of comparing the statistics of two runs, of 12 numbers."""
    from benchmarks.stores import write_statistics
    from tfx_wine_ext.lineage.scores import scores_of_statistics

    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("before", "after"):
            table = {f"f{i}": random.normal(0, 1, 1000).tolist() for i in range(FEATURES)}
            write_statistics(f"{folder}/{name}", {"train": table})
        seconds = []
        for _ in range(repeats):
            started = time.perf_counter()
            assert scores_of_statistics(f"{folder}/before", f"{folder}/after")
            seconds.append(time.perf_counter() - started)
    return 1000 * sorted(seconds)[repeats // 2]


def run_all(numbers: list[int], peer_at_most: int) -> None:
    """Prints the table."""
    print("| runs | | seconds | peak memory (MB) | above the imports (MB) |")
    print("|---|---|---|---|---|")
    for number in numbers:
        path = str(store_of(number) / "metadata.db")
        for what in ("ours", "query_per_node"):
            if what == "ours" or number <= peer_at_most:
                command = [sys.executable, "-m", "benchmarks.lineage", "--only", what, path]
                show(number, what.replace("_", " "), measure(command))
    print(f"\nTwo runs compared by their statistics: {statistics_pair():.0f} ms (median)")


def show(runs: int, what: str, measured: Measured) -> None:
    """Prints a row."""
    print(
        f"| {runs:,} | {what} | {measured.seconds:.2f} | {measured.peak:.0f} | "
        f"{measured.above:.0f} |",
        flush=True,
    )


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 1000, 3000])
    parser.add_argument("--peer-at-most", type=int, default=1000, help="largest store of the peer")
    parser.add_argument("--only", nargs=2, metavar=("WHAT", "PATH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        {"ours": ours, "query_per_node": query_per_node}[arguments.only[0]](arguments.only[1])
    else:
        run_all(arguments.runs, arguments.peer_at_most)


if __name__ == "__main__":
    main()
