"""Displays drift reports in notebooks."""

from __future__ import annotations

import html
import os

from tfx import types
from tfx.orchestration.experimental.interactive import visualizations
from tfx.utils import io_utils

from tfx_wine_ext.types.artifacts import ExampleDriftReport
from tfx_wine_ext.types.drift_report import REPORT_HTML

# The page scrolls in a frame of this height and of the notebook's width.
_HEIGHT = "800px"


class ExampleDriftReportVisualization(visualizations.ArtifactVisualization):
    """Shows the page of an `ExampleDriftReport` in a frame, which isolates its styles."""

    ARTIFACT_TYPE = ExampleDriftReport

    def display(self, artifact: types.Artifact) -> None:
        """Displays the page below the notebook cell."""
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
    """Returns an iframe that holds a page and may run its scripts, but has no other rights.

    Args:
        page: A complete HTML document.
        title: The frame's name for screen readers.

    Example:
        >>> framed('<p title="a">', "drift report")[:52]
        '<iframe title="drift report" sandbox="allow-scripts"'
    """
    return (
        f'<iframe title="{html.escape(title)}" sandbox="allow-scripts" '
        f'style="width: 100%; height: {_HEIGHT}; border: 0" srcdoc="{html.escape(page)}"></iframe>'
    )


def register() -> None:
    """Registers the artifact with ``InteractiveContext.show``; the component's module calls it."""
    visualizations.get_registry().register(ExampleDriftReportVisualization)
