"""What the command line shows of a drift report: a sentence, and a table of the features."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfx_wine_ext.cli.terminal import VERDICT_STYLES, Cell, print_line, print_table
from tfx_wine_ext.drift.document import DriftDocument
from tfx_wine_ext.drift.metric import Verdict
from tfx_wine_ext.drift.ranking import beyond_chance, nearness, severity
from tfx_wine_ext.drift.result import FeatureResult
from tfx_wine_ext.printable import printable
from tfx_wine_ext.report.words import drift as words
from tfx_wine_ext.report.words.text import count

if TYPE_CHECKING:
    from rich.console import Console

MOST_FEATURES = 50
MOST_METRICS = 3


def sentence(document: DriftDocument) -> str:
    """Says in one sentence what was compared, the verdict, and why.

    The result is like "WARN from a.csv (3,262 rows) to b.csv (1 row): the reasons."

    Args:
        document: The report.
    """
    sides = " to ".join(
        f"{printable(side.name)} ({count(side.rows, 'row')})"
        for side in (document.baseline, document.current)
        if side is not None
    )
    reasons = "; ".join(printable(words.sentence(reason)) for reason in document.reasons)
    return f"{document.verdict} from {sides}: {reasons or 'no feature drifted'}."


def print_features(document: DriftDocument, console: Console | None = None) -> None:
    """Prints a table of the features, worst first, with the metrics that decided.

    Args:
        document: The report.
        console: Where to print. Default: None, standard output, in colours if it is a terminal.
    """
    features = sorted(document.features, key=severity)
    print_table(
        ("feature", "kind", "verdict", "why"),
        [
            (
                feature.name,
                feature.kind,
                Cell(feature.verdict, VERDICT_STYLES[feature.verdict]),
                Cell(_why(feature), "dim" if feature.verdict is Verdict.OK else ""),
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


def _why(feature: FeatureResult) -> str:
    """Says what decided about a feature, or what came nearest to a limit if it is OK."""
    metrics = sorted(
        feature.metrics.items(), key=lambda item: -nearness(item[1].value, item[1].threshold)
    )
    if feature.verdict is Verdict.OK:
        calm = words.calm(feature)
        if calm:
            return calm
        metrics = [item for item in metrics if beyond_chance(item[1])][:1]
    else:
        metrics = [item for item in metrics if item[1].verdict is feature.verdict]
    if not metrics:
        return "; ".join(map(words.sentence, feature.reasons))
    return ", ".join(words.beside_limit(name, metric) for name, metric in metrics[:MOST_METRICS])
