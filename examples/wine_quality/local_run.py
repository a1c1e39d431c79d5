"""Runs the pipeline from this process, and reads from the store what it did.

The functions import TFX, which takes many seconds; the module does not.
"""

from __future__ import annotations

import json
import posixpath
import shutil
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.wine_quality.output_lock import LOCK_FILE
from examples.wine_quality.runners import tfx_runner
from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.lineage.connection import connection_config
from tfx_wine_ext.lineage.evaluation import MetricValue
from tfx_wine_ext.lineage.runs import Run, runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store
from tfx_wine_ext.progress import ComponentEnded, Event, State, observe_progress
from tfx_wine_ext.warm_start import TransferReport
from tfx_wine_ext.warm_start.run_fn import CHECKPOINT_FOLDER, REPORT_FILE

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline

R2 = "squared_pearson_correlation"
MSE = "mean_squared_error"

# What TFX's Tuner calls its files.
BEST_FILE = "best_hyperparameters.txt"
TRIALS_FILE = "tuner_results.json"


@dataclass(frozen=True)
class Output:
    """The folder of all results, and where they are in it, or elsewhere.

    Attributes:
        folder: Its path, absolute.
        data_root: Folder of the Parquet spans; by default ``data`` in the folder.
        pipeline_root: Folder of all artifacts; by default ``pipeline`` in the folder.
        serving: Folder of the pushed models; by default ``serving`` in the folder.
        metadata: URL of the metadata store; by default the SQLite file ``metadata.db``.
    """

    folder: Path
    data_root: str | None = None
    pipeline_root: str | None = None
    serving: str | None = None
    metadata: str | None = None

    @property
    def data(self) -> str:
        """The Parquet spans."""
        return self.data_root or str(self.folder / "data")

    @property
    def store(self) -> str:
        """The metadata store, as `open_store` takes it."""
        return self.metadata or str(self.folder / "metadata.db")

    def clear(self) -> None:
        """Removes everything that earlier runs left, except the lock (`output_lock.hold`)."""
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
            pipeline_root=self.pipeline_root or str(self.folder / "pipeline"),
            data_root=self.data,
            serving_dir=self.serving or str(self.folder / "serving"),
            metadata_connection_config=connection_config(self.store),
            **settings,
        )

    def runs(self) -> list[Run]:
        """Returns all runs so far, oldest first."""
        return runs(Snapshot.read(open_store(self.store)))

    def runs_of(self, ids: Sequence[str]) -> list[Run]:
        """Returns some runs, oldest first, whatever else has run on the store meanwhile.

        Args:
            ids: Ids of the runs, as `run_locally` returns them.
        """
        return [run for run in self.runs() if run.run in ids]

    def tuning_of(self, run: Run) -> dict[str, Any] | None:
        """Returns what the Tuner of a run found, or None if the run had none.

        Returns:
            The number of `trials`; the `best` hyperparameters by name; and `r2`, theirs on rows of
            the train split that their model has not seen.
        """
        tuner = next((component for component in run.components if component.id == "Tuner"), None)
        if tuner is None:
            return None
        snapshot = Snapshot.read(open_store(self.store))
        folder = {
            link.key: snapshot.artifacts[link.artifact].uri
            for link in snapshot.outputs[tuner.execution]
        }
        best = _read_json(folder["best_hyperparameters"], BEST_FILE)
        trials = _read_json(folder["tuner_results"], TRIALS_FILE)
        return {
            "trials": len(trials),
            "r2": max(trial["score"] for trial in trials),
            "best": best["values"],
        }


def start_of(run: Run) -> TransferReport | None:
    """Returns what the trainer of a run did with an earlier model, or why it had none.

    Returns:
        What `tfx_wine_ext.warm_start` has written beside the model; None if the run has no model,
        or TFX's own Trainer has made it.
    """
    if run.model is None or run.model.warm is None:
        return None
    return TransferReport.from_dict(_read_json(run.model.uri, CHECKPOINT_FOLDER, REPORT_FILE))


def _read_json(*path: str) -> Any:
    """Reads a file, on whatever file system it is."""
    file = posixpath.join(*path)
    with files_for(file).open(file) as stream:
        return json.loads(stream.read())


def metric(metrics: Mapping[str, MetricValue], name: str) -> float | None:
    """Returns the value of a metric, or None."""
    return metrics[name].value if name in metrics else None


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Attributes:
        components: What each component did, in the order in which they ended.
        error: Why the run failed; None if it ran to its end.
    """

    components: tuple[ComponentEnded, ...]
    error: Exception | None

    @property
    def run(self) -> str | None:
        """Id of the run, by which `Output.runs_of` finds it; None if no component ran."""
        return self.components[0].run if self.components else None

    @property
    def failed(self) -> str | None:
        """The component that failed last, or None."""
        failed = [ended.component for ended in self.components if ended.state is State.FAILED]
        return failed[-1] if failed else None


def run_locally(pipeline: Pipeline, log: Path, runner: str = "local") -> Ended:
    """Runs the pipeline until it ends.

    Args:
        pipeline: From `Output.pipeline`.
        log: The traceback of a failure is appended to it.
        runner: A key of `examples.wine_quality.runners.RUNNERS`.

    Returns:
        What each component did, and the error if there was one.
    """
    components: list[ComponentEnded] = []

    def note(event: Event) -> None:
        if isinstance(event, ComponentEnded):
            components.append(event)

    error: Exception | None = None
    try:
        with observe_progress(note):
            tfx_runner(runner).run(pipeline)
    except Exception as raised:
        error = raised
        # Not through logging, whose handlers and levels the libraries have changed by now.
        with log.open("a") as stream:
            traceback.print_exc(file=stream)
    return Ended(tuple(components), error)
