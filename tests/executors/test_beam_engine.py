"""What users read when an engine cannot work; the workers here are processes of their own."""

from __future__ import annotations

import functools
import logging
import operator
import pathlib
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import apache_beam as beam
import grpc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

import tfx_wine_ext
from engines.portable import beam_arguments, worker_pool
from tests.columnar.shards import plan, wines, write
from tfx_wine_ext.columnar.tasks import ShardResult
from tfx_wine_ext.drift.config import DriftConfig
from tfx_wine_ext.drift.read import Reading
from tfx_wine_ext.executors import beam_engine
from tfx_wine_ext.executors.beam_engine import (
    BeamEngineError,
    check_job_server,
    explained,
    warning_if_idle,
)
from tfx_wine_ext.executors.beam_tasks import run_on_workers
from tfx_wine_ext.executors.drift_tasks import FileTask, read_file
from tfx_wine_ext.executors.on_workers import write_shard_task

pytestmark = pytest.mark.e2e

NOWHERE = "127.0.0.1:1"


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """The address of workers that run in another folder, with this library."""
    with worker_pool(tmp_path_factory.mktemp("workers") / "elsewhere") as (address, _):
        yield address


@pytest.fixture(scope="module")
def bare_workers(tmp_path_factory):
    """The address of workers that have all packages but this library."""
    with worker_pool(tmp_path_factory.mktemp("bare") / "pool", bare=True) as (address, _):
        yield address


def on(workers, job_endpoint="embed"):
    """Returns a pipeline for Beam's job server in this process and workers of a pool."""
    return beam.Pipeline(options=PipelineOptions(beam_arguments(job_endpoint, workers)))


def run(tasks, folder, workers, **options):
    """Calls each task on a worker, and returns the results."""
    call = operator.methodcaller("__call__")
    return list(run_on_workers(on(workers, **options), call, tasks, str(folder), (ValueError,)))


LOADED = "str([name for name in ('tfx', 'tensorflow') if name in __import__('sys').modules])"


def test_workers_in_another_folder_do_the_tasks_without_tfx_and_tensorflow(
    tmp_path, workers, monkeypatch
):
    (tmp_path / "run [1]").mkdir()
    monkeypatch.chdir(tmp_path / "run [1]")
    (task,) = plan(write(f"{tmp_path}/in/wines.parquet", wines(20)))
    tasks = [
        functools.partial(write_shard_task, f"{tmp_path}/out", "", task),
        functools.partial(
            read_file,
            DriftConfig(),
            "",
            FileTask(0, f"{tmp_path}/in/wines.parquet", "FORMAT_PARQUET"),
        ),
        functools.partial(eval, f"{LOADED}.encode()"),
    ]
    written, read, loaded = run(tasks, "results", workers)
    assert ShardResult.from_json(written).rows_read == 20
    reading = Reading(DriftConfig())
    reading.merge(read)
    assert reading.side().rows == 20
    assert loaded == b"[]"
    assert pathlib.Path("results").is_dir()  # The relative path is one of this process.


def test_workers_without_the_library_are_an_error_within_seconds(tmp_path, bare_workers):
    started = time.monotonic()
    match = (
        r"expected workers with tfx_wine_ext .* found workers without the Python package "
        r"tfx_wine_ext; install tfx_wine_ext in the workers' environment"
    )
    with pytest.raises(BeamEngineError, match=match):
        run([functools.partial(write_shard_task, "out", "", None)], tmp_path, bare_workers)
    assert time.monotonic() - started < 30


def test_workers_with_another_version_are_an_error(tmp_path, workers, monkeypatch):
    here = tfx_wine_ext.__version__
    monkeypatch.setattr(tfx_wine_ext, "__version__", "0.0.9")
    match = rf"expected tfx_wine_ext 0\.0\.9, as in the pipeline, found {here}; install that one"
    with pytest.raises(BeamEngineError, match=match):
        run([bytes], tmp_path, workers)


