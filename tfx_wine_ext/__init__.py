"""Components that TensorFlow Extended lacks.

Importing this package is cheap: it loads neither TFX nor TensorFlow, Beam, Arrow or numpy. Each
public name is imported from its module on first use (PEP 562), so a script pays only for the
components that it uses.

Example:
    >>> import tfx_wine_ext
    >>> dir(tfx_wine_ext)[:3]
    ['BaseModelStrategy', 'BlessedModelExamplesStrategy', 'DriftBlessing']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tfx_wine_ext import moved

if TYPE_CHECKING:
    from tfx_wine_ext.components.drift_report import DriftReport, DriftReportSpec
    from tfx_wine_ext.components.parquet_example_gen import (
        ParquetExampleGen,
        ParquetExampleGenSpec,
    )
    from tfx_wine_ext.components.ragged_schema_gen import (
        RaggedSchemaGen,
        RaggedSchemaGenSpec,
    )
    from tfx_wine_ext.components.table_example_gen import (
        TableExampleGen,
        TableExampleGenSpec,
    )
    from tfx_wine_ext.components.warm_start_trainer import (
        WarmStartTrainer,
        WarmStartTrainerSpec,
    )
    from tfx_wine_ext.drift.config import DriftConfig
    from tfx_wine_ext.executors.parquet_example_gen import ParquetExecutor
    from tfx_wine_ext.progress.show import show_progress
    from tfx_wine_ext.resolvers.base_model import BaseModelStrategy
    from tfx_wine_ext.resolvers.baseline_examples import (
        BlessedModelExamplesStrategy,
        PinnedSpanStrategy,
        PreviousSpanStrategy,
    )
    from tfx_wine_ext.startup import quick_start
    from tfx_wine_ext.types.artifacts import DriftBlessing, ExampleDriftReport
    from tfx_wine_ext.warm_start.config import WarmStartConfig

__version__ = "0.1.0"

# The one table of public names; the imports above repeat it for type checkers only.
_MODULE_OF = {
    "BaseModelStrategy": "tfx_wine_ext.resolvers.base_model",
    "BlessedModelExamplesStrategy": "tfx_wine_ext.resolvers.baseline_examples",
    "DriftBlessing": "tfx_wine_ext.types.artifacts",
    "DriftConfig": "tfx_wine_ext.drift.config",
    "DriftReport": "tfx_wine_ext.components.drift_report",
    "DriftReportSpec": "tfx_wine_ext.components.drift_report",
    "ExampleDriftReport": "tfx_wine_ext.types.artifacts",
    "ParquetExampleGen": "tfx_wine_ext.components.parquet_example_gen",
    "ParquetExampleGenSpec": "tfx_wine_ext.components.parquet_example_gen",
    "ParquetExecutor": "tfx_wine_ext.executors.parquet_example_gen",
    "PinnedSpanStrategy": "tfx_wine_ext.resolvers.baseline_examples",
    "PreviousSpanStrategy": "tfx_wine_ext.resolvers.baseline_examples",
    "RaggedSchemaGen": "tfx_wine_ext.components.ragged_schema_gen",
    "RaggedSchemaGenSpec": "tfx_wine_ext.components.ragged_schema_gen",
    "TableExampleGen": "tfx_wine_ext.components.table_example_gen",
    "TableExampleGenSpec": "tfx_wine_ext.components.table_example_gen",
    "WarmStartConfig": "tfx_wine_ext.warm_start.config",
    "WarmStartTrainer": "tfx_wine_ext.components.warm_start_trainer",
    "WarmStartTrainerSpec": "tfx_wine_ext.components.warm_start_trainer",
    "quick_start": "tfx_wine_ext.startup",
    "show_progress": "tfx_wine_ext.progress.show",
}

__all__ = [  # literal, as type checkers read it
    "BaseModelStrategy",
    "BlessedModelExamplesStrategy",
    "DriftBlessing",
    "DriftConfig",
    "DriftReport",
    "DriftReportSpec",
    "ExampleDriftReport",
    "ParquetExampleGen",
    "ParquetExampleGenSpec",
    "ParquetExecutor",
    "PinnedSpanStrategy",
    "PreviousSpanStrategy",
    "RaggedSchemaGen",
    "RaggedSchemaGenSpec",
    "TableExampleGen",
    "TableExampleGenSpec",
    "WarmStartConfig",
    "WarmStartTrainer",
    "WarmStartTrainerSpec",
    "__version__",
    "quick_start",
    "show_progress",
]


moved.install()


def __getattr__(name: str) -> Any:
    """Imports the module that defines the public ``name`` and returns the object.

    Raises:
        AttributeError: This package has no public ``name``.
        ImportError: The module of ``name`` cannot be imported.
    """
    try:
        module = _MODULE_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    try:
        value = getattr(importlib.import_module(module), name)
    except AttributeError as error:
        # Python would report an AttributeError as a missing name and hide the cause.
        raise ImportError(f"{module} cannot be imported: {error}") from error
    globals()[name] = value  # Later uses bypass this function.
    return value


def __dir__() -> list[str]:
    """Lists the public names, loaded or not; no module that happens to be imported."""
    return list(__all__)
