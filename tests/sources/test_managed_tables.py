"""Folders of Delta Lake, Iceberg, Hudi, Paimon and Hive ACID tables are no folders of rows."""

from __future__ import annotations

import json
import os
import re

import pyarrow as pa
import pytest

from tests.columnar.shards import FILES, write
from tfx_wine_ext.cli import main
from tfx_wine_ext.files.local import LocalFiles
from tfx_wine_ext.sources.footers import ParquetFileError, find_files, read_footers
from tfx_wine_ext.sources.managed_tables import managed_table_of

UUID = "6c9f2a4e-4a4e-4f58-8d1b-3f3f0f6f1c11"
MARKERS = {
    "Delta Lake": "_delta_log/00000000000000000000.json",
    "Delta Lake, of a name to come": "_delta_log/x",
    "Delta Lake, its log cut to a checkpoint": "_delta_log/00000000000000000010.checkpoint.parquet",
    "Delta Lake, a checkpoint in parts": "_delta_log/_last_checkpoint",
    "Iceberg": "metadata/v3.metadata.json",
    "Iceberg, of a catalog": f"metadata/00004-{UUID}.metadata.json",
    "Iceberg, gzipped": "metadata/v1.gz.metadata.json",
    "Iceberg, gzipped by its name": "metadata/v1.metadata.json.gz",
    "Iceberg, of which only the hint is left": "metadata/version-hint.text",
    "Hudi": ".hoodie/hoodie.properties",
    "Paimon": "snapshot/snapshot-1",
}
# Files of a table whose folder is "table", and patterns that match them.
PLACES = {
    "part-0.parquet": ["table/*", "table/*.parquet", "*/*.parquet", "table/**"],
    "data/part-0.parquet": ["table/data/*", "table/*/*.parquet", "table/**/*.parquet"],
    "year=2024/region=n/part-0.parquet": [
        "table/**/*.parquet",
        "table/year=2024/*/*.parquet",
        "table/year=2024/region=n/*",
        "table/year=2024/region=n/part-0.parquet",
    ],
}
CASES = [(place, pattern) for place, patterns in PLACES.items() for pattern in patterns]


def rows(path):
    return write(str(path), pa.table({"x": [1, 2, 3]}))


def mark(folder, marker):
    path = folder / marker
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")


@pytest.mark.parametrize("marker", MARKERS.values(), ids=list(MARKERS))
@pytest.mark.parametrize(("place", "pattern"), CASES)
def test_files_of_a_managed_table_are_refused_from_wherever_the_pattern_looks(
    tmp_path, marker, place, pattern
):
    path = rows(tmp_path / "table" / place)
    mark(tmp_path / "table", marker)
    found = [p for p in find_files(f"{tmp_path}/{pattern}", FILES) if p.endswith("part-0.parquet")]
    assert found == [path]
    name = next(name for name in MARKERS if MARKERS[name] == marker).partition(",")[0]
    remedy = rf"read it with a reader of {name} tables .* write the required rows to plain"
    if name == "Delta Lake":
        source = re.escape(f"sources.Delta('{tmp_path}/table')")
        remedy = (
            rf"read the table by TableExampleGen\(source={source}\) or name its folder, .*/table"
        )
    if name == "Iceberg":
        remedy = (
            r"read the table by TableExampleGen\(source=sources.Iceberg\('NAMESPACE.TABLE'\)\), by "
            r"the name that its catalog knows or describe it so in a file NAME.source.yaml for "
        )
    message = (
        rf"^{re.escape(path)}: belongs to an? {name} table "
        rf"\({re.escape(str(tmp_path))}/table\), whose folder also holds rows that were deleted or "
        rf"replaced; {remedy}"
    )
    with pytest.raises(ParquetFileError, match=message) as caught:
        read_footers(found, FILES)
    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize(
    ("folder", "table"),
    [
        ("base_0000002", "table"),
        ("delta_0000001_0000001", "table"),
        ("delta_0000001_0000001_0000", "table"),
        ("delta_0000001_0000004_v0000012", "table"),
        ("year=2024/delete_delta_0000003_0000003_0000", "table/year=2024"),
    ],
)
def test_files_of_a_transactional_hive_table_are_refused(tmp_path, folder, table):
    path = rows(tmp_path / "table" / folder / "000000_0")
    message = rf"belongs to a transactional Hive table \({re.escape(f'{tmp_path}/{table}')}\)"
    with pytest.raises(ParquetFileError, match=message):
        read_footers([path], FILES)


@pytest.mark.parametrize(
    "beside",
    [
        "metadata/readme.json",
        "snapshot/2024.parquet",
        "metadata/",
        "a.metadata.json",
        "_delta_log",
        "_SUCCESS",
        "_metadata",
        "other/_delta_log/00000000000000000000.json",
        "base_x/a",
        "delta_1/a",
    ],
)
def test_files_beside_what_only_looks_alike_are_read(tmp_path, beside):
    path = rows(tmp_path / "in" / "a.parquet")
    if beside.endswith("/"):
        (tmp_path / "in" / beside).mkdir()
    else:
        mark(tmp_path / "in", beside)
    assert read_footers([path], FILES)[0].rows == 3


