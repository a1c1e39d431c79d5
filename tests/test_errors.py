"""The fields of errors, and the sentences that are made from them."""

from __future__ import annotations

import ast
import copy
import pathlib
import pickle

import pyarrow as pa
import pytest

import tfx_wine_ext
from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.columnar.arrow_types import UnsupportedTypeError
from tfx_wine_ext.columnar.plan import UnknownColumnsError, UnsupportedColumnsError
from tfx_wine_ext.columnar.tfrecord import TFRecordError
from tfx_wine_ext.columnar.values import EncodeError
from tfx_wine_ext.columnar.widening import InexactValueError
from tfx_wine_ext.documents import DocumentError
from tfx_wine_ext.drift.metrics.registry import DriftMetricError
from tfx_wine_ext.errors import PYTHON, Front, Option, Remedy, TfxWineExtError
from tfx_wine_ext.files.local import IrregularFileError, RemoteAccessError, RemoteError
from tfx_wine_ext.lineage.errors import StoreError
from tfx_wine_ext.lineage.find import ArtifactNotFoundError
from tfx_wine_ext.sources.filters import FilterError
from tfx_wine_ext.sources.footers import IsFolderError, NoFilesError, ParquetFileError
from tfx_wine_ext.sources.int96 import Int96Error
from tfx_wine_ext.sources.layout import PartitionError
from tfx_wine_ext.sources.schemas import NoCommonTypeError
from tfx_wine_ext.sources.shard_files import LostRowsError
from tfx_wine_ext.sources.source import TableFileError

OPTIONS = {Option.EXCLUDE_COLUMNS: "--exclude", Option.HIVE_PARTITIONING: "--no-hive"}
COMMAND = Front(OPTIONS, lambda name, remedy: f"{name} {'+'.join(remedy.value)}")
EXCLUDE = Remedy(Option.EXCLUDE_COLUMNS, ("exclude_columns=",))
WIDE = TfxWineExtError(
    "a list of lists",
    EXCLUDE,
    path="/exclude_columns=/--exclude.parquet",
    column="exclude_columns=",
    row=3,
    unit="row group",
    expected="numbers",
)


def test_the_text_has_path_place_expectation_finding_and_remedy() -> None:
    assert str(WIDE) == (
        "/exclude_columns=/--exclude.parquet: row group 3, column 'exclude_columns=': "
        "expected numbers, found a list of lists; "
        "leave columns out (exclude_columns=('exclude_columns=',))"
    )


def test_only_the_remedy_is_worded_by_the_front() -> None:
    assert WIDE.worded(COMMAND) == (
        "/exclude_columns=/--exclude.parquet: row group 3, column 'exclude_columns=': "
        "expected numbers, found a list of lists; leave columns out (--exclude exclude_columns=)"
    )


def test_a_front_advises_only_what_it_has() -> None:
    error = TfxWineExtError("odd", [Remedy(Option.CAST, ("x", "bytes")), "halve it", EXCLUDE])
    assert error.worded(Front({}, COMMAND.setting)) == "odd; halve it"
    assert TfxWineExtError("odd", Remedy(Option.CAST)).worded(COMMAND) == "odd"


@pytest.mark.parametrize(
    ("remedies", "text"),
    [
        ((), "odd"),
        ("halve it", "odd; halve it"),
        (["halve it", "wait"], "odd; halve it or wait"),
        (["halve it", "wait", EXCLUDE._replace(value=None)], "odd; halve it, wait, or leave "),
        (Remedy(Option.CAST, ("x", "bytes")), "odd; cast the column (cast={'x': 'bytes'})"),
        (Remedy(Option.UNIFY_SCHEMAS, True), "odd; allow schemas that differ (unify_schemas=True)"),
    ],
)
def test_remedies_are_alternatives(remedies: object, text: str) -> None:
    assert str(TfxWineExtError("odd", remedies)).startswith(text)  # type: ignore[arg-type]


def test_a_list_is_followed_by_a_line_of_its_own() -> None:
    assert str(TfxWineExtError("two:\n  a\n  b", "halve it")) == "two:\n  a\n  b;\nhalve it"


def test_an_option_at_fault_is_named_as_the_front_names_it() -> None:
    error = TfxWineExtError("'x'", argument=Option.EXCLUDE_COLUMNS, expected="a column")
    assert error.worded(COMMAND) == "--exclude: expected a column, found 'x'"
    assert error.worded(PYTHON) == str(error) == "exclude_columns: expected a column, found 'x'"


def test_a_caller_may_add_what_it_knows() -> None:
    error = TfxWineExtError("odd")
    error.path = "a.csv"
    error.remedies += ("halve it",)
    assert (str(error), error.problem, error.remedy) == ("a.csv: odd; halve it", "odd", "halve it")


def test_a_document_says_where_in_it() -> None:
    error = DocumentError("a.json", "rows[0].x", "a text", "7", "write it anew")
    assert str(error) == "a.json: rows[0].x: expected a text, found 7; write it anew"
    assert error.problem == "rows[0].x: expected a text, found 7"


