"""Runs the pipeline on this machine, in this process, and reads from the store what it did.

TFX is imported by the functions, not by the module: that takes many seconds.
"""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from unittest import mock

from examples.wine_quality.output_lock import LOCK_FILE
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

    def clear(self) -> None:
        """Removes all that earlier runs left; the lock stays (`output_lock.hold`)."""
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != LOCK_FILE:
                path.unlink()

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

    def runs_of(self, ids: Sequence[str]) -> list[Run]:
        """Returns some runs, oldest first, whoever else has run on the store meanwhile.

        Args:
            ids: Of the runs, as `run_locally` returns them.
        """
        return [run for run in self.runs() if run.run in ids]


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        run: Its id, by which `Output.runs_of` finds it; None if it has not begun.
        error: Why the component failed that began last; None if all of them ran.
    """

    run: str | None
    error: Exception | None


def run_locally(pipeline: Pipeline, progress: Progress, log: Path) -> Ended:
    """Runs the components one after the other.

    Args:
        pipeline: From `Output.pipeline`.
        progress: Is told when a component begins and ends.
        log: Where the traceback of a failure goes, at its end.

    Returns:
        The run, and its error if it had one.
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

    run: str | None = None

    class Launcher(launcher.Launcher):  # the runner has no hook of its own
        def launch(self) -> ExecutionInfo | None:
            nonlocal run
            run = str(self._pipeline_runtime_spec.pipeline_run_id.field_value.string_value)
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
        return Ended(run, error)
    return Ended(run, None)