def test_the_first_file_of_a_table_is_named_among_plain_ones(tmp_path):
    paths = [rows(tmp_path / "plain" / "a"), rows(tmp_path / "table" / "b")]
    mark(tmp_path / "table", MARKERS["Hudi"])
    found = managed_table_of(paths, FILES)
    assert (found.format, found.folder, found.path) == ("Hudi", f"{tmp_path}/table", paths[1])
    assert managed_table_of(paths[:1], FILES) is None
    assert managed_table_of([], FILES) is None


def test_a_checkpoint_of_delta_lake_named_as_such_is_a_file_like_any_other(tmp_path):
    mark(tmp_path / "table", MARKERS["Delta Lake"])
    path = rows(tmp_path / "table" / "_delta_log" / "00000000000000000010.checkpoint.parquet")
    assert read_footers([path], FILES)[0].rows == 3


@pytest.mark.parametrize("of", ["the file", "the folder"])
def test_links_do_not_hide_a_table(tmp_path, of):
    path = rows(tmp_path / "table" / "year=2024" / "a.parquet")
    mark(tmp_path / "table", MARKERS["Delta Lake"])
    if of == "the file":
        (tmp_path / "in").mkdir()
        os.symlink(path, tmp_path / "in" / "a.parquet")
    else:
        os.symlink(tmp_path / "table" / "year=2024", tmp_path / "in")
    with pytest.raises(ParquetFileError, match=r"in/a.parquet: belongs to a Delta Lake table"):
        read_footers([f"{tmp_path}/in/a.parquet"], FILES)


def test_relative_paths_and_folders_with_wildcards_in_their_names_are_looked_at_as_well(
    tmp_path, monkeypatch
):
    rows(tmp_path / "wines [1]*" / "a.parquet")
    mark(tmp_path / "wines [1]*", MARKERS["Iceberg"])
    monkeypatch.chdir(tmp_path / "wines [1]*")
    with pytest.raises(ParquetFileError, match=r"^a.parquet: belongs to an Iceberg"):
        read_footers(["a.parquet"], FILES)


def test_on_an_object_store_every_folder_up_to_the_bucket_is_asked_for_and_no_further():
    class Store(LocalFiles):
        def __init__(self):
            self.asked = []

        def glob(self, pattern):
            self.asked.append(pattern)
            if pattern.startswith("gs://bucket/_delta_log"):
                return ["gs://bucket/_delta_log/00000000000000000000.json"]
            if pattern.startswith("gs://bucket/a"):
                raise PermissionError("no list permission")
            return []

    store = Store()
    found = managed_table_of(["gs://bucket/a/b/c.parquet"], store)
    assert (found.format, found.folder) == ("Delta Lake", "gs://bucket")
    assert {pattern.rpartition("/")[0] for pattern in store.asked} == {
        f"gs://bucket{folder}/{own}"
        for folder in ("", "/a", "/a/b")
        for own in (".hoodie", "_delta_log", "metadata", "snapshot")
    }


def test_a_store_is_asked_once_for_all_folders_that_are_beside_each_other():
    class Store(LocalFiles):
        def __init__(self):
            self.asked = []

        def glob(self, pattern):
            self.asked.append(pattern)
            if pattern == "s3://bucket/t/*/_delta_log/*":
                return ["s3://bucket/t/p=70/_delta_log/00000000000000000000.json"]
            return []

    store = Store()
    found = managed_table_of([f"s3://bucket/t/p={n}/{n}.parquet" for n in range(1000)], store)
    assert found.path == "s3://bucket/t/p=70/70.parquet"
    assert len(store.asked) == 15  # for five markers: the bucket, the folder, those in it


def test_the_commands_refuse_it_and_ingest_writes_nothing(tmp_path, capsys):
    path = rows(tmp_path / "table" / "part-0.parquet")
    plain = rows(tmp_path / "plain.parquet")
    mark(tmp_path / "table", MARKERS["Delta Lake"])
    for arguments in (
        ["ingest", f"{tmp_path}/table/*.parquet", str(tmp_path / "out")],
        ["ingest", str(tmp_path / "table"), str(tmp_path / "out"), "--format", "parquet"],
        ["drift", plain, f"{tmp_path}/table/*"],
        ["drift", path, plain, "--json", "-"],
    ):
        assert main(arguments) == 2
        assert "part-0.parquet: belongs to a Delta Lake table" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_csv_in_such_a_folder_is_no_concern_of_it(tmp_path, capsys):
    mark(tmp_path, MARKERS["Iceberg"])
    (tmp_path / "a.csv").write_text("x\n1\n2\n")
    assert main(["drift", f"{tmp_path}/a.csv", f"{tmp_path}/a.csv", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["features"][0]["name"] == "x"


def test_an_empty_log_folder_tells_as_well(tmp_path):
    path = rows(tmp_path / "table" / "a.parquet")
    (tmp_path / "table" / "_delta_log").mkdir()
    with pytest.raises(ParquetFileError, match="belongs to a Delta Lake table"):
        read_footers([path], FILES)
