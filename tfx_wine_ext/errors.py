"""The base of all errors of this library: facts in fields, and the one place that words them.

What can be done about an error differs between user interfaces: a pipeline author sets
``exclude_columns=``, a user of a command ``--exclude``. So a remedy names an `Option`, and each
interface spells the options that it has, by a `Front`. Pure Python: every package may import it.
"""

from __future__ import annotations

import copyreg
import enum
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar, Union

from tfx_wine_ext.masking import masked_addresses


class Option(enum.Enum):
    """What a user can set; each front has its own name for it, or lacks it.

    Attributes:
        argument: Name of the argument of ParquetExampleGen; "" if it has none.
        action: What the user does by setting it.
    """

    COLUMNS = "columns", "name the columns to keep"
    EXCLUDE_COLUMNS = "exclude_columns", "leave columns out"
    CAST = "cast", "cast the column"
    FILTERS = "filters", "filter rows out"
    UNIFY_SCHEMAS = "unify_schemas", "allow schemas that differ"
    HIVE_PARTITIONING = "hive_partitioning", "read no folder names as columns"
    NESTED = "nested", "write nested columns as ragged features"
    NULL_IN_LIST = "null_in_list", "drop nulls inside lists"
    ALLOW_FLOAT_OVERFLOW = "allow_float_overflow", "allow infinities in its place"
    PARTITION_FEATURE = "partition_feature_name", "partition by another feature"
    FORMAT = "", "give the format of the files"

    def __init__(self, argument: str, action: str) -> None:
        self.argument = argument
        self.action = action


class Remedy(NamedTuple):
    """An option to set.

    Attributes:
        option: The option.
        value: Its value: a tuple of names for `COLUMNS` and `EXCLUDE_COLUMNS`; a column and the
            types of which each would do for `CAST`; a constant for the others. None: only the user
            knows it.
    """

    option: Option
    value: Any = None


Advice = Union[str, Remedy]
"""What to do: a sentence, or a `Remedy`, which each front words in its own terms."""
_Error = TypeVar("_Error", bound="TfxWineExtError")


class Front(NamedTuple):
    """How a user interface spells options.

    Attributes:
        names: The name of each option that it has; remedies by other options are not advised.
        setting: Spells an option, from its name and a remedy that has a value.
    """

    names: Mapping[Option, str]
    setting: Callable[[str, Remedy], str]


def _argument(name: str, remedy: Remedy) -> str:
    if remedy.option is Option.CAST:
        column, *targets = remedy.value
        return f"{name}={' or '.join(repr({column: target}) for target in targets)}"
    return f"{name}={remedy.value!r}"


PYTHON = Front({option: option.argument for option in Option if option.argument}, _argument)
"""How pipelines spell the options: as arguments of ParquetExampleGen."""


