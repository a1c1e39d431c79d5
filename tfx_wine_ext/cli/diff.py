"""``tfx-wine-ext diff``: what changed from one run to another."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.cli.answer import add_json_option, answering
from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.store_options import (
    RUN_HELP,
    STORE_HELP,
    add_store_options,
    chosen_run,
    newest_of,
    read_runs,
    value_errors,
)
from tfx_wine_ext.cli.terminal import print_line, print_table

if TYPE_CHECKING:
    from tfx_wine_ext.lineage.runs import Run

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
    from tfx_wine_ext.lineage.moved import what_moved
    from tfx_wine_ext.report.words.unread import distinct

    with answering(options.json) as answer:
        named = [each for each in (options.first, options.second) if each is not None]
        newest = newest_of(*(named or ["latest"]))
        found, _, _ = read_runs(options, newest and newest + (len(named) < 2))
        if options.second is not None:
            before, after = (chosen_run(found, each) for each in (options.first, options.second))
        else:
            after = chosen_run(found, options.first or "latest")
            before = _predecessor(found, after)
        with value_errors():
            document = what_moved(before, after)
        sides = (each.to_dict()["unread"] for each in (before, after))
        document["unread"] = distinct(itertools.chain(*sides, document["unread"]))
        answer(document, lambda: _print(document))
    return 0


def _predecessor(among: list[Run], run: Run) -> Run:
    earlier = [each for each in among if each.number < run.number]
    if not earlier:
        raise CommandError(
            f"run {run.run}: expected one before it to compare with, found that it is the first; "
            "name two runs"
        )
    return earlier[-1]


def _print(moved: Mapping[str, Any]) -> None:
    from tfx_wine_ext.cli.run_tables import (
        interval,
        print_scores,
        print_section,
        print_unread,
        setting,
    )

    print_unread(moved["unread"])
    print_line(
        f"From run {moved['before_number']} ({moved['before']}) to run "
        f"{moved['after_number']} ({moved['after']})"
    )
    for sentence in moved["sentences"] or ["Nothing moved that the store knows of."]:
        print_line(f"  {sentence}")
    print_line("")
    if moved["features"]:
        print_section(f"Features, by the {moved['source']}", goes_on=True)
        print_scores(moved["features"])
    if moved["metrics"]:
        print_section("Metrics", goes_on=True)
        print_table(
            ("metric", "before", "that model, new data", "now", "change", "interval of the change"),
            [
                (
                    each["name"],
                    *_values(each),
                    "" if each["change"] is None else f"{each['change']:+.3g}",
                    interval(each),
                )
                for each in moved["metrics"]
            ],
            right=("before", "that model, new data", "now", "change"),
        )
    if moved["settings"]:
        print_section("Settings", goes_on=True)
        print_table(
            ("setting", "before", "now"),
            [
                (
                    f"{each['component']}.{each['parameter']}",
                    setting(each["before"]),
                    setting(each["after"]),
                )
                for each in moved["settings"]
            ],
        )
    for what in ("added", "removed"):
        if moved["components"][what]:
            print_section(f"Components {what}", [("", ", ".join(moved["components"][what]))])


def _values(metric: Mapping[str, Any]) -> tuple[str, str, str]:
    """Returns a metric before, for the earlier model on the later data, and after."""
    from tfx_wine_ext.report.words.text import number, pair

    before, after = metric["before"], metric["after"]
    known = before is not None and after is not None
    was, now = pair(before, after) if known else (number(before), number(after))
    return was, "" if metric["baseline"] is None else number(metric["baseline"]), now