@pytest.mark.parametrize(
    ("endpoint", "match"),
    [
        ("127.0.0.1:1", r"^--job_endpoint=127\.0\.0\.1:1: expected a Beam job server, found Conn"),
        ("no.such.host.invalid:8099", "no.such.host.invalid:8099: expected a Beam job server"),
        ("127.0.0.1:99999", "127.0.0.1:99999: expected a Beam job server"),
        ("a..b:8099", r"a\.\.b:8099: expected a Beam job server"),
    ],
)
def test_a_job_server_that_is_not_there_is_an_error_within_seconds(tmp_path, endpoint, match):
    started = time.monotonic()
    with pytest.raises(BeamEngineError, match=match):
        run([bytes], tmp_path / "results", NOWHERE, job_endpoint=endpoint)
    assert time.monotonic() - started < beam_engine.CONNECT_SECONDS + 5
    assert list(tmp_path.iterdir()) == []


def test_another_server_at_the_address_is_an_error_within_seconds(monkeypatch):
    monkeypatch.setattr(beam_engine, "ANSWER_SECONDS", 0.5)
    handler = type("Quiet", (BaseHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        endpoint = f"127.0.0.1:{web.server_port}"
        match = f"^--job_endpoint={endpoint}: expected a Beam job server, found nothing that speaks"
        with pytest.raises(BeamEngineError, match=match):
            check_job_server(on(NOWHERE, job_endpoint=endpoint))
        web.shutdown()


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "localhost:{}", "dns:///localhost:{}"])
def test_a_server_that_speaks_grpc_is_found_at_every_form_of_its_address(address):
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    check_job_server(on(NOWHERE, job_endpoint=address.format(port)))
    server.stop(None)


def test_the_address_may_be_an_argument_of_its_own():
    given = [*beam_arguments("127.0.0.1:1", NOWHERE), "--job_endpoint", "127.0.0.1:2"]
    with pytest.raises(BeamEngineError, match=r"^--job_endpoint=127\.0\.0\.1:2: "):
        check_job_server(beam.Pipeline(options=PipelineOptions(given)))


# As Spark 3.5 and Flink 1.19 gave them to Beam 2.62.
FAILED = "Pipeline BeamApp-root-1126031158-1d7ceef2_13a5062a failed in state FAILED: "


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            "java.util.concurrent.TimeoutException: Timeout has occurred: 300000 ms",
            "expected a free slot for each of --parallelism, found too few",
        ),
        (
            "java.io.IOException: Insufficient number of network buffers: required 2, but only 0 "
            "available. The total number of network buffers is currently set to 32",
            r"found Insufficient number of network buffers: required 2, but only 0 available; "
            r"raise taskmanager\.memory\.network\.min",
        ),
        ("java.net.ConnectException: Connection refused", "expected a cluster .* Connection refu"),
        (
            "io.grpc.StatusRuntimeException: UNAVAILABLE: io exception\n\tat x.y.Z\nCaused by: "
            "AnnotatedConnectException: finishConnect(..) failed: Connection refused: "
            "localhost/127.0.0.1:50009\n",
            r"found none that the engine can connect to localhost/127\.0\.0\.1:50009; start Beam's",
        ),
        (
            "java.util.concurrent.ExecutionException: io.grpc.StatusRuntimeException: CANCELLED: "
            "client cancelled",
            "expected workers that live until their work is done, found one that ended",
        ),
        ("UNAVAILABLE: io exception", "found none that the engine can connect to; start"),
    ],
)
def test_a_known_cause_of_an_engine_s_failure_is_named_with_what_to_do(text, match):
    error = explained(RuntimeError(FAILED + text), on(NOWHERE, job_endpoint="flink:8099"))
    with pytest.raises(BeamEngineError, match=f"^--job_endpoint=flink:8099: .*{match}"):
        raise error


def test_a_job_server_that_ended_meanwhile_is_named():
    error = explained(grpc.RpcError(), on(NOWHERE, job_endpoint="flink:8099"))
    assert str(error).startswith("--job_endpoint=flink:8099: expected an answer, found a lost conn")


def test_any_other_error_stays_as_it_is():
    error = RuntimeError(FAILED + "java.lang.OutOfMemoryError: Java heap space")
    assert explained(error, on(NOWHERE)) is error


@pytest.mark.parametrize("begun", [True, False])
def test_a_warning_is_logged_if_no_worker_begins(tmp_path, monkeypatch, caplog, begun):
    monkeypatch.setattr(beam_engine, "IDLE_SECONDS", 0.05)
    if begun:
        (tmp_path / "results").mkdir()
    with caplog.at_level(logging.WARNING), warning_if_idle(str(tmp_path / "results")):
        time.sleep(0.5)
    assert ("No Beam worker has begun" in caplog.text) is not begun
