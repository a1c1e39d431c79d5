"""Trino as a source, of a small HTTP server that speaks Trino's protocol.

`make trino` runs a real server.
"""

from __future__ import annotations

import http.server
import json
import pickle
import threading

import pyarrow as pa
import pytest

from tfx_wine_ext import sources
from tfx_wine_ext.sources.configs import SourceConfigError, source_from_json
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import TableFileError
from tfx_wine_ext.sources.trino import _prepared, as_text

ID = {"name": "id", "type": "bigint", "typeSignature": {"rawType": "bigint", "arguments": []}}
NAME = {"name": "name", "type": "varchar", "typeSignature": {"rawType": "varchar", "arguments": []}}
DIGEST = {
    "name": "d",
    "type": "varbinary",
    "typeSignature": {"rawType": "varbinary", "arguments": []},
}
ALL = Reading()
BROKEN = b'{"id": "broken'


class Server(http.server.ThreadingHTTPServer):
    """Answers statements by pages; keeps what it was sent."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.statements, self.headers, self.cancelled = [], [], []
        self.columns, self.checksum = [ID, NAME], "AAAA"
        self.pages = [[[1, "a"]], [[2, None], [3, "c"]]]
        self.end = {"stats": {"state": "FINISHED"}}

    def answer(self, statement, place):
        """Returns one page: JSON, or bytes as they are, or the status of an error."""
        if statement.endswith("LIMIT 0"):
            columns, pages = self.columns, [[]]
        elif "min(" in statement:
            columns, pages = [ID, ID], [[[-3, 6]]]
        elif "checksum" in statement or "max(" in statement:
            columns, pages = [ID, DIGEST], [[[3, self.checksum]]]
        else:
            columns, pages = self.columns, self.pages
        answer = {"id": "q", "infoUri": "", "stats": {"state": "RUNNING"}, "columns": columns}
        if place < len(pages):
            if not isinstance(pages[place], list):
                return pages[place]
            number = len(self.statements) - 1
            more = {"data": pages[place], "nextUri": f"{self.address}/{number}/{place + 1}"}
            return {**answer, **more}
        return {**answer, **(self.end if pages is self.pages else {"stats": {"state": "FINISHED"}})}


class Handler(http.server.BaseHTTPRequestHandler):
    """Of `Server`."""

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.server.statements.append(self.rfile.read(length).decode())
        self.server.headers.append(dict(self.headers))
        self._send(self.server.answer(self.server.statements[-1], 0))

    def do_GET(self):
        number, place = map(int, self.path.strip("/").split("/"))
        self._send(self.server.answer(self.server.statements[number], place))

    def do_DELETE(self):
        self.server.cancelled.append(self.path)
        self.send_response(204)
        self.end_headers()

    def _send(self, answer):
        status = answer if isinstance(answer, int) else 200
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *message):
        """Says nothing."""


@pytest.fixture
def server():
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=[0.01], daemon=True).start()
        yield running
        running.shutdown()


def opened(server, query="SELECT * FROM wines", how=ALL, **arguments):
    return sources.Trino(server.address, query, user="me", **arguments).open(how)


def rows_of(source):
    selected = pickle.loads(pickle.dumps(source.select(source.parts())))
    return [row for batch in selected.batches() for row in batch.to_pylist()]


def test_the_rows_of_all_pages_are_read_by_the_query_as_it_is(server):
    query = "/* wines */ WITH w AS (TABLE wines)\nSELECT ';', \"--\" FROM w -- all\n; -- no more"
    source = opened(server, query, catalog="lake", schema="wine", session={"a": True, "b": "x y"})
    assert source.schema == pa.schema([("id", pa.int64()), ("name", pa.string())])
    assert rows_of(source) == [
        {"id": 1, "name": "a"},
        {"id": 2, "name": None},
        {"id": 3, "name": "c"},
    ]
    alone = "/* wines */ WITH w AS (TABLE wines)\nSELECT ';', \"--\" FROM w -- all\n"
    of_types = f"WITH the_query AS (\n{alone}\n) SELECT * FROM the_query LIMIT 0"
    assert server.statements == [of_types, alone]
    sent = server.headers[1]
    assert (sent["X-Trino-User"], sent["X-Trino-Catalog"], sent["X-Trino-Schema"]) == (
        "me",
        "lake",
        "wine",
    )
    assert (sent["X-Trino-Time-Zone"], sent["X-Trino-Session"]) == ("UTC", "a=true,b=x%20y")


def test_presto_is_sent_its_own_headers(server):
    assert len(rows_of(opened(server, protocol="presto"))) == 3
    names = [name for name in server.headers[1] if name.startswith("X-")]
    assert "X-Presto-User" in names
    assert [name for name in names if "Trino" in name] == []


def test_a_table_is_named_by_trinos_rules(server):
    where = {"catalog": "lake", "schema": "wine", "table": 'a"b'}
    assert len(rows_of(opened(server, None, **where))) == 3
    opened(server, None, **where, version=7)
    opened(server, None, **where, version="it's")
    assert [text.split("\n")[1:2] or [text] for text in server.statements] == [
        ['SELECT * FROM "lake"."wine"."a""b"'],
        ['SELECT * FROM "lake"."wine"."a""b"'],
        ['SELECT * FROM "lake"."wine"."a""b" FOR VERSION AS OF BIGINT \'7\''],
        ['SELECT * FROM "lake"."wine"."a""b" FOR VERSION AS OF \'it\'\'s\''],
    ]


def test_ranges_of_a_column_are_parts_of_a_version(server):
    source = opened(
        server,
        None,
        catalog="c",
        schema="s",
        table="t",
        version=7,
        partition_column="id",
        partitions=2,
    )
    assert [part.index for part in source.parts()] == [0, 1]
    server.pages = [[[1, "a"]]]
    assert len(rows_of(source)) == 2
    assert [text.partition(" WHERE ")[2] for text in server.statements[2:]] == [
        '"id" BETWEEN -3 AND 1 OR "id" IS NULL',
        '"id" BETWEEN 2 AND 6',
    ]
    with pytest.raises(TableFileError, match="column 'name': expected a column of integers, found"):
        opened(
            server, None, catalog="c", schema="s", table="t", version=7, partition_column="name"
        ).parts()


@pytest.mark.parametrize(
    ("pages", "end", "message"),
    [
        ([[[1, "a"]]], {"stats": {"state": "RUNNING"}}, "the end of a query that is RUNNING"),
        (
            [[[1, "a"]]],
            {"error": {"errorType": "INTERNAL_ERROR", "message": "no\nworker"}},
            "SELECT .*: no worker; run again",
        ),
        ([[[1, "a"]], 404], {}, "error 404"),
        ([[[1, "a"]], BROKEN], {}, "an answer that is no JSON"),
        (
            [[["x", "a"]]],
            {"stats": {"state": "FINISHED"}},
            "column 'id': expected values of bigint",
        ),
    ],
)
def test_a_query_that_breaks_off_is_an_error_and_not_half_a_table(server, pages, end, message):
    source = opened(server)
    server.pages, server.end = pages, end
    with pytest.raises(TableFileError, match=message):
        rows_of(source)


def test_a_query_whose_rows_are_no_longer_wanted_is_cancelled(server):
    server.pages = [[[number, "a"]] * 1000 for number in range(5)]
    reading = opened(server).batches()
    next(reading)
    reading.close()
    assert len(server.cancelled) == 1


def test_columns_that_change_between_the_look_and_the_reading_are_an_error(server):
    source = opened(server)
    server.columns = [NAME, ID]
    with pytest.raises(TableFileError, match="it had before: id bigint, name varchar, found name"):
        rows_of(source)


def test_the_fingerprint_is_a_checksum_of_all_rows_or_of_a_query_or_none(server):
    source = opened(server)
    before = source.fingerprint()
    assert before == source.fingerprint() == opened(server).fingerprint()
    assert before.startswith("trino-v1:")
    assert server.statements[1] == (
        "SELECT count(*) AS n, checksum(xxhash64(to_utf8(json_format(CAST("
        "ARRAY[CAST(c0 AS varchar), CAST(c1 AS varchar)] AS json))))) AS c "
        "FROM (\nSELECT * FROM wines\n) AS t (c0, c1)"
    )
    own = opened(server, fingerprint="SELECT max(id) FROM wines;").fingerprint()
    assert server.statements[-1] == (
        "WITH the_query AS (\nSELECT max(id) FROM wines\n) SELECT * FROM the_query"
    )
    server.checksum = "BBBB"
    assert source.fingerprint() != before
    assert opened(server, fingerprint="SELECT max(id) FROM wines;").fingerprint() != own
    assert opened(server, fingerprint="none").fingerprint() == ""
    server.pages = [[]]
    with pytest.raises(TableFileError, match="fingerprint, found none; correct the query"):
        opened(server, fingerprint="SELECT id FROM wines").fingerprint()


def test_a_table_that_changes_while_it_is_read_is_an_error(server):
    with opened(server).snapshot() as held:
        held.fingerprint()
        server.checksum = "BBBB"  # Nothing was read of it.

    def change_while_read():
        with opened(server).snapshot() as held:
            held.fingerprint()
            rows_of(held)
            server.checksum = "CCCC"

    with pytest.raises(TableFileError, match="wines: it changed while it was read; run again"):
        change_while_read()


def test_columns_that_cannot_be_read_are_refused_unless_they_are_left_out(server):
    sketch = {"name": "h", "typeSignature": {"rawType": "HyperLogLog", "arguments": []}}
    server.columns = [ID, sketch, NAME, NAME]
    with pytest.raises(TableFileError, match="expected every column once, found 'name' more than"):
        opened(server)
    server.columns = [ID, sketch]
    with pytest.raises(TableFileError, match=r"(?s)'h': HyperLogLog, .*exclude_columns=\('h',\)"):
        opened(server)
    server.pages = [[[1, "AgwB"]]]
    source = opened(server, how=Reading(lambda name: name != "h"))
    assert (source.names, source.schema.names) == (["id", "h"], ["id"])
    assert rows_of(source) == [{"id": 1}]


def test_fields_of_rows_can_be_columns(server):
    fields = [
        {"fieldName": {"name": "of"}, **{k: each[k] for k in ["typeSignature"]}} for each in [ID]
    ]
    struct = {"rawType": "row", "arguments": [{"kind": "NAMED_TYPE", "value": fields[0]}]}
    server.columns = [ID, {"name": "r", "typeSignature": struct}]
    server.pages = [[[1, [2]], [3, None]]]
    source = opened(server, how=Reading(flat=True))
    assert (source.names, source.structs) == (["id", "r.of", "r"], {"r": ["r.of"]})
    assert rows_of(source) == [{"id": 1, "r.of": 2}, {"id": 3, "r.of": None}]
    assert rows_of(opened(server)) == [{"id": 1, "r": {"of": 2}}, {"id": 3, "r": None}]


def test_a_server_that_is_not_there_is_an_error_at_once():
    with pytest.raises(TableFileError, match=r"SELECT 1: no answer \(.*refused\); check that"):
        sources.Trino("http://127.0.0.1:1", "SELECT 1", user="me").open(Reading())


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "trino", None)
    with pytest.raises(TableFileError, match=r"pip install 'tfx-wine-ext\[trino\]'"):
        sources.Trino("http://127.0.0.1:1", "SELECT 1", user="me").open(Reading())


def test_a_description_has_no_password_and_the_password_goes_over_https_only(monkeypatch):
    monkeypatch.setenv("TRINO_PASSWORD", "hunter2")
    config = sources.Trino(
        "https://127.0.0.1:1", "SELECT 1", user="me", credentials="env:TRINO_PASSWORD"
    )
    assert source_from_json(config.to_json()) == config
    assert b"hunter2" not in pickle.dumps(config) + config.to_json().encode()
    session = _prepared(config, "SELECT 1")[0]._request._http_session
    assert (session.auth.username, session.auth.password) == ("me", "hunter2")
    assert list(session.adapters) == ["https://"]  # Whatever address the next page has.
    with pytest.raises(TableFileError, match="no answer"):
        config.open(Reading())
    monkeypatch.delenv("TRINO_PASSWORD")
    with pytest.raises(TableFileError, match="expected the environment variable TRINO_PASSWORD"):
        config.open(Reading())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"uri": "127.0.0.1:8080"}, "uri: expected https://HOST"),
        ({"uri": "http://host:port"}, r"uri: expected https://HOST.*, found http://host:port"),
        ({"uri": "http://[::1"}, r"uri: expected https://HOST.*, found http://\[::1"),
        ({"uri": "https://me:hunter'2@host"}, r"expected an address without a password"),
        ({"uri": "https://me:hunter2@host"}, r"expected an address without a password"),
        ({"uri": "https://me@host"}, "expected no user"),
        ({"user": ""}, "user: expected the name"),
        ({"query": None}, "expected a query or a table, found none"),
        ({"table": "t"}, "expected a query or a table, found both"),
        ({"query": None, "table": "t"}, "expected catalog and schema"),
        ({"query": " -- nothing"}, "query: expected one query, .* found none"),
        ({"query": "SELECT 1; DROP TABLE wines"}, "expected one query, found 'DROP' after"),
        ({"query": "INSERT INTO wines VALUES (1)"}, "begins with SELECT, .* found 'INSERT'"),
        ({"session": {"lake.api_key": "hunter2"}}, "session: expected no secrets.*'lake.api_key'$"),
        ({"fingerprint": "DROP TABLE wines"}, "fingerprint: expected one query, .* found 'DROP'"),
        ({"credentials": "hunter2"}, "found other text, which is not shown"),
        ({"credentials": "env:P", "uri": "http://host"}, "expected an address with https"),
        ({"authentication": "kerberos"}, "expected password or jwt, found 'kerberos'"),
        ({"protocol": "hive"}, "expected trino or presto, found 'hive'"),
        ({"version": 3}, "expected a table, found a query"),
        ({"partition_column": "id"}, "expected a version of a table"),
        ({"partitions": 0}, "expected a number from 1 to 10000, found 0"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_the_constructor(arguments, message):
    known = {"uri": "https://host", "query": "SELECT 1", "user": "me"}
    with pytest.raises((SourceConfigError, TableFileError), match=message) as raised:
        sources.Trino(**{**known, **arguments})
    assert "hunter2" not in str(raised.value)


def test_the_text_of_a_value_is_an_expression_of_its_type():
    varchar, blob = {"rawType": "varchar", "arguments": []}, DIGEST["typeSignature"]
    array = {"rawType": "array", "arguments": [{"value": blob}]}
    pair = {"rawType": "map", "arguments": [{"value": varchar}, {"value": array}]}
    assert as_text("c", array) == "json_format(CAST(transform(c, e0 -> to_hex(e0)) AS json))"
    assert as_text("c", pair) == (
        "json_format(CAST(array_sort(transform(map_entries(c), e0 -> json_format(CAST("
        "ARRAY[CAST(e0[1] AS varchar), json_format(CAST(transform(e0[2], e1 -> to_hex(e1)) AS json)"
        ")] AS json)))) AS json))"
    )
    fields = [{"value": {"typeSignature": varchar}}, {"value": {"typeSignature": blob}}]
    assert as_text("c", {"rawType": "row", "arguments": fields}) == (
        "IF(c IS NULL, NULL, json_format(CAST(ARRAY[CAST(c[1] AS varchar), to_hex(c[2])] AS json)))"
    )
