"""Airflow 2.10: the pipeline as a DAG, a gate that stops it, a task that is killed and cleared."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from engines import installing
from engines.checks import Check, EngineError
from engines.servers import server
from engines.wine import Result, compare, read
from examples.wine_quality.data import cut, load, write_spans
from tfx_wine_ext.lineage.runs import Run, runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store

PACKAGES = Path(__file__).with_name("airflow-2.10.txt")
DAG_FILE = installing.CHECKOUT / "examples" / "wine_quality" / "airflow_dag.py"
DAG, TASK, KILLED = "wine_quality", "ParquetExampleGen", "killed"
# So many white wines that there is time to kill ParquetExampleGen while it reads them.
COPIES = 300
IMPORT_SECONDS = 120
WAIT_SECONDS = 180.0


def run(folder: Path, in_process: Result) -> Iterator[Check]:
    """Runs the DAG on both spans, then on red wines behind a gate, then with a task that dies."""
    if sys.version_info >= (3, 13):
        raise EngineError("Airflow 2.10, the last with which TFX works, needs Python 3.12 or older")
    lines = PACKAGES.read_text().splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    airflow = Airflow(installing.layer("airflow/venv", packages), folder)
    asked = f"DAGBAG_IMPORT_TIMEOUT={IMPORT_SECONDS}"
    said = airflow.said_with_short_timeout()
    yield Check("import timeout of 30 s", f"... set ...{asked}", said, holds=asked in said)
    white, red = load().table, load(kind="red").table
    output = folder / "wine"
    write_spans([*cut(white, 2), red], output / "data")
    settings = {"output": str(output), "warm_start": True}
    started = time.monotonic()
    for span in (1, 2):
        airflow.test({**settings, "span": span})
    store = output / "metadata.db"
    yield from compare(in_process, read(str(store), time.monotonic() - started))
    with contextlib.suppress(EngineError):  # The gate stops the run, and Airflow's command fails.
        airflow.test({**settings, "span": 3, "drift_mode": "fail"})
    stopped = _runs(store)[-1]
    yield Check("red wines: state", "FAILED", stopped.state)
    yield Check("red wines: drift", "DRIFT", stopped.drift and stopped.drift.verdict)
    yield Check("red wines: model", None, stopped.model)
    yield from _killed(airflow, folder / KILLED, white)


class Airflow:
    """An Airflow of its own, with an SQLite database and the DAG."""

    def __init__(self, python: Path, folder: Path) -> None:
        """Makes home and database.

        Args:
            python: Of the environment that has Airflow.
            folder: Where the home shall be, and the log of the commands.
        """
        self._bin, self._home, self.log = python.parent, folder / "airflow", folder / "airflow.log"
        (self._home / "dags").mkdir(parents=True)
        (self._home / "dags" / DAG_FILE.name).symlink_to(DAG_FILE)
        self.run({}, "db", "migrate")

    @property
    def command(self) -> str:
        """The command ``airflow``."""
        return str(self._bin / "airflow")

    def environment(self, settings: Mapping[str, object]) -> dict[str, str]:
        """Returns the environment of a command, with the settings of the DAG."""
        own = {
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": str(IMPORT_SECONDS),
            "AIRFLOW__CORE__DAG_FILE_PROCESSOR_TIMEOUT": str(IMPORT_SECONDS),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW_VAR_WINE_QUALITY": json.dumps(settings),
        }
        return {
            **os.environ,
            **own,
            # The scheduler starts tasks by the command, and the DAG imports the examples.
            "PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(installing.CHECKOUT),
        }

    def said_with_short_timeout(self) -> str:
        """Returns the error of the DAG file where Airflow gives it 30 s to be imported."""
        short = {"AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "30"}
        done = subprocess.run(
            [self._bin / "python", DAG_FILE],
            env={**self.environment({}), **short},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return done.stderr.strip().rpartition("\n")[2]

    def run(self, settings: Mapping[str, object], *arguments: str) -> None:
        """Runs a command of Airflow to its end.

        Raises:
            EngineError: It failed.
        """
        environment = self.environment(settings)
        installing.run([self.command, *arguments], self.log, env=environment)

    def test(self, settings: Mapping[str, object]) -> None:
        """Runs the DAG once, in one process. The metadata store says how it ended."""
        self.run({**settings, "enable_cache": False}, "dags", "test", DAG)

    def knows_dag(self) -> bool:
        """Tells whether the scheduler has read the DAG file."""
        return bool(self._ask("SELECT 1 FROM dag WHERE dag_id = ?", DAG))

    def state(self) -> str | None:
        """Returns the state of the task that is killed."""
        rows = self._ask(
            "SELECT state FROM task_instance WHERE run_id = ? AND task_id = ?", KILLED, TASK
        )
        return rows[0][0] if rows else None

    def _ask(self, statement: str, *values: str) -> list[tuple[str, ...]]:
        with contextlib.closing(sqlite3.connect(self._home / "airflow.db", timeout=60)) as database:
            return database.execute(statement, values).fetchall()


def _killed(airflow: Airflow, folder: Path, white: pa.Table) -> Iterator[Check]:
    """Has the scheduler run a task that is killed at work, and again when it was cleared."""
    write_spans([pa.concat_tables([white] * COPIES)], folder / "data")
    settings = {"output": str(folder)}
    store = folder / "metadata.db"
    environment = airflow.environment(settings)
    command = [airflow.command, "scheduler"]
    log = folder / "scheduler.log"
    with server(command, log, airflow.knows_dag, seconds=WAIT_SECONDS, env=environment):
        # The task of this run only is cleared, and not that of the earlier ones.
        since = datetime.datetime.now(datetime.timezone.utc).isoformat()
        airflow.run(settings, "dags", "trigger", "--run-id", KILLED, DAG)
        _await(f"{TASK} at work", lambda: _process_at_work(store) is not None)
        os.kill(_process_at_work(store) or 0, signal.SIGKILL)
        _await(f"Airflow to see that {TASK} failed", lambda: airflow.state() == "failed")
        only = ("--task-regex", f"^{TASK}$", "--start-date", since)
        airflow.run(settings, "tasks", "clear", "--yes", *only, DAG)
        _await(f"the second try of {TASK}", lambda: airflow.state() in ("success", "failed"))
    killed = _runs(store)
    tries = [each for run in killed for each in run.components if each.id == TASK]
    yield Check("killed task: runs", 1, len(killed))
    yield Check("killed task: tries", "FAILED, COMPLETE", ", ".join(each.state for each in tries))
    error = (tries[0].error if tries else None) or ""
    yield Check("killed task: error", "TryLostError", error.partition(":")[0])
    examples = killed[-1].examples
    rows = sum(examples.rows.values()) if examples and examples.rows else None
    yield Check("killed task: rows", white.num_rows * COPIES, rows)
    artifacts = Snapshot.read(open_store(str(store))).artifacts.values()
    published = [each.uri for each in artifacts if (each.type, each.state) == ("Examples", "LIVE")]
    yield Check("killed task: published", 1, len(published))


def _runs(store: Path) -> list[Run]:
    return runs(Snapshot.read(open_store(str(store))))


def _process_at_work(store: Path) -> int | None:
    """Returns the process of the killed task when its driver is done and its executor at work."""
    if not store.exists():
        return None
    snapshot = Snapshot.read(open_store(str(store)))
    for execution in snapshot.executions.values():
        if execution.component == TASK and snapshot.outputs.get(execution.id):
            return snapshot.runs[execution.run or 0].processes[TASK].pid
    return None


def _await(what: str, happened: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not happened():
        if time.monotonic() > until:
            raise EngineError(f"waited {WAIT_SECONDS:.0f} s in vain for {what}")
        time.sleep(0.2)
