"""One score per feature for how far it moved, from a drift report or from statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tfx_wine_ext import documents
from tfx_wine_ext.artifacts.layout import SPLIT, STATISTICS_FILE, split_folder, splits_of
from tfx_wine_ext.documents import finite
from tfx_wine_ext.drift.document import DriftDocument
from tfx_wine_ext.drift.load import load_document
from tfx_wine_ext.drift.metric import Metric
from tfx_wine_ext.drift.ranking import WORST_FIRST, beyond_chance, deciding_metric, severity
from tfx_wine_ext.drift.result import DriftResult, FeatureResult
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.lineage.records import Score
from tfx_wine_ext.types import drift_report as keys

if TYPE_CHECKING:
    from tfx_wine_ext.drift.summaries import Distribution

# StatisticsGen makes ten, and a thousand ranks; the time to compare them is quadratic.
_MOST_BUCKETS = 10_000
_MOST_ROWS = 2**62


class Report(NamedTuple):
    """A drift report, and its reasons as it words them.

    Attributes:
        document: The report.
        reasons: Its reasons in words.
        kinds: What each of the reasons is about; empty in reports of earlier releases.
    """

    document: DriftDocument
    reasons: tuple[str, ...]
    kinds: tuple[str, ...]


def scores_of_report(
    document: DriftDocument | DriftResult | Mapping[str, Any],
) -> tuple[Score, ...]:
    """Returns the scores of all features of a drift report, the worst first.

    Args:
        document: The report, loaded or as a JSON object; or the result of a comparison.
    """
    if isinstance(document, Mapping):
        document = load_document(document)
    return tuple(map(_of_feature, sorted(document.features, key=severity)))


def _of_feature(feature: FeatureResult) -> Score:
    name = deciding_metric(feature)
    metric = feature.metrics[name] if name else None
    before, after = (_mean(side) for side in (feature.baseline, feature.current))
    direction = None
    if before is not None and after is not None and before != after:
        direction = "up" if after > before else "down"
    return Score(
        feature.name,
        feature.verdict.value,
        name,
        metric.value if metric else None,
        _threshold(metric) if metric else None,
        direction,
        before,
        after,
        feature.time,
        metric is not None and not beyond_chance(metric),
    )


def _threshold(metric: Metric) -> float | None:
    """One scale for all verdicts: by its own level, a warning would look worse than drift."""
    return metric.warn if metric.threshold is None else metric.threshold


def _mean(side: Mapping[str, Any] | None) -> float | None:
    return (side or {}).get("mean")


def scores_of_properties(properties: Mapping[str, Any]) -> tuple[Score, ...]:
    """Returns the worst features, which DriftReport records as properties of its artifact.

    Args:
        properties: Properties of an ExampleDriftReport.

    Example:
        >>> scores_of_properties({"worst_1": "x", "worst_1_verdict": "WARN"})[0].feature
        'x'
    """
    scores = []
    for rank in range(1, keys.MOST_WORST_FEATURES + 1):
        if keys.of_worst(rank) not in properties:
            break
        verdict, metric, score, threshold = (
            properties.get(keys.of_worst(rank, key))
            for key in (
                keys.WORST_VERDICT,
                keys.WORST_METRIC,
                keys.WORST_SCORE,
                keys.WORST_THRESHOLD,
            )
        )
        name = str(properties[keys.of_worst(rank)])
        if verdict == "WARN":  # Recorded is the level of warning.
            threshold = None
        if isinstance(verdict, str) and verdict in WORST_FIRST:
            decided = metric if isinstance(metric, str) else None
            scores.append(Score(name, verdict, decided, finite(score), finite(threshold)))
    return tuple(scores)


class StatisticsPairs:
    """Compares the statistics of neighbouring runs, and reads those of each run once.

    Args:
        files: How to read them.
    """

    def __init__(self, files: SoftFiles) -> None:
        self._files = files
        self._splits: dict[str, list[str]] = {}
        self._summaries: dict[tuple[str, str], dict[str, Distribution]] = {}

    def scores(self, before_uri: str, after_uri: str) -> tuple[Score, ...] | None:
        """Does the same as `scores_of_statistics`."""
        from tfx_wine_ext.drift import compare

        two = (before_uri, after_uri)
        splits = [self._splits.get(uri) or statistics_splits(uri, self._files) for uri in two]
        common = [split for split in splits[0] if split in splits[1]]
        if not common:
            return None
        split = "train" if "train" in common else common[0]
        summaries = []
        for uri in two:
            known = self._summaries.get((uri, split)) or self._read(uri, split)
            if known is None:
                return None
            summaries.append(known)
        # What was noted about a file is noted again where the next pair has it.
        self._splits, self._summaries = {}, {}
        if not self._files.has_unread:
            self._splits[after_uri] = splits[1]
            self._summaries[after_uri, split] = summaries[1]
        return scores_of_report(compare(summaries[0], summaries[1], histograms=False))

    def _read(self, uri: str, split: str) -> dict[str, Distribution] | None:
        from tfx_wine_ext.drift.from_statistics import statistics_summaries

        statistics = read_statistics(uri, split, self._files)
        if statistics is None:
            return None
        why = _senseless(statistics)
        if why is None:
            try:
                return statistics_summaries(statistics)
            except (ValueError, ArithmeticError, LookupError) as error:
                why = str(error)
        if why:
            self._files.note_unreadable(f"{split_folder(uri, split)}/{STATISTICS_FILE}", why)
        return None if why else {}


def scores_of_statistics(
    before_uri: str, after_uri: str, files: SoftFiles | None = None
) -> tuple[Score, ...] | None:
    """Compares StatisticsGen's statistics of two sets of data, with the default thresholds.

    Statistics hold histograms, not values: small drift is `INCONCLUSIVE`, see
    `tfx_wine_ext.drift.from_statistics`.

    Args:
        before_uri: URI of an ExampleStatistics artifact.
        after_uri: URI of another one.
        files: How to read them. Default: directly.

    Returns:
        The scores of the split "train", or of the first split that both have; the worst first. None
        if the files of one are gone, or are not statistics of one dataset.
    """
    return StatisticsPairs(files or SoftFiles()).scores(before_uri, after_uri)


def _senseless(statistics: Any) -> str | None:
    """Describes impossible values in statistics, which would otherwise be compared."""
    for feature in statistics.features:
        name = ".".join(feature.path.step) or feature.name
        histograms = [*feature.num_stats.histograms, feature.string_stats.rank_histogram]
        histograms += [
            getattr(feature, kind).common_stats.num_values_histogram
            for kind in ("num_stats", "string_stats", "bytes_stats")
        ]
        for histogram in histograms:
            if len(histogram.buckets) > _MOST_BUCKETS:
                return f"feature {name!r} has {len(histogram.buckets):,} buckets"
            counts = [bucket.sample_count for bucket in histogram.buckets]
            if not all(0 <= count <= _MOST_ROWS for count in (*counts, _nan_of(histogram))):
                return f"feature {name!r} has counts that are none"
    return None


def _nan_of(histogram: Any) -> float:
    """Ranks have no number of NaN."""
    return float(getattr(histogram, "num_nan", 0))


def statistics_splits(uri: str, files: SoftFiles) -> list[str]:
    """Returns the splits of which there are statistics, sorted."""
    return splits_of(files.names(uri))


def read_statistics(uri: str, split: str, files: SoftFiles) -> Any:
    """Returns the DatasetFeatureStatistics of a split; None if they are gone or sliced."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    name = f"{SPLIT}{split}/{STATISTICS_FILE}"
    data = files.read(uri, name)
    if data is None:
        return None
    try:
        of_all = documents.parse_message(statistics_pb2.DatasetFeatureStatisticsList, data, name)
    except documents.DocumentError as error:
        files.note_unreadable(f"{uri}/{name}", error.problem)
        return None
    datasets = of_all.datasets
    # With slices, the first one is of the whole by TFDV's convention, and has this name.
    whole = [dataset for dataset in datasets if dataset.name in ("", "All Examples")]
    return whole[0] if len(datasets) and whole else (datasets[0] if len(datasets) == 1 else None)


def read_report(folder: str, files: SoftFiles, *, expected: bool = True) -> Report | None:
    """Returns a drift report; None if it is missing or invalid.

    Args:
        folder: Folder of the report.
        files: How to read it; records that it cannot be read.
        expected: Whether to record that it does not exist.
    """
    data = files.read(folder, keys.REPORT_JSON, expected=expected)
    if data is None:
        return None
    path = f"{folder}/{keys.REPORT_JSON}"
    try:
        value = documents.parse_json(data, path).value
        document = load_document(value, path)
        return Report(document, tuple(value["reasons"]), tuple(value.get("reason_kinds", ())))
    except documents.DocumentError as error:
        files.note_unreadable(path, error.problem)
        return None
