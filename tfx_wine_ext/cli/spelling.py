"""How the command line spells the arguments that messages of `columnar` name."""

from __future__ import annotations

from collections.abc import Mapping

from tfx_wine_ext.columnar.wording import Argument, Message

_OPTIONS: Mapping[Argument, str] = {
    Argument.COLUMNS: "--columns",
    Argument.EXCLUDE_COLUMNS: "--exclude",
    Argument.CAST: "--cast",
    Argument.FILTERS: "--filter",
    Argument.UNIFY_SCHEMAS: "--unify-schemas",
    Argument.HIVE_PARTITIONING: "--no-hive-partitioning",
    Argument.NULL_IN_LIST: "--drop-null-in-list",
    Argument.ALLOW_FLOAT_OVERFLOW: "--allow-float-overflow",
    Argument.PARTITION_FEATURE: "--partition-by",
}


def for_users(error: BaseException) -> str:
    """Returns the message of an error, with options instead of a component's arguments.

    Example:
        >>> for_users(ValueError(Message("file exclude_columns: leave ", Argument.EXCLUDE_COLUMNS)))
        'file exclude_columns: leave --exclude'
    """
    return Message.of(error).spelled(_OPTIONS.__getitem__, lambda each: _OPTIONS[each.argument])
