"""Messages that name an argument, which each user interface spells in its own way.

A pipeline author writes ``exclude_columns=``, a user of the command line ``--exclude``. A message
keeps its parts separate: searching for arguments in the finished text would also find paths or
columns of the same name.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, NamedTuple, Union


class Argument(enum.Enum):
    """The arguments of ParquetExampleGen that messages name; the value is the argument's name."""

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
    """An argument and its recommended value.

    Attributes:
        argument: The argument.
        value: The value as Python code; "" if only the user knows it.
    """

    argument: Argument
    value: str = ""


Part = Union[str, Argument, Setting]


class Message:
    """The text of an error, in parts; ``str`` spells it for pipeline authors.

    Exceptions take it instead of a string.

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
        """Flattens nested messages."""
        self._parts: tuple[Part, ...] = tuple(
            inner
            for part in parts
            for inner in (part._parts if isinstance(part, Message) else (part,))
        )

    @classmethod
    def of(cls, error: BaseException) -> Message:
        """Returns the message of an error, whether it has parts or not."""
        argument = error.args[0] if len(error.args) == 1 else None
        return argument if isinstance(argument, Message) else cls(str(error))

    def spelled(
        self, argument: Callable[[Argument], str], setting: Callable[[Setting], str]
    ) -> str:
        """Returns the text.

        Args:
            argument: Spells an argument.
            setting: Spells an argument with its value.
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
