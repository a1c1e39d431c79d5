"""Which metadata store, pipeline and run a command is about."""

from __future__ import annotations

import argparse
import contextlib
import glob
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tfx_wine_ext.cli.answer import keep_inputs
from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.suggestions import hint_or_list

if TYPE_CHECKING:
    from tfx_wine_ext.files.tolerant import SoftFiles
    from tfx_wine_ext.lineage.records import Run
    from tfx_wine_ext.lineage.snapshot import Choose, Snapshot

VARIABLE = "TFX_WINE_EXT_STORE"
# The file's names in TFX's tutorials and templates, and how deep below the folder they put it.
_LIKELY = ("metadata.db", "metadata.sqlite")
_DEPTHS = ("", "*/", "*/*/")

STORE_HELP = """
WHERE is one of
  the path of an SQLite file, or sqlite:///path
  mysql://user@host:port/db with the password in $MYSQL_PWD
  postgresql://user@host:port/db with the password in $PGPASSWORD
  grpc://host:port
  a ConnectionConfig as JSON, or a file that contains one
The store is only read, never written.
"""
RUN_HELP = """
RUN is the id of a run or the beginning of one; a number (1 is the oldest run,
-1 the newest); or 'latest'.
"""


def add_store_options(parser: argparse.ArgumentParser, *, pipeline: bool = True) -> None:
    """Declares ``--store`` and ``--pipeline``."""
    group = parser.add_argument_group("metadata store")
    group.add_argument(
        "--store",
        metavar="WHERE",
        help=f"the metadata store (default: the environment variable {VARIABLE})",
    )
    if pipeline:
        group.add_argument(
            "--pipeline", metavar="NAME", help="the pipeline (needed if the store has several)"
        )


def where(options: argparse.Namespace) -> str:
    """Returns the value that says where the store is.

    Raises:
        CommandError: Nothing says it. The message names a file that may be the store.
    """
    store = options.store or os.environ.get(VARIABLE)
    if store:
        return str(store)
    likely = [
        path
        for depth in _DEPTHS
        for name in _LIKELY
        for path in glob.glob(depth + name)
        if os.path.isfile(path)
    ]
    hint = f"; there is one here: --store {likely[0]}" if len(likely) == 1 else ""
    raise CommandError(
        f"--store: expected where the metadata store is, in this option or in ${VARIABLE}, found "
        f"neither{hint}"
    )


def read_snapshot(
    options: argparse.Namespace, choose: Choose | None = None
) -> tuple[Snapshot, str]:
    """Reads the whole store, or only the named pipeline.

    Args:
        options: The command's options.
        choose: Chooses the runs that are read. Default: all are.

    Returns:
        The content of the store, and a name for it.

    Raises:
        CommandError: The store cannot be opened or read, has no such pipeline, or no run that
            `choose` finds.
    """
    from tfx_wine_ext.lineage.snapshot import Snapshot
    from tfx_wine_ext.lineage.store import open_store, store_name

    place = where(options)
    with value_errors():
        store = open_store(place)
        name = store_name(place)
        keep_inputs(options, [place, name])
        return Snapshot.read(store, getattr(options, "pipeline", None), choose=choose), name


class ReadRuns(NamedTuple):
    """The runs of a pipeline.

    Attributes:
        runs: The runs, oldest first.
        pipeline: The pipeline's name.
        store: A name for the store.
        files: Knows which servers do not answer.
    """

    runs: list[Run]
    pipeline: str
    store: str
    files: SoftFiles


def read_runs(
    options: argparse.Namespace, choose: Choose | None = None, before: SoftFiles | None = None
) -> ReadRuns:
    """Reads the runs of the named pipeline, or of the only one.

    Args:
        options: The command's options.
        choose: Chooses the runs that are read. Default: all are.
        before: Knows already which servers do not answer.

    Raises:
        CommandError: The store cannot be read, has no pipeline, or has several, or no run that
            `choose` finds.
    """
    from tfx_wine_ext.lineage.runs import files_of, runs

    snapshot, name = read_snapshot(options, choose)
    pipelines = [options.pipeline] if options.pipeline else list(snapshot.pipelines)
    if not pipelines:
        raise CommandError(f"{name}: expected runs of a pipeline, found none; run one first")
    if len(pipelines) > 1:
        listed = ", ".join(map(repr, pipelines))
        raise CommandError(
            f"{name}: expected one pipeline, found {len(pipelines)}: {listed}; name one with "
            "--pipeline"
        )
    files = files_of(snapshot, before)
    with value_errors():
        found = runs(snapshot, pipelines[0], files, choose)
        return ReadRuns(found, pipelines[0], name, files)


def chosen_metric(runs: Sequence[Run], metric: str | None, files: SoftFiles) -> str | None:
    """Returns the named metric, or the main one of an evaluation; None if there is none.

    Raises:
        CommandError: No run has it.
    """
    from tfx_wine_ext.lineage.moves import main_metric
    from tfx_wine_ext.lineage.records import metrics_are_unknown

    if metric is None:
        return main_metric(runs, files)
    known = list(dict.fromkeys(name for run in runs for name in run.metrics))
    if metric not in known:
        unknown = sum(map(metrics_are_unknown, runs))
        none = (
            f"the evaluations of {unknown} runs could not be read" if unknown else "no run has any"
        )
        expected = hint_or_list(metric, known) if known else f"; {none}"
        raise CommandError(f"--metric: no run has {metric!r}{expected}")
    return metric


@contextlib.contextmanager
def value_errors() -> Iterator[None]:
    """Turns errors about the store or an argument into the error that ends the command."""
    try:
        yield
    except ValueError as error:
        raise CommandError(" ".join(str(error).split())) from error
