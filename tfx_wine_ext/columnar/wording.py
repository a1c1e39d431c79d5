"""Messages that name an argument: each front spells it as its own users write it.

A component's author writes ``exclude_columns=``, the command line's user ``--exclude``. A message
keeps its parts apart, so that nobody has to look for arguments in a finished sentence, where a
path or a column may be called the same.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, NamedTuple, Union


class Argument(enum.Enum):
    """The arguments of ParquetExampleGen that messages name; the value is the name there."""

    COLUMNS = "columns"
    EXCLUDE_COLUMNS = "exclude_columns"
    CAST = "cast"
    FILTERS = "filters"
    UNIFY_SCHEMAS = "unify_schemas"
    HIVE_PARTITIONING = "hive_partitioning"
    NULL_IN_LIST = "null_in_list"
    ALLOW_FLOAT_OVERFLOW = "allow_float_overflow"
    PARTITION_FEATURE = "partition_feature_name"


class Setting(NamedTuple):
    """An argument with what it should be given.

    Attributes:
        argument: Which.
        value: Python text of the value; "" where the user knows it best.
    """

    argument: Argument
    value: str = ""


Part = Union[str, Argument, Setting]


class Message:
    """The text of an error, in parts; ``str`` spells it for authors of pipelines.

    It is given to an exception in place of a text.

    Args:
        parts: Text, arguments, settings, and messages.

    Example:
        >>> message = Message("too wide: leave some out (", Setting(Argument.EXCLUDE_COLUMNS), ")")
        >>> str(message)
        'too wide: leave some out (exclude_columns=)'
        >>> message.spelled(lambda argument: "--exclude", lambda setting: "--exclude NAMES")
        'too wide: leave some out (--exclude NAMES)'
    """

    def __init__(self, *parts: Part | Message) -> None:
        """Takes the parts of messages out of them."""
        self._parts: tuple[Part, ...] = tuple(
            own for part in parts for own in (part._parts if isinstance(part, Message) else (part,))
        )

    @classmethod
    def of(cls, error: BaseException) -> Message:
        """Returns the message of an error, whether it has parts or not."""
        found = error.args[0] if len(error.args) == 1 else None
        return found if isinstance(found, Message) else cls(str(error))

    def spelled(
        self, argument: Callable[[Argument], str], setting: Callable[[Setting], str]
    ) -> str:
        """Returns the text.

        Args:
            argument: Spells an argument by itself.
            setting: Spells one with what it should be given.
        """
        return "".join(
            argument(part)
            if isinstance(part, Argument)
            else setting(part)
            if isinstance(part, Setting)
            else part
            for part in self._parts
        )

    def __str__(self) -> str:
        return self.spelled(
            lambda argument: argument.value,
            lambda setting: f"{setting.argument.value}={setting.value}",
        )

    def __repr__(self) -> str:
        return repr(str(self))

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, (Message, str)) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> tuple[type[Message], tuple[Any, ...]]:
        return Message, self._parts
