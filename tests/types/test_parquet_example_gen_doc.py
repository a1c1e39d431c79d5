"""docs/examples-properties.md: its tables are complete."""

from __future__ import annotations

import re

import pytest
from google.protobuf import json_format
from tfx.proto import example_gen_pb2, range_config_pb2

from tfx_wine_ext.components.parquet_example_gen import ParquetExampleGen
from tfx_wine_ext.testing import SqliteMetadata, launch, parquet_file


@pytest.fixture(scope="module")
def page(checkout):
    return (checkout / "docs" / "examples-properties.md").read_text(encoding="utf-8")


def table(page: str, heading: str) -> dict[str, str]:
    """Returns name and type of the rows of the table below a heading."""
    section = page.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \| (\w+) \|", section, re.MULTILINE)
    return {name: type_ for cell, type_ in rows for name in re.findall(r"`(.*?)`", cell)}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store in a file with two spans, the second in two versions, the last of another schema."""
    folder = tmp_path_factory.mktemp("spans")
    parquet_file(folder / "data" / "1" / "1" / "a.parquet", [{"x": 1}, {"x": 2}])
    parquet_file(folder / "data" / "2" / "1" / "a.parquet", [{"x": 1}, {"x": 2}])
    parquet_file(folder / "by-date" / "2024-10-04" / "a.parquet", [{"x": 1}])
    config = {"splits": [{"name": "all", "pattern": "{SPAN}/{VERSION}/*"}]}
    by_date = {"splits": [{"name": "all", "pattern": "{YYYY}-{MM}-{DD}/*"}]}
    with SqliteMetadata(folder / "metadata.sqlite") as metadata:

        def run(span):
            component = ParquetExampleGen(
                str(folder / "data"),
                input_config=json_format.ParseDict(config, example_gen_pb2.Input()),
                range_config=json_format.ParseDict(
                    {"static_range": {"start_span_number": span, "end_span_number": span}},
                    range_config_pb2.RangeConfig(),
                ),
            )
            launch(component, store=metadata, pipeline_root=folder / "root")

        run(1)
        run(2)
        parquet_file(folder / "data" / "2" / "2" / "a.parquet", [{"y": 1.0}] * 3)
        run(2)
        component = ParquetExampleGen(
            str(folder / "by-date"),
            input_config=json_format.ParseDict(by_date, example_gen_pb2.Input()),
        )
        launch(component, store=metadata, pipeline_root=folder / "root")
        yield metadata


def test_the_tables_list_all_that_is_recorded_with_its_type(page, store):
    kinds = {int: "int", str: "string"}
    recorded = {
        re.sub("_(train|eval)$", "_<split>", name): kinds[type(value)]
        for artifact in store.artifacts("Examples")
        for name, value in artifact.custom_properties.items()
        if name not in ("tfx_version", "is_external")
    }
    assert table(page, "On the Examples artifact") == recorded

    recorded = {
        name: kinds[type(value)]
        for execution in store.executions()
        for name, value in execution.custom_properties.items()
    }
    assert table(page, "On the execution") == recorded
