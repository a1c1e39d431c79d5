"""Runs the wine-quality pipeline on this machine: `python -m examples.wine_quality.run`."""

from __future__ import annotations

import argparse
import contextlib
import json
import posixpath
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from examples.wine_quality.console import (
    command,
    console,
    first,
    loading,
    new_log,
    noise_to_file,
    say,
    say_command,
    say_error,
    say_places,
    short,
    transferred,
    warn_of_sample,
)
from examples.wine_quality.data import (
    WineData,
    WineDataError,
    copy_spans,
    cut,
    load,
    write_spans,
)
from examples.wine_quality.output_lock import OutputFolderError, OutputLock
from examples.wine_quality.runners import RUNNERS, beam_arguments
from tfx_wine_ext.lineage.errors import StoreError
from tfx_wine_ext.progress import show_progress
from tfx_wine_ext.progress.live_line import ticking

if TYPE_CHECKING:
    from tfx_wine_ext.lineage.runs import Drift, Run
    from tfx_wine_ext.sources.configs import SourceConfig

SOURCES = ("parquet", "avro", "csv", "orc", "delta", "iceberg", "postgres", "trino")
"""What the spans can be read from."""

_DESCRIPTION = """\
Trains, evaluates and pushes a model of wine quality with TensorFlow Extended: Parquet files ->
examples -> statistics, schema and validation -> drift from the previous span -> transform ->
train -> evaluate against the model in production -> push if it is good enough. All results are
kept and recorded in ML Metadata; a second run on the same data reuses what has not changed.
"""
_EPILOG = """\
The exit status is 0 if the pipeline ran to its end, whether the model was blessed or not; 1 if it
did not; and 2 if the arguments are wrong or another run is using OUTPUT.
Afterwards OUTPUT holds summary.json (the table as data), serving/ (the pushed models, one
numbered folder each), metadata.db (ML Metadata in SQLite), pipeline/ (all artifacts), data/ (the
Parquet spans) and logs/.
"""


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.wine_quality.run",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("build/wine"),
        help="folder of all results (%(default)s)",
    )
    _add_data_options(parser.add_argument_group("data"))
    _add_model_options(parser.add_argument_group("model"))
    _add_gate_options(parser.add_argument_group("gate"))
    _add_place_options(parser.add_argument_group("places and engines"))
    parser.add_argument(
        "--no-cache", action="store_true", help="do all work again, even if nothing has changed"
    )
    options = parser.parse_args(arguments)
    if options.span and options.span > options.spans:
        parser.error(f"--span {options.span}: there are only {options.spans} spans (--spans)")
    if options.schema and not options.schema.is_file():
        parser.error(f"--schema {options.schema}: there is no such file")
    if options.source != "parquet" and options.data_root:
        parser.error(f"--source {options.source}: it has a place of its own; leave --data-root out")
    if options.metadata:
        # Not at the top: `--help` needs no protobuf.
        from tfx_wine_ext.lineage.connection import connection_config

        try:
            connection_config(options.metadata)
        except StoreError as error:
            parser.error(f"--metadata: {error}")
    return options


def _add_data_options(data: argparse._ArgumentGroup) -> None:
    data.add_argument(
        "--data",
        metavar="PATH",
        help="the wine data: a CSV file, or a folder with wine-quality.csv; without it they are "
        "looked for in $WINE_QUALITY_DATA, data/, ../shared/data/ and at their public addresses; "
        "if none of these has them, a sample is drawn from published statistics",
    )
    data.add_argument(
        "--spans",
        type=_positive,
        default=1,
        metavar="N",
        help="cut the data into N spans (default: 1)",
    )
    data.add_argument(
        "--span", type=_positive, metavar="K", help="run on span K of these (default: the last one)"
    )
    data.add_argument(
        "--source",
        metavar="KIND",
        choices=SOURCES,
        default="parquet",
        help=f"read the spans from {', '.join(SOURCES[:-1])} or {SOURCES[-1]}: files, lakehouse "
        "tables, and databases, whose servers are started and stopped (%(default)s)",
    )
    data.add_argument(
        "--schema",
        type=Path,
        metavar="FILE",
        help="validate against this schema (schema.pbtxt) instead of one inferred from the data",
    )


