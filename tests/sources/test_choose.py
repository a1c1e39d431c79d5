import gzip
import io
import os
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_wine_ext.columnar import encode_examples, frame_records, plan_features
from tfx_wine_ext.files.arrow import ArrowFiles
from tfx_wine_ext.sources.choose import (
    examples_splits,
    find_table_files,
    open_files,
    open_table,
    split_folder,
)
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import TableFileError

TABLE = pa.table({"x": [1.5, 2.5], "y": ["a", "b"]})


def parquet_bytes():
    sink = pa.BufferOutputStream()
    pq.write_table(TABLE, sink)
    return sink.getvalue().to_pybytes()


CSV = b"x,y\n1.5,a\n2.5,b\n"
PARQUET = parquet_bytes()
TFRECORD = frame_records(
    encode_examples(TABLE.to_batches()[0], plan_features(TABLE.schema))
).tobytes()


@pytest.fixture
def folder(tmp_path):
    """A folder that files are written to by `write`."""
    return tmp_path


def write(folder, **files):
    """Writes files; `__` in a name stands for a dot, `_in_` for a folder."""
    for name, content in files.items():
        path = folder / name.replace("_in_", "/").replace("__", ".")
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content)


def found(pattern, folder):
    return [os.path.relpath(path, folder) for path in find_table_files(str(pattern))]


@pytest.mark.parametrize("kind", [None, "csv", "parquet", "tfrecord"])
def test_a_pipe_is_refused_at_once_whatever_it_is_said_to_hold(folder, kind):
    os.mkfifo(folder / "a.csv")
    with pytest.raises(TableFileError, match=r"a\.csv: .*a pipe.*; write its content to a file"):
        open_table(str(folder / "a.csv"), kind=kind)


# Which files.


def test_a_file_is_itself_a_folder_its_files_and_a_pattern_what_matches(folder):
    write(folder, b__csv=CSV, a__csv=CSV, sub_in_c__csv=CSV, _SUCCESS=b"", __hidden=b"")
    assert found(folder / "a.csv", folder) == ["a.csv"]
    assert found(folder / "_SUCCESS", folder) == ["_SUCCESS"]
    assert found(folder, folder) == ["a.csv", "b.csv"]
    assert found(f"{folder}/", folder) == ["a.csv", "b.csv"]
    assert found(folder / "[ab]*", folder) == ["a.csv", "b.csv"]
    assert found(folder / "*", folder) == ["a.csv", "b.csv"]
    assert found(folder / "**/*.csv", folder) == ["a.csv", "b.csv", "sub/c.csv"]


def test_what_lies_below_hidden_folders_is_found_only_where_the_pattern_names_them(folder):
    names = ("_temporary/0", ".staging", "_old", "a/_old", "a", "_day=1")
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "x.csv").write_bytes(CSV)
    assert found(folder / "**/*.csv", folder) == ["_day=1/x.csv", "a/x.csv"]
    assert found(folder / "*/*.csv", folder) == ["_day=1/x.csv", "a/x.csv"]
    assert found(folder / "**/_old/*", folder) == ["_old/x.csv", "a/_old/x.csv"]
    assert found(folder / "_temporary/**/*.csv", folder) == ["_temporary/0/x.csv"]
    assert found(folder / ".staging", folder) == [".staging/x.csv"]
    with pytest.raises(TableFileError, match=r"hidden files only \(.*a/_old/x.csv\); names that"):
        find_table_files(f"{folder}/a/[_]old/*")


def test_a_file_whose_name_looks_like_a_pattern_is_found(folder):
    (folder / "a[1].csv").write_bytes(CSV)
    assert found(folder / "a[1].csv", folder) == ["a[1].csv"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nothing.csv", "expected a file, a folder or a pattern that matches, found nothing there"),
        ("*.csv", "expected a file, a folder or a pattern that matches, found nothing there"),
        ("empty", "expected files in this folder, found none"),
        ("nested", "expected files in this folder, found only folders; .* '.*/nested/\\*\\*/\\*'"),
        ("nest*", "matches folders only; match what is in them: .*nest\\*/\\*"),
    ],
)
def test_where_there_are_no_files_the_error_says_what_is_there(folder, path, message):
    write(folder, nested_in_sub_in_a__csv=CSV, empty_in__SUCCESS=b"")
    path = str(folder / path)
    with pytest.raises(TableFileError, match=f"^{re.escape(path)}: {message}"):
        find_table_files(path)


