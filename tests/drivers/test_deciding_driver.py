"""What all deciding drivers do, on both launch paths."""

from __future__ import annotations

import pytest
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import pipeline as pipeline_lib
from tfx.orchestration.local import local_dag_runner
from tfx.types import standard_artifacts
from tfx.types.channel import Channel

from tfx_wine_ext import DriftReport, ParquetExampleGen, PreviousSpanStrategy
from tfx_wine_ext.drivers.deciding_driver import UpstreamFailedError
from tfx_wine_ext.testing import (
    FakeMetadata,
    SqliteMetadata,
    as_channel,
    examples_artifact,
    launch,
    parquet_file,
)


@pytest.mark.e2e
@pytest.mark.parametrize("path", ["ir", "notebook"])
def test_the_decision_is_a_property_of_the_execution_by_both_paths(tmp_path, path):
    examples = as_channel(examples_artifact(tmp_path / "a", {"train": [{"x": 1.0}]}))
    with FakeMetadata() as store:
        launch(DriftReport(examples), path=path, store=store, pipeline_root=tmp_path / "root")
        [execution] = store.executions()
    recorded = {**execution.properties, **execution.custom_properties}
    assert recorded["decision"].startswith("No baseline for ")


@pytest.mark.e2e
def test_a_component_behind_a_resolver_that_failed_does_not_take_it_for_a_first_run(tmp_path):
    parquet_file(tmp_path / "data" / "a.parquet", [{"x": 1.0}])
    # Without {SPAN} all of them are span 0: the strategy is told a channel that it does not know.
    example_gen = ParquetExampleGen(str(tmp_path / "data"))
    previous = Resolver(
        strategy_class=PreviousSpanStrategy,
        baseline=Channel(type=standard_artifacts.Examples),
        new=example_gen.outputs["examples"],
    ).with_id("PreviousSpan")
    drift = DriftReport(
        examples=example_gen.outputs["examples"], baseline=previous.outputs["baseline"]
    )
    with SqliteMetadata(tmp_path / "metadata.db") as store:
        pipeline = pipeline_lib.Pipeline(
            pipeline_name="spans",
            pipeline_root=str(tmp_path / "root"),
            components=[example_gen, previous, drift],
            metadata_connection_config=store.connection_config,
        )
        with pytest.raises(UpstreamFailedError) as caught:
            local_dag_runner.LocalDagRunner().run(pipeline)
        assert store.artifacts("tfx_wine_ext.DriftBlessing") == []
        assert [each.state for each in store.executions()] == ["COMPLETE", "FAILED", "FAILED"]
    assert caught.value.node == "PreviousSpan"
    assert "current: expected a channel of this name" in caught.value.reason
