"""The option --format, whose values are those of the registry."""

from __future__ import annotations

import argparse

from tfx_wine_ext.cli.formats import add_format_option
from tfx_wine_ext.sources.choose import registered_formats


def test_the_help_names_every_format_of_the_library() -> None:
    parser = argparse.ArgumentParser()
    add_format_option(parser)
    [action] = [each for each in parser._actions if each.dest == "format"]
    own = [name for name in registered_formats() if name != "psv"]
    assert [name for name in own if name not in str(action.help)] == []
    assert parser.parse_args(["--format", "of_a_package"]).format == "of_a_package"
