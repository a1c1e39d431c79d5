"""The commands drift and ingest do with addresses on S3 what they do with paths."""

from __future__ import annotations

import json
import socket

import pyarrow as pa
import pytest

from tfx_wine_ext.cli import main
from tfx_wine_ext.files.choose import FilesByScheme

from .conftest import drinks, write_as

FILES = FilesByScheme()


def put(s3, path, name):
    with open(path, "rb") as source, FILES.create(f"{s3}/{name}") as stream:
        stream.write(source.read())
    return f"{s3}/{name}"


def content(root):
    """All files below a folder, by their paths in it."""
    found = {}
    for path in [*FILES.glob(f"{root}/**"), *FILES.glob(f"{root}/.*/**")]:
        with FILES.open(path) as stream:
            found[path[len(root) + 1 :]] = stream.read()
    return found


def report(capsys, *arguments):
    status = main(["drift", *arguments, "--critical", "alcohol", "--json"])
    document = json.loads(capsys.readouterr().out)
    del document["created"]
    for side in ("baseline", "current"):
        del document[side]["name"], document[side]["uri"]
    return status, document


@pytest.mark.parametrize("kind", ["parquet", "csv", "tfrecord"])
def test_drift_is_what_it_is_of_the_same_files_here(s3, tmp_path, capsys, kind):
    here = [write_as(kind, drinks(shift), tmp_path / f"{shift}.{kind}") for shift in (0, 3)]
    there = [put(s3, path, f"in/{shift}.{kind}") for shift, path in zip((0, 3), here)]
    expected = report(capsys, *here)
    assert expected[0] == 1
    assert report(capsys, *there) == expected
    assert report(capsys, here[0], there[1]) == expected
    assert report(capsys, f"{s3}/in/0.*", f"{s3}/i*/[3]*.{kind}") == expected


def test_hive_folders_on_s3_are_columns(s3, tmp_path, capsys):
    for year in (2024, 2025):
        path = write_as("parquet", drinks(0), tmp_path / f"{year}.parquet")
        put(s3, path, f"wine/year={year}/a.parquet")
        put(s3, path, f"wine/year={year}/_temporary/b.parquet")
    assert main(["drift", f"{s3}/wine", f"{s3}/wine/", "--columns", "year"]) == 0
    assert "year" in capsys.readouterr().out
    assert main(["drift", f"{s3}/wine/year=2024", f"{s3}/wine", "--columns", "year"]) == 2


