"""The page of a pipeline's history: its state, its runs, and what changed between them."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfx_wine_ext import documents
from tfx_wine_ext.report import history_plot as plot
from tfx_wine_ext.report import shapes
from tfx_wine_ext.report.page import FEATURE_LIMIT, NAME_LIMIT, SENTENCE_LIMIT, render
from tfx_wine_ext.report.words import history as explain
from tfx_wine_ext.report.words.drift import label_of, metric_number
from tfx_wine_ext.report.words.glossary import COUNTS, Term, metric_label, terms
from tfx_wine_ext.report.words.quantity import Quantity
from tfx_wine_ext.report.words.text import count, labels, moment, number, pair, span_text, visible
from tfx_wine_ext.report.words.unread import unread_sentences

Json = Mapping[str, Any]

# Number of runs with details, which take about 12 kB each. The plot and strips show all runs.
DETAILED_RUNS = 50
# Number of features shown before "show all", in the strips and in a run's table.
FIRST_FEATURES = 12
# Number of metrics with a plot, the chosen one first.
_METRICS = 12
_ERROR_LIMIT = 4000
# All runs are on one sheet, which has room for this many labels.
_TICKS_ON_PAPER = 10
# Most characters of a feature's value, such as its most frequent category.
_VALUE_LIMIT = 30
# Most characters of a feature's name beside its strip, on one line.
_STRIP_LIMIT = 18
# Most parts of one setting that are described.
_PARTS = 12
# Most sentences below the headline.
_REASONS = 4
# Kinds of the drift report's reasons that the headline already states. Reports of earlier releases
# have no kinds; for them, the sentences.
_SAID_KINDS = ("share", "warned", "no_baseline")
_SAID = re.compile(r"\d+ of \d+ features drifted( or came near it)?|there is no baseline")
_PER_RUN = ("scores", "limits", "verdicts", "metrics", "by_chance")


@dataclasses.dataclass(frozen=True)
class Metric:
    """One metric over the runs on the page."""

    name: str
    label: str
    plot: plot.MetricPlot


@dataclasses.dataclass(frozen=True)
class Feature:
    """One feature over the runs on the page."""

    name: str
    label: str
    strip: plot.Strip


@dataclasses.dataclass(frozen=True)
class Score:
    """The result for one feature in one run."""

    name: str
    verdict: str
    metric_name: str | None
    metric: str
    value: str
    limit: str
    before: str
    after: str
    in_words: bool
    direction: str | None


@dataclasses.dataclass(frozen=True)
class Change:
    """One metric before and after, and for the previous model on the new data."""

    name: str
    label: str
    before: str
    between: str
    after: str
    change: str
    interval: str


@dataclasses.dataclass(frozen=True)
class Setting:
    """A setting, or a part of one, that changed."""

    name: str
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class RunView:
    """One run on the page.

    Args:
        run: The run in the document.
        detailed: Whether the page shows its details.
        outcome: A key of `OUTCOMES`.
        title: Its number, start, span and result in one line.
        measured: The chosen metric and its change; empty without one.
        drifted: How much of its data drifted; empty without a report.
        reasons: The other reasons in the report.
        moved: What changed since the previous run; None for the first run.
        scores: The scores in its drift report, worst first; without a report, as `compared`.
        compared: Scores from the statistics of this run and the previous one, if the drift report
            of `scores` compares with other data.
        changes: The changes of its metrics.
        settings: The settings that changed since the previous run.
        errors: Name and error of each component that has an error.
        seconds: Time of all components together.
        longest: Time of the slowest component; 1 if no time is known.
        report_link: Address of its drift report, if the report is a page on this machine.
        unread: Sentences about its files that could not be read.
    """

    run: Json
    detailed: bool
    outcome: str
    title: str
    measured: str
    drifted: str
    reasons: tuple[str, ...]
    moved: Json | None
    scores: tuple[Score, ...]
    compared: tuple[Score, ...]
    changes: tuple[Change, ...]
    settings: tuple[Setting, ...]
    errors: tuple[tuple[str, str], ...]
    seconds: float | None
    longest: float
    report_link: str | None
    unread: tuple[str, ...]


def render_history_page(document: Json) -> str:
    """Renders a pipeline's history as one self-contained HTML file.

    It works offline, without JavaScript and on paper. The plot and the strips show all runs (about
    0.4 kB for each, with 12 features), and the last 50 runs have details (about 12 kB each). Names
    and values are escaped and cannot reorder the surrounding text.

    Args:
        document: The history, as `tfx_wine_ext.lineage.history.history_document` makes it or
            `json.loads` reads it.

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
    _check(document)
    runs = document["runs"]
    trains = explain.trains(runs)
    outcomes = [explain.outcome(run, trains) for run in runs]
    names = _metric_names(document)
    main = names[0] if names else None
    document = {**document, "metric": main}
    production = explain.in_production(runs)
    start = max(0, len(runs) - DETAILED_RUNS)
    ticks = plot.ticks(runs) if runs else ()
    views = [_run(document, i, outcomes[i], i >= start) for i in range(len(runs))]
    strip_labels = labels((feature["name"] for feature in document["features"]), _STRIP_LIMIT)
    return render(
        "history.html",
        styles=("page.css", "history.css"),
        script_file="history.js",
        document=document,
        headline=explain.headline(document),
        tone=explain.OUTCOMES[outcomes[-1]].tone if runs else "NO_BASELINE",
        reasons=_reasons(document, outcomes[-1]) if runs else (),
        unread=unread_sentences(document.get("unread", ())),
        latest=views[-1] if runs else None,
        production=None if production is None else views[production],
        production_at=None if production is None else plot.place(production, len(runs)),
        failures=sum(outcome in ("failed", "stopped") for outcome in outcomes),
        pushes=len({run["pushed"] for run in runs} - {None}),
        views=views,
        is_whole=not runs or runs[0]["number"] == 1,
        detailed=views[:start - 1 if start else None:-1],
        older=start,
        places=[plot.place(i, len(runs)) for i in range(len(runs))],
        metrics=[_metric(name, runs, outcomes) for name in names[:_METRICS]],
        more_metrics=max(0, len(names) - _METRICS),
        starts=[plot.Point(plot.place(i, len(runs)), None, _start(run))
                for i, run in enumerate(runs)],
        ticks=ticks,
        tick_every_on_paper=math.ceil(len(ticks) / _TICKS_ON_PAPER) or 1,
        features=[
            Feature(feature["name"], strip_labels[feature["name"]], plot.strip(feature))
            for feature in document["features"]
        ],
        feature_labels=labels(_feature_names(document), FEATURE_LIMIT),
        column_width=plot.column_width(len(runs)),
        few=len(runs) <= plot.FEW,
        outcomes=explain.OUTCOMES,
        present=[key for key in explain.OUTCOMES if key in outcomes],
        FIRST_FEATURES=FIRST_FEATURES,
        metric_label=metric_label,
        terms=_terms(views, names),
        shown=_shown,
    )  # fmt: skip


