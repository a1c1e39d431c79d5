"""TableExampleGen as its users run it: driver, executor and publisher, by both launch paths."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
from pathlib import Path
from typing import ClassVar

import fastavro
import pyarrow as pa
import pytest
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import standard_artifacts

from tests.sources.delta_tables import ByHand, column
from tfx_wine_ext.artifacts.properties import properties_of
from tfx_wine_ext.components.parquet_example_gen import ParquetExampleGen
from tfx_wine_ext.components.table_example_gen import TableExampleGen
from tfx_wine_ext.executors.table_example_gen import TableExecutor
from tfx_wine_ext.sources import Delta, Files
from tfx_wine_ext.sources.configs import (
    SourceConfig,
    register_source,
    unregister_source,
)
from tfx_wine_ext.sources.source import Part, TableFileError
from tfx_wine_ext.testing import FakeMetadata, launch, parquet_file, read_examples

both_paths = pytest.mark.parametrize("path", ["ir", "notebook"])

WINES = [
    {"alcohol": 9.5, "quality": 5, "colour": "red"},
    {"alcohol": 0.0, "quality": 0, "colour": ""},
    {"alcohol": None, "quality": None, "colour": None},
    {"alcohol": 12.25, "quality": -1, "colour": "weiß"},
    {"alcohol": 11.0, "quality": 2**40, "colour": "rosé"},
]
SCHEMA = {
    "type": "record",
    "name": "wine",
    "fields": [
        {"name": name, "type": ["null", type_]}
        for name, type_ in (("alcohol", "double"), ("quality", "long"), ("colour", "string"))
    ],
}
ALL = example_gen_pb2.Output(
    split_config={"splits": [example_gen_pb2.SplitConfig.Split(name="all", hash_buckets=1)]}
)
SPAN_3 = range_config_pb2.RangeConfig(
    static_range=range_config_pb2.StaticRange(start_span_number=3, end_span_number=3)
)


def avro_file(path: Path, rows=WINES) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        fastavro.writer(file, SCHEMA, rows)


@dataclasses.dataclass(frozen=True)
class Memory(SourceConfig):
    """Rows of this process by a query, of which the test changes the state."""

    query: str
    spanned = ("query",)
    name = "memory"

    def open(self, how):
        return MemorySource(self.query)


class MemorySource:
    """One part for each row; a state is held by a copy."""

    kind, error, structs, names_are_complete = "memory", TableFileError, {}, True
    STATE: ClassVar[dict] = {}
    position = size = 0
    part = None

    def __init__(self, query):
        self.paths = [query]
        self.schema = self.whole = self.STATE["schema"]
        self.names = self.schema.names
        self.table, self.is_known = self.STATE["tables"], self.STATE.get("is_known", True)
        self.chosen = None

    @property
    def rows(self):
        return len(self.table[self.paths[0]])

    @contextlib.contextmanager
    def snapshot(self):
        held = copy.copy(self)
        held.table = copy.deepcopy(self.table)
        yield held

    def settle(self):
        pass

    check = settle

    def fingerprint(self):
        return f"rows-{self.rows}" if self.is_known else ""

    def parts(self, row_filter=None):
        return [Part(self.paths[0], i, "row", i, 1, 8) for i in range(self.rows)]

    def select(self, parts):
        selected = copy.copy(self)
        selected.chosen = list(parts)
        return selected

    def batches(self, columns=None, rows=None):
        for part in self.chosen if self.chosen is not None else self.parts():
            self.part = part
            row = self.table[self.paths[0]][part.index]
            yield pa.RecordBatch.from_pylist([row], columns or self.schema)


@pytest.fixture
def memory(monkeypatch):
    """The state of a source that is no file."""
    register_source("memory")(Memory)
    state = {"schema": pa.schema([("x", pa.int64())]), "tables": {}}
    monkeypatch.setattr(MemorySource, "STATE", state)
    yield state
    unregister_source("memory")


@both_paths
def test_avro_files_are_the_same_examples_as_parquet_files(tmp_path, path):
    avro_file(tmp_path / "avro" / "a.avro")
    parquet_file(tmp_path / "parquet" / "a.parquet", WINES)
    with FakeMetadata() as metadata:
        where = {"path": path, "store": metadata, "pipeline_root": tmp_path / "root"}
        [from_parquet] = launch(ParquetExampleGen(str(tmp_path / "parquet")), **where).outputs[
            "examples"
        ]
        example_gen = TableExampleGen(Files(str(tmp_path / "avro"), "*.avro"))
        result = launch(example_gen, **where)
    [examples] = result.outputs["examples"]
    for split in ("train", "eval"):
        assert read_examples(examples, split) == read_examples(from_parquet, split)
    known = dict(examples.custom_properties)
    content = known.pop("content_fingerprint")
    assert content.startswith("files-v1:")
    assert known.pop("input_fingerprint") == f"single_split:{content}"
    assert json.loads(known.pop("source")) == {
        "single_split": {"path": str(tmp_path / "avro"), "pattern": "*.avro", "source": "files"}
    }
    same = dict(from_parquet.custom_properties)
    for name in ("name", "bytes", "bytes_train", "bytes_eval", "schema_fingerprint"):
        known.pop(name, None)
        same.pop(name, None)
    del same["content_fingerprint"], same["input_fingerprint"]
    assert known == same
    assert result.execution.type == "tfx_wine_ext.components.table_example_gen.TableExampleGen"


def test_a_cached_result_is_used_until_the_content_changes(tmp_path):
    file = tmp_path / "avro" / "a.avro"
    avro_file(file)
    with FakeMetadata() as metadata:

        def run():
            return launch(
                TableExampleGen(Files(str(tmp_path / "avro"))),
                store=metadata,
                pipeline_root=tmp_path / "root",
                enable_cache=True,
            )

        assert not run().cached
        avro_file(file)  # The same rows, and another mark between blocks.
        assert run().cached
        avro_file(file, WINES[:4])
        assert not run().cached


@both_paths
def test_the_version_of_a_delta_table_that_the_driver_has_seen_is_read(tmp_path, path, monkeypatch):
    lake = ByHand(tmp_path / "lake", [column("x", "long")], ["deletionVectors"])
    deleted = lake.deletion_vector([1])
    lake.add("a.parquet", pa.table({"x": [1, 2, 3]}), None, deleted, row_group_size=2)
    pinned = Delta.pinned

    def written_to(config):
        seen = pinned(config)
        lake.add(f"{lake.version}.parquet", pa.table({"x": [4]}))
        return seen

    monkeypatch.setattr(Delta, "pinned", written_to)
    with FakeMetadata() as metadata:

        def run(**how):
            source = Delta(str(lake), **how)
            example_gen = TableExampleGen(source, output_config=ALL)
            where = {"path": path, "store": metadata, "pipeline_root": tmp_path / "root"}
            result = launch(example_gen, enable_cache=True, **where)
            [examples] = result.outputs["examples"]
            found = json.loads(examples.custom_properties["source"])["single_split"]
            rows = sorted(row["x"][0] for row in read_examples(examples, "all"))
            return result.cached, found["version"], rows

        assert run() == (False, 1, [1, 3])
        lake.commit({"commitInfo": {"operation": "VACUUM END"}})  # Version 3.
        assert run() == (False, 2, [1, 3, 4])
        assert run(version=2) == (True, 2, [1, 3, 4])


def test_splits_of_the_input_are_tables_of_their_own(tmp_path, memory):
    avro_file(tmp_path / "avro" / "a.avro", WINES[:2])
    memory["tables"]["select"] = [{"x": 1}, {"x": 2}, {"x": 3}]
    sources = {"train": Files(str(tmp_path / "avro")), "eval": Memory("select")}
    with FakeMetadata() as metadata:
        result = launch(TableExampleGen(sources), store=metadata, pipeline_root=tmp_path / "root")
        [examples] = result.outputs["examples"]
    assert [row["quality"] for row in read_examples(examples, "train")] == [[5], [0]]
    assert read_examples(examples, "eval") == [{"x": [1]}, {"x": [2]}, {"x": [3]}]
    assert examples.custom_properties["input_fingerprint"].endswith(",eval:rows-3")
    assert examples.custom_properties["content_fingerprint"].endswith(",rows-3")


@both_paths
def test_the_newest_span_of_files_and_its_date_are_found_as_tfx_finds_them(tmp_path, path):
    for day, rows in (("2026-01-02", WINES[:1]), ("2026-01-03", WINES[:2])):
        avro_file(tmp_path / "avro" / day / "a.avro", rows)
    source = Files(str(tmp_path / "avro"), "{YYYY}-{MM}-{DD}/*")
    with FakeMetadata() as metadata:
        where = {"path": path, "store": metadata, "pipeline_root": tmp_path / "root"}
        [examples] = launch(TableExampleGen(source), **where).outputs["examples"]
    known = examples.custom_properties
    assert (known["rows"], known["span"], known["span_date"]) == (2, 20456, "2026-01-03")
    assert json.loads(known["source"])["single_split"]["pattern"] == "2026-01-03/*"


@both_paths
def test_the_span_of_a_query_is_the_one_that_is_asked_for(tmp_path, memory, path):
    query = "select * where span = {SPAN} and t >= @span_begin_timestamp"
    resolved = "select * where span = 3 and t >= 259200"
    memory["tables"][resolved] = [{"x": 1}]
    with FakeMetadata() as metadata:
        where = {"path": path, "store": metadata, "pipeline_root": tmp_path / "root"}
        example_gen = TableExampleGen(Memory(query), range_config=SPAN_3, output_config=ALL)
        [examples] = launch(example_gen, **where).outputs["examples"]
    known = examples.custom_properties
    assert (known["rows_all"], known["span"], known["span_date"]) == (1, 3, "1970-01-04")
    assert json.loads(known["source"]) == {"single_split": {"query": resolved, "source": "memory"}}


def test_a_source_that_cannot_tell_whether_it_changed_is_read_in_every_run(tmp_path, memory):
    memory.update(is_known=False, tables={"select": [{"x": 1}]})
    with FakeMetadata() as metadata:
        fingerprints = set()
        for _ in range(2):
            example_gen = TableExampleGen(Memory("select"))
            result = launch(
                example_gen,
                store=metadata,
                pipeline_root=tmp_path / "root",
                enable_cache=True,
            )
            assert not result.cached
            [examples] = result.outputs["examples"]
            assert "content_fingerprint" not in examples.custom_properties
            fingerprints.add(examples.custom_properties["input_fingerprint"])
    assert len(fingerprints) == 2


def test_a_table_that_changed_after_the_driver_had_read_it_is_an_error(
    tmp_path, memory, monkeypatch
):
    memory["tables"]["select"] = [{"x": 1}]
    fingerprints = iter(["before", "after"])
    monkeypatch.setattr(MemorySource, "fingerprint", lambda self: next(fingerprints))
    with FakeMetadata() as metadata:
        with pytest.raises(
            Exception, match="memory: it changed after the driver had read it; run again"
        ):
            launch(
                TableExampleGen(Memory("select")), store=metadata, pipeline_root=tmp_path / "root"
            )
        assert [execution.state for execution in metadata.executions()] == ["FAILED"]
        assert metadata.artifacts("Examples") == [] or not any(
            artifact.state == "LIVE" for artifact in metadata.artifacts("Examples")
        )
    assert [path for path in (tmp_path / "root").rglob("*.gz")] == []


@pytest.mark.parametrize(
    ("source", "range_config", "message"),
    [
        (Files("x", "{SPAN}/{YYYY}"), None, "^x/{SPAN}/{YYYY}: Either span spec or date specs"),
        (Memory("{VERSION}"), None, "^memory: expected no version in a query, .*found {VERSION}"),
        (
            {"a": Files("x", "{SPAN}/*"), "b": Files("y", "{SPAN}/*")},
            None,
            "^source: expected one folder in which to look for the span, found x and y; name a",
        ),
        ({}, None, "^source: expected at least one split, found none"),
        ("wines", None, "^source: expected a description, such as .* found 'single_split': str"),
        ({"a b": Files("x")}, None, "^source: expected names of splits, .* found 'a b'"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_runs(source, range_config, message):
    with pytest.raises(ValueError, match=message):
        TableExampleGen(source, range_config=range_config)


def test_arguments_that_contradict_each_other_are_refused():
    two = {"a": Files("x"), "b": Files("y")}
    for arguments, message in (
        ({"columns": "x"}, "^columns: expected a sequence of column names, found the text 'x'"),
        ({"columns": ["x"], "exclude_columns": ["x"]}, "^columns and exclude_columns: both name"),
        ({"output_data_format": 7}, "^output_data_format: expected FORMAT_TF_EXAMPLE or"),
        ({"source": two, "output_config": ALL}, "^source and output_config: .*"),
        ({"num_shards": 0}, "^num_shards: expected a whole number of at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            TableExampleGen(**{"source": Files("x"), **arguments})


def test_examples_are_split_again_and_filtered(tmp_path):
    parquet_file(tmp_path / "wines" / "a.parquet", WINES)
    with FakeMetadata() as metadata:
        where = {"store": metadata, "pipeline_root": tmp_path / "root"}
        example_gen = ParquetExampleGen(str(tmp_path / "wines"), output_config=ALL)
        [before] = launch(example_gen, **where).outputs["examples"]
        example_gen = TableExampleGen(
            Files(before.uri, "Split-all/*"), filters=[("quality", ">", 0)], output_config=ALL
        )
        [after] = launch(example_gen, **where).outputs["examples"]
    copied = [row for row in read_examples(before, "all") if row.get("quality", [0]) > [0]]
    assert read_examples(after, "all") == copied
    assert [row["quality"] for row in copied] == [[5], [2**40]]


def test_without_a_driver_the_executor_resolves_the_span_and_looks_at_the_table(tmp_path):
    """As on Kubeflow, where no driver of ours runs."""
    for span, rows in ((1, WINES), (2, WINES[:2])):
        avro_file(tmp_path / "avro" / str(span) / "a.avro", rows)
    source = Files(str(tmp_path / "avro"), "{SPAN}/*")
    example_gen = TableExampleGen(source, output_config=ALL)
    examples = standard_artifacts.Examples()
    examples.uri = str(tmp_path / "examples")
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=[], tmp_dir=str(tmp_path / "tmp"), unique_id="1"
    )
    properties = dict(example_gen.exec_properties)
    TableExecutor(context).Do({}, {"examples": [examples]}, properties)
    known = properties_of(examples)
    assert (known["span"], known["rows_all"]) == (2, 2)
    assert known["input_fingerprint"] == f"single_split:{known['content_fingerprint']}"
    assert json.loads(known["source"])["single_split"]["pattern"] == "2/*"
    assert len(read_examples(examples, "all")) == 2
