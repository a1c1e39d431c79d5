"""The page of a pipeline's history: its state, its runs, and what changed between them."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfx_wine_ext import documents
from tfx_wine_ext.lineage.records import (
    COUNTS,
    DRIFT_REPORT,
    Drift,
    History,
    MetricChange,
    Move,
    Run,
    Score,
)
from tfx_wine_ext.report import history_plot as plot
from tfx_wine_ext.report.page import FEATURE_LIMIT, NAME_LIMIT, SENTENCE_LIMIT, render
from tfx_wine_ext.report.words import history as explain
from tfx_wine_ext.report.words.drift import label_of, metric_number
from tfx_wine_ext.report.words.glossary import Term, metric_label, terms
from tfx_wine_ext.report.words.text import count, labels, moment, number, span_text, visible
from tfx_wine_ext.report.words.unread import unread_sentences

# Number of runs with details, which take about 12 kB each. The plot and strips show all runs.
DETAILED_RUNS = 50
# Number of features shown before "show all", in the strips and in a run's table.
FIRST_FEATURES = 12
# Number of metrics with a plot, the chosen one first.
_METRICS = 12
_ERROR_LIMIT = 4000
# All runs are on one sheet, which has room for this many labels.
_TICKS_ON_PAPER = 10
# Most characters of a feature's name beside its strip, on one line.
_STRIP_LIMIT = 18
# Most parts of one setting that are described.
_PARTS = 12
# Most sentences below the headline.
_REASONS = 4
# Kinds of the drift report's reasons that the headline already states.
_SAID_KINDS = ("share", "warned", "no_baseline")


@dataclasses.dataclass(frozen=True)
class MetricRow:
    """One metric over the runs on the page."""

    name: str
    label: str
    plot: plot.MetricPlot


@dataclasses.dataclass(frozen=True)
class FeatureRow:
    """One feature over the runs on the page."""

    name: str
    label: str
    strip: plot.Strip


@dataclasses.dataclass(frozen=True)
class SettingRow:
    """A setting, or a part of one, that changed."""

    name: str
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class RunView:
    """One run on the page.

    Args:
        run: The run.
        outcome: A key of `OUTCOMES`.
        metric: The chosen metric; empty without one.
        measured: The same with its change.
        moved: What changed since the previous run; None for the first run.
        details: What the page shows below the chart; None for an old run.
    """

    run: Run
    outcome: str
    metric: str
    measured: str
    moved: Move | None
    details: Details | None

    @property
    def title(self) -> str:
        """Its number, start, span and result in one line."""
        run = self.run
        parts = [f"Run {run.number}"]
        if run.started is not None:
            parts.append(moment(run.started))
        if run.examples is not None and run.examples.span is not None:
            parts.append(f"span {span_text(run.examples.span, run.examples.span_date)}")
        return " · ".join([*parts, explain.OUTCOMES[self.outcome].label])

    @property
    def drifted(self) -> str:
        """How much of its data drifted; empty without a report."""
        if self.run.drift is None:
            return ""
        words = explain.drift_words(self.run.drift)
        return f"{words[:1].upper()}{words[1:]}."

    @property
    def seconds(self) -> float | None:
        """Time of all components together."""
        known = [part.seconds for part in self.run.components if part.seconds is not None]
        return sum(known) if known else None


@dataclasses.dataclass(frozen=True)
class Details:
    """The details of one run.

    Args:
        reasons: The reasons in its drift report that `RunView.drifted` does not state.
        scores: The scores in its drift report, worst first; without a report, as `compared`.
        compared: Scores from the statistics of this run and the previous one, if the drift report
            of `scores` compares with other data.
        changes: The changes of its metrics.
        settings: The settings that changed since the previous run.
        errors: Name and error of each component that has an error.
        longest: Time of the slowest component; 1 if no time is known.
        report_link: Address of its drift report, if the report is a page on this machine.
        unread: Sentences about its files that could not be read.
    """

    reasons: tuple[str, ...]
    scores: tuple[Score, ...]
    compared: tuple[Score, ...]
    changes: tuple[MetricChange, ...]
    settings: tuple[SettingRow, ...]
    errors: tuple[tuple[str, str], ...]
    longest: float
    report_link: str | None
    unread: tuple[str, ...]


def render_history_page(document: Mapping[str, Any] | History) -> str:
    """Renders a pipeline's history as one self-contained HTML file.

    It works offline, without JavaScript and on paper. The plot and the strips show all runs (about
    0.4 kB for each, with 12 features), and the last 50 runs have details (about 12 kB each). Names
    and values are escaped and cannot reorder the surrounding text.

    Args:
        document: The history, from `tfx_wine_ext.history.history`; or its JSON object, which an
            earlier release may have made.

    Returns:
        The page; write it as UTF-8.

    Raises:
        TypeError: `document` is not a mapping.
        ValueError: `document` has an unexpected value, whose place the message names, or its parts
            do not belong together.

    Example:
        >>> page = render_history_page({
        ...     "pipeline": "wine", "store": "metadata.db", "created": "2026-11-25T03:00:00+00:00",
        ...     "library": "tfx_wine_ext 0.1", "metric": None, "runs": [], "moved": [],
        ...     "features": [], "correlations": [], "correlation_note": ""})
        >>> "The pipeline has not run yet." in page
        True
    """
    history = document if isinstance(document, History) else _read(document)
    runs = history.runs
    trains = explain.trains(runs)
    outcomes = [explain.outcome(run, trains) for run in runs]
    names = _metric_names(history)
    history = dataclasses.replace(history, metric=names[0] if names else None)
    production = explain.in_production(runs)
    start = max(0, len(runs) - DETAILED_RUNS)
    ticks = plot.ticks(runs) if runs else ()
    views = [_run(history, i, outcomes[i], i >= start) for i in range(len(runs))]
    places = [plot.place(i, len(runs)) for i in range(len(runs))]
    strip_labels = labels((feature.name for feature in history.features), _STRIP_LIMIT)
    return render(
        "history.html",
        styles=("page.css", "history.css"),
        script_file="history.js",
        history=history,
        headline=explain.headline(history),
        tone=explain.OUTCOMES[outcomes[-1]].tone if runs else "NO_BASELINE",
        reasons=_reasons(history, outcomes[-1]) if runs else (),
        unread=unread_sentences(history.unread),
        latest=views[-1] if runs else None,
        production=None if production is None else views[production],
        production_at=None if production is None else places[production],
        failures=sum(outcome in ("failed", "stopped") for outcome in outcomes),
        pushes=len({run.pushed for run in runs} - {None}),
        views=views,
        is_whole=not runs or runs[0].number == 1,
        detailed=views[:start - 1 if start else None:-1],
        older=start,
        places=places,
        metrics=[_metric(name, runs, outcomes) for name in names[:_METRICS]],
        more_metrics=max(0, len(names) - _METRICS),
        starts=[plot.Point(place, None, _start(run)) for place, run in zip(places, runs)],
        ticks=ticks,
        tick_every_on_paper=math.ceil(len(ticks) / _TICKS_ON_PAPER) or 1,
        features=[
            FeatureRow(feature.name, strip_labels[feature.name], plot.strip(feature))
            for feature in history.features
        ],
        feature_labels=labels(_feature_names(history), FEATURE_LIMIT),
        column_width=plot.column_width(len(runs)),
        few=len(runs) <= plot.FEW,
        outcomes=explain.OUTCOMES,
        present=[key for key in explain.OUTCOMES if key in outcomes],
        FIRST_FEATURES=FIRST_FEATURES,
        metric_label=metric_label,
        label_of=label_of,
        metric_number=metric_number,
        means_text=explain.means_text,
        values_text=explain.values_text,
        moved_words=explain.moved_words,
        terms=_terms(views, names),
        shown=_shown,
    )  # fmt: skip


def _terms(views: Sequence[RunView], measured: Sequence[str]) -> dict[str, Term]:
    """The glossary of the metrics on the page: those of drift and of evaluations."""
    details = [view.details for view in views if view.details is not None]
    scores = [score for detail in details for score in (*detail.scores, *detail.compared)]
    return terms(drift=[score.metric for score in scores], evaluation=measured)


def _feature_names(history: History) -> Iterator[str]:
    scores = [run.drift.scores for run in history.runs if run.drift is not None]
    scores += [step.features for step in history.moved]
    yield from (feature.name for feature in history.features)
    yield from (score.feature for score in itertools.chain(*scores))
    yield from (correlation.feature for correlation in history.correlations)


def _read(document: Mapping[str, Any]) -> History:
    """Checks a document and makes records of it."""
    if not isinstance(document, Mapping):
        raise TypeError(f"document must be a mapping, found {type(document).__name__}")
    history = documents.load(History, document, "document")
    numbers = [run.number for run in history.runs]
    runs = len(numbers)
    if len(set(numbers)) < runs:
        raise ValueError(
            f"document['runs'] must have different whole numbers, found {numbers[:20]}"
        )
    if len(history.moved) != max(0, runs - 1):
        raise ValueError(
            f"document['moved'] must have one entry for each pair of neighbours of {runs} "
            f"runs, found {len(history.moved)}: make the document anew"
        )
    for i, feature in enumerate(history.features):
        for key, column in vars(feature).items():
            if key != "name" and len(column) != runs and (column or key != "by_chance"):
                raise ValueError(
                    f"document['features'][{i}][{key!r}] must have one entry for each of {runs} "
                    f"runs, found {len(column)}: make the document anew"
                )
    return history


def _metric_names(history: History) -> list[str]:
    """Metrics of any run: the chosen one first, counts last, others in the runs' order."""
    names = dict.fromkeys(name for run in history.runs for name in run.metrics)
    return sorted(names, key=lambda name: (name != history.metric, name in COUNTS))


