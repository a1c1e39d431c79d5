"""How the commands about runs show scores, metrics, times and settings."""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfx_wine_ext.artifacts.process import ALIVE, ENDED
from tfx_wine_ext.cli.process import say
from tfx_wine_ext.cli.terminal import VERDICT_STYLES, Cell, print_line, print_table
from tfx_wine_ext.documents import DocumentError, parse_json
from tfx_wine_ext.files.tolerant import Unread
from tfx_wine_ext.lineage.records import (
    Component,
    Drift,
    MetricChange,
    MetricValue,
    Run,
    Score,
)
from tfx_wine_ext.report.words.features import changed
from tfx_wine_ext.report.words.quantity import Quantity
from tfx_wine_ext.report.words.text import number, pair, percent
from tfx_wine_ext.report.words.unread import unread_sentences

UNFINISHED = ("RUNNING", "NEW")
_DIED = "its process ended, by a signal or with the machine, and recorded no result"
_UNKNOWN = "no end is recorded; whether it still runs cannot be told from here"

MOST_FEATURES = 50
SETTING_LENGTH = 300
STATE_STYLES = {
    "COMPLETE": "green",
    "CACHED": "cyan",
    "RUNNING": "yellow",
    "FAILED": "bold red",
    "CANCELED": "red",
}


def utc(iso: str) -> str:
    """Shows a time to the second, in UTC.

    Example:
        >>> utc("2026-11-25T02:23:11.201000+00:00")
        '2026-11-25 02:23:11'
    """
    time = datetime.datetime.fromisoformat(iso).astimezone(datetime.timezone.utc)
    return time.strftime("%Y-%m-%d %H:%M:%S")


def state_cell(part: Run | Component) -> Cell:
    """The state of a run or a component in its colour; if it has no end, the state as far as known.

    Args:
        part: The run or the component.
    """
    style = STATE_STYLES.get(part.state, "")
    if part.state in UNFINISHED:
        if part.process == ENDED:
            return Cell("DIED", STATE_STYLES["FAILED"])
        return Cell(part.state if part.process == ALIVE else f"{part.state}?", style)
    return Cell(part.state, style)


def end_words(component: Component) -> str:
    """What is known about the end of a component: its error, or why there is none."""
    if component.state in UNFINISHED and not component.error:
        return {ENDED: _DIED, ALIVE: ""}.get(component.process or "", _UNKNOWN)
    return component.error or ""


def verdict_cell(verdict: str | None, more: str = "") -> Cell:
    """A verdict in its colour."""
    return Cell(f"{verdict or ''}{more}", VERDICT_STYLES.get(verdict or "", ""))


def yes_no(value: bool | None) -> Cell:
    """Yes in green, no in red, and nothing if the answer is unknown."""
    return Cell("") if value is None else Cell("yes", "green") if value else Cell("no", "red")


def rows_text(rows: Mapping[str, int] | None) -> str:
    """The number of all rows, and of the rows of each split.

    Example:
        >>> rows_text({"train": 1075, "eval": 558}), rows_text(None)
        ('1,633 (train 1,075, eval 558)', 'not known')
    """
    if rows is None:
        return "not known"
    return f"{sum(rows.values()):,} (" + ", ".join(f"{k} {v:,}" for k, v in rows.items()) + ")"


def print_section(
    title: str, facts: Sequence[tuple[str, Any]] = (), *, goes_on: bool = False
) -> None:
    """Prints a title, and below it names and values.

    Args:
        title: The title of the section.
        facts: Names and values. A fact whose value is None is left out.
        goes_on: Whether a table follows; else the section ends with an empty line.
    """
    print_line(title)
    known = [(name, value) for name, value in facts if value is not None]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        print_line(f"  {name:{width}}  {value}")
    if not goes_on:
        print_line("")


def print_unread(unread: Iterable[Unread], *, beside: bool = False) -> None:
    """Says which of the following could not be read; nothing if all could.

    Args:
        unread: What could not be read.
        beside: Whether to say it on stderr, as what follows on stdout is for programs.
    """
    sentences = unread_sentences(unread)
    for sentence in sentences:
        (say if beside else print_line)(f"Note: {sentence}")
    if sentences and not beside:
        print_line("")


def print_scores(scores: Sequence[Score]) -> None:
    """Prints the scores of features, worst first."""
    print_table(
        ("feature", "verdict", "metric", "score", "limit", "mean before", "now"),
        [
            (
                score.feature,
                verdict_cell(score.verdict),
                score.metric or "",
                _shown(score.score, 3),
                _shown(score.threshold, 3),
                *_means(score),
            )
            for score in scores[:MOST_FEATURES]
        ],
        right=("score", "limit", "mean before", "now"),
    )
    if len(scores) > MOST_FEATURES:
        print_line(f"... and {len(scores) - MOST_FEATURES:,} more: --json has all of them")


def _means(score: Score) -> tuple[str, str]:
    if score.before is None or score.after is None:
        return "", ""
    before, after = Quantity(score.time).pair(score.before, score.after)
    arrow = {"up": " ↑", "down": " ↓"}.get(score.direction or "", "  ")
    return before, after + arrow


def _shown(value: float | None, digits: int = 4) -> str:
    return "" if value is None else number(value, digits)


def interval(metric: MetricValue | MetricChange) -> str:
    """Shows the bounds of a metric or of a change; nothing if there are none.

    Example:
        >>> interval(MetricValue(0.2, 0.1, 0.25)), interval(MetricValue(0.2))
        ('0.1 to 0.25', '')
    """
    if metric.lower is None or metric.upper is None:
        return ""
    return " to ".join(pair(metric.lower, metric.upper))


def setting(value: Any) -> str:
    """Shows the value of a parameter in one line: JSON without blanks, cut if it is long.

    Example:
        >>> setting('{ "a": [1] }'), setting("x"), setting(None)
        ('{"a":[1]}', 'x', 'none')
    """
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if text[:1] in ("{", "["):
        with contextlib.suppress(DocumentError):
            parsed = parse_json(text, "", finite=False).value
            text = json.dumps(parsed, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= SETTING_LENGTH else text[: SETTING_LENGTH - 1] + "…"


def drift_text(drift: Drift) -> str:
    """How many features drifted or changed, in words: ``3 of 12 features drifted (25 %)``."""
    if drift.features is None or drift.features_drifted is None:
        return "not known"
    said = changed(drift.features_drifted, drift.features_warned, drift.features)
    share = f" ({percent(drift.share_drifted)})" if drift.share_drifted else ""
    return f"{said}{share}".replace("\u00a0", " ")
