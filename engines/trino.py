"""Trino as a source: types, failures, versions of an Iceberg table, and the wine pipeline."""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import math
import os
import pickle
import re
import shutil
import signal
import subprocess
import time
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engines.checks import Check, EngineError
from engines.installing import maven, system
from engines.servers import HOST, free_port, server
from engines.wine import Result, compare, two_spans
from tfx_wine_ext import sources
from tfx_wine_ext.sources.configs import SourceConfigError
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import TableFileError, TableSource

TRINO, JAVA = "476", 24
# Trino has them of its own, and shares them with its plugins.
_SHARED = re.compile(r"(trino-spi|slice|opentelemetry-(api|context)|jackson-annotations|jol-core)-")
_LAUNCH = f"""\
public class Launch {{
    public static void main(String[] arguments) {{
        new io.trino.server.Server().start("{TRINO}");
    }}
}}
"""
_CONFIG = """\
coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
node.internal-address={host}
node.bind-ip={host}
discovery.uri=http://{host}:{port}
query.max-memory=512MB
query.max-memory-per-node=512MB
memory.heap-headroom-per-node=512MB
protocol.v1.alternate-header-name=Presto
plugin.dir={folder}/plugins
catalog.config-dir={folder}/catalogs
node.environment=test
node.id=one
"""
_LAKE = """\
connector.name=iceberg
iceberg.catalog.type=TESTING_FILE_METASTORE
hive.metastore.catalog.dir=local:///
fs.native-local.enabled=true
local.location={folder}/lake
"""
_ROWS_OF_INSERT = 500
# An error must come within these; what happens in the middle happens after so many batches.
_SECONDS, _BATCHES = 15.0, 3
BIG = (
    "SELECT a.n * 1000 + b.n AS id, 'row ' || CAST(b.n AS varchar) AS text "
    "FROM UNNEST(sequence(1, {})) a (n) CROSS JOIN UNNEST(sequence(1, 1000)) b (n)"
)
"""A query of so many times a thousand rows."""

_Z = datetime.timezone.utc
# Expressions, and their values in Arrow.
TYPES: Sequence[tuple[str, str, Any]] = (
    ("boolean", "false", False),
    ("tinyint", "TINYINT '-128'", -128),
    ("smallint", "SMALLINT '0'", 0),
    ("integer", "2147483647", 2147483647),
    ("bigint", "BIGINT '-9223372036854775808'", -(2**63)),
    ("real", "REAL '0.5'", 0.5),
    ("double", "1e300", 1e300),
    ("not a number", "nan()", math.nan),
    ("infinite", "CAST(-infinity() AS real)", -math.inf),
    ("decimal", "DECIMAL '12345678901234567890.123'", Decimal("12345678901234567890.123")),
    ("varchar", "'Grüner'", "Grüner"),
    ("char", "CAST('a' AS char(3))", "a  "),
    ("varbinary", "X'00FF'", b"\x00\xff"),
    ("date", "DATE '1500-02-28'", datetime.date(1500, 2, 28)),
    ("time(3)", "TIME '23:59:59.999'", datetime.time(23, 59, 59, 999000)),
    ("timestamp(0)", "TIMESTAMP '1500-01-01 00:00:01'", datetime.datetime(1500, 1, 1, 0, 0, 1)),
    (
        "timestamp(6)",
        "TIMESTAMP '2020-01-02 03:04:05.000006'",
        datetime.datetime(2020, 1, 2, 3, 4, 5, 6),
    ),
    (
        "of a zone",
        "TIMESTAMP '2020-07-01 02:00:00.5 Europe/Berlin'",
        datetime.datetime(2020, 7, 1, 0, 0, 0, 500000, _Z),
    ),
    (
        "of an offset",
        "TIMESTAMP '2020-07-01 02:00:00 -05:30'",
        datetime.datetime(2020, 7, 1, 7, 30, tzinfo=_Z),
    ),
    ("interval", "INTERVAL '-90' SECOND", datetime.timedelta(seconds=-90)),
    (
        "uuid",
        "UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59'",
        "12151fd2-7586-11e9-8f9e-2a86e4085a59",
    ),
    ("json", "JSON '{\"a\": [1, null]}'", '{"a":[1,null]}'),
    ("ipaddress", "IPADDRESS '10.0.0.1'", "10.0.0.1"),
    ("array", "ARRAY[1.5e0, NULL]", [1.5, None]),
    ("array of arrays", "ARRAY[ARRAY['a'], NULL]", [["a"], None]),
    ("map", "MAP(ARRAY[BIGINT '1'], ARRAY[X'00'])", [(1, b"\x00")]),
    ("row", "CAST(ROW(1, 'x') AS row(a bigint, \"B c\" varchar))", {"a": 1, "B c": "x"}),
    ("unknown", "NULL", None),
)
# What cannot be read, and what the error says.
REFUSED = (
    (
        "timestamp(12)",
        "SELECT TIMESTAMP '2020-01-01 00:00:00.000000000001' x",
        "cast it to timestamp.6",
    ),
    ("time with time zone", "SELECT TIME '10:00 +01:00' x", "'x': time.* with time zone, which"),
    ("months", "SELECT INTERVAL '1' MONTH x", "'x': interval year to month, which has no equal"),
    ("HyperLogLog", "SELECT approx_set(1) x", "'x': HyperLogLog, which has no equal in Arrow"),
    ("a year after 9999", "SELECT DATE '12345-01-01' x", "column 'x': expected values of date"),
    (
        "an hour that comes twice",
        "SELECT TIMESTAMP '2020-10-25 02:30:00 Europe/Berlin' x",
        "ambiguous.*AT TIME ZONE 'UTC'",
    ),
    ("nanoseconds in 3000", "SELECT TIMESTAMP '3000-01-01 00:00:00.000000001' x", "too far from"),
    ("INSERT", "INSERT INTO span_1 SELECT * FROM span_1", "expected one query"),
    ("WITH and DELETE", "WITH a AS (SELECT 1) DELETE FROM span_1", "mismatched input 'DELETE'"),
    ("two statements", "SELECT 1 x; DROP TABLE span_1", "expected one query"),
    ("a broken query", "SELECT 1 x) UNION (SELECT 2", "parenthesis"),
    ("an unknown table", "SELECT * FROM nope", "line 1:15: Table 'memory.wine.nope' does not exis"),
    ("an unknown column", "SELECT nope FROM span_1", "line 1:8: Column 'nope' cannot be resolved"),
    ("an unknown catalog", "SELECT * FROM a.b.c", "Catalog 'a' not found"),
    ("two columns of one name", "SELECT 1 x, 2 x", "expected every column once, found 'x' more"),
    ("a division by zero", "SELECT 1 / (quality - quality) x FROM span_1", "Division by zero"),
)


