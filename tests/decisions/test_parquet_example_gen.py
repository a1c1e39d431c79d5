"""What is decided for ParquetExampleGen where no driver has run."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from tfx.components.example_gen import utils
from tfx.proto import example_gen_pb2

from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.decisions.parquet_example_gen import Request, decide
from tfx_wine_ext.files.local import LocalFiles
from tfx_wine_ext.testing import parquet_file


def request_for(folder, **options):
    input_config = utils.make_default_input_config()
    output_config = utils.make_default_output_config(input_config)
    return Request.of(
        {
            "input_base": str(folder),
            "input_config": json_format.MessageToJson(input_config),
            "output_config": json_format.MessageToJson(output_config),
            **options,
        }
    )


def test_content_is_fingerprinted_and_files_are_known_by_their_digests(tmp_path):
    parquet_file(tmp_path / "b.parquet", [{"x": 1}])
    parquet_file(tmp_path / "a.parquet", [{"x": 2}])
    request = request_for(tmp_path)
    decision = request.decision(request.tables(LocalFiles()), LocalFiles())
    assert decision["input_fingerprint"].startswith("single_split:parquet-v1:")
    assert sorted(json.loads(decision["input_files"])) == ["a.parquet", "b.parquet"]

    parquet_file(tmp_path / "a.parquet", [{"x": 3}])
    changed = request.decision(request.tables(LocalFiles()), LocalFiles())
    assert changed["input_fingerprint"] != decision["input_fingerprint"]


def test_options_that_do_not_fit_are_refused(tmp_path):
    parquet_file(tmp_path / "a.parquet", [{"x": 1}])
    options = IngestOptions(filters=[("y", ">", 1)])
    request = request_for(tmp_path, ingest_options=options.to_json())
    with pytest.raises(ValueError, match=r"'y'"):
        request.decision(request.tables(LocalFiles()), LocalFiles())


def properties_for(folder, pattern, **properties):
    split = example_gen_pb2.Input.Split(name="all", pattern=pattern)
    input_config = example_gen_pb2.Input(splits=[split])
    output_config = utils.make_default_output_config(input_config)
    return {
        "input_base": str(folder),
        "input_config": json_format.MessageToJson(input_config),
        "output_config": json_format.MessageToJson(output_config),
        **properties,
    }


@pytest.mark.parametrize(
    ("folder", "pattern", "given", "span", "version", "date"),
    [
        ("span-2", "span-{SPAN}/*", {}, 2, None, None),
        ("span-2/v3", "span-{SPAN}/v{VERSION}/*", {}, 2, 3, None),
        ("2024-10-04", "{YYYY}-{MM}-{DD}/*", {}, 20000, None, "2024-10-04"),
        ("", "*", {}, 0, None, None),
        # As Kubeflow's hook leaves it: the pattern is resolved, and numbers are doubles.
        ("span-2", "span-2/*", {"span": 2.0}, 2, None, None),
        ("span-2/v3", "span-2/v3/*", {"span": 2.0, "version": 3.0}, 2, 3, None),
        ("2024-10-04", "2024-10-04/*", {"span": 20000.0}, 20000, None, "2024-10-04"),
        ("20250611", "20250611/*", {"span": 20250.0}, 20250, None, "2025-06-11"),
        ("x-20240101", "x-20240101/*", {"span": 20240101.0}, 20240101, None, None),
        ("", "*", {"span": 0.0}, 0, None, None),
    ],
)
def test_a_span_is_found_unless_it_was_found_before(
    tmp_path, folder, pattern, given, span, version, date
):
    parquet_file(tmp_path / folder / "a.parquet", [{"x": 1}])
    properties = properties_for(tmp_path, pattern, **given)
    before = dict(properties)
    decided = decide(properties, LocalFiles())
    found = decided.exec_properties
    assert (found["span"], found["version"], decided.span_date) == (span, version, date)
    assert "{" not in decided.request.input_config.splits[0].pattern
    assert found["input_fingerprint"].startswith("all:parquet-v1:")
    assert list(json.loads(found["input_files"])) == [f"{folder}/a.parquet".lstrip("/")]
    assert properties == before


def test_a_span_that_is_not_there_is_an_error_with_the_folder(tmp_path):
    with pytest.raises(ValueError, match=f"input_base {tmp_path}: Cannot find matching"):
        decide(properties_for(tmp_path, "span-{SPAN}/*"), LocalFiles())
