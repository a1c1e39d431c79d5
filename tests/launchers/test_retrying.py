"""With RetryingLauncher components of others can be tried again, too."""

from __future__ import annotations

import pytest
from ml_metadata.errors import AlreadyExistsError
from tfx.dsl.components.common.importer import Importer
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import LatestArtifactStrategy
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import standard_artifacts
from tfx.types.channel import Channel

from tests.publishers.tried import Stock, Tried, fails, ready, try_once
from tfx_wine_ext import ParquetExampleGen, PreviousSpanStrategy
from tfx_wine_ext.launchers.retrying import RetryingLauncher
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.testing import SqliteMetadata, parquet_file

pytestmark = pytest.mark.e2e


def tries(store) -> list[tuple[str, str, str | None]]:
    [run] = runs(Snapshot.read(store.store))
    return [(each.id, each.state, each.error) for each in run.components]


@pytest.mark.parametrize("component", [Stock, Tried])
def test_each_try_is_an_execution_of_its_own_and_the_failure_is_recorded(tmp_path, component):
    name = component.__name__
    with SqliteMetadata(tmp_path / "metadata.db") as store:
        with pytest.raises(ValueError, match="no rows"):
            try_once(component(), store, tmp_path, fails, launcher=RetryingLauncher)
        for _ in range(2):
            try_once(component(), store, tmp_path, ready, launcher=RetryingLauncher)
        assert tries(store) == [
            (name, "FAILED", "ValueError: no rows"),
            (name, "COMPLETE", None),
            (name, "COMPLETE", None),
        ]


def test_nodes_without_an_executor_run_again(tmp_path):
    importer = Importer(str(tmp_path), artifact_type=standard_artifacts.Schema)
    latest = Resolver(
        strategy_class=LatestArtifactStrategy, model=Channel(type=standard_artifacts.Model)
    )
    with SqliteMetadata(tmp_path / "metadata.db") as store:
        for node in (importer, importer, latest, latest):
            try_once(node, store, tmp_path, launcher=RetryingLauncher)
        assert [state for _, state, _ in tries(store)] == ["CACHED"] * 4


def test_a_resolver_of_an_earlier_run_reads_what_that_run_made(tmp_path):
    for span in (1, 2):
        parquet_file(tmp_path / f"data/span-{span}/a.parquet", [{"x": 1.0}, {"x": 2.0}])
    with SqliteMetadata(tmp_path / "metadata.db") as store:
        for span in (1, 2):
            example_gen = ParquetExampleGen(
                str(tmp_path / "data"),
                input_config=pattern("span-{SPAN}/*"),
                range_config=only(span),
            )
            made = try_once(example_gen, store, tmp_path, run=f"span {span}")
        previous = Resolver(
            strategy_class=PreviousSpanStrategy,
            current=example_gen.outputs["examples"],
            baseline=Channel(type=standard_artifacts.Examples),
        )

        def baselines(run: str) -> list[str]:
            launched = try_once(previous, store, tmp_path, run=run, launcher=RetryingLauncher)
            return [artifact.uri for artifact in launched.output_dict["baseline"]]

        first = str(tmp_path / "root" / "ParquetExampleGen" / "examples" / "1")
        assert made.execution_id == 2
        assert (baselines("span 2"), baselines("span 1")) == ([first], [])


def pattern(pattern: str) -> example_gen_pb2.Input:
    return example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name="a", pattern=pattern)])


def only(span: int) -> range_config_pb2.RangeConfig:
    static = range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
    return range_config_pb2.RangeConfig(static_range=static)


def test_without_it_tfx_fails_on_the_second_try(tmp_path):
    with SqliteMetadata(tmp_path / "metadata.db") as store:
        try_once(Stock(), store, tmp_path, ready)
        with pytest.raises(AlreadyExistsError):
            try_once(Stock(), store, tmp_path, ready)
