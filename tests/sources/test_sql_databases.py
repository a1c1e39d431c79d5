import pickle

import pyarrow as pa
import pytest

from tfx_wine_ext.columnar.plan import UnsupportedColumnsError
from tfx_wine_ext.sources import Sql
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import TableFileError
from tfx_wine_ext.sources.sql_databases import check_finite


def read(source):
    """The rows of a source, and its types."""
    table = pa.Table.from_batches(source.batches(), source.schema)
    return table.to_pydict(), {each.name: str(each.type) for each in source.schema}


def test_types_of_postgresql_are_those_of_files_or_cast(cellar):
    cellar.run(
        "CREATE TYPE colour AS ENUM ('red', 'white')",
        "CREATE DOMAIN price AS numeric(10, 2)",
    )
    source = cellar.source(
        """SELECT 1::int2 AS i2, 3000000000::oid AS oid, 1.5::float4 AS f4, 1.25::numeric AS n,
        9.99::price AS domain, 2.5::money AS money, true AS b, 'a'::char(3) AS c, 'x'::"char" AS ch,
        '\\x00ff'::bytea AS raw, date '2020-01-02' AS d, time '12:00' AS t,
        timestamptz '2020-01-01 02:00+02' AS tz, 'white'::colour AS enum,
        '12345678-1234-1234-1234-123456789abc'::uuid AS u, '{"a": 1}'::jsonb AS j,
        inet '10.0.0.1/8' AS ip, ARRAY[1.5, NULL]::numeric[] AS ns, ARRAY['white']::colour[] AS es,
        '{}'::int[] AS empty, NULL::date[] AS ds, NULL AS nothing, ARRAY['a'::"char"] AS chs"""
    )
    rows, types = read(source)
    assert types == {
        **{"i2": "int16", "oid": "int64", "f4": "float", "n": "double", "domain": "double"},
        **{"money": "double", "b": "bool", "c": "string", "ch": "string", "raw": "binary"},
        **{"d": "date32[day]", "t": "time64[us]", "tz": "timestamp[us, tz=UTC]"},
        **{"enum": "string", "u": "string", "j": "string", "ip": "string"},
        **{"ns": "list<item: double>", "es": "list<item: string>", "empty": "list<item: int32>"},
        **{"ds": "list<item: date32[day]>", "nothing": "string", "chs": "list<item: string>"},
    }
    assert rows["oid"] == [3_000_000_000]
    assert rows["n"] == [1.25]
    assert rows["money"] == [2.5]
    assert rows["enum"] == ["white"]
    assert rows["u"] == ["12345678-1234-1234-1234-123456789abc"]
    assert rows["ip"] == ["10.0.0.1/8"]
    assert rows["ns"] == [[1.5, None]]
    assert rows["raw"] == [b"\x00\xff"]
    assert (rows["empty"], rows["ds"]) == ([[]], [None])


def test_text_is_utf_8_whatever_encoding_the_address_asks_for(cellar):
    query = "SELECT 'é'::text AS a, length('é') AS b"
    source = Sql(f"{cellar.uri}?client_encoding=latin1", query).open(Reading())
    assert read(source)[0] == {"a": ["é"], "b": [1]}


