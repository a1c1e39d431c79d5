"""``tfx-wine-ext ingest``: writes files of tables as examples, in splits, without a pipeline."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.cli.answer import add_json_option, answering, keep_inputs
from tfx_wine_ext.cli.conditions import condition_in
from tfx_wine_ext.cli.errors import CommandError, command_option
from tfx_wine_ext.cli.formats import add_format_option
from tfx_wine_ext.cli.names import names_in
from tfx_wine_ext.cli.parser import whole_number
from tfx_wine_ext.cli.staging import staged
from tfx_wine_ext.errors import Front, Option, TfxWineExtError
from tfx_wine_ext.files.choose import FilesByScheme, absolute, files_for, has_scheme

if TYPE_CHECKING:
    from tfx_wine_ext.columnar.options import IngestOptions, OutputSplit
    from tfx_wine_ext.columnar.tasks import ShardFile, ShardResult, ShardTask

DEFAULT_SPLITS = "train:2,eval:1"
# Those of `EncodeOptions`, which is not loaded for a list of options.
NESTED_POLICIES = ("error", "ragged")

FRONT = Front(
    {
        Option.COLUMNS: "--columns",
        Option.EXCLUDE_COLUMNS: "--exclude",
        Option.CAST: "--cast",
        Option.FILTERS: "--filter",
        Option.UNIFY_SCHEMAS: "--unify-schemas",
        Option.HIVE_PARTITIONING: "--no-hive-partitioning",
        Option.NESTED: "--nested",
        Option.NULL_IN_LIST: "--drop-null-in-list",
        Option.ALLOW_FLOAT_OVERFLOW: "--allow-float-overflow",
        Option.PARTITION_FEATURE: "--partition-by",
        Option.FORMAT: "--format",
    },
    command_option,
)

_EPILOG = """
IN is a file, a folder of files, or a quoted pattern ('data/2026-*.parquet'), or
a file NAME.source.yaml that describes a table in a database or a lakehouse.
Files are Parquet, ORC, Arrow IPC or Feather, Avro, CSV or TSV (with a line of
names), JSON lines, TFRecord files of tf.train.Example, or of a format that
another package brings. CSV, JSON lines and TFRecord files may be packed by
gzip or Zstandard. OUT must not exist yet, or be an empty folder; it appears
only when everything has been written. Both may be on S3, s3://BUCKET/..., as
the environment variables AWS_... say; there, OUT appears file by file.

The result is the same as that of the component ParquetExampleGen for the same
Parquet files and options, byte for byte. TFX is not needed, except to read
TFRecord files.

NAMES are separated by commas. Put a name that contains a comma in double
quotes: 'pH,"density, g/l"'.

examples:
  tfx-wine-ext ingest wine.parquet examples/ --splits train:2,eval:1
  tfx-wine-ext ingest 'taxi/*.parquet' out/ --filter 'miles > 0'
  tfx-wine-ext ingest wine.parquet out/ --exclude id --cast quality=float32
  tfx-wine-ext ingest s3://wine/2026/ s3://wine/examples/2026
  tfx-wine-ext drift examples/ out/ --split eval

