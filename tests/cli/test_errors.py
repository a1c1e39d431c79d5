"""What commands advise, and that they take it."""

from __future__ import annotations

import re
import shlex

import pytest

from tfx_wine_ext.cli import build_parser, drift, ingest
from tfx_wine_ext.errors import Front, Option, Remedy, TfxWineExtError

NAMES = ("pH", "density, g/l", '"-x"', "", "it's", "-y", "a\nb", " c ")
# Each option with a value that a remedy may have, and what the parser makes of it.
VALUES = {
    Option.COLUMNS: (NAMES, "columns", [*NAMES]),
    Option.EXCLUDE_COLUMNS: (NAMES, "exclude", [*NAMES]),
    Option.CAST: (("-x, =", "timestamp[us]"), "cast", ["-x, ==timestamp[us]"]),
    Option.UNIFY_SCHEMAS: (True, "unify_schemas", True),
    Option.HIVE_PARTITIONING: (False, "no_hive_partitioning", True),
    Option.NULL_IN_LIST: ("drop", "drop_null_in_list", True),
    Option.ALLOW_FLOAT_OVERFLOW: (True, "allow_float_overflow", True),
    Option.FORMAT: ("csv", "format", "csv"),
    Option.NESTED: ("ragged", "nested", "ragged"),
}
# Options of which only the user knows the value, so they are named alone.
NAMED = {
    Option.FILTERS: ("x > 0", "filter", ["x > 0"]),
    Option.PARTITION_FEATURE: ("id", "partition_by", "id"),
    Option.COLUMNS: ("id", "columns", ["id"]),
    Option.EXCLUDE_COLUMNS: ("id", "exclude", ["id"]),
    Option.CAST: ("x=int64", "cast", ["x=int64"]),
    Option.FORMAT: ("csv", "format", "csv"),
}
FRONTS = [("ingest", ingest.FRONT), ("drift", drift.FRONT)]


def advised(remedy: Remedy, front: Front) -> list[str]:
    """The arguments that a front advises in parentheses; none where it has no such option."""
    text = TfxWineExtError("odd", ["halve it", remedy]).worded(front)
    if text == "odd; halve it":
        return []
    [spelled] = re.findall(r" or [a-z ]+ \((.*)\)$", text, re.S)
    return shlex.split(spelled)


@pytest.mark.parametrize("option", Option)
@pytest.mark.parametrize(("command", "front"), FRONTS)
def test_each_option_that_a_command_advises_is_one_that_it_takes(
    command: str, front: Front, option: Option
) -> None:
    cases = [
        (Remedy(option, VALUES[option][0]), [], VALUES[option]) if option in VALUES else None,
        (Remedy(option), [NAMED[option][0]], NAMED[option]) if option in NAMED else None,
    ]
    assert any(cases)
    for remedy, more, (_, name, expected) in filter(None, cases):
        arguments = advised(remedy, front)
        assert bool(arguments) == (option in front.names)
        if arguments:
            options = build_parser().parse_args([command, "a", "b", *arguments, *more])
            assert getattr(options, name) == expected


def test_several_types_would_do() -> None:
    remedy = Remedy(Option.CAST, ("x", "float32", "bytes"))
    assert advised(remedy, ingest.FRONT) == ["--cast", "x=float32", "or", "--cast", "x=bytes"]


def test_drift_advises_no_option_of_ingest() -> None:
    remedies = [Remedy(option, value) for option, (value, *_) in VALUES.items()]
    text = TfxWineExtError("odd", remedies).worded(drift.FRONT)
    assert set(re.findall(r"--[a-z-]+", text)) == {
        "--columns",
        "--exclude",
        "--no-hive-partitioning",
        "--format",
    }
