"""``tfx-wine-ext show``: everything that is known about one run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.cli.answer import add_json_option, answering
from tfx_wine_ext.cli.store_options import (
    RUN_HELP,
    STORE_HELP,
    add_store_options,
    read_runs,
)
from tfx_wine_ext.cli.terminal import print_line, print_table
from tfx_wine_ext.report.words.text import span_text

if TYPE_CHECKING:
    from tfx_wine_ext.lineage.records import Drift, Examples, Model, Run

_EPILOG = f"""{RUN_HELP}{STORE_HELP}
examples:
  tfx-wine-ext show --store build/wine/metadata.db
  tfx-wine-ext show 3
  tfx-wine-ext show latest --json | jq .metrics

exit status: 0 (even if the run has failed), 2 error.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Declares the arguments of the command."""
    parser = commands.add_parser(
        "show",
        help="show one run: its data, drift, model, metrics and settings",
        description="Shows everything that is known about one run.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "which",
        metavar="RUN",
        nargs="?",
        default="latest",
        help="the run to show (default: %(default)s)",
    )
    add_json_option(parser)
    add_store_options(parser)


def run(options: argparse.Namespace) -> int:
    """Reads the store and prints the run.

    Returns:
        0.

    Raises:
        CommandError: The store cannot be read, or has no such run.
    """
    from tfx_wine_ext.lineage.runs import find_run

    with answering(options.json) as answer:
        [chosen] = read_runs(options, lambda listed: [find_run(listed, options.which)]).runs
        answer(chosen.to_dict(), lambda: _print(chosen))
    return 0


def _print(run: Run) -> None:
    from tfx_wine_ext.cli.run_tables import print_unread, state_cell, utc

    print_unread(run.unread)
    ended = f" to {utc(run.finished)}" if run.finished else ""
    print_line(f"Run {run.number} of {run.pipeline}: {state_cell(run).text}")
    print_line(f"  {run.run}, {utc(run.started)}{ended} (UTC)")
    _print_components(run)
    _print_data(run.examples)
    _print_drift(run.drift)
    _print_model(run.model)
    _print_evaluation(run)
    _print_settings(run.parameters)


def _print_components(run: Run) -> None:
    from tfx_wine_ext.cli.run_tables import end_words, state_cell
    from tfx_wine_ext.report.words.text import duration

    print_table(
        ("component", "state", "took", "execution", "error"),
        [
            (
                part.id,
                state_cell(part),
                "" if part.seconds is None else duration(part.seconds),
                str(part.execution),
                end_words(part),
            )
            for part in run.components
        ],
        right=("took", "execution"),
    )


def _print_data(examples: Examples | None) -> None:
    from tfx_wine_ext.cli.run_tables import print_section, rows_text

    if examples is None:
        print_section("Data: none")
        return
    print_section(
        "Data",
        [
            ("examples", f"artifact {examples.id}, {examples.uri}"),
            ("span", _span(examples.span, examples.span_date)),
            ("version", examples.version),
            ("source", _source(examples.source)),
            ("rows", rows_text(examples.rows)),
            ("content", examples.content_fingerprint),
            ("schema", examples.schema_fingerprint),
            ("features with an anomaly", examples.anomalies),
        ],
    )


def _source(source: Mapping[str, Any] | None) -> str | None:
    """Words the sources of the input splits, of which there is one as a rule."""
    if source is None:
        return None
    described = {name: json.dumps(each) for name, each in source.items()}
    if len(described) == 1:
        return next(iter(described.values()))
    return "; ".join(f"{name}: {each}" for name, each in described.items())


def _span(span: int | None, date: str | None) -> str | None:
    return None if span is None else span_text(span, date)


def _print_drift(drift: Drift | None) -> None:
    from tfx_wine_ext.cli.run_tables import drift_text, print_scores, print_section

    if drift is None:
        print_section("Drift: no report")
        return
    stopped = "" if drift.id is not None else " (stopped the run)"
    print_section(
        f"Drift: {drift.verdict}{stopped}",
        [
            ("why", "; ".join(drift.reasons) or None),
            ("features", drift_text(drift)),
            ("baseline span", _span(drift.baseline_span, drift.baseline_span_date)),
            ("baseline", _artifact(drift.baseline_id)),
            ("report", drift.report or drift.uri),
        ],
        goes_on=bool(drift.scores),
    )
    if drift.scores:
        print_scores(drift.scores)


def _artifact(number: int | None) -> str | None:
    return None if number is None else f"artifact {number}"


def _print_model(model: Model | None) -> None:
    from tfx_wine_ext.cli.run_tables import print_section, setting

    if model is None:
        print_section("Model: none")
        return
    start = {
        None: "",
        True: f": warm start, generation {model.generation}",
        False: ": cold start",
    }
    print_section(
        f"Model{start[model.warm]}",
        [
            ("model", f"artifact {model.id}, {model.uri}"),
            ("trained by", model.kind),
            ("why", model.reason),
            ("base", _artifact(model.base_model_id)),
            ("steps", _steps(model)),
            ("hyperparameters", model.hyperparameters and setting(model.hyperparameters)),
            ("logs", model.logs),
        ],
    )


def _steps(model: Model) -> str | None:
    if model.steps is None:
        return None
    total = model.total_steps
    return f"{model.steps:,}" + ("" if total is None else f" ({total:,} since the cold start)")


def _print_evaluation(run: Run) -> None:
    from tfx_wine_ext.cli.run_tables import interval, print_section
    from tfx_wine_ext.report.words.text import number

    words = {None: "not evaluated", True: "blessed", False: "not blessed"}
    evaluation = run.evaluation
    print_section(
        f"Evaluation: {words[run.blessed]}",
        [
            ("evaluation", evaluation and f"artifact {evaluation.id}, {evaluation.uri}"),
            ("pushed to", run.pushed or "nowhere"),
        ],
        goes_on=bool(run.metrics),
    )
    if run.metrics:
        print_table(
            ("metric", "value", "interval"),
            [(name, number(value.value), interval(value)) for name, value in run.metrics.items()],
            right=("value",),
        )


def _print_settings(parameters: Mapping[str, Mapping[str, Any]]) -> None:
    from tfx_wine_ext.cli.run_tables import print_section, setting

    print_section(
        "Settings",
        [
            (f"{component}.{name}", setting(value))
            for component, values in parameters.items()
            for name, value in values.items()
        ],
    )
