"""Kills Parquet ingestion with SIGKILL at random times, and checks what is left.

A process repeatedly ingests a table into one folder and is killed each time, either after a random
time or just before a random one of its steps (a step creates, moves or deletes something), which
also covers phases too short for the clock. After each kill

1. every existing ``Split-*`` folder must be complete, and equal to that of an undisturbed run;
2. another run must give exactly the files of an undisturbed run, and nothing else.

    python scripts/kill_ingest.py --kills 200

prints the number of kills in each phase, and all failures; the exit status is 1 if there is one.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import functools
import json
import multiprocessing
import os
import pathlib
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfx_wine_ext.columnar.commit import STAGING_FOLDER, clear, commit
from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.columnar.options import IngestOptions, OutputSplit
from tfx_wine_ext.columnar.tables import read_tables, table_of
from tfx_wine_ext.columnar.tasks import plan_shards
from tfx_wine_ext.files.local import LocalFiles
from tfx_wine_ext.sources.footers import find_files

SPLITS = (OutputSplit("train", 2), OutputSplit("eval", 1))
STEPS = ("mkdir", "rename", "replace", "unlink", "rmdir")
# In the order in which a run goes through them.
PHASES = (
    "before anything",
    "while clearing",
    "between clearing and staging",
    "while writing",
    "in commit",
    "after the end",
)
FILES_READ = 2
ROW_GROUPS_PER_FILE = 5
# A move for each split, and the end of the staging folder.
COMMIT_STEPS = len(SPLITS) + 1


def make_input(folder: pathlib.Path, rows: int) -> str:
    """Writes some Parquet files with that many rows in all; returns their pattern."""
    folder.mkdir()
    rows_per_file = rows // FILES_READ
    for part in range(FILES_READ):
        numbers = np.random.default_rng(part)
        columns = {f"x{i}": pa.array(numbers.normal(size=rows_per_file)) for i in range(2)}
        columns["id"] = pa.array(np.arange(rows_per_file))
        pq.write_table(
            pa.table(columns),
            folder / f"{part}.parquet",
            row_group_size=-(-rows_per_file // ROW_GROUPS_PER_FILE),
        )
    return f"{folder}/*"


def run(pattern: str, destination: str) -> None:
    """Clears and ingests, as an executor does."""
    files = LocalFiles()
    options = IngestOptions(num_shards=4, shuffle_seed=1)
    root = pattern.rpartition("/")[0]
    [footers] = read_tables([find_files(pattern, files)], root, options, files)
    tasks = plan_shards(table_of(footers, options, files), SPLITS, options)
    clear(destination, [split.name for split in SPLITS], files)
    results = [write_shard(task, destination, files) for task in tasks]
    commit(destination, tasks, results, files)


@contextlib.contextmanager
def counted_steps(strike_at: int | None = None) -> Iterator[list[str]]:
    """Counts the steps of this process, and kills it before one of them, if asked to."""
    steps: list[str] = []

    def step(name: str, real: Any, *args: Any, **options: Any) -> Any:
        if len(steps) == strike_at:
            os.kill(os.getpid(), signal.SIGKILL)
        steps.append(name)
        return real(*args, **options)

    with contextlib.ExitStack() as stack:
        for name in STEPS:
            counting = functools.partial(step, name, getattr(os, name))
            stack.enter_context(mock.patch.object(os, name, counting))
        yield steps


def victim(started: Connection, pattern: str, destination: str, strike_at: int | None) -> None:
    """The work of the process that is killed."""
    with counted_steps(strike_at):
        started.send(None)
        run(pattern, destination)


def tree(folder: pathlib.Path) -> dict[str, bytes]:
    """Returns every file below a folder, and the folders as well, so that none is left over."""
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b""
        for p in folder.rglob("*")
    }


def splits_in(destination: pathlib.Path) -> dict[str, tuple[int, int]]:
    """Returns the split folders that are there, and what tells each from one of another run."""
    found = {path.name: path.stat() for path in destination.glob("Split-*")}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found.items()}


def phase(before: dict[str, tuple[int, int]], destination: pathlib.Path) -> str:
    """Determines from the leftovers in which phase a run was killed; `before`: the state before."""
    now = splits_in(destination)
    staging = destination / STAGING_FOLDER
    new = [name for name in now if now[name] != before.get(name)]
    if new:
        ended = len(new) == len(SPLITS) and not staging.exists()
        return "after the end" if ended else "in commit"
    if now:
        whole = now == before and not staging.exists()
        return "before anything" if whole else "while clearing"
    if not staging.exists():
        return "between clearing and staging"
    # What is cleared is moved to the staging folder's path; what is written goes into it.
    clearing = any(staging.glob("data_*")) or not any(staging.iterdir())
    return "while clearing" if clearing else "while writing"


def strike(
    kills: int,
    rows: int,
    seed: int,
    folder: pathlib.Path,
    context: multiprocessing.context.ForkServerContext,
) -> tuple[dict[str, int], list[str]]:
    """Kills repeatedly; returns the number of kills in each phase, and the failures."""
    pattern, destination = make_input(folder / "in", rows), folder / "out"
    run(pattern, str(destination))
    peace = tree(destination)
    with counted_steps() as steps:
        started = time.monotonic()
        run(pattern, str(destination))
        seconds = time.monotonic() - started
    counts: collections.Counter[str] = collections.Counter()
    failures = [] if tree(destination) == peace else ["two runs in peace differ"]
    rng = random.Random(seed)
    for number in range(kills):
        before = splits_in(destination)
        by_step = number % 2 == 1
        # Every other one of these is among the few steps of the commit.
        first_step = len(steps) - COMMIT_STEPS if number % 4 == 3 else 0
        step = rng.randrange(first_step, len(steps)) if by_step else None
        moment = rng.uniform(0, 1.1 * seconds)
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=victim, args=(there, pattern, str(destination), step))
        process.start()
        here.recv()
        process.join(moment if step is None else None)
        process.kill()
        process.join()
        counts[phase(before, destination)] += 1
        left = tree(destination)
        when = f"after {moment:.3f} s" if step is None else f"before step {step}"
        name = f"kill {number} ({when})"
        if process.exitcode not in (0, -signal.SIGKILL):
            failures.append(f"{name}: the run failed by itself ({process.exitcode})")
        for split in splits_in(destination):
            if _below(left, split) != _below(peace, split):
                failures.append(f"{name}: left {split} incomplete or changed")
        run(pattern, str(destination))
        if tree(destination) != peace:
            failures.append(f"{name}: the next run's files are not those of a run in peace")
    return {name: counts[name] for name in PHASES}, failures


def _below(files: dict[str, bytes], folder: str) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name.startswith(f"{folder}/")}


def main() -> int:
    """Parses the options, kills, and reports."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # Imports are done once: each process to kill is forked from one that has done nothing else.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tfx_wine_ext.columnar.ingest"])
    with tempfile.TemporaryDirectory() as folder:
        counts, failures = strike(
            options.kills, options.rows, options.seed, pathlib.Path(folder), context
        )
    print(json.dumps({"kills": options.kills, "phases": counts, "failures": failures}, indent=2))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
