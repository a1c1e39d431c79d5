"""A pipeline that reads PostgreSQL by a password leaves the password nowhere."""

from __future__ import annotations

import logging
import sys
import tempfile
import traceback
import types
from pathlib import Path

import pytest
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner

from engines.stores import MARK, PASSWORDS, WRITER
from tfx_wine_ext import TableExampleGen
from tfx_wine_ext.sources import Sql

GOOD, BAD = PASSWORDS[WRITER], f"{MARK} b'd"


@pytest.fixture(scope="module")
def uri(postgresql) -> str:
    """A database with a table, whose server asks for a password that has `MARK`."""
    postgresql.sql("postgres", f"CREATE DATABASE guarded OWNER {WRITER}")
    postgresql.sql(
        "guarded",
        "CREATE TABLE wines AS SELECT n AS id, n / 2.0 AS alcohol FROM generate_series(1, 20) n",
        f"ALTER TABLE wines OWNER TO {WRITER}",
    )
    return postgresql.url(WRITER, "guarded")


def run(folder: Path, source: Sql) -> None:
    pipeline_ = pipeline.Pipeline(
        pipeline_name="guarded",
        pipeline_root=str(folder / "root"),
        components=[TableExampleGen(source)],
        metadata_connection_config=metadata.sqlite_metadata_connection_config(
            str(folder / "metadata.db")
        ),
    )
    LocalDagRunner().run(pipeline_)


def raising() -> str:
    raise ValueError(f"{BAD} has expired")


@pytest.mark.e2e
@pytest.mark.parametrize("password", [GOOD, BAD])
@pytest.mark.parametrize("credentials", [None, "env:GUARDED", "vault:password", "vault:raising"])
def test_the_password_is_in_no_file_log_or_error(
    uri, tmp_path, monkeypatch, caplog, capfd, credentials, password
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    vault = types.SimpleNamespace(password=lambda: password, raising=raising)
    monkeypatch.setitem(sys.modules, "vault", vault)
    monkeypatch.setenv("PGPASSFILE", "/nowhere")
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSWORD" if credentials is None else "GUARDED", password)
    source = Sql(uri, "SELECT * FROM wines", partition_column="id", credentials=credentials)
    said = ""
    if password == GOOD and credentials != "vault:raising":
        run(tmp_path, source)
        assert len(list(tmp_path.glob("root/TableExampleGen/examples/*/Split-train/*.gz"))) == 1
    else:
        with pytest.raises(Exception, match=r"password authent|ValueError by calling") as caught:
            run(tmp_path, source)
        said = "".join(traceback.format_exception(None, caught.value, caught.tb))
        assert not list(tmp_path.glob("root/TableExampleGen/examples/*/Split-*"))
    out, err = capfd.readouterr()
    assert MARK not in "".join([said, caplog.text, out, err])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert tmp_path / "metadata.db" in files
    assert uri.encode() in (tmp_path / "metadata.db").read_bytes()
    assert [path for path in files if MARK.encode() in path.read_bytes()] == []