def _metric(name: str, runs: Sequence[Run], outcomes: Sequence[str]) -> MetricRow:
    values = [run.metrics.get(name) for run in runs]
    baselines = [explain.metric_value(run.baseline_metrics, name) for run in runs]
    return MetricRow(name, metric_label(name), plot.metric_plot(values, outcomes, baselines))


def _start(run: Run) -> str:
    if run.model is None:
        return "none"
    return "plain" if run.model.warm is None else "warm" if run.model.warm else "cold"


def _reasons(history: History, outcome: str) -> tuple[str, ...]:
    """Sentences below the headline of the latest run that do not repeat the headline."""
    drift, moved = history.runs[-1].drift, history.moved
    if outcome == "stopped" and drift is not None:
        return (*_other_reasons(drift), *explain.farthest(drift.scores))[:_REASONS]
    if outcome == "failed" or not moved:
        return ()
    return tuple(visible(text, SENTENCE_LIMIT) for text in moved[-1].sentences[:_REASONS])


def _other_reasons(drift: Drift | None) -> tuple[str, ...]:
    """Reasons in a drift report that the sentence about it does not state.

    Reports of earlier releases do not record the kinds of their reasons: all are shown.
    """
    if drift is None:
        return ()
    kinds = drift.reason_kinds
    reasons = zip(
        drift.reasons, kinds if len(kinds) == len(drift.reasons) else itertools.repeat("")
    )
    return tuple(visible(text, SENTENCE_LIMIT) for text, kind in reasons if kind not in _SAID_KINDS)