exit status: 0 everything was written, 2 error (nothing was written).
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Declares the arguments of the command."""
    parser = commands.add_parser(
        "ingest",
        help="convert files of a table to TFRecord examples in splits",
        description="Writes the rows of files (Parquet, ORC, Arrow, Avro, CSV, JSON lines) as\n"
        "gzipped TFRecord files of tf.train.Example, in the folder layout of a TFX\n"
        "Examples artifact.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("input", metavar="IN", help="the files of a table")
    parser.add_argument("output", metavar="OUT", help="the folder to write")
    output = parser.add_argument_group("output")
    add_json_option(output)
    output.add_argument("--quiet", action="store_true", help="print only errors")
    what = parser.add_argument_group("splits and files")
    what.add_argument(
        "--splits",
        metavar="NAME:N,...",
        default=DEFAULT_SPLITS,
        help="the splits, each with its share N: rows are distributed by a hash (default: "
        "%(default)s)",
    )
    what.add_argument(
        "--partition-by",
        metavar="FEATURE",
        help="hash only this feature, so that rows with the same value go to the same split "
        "(default: hash the whole row)",
    )
    what.add_argument(
        "--shards",
        metavar="N",
        type=whole_number(1, "at least 1"),
        help="files per split, at most one per row group, or what the format "
        "has (default: one per 64 MiB of data)",
    )
    add_format_option(what)
    what = parser.add_argument_group("rows and columns")
    for name, meaning in [
        ("columns", "write only these columns (default: all)"),
        ("exclude", "leave these columns out"),
    ]:
        what.add_argument(
            f"--{name}",
            metavar="NAMES",
            type=names_in,
            action="extend",
            help=f"{meaning}; can be repeated",
        )
    what.add_argument(
        "--filter",
        metavar="CONDITION",
        action="append",
        help="write only rows that meet this condition, such as 'miles > 0' or 'colour in "
        "red,white'; can be repeated, and then all conditions must hold",
    )
    what.add_argument(
        "--cast",
        metavar="NAME=TYPE",
        action="append",
        default=[],
        help="write a column as int64, float32, bytes or another Arrow type; can be repeated",
    )
    what.add_argument(
        "--nested",
        choices=NESTED_POLICIES,
        default="error",
        help="write lists of lists, lists of structs, and maps as ragged features: values and row "
        "lengths (default: an error)",
    )
    what.add_argument(
        "--drop-null-in-list",
        action="store_true",
        help="drop nulls inside lists, which makes the lists shorter (default: an error)",
    )
    what.add_argument(
        "--allow-float-overflow",
        action="store_true",
        help="write numbers beyond 3.4e38 as infinities (default: an error)",
    )
    what.add_argument(
        "--unify-schemas",
        action="store_true",
        help="allow files with different schemas: columns that a file lacks are missing values "
        "(default: an error)",
    )
    what.add_argument(
        "--no-hive-partitioning",
        action="store_true",
        help="do not read folder names like 'region=north' as columns",
    )


def run(options: argparse.Namespace) -> int:
    """Writes the splits, and prints rows and bytes of each.

    Returns:
        0.

    Raises:
        CommandError: A file or an argument cannot be used; nothing was written.
    """
    started = time.monotonic()
    splits = splits_in(options.splits)
    with answering(options.json) as answer:
        with _named_errors():
            ingest_options = _ingest_options(options)
            with _destination(options.output) as folder:
                document = _ingested(options, splits, ingest_options, folder)
        document["seconds"] = round(time.monotonic() - started, 3)
        answer(document, lambda: None if options.quiet else _print(document))
    return 0


def splits_in(text: str) -> list[OutputSplit]:
    """Reads splits and their numbers of hash buckets.

    Raises:
        CommandError: The text has another form, or names a split twice.

    Example:
        >>> splits_in("train:8,eval")
        [OutputSplit(name='train', hash_buckets=8), OutputSplit(name='eval', hash_buckets=1)]
    """
    from tfx_wine_ext.columnar.options import OutputSplit

    splits = []
    for part in names_in(text):
        match = re.fullmatch(r"\s*(\w[\w.-]*)(?::0*([1-9][0-9]{0,9}))?\s*", part)
        if not match:
            raise CommandError(
                "--splits: expected names with their shares, as in 'train:2,eval:1', found "
                f"{part!r} in {text!r}"
            )
        splits.append(OutputSplit(match[1], int(match[2] or 1)))
    names = [split.name for split in splits]
    for name in names:
        if names.count(name) > 1:
            raise CommandError(f"--splits: {name!r} is named twice in {text!r}; name it once")
    return splits


def _ingest_options(options: argparse.Namespace) -> IngestOptions:
    from tfx_wine_ext.columnar.options import IngestOptions
    from tfx_wine_ext.columnar.plan import EncodeOptions

    both = sorted({*(options.columns or ())} & {*(options.exclude or ())})
    if both:
        raise CommandError(f"--columns and --exclude: both name {', '.join(map(repr, both))}")
    casts = {}
    for text in options.cast:
        name, equals, kind = text.rpartition("=")
        if not (name and equals and kind):
            raise CommandError(f"--cast: expected NAME=TYPE, as in 'zip=bytes', found {text!r}")
        casts[name] = kind
    return IngestOptions(
        encode=EncodeOptions(
            columns=None if options.columns is None else tuple(options.columns),
            exclude_columns=tuple(options.exclude or ()),
            cast=casts,
            null_in_list="drop" if options.drop_null_in_list else "error",
            allow_float_overflow=options.allow_float_overflow,
            nested=options.nested,
        ),
        filters=[condition_in(text) for text in options.filter] if options.filter else None,
        unify_schemas=options.unify_schemas,
        num_shards=options.shards,
        hive_partitioning=not options.no_hive_partitioning,
    )


@contextlib.contextmanager
def _named_errors() -> Iterator[None]:
    """Turns errors about the files or the options into the error that ends the command."""
    try:
        yield
    except TfxWineExtError as error:
        raise CommandError(error.worded(FRONT)) from error
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise CommandError(
            f"{place}{error.strerror or error}; check that it is there and may be used, and that "
            "the disk has room"
        ) from error
    except ValueError as error:
        raise CommandError(str(error)) from error


@contextlib.contextmanager
def _destination(path: str) -> Iterator[str]:
    """Yields a folder to write to, and renames it to ``path`` if all goes well."""
    target = path.rstrip("/") if has_scheme(path) else os.path.realpath(path)
    parent = os.path.dirname(target)
    files = files_for(target)
    is_folder = files.is_dir(target)
    if files.names(target) if is_folder else files.exists(target) or os.path.lexists(target):
        found = "a folder that is not empty" if is_folder else "a file"
        raise CommandError(
            f"{path}: expected a path where nothing is, found {found}; name another, or remove it"
        )
    if has_scheme(path):
        # No folder is renamed in one step there. Readers notice that a split lacks a file.
        try:
            yield target
        except BaseException:
            with contextlib.suppress(OSError):
                files.remove_tree(target)
            raise
        return
    if not os.path.isdir(parent):
        raise CommandError(f"{path}: the folder {parent} is not there; make it first")
    with contextlib.ExitStack() as stack:
        try:
            temporary = stack.enter_context(staged(target, folder=True))
        except OSError as error:
            raise CommandError(
                f"{path}: cannot be written ({error.strerror}); name another path"
            ) from error
        yield temporary
        try:
            os.rename(temporary, target)
        except OSError as error:
            raise CommandError(
                f"{path}: expected a path where nothing is, found that another process made it "
                f"meanwhile ({error.strerror}); name another, or remove it"
            ) from error


def _ingested(
    options: argparse.Namespace,
    splits: Sequence[OutputSplit],
    ingest_options: IngestOptions,
    folder: str,
) -> dict[str, Any]:
    """Writes everything to the folder, and returns what was read and written."""
    from tfx_wine_ext.artifacts.layout import RAGGED_SCHEMA_FOLDER, SCHEMA_FILE
    from tfx_wine_ext.columnar.commit import commit
    from tfx_wine_ext.columnar.tables import reading_of
    from tfx_wine_ext.columnar.tasks import plan_shards
    from tfx_wine_ext.sources.choose import open_path
    from tfx_wine_ext.sources.footers import schema_fingerprint

    files = FilesByScheme()
    keep_inputs(options, [options.input])
    how = reading_of(ingest_options, files)
    with open_path(options.input, how, options.format).snapshot() as source:
        keep_inputs(options, source.paths)
        tasks = plan_shards(source, splits, ingest_options, partition_feature=options.partition_by)
        results = _results(options, tasks, folder, files)
        content_fingerprint = source.fingerprint()
    written = commit(folder, tasks, results, files)
    output = absolute(options.output)
    schema = f"{output}/{RAGGED_SCHEMA_FOLDER}/{SCHEMA_FILE}"
    return {
        "output": output,
        **({"ragged_schema": schema} if options.nested == "ragged" else {}),
        "files": list(source.paths),
        "rows_read": sum(result.rows_read for result in results)
        if source.rows is None
        else source.rows,
        "rows_written": sum(file.rows for file in written),
        "features": len(tasks[0].plan.features),
        "content_fingerprint": content_fingerprint or None,
        "schema_fingerprint": schema_fingerprint(source.whole),
        "splits": [_split(split, written) for split in splits],
    }


def _results(
    options: argparse.Namespace, tasks: Sequence[ShardTask], folder: str, files: FilesByScheme
) -> list[ShardResult]:
    """Writes the shards, and shows the progress."""
    from tfx_wine_ext.cli.terminal import reading
    from tfx_wine_ext.columnar.ingest import write_shard

    results = []
    with reading(sum(task.rows or 0 for task in tasks), shown=not options.quiet) as show:
        before = 0
        for task in tasks:

            def show_all(rows: int, before: int = before) -> None:
                show(before + rows)

            results.append(write_shard(task, folder, files, show_all))
            before += task.rows or 0
    return results


def _split(split: OutputSplit, written: Sequence[ShardFile]) -> dict[str, Any]:
    own = [file for file in written if file.split == split.name]
    return {
        "name": split.name,
        "hash_buckets": split.hash_buckets,
        "rows": sum(file.rows for file in own),
        "bytes": sum(file.bytes for file in own),
        "files": [file.name for file in own],
    }


def _print(document: Mapping[str, Any]) -> None:
    from tfx_wine_ext.cli.terminal import print_line, print_table

    total = document["rows_written"]
    print_table(
        ("split", "rows", "share", "bytes", "files"),
        [
            (
                split["name"],
                f"{split['rows']:,}",
                f"{split['rows'] / total:.1%}" if total else "",
                f"{split['bytes']:,}",
                f"{len(split['files']):,}",
            )
            for split in document["splits"]
        ],
        right=("rows", "share", "bytes", "files"),
    )
    print_line(
        f"{document['output']}: {total:,} of {document['rows_read']:,} rows, "
        f"{document['features']:,} features, in {document['seconds']:.1f} s"
    )
    if "ragged_schema" in document:
        print_line(f"{document['ragged_schema']}: the schema of the ragged features")
