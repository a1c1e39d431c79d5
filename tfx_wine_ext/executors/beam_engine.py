"""What keeps a Beam runner from its work, said in seconds and in words that lead to a remedy.

Beam waits a minute for a job server that is not there and then raises an error without a text; of
what fails on a cluster it passes on the innermost exception of a stack of Java's and Python's.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import threading
from collections.abc import Iterator

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PortableOptions
from apache_beam.runners.portability.portable_runner import PortableRunner

import tfx_wine_ext
from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.files.choose import FilesByScheme

CONNECT_SECONDS = 5.0
# A busy job server, which has to answer itself, takes longer than its machine, which connects.
ANSWER_SECONDS = 15.0
IDLE_SECONDS = 30.0

_logger = logging.getLogger(__name__)
_HOST_AND_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:/\[\]]+):(?P<port>[0-9]+)")

# Of each known cause: how the text of the runner's error names it, what was expected, what was
# found (with the groups of the pattern), and what to do.
_CAUSES = (
    (
        r"No module named '([\w.]+)'",
        "workers with tfx_wine_ext {version} and all that it needs",
        "workers without the Python package {0}",
        "install tfx_wine_ext in the workers' environment, and see that they start its Python",
    ),
    (
        r"(Insufficient number of network buffers[^.\n]*)",
        "network memory for the job",
        "{0}",
        "raise taskmanager.memory.network.min and .max of Flink's task managers, or lower "
        "--parallelism",
    ),
    (
        r"NoResourceAvailableException|TimeoutException: Timeout has occurred",
        "a free slot for each of --parallelism",
        "too few, for as long as Flink's slot.request.timeout",
        "start task managers, wait for other jobs, or lower --parallelism",
    ),
    (
        r"UNAVAILABLE: io exception(?:[\s\S]*Connection refused: (\S+))?",
        "workers at the address of --environment_config",
        "none that the engine can connect to {0}",
        "start Beam's worker pool there (apache_beam.runners.worker.worker_pool_main)",
    ),
    (
        r"ConnectException: ([^\n]*)",
        "a cluster behind the job server",
        "{0}",
        "start it, and check the address that the job server was given",
    ),
    (
        r"StatusRuntimeException: CANCELLED|RemoteTransportException|TaskManager with id [^\n]*|"
        r"heartbeat of TaskManager",
        "workers that live until their work is done",
        "one that ended or was killed",
        "look at its log, and whether memory ran out, then run again",
    ),
)


class BeamEngineError(TfxWineExtError, RuntimeError):
    """A Beam runner cannot do the work; nothing was published."""


def check_job_server(pipeline: beam.Pipeline) -> None:
    """Connects to the job server of a pipeline, if it has one.

    Raises:
        BeamEngineError: Nothing answers within `CONNECT_SECONDS`, or what answers does not speak
            gRPC within `ANSWER_SECONDS`.
    """
    endpoint = _endpoint(pipeline)
    if endpoint in ("", "embed"):  # None, or Beam's own in this process.
        return
    try:
        # gRPC would try a closed port again and again; only it knows what else an address may be.
        if plain := _HOST_AND_PORT.fullmatch(endpoint):
            host, port = plain["host"].strip("[]"), int(plain["port"])
            socket.create_connection((host, port), CONNECT_SECONDS).close()
        with grpc.insecure_channel(endpoint) as channel:
            grpc.channel_ready_future(channel).result(ANSWER_SECONDS)
    except (OSError, OverflowError, UnicodeError, grpc.FutureTimeoutError) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise BeamEngineError(
            found or f"nothing that speaks gRPC within {ANSWER_SECONDS:g} s",
            "start it, or correct --job_endpoint",
            path=f"--job_endpoint={endpoint}",
            expected="a Beam job server",
        ) from error


def explained(error: Exception, pipeline: beam.Pipeline) -> Exception:
    """Returns an error that names a known cause of a runner's error, else the error itself.

    Args:
        error: As running the pipeline raised it.
        pipeline: The pipeline.
    """
    place = f"--job_endpoint={endpoint}" if (endpoint := _endpoint(pipeline)) else "Beam's runner"
    if isinstance(error, grpc.RpcError) and endpoint:
        return BeamEngineError(
            "a lost connection", "look at its log, then run again", path=place, expected="an answer"
        )
    for pattern, expected, found, remedy in _CAUSES:
        match = re.search(pattern, str(error))
        if match:
            return BeamEngineError(
                found.format(*(group or "" for group in match.groups())).strip(),
                remedy,
                path=place,
                expected=expected.format(version=tfx_wine_ext.__version__),
            )
    return error


def check_version(version: str) -> None:
    """Compares the library of a worker, where this runs, with that of the pipeline.

    Raises:
        BeamEngineError: They differ.
    """
    if version != tfx_wine_ext.__version__:
        raise BeamEngineError(
            tfx_wine_ext.__version__,
            "install that one there",
            path=f"the Beam worker on {socket.gethostname()}",
            expected=f"tfx_wine_ext {version}, as in the pipeline",
        )


@contextlib.contextmanager
def warning_if_idle(folder: str) -> Iterator[None]:
    """Warns, once, if no worker has made a folder within `IDLE_SECONDS`.

    Runners queue jobs, and start workers, for as long as it takes: that is no error, but also what
    a worker looks like that cannot start.

    Args:
        folder: Workers write into it when they begin; it does not exist before.
    """
    done = threading.Event()

    def watch() -> None:
        if not done.wait(IDLE_SECONDS) and not FilesByScheme().is_dir(folder):
            _logger.warning(
                "No Beam worker has begun for %d s: the runner may wait for workers or slots, or "
                "workers may be unable to start. The logs of the runner and of the workers say "
                "which; docs/how-to/engines.md says what to look for.",
                IDLE_SECONDS,
            )

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _endpoint(pipeline: beam.Pipeline) -> str:
    """Returns the address of the job server that a pipeline is sent to, or ""."""
    if not isinstance(pipeline.runner, PortableRunner):
        return ""
    return pipeline.options.view_as(PortableOptions).job_endpoint or ""
