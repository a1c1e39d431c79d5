"""Measures the memory of `drift` and `ingest` for a table in which one value is huge.

For each format it writes a file of 10 rows, of which one has a value of so many megabytes. Every
command runs in a separate process, first on the same table with a small value, so that all that is
needed is imported. Then the peak of resident memory above that is divided by the value's size, as
Arrow holds it.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from engines import stores
from engines.postgres import postgresql

ROWS = 10
TEXTS = ("text", "bytes")
LISTS = ("numbers", "texts")
# The kinds of values of each format, by what follows the first dot of its name.
FORMATS = {
    "parquet": (*TEXTS, "dictionary", *LISTS),
    "csv": ("text",),
    "csv.gz": ("text",),
    "csv.zst": ("text",),
    "tsv": ("quoted",),
    "jsonl": ("text", *LISTS),
    "jsonl.gz": ("text",),
    "jsonl.zst": ("text",),
    "orc": (*TEXTS, *LISTS),
    "arrow": (*TEXTS, "dictionary", *LISTS),
    "arrows": ("text",),
    "avro": (*TEXTS, *LISTS),
    "deflate.avro": ("text",),
    "tfrecord": ("bytes", "numbers"),
    "tfrecord.gz": ("bytes",),
    "delta": ("text",),
    "sqlite": TEXTS,
    "duckdb": (*TEXTS, "numbers"),
    "postgresql": TEXTS,
}
KINDS = sorted({kind for kinds in FORMATS.values() for kind in kinds})
# Those that are not files of their own, but described by one.
DESCRIBED = ("delta", "sqlite", "duckdb", "postgresql")
COMMANDS = ("drift", "ingest")


def value_of(kind: str, size: int) -> pa.Array:
    """Returns an array of one value, of so many bytes in Arrow."""
    random = np.random.default_rng(1)
    if kind == "numbers":
        values = random.integers(0, 1000, size // 8) / 10
        return pa.LargeListArray.from_arrays([0, len(values)], pa.array(values)).cast(
            pa.list_(pa.float64())
        )
    block = random.bytes(1 << 20)
    if kind != "bytes":
        block = block.hex().encode()
    data = (block * (size // len(block) + 1))[:size]
    if kind == "texts":
        offsets = pa.array(np.arange(0, size + 1, 16, np.int64).clip(max=size))
        texts = pa.Array.from_buffers(
            pa.large_string(), len(offsets) - 1, [None, offsets.buffers()[1], pa.py_buffer(data)]
        ).cast(pa.string())
        return pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    if kind == "quoted":
        data = data[: len(data) // 2] + b'"\n' + data[len(data) // 2 + 2 :]
    offsets = pa.py_buffer(np.array([0, size], np.int32))
    type_ = pa.binary() if kind == "bytes" else pa.string()
    return pa.Array.from_buffers(type_, 1, [None, offsets, pa.py_buffer(data)])


def table_of(kind: str, size: int, values: int) -> pa.Table:
    """Returns a table of 10 rows with some values of so many bytes, each in a row and column."""
    columns: dict[str, pa.Array] = {"id": pa.array(range(ROWS))}
    large = value_of(kind, size)
    small = value_of(kind, 64)
    for number in range(values):
        row = (5 + 2 * number) % ROWS
        column = pa.concat_arrays([small] * row + [large] + [small] * (ROWS - row - 1))
        columns[f"value {number}"] = column.dictionary_encode() if kind == "dictionary" else column
    return pa.table(columns)


def write(path: pathlib.Path, kind: str, size: int, values: int, source: str) -> None:
    """Writes the table in the format that the extension of the path names."""
    table = table_of(kind, size, values)
    extension = path.name.partition(".")[2].removesuffix(".source.yaml")
    _WRITERS[extension](table, path, source)


def _parquet(table: pa.Table, path: pathlib.Path, _: str) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path)


def _csv(table: pa.Table, path: pathlib.Path, _: str) -> None:
    separator = b"\t" if ".tsv" in path.name else b","
    with _packed(path) as stream:
        stream.write(separator.join(name.encode() for name in table.schema.names) + b"\n")
        for row in range(table.num_rows):
            for number, column in enumerate(table.columns):
                cell = str(column[row].as_py()).encode()
                if b'"' in cell:
                    cell = b'"' + cell.replace(b'"', b'""') + b'"'
                stream.write((separator if number else b"") + cell)
            stream.write(b"\n")


def _json(table: pa.Table, path: pathlib.Path, _: str) -> None:
    with _packed(path) as stream:
        for row in range(table.num_rows):
            record = {name: table.column(name)[row].as_py() for name in table.schema.names}
            stream.write(json.dumps(record).encode() + b"\n")


def _packed(path: pathlib.Path) -> Any:
    if path.suffix == ".gz":
        return gzip.open(path, "wb", compresslevel=1)
    stream = pa.OSFile(str(path), "wb")
    return pa.CompressedOutputStream(stream, "zstd") if path.suffix == ".zst" else stream


def _orc(table: pa.Table, path: pathlib.Path, _: str) -> None:
    import pyarrow.orc

    pyarrow.orc.write_table(table, str(path))


def _arrow(table: pa.Table, path: pathlib.Path, _: str) -> None:
    new = pa.ipc.new_stream if path.suffix == ".arrows" else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as file, new(file, table.schema) as writer:
        writer.write_table(table)


def _avro(table: pa.Table, path: pathlib.Path, _: str) -> None:
    import fastavro

    items = {pa.float64(): "double", pa.string(): "string", pa.binary(): "bytes"}

    def type_of(type_: pa.DataType) -> object:
        if pa.types.is_list(type_):
            return {"type": "array", "items": items[type_.value_type]}
        return "long" if type_ == pa.int64() else items[type_]

    names = [name.replace(" ", "_") for name in table.schema.names]
    fields = [
        {"name": name, "type": type_of(field.type)} for name, field in zip(names, table.schema)
    ]
    codec = "deflate" if "deflate" in path.name else "null"
    with path.open("wb") as stream:
        fastavro.writer(
            stream,
            {"type": "record", "name": "row", "fields": fields},
            table.rename_columns(names).to_pylist(),
            codec=codec,
            codec_compression_level=1 if codec == "deflate" else None,
        )


def _tfrecord(table: pa.Table, path: pathlib.Path, _: str) -> None:
    from tfx_wine_ext.columnar.encode import encode_examples
    from tfx_wine_ext.columnar.plan import plan_features
    from tfx_wine_ext.columnar.tfrecord import frame_records

    plan = plan_features(table.schema)
    with _packed(path) as stream:
        for batch in table.to_batches():
            stream.write(frame_records(encode_examples(batch, plan)))


def _delta(table: pa.Table, path: pathlib.Path, source: str) -> None:
    import deltalake

    folder = path.with_suffix("").with_suffix(".table")
    folder.mkdir()
    _parquet(table, folder / "a.parquet", "")
    deltalake.convert_to_deltalake(str(folder))
    path.write_text(f"source: delta\npath: {folder}\n")


def _sql(table: pa.Table, path: pathlib.Path, source: str) -> None:
    name = path.name.partition(".")[0]
    if "sqlite" in path.name:
        import sqlite3

        file = path.parent / f"{name}.db"
        with sqlite3.connect(file) as connection:
            columns = ", ".join(
                f'"{field.name}" {_SQLITE[str(field.type)]}' for field in table.schema
            )
            connection.execute(f"CREATE TABLE wine_{name} ({columns})")
            marks = ", ".join("?" * table.num_columns)
            for row in range(table.num_rows):
                connection.execute(
                    f"INSERT INTO wine_{name} VALUES ({marks})",
                    [column[row].as_py() for column in table.columns],
                )
        connection.close()
        uri = f"sqlite:///{file}"
    elif "duckdb" in path.name:
        import duckdb

        file = path.parent / f"{name}.db"
        connection = duckdb.connect(str(file))
        _parquet(table, file.with_suffix(".parquet"), "")
        connection.execute(
            f"CREATE TABLE wine_{name} AS FROM read_parquet('{file.with_suffix('.parquet')}')"
        )
        connection.close()
        uri = f"duckdb:///{file}"
    else:
        import adbc_driver_postgresql.dbapi

        with (
            adbc_driver_postgresql.dbapi.connect(source) as connection,
            connection.cursor() as cursor,
        ):
            cursor.adbc_ingest(f"wine_{name}", table.to_reader(), mode="create")
            connection.commit()
        uri = source
    path.write_text(f"source: sql\nuri: {uri}\nquery: SELECT * FROM wine_{name}\n")


_SQLITE = {"int64": "INTEGER", "string": "TEXT", "binary": "BLOB"}
_WRITERS: dict[str, Callable[[pa.Table, pathlib.Path, str], None]] = {
    "parquet": _parquet, "csv": _csv, "csv.gz": _csv, "csv.zst": _csv, "tsv": _csv,
    "jsonl": _json, "jsonl.gz": _json, "jsonl.zst": _json,
    "orc": _orc, "arrow": _arrow, "arrows": _arrow, "avro": _avro, "deflate.avro": _avro,
    "tfrecord": _tfrecord, "tfrecord.gz": _tfrecord, "delta": _delta,
    "sqlite": _sql, "duckdb": _sql, "postgresql": _sql,
}  # fmt: skip


def peak_of(command: str, small: pathlib.Path, large: pathlib.Path) -> int:
    """Runs a command on two tables; returns the peak of the second above that of the first."""
    from tfx_wine_ext.cli import main as cli

    def run(path: pathlib.Path) -> None:
        with tempfile.TemporaryDirectory(dir=path.parent) as output:
            arguments = ["drift", str(path), str(path), "--quiet"]
            if command == "ingest":
                arguments = ["ingest", str(path), f"{output}/out", "--quiet"]
            if cli(arguments):
                sys.exit(f"{command} failed")

    run(small)
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # Forgets the peak so far.
    before = _peak()
    run(large)
    return _peak() - before


def _peak() -> int:
    """Returns the highest resident memory of this process since the last reset, in bytes."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _row(format_: str, kind: str, options: argparse.Namespace) -> list[str]:
    """Measures the commands on one table."""
    yaml = ".source.yaml" if format_ in DESCRIBED else ""
    size = options.megabytes << 20
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        source = ""
        if format_ == "postgresql":
            server = stack.enter_context(postgresql(folder / "server.log"))
            stack.enter_context(server.running())
            server.make()
            source = server.url(stores.WRITER, stores.NEW)
            os.environ.update(server.env(stores.WRITER))
        paths = [folder / f"{name}.{format_}{yaml}" for name in ("small", "large")]
        for path, each in zip(paths, (1 << 16, size)):
            _child(options, "write", path, kind, each, source)
        return [f"{int(_child(options, each, *paths)) / size:.1f}" for each in options.commands]


