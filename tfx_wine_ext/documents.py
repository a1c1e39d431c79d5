"""The one guard for documents that others wrote: JSON from a file, a property or an argument.

Reading one either gives values of the expected types or raises `DocumentError`, which names the
document, the place in it, what was expected and what was found. It never recurses too deep, never
waits for a pipe, and never returns integers that no float can hold, nor NaN and infinities unless
they are asked for. Pure Python: every package of this library may import it.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple, Optional, Union

# Enough for the drift report of more than ten thousand features.
MAX_BYTES = 128 * 2**20
# The deepest of our own documents has 8 levels. Python's recursion limit is 1,000 calls.
MAX_DEPTH = 100
# 10^308 is the largest power of ten that a float can hold; more digits also take Python's time,
# which is quadratic in their number.
_MAX_DIGITS = 308
_TO_NOUGHTS = bytes(ord("0") if chr(byte) in "123456789" else byte for byte in range(256))
_MANY_DIGITS = b"0" * (_MAX_DIGITS + 1)
# Two are faster than one with both letters.
_LARGE_EXPONENTS = (re.compile(r"e\+?[0-9]{3}"), re.compile(r"E\+?[0-9]{3}"))
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DEEPER = [0] * 256
for _bracket, _step in zip(b"[]{}", (1, -1, 1, -1)):
    _DEEPER[_bracket] = _step
_FOUND_LENGTH = 60


class DocumentError(ValueError):
    """A document cannot be read, or has something else in a place than is expected there.

    Attributes:
        path: Of the file, or what else names the document.
        key: The place in it, such as ``features[0].name``; "" if it is about the whole.
        expected: What should have been there.
        found: What is there instead.
        remedy: What to do; may be empty.
    """

    def __init__(self, path: str, key: str, expected: str, found: str, remedy: str = "") -> None:
        """Words the message from the fields."""
        place = f"{path}: {key}" if key else path
        advice = f": {remedy}" if remedy else ""
        super().__init__(f"{place}: expected {expected}, found {found}{advice}")
        self.path, self.key = path, key
        self.expected, self.found, self.remedy = expected, found, remedy

    @property
    def problem(self) -> str:
        """The message without the path, for those who say it themselves."""
        return f"{self.key}: expected {self.expected}, found {self.found}".removeprefix(": ")

    def __reduce__(self) -> tuple[Any, ...]:
        """Lets the error travel between processes."""
        return type(self), (self.path, self.key, self.expected, self.found, self.remedy)


def read_bytes(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> bytes:
    """Returns the content of a regular file of bounded size.

    A pipe or a device, from which reading may never return, is refused, also where it takes the
    place of the file between two calls.

    Args:
        path: Of the file, on this machine.
        max_bytes: The largest file that is read.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
        DocumentError: It is no regular file, or is larger; or the path holds a NUL.

    Example:
        >>> read_bytes("/dev/null")
        Traceback (most recent call last):
        ...
        tfx_wine_ext.documents.DocumentError: /dev/null: expected a regular file, found a device
    """
    with open_regular(path) as file:
        # One more than allowed: the file may grow meanwhile, and some systems say 0 of its size.
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise DocumentError(os.fspath(path), "", f"at most {max_bytes:,} bytes", "a larger file")
    return data


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a regular file to read it; whatever else is there is refused at once.

    Args:
        path: Of the file, on this machine.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
        DocumentError: It is no regular file, or the path holds a NUL.

    Example:
        >>> with open_regular(__file__) as file:
        ...     file.readable()
        True
    """
    name = os.fspath(path)
    if "\0" in name:
        raise DocumentError(name.replace("\0", "\\0"), "", "a path", "one that holds a NUL")
    # Asked before it is opened, as opening a device may have an effect; and after, for the race.
    _check_regular(os.stat(name), name)
    # Opening a pipe without O_NONBLOCK waits for its other end.
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    try:
        _check_regular(os.fstat(descriptor), name)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _check_regular(status: os.stat_result, name: str) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(21, "Is a directory", name)
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    what = kinds.get(stat.S_IFMT(status.st_mode), "a device")
    raise DocumentError(name, "", "a regular file", what)


