"""Measures `ingest` from PostgreSQL, beside reading the rows by ADBC alone and encoding them alone.

It starts a server of its own. Every measurement is a separate process that imports what it needs,
then times the whole work. Memory is that of this process, without the server's.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import tempfile
import time

from benchmarks.measure import measure
from engines import stores
from engines.postgres import PostgreSQL, postgresql

PARTS = 4
COLUMNS = (
    "n AS id, n % 7 AS quality, (random() * 1000)::int AS bottles, (random() * 9)::int AS stars, "
    + ", ".join(f"random() AS x{number}" for number in range(8))
)


def make(server: PostgreSQL, rows: int) -> None:
    """Makes a table of 12 columns of numbers."""
    server.sql(
        stores.NEW,
        "SELECT setseed(0.5)",
        f"CREATE TABLE wines AS SELECT {COLUMNS} FROM generate_series(1, {rows}) n",
        "ALTER TABLE wines ADD PRIMARY KEY (id)",
        f"ALTER TABLE wines OWNER TO {stores.WRITER}",
        "VACUUM ANALYZE wines",
    )


def read_alone(uri: str, path: pathlib.Path | None = None) -> None:
    """Reads all rows by ADBC; writes them to a Feather file if a path is given."""
    import adbc_driver_postgresql.dbapi
    import pyarrow as pa
    import pyarrow.feather

    with adbc_driver_postgresql.dbapi.connect(uri) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM wines")
        batches = cursor.fetch_record_batch()
        if path is None:
            for _ in batches:
                pass
        else:
            pyarrow.feather.write_feather(
                pa.Table.from_batches(batches), str(path), compression="uncompressed"
            )


def child(what: str, uri: str, folder: pathlib.Path) -> None:
    """Imports what it needs, works, and prints when this began and ended."""
    import adbc_driver_postgresql.dbapi  # noqa: F401

    from tfx_wine_ext.cli import main as command
    from tfx_wine_ext.sources import Sql
    from tfx_wine_ext.sources.formats import Reading

    path = folder / "wines.feather"
    if what.startswith("ingest"):
        path = folder / "wines.source.yaml"
        ranges = "" if what == "ingest" else f"partition_column: id\npartitions: {PARTS}\n"
        path.write_text(f"source: sql\nuri: {uri}\nquery: SELECT * FROM wines\n{ranges}")
    print("BEGIN", flush=True)
    started = time.perf_counter()
    if what == "ADBC alone":
        read_alone(uri)
    elif what == "fingerprint alone":
        Sql(uri, "SELECT * FROM wines").open(Reading()).fingerprint()
    elif command(["ingest", str(path), str(folder / what), "--quiet"]):
        sys.exit("ingest failed")
    print("END", time.perf_counter() - started, flush=True)


def main() -> None:
    """Runs all measurements and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows (%(default)s)")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        what, uri, folder = options.child
        child(what, uri, pathlib.Path(folder))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with postgresql(folder / "server.log") as server, server.running():
            server.make()
            make(server, options.rows)
            uri = server.url(stores.WRITER, stores.NEW)
            os.environ.update(server.env(stores.WRITER))
            read_alone(uri, folder / "wines.feather")
            print(f"\n{options.rows:,} rows x 12 numbers\n")
            print(
                "| | seconds | rows per second | peak memory (MB) |\n|---|---|---|---|", flush=True
            )
            seconds = {}
            ranges = f"ingest, {PARTS} ranges"
            for what in ("ADBC alone", "encoding alone", "ingest", ranges, "fingerprint alone"):
                command = [sys.executable, "-m", "benchmarks.sql_source", "--child"]
                result = measure([*command, what, uri, str(folder)])
                seconds[what] = result.seconds
                speed = options.rows / result.seconds
                print(
                    f"| {what} | {result.seconds:.2f} | {speed:,.0f} | {result.peak:.0f} |",
                    flush=True,
                )
    both = seconds["ADBC alone"] + seconds["encoding alone"]
    print(f"\ningest takes {seconds['ingest'] / both:.2f} times as long as both alone.")


if __name__ == "__main__":
    main()
