"""Tasks on Beam's workers, by Beam's own runners."""

from __future__ import annotations

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from tfx_wine_ext.columnar.table_source import TableFileError
from tfx_wine_ext.executors.beam_tasks import run_on_workers

pytestmark = pytest.mark.e2e


def half(task):
    if task == "odd":
        raise TableFileError("odd.csv: cannot be halved")
    if task == "other":
        raise RuntimeError("nobody expected this")
    return str(task / 2).encode()


def run(tasks, folder, *options):
    pipeline = beam.Pipeline(options=PipelineOptions(list(options)))
    return list(run_on_workers(pipeline, half, tasks, str(folder), (TableFileError,)))


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
