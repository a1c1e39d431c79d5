"""What the driver decides before anything is read: whether to run at all, and on which files."""

from __future__ import annotations

import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf import json_format
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.proto import example_gen_pb2

from tfx_wine_ext.components.parquet_example_gen import ParquetExampleGen
from tfx_wine_ext.executors.parquet_example_gen import ParquetExecutor
from tfx_wine_ext.sources.footers import ParquetFileError
from tfx_wine_ext.testing import FakeMetadata, launch, parquet_file, read_examples

both_paths = pytest.mark.parametrize("path", ["ir", "notebook"])


@pytest.fixture
def data(tmp_path):
    """A folder with the files that every test starts from."""
    parquet_file(tmp_path / "data" / "a.parquet", [{"x": 1}, {"x": 2}])
    parquet_file(tmp_path / "data" / "b.parquet", [{"x": 3}])
    return tmp_path / "data"


def touch(data):
    os.utime(data / "a.parquet", (1, 1))


def copy_over(data):
    shutil.copy(data / "a.parquet", data.parent / "copy")
    (data / "a.parquet").unlink()
    shutil.copy(data.parent / "copy", data / "a.parquet")


def write_again(data):
    parquet_file(data / "a.parquet", [{"x": 1}, {"x": 2}])


def change_a_value(data):
    parquet_file(data / "a.parquet", [{"x": 1}, {"x": 4}])


def change_a_value_and_keep_size_and_time(data):
    path = data / "a.parquet"
    before, content = path.stat(), path.read_bytes()
    changed = content.replace((2).to_bytes(8, "little"), (4).to_bytes(8, "little"))
    path.write_bytes(changed)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert changed != content
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def add_a_file(data):
    parquet_file(data / "c.parquet", [{"x": 3}])


def remove_a_file(data):
    (data / "b.parquet").unlink()


def swap_two_files(data):
    (data / "a.parquet").rename(data / "c")
    (data / "b.parquet").rename(data / "a.parquet")
    (data / "c").rename(data / "b.parquet")


def launch_twice(data, path, change, **options):
    with FakeMetadata() as store:
        where = {
            "path": path,
            "store": store,
            "pipeline_root": data.parent / "root",
            "enable_cache": True,
        }
        first = launch(ParquetExampleGen(str(data)), **where)
        change(data)
        return first, launch(ParquetExampleGen(str(data), **options), **where)


@both_paths
@pytest.mark.parametrize("change", [touch, copy_over, write_again])
def test_the_cached_result_stands_when_the_content_is_the_same(data, path, change):
    first, second = launch_twice(data, path, change)

    assert (first.cached, second.cached) == (False, True)
    assert second.outputs == first.outputs


@both_paths
@pytest.mark.parametrize("change", [change_a_value, add_a_file, remove_a_file, swap_two_files])
def test_the_cached_result_does_not_stand_when_the_content_changed(data, path, change):
    first, second = launch_twice(data, path, change)

    assert (first.cached, second.cached) == (False, False)
    [before], [after] = first.outputs["examples"], second.outputs["examples"]
    fingerprints = {each.custom_properties["content_fingerprint"] for each in (before, after)}
    assert len(fingerprints) == 2


def test_a_value_that_changed_with_size_and_time_kept_is_noticed(data):
    # As plain as Parquet can be: the values stand there as they are, and the footer has no
    # statistics of them.
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    pq.write_table(pa.table({"x": [1, 2]}), data / "a.parquet", **plain)

    _, second = launch_twice(data, "ir", change_a_value_and_keep_size_and_time)

    [examples] = second.outputs["examples"]
    rows = [row["x"][0] for split in ("train", "eval") for row in read_examples(examples, split)]
    assert (second.cached, sorted(rows)) == (False, [1, 3, 4])


@both_paths
@pytest.mark.parametrize(
    "options",
    [
        {"cast": {"x": "float32"}},
        {"filters": [("x", ">", 1)]},
        {"shuffle_seed": 1},
        {"num_shards": 2},
        {"output_data_format": example_gen_pb2.FORMAT_PARQUET},
    ],
    ids=lambda options: next(iter(options)),
)
def test_the_cached_result_does_not_stand_when_an_option_changed(data, path, options):
    _, second = launch_twice(data, path, lambda data: None, **options)

    assert second.cached is False


class NeverExecutor(ParquetExecutor):
    """Must not be run."""

    def Do(self, *arguments):  # noqa: N802
        raise AssertionError("the executor was run")


def refused(data, path, error, match, **options):
    """Launches, and checks that the driver refuses and leaves nothing behind."""
    component = ParquetExampleGen(
        str(data), custom_executor_spec=BeamExecutorSpec(NeverExecutor), **options
    )
    root = data.parent / "root"
    with FakeMetadata() as store:
        with pytest.raises(error, match=match):
            launch(component, path=path, store=store, pipeline_root=root)
        assert [artifact for artifact in store.artifacts() if artifact.state == "LIVE"] == []
    assert list(root.rglob("Split-*")) == []