# Which format.


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.parquet", PARQUET, "parquet"),
        ("a.PQ", PARQUET, "parquet"),
        ("part-00000", PARQUET, "parquet"),
        ("a.csv", CSV, "csv"),
        ("a.csv.gz", gzip.compress(CSV), "csv"),
        ("a.tsv", CSV.replace(b",", b"\t"), "csv"),
        ("a.tfrecord", TFRECORD, "tfrecord"),
        ("a.tfrecords.gz", gzip.compress(TFRECORD), "tfrecord"),
        ("data_tfrecord-00000-of-00001.gz", gzip.compress(TFRECORD), "tfrecord"),
        ("data_tfrecord-00000-of-00001", TFRECORD, "tfrecord"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_format_is_told_by_the_name_or_else_by_the_first_bytes(folder, name, content, kind):
    (folder / name).write_bytes(content)
    table = open_table(str(folder / name))
    rows = pa.Table.from_batches(table.batches()).to_pylist()
    text = [row["y"][0] if kind == "tfrecord" else row["y"] for row in rows]
    assert table.kind == kind
    assert text == (["a", "b"] if kind == "parquet" else [b"a", b"b"])


@pytest.mark.parametrize("name", ["ORCID", "PAR1", "FEA1", "ARROW1"])
def test_a_column_named_like_the_first_bytes_of_a_format_does_not_make_it_one(folder, name):
    (folder / "a.csv").write_text(f"{name},x\n1,2\n")
    assert open_table(str(folder / "a.csv")).names == [name, "x"]


def test_a_format_that_is_said_needs_no_name(folder):
    write(folder, table__txt=CSV)
    assert open_table(str(folder / "table.txt"), kind="csv").kind == "csv"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", CSV, "neither its name nor its first bytes tell its format"),
        ("a.csv", PARQUET, "is named .csv but holds parquet"),
        ("a.parquet", TFRECORD, "is named .parquet but holds tfrecord"),
        ("a.csv.gz", gzip.compress(TFRECORD), "is named .csv but holds tfrecord"),
        ("a.csv.zst", b"\x28\xb5\x2f\xfd__", "cannot be unpacked .* truncated or corrupt"),
        ("a.zip", b"PK\x03\x04__", "expected a table, found a zip archive; unpack it first"),
        ("a.csv.gz", gzip.compress(CSV)[:12], "cannot be unpacked .* truncated or corrupt"),
    ],
)
def test_a_file_of_unclear_format_is_refused_by_name(folder, name, content, message):
    path = str(folder / name)
    (folder / name).write_bytes(content)
    with pytest.raises(TableFileError, match=f"^{re.escape(path)}: {message}"):
        open_table(path)


def test_files_of_two_kinds_are_refused_by_an_example_of_each(folder):
    write(folder, a__csv=CSV, b__csv=CSV, c__parquet=PARQUET)
    with pytest.raises(
        TableFileError,
        match=r"^expected files of one kind, found 2 of csv \(.*a.csv\) and 1 of parquet \(.*c.par",
    ):
        open_table(str(folder))


def test_tables_without_a_row_are_refused(folder):
    pq.write_table(TABLE.slice(0, 0), folder / "a.parquet")
    with pytest.raises(TableFileError, match=r"a.parquet: expected at least one row, found none"):
        open_table(str(folder / "a.parquet"))


def test_what_is_there_and_cannot_be_opened_is_an_error_that_says_why(folder):
    (folder / "a.csv").symlink_to(folder / "gone")
    with pytest.raises(TableFileError, match=r"a.csv: cannot be opened \(No such file or director"):
        open_table(str(folder))


# Splits of Examples.


def test_the_folder_of_an_examples_artifact_is_read_by_split(folder):
    write(folder, **{"Split-train_in_data-0": TFRECORD, "Split-eval_in_data-0": TFRECORD * 2})
    assert examples_splits(str(folder)) == ["eval", "train"]
    assert split_folder(str(folder)) == str(folder / "Split-train")
    counts = [
        sum(batch.num_rows for batch in open_table(str(folder), split=split).batches())
        for split in (None, "train", "eval")
    ]
    assert counts == [2, 2, 4]


