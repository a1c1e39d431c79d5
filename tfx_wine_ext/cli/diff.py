"""``tfx-wine-ext diff``: what changed from one run to another."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.cli.answer import add_json_option, answering
from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.store_options import (
    RUN_HELP,
    STORE_HELP,
    add_store_options,
    read_runs,
    value_errors,
)
from tfx_wine_ext.cli.terminal import print_line, print_table

if TYPE_CHECKING:
    from tfx_wine_ext.lineage.records import Move
    from tfx_wine_ext.lineage.snapshot import ListedRun

_EPILOG = f"""
Without RUN, the latest run is compared with its predecessor; with one RUN, that
run is compared with its predecessor. Two runs usually differ in several ways:
things that changed together are not necessarily cause and effect.
{RUN_HELP}{STORE_HELP}
examples:
  tfx-wine-ext diff --store build/wine/metadata.db
  tfx-wine-ext diff 1 latest
  tfx-wine-ext diff 3 --json | jq -r '.sentences[]'

exit status: 0 (whatever changed), 2 error.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Declares the arguments of the command."""
    parser = commands.add_parser(
        "diff",
        help="show what changed between two runs: data, settings, metrics",
        description="Shows what changed from one run to another.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "first", metavar="RUN", nargs="?", help="the earlier run (default: the predecessor)"
    )
    parser.add_argument("second", metavar="RUN", nargs="?", help="the later run (default: latest)")
    add_json_option(parser)
    add_store_options(parser)


def run(options: argparse.Namespace) -> int:
    """Reads the store and prints.

    Returns:
        0.

    Raises:
        CommandError: The store cannot be read, or has no such runs.
    """
    from tfx_wine_ext.documents import jsonable
    from tfx_wine_ext.files.tolerant import SoftFiles
    from tfx_wine_ext.history import move
    from tfx_wine_ext.lineage.records import distinct

    with answering(options.json) as answer:
        two: list[ListedRun] = []

        def choose(listed: Sequence[ListedRun]) -> Sequence[ListedRun]:
            two[:] = _two(listed, options.first, options.second)
            return two

        runs, _, _, files = read_runs(options, choose)
        by_number = {run.number: run for run in runs}
        before, after = (by_number[run.number] for run in two)
        with value_errors():
            moved = move(before, after, SoftFiles(before=files))
        unread = distinct((*before.unread, *after.unread, *moved.unread))
        moved = dataclasses.replace(moved, unread=unread)
        answer(jsonable(moved), lambda: _print(moved))
    return 0


def _two(
    listed: Sequence[ListedRun], first: str | None, second: str | None
) -> tuple[ListedRun, ListedRun]:
    """Returns the named runs; if only one is named, its predecessor and it."""
    from tfx_wine_ext.lineage.runs import LATEST, find_run

    run = find_run(listed, first or LATEST)
    if second is not None:
        return run, find_run(listed, second)
    earlier = [other for other in listed if other.number < run.number]
    if not earlier:
        raise CommandError(
            f"run {run.run}: expected one before it to compare with, found that it is the first; "
            "name two runs"
        )
    return earlier[-1], run


def _print(moved: Move) -> None:
    from tfx_wine_ext.cli.run_tables import (
        interval,
        print_scores,
        print_section,
        print_unread,
        setting,
    )
    from tfx_wine_ext.report.words.history import values_text

    print_unread(moved.unread)
    print_line(
        f"From run {moved.before_number} ({moved.before}) to run "
        f"{moved.after_number} ({moved.after})"
    )
    for sentence in moved.sentences or ["Nothing moved that the store knows of."]:
        print_line(f"  {sentence}")
    print_line("")
    if moved.features:
        print_section(f"Features, by the {moved.source}", goes_on=True)
        print_scores(moved.features)
    if moved.metrics:
        print_section("Metrics", goes_on=True)
        print_table(
            ("metric", "before", "that model, new data", "now", "change", "interval of the change"),
            [
                (
                    metric.name,
                    before,
                    "" if metric.baseline is None else baseline,
                    now,
                    "" if metric.change is None else f"{metric.change:+.3g}",
                    interval(metric),
                )
                for metric in moved.metrics
                for before, baseline, now, _ in [values_text(metric)]
            ],
            right=("before", "that model, new data", "now", "change"),
        )
    if moved.settings:
        print_section("Settings", goes_on=True)
        print_table(
            ("setting", "before", "now"),
            [
                (f"{x.component}.{x.parameter}", setting(x.before), setting(x.after))
                for x in moved.settings
            ],
        )
    for how, components in moved.components.items():
        if components:
            print_section(f"Components {how}", [("", ", ".join(components))])
