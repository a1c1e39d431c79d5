"""What is decided for ParquetExampleGen where no driver has run."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from tfx.components.example_gen import utils

from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.decisions.parquet_example_gen import Request
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
