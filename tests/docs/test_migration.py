"""The tables of docs/how-to/migrate-from-filebased-example-gen.md are what the executors write."""

from __future__ import annotations

import datetime
import decimal
import math
from pathlib import Path

import pyarrow as pa
import pytest
import tensorflow as tf
from google.protobuf import json_format
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_gen.custom_executors import parquet_executor
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.proto import example_gen_pb2

from tests.docs.blocks import CHECKOUT
from tfx_wine_ext import ParquetExampleGen
from tfx_wine_ext.testing import launch, parquet_file

PAGE = "docs/how-to/migrate-from-filebased-example-gen.md"
ERROR = "**error**"
NOON = datetime.datetime(2024, 10, 4, 12)

# Title of the row, the column with its one value, what TFX makes of it, what this library does.
CASES = [
    ("int64: `7`", pa.array([7]), "int64 `7`", "int64 `7`"),
    ("int64: `0`", pa.array([0]), "missing", "int64 `0`"),
    ("int64: null", pa.array([None], pa.int64()), "missing", "missing"),
    ("uint64: `2^63`", pa.array([2**63], pa.uint64()), "**error**", "**error**"),
    ("double: `0.1`", pa.array([0.1]), "float `0.100000001`", "float `0.100000001`"),
    ("double: `0.0`", pa.array([0.0]), "missing", "float `0`"),
    ("double: `-0.0`", pa.array([-0.0]), "missing", "float `-0`"),
    ("double: NaN", pa.array([math.nan]), "float `nan`", "float `nan`"),
    ("double: infinity", pa.array([math.inf]), "float `inf`", "float `inf`"),
    ("double: `1e39`", pa.array([1e39]), "float `inf`", "**error**"),
    ("double: null", pa.array([None], pa.float64()), "missing", "missing"),
    ("float: `0.5`", pa.array([0.5], pa.float32()), "float `0.5`", "float `0.5`"),
    ("bool: `true`", pa.array([True]), "int64 `1`", "int64 `1`"),
    ("bool: `false`", pa.array([False]), "missing", "int64 `0`"),
    ("bool: null", pa.array([None], pa.bool_()), "missing", "missing"),
    ("string: `red`", pa.array(["red"]), "bytes `red`", "bytes `red`"),
    ("string: empty", pa.array([""]), "missing", 'bytes `""`'),
    ("string: null", pa.array([None], pa.string()), "missing", "missing"),
    ("binary: text in UTF-8", pa.array([b"red"]), "bytes `red`", "bytes `red`"),
    ("binary: other bytes", pa.array([b"\xff"]), "**error**", "bytes `\\xff`"),
    ("binary: empty", pa.array([b""]), "missing", 'bytes `""`'),
    ("date32: `2024-10-04`", pa.array([NOON.date()]), "**error**", "int64 `1728000000000000`"),
    (
        "timestamp: `2024-10-04 12:00`",
        pa.array([NOON], pa.timestamp("us")),
        "**error**",
        "int64 `1728043200000000`",
    ),
    ("timestamp: 1970-01-01", pa.array([0], pa.timestamp("us")), "**error**", "int64 `0`"),
    ("timestamp: null", pa.array([None], pa.timestamp("us")), "missing", "missing"),
    ("time64: 12:00", pa.array([NOON.time()], pa.time64("us")), "**error**", "int64 `43200000000`"),
    (
        "decimal(5, 2): `1.25`",
        pa.array([decimal.Decimal("1.25")], pa.decimal128(5, 2)),
        "**error**",
        "float `1.25`",
    ),
    (
        "decimal(5, 2): `0.00`",
        pa.array([decimal.Decimal("0.00")], pa.decimal128(5, 2)),
        "missing",
        "float `0`",
    ),
    (
        "decimal(5, 0): `125`",
        pa.array([decimal.Decimal("125")], pa.decimal128(5, 0)),
        "**error**",
        "int64 `125`",
    ),
    (
        "dictionary of strings: `red`",
        pa.array(["red"]).dictionary_encode(),
        "bytes `red`",
        "bytes `red`",
    ),
    ("dictionary of strings: empty", pa.array([""]).dictionary_encode(), "missing", 'bytes `""`'),
    ("null", pa.array([None]), "missing", "missing"),
    ("list of int64: `[1, 0]`", pa.array([[1, 0]]), "int64 `1`, `0`", "int64 `1`, `0`"),
    ("list of int64: `[]`", pa.array([[]], pa.list_(pa.int64())), "missing", "int64 of no value"),
    ("list of int64: null", pa.array([None], pa.list_(pa.int64())), "missing", "missing"),
    ("list of int64: `[1, null]`", pa.array([[1, None]]), "**error**", "**error**"),
    (
        "list of double: `[0.5, NaN]`",
        pa.array([[0.5, math.nan]]),
        "float `0.5`, `nan`",
        "float `0.5`, `nan`",
    ),
    (
        "list of bool: `[true, false]`",
        pa.array([[True, False]]),
        "int64 `1`, `0`",
        "int64 `1`, `0`",
    ),
    ("list of string: `[a, empty]`", pa.array([["a", ""]]), 'bytes `a`, `""`', 'bytes `a`, `""`'),
    ("list of binary: `[a]`", pa.array([[b"a"]]), "**error**", "bytes `a`"),
    (
        "list of timestamps",
        pa.array([[NOON]], pa.list_(pa.timestamp("us"))),
        "**error**",
        "int64 `1728043200000000`",
    ),
    (
        "struct: `{x: 1, y: 0}`",
        pa.array([{"x": 1, "y": 0}]),
        "**error**",
        "`.x`: int64 `1`, `.y`: int64 `0`",
    ),
    ("struct: null", pa.array([None], pa.struct([("x", pa.int64())])), "missing", "`.x`: missing"),
    ("list of lists", pa.array([[[1], [2]]]), "**error**", "**error**"),
    ("list of structs", pa.array([[{"x": 1}]]), "**error**", "**error**"),
    ("map", pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "**error**", "**error**"),
]


