"""What the command line shows of a drift report: a sentence, and a table of the features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.cli.terminal import VERDICT_STYLES, Cell, print_line, print_table
from tfx_wine_ext.drift.ranking import beyond_chance, limit_of, nearness, severity
from tfx_wine_ext.drift.words import GROWS
from tfx_wine_ext.printable import printable
from tfx_wine_ext.report.words.text import count

if TYPE_CHECKING:
    from rich.console import Console

Document = Mapping[str, Any]

MOST_FEATURES = 50
MOST_METRICS = 3


def sentence(document: Document) -> str:
    """Says in one sentence what was compared, the verdict, and why.

    Args:
        document: The report document.

    Example:
        >>> side = {"name": "a.csv", "rows": 3262}
        >>> sentence({"verdict": "WARN", "reasons": ["1 of 12 features changed"],
        ...           "baseline": side, "current": {"name": "b.csv", "rows": 1}})
        'WARN from a.csv (3,262 rows) to b.csv (1 row): 1 of 12 features changed.'
    """
    sides = " to ".join(
        f"{printable(side['name'])} ({count(side['rows'], 'row')})"
        for side in (document["baseline"], document["current"])
    )
    reasons = "; ".join(map(printable, document["reasons"])) or "no feature drifted"
    return f"{document['verdict']} from {sides}: {reasons}."


def print_features(document: Document, console: Console | None = None) -> None:
    """Prints a table of the features, worst first, with the metrics that decided.

    Args:
        document: The report document.
        console: Where to print. Default: None, standard output, in colours if it is a terminal.
    """
    features = sorted(document["features"], key=severity)
    print_table(
        ("feature", "kind", "verdict", "why"),
        [
            (
                feature["name"],
                feature["kind"],
                Cell(feature["verdict"], VERDICT_STYLES[feature["verdict"]]),
                Cell(_why(feature), "dim" if feature["verdict"] == "OK" else ""),
            )
            for feature in features[:MOST_FEATURES]
        ],
        console=console,
    )
    if len(features) > MOST_FEATURES:
        print_line(
            f"... and {len(features) - MOST_FEATURES:,} more features, none of them worse: "
            "--json and --html have all of them",
            console,
        )
        print_line("", console)


def _why(feature: Document) -> str:
    """Says what decided about a feature, or what came nearest to a limit if it is OK."""
    if feature.get("growth") and feature["verdict"] == "OK":
        return GROWS
    metrics = sorted(
        feature["metrics"].items(),
        key=lambda item: -nearness(item[1]["value"], item[1]["threshold"]),
    )
    if feature["verdict"] == "OK":
        metrics = [item for item in metrics if beyond_chance(item[1])][:1]
        if feature["metrics"] and not metrics:
            return "nothing beyond chance"
    else:
        metrics = [item for item in metrics if item[1]["verdict"] == feature["verdict"]]
    if not metrics:
        return "; ".join(feature["reasons"])
    return ", ".join(_metric(name, metric) for name, metric in metrics[:MOST_METRICS])


def _metric(name: str, metric: Document) -> str:
    level = limit_of(metric)
    limit = "no limit" if level is None else f"limit {level:g}"
    error = f" ± {metric['error']:.2g}" if metric["error"] else ""
    return f"{name} {metric['value']:.3g}{error} ({limit})"
