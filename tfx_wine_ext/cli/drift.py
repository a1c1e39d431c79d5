"""``tfx-wine-ext drift``: compares two tables in files, and says whether the data drifted."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.cli.answer import (
    STDOUT,
    add_csv_option,
    add_json_option,
    check_outputs,
    json_text,
    keep_inputs,
    print_csv,
)
from tfx_wine_ext.cli.errors import CommandError, command_option
from tfx_wine_ext.cli.formats import add_format_option
from tfx_wine_ext.cli.names import names_in
from tfx_wine_ext.cli.process import printing, say
from tfx_wine_ext.errors import Front, Option, TfxWineExtError
from tfx_wine_ext.suggestions import hint_or_list

if TYPE_CHECKING:
    from tfx_wine_ext.drift import DriftConfig
    from tfx_wine_ext.drift.document import DataSource, DriftDocument
    from tfx_wine_ext.drift.read import Side
    from tfx_wine_ext.sources.source import TableSource

NO_DRIFT_STATUS, DRIFT_STATUS = 0, 1

FRONT = Front(
    {
        Option.COLUMNS: "--columns",
        Option.EXCLUDE_COLUMNS: "--exclude",
        Option.HIVE_PARTITIONING: "--no-hive-partitioning",
        Option.FORMAT: "--format",
    },
    command_option,
)

# Values of --fail-on, mildest first: each one includes the worse ones.
FAILING = ("warn", "inconclusive", "drift")

_EPILOG = """
BASELINE and CURRENT are each a file, a folder of files, a quoted pattern
('data/2026-*.parquet'), or the folder of a TFX Examples artifact. Files are
Parquet, ORC, Arrow IPC or Feather, Avro, CSV or TSV (with a line of names),
JSON lines, TFRecord files of tf.train.Example, or of a format that another
package brings. CSV, JSON lines and TFRecord files may be packed by gzip or
Zstandard.
They may be on S3, s3://BUCKET/..., as the environment variables AWS_... say.

NAMES are separated by commas. Put a name that contains a comma in double
quotes: 'pH,"density, g/l"'.

examples:
  tfx-wine-ext drift white.csv red.csv
  tfx-wine-ext drift train.parquet 'logs/2026-11-*.parquet' --html drift.html
  tfx-wine-ext drift examples/1 examples/2 --split eval --critical alcohol
  tfx-wine-ext drift train.parquet new.parquet --quiet --fail-on warn
  tfx-wine-ext drift white.csv red.csv --csv scores.csv
  tfx-wine-ext drift s3://wine/2025/ 's3://wine/2026-*/*.parquet'

