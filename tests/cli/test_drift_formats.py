"""The same table in any two formats is the same data, whatever the type of its column."""

import decimal
import itertools
import json
import re

import numpy as np
import pyarrow as pa
import pytest

from tfx_wine_ext.cli import main

from .conftest import write_as

N = 500
RNG = np.random.default_rng(3)
X = np.where(
    RNG.random(N) < 0.6,
    RNG.choice([0.1, 0.2, 0.3, 0.7, 1 / 3, 123456.789, -2.675, 0.0], N),
    RNG.standard_normal(N) * 10,
)
DAYS = RNG.integers(0, 40, N)
INSTANTS = (1_700_000_000 + DAYS * 86_400) * 10**9


def decimals(digits, scale):
    exponent = decimal.Decimal(1).scaleb(-scale)
    return pa.array(
        [decimal.Decimal(repr(x)).quantize(exponent) for x in X.tolist()],
        pa.decimal128(digits, scale),
    )


def instants(unit, moved=0):
    return pa.array(INSTANTS + moved).cast(pa.timestamp("ns")).cast(pa.timestamp(unit), safe=False)


COLUMNS = {
    "double": X,
    "float": X.astype(np.float32),
    "half float": (X % 1000).astype(np.float16),
    "decimal(10, 2)": decimals(10, 2),
    "decimal(38, 10)": decimals(38, 10),
    "decimal(20, 0)": pa.array([decimal.Decimal(int(x * 1e12)) for x in X], pa.decimal128(20, 0)),
    **{
        str(kind): pa.array(RNG.integers(0, 100, N)).cast(kind)
        for kind in (pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16(), pa.uint32())
    },
    "int64 beyond 2^24": 2**24 + RNG.integers(0, 9, N),
    "int64 beyond 2^53": 2**60 + RNG.integers(0, 9, N) * 10_001,
    "uint64 beyond 2^53": (2**62 + RNG.integers(0, 9, N) * 10_001).astype(np.uint64),
    **{f"timestamp[{unit}]": instants(unit, 123_456_789) for unit in ("s", "ms", "us", "ns")},
    "date32": pa.array(DAYS.astype(np.int32)).cast(pa.date32()),
    "date64": pa.array(DAYS * 86_400_000).cast(pa.date64()),
    "time32": pa.array((DAYS * 60).astype(np.int32)).cast(pa.time32("s")),
    "bool": X > 0,
    "dictionary of double": pa.array(X).dictionary_encode(),
    "list of double": pa.array([[x, x / 3] for x in X]),
    "nulls and NaN": pa.array(np.where(DAYS == 3, np.nan, X), mask=DAYS == 5),
    "infinities": np.where(DAYS == 3, np.inf, np.where(DAYS == 5, -np.inf, X)),
    "tiny": RNG.choice([0.0, -0.0, 1e-46, 1e-40, 1e-30, 5e-324, 1e30], N),
}


@pytest.mark.parametrize("more", [[], ["--categorical", "x"]], ids=["numbers", "codes"])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_table_in_two_formats_is_the_same_data(name, more, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table = pa.table({"x": COLUMNS[name], "other": RNG.standard_normal(N)})
    files = {}
    for kind in ("parquet", "csv", "tfrecord"):
        try:
            files[kind] = write_as(kind, table, tmp_path / f"table.{kind}")
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            # This pyarrow does not write the type in this format, and there is nothing to compare.
            assert kind != "tfrecord"
    for one, other in itertools.permutations(files, 2):
        status = main(["drift", files[one], files[other], *more, "--json", "--quiet"])
        document = json.loads(capsys.readouterr().out)
        assert (status, document["verdict"], one, other) == (0, "OK", one, other)
        values = {
            metric["value"]
            for feature in document["features"]
            for metric in feature["metrics"].values()
        }
        assert values == {0.0}, (one, other)


def test_times_in_two_units_are_compared_in_the_larger_one(tmp_path, capsys):
    paths = []
    for unit, moved in (("ms", 0), ("us", 123_456)):
        table = pa.table({"x": instants(unit, moved)})
        paths.append(write_as("parquet", table, tmp_path / f"{unit}.parquet"))
    assert main(["drift", *paths, "--json", "--quiet"]) == 0
    [feature] = json.loads(capsys.readouterr().out)["features"]
    assert (feature["verdict"], feature["metrics"]["ks"]["value"]) == ("OK", 0.0)


def test_a_config_that_ignores_what_is_no_column_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_as("csv", pa.table({"x": X}), tmp_path / "a.csv")
    for field in ("ignore", "categorical"):
        (tmp_path / "drift.json").write_text(json.dumps({field: ["idd"]}))
        assert main(["drift", path, path, "--config", "drift.json"]) == 2
        assert f"drift.json: {field}: 'idd' is not among the columns" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["parquet", "tfrecord"])
