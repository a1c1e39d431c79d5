"""The error that ends a command, and how commands spell their options in errors."""

from __future__ import annotations

import shlex

from tfx_wine_ext.cli.names import joined_names
from tfx_wine_ext.errors import Option, Remedy, TfxWineExtError


class CommandError(TfxWineExtError):
    """A command cannot do what it was asked to do; the message is one line for its user."""


def command_option(name: str, remedy: Remedy) -> str:
    """Spells an option with its value, ready for a shell.

    Args:
        name: The option.
        remedy: A remedy by it that has a value.

    Example:
        >>> print(command_option("--exclude", Remedy(Option.EXCLUDE_COLUMNS, ("id", "g, l"))))
        --exclude 'id,"g, l"'
        >>> print(command_option("--cast", Remedy(Option.CAST, ("zip", "bytes", "int64"))))
        --cast zip=bytes or --cast zip=int64
    """
    if remedy.option is Option.CAST:
        column, *targets = remedy.value
        values = [f"{column}={target}" for target in targets]
    elif isinstance(remedy.value, tuple):
        values = [joined_names(remedy.value)]
    elif remedy.option in (Option.FORMAT, Option.NESTED):
        values = [remedy.value]
    else:
        return name
    # A value that begins with a dash would be taken for an option.
    return " or ".join(
        f"{name}{'=' if value.startswith('-') else ' '}{shlex.quote(value)}" for value in values
    )
