"""One score per feature for how far it moved, from a drift report or from statistics."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from tfx_wine_ext import documents
from tfx_wine_ext.artifacts.layout import SPLIT, STATISTICS_FILE, splits_of
from tfx_wine_ext.drift.ranking import (
    WORST_FIRST,
    beyond_chance,
    deciding_metric,
    nearness,
    severity,
)
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.types import drift_report as keys

# StatisticsGen makes ten, and a thousand ranks; the time to compare them is quadratic.
_MOST_BUCKETS = 10_000
_MOST_ROWS = 2**62

_NUMBER, _TEXT = documents.number, documents.text
_SIDE = documents.record({}, {"mean": documents.optional(_NUMBER)})
# What is read here of a report; the page asks for all of it.
_REPORT = documents.record(
    {
        "verdict": documents.one_of(*WORST_FIRST),
        "reasons": documents.list_of(_TEXT),
        "features": documents.list_of(
            documents.record(
                {
                    "name": _TEXT,
                    "verdict": documents.one_of(*WORST_FIRST),
                    "metrics": documents.mapping_of(
                        documents.record(
                            {
                                "value": _NUMBER,
                                "threshold": documents.optional(_NUMBER),
                                "warn": documents.optional(_NUMBER),
                                "verdict": documents.optional(documents.one_of(*WORST_FIRST)),
                            }
                        )
                    ),
                    "baseline": documents.optional(_SIDE),
                    "current": documents.optional(_SIDE),
                },
                {"time": documents.optional(_TEXT)},
            )
        ),
        "baseline": documents.optional(
            documents.record({"name": _TEXT}, {"span": documents.optional(documents.whole_number)})
        ),
        "share_drifted": documents.optional(_NUMBER),
    },
    {"reason_kinds": documents.list_of(_TEXT)},
)


@dataclasses.dataclass(frozen=True)
class Score:
    """The change of one feature between two sets of data.

    Attributes:
        feature: Its name.
        verdict: `OK`, `WARN`, `DRIFT`, `INCONCLUSIVE` or `NO_BASELINE`.
        metric: The deciding metric; None if there is none, as for a missing column.
        score: Its value; see docs/drift-metrics.md for its unit.
        threshold: The value at which it means drift, even if the verdict is a warning; for a metric
            that can only warn, the value at which it warns. None if unknown.
        direction: `up` or `down`, of the mean; None for categories, or if unknown.
        before: Mean in the baseline.
        after: Mean now.
        time: What times the means are, in microseconds: `date`, `timestamp`, `time` of day or
            `duration`; None: numbers.
        by_chance: Whether chance alone makes a score as high in samples of these sizes.
    """

    feature: str
    verdict: str
    metric: str | None = None
    score: float | None = None
    threshold: float | None = None
    direction: str | None = None
    before: float | None = None
    after: float | None = None
    time: str | None = None
    by_chance: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The score as a JSON object.

        Example:
            >>> Score("x", "OK").to_dict()["direction"] is None
            True
        """
        return dict(vars(self))

    @property
    def nearness(self) -> float | None:
        """The score divided by its threshold; None if unknown.

        Metrics have different units, and the deciding metric may change from run to run; this ratio
        is comparable.
        """
        if self.score is None or self.threshold is None:
            return None
        ratio = nearness(self.score, self.threshold)
        return ratio if math.isfinite(ratio) else None


def scores_of_report(document: Mapping[str, Any]) -> tuple[Score, ...]:
    """Returns the scores of all features of a drift report, the worst first.

    Args:
        document: From `tfx_wine_ext.drift.document.report_document`.

    Example:
        >>> scores_of_report({"features": []})
        ()
    """
    return tuple(map(_of_feature, sorted(document["features"], key=severity)))


def _of_feature(feature: Mapping[str, Any]) -> Score:
    name = deciding_metric(feature)
    metric = feature["metrics"][name] if name else None
    before, after = (_mean(feature[side]) for side in ("baseline", "current"))
    direction = None
    if before is not None and after is not None and before != after:
        direction = "up" if after > before else "down"
    return Score(
        feature["name"],
        feature["verdict"],
        name,
        metric["value"] if metric else None,
        _threshold(metric) if metric else None,
        direction,
        before,
        after,
        feature.get("time"),
        metric is not None and not beyond_chance(metric),
    )


def _threshold(metric: Mapping[str, Any]) -> float | None:
    """One scale for all verdicts: by its own level, a warning would look worse than drift."""
    level: float | None = metric["warn" if metric["threshold"] is None else "threshold"]
    return level


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
    found = []
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
            found.append(Score(name, verdict, decided, finite(score), finite(threshold)))
    return tuple(found)


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
    from tfx_wine_ext.drift import compare
    from tfx_wine_ext.drift.from_statistics import statistics_summaries

    files = files or SoftFiles()
    splits = [statistics_splits(uri, files) for uri in (before_uri, after_uri)]
    common = [split for split in splits[0] if split in splits[1]]
    if not common:
        return None
    split = "train" if "train" in common else common[0]
    summaries = []
    for uri in (before_uri, after_uri):
        statistics = read_statistics(uri, split, files)
        if statistics is None:
            return None
        why = _senseless(statistics)
        try:
            summaries.append({} if why else statistics_summaries(statistics))
        except (ValueError, ArithmeticError, LookupError) as error:
            why = str(error)
        if why:
            files.note_unreadable(f"{uri}/{SPLIT}{split}/{STATISTICS_FILE}", why)
            return None
    return scores_of_report(compare(summaries[0], summaries[1]).to_dict())


def _senseless(statistics: Any) -> str | None:
    """Describes impossible values in statistics, which would otherwise be compared."""
    for feature in statistics.features:
        name = ".".join(feature.path.step) or feature.name
        found = [*feature.num_stats.histograms, feature.string_stats.rank_histogram]
        found += [
            getattr(feature, kind).common_stats.num_values_histogram
            for kind in ("num_stats", "string_stats", "bytes_stats")
        ]
        for histogram in found:
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


def read_report(folder: str, files: SoftFiles, *, expected: bool = True) -> dict[str, Any] | None:
    """Returns the document of a drift report; None if it is missing or invalid.

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
        document: dict[str, Any] = documents.parse_json(data, path).value
        documents.checked(document, _REPORT, path)
    except documents.DocumentError as error:
        files.note_unreadable(path, error.problem)
        return None
    return document


def finite(value: Any) -> float | None:
    """Returns a finite number, or None for other values.

    Example:
        >>> finite(1), finite(float("nan")), finite("x")
        (1.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # An integer that no float can hold.
        return None