def run(folder: Path, in_process: Result) -> Iterator[Check]:
    """Yields what a Trino server of its own sends, what it refuses, and what the pipeline gives."""
    spans = [] if in_process.folder is None else sorted(in_process.folder.glob("data/*/*.parquet"))
    tables = [pq.read_table(path) for path in spans]
    with trino(folder / "server", lake=True) as (address, process):
        for number, table in enumerate(tables, start=1):
            load(address, f"span_{number}", table)
        columns = selected(tables[0].column_names) if tables else ""
        asked = functools.partial(_asked, address)
        yield from _types(asked)
        for number, table in enumerate(tables, start=1):
            found = _rows(asked(f"SELECT {columns} FROM span_{number}"))
            expected = Counter(map(repr, table.to_pylist()))
            rows = f"{sum(expected.values())} rows"
            yield Check(
                f"span {number}",
                rows,
                rows if Counter(map(repr, found)) == expected else f"{len(found)} others",
            )
        yield from _changes(address, asked)
        yield from _versions(address)
        for what, query, expected_error in REFUSED:
            yield refused(what, expected_error, functools.partial(_read, asked, query))
        no_one = functools.partial(_asked, f"http://{HOST}:{free_port()}")
        yield refused("no server", "Connection refused", functools.partial(no_one, "SELECT 1 x"))
        killed = functools.partial(_kill_query, address)
        yield refused("the query is killed", "killed", functools.partial(_broken, asked, killed))
        stopped = functools.partial(os.killpg, process.pid, signal.SIGKILL)
        yield refused("the server is killed", "no ans", functools.partial(_broken, asked, stopped))
    wine = two_spans(folder / "wine", "--source", "trino")
    for check in compare(in_process, wine):
        if not check.what.endswith("shards"):  # The server sends rows in any order.
            yield check