def _child(options: argparse.Namespace, *arguments: object) -> str:
    """Works in a process of its own; returns the last line that it prints."""
    command = [sys.executable, "-m", "benchmarks.large_values", f"--values={options.values}"]
    done = subprocess.run(
        [*command, "--child", *map(str, arguments)], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{arguments[0]} failed with status {done.returncode}:\n{done.stderr[-2000:]}")
    return (done.stdout.splitlines() or [""])[-1]


def main() -> None:
    """Runs all measurements and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=256, help="of the value (%(default)s)")
    parser.add_argument(
        "--values", type=int, default=1, help="so many, each in a row and column (%(default)s)"
    )
    parser.add_argument("--formats", nargs="*", choices=FORMATS, default=FORMATS, help="all")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=KINDS, help="of values: all")
    parser.add_argument("--commands", nargs="*", choices=COMMANDS, default=COMMANDS, help="both")
    parser.add_argument("--child", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        what, *rest = options.child
        if what == "write":
            path, kind, size, source = rest
            write(pathlib.Path(path), kind, int(size), options.values, source)
        else:
            print(peak_of(what, *map(pathlib.Path, rest)))
        return
    print(f"\nValues of {options.megabytes} MB, {options.values} a table: peak / size of a value\n")
    print("| format | value |", *(f"{command} |" for command in options.commands))
    print("|---|---|" + "---|" * len(options.commands), flush=True)
    for format_ in options.formats:
        for kind in FORMATS[format_]:
            if kind in options.kinds:
                print(
                    "|", " | ".join([format_, kind, *_row(format_, kind, options)]), "|", flush=True
                )


if __name__ == "__main__":
    main()