def read_json(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> Part:
    """Reads a JSON file.

    Args:
        path: Of the file, on this machine.
        max_bytes: The largest file that is read.

    Returns:
        The whole of the document.

    Raises:
        OSError: There is no such file, or it cannot be read.
        DocumentError: It is no regular file, too large, or no JSON, see `parse_json`.
    """
    return parse_json(read_bytes(path, max_bytes), os.fspath(path))


def parse_json(text: str | bytes, path: str, *, finite: bool = True) -> Part:
    """Parses JSON that somebody else wrote.

    Args:
        text: The JSON; bytes are UTF-8, with or without a byte order mark.
        path: What to call the document in an error.
        finite: Whether ``NaN``, ``Infinity`` and numbers beyond a float's range are refused. Where
            they are not, they are NaN and infinities: Python's own writers leave them.

    Returns:
        The whole of the document. Integers have `_MAX_DIGITS` digits at most, and it is nested at
        most `MAX_DEPTH` deep, so that a recursive function may walk it.

    Raises:
        DocumentError: It is no such JSON.

    Example:
        >>> parse_json('{"steps": 200.0}', "warm_start.json")["steps"].integer()
        200
        >>> parse_json("[NaN]", "a.json")
        Traceback (most recent call last):
        ...
        tfx_wine_ext.documents.DocumentError: a.json: expected finite numbers, found NaN
    """
    if isinstance(text, bytes):
        data = text
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            found = f"the byte 0x{data[error.start]:02x} at {error.start}"
            raise DocumentError(path, "", "JSON in UTF-8", found) from None
    else:
        data = text.encode("utf-8", "surrogatepass")

    def refuse_constant(name: str) -> float:
        raise DocumentError(path, "", "finite numbers", name)

    def short_integer(digits: str) -> int:
        if len(digits.lstrip("-")) > _MAX_DIGITS:
            found = f"one of {len(digits):,}"
            raise DocumentError(path, "", f"integers of at most {_MAX_DIGITS} digits", found)
        return int(digits)

    # Hooks and walks are slow, and what they look for is rare: is it possible at all?
    many_digits = _MANY_DIGITS in data.translate(_TO_NOUGHTS)
    parse_int = short_integer if many_digits else None
    try:
        value = json.loads(
            text, parse_int=parse_int, parse_constant=refuse_constant if finite else None
        )
    except RecursionError:
        raise DocumentError(path, "", *_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        found = f"{error.msg} at {place}" if text.strip() else "nothing"
        raise DocumentError(path, "", "JSON", found) from None
    may_be_infinite = finite and (many_digits or any(x.search(text) for x in _LARGE_EXPONENTS))
    brackets = map(_DEEPER.__getitem__, data.translate(None, _NO_BRACKETS))
    if may_be_infinite or max(itertools.accumulate(brackets), default=0) > MAX_DEPTH:
        _check_values(value, path, finite)
    return Part(value, path)


def parse_message(message_class: Any, data: bytes, path: str) -> Any:
    """Parses a protobuf message that somebody else wrote.

    Args:
        message_class: Of the message; nothing of protobuf is imported here.
        data: Its bytes.
        path: What to call the document in an error.

    Raises:
        DocumentError: The bytes are no such message.
    """
    try:
        with warnings.catch_warnings():
            # One implementation only warns of bytes that it could not read.
            warnings.simplefilter("error", RuntimeWarning)
            return message_class.FromString(data)
    except Exception:  # Each implementation of protobuf raises others: also SystemError.
        name = message_class.DESCRIPTOR.name
        raise DocumentError(path, "", f"a message {name}", "other bytes") from None


_TOO_DEEP = (f"JSON nested at most {MAX_DEPTH} deep", "deeper nesting")


def _check_values(value: Any, path: str, finite: bool) -> None:
    """Looks at all values, level by level and so without recursion."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        if finite and not all(math.isfinite(x) for x in level if type(x) is float):
            raise DocumentError(path, "", "finite numbers", "one beyond the range of a float")
        below: list[Any] = []
        for part in level:
            if type(part) is list:
                below += part
            elif type(part) is dict:
                below += part.values()
        if not below:
            return
        level = below
    raise DocumentError(path, "", *_TOO_DEEP)


class Part:
    """A value of a document, and where it stands: each question is answered, or is an error.

    Attributes:
        value: As `json.loads` gives it.
        path: What to call the document.
        key: The place in it; "" for the whole.

    Example:
        >>> report = parse_json('{"features": [{"name": 7}]}', "a.json")
        >>> report["features"].items()[0]["name"].text()
        Traceback (most recent call last):
        ...
        tfx_wine_ext.documents.DocumentError: a.json: features[0].name: expected a text, found 7
    """

    __slots__ = ("key", "path", "value")

    def __init__(self, value: Any, path: str, key: str = "") -> None:
        """Takes a value as it is."""
        self.value, self.path, self.key = value, path, key

    def __getitem__(self, name: str) -> Part:
        """Returns the part of a name; this one must be an object that has it.

        Raises:
            DocumentError: It is none, or has it not.
        """
        found = self.mapping()
        if name not in found:
            raise self.error(f"the key {name!r}", _listed(found))
        return Part(found[name], self.path, self._below(name))

    def get(self, name: str) -> Part | None:
        """Returns the part of a name; None if it is not there or null.

        Args:
            name: The key.

        Raises:
            DocumentError: This is no object.
        """
        found = self.mapping().get(name)
        return None if found is None else Part(found, self.path, self._below(name))

    def mapping(self) -> dict[str, Any]:
        """Returns the object that this is.

        Raises:
            DocumentError: It is none.
        """
        if not isinstance(self.value, dict):
            raise self.error("an object", described(self.value))
        return self.value

    def parts(self) -> dict[str, Part]:
        """Returns the parts of an object, by their names.

        Raises:
            DocumentError: It is none.
        """
        return {
            name: Part(value, self.path, self._below(name))
            for name, value in self.mapping().items()
        }

    def items(self) -> list[Part]:
        """Returns the elements of a list.

        Raises:
            DocumentError: It is none.
        """
        if not isinstance(self.value, list):
            raise self.error("a list", described(self.value))
        return [
            Part(value, self.path, f"{self.key}[{index}]") for index, value in enumerate(self.value)
        ]

    def text(self) -> str:
        """Returns a text; it may hold anything, also halves of surrogate pairs.

        Raises:
            DocumentError: It is none.
        """
        if not isinstance(self.value, str):
            raise self.error("a text", described(self.value))
        return self.value

    def one_of(self, choices: Sequence[str]) -> str:
        """Returns a text that is one of several.

        Args:
            choices: Which it may be.

        Raises:
            DocumentError: It is none of them.
        """
        if not isinstance(self.value, str) or self.value not in choices:
            raise self.error(f"one of {', '.join(choices)}", described(self.value))
        return self.value

    def number(self, low: float = -math.inf, high: float = math.inf) -> float:
        """Returns a finite number; true and false are none.

        Args:
            low: The least that it may be.
            high: The most.

        Raises:
            DocumentError: It is none, or not within the bounds.
        """
        value = self.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error("a number", described(value))
        try:
            value = float(value)
        except OverflowError:
            value = math.inf
        if not (math.isfinite(value) and low <= value <= high):
            raise self.error(_bounded("a finite number", low, high), described(self.value))
        return value

    def integer(self, low: int | None = None, high: int | None = None) -> int:
        """Returns an integer, which may be written as ``3.0``; true and false are none.

        Args:
            low: The least that it may be.
            high: The most.

        Raises:
            DocumentError: It is none, or not within the bounds.
        """
        value = self.value
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        within = (
            isinstance(value, int)
            and not isinstance(value, bool)
            and (low is None or value >= low)
            and (high is None or value <= high)
        )
        if not within:
            raise self.error(_bounded("an integer", low, high), described(self.value))
        return int(value)

    def boolean(self) -> bool:
        """Returns true or false.

        Raises:
            DocumentError: It is neither.
        """
        if not isinstance(self.value, bool):
            raise self.error("true or false", described(self.value))
        return self.value

    def error(self, expected: str, found: str, remedy: str = "") -> DocumentError:
        """Returns an error about this place.

        Args:
            expected: What should be here.
            found: What is.
            remedy: What to do.
        """
        return DocumentError(self.path, self.key, expected, found, remedy)

    def _below(self, name: str) -> str:
        shown = name if name.isidentifier() else f"[{_shortened(repr(name))}]"
        return f"{self.key}.{shown}" if self.key and shown[0] != "[" else f"{self.key}{shown}"


# What a check finds wrong: the keys that lead there, what was expected, and what is there.
Problem = tuple[tuple[Union[str, int], ...], str, Any]
Check = Callable[[Any], Optional[Problem]]


def checked(value: Any, check: Check, path: str) -> None:
    """Checks a whole document at once, where `Part` would ask for each of its values.

    Args:
        value: Of the document.
        check: What it has to be, put together from `record`, `list_of`, `mapping_of`, `optional`,
            `one_of`, `text`, `number`, `whole_number` and `boolean`.
        path: What to call the document.

    Raises:
        DocumentError: It is something else.

    Example:
        >>> feature = record({"name": text, "scores": list_of(optional(number))})
        >>> checked([{"name": "pH", "scores": [0.1, None, "x"]}], list_of(feature), "a.json")
        Traceback (most recent call last):
        ...
        tfx_wine_ext.documents.DocumentError: a.json: [0].scores[2]: expected a finite number, \
found 'x'
    """
    found = check(value)
    if found is not None:
        keys, expected, instead = found
        part = Part(value, path)
        for key in keys:
            below = f"{part.key}[{key}]" if isinstance(key, int) else part._below(key)
            part = Part(None, path, below)
        shown = instead.text if isinstance(instead, _Words) else described(instead)
        raise part.error(expected, shown)


_ABSENT = object()


class _Words(NamedTuple):
    """What was found, in words; else the value that was found."""

    text: str


def text(value: Any) -> Problem | None:
    """Checks for a text."""
    return None if isinstance(value, str) else ((), "a text", value)


def number(value: Any) -> Problem | None:
    """Checks for a finite number; true and false are none."""
    if type(value) is float or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        try:
            if math.isfinite(value):
                return None
        except OverflowError:
            pass
    return (), "a finite number", value


def whole_number(value: Any) -> Problem | None:
    """Checks for an integer of 64 bits, as MLMD has them; true and false are none."""
    if not isinstance(value, int) or isinstance(value, bool):
        return (), "an integer", value
    return None if -(2**63) <= value < 2**63 else ((), "an integer of 64 bits", value)


def boolean(value: Any) -> Problem | None:
    """Checks for true or false."""
    return None if isinstance(value, bool) else ((), "true or false", value)


def anything(value: Any) -> Problem | None:
    """Checks nothing."""
    return None


def one_of(*choices: str) -> Check:
    """Checks for one of several texts."""
    return lambda value: (
        None
        if isinstance(value, str) and value in choices
        else ((), f"one of {', '.join(choices)}", value)
    )


def optional(check: Check) -> Check:
    """Checks for null, or what another check asks for."""
    return lambda value: None if value is None else check(value)


def list_of(check: Check, length: int | None = None) -> Check:
    """Checks for a list of what another check asks for.

    Args:
        check: Of each element.
        length: How many there must be. Default: any number.
    """

    def run(value: Any) -> Problem | None:
        if not isinstance(value, (list, tuple)):
            return (), "a list", value
        if length is not None and len(value) != length:
            return (), f"a list of {length}", _Words(f"one of {len(value)}")
        for index, each in enumerate(value):
            found = check(each)
            if found is not None:
                return (index, *found[0]), found[1], found[2]
        return None

    return run


def mapping_of(check: Check) -> Check:
    """Checks for an object with any names, and under each what another check asks for."""

    def run(value: Any) -> Problem | None:
        if not isinstance(value, Mapping):
            return (), "an object", value
        for name, each in value.items():
            if not isinstance(name, str):
                return (), "names that are texts", name
            found = check(each)
            if found is not None:
                return (name, *found[0]), found[1], found[2]
        return None

    return run


def record(checks: Mapping[str, Check], missing: Mapping[str, Check] | None = None) -> Check:
    """Checks for an object with certain keys; others may be there too.

    Args:
        checks: What must stand under each key.
        missing: The same, of keys that may be missing.
    """
    required, others = tuple(checks.items()), tuple((missing or {}).items())

    def run(value: Any) -> Problem | None:
        if not isinstance(value, Mapping):
            return (), "an object", value
        for name, check in required:
            each = value.get(name, _ABSENT)
            if each is _ABSENT:
                return (), f"the key {name!r}", _Words(_listed(value))
            found = check(each)
            if found is not None:
                return (name, *found[0]), found[1], found[2]
        for name, check in others:
            found = check(value[name]) if name in value else None
            if found is not None:
                return (name, *found[0]), found[1], found[2]
        return None

    return run


def described(value: Any) -> str:
    """Says in a few words what a value is: it may be huge, or nested deep.

    Args:
        value: Anything.

    Example:
        >>> described({"a": [[]]}), described("x"), described(None), described(10**100)
        ('an object', "'x'", 'null', 'an integer of more than 60 digits')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (str, bytes)):
        return _shortened(repr(value[: _FOUND_LENGTH + 1]))
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, int) and abs(value) >= 10**_FOUND_LENGTH:
        return f"an integer of more than {_FOUND_LENGTH} digits"
    if isinstance(value, (int, float)):
        return repr(value)
    return f"a {type(value).__name__}"


def _shortened(text: str) -> str:
    return text if len(text) <= _FOUND_LENGTH else f"{text[: _FOUND_LENGTH - 1]}..."


def _listed(names: Mapping[str, Any]) -> str:
    def some() -> Iterator[str]:
        for index, name in enumerate(names):
            if index == 5:
                yield "..."
                return
            yield _shortened(repr(name))

    return ", ".join(some()) or "none"


def _bounded(what: str, low: float | None, high: float | None) -> str:
    bounds = [
        f"at {word} {bound:,}"
        for word, bound in (("least", low), ("most", high))
        if bound is not None and math.isfinite(bound)
    ]
    return " of ".join([what, " and ".join(bounds)]) if bounds else what