def test_a_split_that_is_not_there_is_refused(folder):
    write(folder, **{"Split-all_in_data-0": TFRECORD})
    with pytest.raises(TableFileError, match=r"expected the split 'train', found \['all'\]; name"):
        open_table(str(folder))
    with pytest.raises(TableFileError, match=r"expected a folder of TFX Examples .* Split-eval, f"):
        open_table(str(folder / "Split-all"), split="eval")


def shards(folder, *numbers, content=TFRECORD, name="data_tfrecord-{:05d}-of-00003.gz"):
    for number in numbers:
        write(folder, **{name.format(number).replace(".", "__"): gzip.compress(content)})


def test_a_lost_shard_of_a_folder_or_a_pattern_is_missed(folder):
    shards(folder / "Split-train", 0, 2)
    for path in (folder, folder / "Split-train", f"{folder}/*/data*", f"{folder}/**/*.gz"):
        with pytest.raises(TableFileError, match=r"found 2: data_tfrecord-00001-of-.* is missi"):
            open_table(str(path))


def test_who_names_some_shards_gets_them(folder):
    shards(folder, 0, 2)
    for path, rows in [("data_tfrecord-00002-of-00003.gz", 2), ("data_tfrecord-0000[02]-*", 4)]:
        table = open_table(str(folder / path))
        assert sum(batch.num_rows for batch in table.batches()) == rows


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_lost_file_of_another_format_is_missed_too(folder, kind):
    content = {"parquet": PARQUET, "csv": CSV}[kind]
    write(folder, **{f"part-00000-of-00002__{kind}": content})
    with pytest.raises(TableFileError, match=f"part-00001-of-00002.{kind} is missing"):
        open_table(str(folder))


def test_a_gzip_file_without_a_byte_has_lost_its_content(folder):
    shards(folder, 0, 1, 2)
    (folder / "data_tfrecord-00001-of-00003.gz").write_bytes(b"")
    for path in (folder, folder / "data_tfrecord-00001-of-00003.gz"):
        with pytest.raises(TableFileError, match=r"00001-of-.*: expected a gzip .* found 0 b"):
            open_table(str(path))


@pytest.mark.parametrize("numbers", [(1,), (0, 1, 2)], ids=["alone", "among others"])
@pytest.mark.parametrize(
    "harm",
    [lambda content: content[:-9], lambda content: content[:15], lambda content: content + b"x"],
    ids=["cut at its end", "cut early", "with more behind"],
)
def test_a_gzip_file_is_called_damaged_whatever_its_name(folder, numbers, harm):
    shards(folder, *numbers)
    path = folder / "data_tfrecord-00001-of-00003.gz"
    path.write_bytes(harm(path.read_bytes()))
    named = folder if len(numbers) > 1 else path
    with pytest.raises(TableFileError, match=r"00001-of-00003.gz: cannot be unpacked .* copy it a"):
        open_table(str(named))


def test_a_shard_that_never_had_a_row_is_no_loss(folder):
    shards(folder, 0, 2)
    shards(folder, 1, content=b"")
    assert sum(batch.num_rows for batch in open_table(str(folder)).batches()) == 4


def test_what_beam_left_of_a_write_that_was_stopped_is_passed_over(folder):
    shards(folder, 0, 1, 2)
    write(folder / "beam-temp-data_tfrecord-1f", x=TFRECORD)
    write(folder, **{"beam-temp-data_tfrecord-2f": TFRECORD})
    assert len(open_table(str(folder)).paths) == 3


def test_opening_large_files_in_an_object_store_reads_little_of_them(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": np.random.default_rng(0).random(2_500_000)}), path)
    read = []

    class Counted(io.FileIO):
        def read(self, size=-1):
            content = super().read(size)
            read.append(len(content))
            return content

    monkeypatch.setattr(ArrowFiles, "open", lambda self, _: pa.PythonFile(Counted(path), mode="r"))
    assert open_files(["s3://wine/a.parquet"], Reading()).rows == 2_500_000
    assert sum(read) < 1_000_000 < path.stat().st_size