def rendered() -> str:
    """Returns the table of the page."""
    lines = [
        "| column: value in Parquet | by TFX's executor | by ParquetExampleGen |",
        "|---|---|---|",
    ]
    lines += [f"| {title} | {theirs} | {ours} |" for title, _, theirs, ours in CASES]
    return "\n".join(lines)


def tfx_example_gen(input_base: str, **arguments) -> FileBasedExampleGen:
    executor = BeamExecutorSpec(parquet_executor.Executor)
    return FileBasedExampleGen(input_base=input_base, custom_executor_spec=executor, **arguments)


def written(component, columns: dict[str, pa.Array], folder: Path) -> dict[str, str]:
    """Ingests one row of columns, and says what each of them became: feature or features."""
    parquet_file(folder / "data" / "a.parquet", pa.table(columns))
    one_split = {"split_config": {"splits": [{"name": "all", "hash_buckets": 1}]}}
    output_config = json_format.ParseDict(one_split, example_gen_pb2.Output())
    example_gen = component(str(folder / "data"), output_config=output_config)
    [examples] = launch(example_gen, pipeline_root=folder / "root").outputs["examples"]
    paths = sorted(map(str, Path(examples.uri).glob("Split-all/*")))
    [record] = tf.data.TFRecordDataset(paths, "GZIP").as_numpy_iterator()
    found: dict[str, list[str]] = {}
    for name, feature in sorted(tf.train.Example.FromString(record).features.feature.items()):
        column, _, field = name.partition(".")
        found.setdefault(column, []).append((f"`.{field}`: " if field else "") + text(feature))
    return {column: ", ".join(texts) for column, texts in found.items()}


def text(feature: tf.train.Feature) -> str:
    """Says what a feature holds."""
    kind = feature.WhichOneof("kind")
    if kind is None:
        return "missing"
    values = list(getattr(feature, kind).value)
    if kind == "bytes_list":
        values = [ascii(value)[2:-1] or '""' for value in values]
    elif kind == "float_list":
        values = [format(value, ".9g") for value in values]
    return f"{kind[:-5]} " + (", ".join(f"`{value}`" for value in values) or "of no value")


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("component", "of_case", "message"),
    [
        # The page says whose errors name the column.
        (tfx_example_gen, 2, r"^((?!the column)[\s\S])*$"),
        (ParquetExampleGen, 3, "'the column'"),
    ],
    ids=["TFX", "ours"],
)
def test_each_column_becomes_what_the_table_says(tmp_path, component, of_case, message):
    fine = {str(n): case[1] for n, case in enumerate(CASES) if case[of_case] != ERROR}
    expected = {name: CASES[int(name)][of_case] for name in fine}
    assert written(component, fine, tmp_path / "fine") == expected

    for n, case in enumerate(CASES):
        if case[of_case] == ERROR:
            with pytest.raises(Exception, match=message):
                written(component, {"the column": case[1]}, tmp_path / str(n))


def test_the_page_has_the_table():
    page = (CHECKOUT / PAGE).read_text(encoding="utf-8")
    assert rendered() in page, f"{PAGE} should have this table:\n{rendered()}"
