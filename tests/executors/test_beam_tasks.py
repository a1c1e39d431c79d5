"""Tasks on Beam's workers, by Beam's own runners."""

from __future__ import annotations

import json
import os
import pickle

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.executors import beam_tasks
from tfx_wine_ext.executors.beam_tasks import run_on_workers
from tfx_wine_ext.sources.footers import ParquetFileError
from tfx_wine_ext.sources.source import TableFileError

pytestmark = pytest.mark.e2e

REMEDIES = ("halve it", Remedy(Option.EXCLUDE_COLUMNS, ("x",)))


def half(task):
    if task == "odd":
        raise TableFileError("odd.csv: cannot be halved")
    if task == "other":
        raise RuntimeError("nobody expected this")
    if task == "Parquet":
        raise ParquetFileError("a.parquet", "is odd", REMEDIES, "damaged", column="x", row=3)
    if task == "text":
        b"\xff".decode()
    return str(task / 2).encode()


def run(tasks, folder, *options, errors=(TableFileError, ValueError)):
    pipeline = beam.Pipeline(options=PipelineOptions(list(options)))
    return list(run_on_workers(pipeline, half, tasks, str(folder), errors))


@pytest.mark.parametrize("mode", ["in_memory", "multi_processing"])
def test_results_come_in_the_order_of_the_tasks(tmp_path, mode):
    folder = tmp_path / "run [1]"
    options = ["--direct_num_workers=2", f"--direct_running_mode={mode}"]
    assert run([1, 4, 6], folder, *options) == [b"0.5", b"2.0", b"3.0"]


def test_no_task_has_no_result(tmp_path):
    assert run([], tmp_path) == []


def test_an_error_of_a_file_arrives_as_it_was_raised(tmp_path):
    with pytest.raises(TableFileError, match=r"^odd\.csv: cannot be halved$"):
        run([2, "odd"], tmp_path)


def test_any_other_error_is_beam_s(tmp_path):
    with pytest.raises(RuntimeError, match="nobody expected this"):
        run([2, "other"], tmp_path)


@pytest.mark.parametrize("mode", ["in_memory", "multi_processing"])
def test_an_error_with_fields_arrives_with_them(tmp_path, mode):
    options = ["--direct_num_workers=2", f"--direct_running_mode={mode}"]
    with pytest.raises(
        ParquetFileError, match=r"^a\.parquet: row 3, column 'x': is odd; "
    ) as caught:
        run([2, "Parquet"], tmp_path, *options)
    sent = ParquetFileError("a.parquet", "is odd", REMEDIES, "damaged", column="x", row=3)
    assert vars(caught.value) == vars(sent)


def test_an_error_of_a_type_that_is_not_on_the_list_arrives_as_the_one_that_is(tmp_path):
    with pytest.raises(ValueError, match="'utf-8' codec can't decode byte 0xff") as caught:
        run([2, "text"], tmp_path)
    assert type(caught.value) is ValueError


class Runs:
    """Pickled, it makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


NAMES = ["00000", "00001", "00000.error", "00001.error", "x/00001.error", "x/00000"]


@pytest.mark.parametrize("mode", ["in_memory", "multi_processing"])
@pytest.mark.parametrize("tasks", [[2, 4], [2, "odd"]], ids=["good", "with an error"])
def test_what_lay_in_the_folder_before_is_neither_read_nor_run(tmp_path, mode, tasks):
    for name in NAMES:
        (tmp_path / "results" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / name).write_bytes(pickle.dumps(Runs(tmp_path / "made")))
    options = ["--direct_num_workers=2", f"--direct_running_mode={mode}"]
    if "odd" in tasks:
        with pytest.raises(TableFileError, match="cannot be halved"):
            run(tasks, tmp_path / "results", *options)
    else:
        assert run(tasks, tmp_path / "results", *options) == [b"1.0", b"2.0"]
    assert not (tmp_path / "made").exists()
    assert not any((tmp_path / "results" / name).exists() for name in NAMES)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04",
        b"[1]",
        b"{}",
        b"[" * 100_000,
        json.dumps({"type": "builtins.SystemExit", "text": "3"}).encode(),
        json.dumps({"type": "subprocess.Popen", "text": "true"}).encode(),
        json.dumps({"type": "builtins.ValueError", "fields": "{}"}).encode(),
        json.dumps({"type": "tfx_wine_ext.sources.source.TableFileError", "fields": "3"}).encode(),
    ],
)
def test_what_is_no_error_of_the_list_makes_none(data):
    assert beam_tasks._error_from(data, (TableFileError, ValueError)) is None
