"""The fields of errors, and the sentences that are made from them."""

from __future__ import annotations

import copy
import pickle

import pytest

from tfx_wine_ext.documents import DocumentError
from tfx_wine_ext.errors import PYTHON, Front, Option, Remedy, TfxWineExtError

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
        "/exclude_columns=/--exclude.parquet: column 'exclude_columns=', row group 3: "
        "expected numbers, found a list of lists; "
        "leave columns out (exclude_columns=('exclude_columns=',))"
    )


def test_only_the_remedy_is_worded_by_the_front() -> None:
    assert WIDE.worded(COMMAND) == (
        "/exclude_columns=/--exclude.parquet: column 'exclude_columns=', row group 3: "
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
    assert str(TfxWineExtError("two:\n  a\n  b", "halve it")) == "two:\n  a\n  b\nhalve it"


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


ERRORS = [WIDE, DocumentError("a.json", "x", "a text", "7", "write it anew")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", [0, pickle.HIGHEST_PROTOCOL])
def test_every_field_survives_pickling(error: TfxWineExtError, protocol: int) -> None:
    for twin in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error)):
        assert type(twin) is type(error)
        assert (str(twin), vars(twin)) == (str(error), vars(error))


@pytest.mark.parametrize(
    "error",
    [*ERRORS, TfxWineExtError("odd", ["halve it", EXCLUDE], argument=Option.CAST)],
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
    error = TfxWineExtError("odd")
    error.column = object()  # type: ignore[assignment]
    with pytest.raises(TypeError, match="object cannot be JSON"):
        error.to_json()
