"""``tfx-wine-ext history``: all runs of a pipeline on one page."""

from __future__ import annotations

import argparse
from typing import Any

from tfx_wine_ext.cli.answer import add_json_option, answering, check_html
from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.output_file import OutputFile
from tfx_wine_ext.cli.store_options import (
    STORE_HELP,
    add_store_options,
    chosen_metric,
    read_runs,
    value_errors,
)
from tfx_wine_ext.cli.terminal import print_line

_EPILOG = f"""
The page shows every run: its data and their drift, its model, what was measured of it, and what
moved from run to run. It is one file, which needs neither a network nor a server.
{STORE_HELP}
examples:
  tfx-wine-ext history --html history.html --store build/wine/metadata.db
  tfx-wine-ext history --json | jq '.correlations[:3]'

exit status: 0 it is written, 2 error.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Declares the arguments of the command."""
    parser = commands.add_parser(
        "history",
        help="write the runs of a pipeline, and what moved between them, as a page",
        description="Writes the history of a pipeline as an HTML page, as JSON, or both.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("--html", metavar="FILE", help="write the page")
    add_json_option(parser)
    parser.add_argument(
        "--metric",
        metavar="NAME",
        help="the metric that drift is held against (default: the one that the newest model was "
        "judged by)",
    )
    add_store_options(parser)


def run(options: argparse.Namespace) -> int:
    """Reads the store and writes.

    Returns:
        0.

    Raises:
        CommandError: The store cannot be read, has no such metric, or a file cannot be written.
    """
    if not (options.html or options.json):
        raise CommandError("--html and --json: expected one of them at least, found neither")
    check_html(options.html, options.json)
    from tfx_wine_ext.cli.run_tables import print_unread
    from tfx_wine_ext.report.text import count

    with answering(options.json) as answer:
        if not options.html:
            document = _document(options)
        else:
            with OutputFile(options.html) as html:
                from tfx_wine_ext.report.history_page import render_history_page

                document = _document(options)
                html.write(render_history_page(document))

        runs = f"{count(len(document['runs']), 'run')} of {document['pipeline']}"
        written = " and ".join(name for name in (options.html, options.json) if name)

        def show() -> None:
            print_unread(document["unread"])
            print_line(f"{written}: {runs}")

        answer(document, show)
    return 0


def _document(options: argparse.Namespace) -> dict[str, Any]:
    from tfx_wine_ext.lineage.history import history_document

    found, pipeline, store = read_runs(options)
    metric = chosen_metric(found, options.metric)
    with value_errors():
        return history_document(found, pipeline, store, metric)
