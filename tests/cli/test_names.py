import pytest

from tfx_wine_ext.cli.names import names_in


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("pH", ["pH"]),
        ("pH, alcohol", ["pH", "alcohol"]),
        ('pH,"density, g/l"', ["pH", "density, g/l"]),
        ('"a ""b"""', ['a "b"']),
        ("pH,", ["pH", ""]),
        ("", [""]),
    ],
)
def test_names_are_cut_at_commas_that_are_not_quoted(text, names):
    assert names_in(text) == names
