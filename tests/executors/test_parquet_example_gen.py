"""What the executor does when run apart: with Beam's runners, and when something goes wrong."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pytest
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts

from tfx_wine_ext.artifacts.properties import properties_of
from tfx_wine_ext.components.parquet_example_gen import ParquetExampleGen
from tfx_wine_ext.drivers.parquet_example_gen import ParquetExampleGenDriver
from tfx_wine_ext.executors.parquet_example_gen import ParquetExecutor
from tfx_wine_ext.sources import footers
from tfx_wine_ext.sources.footers import OpenParquet, ParquetFileError
from tfx_wine_ext.testing import FakeMetadata, launch, parquet_file, read_examples

both_paths = pytest.mark.parametrize("path", ["ir", "notebook"])

PIPELINE = data_types.PipelineInfo("pipeline", "root")
COMPONENT = data_types.ComponentInfo("type", "id", PIPELINE)


@pytest.fixture
def data(tmp_path):
    """A folder with the files that every test starts from."""
    parquet_file(tmp_path / "data" / "a.parquet", [{"x": x} for x in range(6)], row_group_size=2)
    parquet_file(tmp_path / "data" / "b.parquet", [{"x": x} for x in range(6, 9)])
    return tmp_path / "data"


def drive(data, **options) -> dict:
    """Returns the execution properties as the driver leaves them."""
    component = ParquetExampleGen(str(data), **options)
    return ParquetExampleGenDriver(None).resolve_exec_properties(
        dict(component.exec_properties), PIPELINE, COMPONENT
    )


def execute(data, exec_properties, executor=ParquetExecutor, beam_args=()):
    """Runs the executor alone; returns the artifact."""
    examples = standard_artifacts.Examples()
    examples.uri = str(data.parent / "examples")
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=list(beam_args), tmp_dir=str(data.parent / "tmp"), unique_id="1"
    )
    executor(context).Do({}, {"examples": [examples]}, exec_properties)
    return examples


def left_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def read(examples) -> list[int]:
    return sorted(
        row["x"][0] for split in ("train", "eval") for row in read_examples(examples, split)
    )


# --- Between driver and executor


def test_a_file_that_changed_since_the_driver_saw_it_is_named(data):
    exec_properties = drive(data)
    parquet_file(data / "b.parquet", [{"x": 60}])

    with pytest.raises(ParquetFileError, match=r"data/b\.parquet: it changed after the driver"):
        execute(data, exec_properties)
    assert left_in(data.parent / "examples") == []


def test_a_file_that_changed_its_schema_since_the_driver_saw_it_is_named_as_changed(data):
    exec_properties = drive(data, columns=["x"])
    parquet_file(data / "b.parquet", [{"y": "no x any more"}])

    with pytest.raises(ParquetFileError, match=r"data/b\.parquet: it changed after the driver"):
        execute(data, exec_properties)


def test_a_file_that_is_gone_since_the_driver_saw_it_is_named(data):
    exec_properties = drive(data)
    (data / "a.parquet").unlink()

    with pytest.raises(ParquetFileError, match=r"data/a\.parquet: it was deleted after the driver"):
        execute(data, exec_properties)


def test_a_file_that_came_since_the_driver_looked_is_named(data):
    exec_properties = drive(data)
    parquet_file(data / "c.parquet", [{"x": 9}])

    with pytest.raises(ParquetFileError, match=r"data/c\.parquet: it was added after the driver"):
        execute(data, exec_properties)


class ChangesAFileBeforeTheWork(ParquetExecutor):
    """Stands for a writer that changes a file when the executor has looked at it already."""

    def _run(self, tasks, destination):
        parquet_file(tasks[0].source.paths[0], [{"x": -1}])
        return super()._run(tasks, destination)


def test_a_file_that_changes_while_the_executor_is_at_work_is_named(data):
    with pytest.raises(ParquetFileError, match=r"data/a\.parquet: it changed after the run"):
        execute(data, drive(data), ChangesAFileBeforeTheWork)
    assert left_in(data.parent / "examples") == []


# --- Failures


@both_paths
def test_a_failed_execution_publishes_nothing_and_leaves_no_split(tmp_path, path):
    table = pa.table({"ok": [1, 2], "big": pa.array([1, 2**63], pa.uint64())})
    parquet_file(tmp_path / "data" / "a.parquet", table, row_group_size=1)
    root = tmp_path / "root"

    with FakeMetadata() as store:
        component = ParquetExampleGen(str(tmp_path / "data"), num_shards=2)
        with pytest.raises(ParquetFileError, match=r"data/a\.parquet: .*'big'"):
            launch(component, path=path, store=store, pipeline_root=root)
        assert [artifact.uri for artifact in store.artifacts() if artifact.state == "LIVE"] == []
        [execution] = store.executions()
        assert execution.state == "FAILED"
        assert "'big'" in execution.custom_properties["__execution_result__"]
    assert [name for name in left_in(root) if "Split-" in name or ".staging" in name] == []


@both_paths
def test_after_a_failure_the_next_launch_succeeds(tmp_path, path):
    parquet_file(tmp_path / "data" / "a.parquet", pa.table({"x": pa.array([2**63], pa.uint64())}))
    with FakeMetadata() as store:
        where = {
            "path": path,
            "store": store,
            "pipeline_root": tmp_path / "root",
            "enable_cache": True,
        }
        with pytest.raises(ParquetFileError, match="'x'"):
            launch(ParquetExampleGen(str(tmp_path / "data")), **where)
        parquet_file(tmp_path / "data" / "a.parquet", [{"x": 5}])
        [examples] = launch(ParquetExampleGen(str(tmp_path / "data")), **where).outputs["examples"]

    assert (examples.state, read(examples)) == ("LIVE", [5])


def test_what_an_interrupted_run_left_is_not_read_as_data(data):
    for name in (
        "Split-train/data_tfrecord-00000-of-00009.gz",
        ".staging/results/train-00007.json",
    ):
        path = data.parent / "examples" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half-written")

    assert read(execute(data, drive(data))) == list(range(9))
    assert left_in(data.parent / "examples") == [
        "Split-eval",
        "Split-eval/data_tfrecord-00000-of-00001.gz",
        "Split-train",
        "Split-train/data_tfrecord-00000-of-00001.gz",
    ]


class LosesAShard(ParquetExecutor):
    """Stands for a Beam runner that does not do all of its work."""

    def _run(self, tasks, destination):
        return super()._run(tasks[:-1], destination)


class LosesARow(ParquetExecutor):
    """Stands for a Beam runner that does a part of a task and calls it done."""

    def _run(self, tasks, destination):
        first, *others = super()._run(tasks, destination)
        return [dataclasses.replace(first, rows_read=first.rows_read - 1), *others]


@pytest.mark.parametrize(
    ("executor", "found"),
    [
        (LosesAShard, "expected 2 shard tasks with 9 rows, found 1 with 4"),
        (LosesARow, "expected 2 shard tasks with 9 rows, found 2 with 8"),
    ],
)
def test_a_faked_result_of_a_runner_that_lost_work_is_refused(data, executor, found):
    match = rf"{found}; the Beam runner lost work, nothing was published"
    with pytest.raises(RuntimeError, match=match):
        execute(data, drive(data, num_shards=2), executor)
    assert left_in(data.parent / "examples") == []


@both_paths
def test_nothing_is_published_of_a_faked_result_that_lost_work(data, path):
    root = data.parent / "root"
    component = ParquetExampleGen(
        str(data), num_shards=2, custom_executor_spec=BeamExecutorSpec(LosesAShard)
    )
    with FakeMetadata() as store:
        with pytest.raises(RuntimeError, match="the Beam runner lost work"):
            launch(component, path=path, store=store, pipeline_root=root)
        assert [artifact for artifact in store.artifacts() if artifact.state == "LIVE"] == []
    assert list(root.rglob("Split-*")) == []


def test_a_payload_format_that_it_cannot_write_is_refused(data):
    exec_properties = drive(data)
    exec_properties["output_data_format"] = example_gen_pb2.FORMAT_PROTO

    match = "output_data_format: expected FORMAT_TF_EXAMPLE or FORMAT_PARQUET, found FORMAT_PROTO"
    with pytest.raises(ValueError, match=match):
        execute(data, exec_properties)


# --- Beam's runners


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.e2e
@pytest.mark.parametrize("payload", ["FORMAT_TF_EXAMPLE", "FORMAT_PARQUET"])
def test_the_bytes_are_the_same_whatever_the_number_and_kind_of_workers(tmp_path, payload):
    rows = [{"x": x, "y": x / 8, "z": None if x % 7 else str(x)} for x in range(4000)]
    parquet_file(tmp_path / "data" / "a.parquet", rows, row_group_size=500)
    found = {}
    for name, beam_args in {
        "default": [],
        "threads": ["--direct_num_workers=2", "--direct_running_mode=multi_threading"],
        "processes": ["--direct_num_workers=2", "--direct_running_mode=multi_processing"],
    }.items():
        component = ParquetExampleGen(
            str(tmp_path / "data"),
            num_shards=4,
            shuffle_seed=1,
            output_data_format=example_gen_pb2.PayloadFormat.Value(payload),
        )
        where = {"pipeline_root": tmp_path / name, "beam_pipeline_args": beam_args}
        [examples] = launch(component, **where).outputs["examples"]
        assert examples.custom_properties["rows"] == 4000
        found[name] = digests(Path(examples.uri))

    assert len(found["default"]) == 8  # 4 shards of 2 splits
    assert found["threads"] == found["default"]
    assert found["processes"] == found["default"]


# --- Tables that are more than their files


def test_driver_and_executor_refuse_the_files_of_a_delta_lake_table(data):
    exec_properties = drive(data)
    (data / "_delta_log").mkdir()
    (data / "_delta_log" / "00000000000000000000.json").write_text("{}")

    message = r"data/a\.parquet: belongs to a Delta Lake table .*; read the table by Table"
    with pytest.raises(ParquetFileError, match=message):
        drive(data)
    with pytest.raises(ParquetFileError, match=message):
        execute(data, exec_properties)
    assert left_in(data.parent / "examples") == []


# --- Files that are written to


class OverwritesAFileWhileItIsRead(ParquetExecutor):
    """Stands for a writer that changes a file in place between two of its row groups."""

    def _run(self, tasks, destination):
        path = tasks[0].source.paths[0]
        content = Path(path).read_bytes()
        other = content.replace((5).to_bytes(8, "little"), (7).to_bytes(8, "little"))
        assert len(other) == len(content)
        real = OpenParquet.with_timestamps

        def overwriting(opened, batch):
            Path(path).write_bytes(other)
            return real(opened, batch)

        with mock.patch.object(OpenParquet, "with_timestamps", overwriting):
            return super()._run(tasks, destination)


def test_a_large_file_overwritten_in_place_while_it_is_read_publishes_nothing(data, monkeypatch):
    monkeypatch.setattr(footers, "WHOLE_FILE_FINGERPRINT_BYTES", 100)
    exec_properties = drive(data)

    with pytest.raises(ParquetFileError, match=r"data/a\.parquet: it was .* while it was read"):
        execute(data, exec_properties, OverwritesAFileWhileItIsRead)
    assert left_in(data.parent / "examples") == []


def test_a_small_file_overwritten_in_place_while_it_is_read_is_what_it_was(data):
    exec_properties = drive(data)
    examples = execute(data, exec_properties, OverwritesAFileWhileItIsRead)
    assert read(examples) == list(range(9))


@pytest.mark.parametrize(
    ("pattern", "by_hook"),
    [("span-{SPAN}/*", {}), ("span-2/*", {"span": 2.0, "input_fingerprint": "of file times"})],
    ids=["nobody found the span", "the hook of Kubeflow found it"],
)
def test_where_no_driver_ran_the_executor_finds_and_records_what_a_driver_would(
    tmp_path, pattern, by_hook
):
    for number in (1, 2):
        parquet_file(tmp_path / "data" / f"span-{number}" / "a.parquet", [{"x": number}])
    split = example_gen_pb2.Input.Split(name="all", pattern=pattern)
    component = ParquetExampleGen(
        str(tmp_path / "data"), input_config=example_gen_pb2.Input(splits=[split])
    )
    # Kubeflow omits what is None.
    given = {key: value for key, value in component.exec_properties.items() if value is not None}
    examples = execute(tmp_path / "data", {**given, **by_hook})
    recorded = properties_of(examples)
    assert (recorded["span"], recorded["rows"]) == (2, 1)
    content = recorded["content_fingerprint"]
    assert content.startswith("parquet-v1:")
    assert recorded["input_fingerprint"] == by_hook.get("input_fingerprint", f"all:{content}")
    assert [row["x"] for split in ("train", "eval") for row in read_examples(examples, split)] == [
        [2]
    ]


def test_where_no_driver_ran_files_are_checked_before_anything_is_written(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.parquet").write_bytes(b"PAR1 is not all")
    component = ParquetExampleGen(str(tmp_path / "data"))
    with pytest.raises(ParquetFileError, match=r"a\.parquet"):
        execute(tmp_path / "data", dict(component.exec_properties))
    assert not (tmp_path / "examples").exists()
