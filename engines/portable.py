"""What Spark and Flink share: Java, Beam's job server and workers, and the checks of both."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engines.checks import Check, EngineError
from engines.installing import CHECKOUT, environment_above, java
from engines.servers import HOST, free_port, listens, server, tail

BEAM = importlib.metadata.version("apache-beam")
# Java 17 opens none of its packages, and both engines reflect on them.
_OPENED = (
    *("java.io", "java.lang", "java.lang.invoke", "java.lang.reflect", "java.net", "java.nio"),
    *("java.text", "java.time", "java.util", "java.util.concurrent"),
    *("java.util.concurrent.atomic", "java.util.concurrent.locks"),
    *("sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar"),
)


def java_command(jars: Path, main: str, *options: str, sent: tuple[str, ...] = ()) -> list[str]:
    """Returns a command that runs a class of a folder of jars.

    Args:
        jars: The folder.
        main: The class.
        options: For Java, such as ``-Xmx2g``.
        sent: How the names of the jars begin that Beam sends to the cluster with every job; by
            default all of them. The others are appended to Java's own classes, where Beam does not
            look: a cluster that has them needs no 150 MB with every job.
    """
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
    if not sent:
        return [java(), *opened, *options, "-cp", f"{jars}/*", main]
    paths = sorted(map(str, jars.glob("*.jar")))
    own = [path for path in paths if Path(path).name.startswith(sent)]
    others = ":".join(path for path in paths if path not in own)
    path = [f"-Xbootclasspath/a:{others}", "-cp", ":".join(own)]
    return [java(), *opened, *options, *path, main]


@contextlib.contextmanager
def job_server(
    command: Sequence[str], folder: Path
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Runs one of Beam's job servers; yields its address and its process.

    It listens on all addresses of the machine, whatever ``--job-host`` says, on free ports.

    Args:
        command: The command, without the options for its ports and folders.
        folder: For its log and what is sent to it.
    """
    log = folder / "job-server.log"
    options = [f"--job-host={HOST}", "--job-port=0", "--artifact-port=0", "--expansion-port=0"]
    options.append(f"--artifacts-dir={folder / 'staged'}")

    def address() -> str:
        found = re.search(rb"JobService started on \S+:(\d+)", log.read_bytes())
        return f"{HOST}:{found[1].decode()}" if found else ""

    with server([*command, *options], log, lambda: bool(address()), cwd=folder) as process:
        yield address(), process


@contextlib.contextmanager
def worker_pool(
    folder: Path, *, bare: bool = False
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Runs Beam's worker pool in a folder of its own; yields its address and its process.

    Args:
        folder: The folder; it is created.
        bare: Workers lack this library, and have all other packages of this environment.
    """
    folder.mkdir(parents=True)
    python = Path(sys.executable)
    if bare:
        python = environment_above(folder / "venv", with_checkout=False)
    port = free_port()
    module = "apache_beam.runners.worker.worker_pool_main"
    command = [str(python), "-m", module, f"--service_port={port}"]
    # The pool starts the first `python` of PATH.
    env = {
        **os.environ,
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "PYTHONPATH": "" if bare else str(CHECKOUT),
    }
    started = server(command, folder / "log", lambda: listens(port), cwd=folder, env=env)
    with started as process:
        yield f"{HOST}:{port}", process


def beam_arguments(endpoint: str, workers: str) -> list[str]:
    """Returns the arguments for a job server, and workers of a pool.

    Args:
        endpoint: Address of the job server.
        workers: Address of the pool.
    """
    return [
        "--runner=PortableRunner",
        f"--job_endpoint={endpoint}",
        "--environment_type=EXTERNAL",
        f"--environment_config={workers}",
        "--parallelism=2",
    ]


@contextlib.contextmanager
def two_components(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `engines.two_components` in the background; stops it at the end of the block.

    Args:
        folder: Its output.
        arguments: Further arguments.
    """
    folder.mkdir(parents=True, exist_ok=True)
    module = "engines.two_components"
    command = [sys.executable, "-m", module, "--output", str(folder), *arguments]
    (folder / "result.json").unlink(missing_ok=True)
    with server(command, folder / "printed", lambda: True, cwd=CHECKOUT) as process:
        yield process


def result_of(process: subprocess.Popen[bytes], folder: Path, seconds: float = 600) -> Any:
    """Waits for `two_components`, and returns what it wrote.

    Raises:
        EngineError: It did not end in time, or failed.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    try:
        return json.loads((folder / "result.json").read_text())
    except FileNotFoundError:
        happened = f"ended with status {process.returncode}"
        if process.returncode is None:
            happened = f"still runs after {seconds:.0f} s"
        raise EngineError(f"two_components {happened}:\n{tail(folder / 'printed')}") from None


def compare_components(folder: Path, endpoint: str) -> Iterator[Check]:
    """Runs ParquetExampleGen and DriftReport with several tasks each, on workers of a pool.

    The workers are processes that run in another folder.

    Args:
        folder: For what they make.
        endpoint: Address of the job server.
    """
    output = folder / "components"
    with worker_pool(folder / "pool") as (workers, _):
        beam = beam_arguments(endpoint, workers)
        with two_components(output, "--compare", *beam) as process:
            result = result_of(process, output)
    for step, expected in result["in process"].items():
        found = result["on the engine"][step]
        name = f"workers elsewhere, {step}: "
        yield Check(f"{name}state", expected["state"], found["state"])
        for key in ("rows", "error"):
            if expected.get(key):
                yield Check(f"{name}{key}", expected[key], found[key])
        for key in ("shards", "document"):
            if key in expected:
                same = bool(expected[key]) and expected[key] == found.get(key)
                yield Check(f"{name}{key}", "the same", "the same" if same else "other", same)
        yield Check(f"{name}left over", "nothing", ", ".join(found["left"]) or "nothing")
