"""Modules and classes that moved can still be imported by their old paths.

Paths of classes are stored by users: in metadata stores, in pickles, and in their own imports. A
module that is imported by its old path is the module at its new path, the same object, so that
`isinstance` and `except` work across both.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

# The old and the new path of each module that moved, below this package.
MOVED = {
    "columnar.files": "files.local",
    "components.drift_visualization": "components.visualizations",
    "components.warm_start_visualization": "components.visualizations",
    "executors.beam_files": "files.choose",
    "files.beam": "files.choose",
    "warm_start.gfile": "files.tensorflow",
    "lineage.files": "files.tolerant",
    "columnar.table_source": "sources.source",
    "columnar.table_files": "sources.choose",
    "columnar.csv_table": "sources.csv",
    "columnar.csv_quotes": "sources.csv_quotes",
    "columnar.example_table": "sources.examples",
    "columnar.filters": "sources.filters",
    "columnar.schemas": "sources.schemas",
    "columnar.parquet_source": "sources.parquet",
    "columnar.parquet_table": "sources.parquet",
    "columnar.managed_tables": "sources.managed_tables",
    "columnar.int96": "sources.int96",
    "columnar.shard_files": "sources.shard_files",
    "columnar.layout": "sources.layout",
    "lineage.events": "artifacts.events",
    "lineage.moved": "history",
    "lineage.history": "history",
    "lineage.comparison": "lineage.records",
    "lineage.process": "artifacts.process",
    "drift.anomalies": "report.anomalies",
    "drift.config_file": "settings",
    "drift.words": "report.words.features",
    "report.explain": "report.words.drift",
    "report.history_explain": "report.words.history",
    "report.glossary": "report.words.glossary",
    "report.text": "report.words.text",
    "report.unread": "report.words.unread",
    "report.quantity": "report.words.quantity",
}

# The new module of each public name that left a module which is still there.
_NAMES = {
    "columnar.ingest": {
        "IngestOptions": "columnar.options",
        "OutputSplit": "columnar.options",
        "PARQUET_PAYLOAD": "columnar.options",
        "TFRECORD_PAYLOAD": "columnar.options",
        "ShardFile": "columnar.tasks",
        "plan_shards": "columnar.tasks",
        "clear": "columnar.commit",
        "commit": "columnar.commit",
    },
    "drift": {"report_document": "report.drift_document"},
    "drift.document": {"report_document": "report.drift_document"},
    "sources.parquet": {
        "find_files": "sources.footers",
        "read_footer": "sources.footers",
        "schema_fingerprint": "sources.footers",
    },
}


def moved_names(module: str) -> Callable[[str], Any]:
    """Returns the ``__getattr__`` of a module (PEP 562) that some names have left.

    Args:
        module: The module's ``__name__``.
    """

    def get(name: str) -> Any:
        new = _NAMES[module.partition(".")[2]].get(name)
        if new is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__package__}.{new}"), name)

    return get


class _MovedModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules by their old paths."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns a spec whose loader imports the module at its new path."""
        package, _, name = fullname.partition(".")
        if package != __package__ or name not in MOVED:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Imports the module at its new path."""
        name = spec.name.partition(".")[2]
        module = importlib.import_module(f"{__package__}.{MOVED[name]}")
        # Python is about to replace `__spec__` by that of the old path.
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Restores the module's own `__spec__`; the module has been executed already."""
        if module.__spec__ is not None and module.__spec__.loader_state is not None:
            module.__spec__ = module.__spec__.loader_state


def install() -> None:
    """Lets Python find moved modules by their old paths."""
    sys.meta_path.append(_MovedModules())
