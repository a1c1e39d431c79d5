import pickle
import time
import traceback

import pyarrow as pa
import pytest

from tests.columnar.shards import ALL, FILES, parsed, records
from tfx_wine_ext.columnar.commit import commit
from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.columnar.tasks import plan_shards
from tfx_wine_ext.sources import Sql
from tfx_wine_ext.sources.configs import SourceConfigError, source_from_json
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import TableFileError
from tfx_wine_ext.sources.sql import rebatched

URI = "postgresql://wine@db/cellar"
TERMINATE = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE application_name = 'tfx_wine_ext' AND state = '{}'"
)


def other_process(source):
    """A source as a worker gets it."""
    return pickle.loads(pickle.dumps(source))


def ingested(source, out, shards=4):
    """Writes the rows as examples, and returns the records of each shard."""
    with source.snapshot() as held:
        tasks = plan_shards(held, ALL, IngestOptions(num_shards=shards))
        sent = [other_process(task) for task in tasks]
        results = [write_shard(task, str(out), FILES) for task in sent]
        files = commit(str(out), tasks, results, FILES)
    return [records(out / "Split-all" / file.name) for file in files]


def rows(source):
    return [row for batch in source.batches() for row in batch.to_pylist()]


def test_a_description_is_json_without_secrets():
    config = Sql(URI, "SELECT 1 AS a", credentials="env:DB", partition_column="a", partitions=2)
    assert source_from_json(config.to_json()) == config
    assert config.to_dict() == {
        **{"source": "sql", "uri": URI, "query": "SELECT 1 AS a", "credentials": "env:DB"},
        **{"partition_column": "a", "partitions": 2},
    }
    assert Sql(f"{URI}?sslmode=require", "SELECT 1").name == URI


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"uri": "postgresql://me:hunter2@db/a"}, r"uri: .* without a password, .*me:\*\*\*@db"),
        ({"uri": f"{URI}?password=hunter2"}, r"uri: .* without a password"),
        (
            {"uri": "postgresql://me:it's hunter2@db/a"},
            r"uri: .* without a password, .*me:\*\*\*@db",
        ),
        ({"uri": f"{URI}?user=me&pass%77ord=hunter2"}, r"uri: .* without a password.*not shown"),
        ({"uri": "me:hunter2@account/a", "driver": "x"}, r"uri: .* without a password.*not shown"),
        ({"uri": "odbc:db;Pwd = hunter2", "driver": "x"}, r"uri: .* without a password.*not shown"),
        ({"uri": "host=db password=hunter2"}, r"uri: expected an address .*found other text$"),
        (
            {"uri": "oracle://db"},
            r"uri: expected one of postgresql, .*, found oracle:",
        ),
        ({"query": "DELETE FROM a"}, r"query: expected one query, .*found 'DELETE'"),
        ({"query": "SELECT 1; DROP TABLE a"}, r"query: expected one query, found 'DROP' after"),
        ({"fingerprint": "no"}, r"fingerprint: expected one query, .*found 'no'"),
        ({"credentials": "hunter2"}, r"credentials: expected 'env:NAME'.*not shown$"),
        ({"uri": "sqlite:///a", "credentials": "env:A"}, r"credentials: .*sqlite has no passwords"),
        ({"partitions": 2}, r"partitions: expected a partition_column beside it"),
        ({"partition_column": "a", "partitions": 0}, r"partitions: expected a number from 1 on"),
        ({"partition_column": "a", "partitions": True}, r"partitions: expected a number"),
        ({"uri": "sqlite:///a", "partition_column": "a"}, r"partition_column: .*only PostgreSQL"),
        ({"options": {"a": "b"}}, r"options: expected a driver"),
        ({"driver": "x", "options": {"api_key": "hunter2"}}, r"options: .* found 'api_key'; name"),
        ({"driver": "x", "options": {"a": "x://a:hunter2@b"}}, r"options: .* found 'a'; name"),
        ({"driver": "x", "options": {"x.authorization_header": "hunter2"}}, r"options: .*_header'"),
        ({"driver": "x", "options": {"a": "b; Pwd=hunter2"}}, r"options: .* found 'a'; name"),
        ({"driver": "x", "options": {"a": 1}}, r"options: a: expected text, found 1"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused_without_its_secrets(fields, message):
    with pytest.raises(SourceConfigError, match=rf"^sources\.Sql.*{message}") as caught:
        Sql(**{"uri": URI, "query": "SELECT 1", **fields})
    assert "hunter2" not in "".join(traceback.format_exception(None, caught.value, None))


def test_the_same_rows_are_the_same_examples_from_each_database(cellar, sqlite, duckdb, tmp_path):
    wines = (
        "(1, 9.5, 'red'), (2, 0.0, ''), (NULL, NULL, 'white'), (3, 12.25, NULL), (4, -1.5, 'rosé')"
    )
    cellar.run(
        "CREATE TABLE wines (id bigint, alcohol float8, colour text)",
        f"INSERT INTO wines VALUES {wines}",
    )
    table = "CREATE TABLE wines (id BIGINT, alcohol DOUBLE, colour TEXT)"
    insert, query = f"INSERT INTO wines VALUES {wines}", "SELECT * FROM wines -- all\n;"
    sources = {
        "ranges": cellar.source(query, partition_column="id", partitions=3),
        "one part": cellar.source(query),
        "sqlite": Sql(sqlite(table, insert), query).open(Reading()),
        "duckdb": Sql(duckdb(table, insert), query).open(Reading()),
    }
    shards = {name: ingested(each, tmp_path / name) for name, each in sources.items()}
    assert [len(shard) for shard in shards["ranges"]] == [1, 1, 2, 1]  # The last without an id.
    examples = {name: sorted(r for shard in each for r in shard) for name, each in shards.items()}
    assert [name for name in examples if examples[name] != examples["sqlite"]] == []
    assert shards["one part"] == shards["sqlite"] == shards["duckdb"]
    assert parsed(shards["sqlite"][0][1]) == {
        "id": ("int64_list", [2]),
        "alcohol": ("float_list", [0.0]),
        "colour": ("bytes_list", [b""]),
    }
    again = ingested(sources["ranges"], tmp_path / "again")
    assert again == shards["ranges"]


def test_the_fingerprint_changes_with_the_data_and_only_then(cellar, sqlite, duckdb):
    statements = [
        "CREATE TABLE marks (n INT, x DOUBLE PRECISION)",
        "INSERT INTO marks VALUES (1, 0.1), (2, NULL)",
    ]
    change, back = "UPDATE marks SET x = 0 WHERE n = 2", "UPDATE marks SET x = NULL WHERE n = 2"
    cellar.run(*statements)
    uris = {cellar.uri: cellar.run, sqlite(*statements): sqlite, duckdb(*statements): duckdb}
    for uri, run in uris.items():

        def fingerprint(query, uri=uri):
            return Sql(uri, query).open(Reading()).fingerprint()

        first = fingerprint("SELECT * FROM marks")
        others = {
            fingerprint("SELECT n, x + 1 AS x FROM marks"),
            fingerprint("SELECT * FROM marks WHERE n > 9"),
        }
        run(change)
        others.add(fingerprint("SELECT * FROM marks"))
        run(back)
        assert first.startswith("sql-v1:")
        assert fingerprint("select n, x FROM marks;") == first
        assert len(others - {first}) == 3
    cellar.run("CREATE TABLE turned AS SELECT * FROM marks ORDER BY n DESC")
    in_order, turned = (cellar.source(f"SELECT * FROM {name}") for name in ("marks", "turned"))
    assert turned.fingerprint() == in_order.fingerprint()


def test_the_fingerprint_may_be_a_query_or_none(cellar, sqlite):
    query = "SELECT 1 AS a"
    one, same, two = (
        cellar.source(query, fingerprint=f"SELECT {n} AS v, 'x' AS v;").fingerprint()
        for n in (1, 1, 2)
    )
    assert one == same != two
    assert cellar.source(query, fingerprint="none").fingerprint() == ""
    with pytest.raises(TableFileError, match=r"expected a row, whose values are .*, found none"):
        cellar.source(query, fingerprint="SELECT 1 AS v WHERE false").fingerprint()
    path = sqlite("CREATE TABLE a (b)").removeprefix("sqlite:///")
    other = Sql(f"file:{path}?mode=ro", "SELECT count(*) AS n FROM a", driver="adbc_driver_sqlite")
    source = other.open(Reading())
    assert (source.fingerprint(), rows(source), len(source.parts())) == ("", [{"n": 0}], 1)


def test_all_parts_have_the_state_of_the_snapshot(cellar):
    cellar.run("CREATE TABLE moving AS SELECT n FROM generate_series(1, 10) n")
    source = cellar.source("SELECT n FROM moving", partition_column="n", partitions=2)
    with source.snapshot() as held:
        first, second = held.parts()
        assert rows(other_process(held.select([first]))) == [{"n": n} for n in range(1, 5)]
        cellar.run("DELETE FROM moving WHERE n > 7", "INSERT INTO moving VALUES (6), (0)")
        before = held.fingerprint()
        assert rows(other_process(held.select([second]))) == [{"n": n} for n in range(5, 11)]
        assert len(rows(held)) == 10
    assert source.fingerprint() != before
    source = cellar.source("SELECT n FROM moving", partition_column="n", partitions=2)
    parts = source.select(source.parts())
    cellar.run("DELETE FROM moving WHERE n = 0")
    with pytest.raises(TableFileError, match=r"expected 4 rows, found 3 rows: the table was chan"):
        rows(parts)


def test_a_snapshot_that_has_ended_is_an_error_and_nothing_is_published(cellar, tmp_path):
    source = cellar.source(
        "SELECT n FROM generate_series(1, 9) n", partition_column="n", partitions=3
    )
    with source.snapshot() as held:
        tasks = plan_shards(held, ALL, IngestOptions(num_shards=3))
        write_shard(tasks[0], str(tmp_path), FILES)
        assert cellar.run(TERMINATE.format("idle in transaction")) == "1\n"
        with pytest.raises(TableFileError, match=r"expected the session that holds the snapshot"):
            write_shard(other_process(tasks[1]), str(tmp_path), FILES)
    assert not list(tmp_path.glob("Split-*"))


def test_a_connection_that_is_lost_while_rows_are_read_is_an_error_within_seconds(cellar):
    source = cellar.source("SELECT n, repeat('x', 100) AS x FROM generate_series(1, 500000) n")
    batches = source.batches()
    next(batches)
    assert cellar.run(TERMINATE.format("active' AND query LIKE '%500000%")) == "1\n"
    started = time.monotonic()
    with pytest.raises(TableFileError, match=r"(closed the|terminating) connection .*; run again"):
        list(batches)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("WITH w AS (DELETE FROM kept RETURNING *) SELECT * FROM w", r"data-mod.*only reads"),
        ("SELECT nextval('steps') AS n", r"cannot execute nextval.* read-only tran.*only reads"),
        ("SELECT emptied() AS n", r"cannot execute DELETE in a read-only transaction"),
        ("SELECT * FROM kept FOR UPDATE", r"cannot execute SELECT in a read-only"),
        ("SELECT set_config('transaction_read_only', 'off', true) AS x", r"must be set before any"),
        ("SELECT * INTO copied FROM kept", r"syntax error|INTO"),
        ("SELECT nosuch FROM kept", r'column "nosuch" does not exist'),
        ("SELECT * FROM nosuch", r'relation "nosuch" does not exist'),
        (
            "SELECT 1 AS a, 2 AS a",
            r"expected columns of which each has a name .* found 'a', 'a'",
        ),
        ("SELECT 1", r"found one without a name; name each by AS"),
        ('SELECT 1 AS """" /*', r"unterminated /\* comment"),
    ],
)
def test_what_is_not_a_query_of_columns_with_names_is_refused(cellar, query, message):
    cellar.run(
        "CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS n",
        "CREATE SEQUENCE IF NOT EXISTS steps",
        "CREATE OR REPLACE FUNCTION emptied() RETURNS int LANGUAGE sql AS "
        "'DELETE FROM kept; SELECT 1'",
        "GRANT ALL ON SEQUENCE steps TO PUBLIC",
    )
    with pytest.raises(TableFileError, match=message):
        rows(cellar.source(query))
    assert cellar.run("SELECT count(*) FROM kept", "SELECT is_called FROM steps") == "1\nf\n"


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_database_in_a_file_is_only_read(kind, request):
    made = request.getfixturevalue(kind)
    uri = made("CREATE TABLE kept (n INT)", "INSERT INTO kept VALUES (1)")
    for query, message in [
        ("WITH w AS (SELECT 1 AS n) DELETE FROM kept RETURNING n", r"syntax error|Parser Error"),
        ("SELECT nosuch FROM kept", "nosuch"),
        ("SELECT * FROM nosuch", "nosuch"),
        ("SELECT 1 AS a, 2 AS a", r"found 'a', 'a'; name each"),
        ("SELECT 1 AS b, 2 AS B", r"found 'b', 'B'; name each"),
    ]:
        with pytest.raises(TableFileError, match=message):
            Sql(uri, query).open(Reading())
    assert rows(Sql(uri, "SELECT * FROM kept").open(Reading())) == [{"n": 1}]
    with pytest.raises(TableFileError, match=r"expected a database's file, found none; check"):
        Sql(f"{kind}:///no/such", "SELECT 1 AS n").open(Reading())


