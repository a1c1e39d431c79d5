import pyarrow as pa
import pyarrow.feather
import pytest

from tfx_wine_ext.files.local import RemoteError
from tfx_wine_ext.sources import Files
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import TableFileError


@pytest.fixture
def folder(tmp_path):
    """Two files of one table, in folders that are partitions."""
    for colour, values in (("red", [1.0]), ("white", [2.0, 3.0])):
        path = tmp_path / "wines" / f"colour={colour}"
        path.mkdir(parents=True)
        pyarrow.feather.write_feather(pa.table({"x": values}), str(path / "a.feather"))
    return tmp_path


def rows_of(source):
    with source.snapshot() as held:
        return pa.Table.from_batches(held.batches(), held.schema).to_pydict()


def test_files_are_opened_with_their_partitions_or_without(folder):
    config = Files(str(folder / "wines"), "*/*.feather")
    assert rows_of(config.open(Reading(root=""))) == {
        "x": [1.0, 2.0, 3.0],
        "colour": ["red", "white", "white"],
    }
    assert rows_of(config.open(Reading())) == {"x": [1.0, 2.0, 3.0]}


def test_all_files_of_a_folder_are_read_with_those_below_partitions(folder):
    assert rows_of(Files(str(folder / "wines")).open(Reading(root=""))) == {
        "x": [1.0, 2.0, 3.0],
        "colour": ["red", "white", "white"],
    }


@pytest.mark.parametrize("pattern", ["*", "*.feather", "a.feather"])
def test_brackets_in_the_name_of_a_folder_match_no_other_folder(tmp_path, pattern):
    for name, value in (("run[1]", 1.0), ("run1", 2.0)):
        (tmp_path / name).mkdir()
        pyarrow.feather.write_feather(pa.table({"x": [value]}), str(tmp_path / name / "a.feather"))
    source = Files(str(tmp_path / "run[1]"), pattern)
    assert rows_of(source.open(Reading(root=""))) == {"x": [1.0]}
    (tmp_path / "run[1]" / "a.feather").unlink()
    with pytest.raises(TableFileError, match="found no"):
        source.open(Reading(root=""))


def test_a_relative_path_is_read_from_anywhere(folder, monkeypatch):
    monkeypatch.chdir(folder)
    source = Files("wines", "**/*").open(Reading(root=""))
    monkeypatch.chdir("/")
    assert source.names == ["x", "colour"]
    assert rows_of(source)["x"] == [1.0, 2.0, 3.0]


def test_the_format_can_be_named(folder):
    with pytest.raises(TableFileError, match="expected an Avro file, which begins with"):
        Files(str(folder / "wines"), "*/*", "avro").open(Reading())


def test_a_pattern_without_files_and_a_password_are_refused(folder):
    with pytest.raises(TableFileError, match=r"wines/\*.avro: expected a file, .*found nothing th"):
        Files(str(folder / "wines"), "*.avro").open(Reading())
    with pytest.raises(RemoteError, match=r"s3://me:\*\*\*@wine: expected an address without"):
        Files("s3://me:hunter2@wine")
