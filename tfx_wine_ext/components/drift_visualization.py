"""How a notebook shows a drift report."""

from __future__ import annotations

import html
import os

from tfx import types
from tfx.orchestration.experimental.interactive import visualizations
from tfx.utils import io_utils

from tfx_wine_ext.types.artifacts import ExampleDriftReport
from tfx_wine_ext.types.drift_report import REPORT_HTML

# Of the frame that the page scrolls in; a notebook gives it its own width.
_HEIGHT = "800px"


class ExampleDriftReportVisualization(visualizations.ArtifactVisualization):
    """Shows the page of an `ExampleDriftReport` in a frame of its own: its style stays inside."""

    ARTIFACT_TYPE = ExampleDriftReport

    def display(self, artifact: types.Artifact) -> None:
        """Displays the page below the cell of a notebook."""
        from IPython.display import HTML, display

        display(
            HTML(
                framed(
                    io_utils.read_string_file(os.path.join(artifact.uri, REPORT_HTML)),
                    "drift report",
                )
            )
        )


def framed(page: str, title: str) -> str:
    """Returns a frame that holds a page and may run its script, and reach nothing else.

    Args:
        page: A whole HTML document.
        title: What a screen reader calls the frame.

    Example:
        >>> framed('<p title="a">', "drift report")[:52]
        '<iframe title="drift report" sandbox="allow-scripts"'
    """
    return (
        f'<iframe title="{html.escape(title)}" sandbox="allow-scripts" '
        f'style="width: 100%; height: {_HEIGHT}; border: 0" srcdoc="{html.escape(page)}"></iframe>'
    )


def register() -> None:
    """Makes ``InteractiveContext.show`` know the artifact; importing the component does it."""
    visualizations.get_registry().register(ExampleDriftReportVisualization)
