"""Displays the pages of reports in notebooks, by ``InteractiveContext.show``."""

from __future__ import annotations

import html

from tfx import types
from tfx.orchestration.experimental.interactive import visualizations
from tfx.types import standard_artifacts

from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.types import drift_report, warm_start_trainer
from tfx_wine_ext.types.artifacts import ExampleDriftReport
from tfx_wine_ext.warm_start.run_fn import CHECKPOINT_FOLDER

# The page scrolls in a frame of this height and of the notebook's width.
_HEIGHT = "800px"


class ExampleDriftReportVisualization(visualizations.ArtifactVisualization):
    """Shows the page of an `ExampleDriftReport` in a frame, which isolates its styles."""

    ARTIFACT_TYPE = ExampleDriftReport
    PAGE, TITLE = drift_report.REPORT_HTML, "drift report"

    def display(self, artifact: types.Artifact) -> None:
        """Displays the page below the notebook cell."""
        from IPython.display import HTML, display

        page = f"{artifact.uri}/{self.PAGE}"
        with files_for(page).open(page) as stream:
            display(HTML(framed(stream.read().decode(), self.TITLE)))


class WarmStartVisualization(ExampleDriftReportVisualization):
    """Shows what a warm start did with every variable; shows nothing for other models."""

    ARTIFACT_TYPE = standard_artifacts.Model
    PAGE, TITLE = f"{CHECKPOINT_FOLDER}/{warm_start_trainer.PAGE_FILE}", "warm start"

    def display(self, artifact: types.Artifact) -> None:
        """Displays the page, if there is one."""
        if files_for(artifact.uri).exists(f"{artifact.uri}/{self.PAGE}"):
            super().display(artifact)


def framed(page: str, title: str) -> str:
    """Returns an iframe that holds a page and may run its scripts, but has no other rights."""
    return (
        f'<iframe title="{html.escape(title)}" sandbox="allow-scripts" '
        f'style="width: 100%; height: {_HEIGHT}; border: 0" srcdoc="{html.escape(page)}"></iframe>'
    )


def register(visualization: type[visualizations.ArtifactVisualization]) -> None:
    """Registers a visualization with ``InteractiveContext``; the component's module calls it."""
    visualizations.get_registry().register(visualization)