def test_what_is_ingested_on_s3_has_the_same_bytes_and_is_read_back(s3, tmp_path, capsys):
    path = write_as("parquet", drinks(0), tmp_path / "drinks.parquet")
    there = put(s3, path, "in/drinks.parquet")
    assert main(["ingest", path, f"{tmp_path}/out", "--shards", "2", "--quiet"]) == 0
    assert main(["ingest", f"{s3}/in", f"{s3}/out/", "--shards", "2", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["output"], printed["files"]) == (f"{s3}/out/", [there])
    written = content(f"{s3}/out")
    assert written == content(f"{tmp_path}/out")
    assert sorted(written) == [
        f"Split-{split}/data_tfrecord-0000{shard}-of-00002.gz"
        for split in ("eval", "train")
        for shard in (0, 1)
    ]
    assert main(["drift", f"{tmp_path}/out", f"{s3}/out", "--split", "eval", "--quiet"]) == 0

    FILES.remove_tree(f"{s3}/out/Split-eval")  # As if it had been killed in the middle.
    FILES.rename(f"{s3}/out/Split-train/data_tfrecord-00001-of-00002.gz", f"{s3}/out/elsewhere")
    capsys.readouterr()
    assert main(["drift", f"{s3}/out", path]) == 2
    assert "expected 2 files data_tfrecord-*-of-00002.gz, found 1" in capsys.readouterr().err
    assert main(["drift", f"{s3}/out", path, "--split", "eval"]) == 2
    assert "expected the split 'eval', found ['train']" in capsys.readouterr().err


def test_nothing_is_left_of_an_ingestion_that_failed(s3, tmp_path, capsys):
    table = pa.table({"x": [1.0] * 200 + [1e300]})
    there = put(s3, write_as("parquet", table, tmp_path / "a.parquet"), "in/a.parquet")
    assert main(["ingest", there, f"{s3}/out", "--shards", "2"]) == 2
    assert "1e+300" in capsys.readouterr().err
    assert content(f"{s3}/out") == {}


def test_a_small_table_takes_few_requests(s3, s3_server, tmp_path):
    there = put(s3, write_as("parquet", drinks(0), tmp_path / "a.parquet"), "in/a.parquet")
    before = len(s3_server.requests)
    assert main(["ingest", there, f"{s3}/out", "--quiet"]) == 0
    # 74 to 80: threads that look at the same folder may ask twice.
    assert len(s3_server.requests) - before < 90
    before = len(s3_server.requests)
    assert main(["drift", there, there, "--quiet"]) == 0
    assert len(s3_server.requests) - before < 80


def test_reports_are_written_there(s3, tmp_path, capsys):
    path = write_as("csv", drinks(0), tmp_path / "a.csv")
    options = [f"--{kind}={s3}/reports/{kind}" for kind in ("html", "json", "csv")]
    assert main(["drift", path, path, *options]) == 0
    assert sorted(content(f"{s3}/reports")) == ["csv", "html", "json"]
    assert main(["drift", path, path, f"--html={s3}/reports"]) == 2
    assert f"{s3}/reports: expected a file to write, found a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("drift {s3}/no.csv {csv}", "{s3}/no.csv: expected a file, a folder or a pattern"),
        ("drift {s3}/no/*.csv {csv}", "{s3}/no/*.csv: expected a file, a folder or a pattern"),
        ("drift s3://nowhere/a.csv {csv}", "s3://nowhere/a.csv: expected the bucket 'nowhere'"),
        ("drift s3://nowhere/*.csv {csv}", "s3://nowhere/*.csv: expected the bucket 'nowhere'"),
        ("drift {csv} {csv} --html s3://nowhere/a", "s3://nowhere/a: expected the bucket"),
        ("ingest {csv} s3://nowhere/out", "expected the bucket 'nowhere', found none on http"),
        ("ingest {parquet} s3://nowhere/out", "expected the bucket 'nowhere', found none on http"),
        ("ingest {s3}/no {s3}/out", "{s3}/no: expected a file, a folder or a pattern"),
        ("ingest {parquet} {s3}/there", "{s3}/there: expected a path where nothing is, found a f"),
        ("ingest {parquet} {s3}/there/a", "{s3}/there/a: expected a path where nothing is, found"),
        ("drift {s3}/cut.parquet {csv}", "{s3}/cut.parquet: "),
    ],
)
def test_what_cannot_be_used_is_named(s3, tmp_path, capsys, arguments, message):
    csv = write_as("csv", drinks(0), tmp_path / "a.csv")
    parquet = write_as("parquet", drinks(0), tmp_path / "a.parquet")
    put(s3, csv, "there/a")
    with open(parquet, "rb") as source, FILES.create(f"{s3}/cut.parquet") as stream:
        stream.write(source.read()[:-9])
    names = {"s3": s3, "csv": csv, "parquet": parquet}
    assert main([argument.format(**names) for argument in arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message.format(**names) in err
    assert "defect" not in err


def test_a_store_that_cannot_be_reached_is_named_within_seconds(s3, monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    assert main(["drift", f"{s3}/a.csv", f"{s3}/b.csv"]) == 2
    assert f"{s3}/a.csv: http://127.0.0.1:{port} cannot be reached" in capsys.readouterr().err


def test_without_credentials_a_bucket_that_is_not_public_is_an_error(
    s3, s3_server, monkeypatch, capsys
):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(s3_server, "denies_strangers", True)
    assert main(["drift", f"{s3}/a.csv", f"{s3}/b.csv"]) == 2
    message = "denies access, and there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET"
    assert message in capsys.readouterr().err