@contextlib.contextmanager
def trino(folder: Path, *, lake: bool = False) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Runs a server with the catalog ``memory``; yields its address and its process.

    Args:
        folder: For its configuration, logs and data.
        lake: Also the catalog ``iceberg``, whose jars take 350 MB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    jars = maven("trino/jars", [f"io.trino:trino-main:{TRINO}"])
    _plugin(folder, "memory", "io.trino.plugin.memory.MemoryPlugin", "connector.name=memory\n")
    if lake:
        (folder / "lake").mkdir(parents=True, exist_ok=True)
        main = "io.trino.plugin.iceberg.IcebergPlugin"
        _plugin(folder, "iceberg", main, _LAKE.format(folder=folder))
    port = free_port()
    (folder / "config").write_text(_CONFIG.format(port=port, host=HOST, folder=folder))
    (folder / "Launch.java").write_text(_LAUNCH)
    command = [
        _java(),
        "-Xmx2g",
        "-XX:TieredStopAtLevel=1",  # It starts in half the time.
        "--add-modules=jdk.incubator.vector",
        f"-Dconfig={folder}/config",
        "-cp",
        f"{jars}/*",
        str(folder / "Launch.java"),
    ]
    address = f"http://{HOST}:{port}"
    answers = functools.partial(_answers, address)
    with server(command, folder / "log", answers, seconds=120, cwd=folder) as process:
        tell(address, "CREATE SCHEMA memory.wine")
        yield address, process


def _plugin(folder: Path, name: str, main: str, catalog: str) -> None:
    """Installs a connector, and makes a catalog of its name."""
    jars = maven(f"trino/{name}", [f"io.trino:trino-{name}:{TRINO}"])
    plugin = folder / "plugins" / name
    shutil.rmtree(plugin, ignore_errors=True)
    plugin.mkdir(parents=True)
    for jar in jars.glob("*.jar"):
        if not _SHARED.match(jar.name):
            (plugin / jar.name).symlink_to(jar)
    with zipfile.ZipFile(plugin / "services.jar", "w") as services:
        services.writestr("META-INF/services/io.trino.spi.Plugin", main)
    (folder / "catalogs").mkdir(exist_ok=True)
    (folder / "catalogs" / f"{name}.properties").write_text(catalog)


def _java() -> str:
    """Returns the path of a Java that runs Trino, with its compiler.

    Raises:
        EngineError: There is none, and apt has none.
    """
    homes = [os.environ.get("JAVA_HOME", ""), *map(str, Path("/usr/lib/jvm").glob("*"))]
    paths = [shutil.which("java"), *(f"{home}/bin/java" for home in homes if home)]
    for path in filter(None, paths):
        with contextlib.suppress(OSError):
            said = subprocess.run([path, "-version"], capture_output=True, text=True).stderr
            version = re.search(r'version "(\d+)', said)
            if version and int(version.group(1)) >= JAVA and Path(path).with_name("javac").exists():
                return path
    try:
        return system("/usr/lib/jvm/java-25-openjdk-amd64/bin/java", "openjdk-25-jdk-headless")
    except EngineError as error:
        raise EngineError(f"Trino needs Java {JAVA} or later; set JAVA_HOME\n{error}") from None


