"""Tables in files, in each of the formats that the command line reads."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pathlib
import pty
import shlex
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from tests.lineage.conftest import five  # noqa: F401  # A fixture: a store of five runs.
from tfx_wine_ext.cli import main
from tfx_wine_ext.columnar import encode_examples, frame_records, plan_features


def write_as(kind: str, table: pa.Table, path) -> str:
    """Writes a table in one of three formats; TFRecords gzipped, as ExampleGen does."""
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=100)
    elif kind == "csv":
        pa_csv.write_csv(table, path)
    else:
        plan = plan_features(table.schema)
        batches = table.to_batches(max_chunksize=100)
        framed = [frame_records(encode_examples(batch, plan)).tobytes() for batch in batches]
        path.write_bytes(b"".join(map(gzip.compress, framed)))
    return str(path)


def write_long_table(path: pathlib.Path) -> None:
    """Writes 300,000 rows, which take seconds to ingest and to compare."""
    numbers = np.arange(300_000)
    table = pa.table({f"x{i}": numbers for i in range(20)})
    pq.write_table(table, path, row_group_size=20_000)


def drinks(shift: float) -> pa.Table:
    """300 rows whose numbers are exact in float32, with missing values and text."""
    random = np.random.default_rng(7)
    return pa.table(
        {
            "alcohol": np.round(random.normal(10 + shift, 1, 300) * 4) / 4,
            "bottles": pa.array([None if i % 10 == 3 else i % 7 for i in range(300)]),
            "colour": [["red", "white", "rosé"][i % 3] for i in range(300)],
        }
    )


@pytest.fixture
def three_kinds(tmp_path):
    """One table in three files: path by format."""
    (tmp_path / "kinds").mkdir()
    return {
        kind: write_as(kind, drinks(0), tmp_path / "kinds" / f"drinks.{kind}")
        for kind in ("parquet", "csv", "tfrecord")
    }


@pytest.fixture
def three_shifted(tmp_path):
    """Another table in three files."""
    (tmp_path / "shifted").mkdir()
    return {
        kind: write_as(kind, drinks(0.5), tmp_path / "shifted" / f"drinks.{kind}")
        for kind in ("parquet", "csv", "tfrecord")
    }


@pytest.fixture
def on_store(five, monkeypatch, tmp_path, capsys):  # noqa: F811
    """Runs a command on the store of five runs; returns its status and what it printed.

    Lines have no blanks at their ends, and the store's folder is called STORE.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFX_WINE_EXT_STORE", five.store.path)
    folder = five.store.path.rpartition("/")[0]

    def run(arguments):
        status = main(shlex.split(arguments))
        out, err = capsys.readouterr()
        out = "".join(line.rstrip() + "\n" for line in out.splitlines())
        return status, out.replace(folder, "STORE"), err.replace(folder, "STORE")

    return run


@pytest.fixture
def document_of(on_store, capsys):
    """Runs a command on the same store with ``--json``; returns the document."""

    def run(arguments):
        status = main([*shlex.split(arguments), "--json"])
        out, err = capsys.readouterr()
        assert (status, err) == (0, "")
        return json.loads(out)

    return run


@pytest.fixture
def run(capsys, request):
    """Runs the module's COMMAND; returns its exit status and what it printed."""

    def run(arguments):
        status = main([request.module.COMMAND, *shlex.split(arguments)])
        out, err = capsys.readouterr()
        return status, "".join(line.rstrip() + "\n" for line in out.splitlines()), err

    return run


@pytest.fixture
def on_a_terminal(here):
    """Runs a command whose errors go to a terminal, and whose bar comes at once.

    Returns the process that has ended, and what the terminal was sent.
    """

    def run(*arguments):
        program = "from tfx_wine_ext.cli import main, terminal; terminal.BAR_AFTER_SECONDS = 0"
        program += f"; raise SystemExit(main({list(arguments)!r}))"
        env = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2]), "TERM": "xterm"}
        outer, inner = pty.openpty()
        shown = b""
        command = [sys.executable, "-c", program]
        with (
            tempfile.TemporaryFile() as out,
            subprocess.Popen(command, stdout=out, stderr=inner, env=env, cwd=here) as process,
        ):
            os.close(inner)
            # A terminal takes some kilobytes, and then the command waits until they are read.
            with contextlib.suppress(OSError):  # EIO: the command has ended.
                while some := os.read(outer, 65_536):
                    shown += some
            status = process.wait()
            out.seek(0)
            printed = out.read()
        os.close(outer)
        return subprocess.CompletedProcess(command, status, printed), shown.decode()

    return run