class TfxWineExtError(Exception):
    """Base class of the errors of this library.

    Its text is ``PATH: PLACE: expected EXPECTED, found FOUND; REMEDIES``, made from the fields when
    it is asked for, so a caller may add what it knows: ``error.path = path``. It masks passwords of
    addresses. All fields survive pickling.

    Attributes:
        path: The file or folder, or another name of the source; "" if unknown.
        argument: The option at fault; None if it is not an option.
        column: Name of the column or feature; None if it is not known, or not one column.
        row: Number of the row; None if unknown.
        unit: What `row` counts: ``row``, ``line``, ``record``, ``row group``.
        expected: What was expected; "" if `found` says it all.
        found: What was found instead.
        remedies: What to do: alternatives, each a `Remedy` or an advice in words.

    Example:
        >>> error = TfxWineExtError(
        ...     "a list of lists", Remedy(Option.EXCLUDE_COLUMNS, ("m",)), path="a.parquet",
        ...     column="m", expected="numbers")
        >>> print(error)
        a.parquet: column 'm': expected numbers, found a list of lists; leave columns out \
(exclude_columns=('m',))
    """

    path: str = ""
    argument: Option | None = None
    column: str | None = None
    row: int | None = None
    unit: str = "row"
    expected: str = ""
    found: str = ""
    remedies: tuple[Advice, ...] = ()

    def __init__(
        self,
        found: str = "",
        remedies: Advice | Iterable[Advice] = (),
        *,
        path: str = "",
        argument: Option | None = None,
        column: str | None = None,
        row: int | None = None,
        unit: str = "row",
        expected: str = "",
    ) -> None:
        # Without arguments: Beam makes a new error of the class from them, with a longer text.
        super().__init__()
        self.path, self.argument, self.column = path, argument, column
        self.row, self.unit = row, unit
        self.expected, self.found = expected, found
        if isinstance(remedies, (str, Remedy)):
            remedies = (remedies,) if remedies else ()
        self.remedies = tuple(remedies)

    @property
    def problem(self) -> str:
        """The text without path and remedies, for callers that name the path themselves."""
        return masked_addresses(self._problem(PYTHON))

    @property
    def remedy(self) -> str:
        """The text of the remedies."""
        return self._advice(PYTHON)

    def worded(self, front: Front) -> str:
        """Words the error for the users of a front; ``str`` does so for Python."""
        text = f"{self.path}: {self._problem(front)}".removeprefix(": ")
        advice = self._advice(front)
        # What follows a list of several lines begins a line of its own.
        text = f"{text};{chr(10) if chr(10) in text else ' '}{advice}" if advice else text
        return masked_addresses(text)

    def _place(self, front: Front) -> str:
        """Says where in the source the error is; "" if it concerns all of it."""
        parts = [
            self.argument and front.names.get(self.argument, self.argument.argument),
            self.row is not None and f"{self.unit} {self.row}",
            self.column is not None and f"column {self.column!r}",
        ]
        return ", ".join(part for part in parts if part)

    def _problem(self, front: Front) -> str:
        problem = f"expected {self.expected}, found {self.found}" if self.expected else self.found
        return f"{self._place(front)}: {problem}".removeprefix(": ")

    def _advice(self, front: Front) -> str:
        *others, last = [text for remedy in self.remedies if (text := _worded(remedy, front))] or [
            ""
        ]
        return f"{', '.join(others)}{',' * (len(others) > 1)} or {last}" if others else last

    def __str__(self) -> str:
        return self.worded(PYTHON)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Lets the error be pickled with all its fields, whatever its constructor takes."""
        return copyreg.__newobj__, (type(self),), vars(self)  # type: ignore[attr-defined]

    @classmethod
    def of(cls: type[_Error], error: TfxWineExtError, **fields: Any) -> _Error:
        """Returns an error of this class with the common fields of another.

        Args:
            error: The other.
            fields: Fields to set instead.
        """
        known = {name: getattr(error, name) for name in TfxWineExtError.__annotations__}
        new = cls.__new__(cls)
        vars(new).update(known, **fields)
        return new

    def to_json(self) -> str:
        """Returns the fields as JSON.

        Raises:
            TypeError: A field cannot be JSON.
        """
        return json.dumps(vars(self), default=_option_name)

    @classmethod
    def from_json(cls: type[_Error], text: str | bytes) -> _Error:
        """Returns an error of this class with the fields that `to_json` wrote.

        Raises:
            ValueError, TypeError, LookupError, AttributeError: It wrote something else.
        """
        fields = {name: _tuples(value) for name, value in json.loads(text).items()}
        fields["argument"] = fields["argument"] and Option[fields["argument"]]
        fields["remedies"] = tuple(
            remedy if isinstance(remedy, str) else Remedy(Option[remedy[0]], remedy[1])
            for remedy in fields["remedies"]
        )
        error = cls.__new__(cls)
        vars(error).update(fields)
        return error


def _worded(remedy: Advice, front: Front) -> str:
    """Returns the text of a remedy; "" if the front does not have its option."""
    if isinstance(remedy, str):
        return remedy
    name = front.names.get(remedy.option)
    setting = name if name is None or remedy.value is None else front.setting(name, remedy)
    return f"{remedy.option.action} ({setting})" if setting else ""


def _option_name(value: object) -> str:
    if isinstance(value, Option):
        return value.name
    raise TypeError(f"{type(value).__name__} cannot be JSON")


def _tuples(value: Any) -> Any:
    """Replaces lists, which JSON makes of tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