@both_paths
def test_all_columns_that_cannot_become_features_are_named_in_one_error(data, path):
    pairs = pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))
    table = pa.table({"x": [1], "pairs": pairs, "matrix": [[[1, 2]]]})
    parquet_file(data / "a.parquet", table)

    match = (
        r"(?s)data/a\.parquet: .* found 2 .*'pairs': .*: a map .*'matrix': list.*: a list of lists"
        r".*exclude_columns=\('pairs', 'matrix'\)"
    )
    refused(data, path, ValueError, match)


@both_paths
def test_a_folder_without_files_is_refused(tmp_path, path):
    (tmp_path / "data").mkdir()

    refused(tmp_path / "data", path, FileNotFoundError, r"data/\*: .* found none")


def truncate(path):
    path.write_bytes(path.read_bytes()[:-10])


def empty(path):
    path.write_bytes(b"")


def replace_by_csv(path):
    path.write_text("x\n1\n2\n3\n4\n5\n6\n", encoding="utf-8")


def damage_the_footer(path):
    content = path.read_bytes()
    path.write_bytes(content[:-60] + bytes(50) + content[-10:])


@both_paths
@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (truncate, "ends with .*truncated"),
        (empty, "found 0 bytes"),
        (replace_by_csv, "starts with .*another kind of file"),
        (damage_the_footer, "footer"),
    ],
)
def test_a_file_that_is_no_sound_parquet_file_is_refused_by_name(data, path, damage, found):
    damage(data / "b.parquet")

    refused(data, path, ParquetFileError, rf"data/b\.parquet: .*{found}")


def splits(**patterns):
    splits = [{"name": name, "pattern": pattern} for name, pattern in patterns.items()]
    return json_format.ParseDict({"splits": splits}, example_gen_pb2.Input())


@both_paths
def test_a_span_that_is_not_there_is_refused(data, path):
    match = r"input_base .*data: Cannot find matching for split all based on {SPAN}/\*"
    refused(data, path, ValueError, match, input_config=splits(all="{SPAN}/*"))


@both_paths
def test_a_split_without_files_is_refused(data, path):
    config = splits(train="a*", test="no-such-*")
    refused(
        data,
        path,
        FileNotFoundError,
        r"no-such-\*: .* found none",
        input_config=config,
    )


def partition_by(feature):
    config = {"splits": [{"name": "a", "hash_buckets": 1}, {"name": "b", "hash_buckets": 1}]}
    config["partition_feature_name"] = feature
    return json_format.ParseDict({"split_config": config}, example_gen_pb2.Output())


@both_paths
@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"columns": ["y"]}, r"a\.parquet: .*'y'"),
        ({"exclude_columns": ["y"]}, r"a\.parquet: .*'y'"),
        ({"cast": {"y": "bytes"}}, r"a\.parquet: .*'y'"),
        (
            {"filters": [("y", ">", 1)]},
            "filters: expected the name .*, found 'y'; the columns are x",
        ),
        (
            {"filters": [("x", ">", "much")]},
            "filters: expected a value of column 'x'.*, found 'much'",
        ),
        (
            {"output_config": partition_by("y")},
            "partition_feature_name: expected the name .*, found 'y'; the fea",
        ),
        (
            {"output_config": partition_by("x"), "cast": {"x": "float32"}},
            "partition_feature_name: expected a feature of bytes or int64, found 'x', a col",
        ),
    ],
    ids=[
        "columns",
        "exclude_columns",
        "cast",
        "filters, column",
        "filters, value",
        "partition, column",
        "partition, kind",
    ],
)
def test_an_option_that_does_not_fit_the_files_is_refused(data, path, options, match):
    refused(data, path, ValueError, match, **options)


@both_paths
def test_files_of_different_schemas_are_refused_and_both_named(data, path):
    parquet_file(data / "b.parquet", [{"x": "1"}])

    match = r"b\.parquet: expected the schema .*a\.parquet, found that column 'x' is int64 .* str"
    refused(data, path, ValueError, match)


@both_paths
def test_files_of_different_schemas_are_read_as_one_on_demand(data, path):
    parquet_file(data / "b.parquet", [{"x": 2.5, "y": "new"}])

    config = {"split_config": {"splits": [{"name": "all", "hash_buckets": 1}]}}
    component = ParquetExampleGen(
        str(data),
        unify_schemas=True,
        output_config=json_format.ParseDict(config, example_gen_pb2.Output()),
    )
    [examples] = launch(component, path=path, pipeline_root=data.parent / "root").outputs[
        "examples"
    ]
    assert read_examples(examples, "all") == [
        {"x": [1.0]},
        {"x": [2.0]},
        {"x": [2.5], "y": [b"new"]},
    ]


def test_a_component_that_runs_again_in_a_notebook_looks_for_the_newest_span_again(tmp_path):
    pattern = example_gen_pb2.Input.Split(name="train", pattern="span-{SPAN}/*")
    component = ParquetExampleGen(
        str(tmp_path / "data"), input_config=example_gen_pb2.Input(splits=[pattern])
    )
    spans = []
    with FakeMetadata() as store:
        for span in (1, 2):
            parquet_file(tmp_path / "data" / f"span-{span}" / "a.parquet", [{"x": float(span)}])
            root = tmp_path / "root"
            result = launch(component, path="notebook", store=store, pipeline_root=root)
            spans.append(result.outputs["examples"][0].custom_properties["span"])
    assert spans == [1, 2]