def _answers(address: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/v1/info") as answer:
        return json.load(answer)["starting"] is False
    return False


def tell(address: str, statement: str) -> list[Any]:
    """Runs any statement, and returns its rows."""
    import trino

    connection = trino.dbapi.connect(
        host=address, user="boss", catalog="memory", schema="wine", legacy_primitive_types=True
    )
    rows: list[Any] = connection.cursor().execute(statement).fetchall()
    return rows


def load(address: str, name: str, table: pa.Table) -> None:
    """Makes a table of the catalog ``memory`` from integers and doubles, with all their digits."""
    types = {"int64": "bigint", "double": "double"}
    columns = ", ".join(f'"{field.name}" {types[str(field.type)]}' for field in table.schema)
    tell(address, f"CREATE TABLE {name} ({columns})")
    rows = list(zip(*(column.to_pylist() for column in table.columns)))
    for start in range(0, len(rows), _ROWS_OF_INSERT):
        texts = (", ".join(map(_literal, row)) for row in rows[start : start + _ROWS_OF_INSERT])
        tell(address, f"INSERT INTO {name} VALUES {', '.join(f'({text})' for text in texts)}")


def selected(names: Sequence[str]) -> str:
    """Returns what selects columns by these names, of which Trino's tables keep no capitals."""
    return ", ".join(f'"{name.lower()}" AS "{name}"' for name in names)


def _literal(value: float | None) -> str:
    return "NULL" if value is None else str(value) if isinstance(value, int) else f"{value:.17e}"


def _asked(address: str, query: str | None, **arguments: Any) -> TableSource:
    config = sources.Trino(
        address, query, user="me", **{"catalog": "memory", "schema": "wine", **arguments}
    )
    return config.open(Reading())


def _rows(source: TableSource) -> list[dict[str, Any]]:
    """Reads a source part by part, as workers do."""
    with source.snapshot() as held:
        held.fingerprint()
        return [
            row
            for part in held.parts()
            for batch in pickle.loads(pickle.dumps(held.select([part]))).batches()
            for row in batch.to_pylist()
        ]


def _read(asked: Callable[[str], TableSource], query: str) -> None:
    _rows(asked(query))


def refused(what: str, expected: str, act: Callable[[], object]) -> Check:
    """Returns whether something ends with an error that says what is expected, within seconds."""
    started = time.monotonic()
    try:
        act()
        found = "no error"
    except (TableFileError, SourceConfigError) as error:
        found = str(error)
    seconds = time.monotonic() - started
    holds = bool(re.search(expected, found)) and seconds < _SECONDS
    return Check(what, f"an error: {expected}", f"{found} ({seconds:.1f} s)", holds=holds)


def _types(asked: Callable[[str], TableSource]) -> Iterator[Check]:
    """Yields whether values of all types, and nulls, arrive as they are."""
    columns = ", ".join(f"{value} AS c{place}" for place, (_, value, _) in enumerate(TYPES))
    nulls = ", ".join("NULL" for _ in TYPES)
    [first, second] = sorted(
        _rows(asked(f"SELECT {columns} UNION ALL SELECT {nulls}")),
        key=lambda row: row["c0"] is None,
    )
    for (name, _, expected), found in zip(TYPES, first.values()):
        same = found == expected or repr(found) == repr(expected)  # NaN is not equal to itself.
        yield Check(name, expected, found, holds=same and type(found) is type(expected))
    yield Check("null of each", {None}, set(second.values()))


def _changes(address: str, asked: Callable[[str], TableSource]) -> Iterator[Check]:
    """Yields whether the fingerprint changes with the content, and only so."""
    query = "SELECT * FROM changing"
    tell(address, "CREATE TABLE changing AS SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL")
    before = asked(query).fingerprint()
    again = asked("SELECT * FROM changing ORDER BY a DESC; -- once more").fingerprint()
    yield Check("fingerprint of the same rows", before, again)
    tell(address, "CREATE TABLE swapped AS SELECT 2 AS a, 'x' AS b UNION ALL SELECT 1, NULL")
    other = asked("SELECT * FROM swapped").fingerprint()
    yield Check("fingerprint of values swapped", "another", other, holds=other != before)
    own = _asked(address, query, fingerprint="SELECT max(a) FROM changing").fingerprint()
    yield Check("fingerprint of a query", "another", own, holds=own not in ("", before))
    yield Check("no fingerprint", "", _asked(address, query, fingerprint="none").fingerprint())

    def change_while_read() -> None:
        with asked(query).snapshot() as held:
            held.fingerprint()
            list(held.select(held.parts()).batches())
            tell(address, "INSERT INTO changing VALUES (3, 'y')")

    yield refused("rows are added while read", "it changed while it was", change_while_read)
    after = asked(query).fingerprint()
    yield Check("fingerprint of a row more", "another", after, holds=after != before)
    presto = _rows(_asked(address, query, protocol="presto"))
    yield Check("rows by Presto's headers", 3, len(presto))


def _versions(address: str) -> Iterator[Check]:
    """Yields whether ranges of an Iceberg table all see the version that was named."""
    tell(address, "CREATE SCHEMA iceberg.wine")
    tell(address, f"CREATE TABLE iceberg.wine.big AS {BIG.format(20)}")
    tell(address, "INSERT INTO iceberg.wine.big VALUES (NULL, 'without id')")
    snapshots = 'SELECT snapshot_id FROM iceberg.wine."big$snapshots" ORDER BY committed_at DESC'
    [version] = tell(address, snapshots)[0]
    tell(address, "INSERT INTO iceberg.wine.big SELECT * FROM iceberg.wine.big")
    of_big = functools.partial(_asked, address, None, catalog="iceberg", table="big")
    source = of_big(version=version, split_by="id", parts=6)
    ids = [row["id"] for row in _rows(source)]
    yield Check("ranges of a version", 6, len(source.parts()))
    yield Check("rows of a version", (20_001, 20_001), (len(ids), len(set(ids))))
    yield Check("rows of the latest", 40_002, len(_rows(of_big())))
    unknown = functools.partial(of_big, version=1)
    yield refused("an unknown version", "snapshot ID does not exist", unknown)


def _broken(asked: Callable[[str], TableSource], act: Callable[[], object]) -> None:
    """Reads a large table, in the middle of which something happens."""
    for count, _ in enumerate(asked(BIG.format(9000)).batches()):
        if count == _BATCHES:
            act()


def _kill_query(address: str) -> None:
    running = (
        "SELECT query_id FROM system.runtime.queries WHERE state = 'RUNNING' AND \"user\" = 'me'"
    )
    for [query] in tell(address, running):
        tell(address, f"CALL system.runtime.kill_query('{query}', 'enough')")