def _terms(views: Sequence[RunView], measured: Sequence[str]) -> dict[str, Term]:
    """The glossary of the metrics on the page: those of drift and of evaluations."""
    scores = [score for view in views for score in (*view.scores, *view.compared)]
    return terms(drift=[score.metric_name for score in scores], evaluation=measured)


def _feature_names(document: Json) -> Iterator[str]:
    for feature in document["features"]:
        yield feature["name"]
    for run in document["runs"]:
        for score in run["drift"]["scores"] if run["drift"] else ():
            yield score["feature"]
    for moved in document["moved"]:
        for score in moved["features"]:
            yield score["feature"]
    for item in document["correlations"]:
        yield item["feature"]


def _check(document: Json) -> None:
    if not isinstance(document, Mapping):
        raise TypeError(f"document must be a mapping, found {type(document).__name__}")
    documents.checked(document, shapes.HISTORY, "document")
    runs = document["runs"]
    numbers = [run["number"] for run in runs]
    if len(set(numbers)) < len(numbers):
        raise ValueError(
            f"document['runs'] must have different whole numbers, found {numbers[:20]}"
        )
    if len(document["moved"]) != max(0, len(runs) - 1):
        raise ValueError(
            f"document['moved'] must have one entry for each pair of neighbours of {len(runs)} "
            f"runs, found {len(document['moved'])}: make the document anew"
        )
    for i, feature in enumerate(document["features"]):
        where = f"document['features'][{i}]"
        for key in _PER_RUN:
            if len(feature.get(key, runs)) != len(runs):
                raise ValueError(
                    f"{where}[{key!r}] must have one entry for each of {len(runs)} runs, found "
                    f"{len(feature[key])}: make the document anew"
                )


