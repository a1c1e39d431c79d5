"""Runs the pipeline on this machine, in this process, and reads from the store what it did.

TFX is imported by the functions, not by the module: that takes many seconds.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from unittest import mock

from tfx_wine_ext.lineage.runs import Run, runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline
    from tfx.orchestration.portable.data_types import ExecutionInfo


class Progress(Protocol):
    """Is told how a run goes: `console.ComponentProgress`, or what else says it to a person."""

    def begin(self, component: str) -> None:
        """A component begins."""

    def end(self, outcome: str) -> None:
        """The component has finished; `outcome` is "from cache" or empty."""


@dataclass(frozen=True)
class Output:
    """The folder of all results, and what is where in it.

    Attributes:
        folder: Its path, absolute.
    """

    folder: Path

    @property
    def data(self) -> Path:
        """The Parquet spans."""
        return self.folder / "data"

    @property
    def store(self) -> Path:
        """The metadata store, an SQLite file."""
        return self.folder / "metadata.db"

    def pipeline(self, **settings: Any) -> Pipeline:
        """Returns the pipeline that reads and writes here.

        Args:
            settings: Those of `create_pipeline` that are not places.
        """
        from examples.wine_quality import pipeline as wine

        return wine.create_pipeline(
            pipeline_root=str(self.folder / "pipeline"),
            data_root=str(self.data),
            serving_dir=str(self.folder / "serving"),
            metadata_connection_config=wine.sqlite(str(self.store)),
            **settings,
        )

    def runs(self) -> list[Run]:
        """Returns all runs so far, oldest first."""
        return runs(Snapshot.read(open_store(self.store)))


def run_locally(pipeline: Pipeline, progress: Progress, log: Path) -> Exception | None:
    """Runs the components one after the other.

    Args:
        pipeline: From `Output.pipeline`.
        progress: Is told when a component begins and ends.
        log: Where the traceback of a failure goes, at its end.

    Returns:
        Why the component failed that began last; None if all of them ran.
    """
    from ml_metadata.metadata_store import metadata_store
    from ml_metadata.proto import metadata_store_pb2
    from tfx.orchestration.local import local_dag_runner
    from tfx.orchestration.portable import launcher

    store = metadata_store.MetadataStore(pipeline.metadata_connection_config)

    def is_cached(done: ExecutionInfo | None) -> bool:
        if done is None or done.execution_id is None:
            return False
        [execution] = store.get_executions_by_id([done.execution_id])
        return bool(execution.last_known_state == metadata_store_pb2.Execution.CACHED)

    class Launcher(launcher.Launcher):  # the runner has no hook of its own
        def launch(self) -> ExecutionInfo | None:
            progress.begin(self._pipeline_node.node_info.id)
            done = super().launch()
            progress.end("from cache" if is_cached(done) else "")
            return done

    try:
        with mock.patch.object(local_dag_runner.launcher, "Launcher", Launcher):
            local_dag_runner.LocalDagRunner().run(pipeline)
    except Exception as error:
        # Not by way of logging, whose handlers and levels the libraries have changed by now.
        with log.open("a") as stream:
            traceback.print_exc(file=stream)
        return error
    return None
