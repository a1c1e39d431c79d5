"""The source of Iceberg's tables, on real tables in a catalog of SQLite."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import itertools
import json
import pathlib
import pickle
import re
import sys
import traceback

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.manifest import DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)
from pyiceberg.utils.config import Config

from tests.sources.iceberg_tables import (
    add_deletes,
    add_rows,
    catalog_in,
    configure,
    deletion_vectors,
    properties,
    writing,
)
from tfx_wine_ext.sources import Iceberg
from tfx_wine_ext.sources.configs import SourceConfigError, source_from_json
from tfx_wine_ext.sources.filters import RowFilter
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import TableFileError

RED = pa.table({"x": [1, 2, 3], "colour": ["red", None, ""]})
WHITE = pa.table({"x": [4, 5], "colour": ["white", "white"]})


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    configure(monkeypatch, tmp_path)
    with writing():
        catalog = catalog_in(tmp_path)
        yield catalog
        catalog.close()


@pytest.fixture
def wines(catalog):
    """A table of two data files."""
    table = catalog.create_table("db.wines", schema=RED.schema)
    table.append(RED)
    table.append(WHITE)
    return table


def with_id(name, type_, id_):
    return pa.field(name, type_, metadata={"PARQUET:field_id": str(id_)})


def read(config):
    return rows_of(config.open(Reading()))


def rows_of(source):
    """Reads a source as workers do: each part by itself, pickled."""
    parts = [pickle.loads(pickle.dumps(source.select([part]))) for part in source.parts()]
    batches = [batch for part in parts for batch in part.batches()]
    assert sum(part.rows for part in source.parts()) == sum(batch.num_rows for batch in batches)
    return sorted_rows(pa.Table.from_batches(batches, source.schema).to_pylist())


def sorted_rows(rows):
    return sorted(rows, key=lambda row: str([*row.values()]))


def data_files(table):
    return sorted(task.file.file_path for task in table.scan().plan_files())


def local(address):
    return pathlib.Path(address.removeprefix("file://"))


def test_the_rows_of_all_data_files_are_read(wines):
    source = Iceberg("db.wines").open(Reading())
    assert rows_of(source) == sorted_rows([*RED.to_pylist(), *WHITE.to_pylist()])
    assert source.schema == pa.schema({"x": pa.int64(), "colour": pa.string()})
    assert (source.kind, source.rows, len(source.parts())) == ("iceberg", 5, 2)
    assert sorted(source.paths) == [str(local(path)) for path in data_files(wines)]


def test_what_was_pinned_is_read_though_the_table_moved_on(wines):
    pinned = Iceberg("db.wines").pinned()
    assert pinned.to_dict() == {
        "source": "iceberg",
        "table": "db.wines",
        "snapshot_id": wines.current_snapshot().snapshot_id,
        "schema_id": 0,
    }
    fingerprint = pinned.open(Reading()).fingerprint()
    assert fingerprint == f"iceberg-v1:{wines.metadata.table_uuid}:{pinned.snapshot_id}:0"
    wines.append(WHITE)
    wines.delete("x = 1")
    with wines.update_schema() as update:
        update.rename_column("colour", "shade")
    held = source_from_json(pinned.to_json()).open(Reading())
    assert held.fingerprint() == fingerprint
    assert rows_of(held) == sorted_rows([*RED.to_pylist(), *WHITE.to_pylist()])
    wines.overwrite(WHITE.rename_columns(["x", "shade"]))
    assert read(Iceberg("db.wines")) == [{"x": 4, "shade": "white"}, {"x": 5, "shade": "white"}]


def test_a_snapshot_that_expired_is_an_error(wines):
    pinned = Iceberg("db.wines").pinned()
    wines.append(WHITE)
    wines.maintenance.expire_snapshots().by_id(pinned.snapshot_id).commit()
    with pytest.raises(
        TableFileError,
        match=rf"expected the snapshot {pinned.snapshot_id}, found 2 others, .*expired",
    ):
        pinned.open(Reading())


def test_the_fingerprint_changes_with_rows_and_with_names_only(wines):
    def fingerprint():
        return Iceberg("db.wines").open(Reading()).fingerprint()

    first = fingerprint()
    with wines.transaction() as transaction:
        transaction.set_properties(owner="me")
    assert fingerprint() == first
    with wines.update_schema() as update:
        update.rename_column("x", "y")
    renamed = fingerprint()
    wines.append(WHITE.rename_columns(["y", "colour"]))
    assert len({first, renamed, fingerprint()}) == 3


def test_earlier_states_are_read_by_snapshot_time_branch_and_tag(wines):
    [first, second] = wines.snapshots()
    wines.manage_snapshots().create_tag(first.snapshot_id, "audited").create_branch(
        first.snapshot_id, "trial"
    ).commit()
    with wines.update_schema() as update:
        update.rename_column("x", "y")
    old, current = (
        sorted_rows(RED.to_pylist()),
        sorted_rows(RED.rename_columns(["y", "colour"]).to_pylist()),
    )
    milliseconds = first.timestamp_ms
    instant = f"{pa.scalar(milliseconds, pa.timestamp('ms')).as_py().isoformat()}"
    assert read(Iceberg("db.wines", snapshot_id=first.snapshot_id)) == old
    assert read(Iceberg("db.wines", timestamp=instant)) == old
    assert read(Iceberg("db.wines", timestamp=f"{instant}Z")) == old
    assert read(Iceberg("db.wines", timestamp=f"{second.timestamp_ms // 1000 + 1}"))[0]["x"] == 1
    assert Iceberg("db.wines", timestamp="{YYYY}-{MM}-{DD}").timestamp == "{YYYY}-{MM}-{DD}"
    later = datetime.date(2999, 1, 1)  # As YAML reads it.
    assert Iceberg("db.wines", timestamp=later).pinned().snapshot_id == second.snapshot_id
    assert read(Iceberg("db.wines", ref="audited")) == old
    # A branch has the schema of the table.
    assert read(Iceberg("db.wines", ref="trial")) == current
    assert Iceberg("db.wines", ref="trial").pinned().open(Reading()).names == ["y", "colour"]


def test_columns_are_read_by_the_ids_of_their_fields(catalog):
    table = catalog.create_table(
        "db.wines",
        schema=Schema(
            NestedField(1, "a", IntegerType()),
            NestedField(2, "b", FloatType()),
            NestedField(3, "c", StringType()),
            NestedField(
                4,
                "s",
                StructType(NestedField(5, "p", IntegerType()), NestedField(6, "q", StringType())),
            ),
        ),
    )
    written = pa.schema(
        [
            ("a", pa.int32()),
            ("b", pa.float32()),
            ("c", pa.string()),
            ("s", pa.struct([("p", pa.int32()), ("q", pa.string())])),
        ]
    )
    rows = [
        {"a": 1, "b": 0.5, "c": "old", "s": {"p": 7, "q": "u"}},
        {"a": None, "b": None, "c": None, "s": None},
    ]
    table.append(pa.Table.from_pylist(rows, written))
    with table.update_schema(allow_incompatible_changes=True) as update:
        update.delete_column("c")
        update.rename_column("s.p", "r")
        update.delete_column("s.q")
    with table.update_schema() as update:
        update.update_column("a", LongType())
        update.update_column("b", DoubleType())
        update.rename_column("a", "first")
        # The same names again, but other columns.
        update.add_column("c", StringType())
        update.add_column(("s", "q"), IntegerType())
        update.move_first("b")
    assert read(Iceberg("db.wines")) == sorted_rows(
        [
            {"b": 0.5, "first": 1, "s": {"r": 7, "q": None}, "c": None},
            {"b": None, "first": None, "s": None, "c": None},
        ]
    )
    flat = Iceberg("db.wines").open(Reading(flat=True))
    assert flat.schema == pa.schema(
        {
            "b": pa.float64(),
            "first": pa.int64(),
            "s.r": pa.int32(),
            "s.q": pa.int32(),
            "c": pa.string(),
        }
    )
    assert rows_of(flat)[0] == {"b": 0.5, "first": 1, "s.r": 7, "s.q": None, "c": None}
    only = Iceberg("db.wines").open(Reading(lambda name: name == "first"))
    assert [batch.to_pydict() for batch in only.batches()] == [{"first": [1, None]}]


@pytest.mark.parametrize("version", ["1", "2"])
def test_values_of_all_types_are_read(catalog, version):
    types = {
        "boolean": (BooleanType(), pa.bool_(), True),
        "date": (DateType(), pa.date32(), datetime.date(1960, 1, 2)),
        "time": (TimeType(), pa.time64("us"), datetime.time(1, 2, 3, 4)),
        "timestamptz": (TimestamptzType(), pa.timestamp("us", "UTC"), None),
        "decimal": (DecimalType(12, 2), pa.decimal128(12, 2), decimal.Decimal("-1.50")),
        "uuid": (UUIDType(), pa.binary(16), b"0123456789abcdef"),
        "fixed": (FixedType(3), pa.binary(3), b"abc"),
        "binary": (BinaryType(), pa.binary(), b""),
        "list": (ListType(20, StringType()), pa.list_(pa.string()), ["a", None]),
        "map": (MapType(21, StringType(), 22, LongType()), pa.map_(pa.string(), pa.int64()), None),
    }
    fields = [NestedField(i, name, types[name][0]) for i, name in enumerate(types, start=1)]
    table = catalog.create_table(
        "db.types", schema=Schema(*fields), properties={"format-version": version}
    )
    schema = pa.schema([(name, type_) for name, (_, type_, _) in types.items()])
    row = {name: value for name, (_, _, value) in types.items()}
    written = pa.schema(
        [("list", pa.list_(with_id("element", pa.string(), 20)))]
        + [field for field in schema if field.name not in ("list", "map")]
    )
    columns = [pa.array([row[field.name]], field.type) for field in written]
    add_rows(table, pa.Table.from_arrays(columns, schema=written))
    source = Iceberg("db.types").open(Reading())
    assert source.schema == schema
    assert rows_of(source) == [row]


def test_files_older_than_a_column_have_its_initial_default(wines):
    with wines.update_schema() as update:
        update.add_column("origin", StringType())
        update.add_column("since", DateType())
    path = pathlib.Path(wines.metadata_location.removeprefix("file://"))
    metadata = json.loads(path.read_text())
    [origin, since] = metadata["schemas"][-1]["fields"][2:]
    origin["initial-default"], since["initial-default"] = "Douro", "2026-01-02"
    metadata |= {"format-version": 3, "next-row-id": 0}
    copy = path.with_name("00099-0.metadata.json")
    copy.write_text(json.dumps(metadata))
    rows = read(Iceberg(str(copy)))
    assert {(row["origin"], row["since"]) for row in rows} == {("Douro", datetime.date(2026, 1, 2))}


def test_files_of_other_software_are_read_by_the_names_that_the_table_gives_them(catalog, tmp_path):
    table = catalog.create_table("db.wines", schema=RED.schema)
    pq.write_table(RED, tmp_path / "a.parquet")
    table.add_files([str(tmp_path / "a.parquet")])
    with table.update_schema() as update:
        update.rename_column("x", "y")
    assert read(Iceberg("db.wines")) == sorted_rows(RED.rename_columns(["y", "colour"]).to_pylist())


def test_partitioned_tables_are_read_with_the_values_that_files_lack(catalog):
    schema = Schema(
        NestedField(1, "x", LongType()),
        NestedField(2, "colour", StringType()),
        NestedField(3, "at", TimestampType()),
    )
    spec = PartitionSpec(
        PartitionField(2, 1000, IdentityTransform(), "colour"),
        PartitionField(3, 1001, DayTransform(), "day"),
        PartitionField(3, 1002, IdentityTransform(), "at"),
        PartitionField(1, 1003, BucketTransform(4), "bucket"),
    )
    table = catalog.create_table("db.wines", schema=schema, partition_spec=spec)
    add_rows(table, pa.table({"x": [1, 3]}), "red", 1, 86_400_000_000, 2)
    add_rows(table, pa.table({"x": [2], "colour": ["white"]}), "white", 0, 7, 2)
    add_rows(table, pa.table({"x": [4]}), None, None, None, 1)
    day, later = datetime.datetime(1970, 1, 2), datetime.datetime(1970, 1, 1, 0, 0, 0, 7)
    assert read(Iceberg("db.wines")) == [
        {"x": 1, "colour": "red", "at": day},
        {"x": 2, "colour": "white", "at": later},
        {"x": 3, "colour": "red", "at": day},
        {"x": 4, "colour": None, "at": None},
    ]
    only = Iceberg("db.wines").open(Reading(lambda name: name == "colour"))
    assert [row["colour"] for row in rows_of(only)] == ["red", "red", "white", None]


@pytest.mark.parametrize(
    "form", [lambda deleted: deleted, deletion_vectors], ids=["parquet", "puffin"]
)
def test_deleted_rows_are_left_out(catalog, form):
    table = catalog.create_table(
        "db.wines", schema=RED.schema, properties={"write.parquet.row-group-limit": "4"}
    )
    table.append(pa.table({"x": pa.array(range(10)), "colour": ["red"] * 10}))
    table.append(pa.table({"x": pa.array([20, 21]), "colour": ["red", "red"]}))
    paths = {pq.read_table(local(path))["x"][0].as_py(): path for path in data_files(table)}
    add_deletes(table, form({paths[0]: [0, 5, 7], paths[20]: [0, 1], "file:///elsewhere": [2]}))
    add_deletes(table, form({paths[0]: [5, 9]}))
    # Not of what is written later.
    table.append(pa.table({"x": pa.array([30]), "colour": ["red"]}))
    source = Iceberg("db.wines").open(Reading())
    assert sorted(row["x"] for row in rows_of(source)) == [1, 2, 3, 4, 6, 8, 30]
    assert source.rows == 7
    assert [part.rows for part in source.parts() if part.path.endswith(paths[0][-20:])] == [3, 2, 1]
    batches = [batch["x"].to_pylist() for batch in source.batches(rows=2)]
    assert max(map(len, batches)) <= 2
    assert sorted(itertools.chain(*batches)) == [1, 2, 3, 4, 6, 8, 30]


@pytest.mark.parametrize("name", ["AVRO", "ORC"])
def test_position_deletes_in_other_formats_are_refused(wines, name):
    add_deletes(wines, {data_files(wines)[0]: [1]}, file_format=FileFormat[name])
    with pytest.raises(
        TableFileError,
        match=rf"expected position deletes in Parquet.*, found .* in {name}; rewrite",
    ):
        Iceberg("db.wines").open(Reading())


def test_equality_deletes_are_refused(wines):
    add_deletes(wines, {"x": [1]}, DataFileContent.EQUALITY_DELETES)
    with pytest.raises(
        TableFileError,
        match=r"default.db.wines: expected position deletes only, found equality de.*"
        "rewrite the table's data files",
    ):
        Iceberg("db.wines").open(Reading())


def test_damaged_deletes_are_an_error(wines):
    path = add_deletes(wines, {data_files(wines)[0]: [1]})
    for damage in (lambda content: content[:20], lambda content: b""):
        pathlib.Path(path).write_bytes(damage(pathlib.Path(path).read_bytes()))
        with pytest.raises(TableFileError, match="deletes-2: its deleted positions cannot be read"):
            Iceberg("db.wines").open(Reading())
    pathlib.Path(path).unlink()
    with pytest.raises(TableFileError, match="deletes-2"):
        Iceberg("db.wines").open(Reading())


def test_missing_and_damaged_data_files_are_an_error(wines):
    path = local(data_files(wines)[0])
    content = path.read_bytes()
    source = Iceberg("db.wines").open(Reading())
    path.write_bytes(content[:-9])
    with pytest.raises(TableFileError, match=re.escape(str(path))):
        rows_of(source)
    with pytest.raises(TableFileError, match=re.escape(str(path))):
        Iceberg("db.wines").open(Reading())
    pq.write_table(RED.slice(0, 1), path)
    with pytest.raises(
        TableFileError, match="rows, as the table says, found 1 rows; restore the fi"
    ):
        Iceberg("db.wines").open(Reading())
    path.unlink()
    for reads in (lambda: rows_of(source), lambda: Iceberg("db.wines").open(Reading())):
        with pytest.raises(
            TableFileError, match="expected a file of the table, found nothing there; its sn"
        ):
            reads()


def test_data_files_of_another_format_are_refused(wines, monkeypatch):
    for path in data_files(wines):
        assert path.endswith(".parquet")
    from pyiceberg.manifest import DataFile, FileFormat

    monkeypatch.setattr(DataFile, "file_format", FileFormat.ORC)
    with pytest.raises(TableFileError, match="expected a Parquet file, found ORC; rewrite"):
        Iceberg("db.wines").open(Reading())


def test_a_data_file_that_a_table_has_twice_is_refused(catalog, tmp_path):
    table = catalog.create_table("db.wines", schema=RED.schema)
    pq.write_table(RED, tmp_path / "a.parquet")
    for _ in range(2):
        table.add_files([str(tmp_path / "a.parquet")], check_duplicate_files=False)
    with pytest.raises(
        TableFileError, match=r"expected each data file once, found /.*parquet twice"
    ):
        Iceberg("db.wines").open(Reading())


def test_columns_of_one_name_in_a_file_are_refused(catalog):
    table = catalog.create_table("db.wines", schema=RED.schema)
    table.append(RED)
    path = local(data_files(table)[0])
    field = pq.read_schema(path).field("x")
    both = pa.schema([field, field.with_metadata({"PARQUET:field_id": "9"})])
    pq.write_table(pa.Table.from_arrays([RED["x"], RED["x"]], schema=both), path)
    with pytest.raises(TableFileError, match="column 'x': expected one column, found 'x' twice"):
        Iceberg("db.wines").open(Reading())


def test_types_that_differ_are_refused_by_column_unless_it_is_left_out(catalog, tmp_path):
    table = catalog.create_table("db.wines", schema=RED.schema)
    table.append(RED)
    path = local(data_files(table)[0])
    ids = pq.read_schema(path)
    fields = [pa.field("x", pa.string(), metadata=ids.field("x").metadata), ids.field("colour")]
    columns = [pa.array(["1", "2", "3"]), RED["colour"].cast(ids.field("colour").type)]
    pq.write_table(pa.Table.from_arrays(columns, schema=pa.schema(fields)), path)
    with pytest.raises(
        TableFileError, match=r"column 'x': expected int64, found string; .*\('x',\)"
    ):
        Iceberg("db.wines").open(Reading())
    source = Iceberg("db.wines").open(Reading(lambda name: name != "x"))
    assert [row["colour"] for row in rows_of(source)] == ["", "red", None]


def test_filters_leave_row_groups_out_by_statistics_of_the_same_column_only(wines):
    def parts(*conditions):
        source = Iceberg("db.wines").open(Reading())
        return sum(part.rows for part in source.parts(RowFilter(conditions)))

    assert parts(("x", ">", 3)) == 2
    with wines.update_schema() as update:
        update.rename_column("x", "y")
    with wines.update_schema() as update:
        update.add_column("x", LongType())
    assert parts(("x", ">", 3)) == 5
    assert parts(("y", ">", 9)) == 5


def test_a_table_without_a_catalog_is_read_by_its_metadata(wines):
    source = Iceberg(wines.metadata_location).open(Reading())
    assert source.rows == 5
    folder = local(wines.location())
    (folder / "metadata" / "version-hint.text").write_text(
        pathlib.Path(wines.metadata_location).name
    )
    pinned = Iceberg(str(folder)).pinned()
    assert (pinned.name, pinned.catalog) == (str(folder), "default")
    assert rows_of(pinned.open(Reading())) == read(Iceberg("db.wines"))
    with pytest.raises(TableFileError, match=r"nowhere: cannot be used .*; check its address"):
        Iceberg("/nowhere").open(Reading())


def test_properties_are_added_to_the_configuration(tmp_path, monkeypatch):
    with writing():
        catalog = catalog_in(tmp_path, "cellar")
        catalog.create_table("db.wines", schema=RED.schema).append(RED)
        catalog.close()
    config = Iceberg("db.wines", "cellar", properties(tmp_path))
    assert config.open(Reading()).rows == 3
    assert source_from_json(config.to_json()) == config
    with pytest.raises(
        TableFileError,
        match=r"cellar.db.wines: expected the catalog 'cellar' in pyi.*"
        "PYICEBERG_CATALOG__CELLAR__URI",
    ):
        Iceberg("db.wines", "cellar").open(Reading())


def test_tables_and_snapshots_that_are_not_there_are_named(wines, catalog):
    wines.manage_snapshots().create_tag(wines.snapshots()[0].snapshot_id, "audited").commit()
    for config, message in (
        (
            Iceberg("db.beers"),
            "default.db.beers: expected a table 'db.beers' in the catalog, found no",
        ),
        (Iceberg("no.wines"), "expected a table 'no.wines' in the catalog"),
        (
            Iceberg("db.wines", snapshot_id=7),
            "expected the snapshot 7, found 2 others, the first of 20.*it may have expired",
        ),
        (Iceberg("db.wines", ref="audit"), "expected a branch or tag 'audit', found"),
        (
            Iceberg("db.wines", timestamp="1999-01-01"),
            "expected a snapshot of 1999-01-01 or before",
        ),
        (
            Iceberg("db.wines", schema_id=9),
            r"expected the schema 9, found those with the ids \[0\]",
        ),
    ):
        for use in (config.pinned, lambda config=config: config.open(Reading())):
            if config.schema_id is None or use != config.pinned:
                with pytest.raises(TableFileError, match=message):
                    use()
    catalog.create_table("db.empty", schema=RED.schema)
    with pytest.raises(TableFileError, match=r"db.empty: expected at least one row, found none"):
        Iceberg("db.empty").pinned()
    wines.delete("x > 0")
    with pytest.raises(
        TableFileError, match="expected at least one row, found none in the snapshot"
    ):
        Iceberg("db.wines").open(Reading())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"properties": {"token": "hunter2"}},
            "column 'token': a secret, which would be recorded; conf",
        ),
        ({"properties": {"s3.secret-access-key": "hunter2"}}, "a secret"),
        ({"properties": {"adls.connection-string": "hunter2"}}, "a secret"),
        ({"properties": {"header.Authorization": "hunter2"}}, "a secret"),
        ({"properties": {"uri": "postgresql://me:hunter2@db/x"}}, r"'postgresql://me:\*\*\*@db/x'"),
        ({"table": "s3://me:hunter2@lake/wines"}, "address without a password"),
        (
            {"timestamp": "yesterday"},
            "timestamp: expected a time of ISO 8601 or seconds since 1970",
        ),
        ({"properties": {"uri": 1}}, "column 'uri': expected text, found int"),
        (
            {"snapshot_id": 1, "ref": "main"},
            "expected one of snapshot_id, ref, timestamp, found snapshot_id and",
        ),
    ],
)
def test_descriptions_with_secrets_or_contradictions_are_refused(arguments, message):
    with pytest.raises(SourceConfigError, match=message) as caught:
        Iceberg(**{"table": "db.wines", **arguments})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "configured",
    [
        {"uri": "postgresql://me:hunter2@127.0.0.1:1/x"},
        {"uri": "nonsense://me:hunter2@127.0.0.1:1/x"},
        {"type": "rest", "uri": "http://127.0.0.1:1/hunter2", "token": "hunter2"},
        {"type": "hunter2", "credential": "hunter2"},
    ],
)
def test_errors_of_catalogs_show_no_secret(monkeypatch, configured):
    for name, value in configured.items():
        monkeypatch.setenv(f"PYICEBERG_CATALOG__SHOP__{name.upper()}", value)
    with pytest.raises(
        TableFileError, match=r"^shop.db.wines: cannot be used .*; configure the"
    ) as caught:
        Iceberg("db.wines", "shop").open(Reading())
    assert "hunter2" not in "".join(traceback.format_exception(caught.type, caught.value, None))


def test_a_table_on_an_object_store_is_read_with_the_rights_of_its_catalog(
    tmp_path, s3, s3_server, monkeypatch
):
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    configure(monkeypatch, tmp_path)
    for name, value in {
        "WAREHOUSE": f"{s3}/warehouse",
        "S3__ENDPOINT": s3_server.url,
        "S3__ACCESS_KEY_ID": "me",
        "S3__SECRET_ACCESS_KEY": "hunter2",
        "S3__REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(f"PYICEBERG_CATALOG__DEFAULT__{name}", value)
    with writing():
        conf = Config().get_catalog_config("default")
        with contextlib.closing(load_catalog("default", **conf)) as catalog:
            catalog.create_namespace("db")
            table = catalog.create_table("db.wines", schema=RED.schema)
            table.append(RED)
    source = Iceberg("db.wines").open(Reading())
    assert source.paths[0].startswith(f"{s3}/warehouse/db/wines/data/")
    assert b"hunter2" not in pickle.dumps(source.select(source.parts()))
    assert rows_of(source) == sorted_rows(RED.to_pylist())
    monkeypatch.setenv("PYICEBERG_CATALOG__DEFAULT__S3__ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(TableFileError) as caught:
        Iceberg("db.wines").pinned()
    assert "hunter2" not in str(caught.value)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiceberg.catalog", None)
    with pytest.raises(
        TableFileError, match=r"expected pyiceberg, found no module .*; pip install 'tfx"
    ):
        Iceberg("db.wines").pinned()
