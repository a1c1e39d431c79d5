"""Flink, a cluster of a job manager and a task manager, by Beam's job server.

Not by the embedded one, which Beam's job server can be: there is nothing of it to kill.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.checks import Check
from engines.installing import maven
from engines.portable import BEAM, compare_components, java_command, job_server
from engines.servers import HOST, free_port, server
from engines.wine import Result, compare, two_spans

FLINK = "1.19.3"
SLOTS = 2
# TFX's Evaluator needs this much; the other components a fraction of it.
NETWORK_MEMORY = "2g"

# Flink's client takes the class loader of its own classes for that of the job.
_SENT = (
    *("beam-runners-flink-", "flink-clients-", "flink-java-", "flink-optimizer-"),
    "flink-streaming-java-",
)


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes:
        endpoint: Address of Beam's job server.
        job_server: Its process.
        job_manager: The process that plans jobs.
        task_managers: The processes that run their tasks, by the port for their data.
        rest: Port of Flink's REST interface.
    """

    endpoint: str
    job_server: subprocess.Popen[bytes]
    job_manager: subprocess.Popen[bytes]
    task_managers: Mapping[int, subprocess.Popen[bytes]]
    rest: int

    def busy(self) -> subprocess.Popen[bytes]:
        """Returns a task manager that runs tasks."""
        managers = _answer(self.rest, "taskmanagers")["taskmanagers"]
        [busiest, *_] = sorted(managers, key=lambda manager: int(manager["freeSlots"]))
        return self.task_managers[busiest["dataPort"]]


def _answer(port: int, question: str) -> Any:
    with urllib.request.urlopen(f"http://{HOST}:{port}/{question}", timeout=5) as answer:
        return json.load(answer)


@contextlib.contextmanager
def flink(
    folder: Path, *, task_managers: int = 1, settings: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """Runs a Flink cluster and Beam's job server for it, on free ports.

    Args:
        folder: For logs, configuration and temporary files.
        task_managers: How many, of `SLOTS` slots each.
        settings: Flink's settings that are to be others than here.
    """
    # Beam was built against 1.19.0, and Maven would mix releases.
    parts = ("annotations", "clients", "core", "java", "metrics-core", "runtime", "streaming-java")
    jars = maven(
        "flink/jars",
        [
            *(f"org.apache.flink:flink-{part}:{FLINK}" for part in parts),
            f"org.apache.beam:beam-runners-flink-1.19:{BEAM}",
            "org.slf4j:slf4j-simple:1.7.30",
        ],
    )
    rest = free_port()
    configured = {
        "jobmanager.rpc.address": HOST,
        "jobmanager.rpc.port": free_port(),
        "jobmanager.bind-host": HOST,
        "jobmanager.memory.process.size": "1g",
        "taskmanager.host": HOST,
        "taskmanager.bind-host": HOST,
        "taskmanager.numberOfTaskSlots": SLOTS,
        "taskmanager.cpu.cores": 2,
        "taskmanager.memory.network.min": NETWORK_MEMORY,
        "taskmanager.memory.network.max": NETWORK_MEMORY,
        "taskmanager.memory.managed.size": "256m",
        "taskmanager.memory.task.heap.size": "768m",
        "taskmanager.memory.task.off-heap.size": "128m",
        # Flink's scripts work these out; who starts its classes says them all.
        "taskmanager.memory.framework.heap.size": "128m",
        "taskmanager.memory.framework.off-heap.size": "128m",
        "taskmanager.memory.jvm-metaspace.size": "256m",
        "taskmanager.memory.jvm-overhead.min": "192m",
        "taskmanager.memory.jvm-overhead.max": "192m",
        "rest.address": HOST,
        "rest.bind-address": HOST,
        "rest.port": rest,
        # What Beam sends is here already, and of each class there must be one.
        "classloader.resolve-order": "parent-first",
        # By default a job waits 5 minutes for slots, and a client tries for a minute.
        "slot.request.timeout": 20_000,
        "rest.retry.max-attempts": 5,
        "io.tmp.dirs": folder / "tmp",
        "process.working-dir": folder / "tmp",
        **(settings or {}),
    }
    configuration = folder / "conf"
    configuration.mkdir(parents=True)
    (folder / "tmp").mkdir()
    lines = "".join(f"{key}: {value}\n" for key, value in configured.items())
    (configuration / "config.yaml").write_text(lines)

    def command(main: str, memory: str, *options: str) -> list[str]:
        # Network memory is direct memory, of which Java allows as much as of the heap.
        java_options = (memory, "-XX:MaxDirectMemorySize=3g", f"-Djava.io.tmpdir={folder / 'tmp'}")
        return [*java_command(jars, main, *java_options), *options]

    def slots() -> int:
        with contextlib.suppress(OSError, ValueError):
            return int(_answer(rest, "overview")["slots-total"])
        return -1

    package, config = "org.apache.flink.runtime", ("--configDir", str(configuration))
    manager = command(
        f"{package}.entrypoint.StandaloneSessionClusterEntrypoint", "-Xmx640m", *config
    )
    worker = command(f"{package}.taskexecutor.TaskManagerRunner", "-Xmx1g", *config)
    beam = java_command(
        jars, "org.apache.beam.runners.flink.FlinkJobServerDriver", "-Xmx768m", sent=_SENT
    )
    beam += [f"--flink-master={HOST}:{rest}", f"--flink-conf-dir={configuration}"]
    with contextlib.ExitStack() as stack:
        job_manager = stack.enter_context(
            server(manager, folder / "job-manager.log", lambda: slots() >= 0)
        )
        started = {}
        for number in range(1, task_managers + 1):
            port = free_port()
            started[port] = stack.enter_context(
                server(
                    [*worker, "-D", f"taskmanager.data.port={port}"],
                    folder / f"task-manager-{number}.log",
                    lambda wanted=SLOTS * number: slots() >= wanted,  # type: ignore[misc]
                )
            )
        endpoint, beam_process = stack.enter_context(job_server(beam, folder))
        yield Cluster(endpoint, beam_process, job_manager, started, rest)


def run(folder: Path, in_process: Result) -> Iterator[Check]:
    """Yields what the wine pipeline, and our components with several tasks, give on Flink."""
    with flink(folder / "cluster") as cluster:
        endpoint = f"--beam-arg=--job_endpoint={cluster.endpoint}"
        yield from compare(in_process, two_spans(folder / "wine", "--runner=flink", endpoint))
        yield from compare_components(folder, cluster.endpoint)