ERRORS = [
    WIDE,
    ArtifactNotFoundError("7", "none", (1, 2), "give a number"),
    CommandError("odd"),
    DocumentError("a.json", "x", "a text", "7", "write it anew"),
    DriftMetricError("mine", "a number", "'x'"),
    EncodeError("x", 3, "a null", ("fill it", Remedy(Option.NULL_IN_LIST, "drop")), "a value"),
    FilterError("a list", "7", "give one"),
    InexactValueError("7.5", pa.int64()),
    Int96Error("one of 7 days", column="x"),
    IrregularFileError("a", "a pipe", "name a file"),
    RemoteError("none on AWS", "make it", path="s3://a/b", expected="the bucket 'a'"),
    RemoteAccessError("AWS denies access", "ask for it", path="s3://a/b"),
    IsFolderError("a folder", path="a"),
    LostRowsError("a", "2 files", "1", "copy it"),
    NoCommonTypeError("x", pa.int8(), "a.parquet", pa.string(), "b.parquet"),
    NoFilesError("none", "check the path", path="*"),
    ParquetFileError("a.parquet", "it changed", "run again", "changed", column="x", row=7),
    PartitionError("a=1", "the column 'a' comes twice", "rename it"),
    StoreError("mysql", "a store", "none", "give another"),
    TFRecordError(3, "its checksum is wrong"),
    TableFileError("7 cells", "correct it", path="a.csv", row=2, unit="line", expected="8"),
    UnknownColumnsError("'x'", argument=Option.CAST, expected="a column"),
    UnsupportedColumnsError([("m", "a map has no form"), ("n", "no form"), ("m", "twice")]),
    UnsupportedTypeError("a map has no form"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", [0, pickle.HIGHEST_PROTOCOL])
def test_every_field_survives_pickling(error: TfxWineExtError, protocol: int) -> None:
    for twin in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error)):
        assert type(twin) is type(error)
        assert (str(twin), vars(twin)) == (str(error), vars(error))


@pytest.mark.parametrize(
    "error",
    [error for error in ERRORS if not isinstance(error, (InexactValueError, NoCommonTypeError))],
    ids=lambda error: type(error).__name__,
)
def test_every_field_survives_json(error: TfxWineExtError) -> None:
    twin = type(error).from_json(error.to_json())
    assert vars(twin) == vars(error)
    assert [*map(type, twin.remedies)] == [*map(type, error.remedies)]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"argument": "X", "remedies": []}'])
def test_what_is_no_error_makes_none(text: str) -> None:
    with pytest.raises((ValueError, TypeError, LookupError, AttributeError)):
        TfxWineExtError.from_json(text)


def test_what_cannot_be_json_is_refused() -> None:
    with pytest.raises(TypeError, match="DataType cannot be JSON"):
        InexactValueError("7.5", pa.int64()).to_json()


def test_columns_that_cannot_be_features_are_listed_below_one_another() -> None:
    assert str(UnsupportedColumnsError([("m", "a map has no form"), ("n", "no form")])) == (
        "expected columns that can become features of tf.train.Example, found 2 that cannot:\n"
        "  'm': a map has no form;\n"
        "  'n': no form;\n"
        "leave columns out (exclude_columns=('m', 'n')) or name the columns to keep (columns)"
    )


def test_an_error_takes_the_fields_of_another_but_those_that_are_given() -> None:
    encoding = EncodeError("x", 3, "a null", "fill it", "a value")
    error = ParquetFileError.of(encoding, path="a.parquet", row=1, unit="row group")
    assert str(error) == (
        "a.parquet: row group 1, column 'x': expected a value, found a null; fill it"
    )
    assert (error.kind, type(pickle.loads(pickle.dumps(error)))) == ("unusable", ParquetFileError)


# What ends a process, what asks a reader to begin again, and what `documents.load` turns into a
# DocumentError.
NO_ERRORS = {"Ended", "SchemaChangedError", "UnexpectedError", "_UnusualError"}


def test_every_exception_of_the_library_has_the_base_and_is_pickled_and_worded_by_it() -> None:
    known = {"TfxWineExtError"}
    classes = {
        node.name: node
        for path in sorted(pathlib.Path(tfx_wine_ext.__file__).parent.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    while (
        more := {
            name
            for name, node in classes.items()
            if {base.id for base in node.bases if isinstance(base, ast.Name)} & known
        }
        - known
    ):
        known |= more
    exceptions = {
        name
        for name, node in classes.items()
        for base in node.bases
        if isinstance(base, ast.Name) and base.id.endswith(("Error", "Exception"))
    }
    assert exceptions - NO_ERRORS == known
    own = {
        name: [item.name for item in classes[name].body if isinstance(item, ast.FunctionDef)]
        for name in known - {"TfxWineExtError"}
    }
    assert not [name for name, methods in own.items() if {"__reduce__", "__str__"} & {*methods}]
