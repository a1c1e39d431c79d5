"""A failure is a FAILED execution with its message, wherever it is raised, by both paths."""

from __future__ import annotations

import json
import pathlib
from typing import ClassVar

import pyarrow as pa
import pytest
from tfx.dsl.components.base import base_component, base_executor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import standard_artifacts
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from tfx_wine_ext import DriftReport, ParquetExampleGen
from tfx_wine_ext.drivers.deciding_driver import DecidingDriver
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.report.words.failure import failure_message
from tfx_wine_ext.testing import (
    FakeMetadata,
    SqliteMetadata,
    as_channel,
    examples_artifact,
    launch,
    parquet_file,
)

both_paths = pytest.mark.parametrize("path", ["ir", "notebook"])

RAISED = {
    "ValueError": lambda: ValueError("column 'x':\n  expected numbers,\n  found words"),
    "empty": lambda: LookupError(),
    "KeyboardInterrupt": lambda: KeyboardInterrupt(),
    "SystemExit": lambda: SystemExit(3),
    "odd": lambda: ValueError("a\udcff\x00\x1b[1m\u202eb\u2028c"),
    "password": lambda: OSError(
        "mysql://me:se:cr@et@db:3306/x, token=abc.def-1; {'api_key': 'k9'}"
    ),
}
RECORDED = {
    "ValueError": "ValueError: column 'x': expected numbers, found words",
    "empty": "LookupError",
    "KeyboardInterrupt": "KeyboardInterrupt",
    "SystemExit": "SystemExit: 3",
    "odd": r"ValueError: a\udcff\x00\x1b[1m\u202eb c",
    "password": "OSError: mysql://me:***@db:3306/x, token=***; {'api_key': '***'}",
}


class FailingDriver(DecidingDriver):
    """Raises what the component asks for."""

    def decide(self, inputs, exec_properties, store):
        if exec_properties["where"] == "driver":
            raise RAISED[exec_properties["what"]]()
        return {}


@records_failures
class FailingExecutor(base_executor.BaseExecutor):
    """Raises what the component asks for, or leaves a file."""

    def Do(self, input_dict, output_dict, exec_properties):  # noqa: N802 (TFX's name)
        if exec_properties["where"] == "executor":
            raise RAISED[exec_properties["what"]]()


