"""Progress of a running pipeline, for people (`show_progress`) or functions (`observe_progress`).

Importing this package loads neither TFX nor TensorFlow.

Example:
    >>> from tfx_wine_ext.progress import show_progress
    >>> with show_progress():
    ...     pass  # LocalDagRunner().run(pipeline)
"""

from __future__ import annotations

from tfx_wine_ext.progress.events import (
    Anomalies,
    Blessing,
    ComponentEnded,
    ComponentStarted,
    DriftFound,
    Event,
    ModelStart,
    Pushed,
    Result,
    RowsRead,
    RowsWritten,
    State,
)
from tfx_wine_ext.progress.launches import observe_progress
from tfx_wine_ext.progress.show import show_progress

__all__ = [
    "Anomalies",
    "Blessing",
    "ComponentEnded",
    "ComponentStarted",
    "DriftFound",
    "Event",
    "ModelStart",
    "Pushed",
    "Result",
    "RowsRead",
    "RowsWritten",
    "State",
    "observe_progress",
    "show_progress",
]


def __dir__() -> list[str]:
    """Lists the public names, without modules that happen to be imported."""
    return list(__all__)
