"""BigQuery as a source, of a fake service: no real one is to be had.

The clients are Google's; what answers them, over HTTP and gRPC, is written here from the
documentation.
"""

from __future__ import annotations

import concurrent.futures
import datetime
import http.server
import json
import pickle
import re
import threading
import urllib.parse

import grpc
import pyarrow as pa
import pytest
from google.auth import credentials
from google.cloud import bigquery as client_of_bigquery
from google.cloud import bigquery_storage
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
    BigQueryReadGrpcTransport,
)

from tfx_wine_ext import sources
from tfx_wine_ext.sources import bigquery
from tfx_wine_ext.sources.configs import SourceConfigError, source_from_json
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import TableFileError

NOW = int(datetime.datetime.now().timestamp() * 1000)
DAYS = 24 * 60 * 60 * 1000
TYPES = bigquery_storage.types
WINES = pa.table({"id": [1, 2, 3, 4], "notes": [["oak"], [], ["a", "b"], []]})
FIELDS = [
    {"name": "id", "type": "INTEGER"},
    {"name": "notes", "type": "STRING", "mode": "REPEATED"},
]
TABLE = "lab.wine.bottles"


class Service(http.server.ThreadingHTTPServer):
    """Answers for one table of four rows in two streams; keeps what it was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Rest)
        self.table = {
            "id": "lab:wine.bottles",
            "tableReference": {"projectId": "lab", "datasetId": "wine", "tableId": "bottles"},
            "schema": {"fields": FIELDS},
            "type": "TABLE",
            "lastModifiedTime": str(NOW - 3 * DAYS),
            "numRows": "4",
            "numBytes": "100",
        }
        self.statement_type, self.asked, self.sessions, self.read = "SELECT", [], [], []
        self.breaks = None  # The error in the middle of the second stream, as often as it says.
        handlers = {
            "CreateReadSession": grpc.unary_unary_rpc_method_handler(
                self.create_read_session,
                TYPES.CreateReadSessionRequest.deserialize,
                TYPES.ReadSession.serialize,
            ),
            "ReadRows": grpc.unary_stream_rpc_method_handler(
                self.read_rows,
                TYPES.ReadRowsRequest.deserialize,
                TYPES.ReadRowsResponse.serialize,
            ),
        }
        name = "google.cloud.bigquery.storage.v1.BigQueryRead"
        self.storage = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        generic = grpc.method_handlers_generic_handler(name, handlers)
        self.storage.add_generic_rpc_handlers([generic])
        self.storage_port = self.storage.add_insecure_port("127.0.0.1:0")
        self.storage.start()

    def create_read_session(self, request, context):
        self.sessions.append(request)
        fields = list(request.read_session.read_options.selected_fields)
        schema = WINES.select(fields).schema.serialize().to_pybytes()
        streams = [TYPES.ReadStream(name=f"{index} {','.join(fields)}") for index in range(2)]
        return TYPES.ReadSession(
            arrow_schema=TYPES.ArrowSchema(serialized_schema=schema),
            streams=streams,
            estimated_total_bytes_scanned=200,
        )

    def read_rows(self, request, context):
        self.read.append((request.read_stream, request.offset))
        index, _, fields = request.read_stream.partition(" ")
        rows = WINES.select(fields.split(",")).slice(2 * int(index), 2)
        for place in range(request.offset, 2):
            if self.breaks and (index, place) == ("1", 1):
                status, times, says = self.breaks
                self.breaks = (status, times - 1, says) if times > 1 else None
                context.abort(status, says)
            [batch] = rows.slice(place, 1).to_batches()
            sent = TYPES.ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes())
            yield TYPES.ReadRowsResponse(arrow_record_batch=sent, row_count=1)


class Rest(http.server.BaseHTTPRequestHandler):
    """The tables and jobs of `Service`."""

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        self.server.asked.append(path)
        if path.endswith("/tables/bottles"):
            self._send(200, self.server.table)
        elif "/queries/" in path:
            self._send(200, {"jobComplete": True, "jobReference": JOB, "totalRows": "4"})
        elif "/jobs/" in path:
            self._send(200, self._job({}))
        else:
            says = f"Not found: Table {path.rpartition('/')[2]}"
            self._send(404, {"error": {"code": 404, "message": says}})

    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(sent["configuration"])
        if "nope" in sent["configuration"]["query"]["query"]:
            return self._send(400, {"error": {"code": 400, "message": "Unrecognized name: nope"}})
        return self._send(200, self._job(sent["configuration"]))

    def _job(self, configuration):
        reference = self.server.table["tableReference"]
        query = {
            "query": "",
            **configuration.get("query", {}),
            "destinationTable": {**reference, "tableId": "anonymous"},
        }
        statistics = {
            "statementType": self.server.statement_type,
            "referencedTables": [reference],
            "schema": {"fields": FIELDS},
        }
        return {
            "id": "job",
            "jobReference": JOB,
            "configuration": {**configuration, "jobType": "QUERY", "query": query},
            "status": {"state": "DONE"},
            "statistics": {"query": statistics},
        }

    def _send(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *message):
        """Says nothing."""


JOB = {"projectId": "lab", "jobId": "job", "location": "EU"}


@pytest.fixture
def service(monkeypatch):
    with Service() as running:
        threading.Thread(target=running.serve_forever, args=[0.01], daemon=True).start()
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{running.server_port}")
        nobody = credentials.AnonymousCredentials()
        monkeypatch.setattr("google.auth.default", lambda **scopes: (nobody, "lab"))
        monkeypatch.setattr(
            bigquery,
            "reader_of",
            lambda config: bigquery_storage.BigQueryReadClient(
                transport=BigQueryReadGrpcTransport(
                    channel=grpc.insecure_channel(f"127.0.0.1:{running.storage_port}")
                )
            ),
        )
        monkeypatch.setattr(bigquery, "ANSWER_SECONDS", 2.0)
        yield running
        running.shutdown()
        running.storage.stop(None)


def rows_of(source):
    rows = []
    for part in source.parts():
        selected = pickle.loads(pickle.dumps(source.select([part])))
        rows += [row for batch in selected.batches() for row in batch.to_pylist()]
    return rows


def test_the_streams_of_a_table_of_a_fake_bigquery_are_parts_of_one_session(service):
    config = sources.BigQuery(TABLE, row_restriction="id > 0", snapshot_millis=NOW, max_streams=9)
    source = config.open(Reading())
    assert source.schema == pa.schema([("id", pa.int64()), ("notes", pa.list_(pa.string()))])
    assert rows_of(source) == WINES.to_pylist()
    assert [part.size for part in source.parts()] == [100, 100]
    [asked] = service.sessions
    assert (asked.parent, asked.max_stream_count) == ("projects/lab", 9)
    assert asked.read_session.table == "projects/lab/datasets/wine/tables/bottles"
    assert asked.read_session.read_options.row_restriction == "id > 0"
    at = asked.read_session.table_modifiers.snapshot_time
    assert int(at.timestamp() * 1000) in (NOW, NOW - 1)  # Floats.


def test_only_columns_that_are_read_are_asked_of_a_fake_bigquery(service):
    source = sources.BigQuery(TABLE).open(Reading(lambda name: name == "id"))
    assert (source.names, rows_of(source)[3]) == (["id", "notes"], {"id": 4})
    assert list(service.sessions[0].read_session.read_options.selected_fields) == ["id"]


def test_a_query_of_a_fake_bigquery_is_run_when_its_rows_are_read(service):
    source = sources.BigQuery(query="SELECT * FROM wine.bottles;", location="EU").open(Reading())
    before = source.fingerprint()
    assert [each["dryRun"] for each in service.asked if isinstance(each, dict)] == [True, True]
    assert rows_of(source) == WINES.to_pylist()
    assert "dryRun" not in service.asked[3]
    assert service.sessions[0].read_session.table.endswith("/tables/anonymous")
    service.table["lastModifiedTime"] = str(NOW)
    assert source.fingerprint() != before


def test_what_is_no_query_is_refused_by_a_fake_bigquery_without_running_it(service):
    service.statement_type = "SCRIPT"
    with pytest.raises(TableFileError, match="expected a SELECT, found a statement SCRIPT"):
        sources.BigQuery(query="WITH a AS (SELECT 1) SELECT 1").open(Reading())
    with pytest.raises(TableFileError, match=r"BadRequest: .*Unrecognized name: nope"):
        sources.BigQuery(query="SELECT nope FROM wine.bottles").open(Reading())
    with pytest.raises(TableFileError, match=r"bigquery lab\.wine\.none: NotFound: .*Table none"):
        sources.BigQuery("lab.wine.none").open(Reading())


def test_the_fingerprint_of_a_fake_bigquery_changes_with_the_last_change(service):
    source = sources.BigQuery(TABLE).open(Reading())
    before = source.fingerprint()
    assert re.fullmatch("bigquery-v1:[0-9a-f]{32}", before)
    assert source.fingerprint() == before
    assert sources.BigQuery(TABLE, row_restriction="id > 1").open(Reading()).fingerprint() != before
    assert sources.BigQuery(TABLE, fingerprint="none").open(Reading()).fingerprint() == ""
    service.table["lastModifiedTime"] = str(NOW - DAYS)
    assert source.fingerprint() != before
    for fact in ({"type": "VIEW"}, {"streamingBuffer": {"estimatedRows": "1"}}):
        service.table.update(fact)
        assert source.fingerprint() == ""


def test_a_fake_bigquery_that_changes_while_it_is_read_is_an_error_unless_it_is_pinned(service):
    def change_while_read(config):
        with config.open(Reading()).snapshot() as held:
            held.fingerprint()
            rows_of(held)
            service.table["lastModifiedTime"] = str(int(service.table["lastModifiedTime"]) + 1)

    with pytest.raises(TableFileError, match="it changed while it was read"):
        change_while_read(sources.BigQuery(TABLE))
    change_while_read(sources.BigQuery(TABLE, snapshot_millis=NOW))


def test_a_table_of_a_fake_bigquery_is_pinned_if_it_has_changed_within_a_day(service):
    config = sources.BigQuery(TABLE)
    assert config.pinned() == config  # Its state then can no longer be named.
    service.table["lastModifiedTime"] = str(NOW - DAYS // 2)
    assert config.pinned().snapshot_millis == NOW - DAYS // 2 + 1
    assert config.pinned().pinned() == config.pinned()
    service.table["streamingBuffer"] = {"estimatedRows": "1"}
    assert config.pinned().snapshot_millis >= NOW
    service.table["type"] = "VIEW"
    assert config.pinned() == config


def test_a_stream_of_a_fake_bigquery_goes_on_after_a_short_failure(service):
    source = sources.BigQuery(TABLE).open(Reading())
    service.breaks = (grpc.StatusCode.UNAVAILABLE, 1, "soon")
    assert rows_of(source) == WINES.to_pylist()
    offsets = [offset for stream, offset in service.read if stream.startswith("1")]
    assert offsets == [0, 1]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (grpc.StatusCode.FAILED_PRECONDITION, "session expired"),
        (grpc.StatusCode.UNAVAILABLE, "gone"),
        (grpc.StatusCode.DATA_LOSS, "lost"),
    ],
)
def test_a_stream_of_a_fake_bigquery_that_breaks_off_is_an_error(service, status, says):
    source = sources.BigQuery(TABLE).open(Reading())
    service.breaks = (status, 1000, says)
    with pytest.raises(TableFileError, match=f"bigquery lab.wine.bottles: .*{says}"):
        rows_of(source)


@pytest.mark.parametrize(
    ("type_", "arrow"),
    [
        ("NUMERIC", pa.decimal128(38, 9)),
        ("BIGNUMERIC", pa.decimal256(76, 38)),
        ("DATETIME", pa.timestamp("us")),
        ("TIMESTAMP", pa.timestamp("us", "UTC")),
        ("TIME", pa.time64("us")),
        ("GEOGRAPHY", pa.string()),
        ("JSON", pa.string()),
    ],
)
def test_types_are_those_of_the_storage_api(type_, arrow):
    field = client_of_bigquery.SchemaField("a", type_, "REPEATED")
    assert bigquery.arrow_type(field) == pa.list_(arrow)
    record = client_of_bigquery.SchemaField("r", "RECORD", fields=[field])
    assert bigquery.arrow_type(record) == pa.struct([("a", pa.list_(arrow))])


@pytest.mark.parametrize("type_", ["INTERVAL", "RANGE"])
def test_types_that_cannot_become_features_are_refused_by_name(service, type_):
    service.table["schema"] = {"fields": [*FIELDS, {"name": "long", "type": type_}]}
    with pytest.raises(TableFileError, match=f"(?s)'long': {type_}, .*exclude_columns="):
        sources.BigQuery(TABLE).open(Reading())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected a table or a query, found none"),
        ({"table": TABLE, "query": "SELECT 1"}, "found both"),
        ({"table": "bottles"}, "expected a table as 'project.dataset.table', found 'bottles'"),
        ({"query": "SELECT 1", "row_restriction": "a > 1"}, "with a table only"),
        ({"table": TABLE, "max_streams": -1}, "max_streams: a number from 0 on, found -1"),
        ({"table": TABLE, "fingerprint": "SELECT 1"}, "fingerprint: 'none' or nothing"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_the_constructor(arguments, message):
    with pytest.raises(SourceConfigError, match=message):
        sources.BigQuery(**arguments)


def test_a_query_may_have_the_comments_and_quotes_of_googlesql():
    query = "#standardSQL; it's\nSELECT 'it\\'s; ' AS a;"
    assert sources.BigQuery(query=query).name == "bigquery: " + " ".join(query.split())


def test_a_description_survives_json_and_a_missing_package_is_named(monkeypatch):
    config = sources.BigQuery(TABLE, snapshot_millis=7)
    assert source_from_json(config.to_json()) == config
    monkeypatch.setitem(__import__("sys").modules, "google.cloud.bigquery", None)
    monkeypatch.delattr("google.cloud.bigquery")
    with pytest.raises(TableFileError, match=r"pip install 'tfx-wine-ext\[bigquery\]'"):
        config.open(Reading())
