"""Keys of `DriftReport`. Users' metadata stores hold them: never rename them."""

from __future__ import annotations

# Names of artifact types, and those that releases before 0.1.0 gave them
REPORT_TYPE = "tfx_wine_ext.ExampleDriftReport"
BLESSING_TYPE = "tfx_wine_ext.DriftBlessing"
EARLIER_REPORT_TYPE = "ExampleDriftReport"
EARLIER_BLESSING_TYPE = "DriftBlessing"

# Inputs
EXAMPLES_KEY = "examples"
BASELINE_KEY = "baseline"
STATISTICS_KEY = "statistics"
BASELINE_STATISTICS_KEY = "baseline_statistics"
SCHEMA_KEY = "schema"

# Outputs
REPORT_KEY = "report"
ANOMALIES_KEY = "anomalies"
BLESSING_KEY = "blessing"

# Parameters
SPLIT_KEY = "split"
BASELINE_SPLIT_KEY = "baseline_split"
# 1: both splits belong to the same artifact, and the component has no baseline input
SKEW_KEY = "skew"
MODE_KEY = "mode"
# `tfx_wine_ext.drift.DriftConfig` as JSON text with all defaults: the thresholds in force
DRIFT_CONFIG_KEY = "drift_config"
# 1: the author chose the baseline, and missing files are an error; 0: there is no baseline, or a
# Resolver found it, and missing files mean that there is none
BASELINE_PINNED_KEY = "baseline_pinned"
# 1: what the Resolver found is the newest of its type (`LatestArtifactStrategy`), and the component
# chooses the previous span of it; 0: what was found is the baseline
CHOOSE_BASELINE_KEY = "choose_baseline"
# ... 2: the Resolver names another component than that of the current data, whose spans are not
# theirs: what was found is the baseline, but where no driver ran, as Kubeflow's query has no names
CHOOSE_WITHOUT_DRIVER = 2

# Property of the execution, set by the driver, and custom property of the report: what is compared
# with what, as a sentence
DECISION_KEY = "decision"
# ... and, only if the files of a baseline that a Resolver found are gone: which one, as JSON text
LOST_KEY = "lost_baseline"
# ... and, only if what was found as a baseline is none: why, as JSON text
UNFIT_KEY = "unfit_baseline"

# Custom properties of the report and of the blessing, set by the publisher
BLESSED_KEY = "blessed"
VERDICT_KEY = "verdict"
# ... of the report only
METHOD_KEY = "method"
SHARE_DRIFTED_KEY = "share_drifted"
AGGREGATE_KEY = "aggregate"
CLASSIFIER_AUC_KEY = "classifier_auc"
FEATURES_KEY = "features"
FEATURES_DRIFTED_KEY = "features_drifted"
FEATURES_WARNED_KEY = "features_warned"
ROWS_KEY = "rows"
BASELINE_ROWS_KEY = "baseline_rows"
SPAN_KEY = "span"
BASELINE_SPAN_KEY = "baseline_span"
# as `span_date` of the Examples
SPAN_DATE_KEY = "span_date"
BASELINE_SPAN_DATE_KEY = "baseline_span_date"
# ... only if the files of a baseline that a Resolver found were gone: its URI
LOST_BASELINE_KEY = "lost_baseline_uri"
# ... for each of the worst features, numbered from 1: `worst_1`, `worst_1_verdict`, ...
MOST_WORST_FEATURES = 10
WORST_KEY = "worst"
WORST_VERDICT = "verdict"
WORST_METRIC = "metric"
WORST_SCORE = "score"
WORST_THRESHOLD = "threshold"

# Files
REPORT_JSON = "drift_report.json"
REPORT_HTML = "drift_report.html"
ANOMALIES_FILE = "SchemaDiff.pb"
BLESSED_FILE = "BLESSED"
NOT_BLESSED_FILE = "NOT_BLESSED"


def current_type(name: str) -> str:
    """Returns the present name of an artifact type, whichever release named it.

    Example:
        >>> current_type("DriftBlessing"), current_type("Examples")
        ('tfx_wine_ext.DriftBlessing', 'Examples')
    """
    earlier = {EARLIER_REPORT_TYPE: REPORT_TYPE, EARLIER_BLESSING_TYPE: BLESSING_TYPE}
    return earlier.get(name, name)


def of_worst(rank: int, key: str | None = None) -> str:
    """Returns the property key for one of the worst features.

    Args:
        rank: Rank of the feature, 1 for the worst.
        key: `WORST_VERDICT`, `WORST_METRIC`, `WORST_SCORE` or `WORST_THRESHOLD`; None for the
            feature's name.

    Example:
        >>> of_worst(1), of_worst(2, WORST_SCORE)
        ('worst_1', 'worst_2_score')
    """
    return f"{WORST_KEY}_{rank}" if key is None else f"{WORST_KEY}_{rank}_{key}"