def test_types_of_postgresql_without_a_form_are_refused_together_with_the_cast(cellar):
    query = (
        "SELECT 1 AS x, interval '1 s' AS span, timetz '12:00+1' AS tz, point '(1,2)' AS p, "
        "row(1, 'a') AS r, ARRAY[interval '1 s'] AS spans"
    )
    with pytest.raises(UnsupportedColumnsError, match="found 5 that cannot") as caught:
        cellar.source(query)
    assert [line.strip() for line in str(caught.value).splitlines()[1:-1]] == [
        "'span': interval has no form as a feature; write extract(epoch FROM \"span\")::float8 in "
        "the query;",
        "'tz': timetz has no form as a feature; write \"tz\"::time in the query;",
        "'p': point has no form as a feature; write \"p\"::text in the query;",
        "'r': record has no form as a feature; write \"r\"::text in the query;",
        "'spans': interval[] has no form as a feature; write \"spans\"::text[] in the query;",
    ]
    source = cellar.source(query, lambda name: name == "x")
    assert (source.schema.names, source.names) == (["x"], ["x", "span", "tz", "p", "r", "spans"])
    assert [batch.to_pydict() for batch in source.batches()] == [{"x": [1]}]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("date 'infinity'", "column 'x': expected a date, found infinity; replace it"),
        ("ARRAY[timestamp '-infinity']", "column 'x': expected a timestamp, found infinity"),
        ("ARRAY[[1, 2], [3, 4]]", r"several dimensions of column x"),
        ("1 / (n - 2)", "division by zero"),
    ],
)
def test_a_value_of_postgresql_without_a_form_is_an_error_when_it_is_read(cellar, value, message):
    source = cellar.source(f"SELECT {value} AS x FROM generate_series(1, 3) n")
    with pytest.raises(TableFileError, match=message):
        list(source.batches())


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("int", "n"),
        ("int", "CASE WHEN n % 10 = 0 THEN n END"),  # Nine tenths are null,
        ("int", "CASE WHEN n < 90 THEN 7 ELSE n END"),  # or have one value.
        ("int", "NULL"),
        ("text", "chr(39) || chr(92) || '\u00e9;\"' || n"),
        ("float8", "CASE WHEN n < 9 THEN 'NaN' WHEN n < 20 THEN '-infinity' ELSE n / 7.0 END"),
        ("numeric", "CASE WHEN n % 2 = 0 THEN 1.0 ELSE 1.00 END"),
        ("timestamptz", "timestamptz '2020-01-01' + n * interval '1 s'"),
        ("uuid", "md5(n::text)::uuid"),
        ('text COLLATE "C"', "CASE WHEN n % 2 = 0 THEN 'a' ELSE 'B' END || n"),
        ("char(5)", "n::text"),
    ],
)
def test_ranges_have_each_row_once(cellar, column, values):
    cellar.run(
        "DROP TABLE IF EXISTS cut",
        f'CREATE TABLE cut (n int, "the ""key" {column})',
        f"INSERT INTO cut SELECT n, ({values})::{column.split(' COLLATE')[0]} "
        "FROM generate_series(1, 100) n",
    )
    source = cellar.source("SELECT * FROM cut;", partition_column='the "key', partitions=4)
    parts = source.parts()
    assert sum(part.rows for part in parts) == 100
    assert [part.index for part in parts] == sorted({part.index for part in parts})
    selected = pickle.loads(pickle.dumps(source.select(parts)))
    read = {part: 0 for part in parts}
    found = []
    for batch in selected.batches():
        read[selected.part] += batch.num_rows
        found += batch.to_pydict()["n"]
    assert read == {part: part.rows for part in parts}
    assert sorted(found) == list(range(1, 101))


def test_ranges_of_even_values_have_about_the_same_rows(cellar):
    source = cellar.source(
        "SELECT n, n * n AS skewed FROM generate_series(1, 100) n",
        partition_column="skewed",
        partitions=4,
    )
    assert [part.rows for part in source.parts()] == [24, 25, 25, 26]
    one = cellar.source("SELECT 1 AS n, repeat('x', 1000) AS text", partition_column="n")
    assert [(part.rows, part.size) for part in one.parts()] == [(1, 1004)]


def test_a_column_without_an_order_or_that_is_not_there_cannot_be_cut(cellar):
    source = cellar.source(
        "SELECT 1 AS n, point '(1,2)' AS p",
        lambda name: name == "n",
        partition_column="p",
        partitions=2,
    )
    with pytest.raises(TableFileError, match=r"could not identify an .* type point"):
        source.parts()
    with pytest.raises(TableFileError, match=r"expected a partition_column .*, found 'm'.* are n"):
        cellar.source("SELECT 1 AS n", partition_column="m").parts()


def test_all_values_of_sqlite_decide_on_the_type(sqlite):
    uri = sqlite(
        "CREATE TABLE a (i INTEGER, r, t, b, none TEXT, late, mixed)",
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3000) "
        "INSERT INTO a SELECT n, CASE WHEN n < 2000 THEN n ELSE n + 0.5 END, 'x' || n, x'00', "
        "NULL, CASE WHEN n > 2999 THEN 'last' END, CASE WHEN n = 2500 THEN 'x' ELSE n END FROM n",
    )
    source = Sql(uri, "SELECT i, r, t, b, none, late FROM a ORDER BY i DESC").open(Reading())
    rows, types = read(source)
    assert types == {
        **{"i": "int64", "r": "double", "t": "string", "b": "binary", "none": "null"},
        "late": "string",
    }
    assert (rows["i"][:2], rows["i"][-1], len(rows["i"])) == ([3000, 2999], 1, 3000)
    assert rows["r"][-1] == 1.0
    assert rows["r"][0] == 3000.5
    assert rows["late"][:2] == ["last", None]
    with pytest.raises(
        UnsupportedColumnsError, match=r"'mixed': text in row 2500, integer in most others; write C"
    ):
        Sql(uri, "SELECT * FROM a").open(Reading())


def test_a_column_of_sqlite_that_is_not_read_may_have_any_values(sqlite):
    uri = sqlite("CREATE TABLE a (i, mixed)", "INSERT INTO a VALUES (1, 1), (2, 'x'), (3, NULL)")
    source = Sql(uri, "SELECT * FROM a").open(Reading(lambda name: name == "i"))
    assert [batch.to_pydict() for batch in source.batches()] == [{"i": [1, 2, 3]}]
    before = source.fingerprint()
    sqlite("UPDATE a SET mixed = '1' WHERE i = 1")
    again = Sql(uri, "SELECT * FROM a").open(Reading(lambda name: name == "i"))
    assert again.fingerprint() != before


