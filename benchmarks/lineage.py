"""Compares reading the history of a metadata store with a query for each of its nodes.

A store of N runs is made once below the user's cache folder: of the wine pipeline (all components
with their events and properties; files of drift reports, anomalies and evaluations on disk), or of
plain TFX, whose successive runs are compared by the files of StatisticsGen, written by TFDV for 8
floats, 2 integers and 2 strings. Ours: opens and reads the store, and makes `runs` and
`history_document`. The peer reads the same facts for a table of the runs in the obvious way, by
MLMD's API: the contexts, then the executions of each run, the node and the outputs of each
execution, the metrics by TFMA. TFMA's import is not counted, but its reading is.

The commands are whole processes, imports included, from their start to their end.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measure import Measured, measure, tree_megabytes

if TYPE_CHECKING:
    from benchmarks.stores import TfxStore

FEATURES = 12


def store_of(runs: int, kind: str = "wine") -> pathlib.Path:
    """Makes the store if it does not exist, and returns its folder."""
    from benchmarks.stores import TfxStore

    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = (
        pathlib.Path(cache)
        / "tfx_wine_ext"
        / "benchmarks"
        / (f"lineage-{runs}" if kind == "wine" else f"lineage-{kind}-{runs}")
    )
    if (folder / "complete").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.perf_counter()
    # In memory, where there is such a folder: MLMD waits for the disk at each of its writes.
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as fast:
        store = TfxStore(folder, database=pathlib.Path(fast) / "metadata.db")
        {"wine": wine_runs, "plain": plain_runs}[kind](store, runs)
        shutil.move(store.path, folder / "metadata.db")
    print(f"{runs} runs made in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    (folder / "complete").touch()
    return folder


def wine_runs(store: TfxStore, runs: int) -> None:
    """Records runs of the wine pipeline."""
    from benchmarks.stores import RESOLVER, SCHEMA, drift_document, wine_run

    random = np.random.default_rng(runs)

    def table(shift: float) -> dict[str, list[float]]:
        return {f"f{i}": random.normal(shift * i / 10, 1, 200).tolist() for i in range(FEATURES)}

    # Ten documents, in turns: a comparison takes longer than all else here.
    documents = [drift_document(table(0), table(shift / 10), 2, 1) for shift in range(10)]
    ids: dict[str, int] = {}
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
            SCHEMA,
            inputs={"statistics": [ids["statistics"]]},
            outputs={"schema": ("Schema", {})},
        )


def plain_runs(store: TfxStore, runs: int) -> None:
    """Records runs of plain TFX."""
    from benchmarks.stores import plain_run

    random = np.random.default_rng(runs)
    # Ten files, in turns: TFDV takes longer than all else here.
    files = [statistics_file(seed) for seed in range(10)]
    for number in range(1, runs + 1):
        r2 = 0.5 + float(random.normal(0, 0.05))
        metrics = {"r2": r2, "mse": 1 - r2, "example_count": 500.0}
        plain_run(store, f"run-{number:06d}", number, files[number % 10], metrics)


def statistics_file(seed: int, rows: int = 2000) -> bytes:
    """Returns the content of StatisticsGen's file for 8 floats, 2 integers and 2 strings."""
    import pandas as pd
    import tensorflow_data_validation as tfdv

    random = np.random.default_rng(seed)
    columns = {f"f{i}": random.normal(seed * i / 50, 1, rows).astype(np.float32) for i in range(8)}
    columns |= {f"n{i}": random.integers(0, 10 + seed + 100 * i, rows) for i in range(2)}
    columns |= {
        f"s{i}": random.choice([f"value {j}" for j in range(5 + 300 * i)], rows) for i in range(2)
    }
    message = tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns), n_jobs=1)
    return bytes(message.SerializeToString())


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


def run_all(kinds: list[str], numbers: list[int], peer_at_most: int) -> None:
    """Prints the tables of reading all runs."""
    for kind in kinds:
        print(f"\n### Runs of {'the wine pipeline' if kind == 'wine' else 'plain TFX'}\n")
        print("| runs | | seconds | peak memory (MB) | above the imports (MB) |")
        print("|---|---|---|---|---|")
        for number in numbers:
            path = str(store_of(number, kind) / "metadata.db")
            for what in ("ours", "query_per_node"):
                if what == "ours" or number <= peer_at_most:
                    show(number, what.replace("_", " "), measure(_child(what, path)))


def run_commands(runs: int) -> None:
    """Prints the table of commands that show some of the runs."""
    path = str(store_of(runs) / "metadata.db")
    command = [sys.executable, "-m", "tfx_wine_ext.cli"]
    commands = ["show latest", "runs --last 5", "runs", "show 3", "diff 3 -10"]
    commands.append(f"lineage {runs}")  # An artifact: each run has several.
    processes = {each: [*command, *each.split(), "--store", path] for each in commands}
    processes["query per node"] = _child("query_per_node", path)
    print(f"\n### Commands on a store of {runs:,} runs, each a process\n")
    print("| | seconds | of the processor | peak memory (MB) |")
    print("|---|---|---|---|")
    for name, arguments in processes.items():
        seconds, processor, peak = min(
            measure_process(arguments) for _ in range(1 if name == "query per node" else 3)
        )
        print(f"| {name} | {seconds:.2f} | {processor:.2f} | {peak:.0f} |", flush=True)


def measure_process(command: list[str]) -> tuple[float, float, float]:
    """Returns the seconds of a process, those of its processor time, and its peak memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak, ended = 0.0, 0
    while not ended:
        # Not `ru_maxrss`: it counts the memory of this process, from which that one was forked.
        peak = max(peak, tree_megabytes(process.pid))
        time.sleep(0.01)
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)  # It cannot be waited for again.
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    return seconds, used.ru_utime + used.ru_stime, peak


def _child(what: str, path: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.lineage", "--only", what, path]


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
    parser.add_argument(
        "--stores",
        nargs="*",
        choices=["wine", "plain"],
        default=["wine", "plain"],
        help="the kinds of stores of which all runs are read (both)",
    )
    parser.add_argument(
        "--runs",
        type=int,
        nargs="+",
        default=[100, 1000, 3000],
        help="the numbers of their runs (%(default)s)",
    )
    parser.add_argument("--peer-at-most", type=int, default=1000, help="largest store of the peer")
    parser.add_argument(
        "--command-runs",
        type=int,
        default=2000,
        help="runs of the store of the commands; 0 for no commands (%(default)s)",
    )
    parser.add_argument("--only", nargs=2, metavar=("WHAT", "PATH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        {"ours": ours, "query_per_node": query_per_node}[arguments.only[0]](arguments.only[1])
        return
    if arguments.stores:
        run_all(arguments.stores, arguments.runs, arguments.peer_at_most)
    if arguments.command_runs:
        run_commands(arguments.command_runs)


if __name__ == "__main__":
    main()
