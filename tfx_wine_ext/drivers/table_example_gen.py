"""The driver of TableExampleGen: checks the table and fingerprints its content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfx_wine_ext.decisions.table_example_gen import decide
from tfx_wine_ext.drivers.example_gen import ExampleGenDriver, Found
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.types import parquet_example_gen as keys


@records_failures
class TableExampleGenDriver(ExampleGenDriver):
    """Resolves the span as TFX does, then checks the table before anything else runs.

    It opens the table, refuses columns that cannot become features, pins its version if it has
    versions, and records a fingerprint of the content. The driver runs before the cache lookup: a
    table that has not changed keeps its cached result, and a changed one loses it. Where the source
    cannot tell, the table is read in every run.

    Raises:
        SourceConfigError: A description is not valid, or its placeholders do not fit.
        TableFileError: The table cannot be used; or a package that its source needs is missing.
        ValueError: No span matches, a column cannot become a feature, or the filters or
            ``partition_feature_name`` do not fit the columns.
    """

    def find(self, exec_properties: Mapping[str, Any]) -> Found:
        """Looks at the table of each input split."""
        decided = decide(exec_properties)
        recorded = decided.exec_properties[keys.INPUT_FINGERPRINT_KEY]
        fingerprints = decided.request.of_splits(recorded)
        inputs = {}
        for name, source in decided.request.sources.items():
            rows = decided.rows[name]
            inputs[name] = f"{source.name}, {'?' if rows is None else rows} rows"
            if fingerprints[name] is None:
                inputs[name] += "; it cannot be told whether they changed, so they are read again"
        return Found(decided.exec_properties, decided.span_date, inputs)
