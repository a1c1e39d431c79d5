"""Where rows come from: tables in files, lakehouses and databases.

The public names are descriptions of tables, such as `Files`, for `TableExampleGen`; each is
imported from its module on first use. This package depends on Arrow and numpy, but not on TFX or
TensorFlow.

Example:
    >>> from tfx_wine_ext import sources
    >>> sources.Files("wines", "*.avro").to_json()
    '{"path": "wines", "pattern": "*.avro", "source": "files"}'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tfx_wine_ext import safe_arrow  # noqa: F401 (before any module opens a file)

if TYPE_CHECKING:
    from tfx_wine_ext.sources.bigquery import BigQuery
    from tfx_wine_ext.sources.delta import Delta
    from tfx_wine_ext.sources.files import Files
    from tfx_wine_ext.sources.iceberg import Iceberg
    from tfx_wine_ext.sources.sql import Sql
    from tfx_wine_ext.sources.trino import Trino

# The library's own kinds of sources: names and modules.
OWN = {
    "BigQuery": "bigquery",
    "Delta": "delta",
    "Files": "files",
    "Iceberg": "iceberg",
    "Sql": "sql",
    "Trino": "trino",
}
__all__ = ["BigQuery", "Delta", "Files", "Iceberg", "Sql", "Trino"]


def __getattr__(name: str) -> Any:
    """Imports the module of a public name, and returns the object."""
    if name not in OWN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{OWN[name]}"), name)


def __dir__() -> list[str]:
    """Lists the public names, loaded or not."""
    return list(__all__)