def test_a_file_that_changes_after_it_was_fingerprinted_is_not_read(sqlite):
    uri = sqlite("CREATE TABLE a (n)", "INSERT INTO a VALUES (1)")
    with Sql(uri, "SELECT n FROM a").open(Reading()).snapshot() as held:
        held.fingerprint()
        sqlite("INSERT INTO a VALUES (2)")
        with pytest.raises(TableFileError, match=r"expected the rows that were fingerprinted"):
            rows(other_process(held.select(held.parts())))
    with Sql(uri, "SELECT n FROM a").open(Reading()).snapshot() as held:
        sqlite("INSERT INTO a VALUES ('three')")
        with pytest.raises(TableFileError, match=r"expected the column 'n' of int64, found string"):
            rows(held)


def test_a_relative_path_means_the_same_to_a_worker_in_another_folder(
    sqlite, tmp_path, monkeypatch
):
    name = sqlite("CREATE TABLE a (n)", "INSERT INTO a VALUES (1)").rpartition("/")[2]
    monkeypatch.chdir(tmp_path)
    source = Sql(f"sqlite:///{name}", "SELECT n FROM a").open(Reading())
    monkeypatch.chdir("/")
    assert rows(other_process(source.select(source.parts()))) == [{"n": 1}]


def test_an_empty_result_has_columns_and_no_rows(cellar, sqlite, duckdb):
    cellar.run("CREATE TABLE vacant (n INT)")
    made = "CREATE TABLE vacant (n INT)"
    for uri in (cellar.uri, sqlite(made), duckdb(made)):
        source = Sql(uri, "SELECT n FROM vacant").open(Reading())
        assert (source.schema.names, rows(source)) == (["n"], [])
        assert list(source.batches(source.schema)) == []
    ranged = cellar.source("SELECT n FROM vacant", partition_column="n")
    assert rows(ranged.select(ranged.parts())) == []


