"""Nested columns through a pipeline of TFX: read, described, transformed, trained on."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.schema_gen.component import SchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline

from tfx_wine_ext import ParquetExampleGen, RaggedSchemaGen
from tfx_wine_ext.executors.ragged_schema_gen import RaggedSchemaError
from tfx_wine_ext.testing import as_channel, examples_artifact, launch, schema_artifact

pytestmark = pytest.mark.e2e

ITEM = pa.struct([("price", pa.float64()), ("kind", pa.string()), ("tags", pa.list_(pa.string()))])


def baskets(rows: int) -> pa.Table:
    """Baskets of 0 to 4 bottles, some of them missing; red wine costs what it says, white half."""
    made = []
    for row in range(rows):
        items = [
            {
                "price": float((7 * row + 3 * i) % 10),
                "kind": ("red", "white")[(row + i) % 2],
                "tags": [["dry"], [], ["dry", "oak"]][(row + i) % 3],
            }
            for i in range(row % 5)
        ]
        made.append(None if row % 40 == 0 else items)
    spent = [
        sum(item["price"] * (1 if item["kind"] == "red" else 0.5) for item in items or ())
        for items in made
    ]
    return pa.table({"basket": pa.array(made, pa.list_(ITEM)), "spent": spent})


def test_a_keras_model_trains_on_a_list_of_structs(tmp_path):
    (tmp_path / "data").mkdir()
    pq.write_table(baskets(400), tmp_path / "data" / "baskets.parquet")
    example_gen = ParquetExampleGen(str(tmp_path / "data"), nested="ragged")
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=examples)
    schema_gen = SchemaGen(statistics=statistics_gen.outputs["statistics"])
    ragged = RaggedSchemaGen(examples=examples, schema=schema_gen.outputs["schema"])
    transform = Transform(
        examples=examples,
        schema=ragged.outputs["ragged_schema"],
        preprocessing_fn="tests.components.ragged_baskets.preprocessing_fn",
    )
    trainer = Trainer(
        run_fn="tests.components.ragged_baskets.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=ragged.outputs["ragged_schema"],
    )
    LocalDagRunner().run(
        Pipeline(
            "baskets",
            str(tmp_path / "root"),
            metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.db")),
            [example_gen, statistics_gen, schema_gen, ragged, transform, trainer],
        )
    )
    [path] = tmp_path.glob("root/RaggedSchemaGen/ragged_schema/*/schema.pbtxt")
    schema = text_format.Parse(path.read_text(), schema_pb2.Schema())
    tensors = schema.tensor_representation_group[""].tensor_representation
    assert {
        name: [partition.row_length for partition in tensor.ragged_tensor.partition]
        for name, tensor in tensors.items()
        if tensor.HasField("ragged_tensor")
    } == {
        "basket.kind": [],
        "basket.price": [],
        "basket.tags": ["basket.tags$row_lengths_1"],
    }
    assert sorted(tensors) == ["basket.kind", "basket.price", "basket.tags", "spent"]
    [losses] = tmp_path.glob("root/Trainer/model/*/Format-Serving/loss.txt")
    first, last = map(float, losses.read_text().split())
    assert last < 0.05 * first


def test_examples_without_ragged_features_and_damaged_files_are_refused(tmp_path):
    schema = as_channel(schema_artifact(tmp_path / "schema", 'feature { name: "m" type: INT }'))
    examples = examples_artifact(tmp_path / "examples", {"train": [{"m": 1}]})
    component = RaggedSchemaGen(examples=as_channel(examples), schema=schema)
    missing = (
        r"_ragged_schema/schema.pbtxt: expected the schema of ragged features, .* found no such "
        r"file; write nested columns as ragged features \(nested='ragged'\)"
    )
    with pytest.raises(RaggedSchemaError, match=missing):
        launch(component, pipeline_root=tmp_path / "root")
    (tmp_path / "examples" / "_ragged_schema").mkdir()
    (tmp_path / "examples" / "_ragged_schema" / "schema.pbtxt").write_text("feature {")
    with pytest.raises(
        RaggedSchemaError, match=r"_ragged_schema/schema.pbtxt: expected a schema of TFX"
    ):
        launch(component, pipeline_root=tmp_path / "again")
