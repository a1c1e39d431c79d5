"""A run of the pipeline reports itself, whoever else has run on the store meanwhile."""

from __future__ import annotations

import pathlib

import pytest

from tfx_wine_ext.testing import parquet_file

pytestmark = pytest.mark.e2e


def test_a_run_finds_itself_and_not_the_latest_one(tmp_path: pathlib.Path) -> None:
    from tfx.orchestration.pipeline import Pipeline

    from examples.wine_quality.local_run import Output, run_locally
    from tfx_wine_ext import ParquetExampleGen
    from tfx_wine_ext.lineage.connection import connection_config

    output, log = Output(tmp_path), tmp_path / "log"

    def pipeline(span: int) -> Pipeline:
        parquet_file(tmp_path / f"span-{span}" / "a.parquet", [{"x": 1}] * span)
        return Pipeline(
            pipeline_name="wine",
            pipeline_root=str(tmp_path / "root"),
            components=[ParquetExampleGen(str(tmp_path / f"span-{span}"))],
            metadata_connection_config=connection_config(output.store),
        )

    ended = run_locally(pipeline(3), log)
    later = run_locally(pipeline(5), log)
    assert (ended.error, later.error) == (None, None)
    [own], [other] = output.runs_of([str(ended.run)]), output.runs_of([str(later.run)])
    assert sum(own.examples.rows.values()) == 3
    assert sum(other.examples.rows.values()) == 5
    assert output.runs()[-1] == other


def test_a_run_that_failed_has_its_own_id_and_error(tmp_path: pathlib.Path) -> None:
    from tfx.orchestration.pipeline import Pipeline

    from examples.wine_quality.local_run import Output, run_locally
    from tfx_wine_ext import ParquetExampleGen
    from tfx_wine_ext.lineage.connection import connection_config

    output = Output(tmp_path)
    pipeline = Pipeline(
        pipeline_name="wine",
        pipeline_root=str(tmp_path / "root"),
        components=[ParquetExampleGen(str(tmp_path / "nowhere"))],
        metadata_connection_config=connection_config(output.store),
    )
    ended = run_locally(pipeline, tmp_path / "log")
    [run] = output.runs_of([str(ended.run)])
    assert (run.state, ended.failed) == ("FAILED", "ParquetExampleGen")
    assert "Traceback" in (tmp_path / "log").read_text()
    assert run.components[0].error == f"{type(ended.error).__name__}: {ended.error}".replace(
        "\n", " "
    )