def test_rows_without_columns_are_counted(cellar):
    source = cellar.source("SELECT n FROM generate_series(1, 7) n", lambda name: False)
    assert sum(batch.num_rows for batch in source.batches()) == 7


@pytest.mark.parametrize(
    ("port", "password", "message"),
    [
        (1, "", r"Connection refused.*; check the address, and that"),
        (None, "hunter2", r"password authentication failed for user \"writer\"; correct the user"),
        (
            None,
            None,
            r"no password supplied; correct the user of the address, or the pass",
        ),
    ],
)
def test_a_server_that_does_not_let_in_is_an_error_without_the_password(
    cellar, port, password, message, monkeypatch
):
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("PGPASSFILE", "/nowhere")
    monkeypatch.setenv("CELLAR", password or "unused")
    uri = cellar.uri.replace(str(cellar.server.port), str(port or cellar.server.port))
    credentials = None if password is None else "env:CELLAR"
    with pytest.raises(TableFileError, match=message) as caught:
        Sql(uri, "SELECT 1 AS a", credentials=credentials).open(Reading())
    assert "hunter2" not in "".join(traceback.format_exception(None, caught.value, None))


def test_columns_may_have_the_names_that_our_own_sql_uses(cellar, sqlite, duckdb):
    for uri in (cellar.uri, sqlite("CREATE TABLE a (b)"), duckdb()):
        names = ", ".join(f"1 AS {name}" for name in ("q", "n", "c", "one"))
        one, two = (
            Sql(uri, f"SELECT {names}, {value} AS z").open(Reading()).fingerprint()
            for value in (1, 2)
        )
        assert one != two
        with pytest.raises(TableFileError, match="found 'tfx_wine_ext'; name each by AS"):
            Sql(uri, "SELECT 1 AS tfx_wine_ext, 2 AS z").open(Reading())


def test_batches_have_as_many_rows_as_asked_for_or_enough_bytes():
    batches = [pa.record_batch([pa.array(each)], names=["a"]) for each in ([1, 2, 3], [4], [5, 6])]
    assert [b.num_rows for b in rebatched(iter(batches), 2)] == [2, 2, 2]
    assert [b.num_rows for b in rebatched(iter(batches), 9)] == [6]
    assert [b.num_rows for b in rebatched(iter(batches), 9, most_bytes=20)] == [3, 3]
    assert list(rebatched(iter([]), 9)) == []