exit status: 0 no drift, 1 drift, 2 error. WARN and INCONCLUSIVE are status 0,
unless --fail-on says otherwise.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Declares the arguments of the command."""
    parser = commands.add_parser(
        "drift",
        help="compare two tables and report whether the data drifted",
        description="Compares new data (CURRENT) with reference data (BASELINE), column by column.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("baseline", metavar="BASELINE", help="the reference data")
    parser.add_argument("current", metavar="CURRENT", help="the new data")
    output = parser.add_argument_group("output")
    output.add_argument("--html", metavar="FILE", help="write the report as an HTML page")
    add_json_option(output)
    add_csv_option(output, "one line per feature and metric")
    output.add_argument(
        "--quiet",
        action="store_true",
        help="print only errors; the exit status tells the result",
    )
    output.add_argument(
        "--fail-on",
        metavar="VERDICT",
        type=str.lower,
        choices=FAILING,
        default="drift",
        help="exit with status 1 on this verdict or a worse one: warn, inconclusive or drift, in "
        "this order (default: %(default)s)",
    )
    output.add_argument(
        "--baseline-name", metavar="TEXT", help="name of BASELINE in the report (default: its path)"
    )
    output.add_argument(
        "--current-name", metavar="TEXT", help="name of CURRENT in the report (default: its path)"
    )
    what = parser.add_argument_group("what is compared, and how")
    what.add_argument(
        "--config", metavar="FILE", help="a DriftConfig as YAML or JSON: thresholds and more"
    )
    for name, meaning in [
        ("columns", "compare only these columns (default: all)"),
        ("exclude", "leave these columns out"),
        ("critical", "report drift of the data if any one of these columns drifts"),
        ("categorical", "treat the numbers in these columns as codes"),
    ]:
        what.add_argument(
            f"--{name}",
            metavar="NAMES",
            type=names_in,
            action="extend",
            default=[],
            help=f"{meaning}; can be repeated",
        )
    what.add_argument(
        "--split",
        metavar="NAME",
        help="the split to read of a TFX Examples folder (default: train)",
    )
    what.add_argument(
        "--no-hive-partitioning",
        action="store_true",
        help="do not read folder names like 'region=north' as columns",
    )
    add_format_option(what)


def run(options: argparse.Namespace) -> int:
    """Compares the tables, writes the reports and prints the result.

    Returns:
        1 if the verdict is the one that ``--fail-on`` names, or worse; else 0.

    Raises:
        CommandError: A file or an argument cannot be used.
    """
    from tfx_wine_ext.cli import drift_table
    from tfx_wine_ext.cli.csv_table import drift_csv
    from tfx_wine_ext.report.words.drift import sentence as words

    check_outputs(options)
    config = _config(options)
    with contextlib.ExitStack() as stack:
        html, json_, csv = (
            _output(stack, path) for path in (options.html, options.json, options.csv)
        )
        document = _document(options, config)
        if html:
            from tfx_wine_ext.report.drift_page import render_drift_page

            html.write(render_drift_page(document))
        if json_:
            json_.write(json_text(document.to_dict(words)))
        if csv:
            csv.write(drift_csv(document))
    to_stdout = STDOUT in (options.json, options.csv)
    if to_stdout and not options.quiet:
        say(drift_table.sentence(document))
    with printing():
        if options.json == STDOUT:
            encoding = sys.stdout.encoding or "utf-8"
            sys.stdout.write(json_text(document.to_dict(words), encoding))
        elif options.csv == STDOUT:
            print_csv(drift_csv(document))
        elif not options.quiet:
            if not (options.html or options.json or options.csv):
                drift_table.print_features(document)
            print(drift_table.sentence(document))
    failing = FAILING[FAILING.index(options.fail_on) :]
    return DRIFT_STATUS if document.verdict.value.lower() in failing else NO_DRIFT_STATUS


def _config(options: argparse.Namespace) -> DriftConfig:
    from tfx_wine_ext.drift import DriftConfig

    config = DriftConfig()
    if options.config:
        try:
            config = DriftConfig.from_file(options.config)
        except (ValueError, TypeError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{options.config}: cannot be read ({error.strerror})") from error
    return dataclasses.replace(
        config,
        ignore=_joined(config.ignore, options.exclude),
        critical=_joined(config.critical, options.critical),
        categorical=_joined(config.categorical, options.categorical),
    )


def _joined(configured: Iterable[str], named: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*configured, *named]))


def _output(stack: contextlib.ExitStack, path: str | None) -> Any:
    from tfx_wine_ext.cli.output_file import OutputFile

    return None if path in (None, STDOUT) else stack.enter_context(OutputFile(str(path)))


def _document(options: argparse.Namespace, config: DriftConfig) -> DriftDocument:
    """Reads both sides, compares them, and returns the report."""
    from tfx_wine_ext.cli.terminal import reading
    from tfx_wine_ext.drift.document import DriftDocument
    from tfx_wine_ext.drift.read import (
        compare_sides,
        empty_sketch,
        method_of,
        read,
        sides_by_columns,
    )

    ignored, wanted = set(config.ignore), set(options.columns)

    def reads(*names: str) -> bool:
        return ignored.isdisjoint(names) and (not wanted or not wanted.isdisjoint(names))

    paths = (options.baseline, options.current)
    splits = _splits(paths, options.split)
    tables = [_opened(path, split, options, reads) for path, split in zip(paths, splits)]
    # A struct on one side becomes its fields on the other side too: Examples have no structs.
    fields = [_fields_in(names, tables) for names in (ignored, wanted)]
    if any(fields):
        ignored |= fields[0]
        wanted |= fields[1]
        tables = [_opened(path, split, options, reads) for path, split in zip(paths, splits)]
    config = dataclasses.replace(
        config,
        critical=_with_fields(config.critical, tables, ignored),
        categorical=_with_fields(config.categorical, tables, ignored),
    )
    configs = [options.config] if options.config else []
    keep_inputs(options, itertools.chain(configs, *(table.paths for table in tables)))
    if all(table.names_are_complete for table in tables):
        _check_names(options, config, tables)
    for path, table in zip(paths, tables):
        if not len(table.schema):
            known = sorted(table.names)
            raise CommandError(f"{path}: no column is left to compare{hint_or_list('', known)}")
        # An empty table suffices to refuse a column that cannot be compared before any row is read.
        with _naming(path):
            empty_sketch(table.schema, config)
    with reading(sum(table.size for table in tables), shown=not options.quiet) as show:

        def side(number: int, done: int) -> Side:
            with _naming(paths[number]):
                table = tables[number]
                return read(table, config, lambda _, position: show(done + position)).side()

        def naming(number: int) -> contextlib.AbstractContextManager[None]:
            return _naming(paths[number])

        with sides_by_columns(tables, config, show, naming) as sides:
            before, after = sides or (side(0, 0), side(1, tables[0].size))
            for path, each in zip(paths, (before, after)):
                if not each.rows:
                    raise CommandError(f"{path}: expected at least one row, found none")
            _check_names(options, config, tables)
            try:
                result = compare_sides(before, after, config)
            except ValueError as error:
                raise CommandError(f"{' and '.join(paths)}: {error}") from error
    return DriftDocument.of(
        result,
        baseline=_side(paths[0], splits[0], options.baseline_name, before.rows),
        current=_side(paths[1], splits[1], options.current_name, after.rows),
        method=method_of(before, after),
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    )


def _fields_in(names: Iterable[str], tables: Iterable[TableSource]) -> set[str]:
    """Returns the features of each named column that is a struct in a table."""
    return {field for table in tables for name in names for field in table.structs.get(name, ())}


def _with_fields(
    names: Iterable[str], tables: Iterable[TableSource], ignored: set[str]
) -> tuple[str, ...]:
    """Replaces the name of a struct by the names of its compared fields."""
    compared: dict[str, None] = {}
    for name in names:
        fields = sorted(_fields_in([name], tables) - ignored)
        compared.update(dict.fromkeys(fields or [name]))
    return tuple(compared)


def _splits(paths: Iterable[str], split: str | None) -> list[str | None]:
    """Returns the split to read for each path, if the path is the folder of an artifact."""
    from tfx_wine_ext.sources.choose import DEFAULT_SPLIT, examples_splits

    with _naming():
        splits = [split or DEFAULT_SPLIT if examples_splits(path) else None for path in paths]
    if split is not None and not any(splits):
        raise CommandError(
            f"--split {split}: expected the folder of a TFX Examples artifact on either side, "
            "found none with a folder Split-NAME; leave --split out"
        )
    return splits


def _opened(
    path: str, split: str | None, options: argparse.Namespace, reads: Callable[..., bool]
) -> TableSource:
    from tfx_wine_ext.sources.choose import open_table

    with _naming():
        return open_table(
            path,
            kind=options.format,
            split=split,
            reads=reads,
            hive_partitioning=not options.no_hive_partitioning,
        )


def _check_names(
    options: argparse.Namespace, config: DriftConfig, tables: Iterable[TableSource]
) -> None:
    """Refuses names that no table has: a typing error would go unnoticed."""
    tables = list(tables)
    ignored = {*config.ignore, *_fields_in(config.ignore, tables)}
    known = sorted({name for table in tables for name in table.names})
    compared = sorted({name for table in tables for name in table.schema.names})
    for where, names, expected in [
        ("--columns", options.columns, known),
        ("--exclude", options.exclude, known),
        (f"{options.config}: ignore", config.ignore, known),
        ("--categorical", _with_fields(options.categorical, tables, ignored), compared),
        (f"{options.config}: categorical", config.categorical, known),
        ("--critical", _with_fields(options.critical, tables, ignored), compared),
        (f"{options.config}: critical", config.critical, compared),
        (f"{options.config}: importances", config.importances, compared),
        (f"{options.config}: features", config.features, compared),
    ]:
        there = set(expected)
        for name in names:
            if name not in there:
                raise CommandError(
                    f"{where}: {name!r} is not among the columns{hint_or_list(name, expected)}"
                )


def _side(path: str, split: str | None, name: str | None, rows: int) -> DataSource:
    from tfx_wine_ext.drift.document import DataSource
    from tfx_wine_ext.files.choose import absolute

    default = path if split is None else f"{path}, split {split}"
    return DataSource(name=name or default, rows=rows, uri=absolute(path), split=split)


@contextlib.contextmanager
def _naming(path: str | None = None) -> Iterator[None]:
    """Turns the errors of readers and sketches into the error that ends the command."""
    try:
        yield
    except TfxWineExtError as error:
        error.path = error.path or path or ""
        raise CommandError(error.worded(FRONT)) from error
    except (TypeError, ValueError) as error:
        if path is None:
            raise
        raise CommandError(f"{path}: {error}") from error