def _metric_names(document: Json) -> list[str]:
    """Metrics of any run: the chosen one first, counts last, others in the runs' order."""
    found = dict.fromkeys(name for run in document["runs"] for name in run["metrics"])
    main = document["metric"]
    return sorted(found, key=lambda name: (name != main, name in COUNTS))


def _metric(name: str, runs: Sequence[Json], outcomes: Sequence[str]) -> Metric:
    values = [run["metrics"].get(name) for run in runs]
    baselines = [explain.metric_value(run, name, "baseline_metrics") for run in runs]
    known = [v if v is not None and v["value"] is not None else None for v in values]
    return Metric(name, metric_label(name), plot.metric_plot(known, outcomes, baselines))


def _start(run: Json) -> str:
    if run["model"] is None:
        return "none"
    return {True: "warm", False: "cold"}.get(run["model"]["warm"], "plain")


def _reasons(document: Json, outcome: str) -> tuple[str, ...]:
    """Sentences below the headline of the latest run that do not repeat the headline."""
    run, moved = document["runs"][-1], document["moved"]
    if outcome == "stopped":
        return (*_other_reasons(run), *explain.farthest(run["drift"]["scores"]))[:_REASONS]
    if outcome == "failed" or not moved:
        return ()
    return tuple(visible(text, SENTENCE_LIMIT) for text in moved[-1]["sentences"][:_REASONS])


def _other_reasons(run: Json) -> tuple[str, ...]:
    """Reasons in a run's drift report that the sentence about it does not state."""
    if not run["drift"]:
        return ()
    reasons, kinds = run["drift"]["reasons"], run["drift"].get("reason_kinds", ())
    if len(kinds) == len(reasons):
        left = [text for text, kind in zip(reasons, kinds) if kind not in _SAID_KINDS]
    else:
        left = [text for text in reasons if not _SAID.fullmatch(text)]
    return tuple(visible(text, SENTENCE_LIMIT) for text in left)


def _run(document: Json, index: int, outcome: str, detailed: bool) -> RunView:
    runs, metric = document["runs"], document["metric"]
    run = runs[index]
    moved = document["moved"][index - 1] if index else None
    seconds = [part["seconds"] for part in run["components"] if part["seconds"] is not None]
    scores: Sequence[Json] = ()
    compared: Sequence[Json] = ()
    if detailed:
        scores = explain.worst_first(run["drift"]["scores"]) if run["drift"] else ()
        compared = moved["features"] if moved else ()
        if not scores or (moved and moved["source"] == "drift report"):
            scores, compared = compared or scores, ()
    return RunView(
        run,
        detailed,
        outcome,
        _title(run, outcome),
        explain.metric_change(runs, index, metric) if metric is not None else "",
        _sentence(explain.drift_words(run["drift"])) if run["drift"] else "",
        _other_reasons(run) if detailed else (),
        moved,
        tuple(map(_score, scores)),
        tuple(map(_score, compared)),
        _changes(run, moved) if detailed else (),
        tuple(_settings(moved)) if detailed and moved else (),
        tuple(
            (visible(part["id"], NAME_LIMIT), _error(part["error"]))
            for part in run["components"]
            if part["error"] is not None
        ),
        sum(seconds) if seconds else None,
        max(seconds, default=0.0) or 1.0,
        _link(run["drift"]["report"]) if run["drift"] else None,
        tuple(unread_sentences(run.get("unread", ()))) if detailed else (),
    )


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _title(run: Json, outcome: str) -> str:
    parts = [f"Run {run['number']}"]
    if run["started"] is not None:
        parts.append(moment(run["started"]))
    if run["examples"] is not None and run["examples"]["span"] is not None:
        examples = run["examples"]
        parts.append(f"span {span_text(examples['span'], examples.get('span_date'))}")
    parts.append(explain.OUTCOMES[outcome].label)
    return " · ".join(parts)