def test_data_without_rows_are_an_error(kind, tmp_path, capsys):
    whole = write_as(kind, pa.table({"x": X}), tmp_path / f"a.{kind}")
    empty = write_as(kind, pa.table({"x": X[:0]}), tmp_path / f"b.{kind}")
    assert main(["drift", whole, empty]) == 2
    assert re.search("no rows|at least one row", capsys.readouterr().err)


class _Kelvin(pa.ExtensionType):
    """Some extension type: numbers with a meaning."""

    def __init__(self):
        super().__init__(pa.float64(), "tfx_wine_ext.test_kelvin")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type, serialized):
        return cls()


@pytest.fixture
def kelvin():
    """The type, known to Arrow as one that files have."""
    pa.register_extension_type(_Kelvin())
    yield _Kelvin()
    pa.unregister_extension_type("tfx_wine_ext.test_kelvin")


def assert_same_in_files_and_examples(tmp_path, capsys, type_, values):
    """A column alone, in lists and in a struct is the same as its storage, and as its Examples."""
    array = pa.ExtensionArray.from_storage(type_, pa.array(values, type_.storage_type))
    holes = [None if i % 7 == 2 else x for i, x in enumerate(values)]
    stored_alone = pa.array(holes, type_.storage_type)
    plain = pa.array(np.arange(len(array)))
    offsets = pa.array([None if i % 5 == 1 else i for i in range(len(array) + 1)], pa.int32())
    columns = {
        "alone": pa.ExtensionArray.from_storage(type_, stored_alone),
        "lists": pa.ListArray.from_arrays(offsets, array),
        "struct": pa.StructArray.from_arrays([array, plain], ["x", "plain"]),
    }
    stored = pa.table({**columns, "alone": stored_alone})
    paths = [
        write_as(kind, table, tmp_path / f"{name}.{kind}")
        for name, kind, table in [
            ("own", "parquet", pa.table(columns)),
            ("stored", "parquet", stored),
            ("own", "tfrecord", pa.table(columns)),
        ]
    ]
    (tmp_path / "drift.json").write_text('{"classifier": true}')
    for one, other in itertools.permutations(paths, 2):
        arguments = ["--config", str(tmp_path / "drift.json"), "--json", "--quiet"]
        assert main(["drift", one, other, *arguments]) == 0
        document = json.loads(capsys.readouterr().out)
        assert {feature["name"]: feature["verdict"] for feature in document["features"]} == {
            name: "OK" for name in ("alone", "lists", "struct.x", "struct.plain")
        }
    assert main(["drift", f"{tmp_path}/*.parquet", paths[0], "--quiet"]) == 0


def test_an_extension_type_is_compared_by_its_storage(kelvin, tmp_path, capsys):
    assert_same_in_files_and_examples(tmp_path, capsys, kelvin, X.tolist())


@pytest.mark.skipif(not hasattr(pa, "bool8"), reason="pyarrow 18 and later have these types")
@pytest.mark.parametrize("name", ["uuid", "bool8", "opaque"])
def test_arrows_own_extension_types_are_compared_by_their_storage(name, tmp_path, capsys):
    type_, values = {
        "uuid": lambda: (pa.uuid(), [bytes([day] * 16) for day in DAYS.tolist()]),
        "bool8": lambda: (pa.bool8(), (DAYS < 9).astype(np.int8).tolist()),
        "opaque": lambda: (pa.opaque(pa.int64(), "id", "somebody"), DAYS.tolist()),
    }[name]()
    assert_same_in_files_and_examples(tmp_path, capsys, type_, values)


@pytest.mark.skipif(not hasattr(pa, "fixed_shape_tensor"), reason="pyarrow 12 and later have it")
def test_a_tensor_is_compared_as_the_list_that_it_is_stored_as(tmp_path, capsys):
    type_ = pa.fixed_shape_tensor(pa.float32(), [2])
    storage = pa.array([[x, x / 3] for x in X.tolist()], type_.storage_type)
    table = pa.table({"x": pa.ExtensionArray.from_storage(type_, storage)})
    one, other = (write_as(k, table, tmp_path / f"a.{k}") for k in ("parquet", "tfrecord"))
    assert main(["drift", one, other, "--json", "--quiet"]) == 0
    [feature] = json.loads(capsys.readouterr().out)["features"]
    assert (feature["verdict"], feature["metrics"]["ks"]["value"]) == ("OK", 0.0)


def test_tables_without_a_common_column_are_an_error(tmp_path, capsys):
    one = write_as("csv", pa.table({"x": X}), tmp_path / "a.csv")
    other = write_as("csv", pa.table({"y": X}), tmp_path / "b.csv")
    assert main(["drift", one, other]) == 2
    assert "no column in common: the baseline has x, the current data y" in capsys.readouterr().err
