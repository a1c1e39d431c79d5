"""The statistics of drift: whether new data still resemble the reference data.

This package uses numpy, scipy and Arrow, but neither TFX nor Beam. Its parts, in the order of their
use::

    before = summarize(baseline)            # each part of the data by itself, then `merge`
    after = summarize(table)
    result = compare(before, after, DriftConfig(critical=("alcohol",)))
    document = report_document(result, baseline=..., current=..., method="exact", created=...)

docs/drift-metrics.md defines each metric and says what it sees and does not see.
"""

from typing import TYPE_CHECKING

from tfx_wine_ext import safe_arrow  # noqa: F401 (before any module of ours opens a file)
from tfx_wine_ext.drift.adjust import benjamini_hochberg
from tfx_wine_ext.drift.compare import compare
from tfx_wine_ext.drift.config import DEFAULT_THRESHOLDS, DriftConfig
from tfx_wine_ext.drift.document import DataSource
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.metrics import DriftMetric, register_metric, registered_metrics
from tfx_wine_ext.drift.result import DriftResult, FeatureResult
from tfx_wine_ext.drift.sample import RowSample
from tfx_wine_ext.drift.sketches import SketchLimits, TableSketch
from tfx_wine_ext.drift.summaries import (
    CategoricalSummary,
    NumericSummary,
    merge,
    summarize,
    summarize_column,
)
from tfx_wine_ext.drift.threshold import Threshold
from tfx_wine_ext.moved import moved_names

if TYPE_CHECKING:
    from tfx_wine_ext.report.drift_document import report_document as report_document

__all__ = [
    "DEFAULT_THRESHOLDS",
    "CategoricalSummary",
    "DataSource",
    "DriftConfig",
    "DriftMetric",
    "DriftResult",
    "FeatureResult",
    "Metric",
    "NumericSummary",
    "RowSample",
    "SketchLimits",
    "TableSketch",
    "Threshold",
    "Verdict",
    "benjamini_hochberg",
    "compare",
    "merge",
    "register_metric",
    "registered_metrics",
    "report_document",
    "summarize",
    "summarize_column",
]


def __dir__() -> list[str]:
    """Lists the public names, loaded or not, without modules that happen to be imported."""
    return list(__all__)


__getattr__ = moved_names(__name__)
