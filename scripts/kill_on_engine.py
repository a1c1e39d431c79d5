"""Kills a process of an engine in the middle of a component's work, and looks at what is left.

.venv/bin/python -m scripts.kill_on_engine {spark,flink} [--rows 5000000] [--only CASE ...]

ParquetExampleGen and DriftReport read a table of 5 million rows of 12 columns on workers that are
processes of their own. Some seconds after two tasks have begun, a worker, a task manager, the job
manager or the job server gets SIGKILL. A component must then fail, with nothing published and no
file left, or, where the engine tries again, make what it makes undisturbed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from engines.checks import Check, table
from engines.flink import flink
from engines.installing import CHECKOUT, say
from engines.portable import beam_arguments, result_of, two_components, worker_pool
from engines.servers import end_by_signals
from engines.spark import spark

Processes = Mapping[str, Callable[[], int]]
"""What finds the process id of a part of an engine, by its name."""

STEPS = {"gen": "good", "drift": "drift"}
VICTIMS = {
    "spark": ("worker", "job server"),
    "flink": ("worker", "task manager", "job manager", "job server", "task manager, retried"),
}


@contextlib.contextmanager
def engine(name: str, folder: Path, *, retries: bool) -> Iterator[tuple[str, Processes]]:
    """Runs an engine; yields the address of its job server, and its processes."""
    if name == "spark":
        with spark(folder) as (endpoint, process):
            yield endpoint, {"job server": lambda: process.pid}
        return
    network = {f"taskmanager.memory.network.{limit}": "256m" for limit in ("min", "max")}
    again = {
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": "3",
        "restart-strategy.fixed-delay.delay": "1 s",
    }
    # One task manager to be killed; another one is left where the engine tries again.
    started = flink(
        folder, task_managers=1 + retries, settings=network | (again if retries else {})
    )
    with started as cluster:
        yield (
            cluster.endpoint,
            {
                "job server": lambda: cluster.job_server.pid,
                "job manager": lambda: cluster.job_manager.pid,
                "task manager": lambda: cluster.busy().pid,
            },
        )


def case(
    name: str, step: str, victim: str, folder: Path, expected: Mapping[str, Any]
) -> list[Check]:
    """Runs a step, kills, and returns what came of it."""
    retried = victim.endswith(", retried")
    with contextlib.ExitStack() as stack:
        endpoint, processes = stack.enter_context(engine(name, folder / "engine", retries=retried))
        workers, pool = stack.enter_context(worker_pool(folder / "pool"))
        arguments = beam_arguments(endpoint, workers)
        output = folder / "output"
        process = stack.enter_context(two_components(output, f"--steps={step}", *arguments))
        begun = _until(lambda: len(list(output.rglob("*.begun"))) >= 2, process)
        if begun:
            time.sleep(2)
            part = victim.partition(",")[0]
            pid = _child_of(pool.pid) if part == "worker" else processes[part]()
            os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        [found] = result_of(process, output)["on the engine"].values()
        seconds = time.monotonic() - killed
    title = f"{step}, {victim} killed"
    checks = [Check(f"{title}: two tasks had begun", True, begun)]
    state = "COMPLETE" if retried else "FAILED"
    checks.append(Check(f"{title}: state, after {seconds:.0f} s", state, found["state"]))
    if retried:
        for key in {"rows", "shards", "document"} & expected.keys():
            same = found.get(key) == expected[key]
            checks.append(Check(f"{title}: {key}", "the same", "the same" if same else "other"))
    else:
        checks.append(Check(f"{title}: error", "one", found["error"][:150], bool(found["error"])))
    left = ", ".join(found["left"]) or "nothing"
    return [*checks, Check(f"{title}: left over", "nothing", left)]


def _until(holds: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Waits until something holds; tells whether it did before the process ended."""
    while process.poll() is None:
        if holds():
            return True
        time.sleep(0.1)
    return False


def _child_of(pid: int) -> int:
    """Returns the process id of a child of any thread of a process."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return int(next(child for thread in threads for child in thread.read_text().split()))


def main() -> int:
    """Returns 0 if all checks hold, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("engine", choices=VICTIMS)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--output", type=Path, default=CHECKOUT / "build" / "kill")
    parser.add_argument("--only", nargs="*", default=[], help="such as 'gen worker'")
    options = parser.parse_args()
    end_by_signals()
    output = options.output.absolute() / options.engine
    reference = output / "in-process"
    shutil.rmtree(output, ignore_errors=True)
    say("in one process ...")
    with two_components(reference, "--steps=good,drift", f"--rows={options.rows}") as process:
        expected = result_of(process, reference)["on the engine"]
    say(", ".join(f"{step}: {made['seconds']} s" for step, made in expected.items()))
    checks = [Check("rows", options.rows, expected["good"]["rows"])]
    for name, step in STEPS.items():
        for victim in VICTIMS[options.engine]:
            title = f"{name} {victim}"
            if options.only and title not in options.only:
                continue
            say(f"{title} ...")
            folder = output / title.replace(", ", "-").replace(" ", "-")
            (folder / "output").mkdir(parents=True)
            (folder / "output" / "data").symlink_to(reference / "data")
            if name == "drift":
                shutil.copy(reference / "metadata.db", folder / "output")
            checks += case(options.engine, step, victim, folder, expected[step])
            Console(width=140).print(table(title, checks[-4:]))
    Console(width=140).print(table(f"{options.engine}: killed with SIGKILL", checks))
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