class FailingSpec(ComponentSpec):
    PARAMETERS: ClassVar = {
        "where": ExecutionParameter(type=str),
        "what": ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {}
    OUTPUTS: ClassVar = {"examples": ChannelParameter(type=standard_artifacts.Examples)}


class Failing(base_component.BaseComponent):
    SPEC_CLASS = FailingSpec
    EXECUTOR_SPEC = ExecutorClassSpec(FailingExecutor)
    DRIVER_CLASS = FailingDriver

    def __init__(self, where, what="ValueError"):
        examples = Channel(type=standard_artifacts.Examples)
        super().__init__(FailingSpec(where=where, what=what, examples=examples))


def states_and_messages(store):
    found = []
    for execution in store.executions():
        result = json.loads(execution.custom_properties.get("__execution_result__", "null"))
        found.append((execution.state, result and result["resultMessage"]))
    return found


@pytest.mark.parametrize("what", list(RAISED))
def test_a_message_is_one_line_of_plain_characters_without_secrets(what):
    assert failure_message(RAISED[what]()) == RECORDED[what]


@both_paths
@pytest.mark.e2e
@pytest.mark.parametrize("where", ["driver", "executor"])
@pytest.mark.parametrize("what", list(RAISED))
def test_whatever_is_raised_is_a_failed_execution_with_its_message(tmp_path, path, where, what):
    error = RAISED[what]()
    with FakeMetadata() as store:
        with pytest.raises(type(error)) as raised:
            launch(Failing(where, what), path=path, store=store, pipeline_root=tmp_path)
        assert states_and_messages(store) == [("FAILED", RECORDED[what])]
    assert str(raised.value) == str(error)


@both_paths
@pytest.mark.e2e
@pytest.mark.parametrize("where", ["driver", "executor"])
def test_lineage_says_why_a_component_failed(tmp_path, path, where):
    with SqliteMetadata(tmp_path / "metadata.db") as store:
        with pytest.raises(ValueError, match="found words"):
            launch(Failing(where), path=path, store=store, pipeline_root=tmp_path / "root")
        [run] = runs(Snapshot.read(store.store))
    [component] = run.components
    assert (run.state, component.state, component.id) == ("FAILED", "FAILED", "Failing")
    assert component.error == RECORDED["ValueError"]


@both_paths
@pytest.mark.e2e
def test_after_a_failure_the_next_launch_succeeds_and_later_ones_come_from_the_cache(
    tmp_path, path
):
    where = {"path": path, "pipeline_root": tmp_path, "enable_cache": True}
    with FakeMetadata() as store:
        with pytest.raises(ValueError, match="found words"):
            launch(Failing("driver"), store=store, **where)
        with pytest.raises(ValueError, match="found words"):
            launch(Failing("executor"), store=store, **where)
        for _ in range(2):
            launch(Failing("nowhere"), store=store, **where)
        states = [execution.state for execution in store.executions()]
    assert states == ["FAILED", "FAILED", "COMPLETE", "CACHED"]


def examples(folder, rows):
    return as_channel(examples_artifact(folder, {"train": pa.table(rows)}))


@both_paths
@pytest.mark.e2e
def test_parquet_example_gen_records_what_its_driver_and_tfx_s_own_refuse(tmp_path, path):
    (tmp_path / "empty").mkdir()
    parquet_file(tmp_path / "data" / "a.parquet", [{"x": 1}])
    pathlib.Path(tmp_path / "data" / "b.parquet").write_bytes(b"PAR1 no")
    with FakeMetadata() as store:
        for folder in ("nowhere", "empty", "data"):
            with pytest.raises((ValueError, FileNotFoundError)):
                launch(
                    ParquetExampleGen(str(tmp_path / folder)),
                    path=path,
                    store=store,
                    pipeline_root=tmp_path / "root",
                )
        found = states_and_messages(store)
    assert [state for state, _ in found] == ["FAILED"] * 3
    assert str(tmp_path / "nowhere") in found[0][1]
    assert str(tmp_path / "empty") in found[1][1]
    assert "b.parquet" in found[2][1]


@both_paths
@pytest.mark.e2e
def test_drift_report_records_what_its_driver_and_its_executor_refuse(tmp_path, path):
    current = {"x": [1.0, 2.0]}
    with FakeMetadata() as store:
        sides = {key: examples(tmp_path / key, current) for key in ("examples", "baseline")}
        for change in ({"split": "test"}, {"config": {"critical": ["y"]}}):
            component = DriftReport(**sides, **change)
            with pytest.raises(ValueError, match=r"split|critical"):
                launch(component, path=path, store=store, pipeline_root=tmp_path / "root")
        found = states_and_messages(store)
    assert [state for state, _ in found] == ["FAILED", "FAILED"]
    assert found[0][1].startswith("ValueError: split: expected a split of examples")
    assert "critical of the drift config names 'y', which neither side has" in found[1][1]


@pytest.mark.e2e
@pytest.mark.parametrize("where", ["driver", "executor"])
def test_beam_dag_runner_leaves_the_same(tmp_path, where):
    from tfx.orchestration import pipeline as pipeline_lib
    from tfx.orchestration.beam import beam_dag_runner

    with SqliteMetadata(tmp_path / "metadata.db") as store:
        pipeline = pipeline_lib.Pipeline(
            pipeline_name="beam",
            pipeline_root=str(tmp_path / "root"),
            components=[Failing(where)],
            metadata_connection_config=store.connection_config,
        )
        with pytest.raises(Exception, match="found words"):
            beam_dag_runner.BeamDagRunner().run(pipeline)
        assert states_and_messages(store)[-1] == ("FAILED", RECORDED["ValueError"])