def test_large_integers_beside_reals_are_refused(sqlite):
    uri = sqlite("CREATE TABLE a (x)", "INSERT INTO a VALUES (9007199254740993), (0.5), (1.5)")
    with pytest.raises(UnsupportedColumnsError, match=r"'x': integer in row 1, real in most"):
        Sql(uri, "SELECT x FROM a").open(Reading())


def test_types_of_duckdb_are_its_own(duckdb):
    uri = duckdb()
    source = Sql(
        uri,
        "SELECT 1::DECIMAL(10, 2) AS d, '101'::BIT AS bit, [1, 2] AS l, {'a': 1, 'b': {'c': 'x'}} "
        "AS s, 'x'::ENUM('x', 'y') AS e, NULL AS n",
    ).open(Reading(flat=True))
    rows, types = read(source)
    assert types["d"] == "decimal128(10, 2)"
    assert rows["bit"] == ["101"]
    assert rows["e"] == ["x"]
    assert source.structs == {"s": ["s.a", "s.b.c"], "s.b": ["s.b.c"]}
    assert (rows["s.a"], rows["s.b.c"]) == ([1], ["x"])
    for value in ("date '-infinity'", "{'a': [date 'infinity']}", "MAP {'a': date 'infinity'}"):
        with pytest.raises(TableFileError, match="column 'x': expected a date, found infinity"):
            list(Sql(uri, f"SELECT {value} AS x").open(Reading()).batches())
    with pytest.raises(UnsupportedColumnsError, match=r"'x': TIME WITH TIME ZONE .*\"x\"::TIME in"):
        Sql(uri, "SELECT TIMETZ '12:00:00+02' AS x").open(Reading())
    # They would arrive as other values.
    for value in ("1::UHUGEINT", "['1'::BIT]", "{'a': [TIMETZ '12:00:00+02']}"):
        with pytest.raises(
            UnsupportedColumnsError, match=r"'x': .* has no form as a feature; write"
        ):
            Sql(uri, f"SELECT {value} AS x").open(Reading())
    named = Sql(uri, "SELECT {'BIT': 1} AS x, 'BIT'::ENUM('BIT', ' BIT') AS y").open(Reading())
    assert read(named)[0] == {"x": [{"BIT": 1}], "y": ["BIT"]}


def test_the_fingerprint_of_duckdb_tells_values_apart_that_have_the_same_hash(duckdb):
    uri = duckdb()
    for type_, values in {
        "double": ("0.0", "'-0'", "NULL"),
        "int[]": ("NULL", "[]", "[NULL]"),
        "STRUCT(a int)": ("NULL", "{'a': NULL}"),
    }.items():
        queries = [f"SELECT ({value})::{type_} AS x" for value in values]
        found = {Sql(uri, query).open(Reading()).fingerprint() for query in queries}
        assert len(found) == len(values), type_


def test_fields_of_structs_are_found_whatever_their_names(duckdb):
    uri = duckdb()
    query = "SELECT {'a.b': 1, 'c': {'d.e': 'x'}} AS s"
    rows, _ = read(Sql(uri, query).open(Reading(flat=True)))
    assert rows == {"s.a.b": [1], "s.c.d.e": ["x"]}
    same = Sql(uri, "SELECT {'a': 1} AS s, 2 AS \"s.a\"")
    with pytest.raises(TableFileError, match=r"each has a name of its own, found 's\.a', 's\.a'"):
        same.open(Reading(flat=True))
    assert read(same.open(Reading()))[0] == {"s": [{"a": 1}], "s.a": [2]}


def test_a_type_that_a_driver_does_not_explain_is_refused_by_name(cellar, monkeypatch):
    # PostgreSQL as a database of which nothing but its driver is known.
    config = Sql(
        cellar.uri, "SELECT 1 AS i, 1.5 AS n, inet '::1' AS a", driver="adbc_driver_postgresql"
    )
    with pytest.raises(UnsupportedColumnsError, match=r"found 2 that cannot") as caught:
        config.open(Reading())
    assert "'n': numeric has no form as a feature; write CAST(\"n\" AS text)" in str(caught.value)
    assert "'a': inet has no form as a feature;" in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, None], pa.int64()),
        pa.array([None, None], pa.date32()),
        pa.array([], pa.timestamp("us")),
        pa.array([0, 2**31 - 1], pa.int32()).cast(pa.date32()),
    ],
)
def test_finite_values_pass(values):
    check_finite("db", "x", values, [(-9, 2**31 - 1), (-9, 9)])