def _run(history: History, index: int, outcome: str, detailed: bool) -> RunView:
    run = history.runs[index]
    moved = history.moved[index - 1] if index else None
    return RunView(
        run,
        outcome,
        explain.metric_text(run, history.metric),
        explain.metric_change(history.runs, index, history.metric),
        moved,
        _details(run, moved) if detailed else None,
    )


def _details(run: Run, moved: Move | None) -> Details:
    scores = explain.worst_first(run.drift.scores) if run.drift else []
    compared = list(moved.features) if moved else []
    if not scores or (moved and moved.source == DRIFT_REPORT):
        scores, compared = compared or scores, []
    return Details(
        reasons=_other_reasons(run.drift),
        scores=tuple(scores),
        compared=tuple(compared),
        changes=_changes(run, moved),
        settings=tuple(_settings(moved)) if moved else (),
        errors=tuple(
            (visible(part.id, NAME_LIMIT), _error(part.error))
            for part in run.components
            if part.error is not None
        ),
        longest=max((part.seconds or 0.0 for part in run.components), default=0.0) or 1.0,
        report_link=_link(run.drift.report) if run.drift else None,
        unread=tuple(unread_sentences(run.unread)),
    )


def _error(error: str) -> str:
    """An error as text, with its lines and their indentation."""
    lines = [line.expandtabs(4).rstrip() for line in error[:_ERROR_LIMIT].splitlines()]
    shown = [" " * (len(line) - len(line.lstrip(" "))) + visible(line.strip()) for line in lines]
    return "\n".join(shown) + ("…" if len(error) > _ERROR_LIMIT else "")


def _settings(moved: Move) -> Iterator[SettingRow]:
    """Settings that changed; for settings in JSON, only the changed parts."""
    for change in moved.settings:
        name = f"{change.component}.{change.parameter}"
        before, after = (dict(_leaves(_parsed(x))) for x in (change.before, change.after))
        paths = [
            path for path in dict.fromkeys((*before, *after)) if before.get(path) != after.get(path)
        ]
        for path in paths[:_PARTS]:
            yield SettingRow(
                visible(name + path, 2 * NAME_LIMIT),
                _shown(before.get(path)),
                _shown(after.get(path)),
            )
        if len(paths) > _PARTS:
            more = count(len(paths) - _PARTS, "more part")
            yield SettingRow(f"{visible(name, 2 * NAME_LIMIT)}: {more}", "", "")


def _parsed(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return documents.parse_json(value, "", finite=False).value
        except documents.DocumentError:
            return value
    return value


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The innermost parts of a JSON value, by their paths."""
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for i, part in enumerate(value):
            yield from _leaves(part, f"{path}[{i}]")
    elif value is not None:
        yield path, value


def _changes(run: Run, moved: Move | None) -> tuple[MetricChange, ...]:
    if not run.metrics:
        return ()
    if moved is not None and moved.metrics:
        return moved.metrics
    return tuple(MetricChange(name, None, x.value) for name, x in run.metrics.items())


def _shown(value: Any) -> str:
    """A setting as text."""
    if value is None:
        return "—"
    if documents.finite(value) is not None:
        return number(value)
    if isinstance(value, int):  # It has more digits than a float can have.
        return documents.described(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return visible(text, SENTENCE_LIMIT)


def _link(path: str | None) -> str | None:
    """Address of a page on this machine; None unless the text is the absolute path of a page.

    The code adds the scheme, so that no text from data can be an address that runs code or sends a
    request. Two slashes would begin a host name.
    """
    if path is None or not re.fullmatch(r"/(?!/)[^\x00-\x1f\\]*\.html", path):
        return None
    return "file://" + urllib.parse.quote(path, errors="replace")
