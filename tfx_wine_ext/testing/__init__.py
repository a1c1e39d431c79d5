"""A testing kit for TFX components: metadata stores, artifacts on disk, launches on both paths.

A component is tested as its users run it: with its real driver, executor and publisher, against a
real ML Metadata store, with the launcher of LocalDagRunner (`path="ir"`) or of InteractiveContext
(`path="notebook"`). The store is in memory by default.

Names are loaded on first use: importing this package imports neither TFX nor TensorFlow.
`FakeMetadata` and `parquet_file` never import them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfx_wine_ext.testing.artifacts import (
        as_channel,
        examples_artifact,
        model_artifact,
        read_examples,
        schema_artifact,
        statistics_artifact,
    )
    from tfx_wine_ext.testing.launcher import LaunchError, LaunchResult, launch
    from tfx_wine_ext.testing.metadata import (
        ArtifactRecord,
        EventRecord,
        ExecutionRecord,
        FakeMetadata,
        RecordedMetadata,
        SqliteMetadata,
    )
    from tfx_wine_ext.testing.tables import as_table, parquet_file

_NAMES = {
    "artifacts": "as_channel examples_artifact model_artifact read_examples schema_artifact "
    "statistics_artifact",
    "launcher": "LaunchError LaunchResult launch",
    "metadata": "ArtifactRecord EventRecord ExecutionRecord FakeMetadata RecordedMetadata "
    "SqliteMetadata",
    "tables": "as_table parquet_file",
}
_MODULE_OF_NAME = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [
    "ArtifactRecord",
    "EventRecord",
    "ExecutionRecord",
    "FakeMetadata",
    "LaunchError",
    "LaunchResult",
    "RecordedMetadata",
    "SqliteMetadata",
    "as_channel",
    "as_table",
    "examples_artifact",
    "launch",
    "model_artifact",
    "parquet_file",
    "read_examples",
    "schema_artifact",
    "statistics_artifact",
]


def __getattr__(name: str) -> Any:
    """Loads a public name from its module at first use (PEP 562)."""
    if name not in _MODULE_OF_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULE_OF_NAME[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    """Lists the public names, loaded or not; no module that happens to be imported."""
    return list(__all__)
