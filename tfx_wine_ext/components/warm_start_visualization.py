"""Displays warm-start reports in notebooks."""

from __future__ import annotations

import os

from tfx import types
from tfx.dsl.io import fileio
from tfx.orchestration.experimental.interactive import visualizations
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from tfx_wine_ext.components.drift_visualization import framed
from tfx_wine_ext.types.warm_start_trainer import PAGE_FILE
from tfx_wine_ext.warm_start.run_fn import CHECKPOINT_FOLDER


class WarmStartVisualization(visualizations.ArtifactVisualization):
    """Shows what a warm start did with every variable; shows nothing for other models."""

    ARTIFACT_TYPE = standard_artifacts.Model

    def display(self, artifact: types.Artifact) -> None:
        """Displays the page below the notebook cell."""
        from IPython.display import HTML, display

        page = os.path.join(artifact.uri, CHECKPOINT_FOLDER, PAGE_FILE)
        if fileio.exists(page):
            display(HTML(framed(io_utils.read_string_file(page), "warm start")))


def register() -> None:
    """Registers models with ``InteractiveContext.show``; the component's module calls it."""
    visualizations.get_registry().register(WarmStartVisualization)