def _error(error: str) -> str:
    """An error as text, with its lines and their indentation."""
    lines = [line.expandtabs(4).rstrip() for line in error[:_ERROR_LIMIT].splitlines()]
    shown = [" " * (len(line) - len(line.lstrip(" "))) + visible(line.strip()) for line in lines]
    return "\n".join(shown) + ("…" if len(error) > _ERROR_LIMIT else "")


def _score(score: Json) -> Score:
    metric = score["metric"]
    before, after = "—", "—"
    if _is_number(score["before"]) and _is_number(score["after"]):
        before, after = Quantity(score.get("time")).pair(score["before"], score["after"])
    elif score["before"] is not None or score["after"] is not None:
        before, after = (_shown(score[side], _VALUE_LIMIT) for side in ("before", "after"))
    return Score(
        score["feature"],
        score["verdict"],
        metric,
        "—" if metric is None else label_of(metric),
        "—" if metric is None else metric_number(metric, score["score"]),
        "—" if metric is None else metric_number(metric, score["threshold"]),
        before,
        after,
        isinstance(score["before"], str) or isinstance(score["after"], str),
        None if score.get("by_chance") else score["direction"],
    )


def _settings(moved: Json) -> Iterator[Setting]:
    """Settings that changed; for settings in JSON, only the changed parts."""
    for item in moved["settings"]:
        name = f"{item['component']}.{item['parameter']}"
        before, after = (dict(_leaves(_parsed(item[side]))) for side in ("before", "after"))
        paths = [
            path for path in dict.fromkeys((*before, *after)) if before.get(path) != after.get(path)
        ]
        for path in paths[:_PARTS]:
            yield Setting(
                visible(name + path, 2 * NAME_LIMIT),
                _shown(before.get(path)),
                _shown(after.get(path)),
            )
        if len(paths) > _PARTS:
            more = count(len(paths) - _PARTS, "more part")
            yield Setting(f"{visible(name, 2 * NAME_LIMIT)}: {more}", "", "")


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


def _changes(run: Json, moved: Json | None) -> tuple[Change, ...]:
    if not run["metrics"]:
        return ()
    if moved is None or not moved["metrics"]:
        return tuple(
            Change(name, metric_label(name), "—", "—", _number(value["value"]), "—", "—")
            for name, value in run["metrics"].items()
        )
    found = []
    for item in moved["metrics"]:
        before, after = item["before"], item["after"]
        low, high = item["lower"], item["upper"]
        between = item["baseline"]
        if before is None or after is None:
            texts, change = (_number(before), _number(after)), "—"
        else:
            texts = pair(before, after)
            change = explain.moved_words(item, bool(moved["data_changed"]))
        interval = "—"
        if low is not None and high is not None:
            interval = f"{_number(low)} to {_number(high)}"
        name = item["name"]
        shown = (texts[0], _number(between), texts[1], change, interval)
        found.append(Change(name, metric_label(name), *shown))
    return tuple(found)


def _number(value: float | None) -> str:
    return number(value, 4)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any, limit: int = SENTENCE_LIMIT) -> str:
    """A setting or statistic as text."""
    if value is None:
        return "—"
    if documents.number(value) is None:
        return number(value)
    if isinstance(value, int):  # It has more digits than a float can have.
        return documents.described(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return visible(text, limit)


def _link(path: str | None) -> str | None:
    """Address of a page on this machine; None unless the text is the absolute path of a page.

    The code adds the scheme, so that no text from data can be an address that runs code or sends a
    request. Two slashes would begin a host name.
    """
    if path is None or not re.fullmatch(r"/(?!/)[^\x00-\x1f\\]*\.html", path):
        return None
    return "file://" + urllib.parse.quote(path, errors="replace")
