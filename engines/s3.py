"""The wine pipeline with data, artifacts and models on S3 (moto, a server for tests).

TFX's own components read S3 by tensorflow-io, which only TFX 1.16 has. On TFX 1.21 the commands run
here, and the pipeline is refused.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pyarrow.fs

from engines.checks import Check, EngineError
from engines.installing import layer
from engines.servers import HOST, free_port, listens, server
from engines.wine import Result, compare, shards, two_spans
from tfx_wine_ext.cli import main
from tfx_wine_ext.files.choose import FilesByScheme

TENSORFLOW_IO = "tensorflow-io==0.37.1"
"""For TensorFlow 2.16. boto3, for Beam, is in the environment: moto needs it."""
BUCKET = "s3://wine"


def run(folder: Path, in_process: Result) -> Iterator[Check]:
    """Runs the target; see `engines`."""
    port = free_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",
        "AWS_ACCESS_KEY_ID": "wine",
        "AWS_SECRET_ACCESS_KEY": "wine",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": f"{folder}/none",
        "AWS_SHARED_CREDENTIALS_FILE": f"{folder}/none",
    }
    command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]
    with (
        mock.patch.dict(os.environ, {**_without_aws(), **environment}, clear=True),
        server(command, folder / "moto.log", lambda: listens(port)),
    ):
        client = pyarrow.fs.S3FileSystem(
            endpoint_override=environment["AWS_ENDPOINT_URL"], allow_bucket_creation=True
        )
        client.create_dir(BUCKET.removeprefix("s3://"))
        places = [
            f"--{option}={BUCKET}/{name}"
            for option, name in [
                ("data-root", "data"),
                ("pipeline-root", "pipeline"),
                ("serving", "serving"),
            ]
        ]
        if importlib.metadata.version("tfx").startswith("1.16."):
            python = layer("s3/venv", [TENSORFLOW_IO])
            found = two_spans(folder, *places, python=python)
            yield from compare(in_process, found)
            yield from _stored(folder)
        else:
            yield _refused(folder, places)
        yield from _commands(folder, folder / "data")
        yield from _errors()


def _without_aws() -> dict[str, str]:
    """Returns the environment without what leads to the user's own server, profile or account."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def _stored(folder: Path) -> Iterator[Check]:
    """Looks at what is on S3, and at what the reading commands say of it."""
    files = FilesByScheme()
    yield Check("pushed models on S3", 2, len(files.names(f"{BUCKET}/serving")))
    stray = [path for path in files.glob(f"{BUCKET}/**/.*/**") if ".staging" in path]
    yield Check("remains of staging", [], stray)
    store = str(folder / "metadata.db")
    status, document = _json(["runs", "--store", store])
    yield Check("the command runs: status, runs", (0, 2), (status, document["total"]))
    status, document = _json(["show", "--store", store])
    yield Check("the command show: status, files not read", (0, []), (status, document["unread"]))


def _refused(folder: Path, places: list[str]) -> Check:
    try:
        two_spans(folder, *places)
    except EngineError as error:
        text = str(error)
        message = "expected a file system of S3 for TFX's own components"
        return Check("the pipeline", "refused", "refused" if message in text else text)
    return Check("the pipeline", "refused", "it ran")


def _commands(folder: Path, data: Path) -> Iterator[Check]:
    """Compares the commands on S3 with the same ones here."""
    spans = sorted(path.name for path in data.iterdir())
    answers = []
    for root in (str(data), f"{BUCKET}/data"):
        status, document = _json(["drift", *(f"{root}/{span}" for span in spans)])
        verdicts = {each["name"]: each["verdict"] for each in document["features"]}
        answers.append((status, document["verdict"], verdicts))
    same = answers[0] == answers[1]
    yield Check("drift of two spans", answers[0][:2], answers[1][:2], holds=same)
    here, there = str(folder / "ingested"), f"{BUCKET}/ingested"
    for source, target in [(f"{data}/{spans[0]}", here), (f"{BUCKET}/data/{spans[0]}", there)]:
        main(["ingest", source, target, "--quiet"])
    yield Check(
        "ingest: the same bytes", True, bool(shards(here)) and shards(here) == shards(there)
    )


def _errors() -> Iterator[Check]:
    """Looks at what cannot work, and at how long it takes to say so."""
    cases = {
        "port closed": ({"AWS_ENDPOINT_URL": f"http://{HOST}:{free_port()}"}, "cannot be reached"),
        "no such host": ({"AWS_ENDPOINT_URL": "http://no.such.host.invalid"}, "AWS_ENDPOINT_URL"),
        "bad endpoint": ({"AWS_ENDPOINT_URL": "localhost"}, "expected http:// or https://"),
        "no bucket": ({}, "expected the bucket 'nowhere'"),
    }
    for name, (environment, expected) in cases.items():
        started = time.monotonic()
        with mock.patch.dict(os.environ, environment), _printed() as (_, err):
            status = main(["drift", "s3://nowhere/a.parquet", "s3://nowhere/b.parquet"])
        seconds = time.monotonic() - started
        holds = status == 2 and expected in err.getvalue() and seconds < 20
        found = f"{err.getvalue().strip()} ({seconds:.1f} s)"
        yield Check(f"bad input: {name}", expected, found, holds=holds)


def _json(arguments: list[str]) -> tuple[int, dict]:
    with _printed() as (out, err):
        status = main([*arguments, "--json"])
    if not out.getvalue():
        raise EngineError(f"{' '.join(arguments)}: {err.getvalue()}")
    return status, json.loads(out.getvalue())


@contextlib.contextmanager
def _printed() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield out, err
