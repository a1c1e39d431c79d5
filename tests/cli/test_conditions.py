import re

import pytest

from tfx_wine_ext.cli.conditions import condition_in
from tfx_wine_ext.cli.errors import CommandError


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("miles > 0", ("miles", ">", "0")),
        ("miles>=0.5", ("miles", ">=", "0.5")),
        ("  residual sugar != -1 ", ("residual sugar", "!=", "-1")),
        ("margin == 2", ("margin", "==", "2")),
        ('"a >= b" < 1', ("a >= b", "<", "1")),
        ("zip = 007", ("zip", "=", "007")),
        ("day >= 2026-11-25T00:00:00Z", ("day", ">=", "2026-11-25T00:00:00Z")),
        ("name == 'a b '", ("name", "==", "a b ")),
        ('name == ""', ("name", "==", "")),
        ("colour in red", ("colour", "in", ["red"])),
        ("colour in [red, white]", ("colour", "in", ["red", "white"])),
        ("colour  not  in ('red', \"a, b\")", ("colour", "not in", ["red", "a, b"])),
    ],
)
def test_a_condition_is_a_column_an_operator_and_text(text, condition):
    assert condition_in(text) == condition


@pytest.mark.parametrize("text", ["", "miles", "miles >", "> 0", "miles 0", "colour in", '"a > 0'])
def test_another_form_is_refused_with_an_example(text):
    message = f"^--filter: expected COLUMN OP VALUE, as in .*, found {re.escape(repr(text))}$"
    with pytest.raises(CommandError, match=message):
        condition_in(text)