def _add_model_options(model: argparse._ArgumentGroup) -> None:
    model.add_argument(
        "--model",
        choices=("dnn", "trees"),
        default="dnn",
        help="a Keras network, or boosted trees (%(default)s)",
    )
    model.add_argument(
        "--tune", action="store_true", help="search for better hyperparameters first (slower)"
    )
    model.add_argument(
        "--warm-start",
        action="store_true",
        help="continue training from the latest blessed model instead of starting from scratch",
    )


def _add_gate_options(gate: argparse._ArgumentGroup) -> None:
    gate.add_argument(
        "--drift",
        choices=("report", "warn", "fail"),
        default="warn",
        help="what happens if the span drifted from the previous one, which an earlier run must "
        "have read: fail stops the pipeline (%(default)s)",
    )
    gate.add_argument(
        "--min-r2",
        type=float,
        default=0.3,
        help="lowest squared correlation on the eval split that is blessed (%(default)s)",
    )
    gate.add_argument(
        "--r2-margin",
        type=float,
        default=0.02,
        help="how far below the model in production it may be (%(default)s)",
    )
    gate.add_argument(
        "--infra-validator",
        action="store_true",
        help="try the model in a TensorFlow Serving container before it is pushed (needs Docker)",
    )


def _add_place_options(places: argparse._ArgumentGroup) -> None:
    runners = "; ".join(f"{name}: {what}" for name, what in RUNNERS.items())
    places.add_argument(
        "--runner", choices=tuple(RUNNERS), default="local", help=f"{runners} (%(default)s)"
    )
    places.add_argument(
        "--beam-arg",
        action="append",
        default=[],
        metavar="ARG",
        help="an argument for Beam, as --beam-arg=--job_endpoint=host:8099; may be repeated",
    )
    places.add_argument(
        "--metadata",
        metavar="URL",
        help="metadata store: a path, postgresql://user@host:port/database or "
        "mysql://user@host:port/database; the password is taken from $PGPASSWORD or $MYSQL_PWD "
        "(default: OUTPUT/metadata.db)",
    )
    places.add_argument(
        "--pipeline-root",
        metavar="URL",
        help="folder of all artifacts, such as s3://bucket/pipeline (default: OUTPUT/pipeline)",
    )
    places.add_argument(
        "--data-root",
        metavar="URL",
        help="folder from which the spans are read; they are copied there (default: OUTPUT/data)",
    )
    places.add_argument(
        "--serving", metavar="URL", help="folder of the pushed models (default: OUTPUT/serving)"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {text}")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the pipeline once.

    Args:
        arguments: The command line; default that of the process.

    Returns:
        The exit status.
    """
    started = time.monotonic()
    options = parse_arguments(arguments)
    try:
        lock = OutputLock(options.output)
    except OutputFolderError as error:
        say_error(error)
        return 2
    with lock:
        try:
            return _main(options, started)
        except KeyboardInterrupt:
            say(console(sys.stdout), "interrupted", "bold red")
            return 130


def _main(options: argparse.Namespace, started: float) -> int:
    """Runs the pipeline once, in a folder that no other run is using."""
    log = new_log(options.output)
    try:
        if options.infra_validator:
            _require_docker()
        if options.metadata:
            _check_store(options.metadata)
        with ticking(sys.stdout, "looking for the wine data ...", elsewhere=False):
            data = load(options.data)
        spans = write_spans(cut(data.table, options.spans), options.output / "data")
        if options.data_root:
            copy_spans(spans, options.data_root)
    except (WineDataError, _UnavailableError) as error:
        say_error(error)
        return 1
    with noise_to_file(log) as terminal:
        _say_what_runs(terminal, options, data, log)
        try:
            with _source(options, spans) as source:
                summary = _run(terminal, options, data, source, log, started)
        except (StoreError, _UnavailableError) as error:
            say(terminal, str(error), "bold red")
            summary = None
        if summary is None:
            say(terminal, f"The log has the details: {log}")
            return 1
        path = options.output / "summary.json"
        path.write_text(json.dumps(summary, indent=2) + "\n")
        terminal.print(_table(summary))
        _say_where(terminal, summary, path)
    return 0


@contextlib.contextmanager
def _source(options: argparse.Namespace, spans: Sequence[Path]) -> Iterator[SourceConfig | None]:
    """Writes the spans to the source that is asked for; yields None for the Parquet files."""
    if options.source == "parquet":
        yield None
        return
    from engines.checks import EngineError
    from examples.wine_quality.wine_sources import wine_source

    try:
        with wine_source(options.source, spans, options.output / "source") as source:
            yield source
    except EngineError as error:
        raise _UnavailableError(f"--source {options.source}: {error}") from None


def _run(
    terminal: Console,
    options: argparse.Namespace,
    data: WineData,
    source: SourceConfig | None,
    log: Path,
    started: float,
) -> dict[str, Any] | None:
    """Runs the pipeline and returns its summary, or None when a component failed."""
    with loading(terminal):
        # Not at the top: `--help` and a wrong path should not take a quarter of a minute.
        from examples.wine_quality.local_run import Output, run_locally
        from tfx_wine_ext.files.for_tensorflow import let_tensorflow_read
        from tfx_wine_ext.files.local import RemoteError

        try:
            let_tensorflow_read(options.data_root, options.pipeline_root, options.serving)
        except RemoteError as error:
            say(terminal, f"The pipeline cannot run: {error}", "bold red")
            return None

        output = Output(
            options.output.absolute(),
            data_root=options.data_root,
            pipeline_root=options.pipeline_root,
            serving=options.serving,
            metadata=options.metadata,
        )
        pipeline = output.pipeline(
            model=options.model,
            tune=options.tune,
            schema_file=str(options.schema.absolute()) if options.schema else None,
            # A query does not know which span is the latest.
            span=options.span if source is None else options.span or options.spans,
            source=source,
            drift_mode=options.drift,
            warm_start=options.warm_start,
            infra_validator=options.infra_validator,
            min_r2=options.min_r2,
            r2_margin=options.r2_margin,
            enable_cache=not options.no_cache,
            beam_pipeline_args=beam_arguments(options.runner, options.beam_arg),
        )
    imported = time.monotonic()
    with show_progress(total=len(pipeline.components), file=terminal.file):
        ended = run_locally(pipeline, log, options.runner)
    if ended.error is not None:
        if ended.failed is None:
            say(terminal, f"The pipeline failed: {first(ended.error)}", "bold red")
        if options.metadata:
            # TFX does not say why a database server no longer answers, nor which.
            _check_store(options.metadata)
        return None
    [own] = output.runs_of([str(ended.run)])
    return {
        "data_source": data.source,
        "data_path": data.path,
        "model": options.model,
        **_what_happened(own, output.tuning_of(own)),
        "seconds": {
            "imports": round(imported - started, 2),
            **{done.component: round(done.seconds, 2) for done in ended.components},
            "total": round(time.monotonic() - started, 2),
        },
    }


def _what_happened(run: Run, tuning: dict[str, Any] | None) -> dict[str, Any]:
    """Returns the part of summary.json that the metadata store knows; docs/summary.md has the keys.

    What the run did not reach is None.
    """
    from examples.wine_quality.local_run import MSE, R2, metric

    return {
        "rows": run.examples and run.examples.rows and dict(run.examples.rows),
        "anomalies": run.examples and run.examples.anomalies,
        "drift": run.drift and _drift_facts(run.drift),
        "tune": tuning,
        "warm_start": _start_facts(run),
        "r2": metric(run.metrics, R2),
        "mse": metric(run.metrics, MSE),
        "blessed": run.blessed,
        "pushed": run.pushed,
        "logs": run.model and run.model.logs,
        "cached": [component.id for component in run.components if component.state == "CACHED"],
    }


def _drift_facts(drift: Drift) -> dict[str, Any]:
    return {
        "verdict": drift.verdict,
        "baseline_span": drift.baseline_span,
        "features": drift.features,
        "features_drifted": drift.features_drifted,
        "features_warned": drift.features_warned,
        "report": drift.report,
        **({} if drift.lost_baseline is None else {"lost_baseline": drift.lost_baseline}),
    }


def _start_facts(run: Run) -> dict[str, Any] | None:
    from examples.wine_quality.local_run import start_of

    start = start_of(run)
    if start is None:
        return None
    return {
        "warm": start.warm,
        "reason": start.reason,
        "generation": start.generation,
        "steps": start.steps,
        "total_steps": start.base_step + start.steps,
        "variables": start.counts(),
        "verification": start.verification,
    }


def _check_store(metadata: str) -> None:
    """Checks that a metadata store can be written: TFX would only tell after minutes."""
    from tfx_wine_ext.lineage.connection import connection_config
    from tfx_wine_ext.lineage.writable import check_writable

    try:
        check_writable(connection_config(metadata))
    except StoreError as error:
        raise _UnavailableError(f"--metadata: {error}") from None


class _UnavailableError(RuntimeError):
    """Something that an option needs is not on this machine."""


def _require_docker() -> None:
    """Checks that a Docker engine answers: InfraValidator runs TensorFlow Serving in it."""
    import docker

    try:
        docker.from_env(timeout=5).ping()
    except docker.errors.DockerException as error:
        raise _UnavailableError(
            "--infra-validator starts TensorFlow Serving in Docker, and no Docker engine answers "
            f"({error}). Start one (`docker info` says whether it runs), or leave the option out."
        ) from error


def _say_what_runs(
    terminal: Console, options: argparse.Namespace, data: WineData, log: Path
) -> None:
    """Prints what is about to happen, before the long wait for the imports."""
    span = f", span {options.span or options.spans} of {options.spans}" if options.spans > 1 else ""
    say(terminal, f"data    {short(data.path)} ({data.table.num_rows:,} rows{span})")
    say_places(terminal, options.output, log)
    warn_of_sample(terminal, data)


def _table(summary: dict[str, Any]) -> Table:
    """Returns the summary as a table for a person."""
    seconds = summary["seconds"]
    rows = summary["rows"]
    table = Table(title="wine quality", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("data", f"{summary['data_source']}: {escape(short(summary['data_path']))}")
    table.add_row("rows", ", ".join(f"{n:,} {split}" for split, n in rows.items()))
    table.add_row("anomalies", str(summary["anomalies"]))
    table.add_row("drift", _drift(summary["drift"]))
    table.add_row("model", summary["model"])
    if summary["tune"]:
        table.add_row("tuned", _tuned(summary["tune"]))
    start = summary["warm_start"]
    if start:
        table.add_row("start", escape(start["reason"]))
        if start["warm"]:
            told = transferred(start["variables"], start["verification"])
            table.add_row("transferred", escape(told))
    table.add_row("R2 (eval)", f"{summary['r2']:.4f}")
    table.add_row("MSE (eval)", f"{summary['mse']:.4f}")
    table.add_row("blessed", "yes" if summary["blessed"] else "no")
    pushed = summary["pushed"]
    name = escape(posixpath.basename(pushed)) if pushed else "no: it was not blessed"
    table.add_row("pushed", name)
    table.add_row("from cache", ", ".join(summary["cached"]) or "nothing")
    slowest = sorted(set(seconds) - {"total"}, key=seconds.__getitem__, reverse=True)[:3]
    table.add_row(
        "time", f"{seconds['total']:.1f} s ({', '.join(f'{n} {seconds[n]:.1f}' for n in slowest)})"
    )
    return table


def _drift(drift: dict[str, Any]) -> str:
    """Returns the verdict of the drift report."""
    if drift.get("lost_baseline"):
        return f"not compared: the baseline is gone ({escape(short(drift['lost_baseline']))})"
    if drift["verdict"] == "NO_BASELINE":
        return "nothing to compare with: no earlier span has been read"
    from tfx_wine_ext.report.words.features import changed

    words = changed(drift["features_drifted"], drift["features_warned"], drift["features"])
    return f"{drift['verdict']} from span {drift['baseline_span']}: {words}"


def _tuned(tune: dict[str, Any]) -> str:
    """Returns the best hyperparameters and how good they were."""
    best = ", ".join(f"{name} {value}" for name, value in tune["best"].items())
    return f"best of {tune['trials']} trials, R2 {tune['r2']:.4f} on held-out rows: {best}"


def _say_where(terminal: Console, summary: dict[str, Any], path: Path) -> None:
    """Prints where to find more: outside of the table, whose cells are folded."""
    say(terminal, f"drift report    {short(summary['drift']['report'])}")
    if summary["pushed"]:
        say(terminal, f"pushed model    {short(summary['pushed'])}")
    say(terminal, f"table as data   {path}")
    logs = short(posixpath.dirname(summary["logs"]))
    say_command(terminal, "losses of all runs", command("tensorboard"), "--logdir", logs)


if __name__ == "__main__":
    sys.exit(main())
