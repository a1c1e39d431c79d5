"""Reads untrusted documents: JSON from a file, a property or an argument.

Reading returns values of the expected types or raises `DocumentError`, which names the document,
the place in it, what was expected and what was found. It never recurses too deeply, never waits for
a pipe, and never returns integers beyond the range of a float, nor NaN and infinities unless they
are allowed. Pure Python: every package of this library may import it.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
import os
import re
import stat
import typing
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple, Optional, TypeVar, Union

from tfx_wine_ext.errors import Front, TfxWineExtError

_T = TypeVar("_T")

# Enough for the drift report of more than ten thousand features.
MAX_BYTES = 128 * 2**20
# The library's own documents have at most 8 levels. Python's recursion limit is 1,000 calls.
MAX_DEPTH = 100
# 10^308 is the largest power of ten that a float can hold. Python's time to parse digits is
# quadratic in their number.
_MAX_DIGITS = 308
_TO_NOUGHTS = bytes(ord("0") if chr(byte) in "123456789" else byte for byte in range(256))
_MANY_DIGITS = b"0" * (_MAX_DIGITS + 1)
# Two patterns are faster than one with both letters.
_LARGE_EXPONENTS = (re.compile(r"e\+?[0-9]{3}"), re.compile(r"E\+?[0-9]{3}"))
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DEEPER = [0] * 256
for _bracket, _step in zip(b"[]{}", (1, -1, 1, -1)):
    _DEEPER[_bracket] = _step
_FOUND_LENGTH = 60


class DocumentError(TfxWineExtError, ValueError):
    """A document cannot be read, or holds an unexpected value.

    Attributes:
        path: Path of the file, or another name of the document.
        key: The place in it, such as ``features[0].name``; "" for the whole document.
    """

    def __init__(self, path: str, key: str, expected: str, found: str, remedy: str = "") -> None:
        super().__init__(found, remedy, path=path, expected=expected)
        self.key = key

    def _place(self, front: Front) -> str:
        return self.key


def read_bytes(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> bytes:
    """Returns the content of a regular file of bounded size.

    Pipes and devices, from which reading may never return, are refused, even if one replaces the
    file between two calls.

    Args:
        path: Path of a local file.
        max_bytes: The maximum size of the file.

    Raises:
        FileNotFoundError: The file does not exist.
        OSError: It cannot be read.
        DocumentError: It is not a regular file, or is larger; or the path contains a NUL.

    Example:
        >>> read_bytes("/dev/null")
        Traceback (most recent call last):
        ...
        tfx_wine_ext.documents.DocumentError: /dev/null: expected a regular file, found a device
    """
    with open_regular(path) as file:
        # One byte more than allowed: the file may grow, and some systems report a size of 0.
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise DocumentError(os.fspath(path), "", f"at most {max_bytes:,} bytes", "a larger file")
    return data


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a regular file for reading; refuses everything else without blocking.

    Args:
        path: Path of a local file.

    Raises:
        FileNotFoundError: The file does not exist.
        OSError: It cannot be read.
        DocumentError: It is not a regular file, or the path contains a NUL.

    Example:
        >>> with open_regular(__file__) as file:
        ...     file.readable()
        True
    """
    name = os.fspath(path)
    if "\0" in name:
        raise DocumentError(name.replace("\0", "\\0"), "", "a path", "one that holds a NUL")
    # Checked before opening, which may affect a device, and again after it, against a race.
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
        path: Path of a local file.
        max_bytes: The maximum size of the file.

    Returns:
        The whole document.

    Raises:
        OSError: The file does not exist or cannot be read.
        DocumentError: It is not a regular file, too large, or not JSON; see `parse_json`.
    """
    return parse_json(read_bytes(path, max_bytes), os.fspath(path))


def parse_json(text: str | bytes, path: str, *, finite: bool = True) -> Part:
    """Parses untrusted JSON.

    Args:
        text: The JSON; bytes are UTF-8, with or without a byte order mark.
        path: Name of the document in errors.
        finite: Whether to refuse ``NaN``, ``Infinity`` and numbers beyond a float's range.
            Otherwise they become NaN and infinities, which Python's own writers produce.

    Returns:
        The whole document. Integers have at most `_MAX_DIGITS` digits, and nesting is at most
        `MAX_DEPTH` deep, so recursive functions may walk it.

    Raises:
        DocumentError: The text is not such JSON.

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

    # Hooks and walks are slow, so they are used only if a cheap test shows that they are needed.
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
    """Parses an untrusted protobuf message.

    Args:
        message_class: Class of the message; this module does not import protobuf.
        data: Its bytes.
        path: Name of the document in errors.

    Raises:
        DocumentError: The bytes are not such a message.
    """
    try:
        with warnings.catch_warnings():
            # One implementation only warns about bytes that it cannot read.
            warnings.simplefilter("error", RuntimeWarning)
            return message_class.FromString(data)
    except Exception:  # The errors depend on protobuf's implementation, and include SystemError.
        name = message_class.DESCRIPTOR.name
        raise DocumentError(path, "", f"a message {name}", "other bytes") from None


_TOO_DEEP = (f"JSON nested at most {MAX_DEPTH} deep", "deeper nesting")


def _check_values(value: Any, path: str, finite: bool) -> None:
    """Checks all values, level by level to avoid recursion."""
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
    """A value in a document with its place; each method returns a typed value or raises.

    Attributes:
        value: The value from `json.loads`.
        path: Name of the document.
        key: The place in it; "" for the whole document.

    Example:
        >>> report = parse_json('{"features": [{"name": 7}]}', "a.json")
        >>> report["features"].items()[0]["name"].text()
        Traceback (most recent call last):
        ...
        tfx_wine_ext.documents.DocumentError: a.json: features[0].name: expected a text, found 7
    """

    __slots__ = ("key", "path", "value")

    def __init__(self, value: Any, path: str, key: str = "") -> None:
        """Wraps a value without checking it."""
        self.value, self.path, self.key = value, path, key

    def __getitem__(self, name: str) -> Part:
        """Returns the value of a required key of an object.

        Raises:
            DocumentError: This is not an object, or it lacks the key.
        """
        mapping = self.mapping()
        if name not in mapping:
            raise self.error(f"the key {name!r}", _listed(mapping))
        return Part(mapping[name], self.path, self._below(name))

    def get(self, name: str) -> Part | None:
        """Returns the value of an optional key; None if it is missing or null.

        Args:
            name: The key.

        Raises:
            DocumentError: This is not an object.
        """
        value = self.mapping().get(name)
        return None if value is None else Part(value, self.path, self._below(name))

    def mapping(self) -> dict[str, Any]:
        """Returns the value as an object.

        Raises:
            DocumentError: It is not an object.
        """
        if not isinstance(self.value, dict):
            raise self.error("an object", described(self.value))
        return self.value

    def parts(self) -> dict[str, Part]:
        """Returns the values of an object, by key.

        Raises:
            DocumentError: It is not an object.
        """
        return {
            name: Part(value, self.path, self._below(name))
            for name, value in self.mapping().items()
        }

    def items(self) -> list[Part]:
        """Returns the elements of a list.

        Raises:
            DocumentError: It is not a list.
        """
        if not isinstance(self.value, list):
            raise self.error("a list", described(self.value))
        return [
            Part(value, self.path, f"{self.key}[{index}]") for index, value in enumerate(self.value)
        ]

    def text(self) -> str:
        """Returns the value as a string, which may contain unpaired surrogates.

        Raises:
            DocumentError: It is not a string.
        """
        if not isinstance(self.value, str):
            raise self.error("a text", described(self.value))
        return self.value

    def one_of(self, choices: Sequence[str]) -> str:
        """Returns a string that must be one of several.

        Args:
            choices: The allowed strings.

        Raises:
            DocumentError: It is another value.
        """
        if not isinstance(self.value, str) or self.value not in choices:
            raise self.error(f"one of {', '.join(choices)}", described(self.value))
        return self.value

    def number(self, low: float = -math.inf, high: float = math.inf) -> float:
        """Returns a finite number; true and false are not numbers.

        Args:
            low: The smallest allowed value.
            high: The largest allowed value.

        Raises:
            DocumentError: It is not a finite number, or out of bounds.
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
        """Returns an integer, which may be written as ``3.0``; true and false are not integers.

        Args:
            low: The smallest allowed value.
            high: The largest allowed value.

        Raises:
            DocumentError: It is not an integer, or out of bounds.
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
        """Returns an error for this place.

        Args:
            expected: What was expected here.
            found: What is here instead.
            remedy: What to do.
        """
        return DocumentError(self.path, self.key, expected, found, remedy)

    def _below(self, name: str) -> str:
        shown = name if name.isidentifier() else f"[{_shortened(repr(name))}]"
        return f"{self.key}.{shown}" if self.key and shown[0] != "[" else f"{self.key}{shown}"


# What a check found: the keys of the place, what was expected, and the value there.
Problem = tuple[tuple[Union[str, int], ...], str, Any]
Check = Callable[[Any], Optional[Problem]]


def checked(value: Any, check: Check, path: str) -> None:
    """Checks a whole document at once; `Part` checks single values.

    Args:
        value: The document's value.
        check: The expected structure, composed of `record`, `list_of`, `mapping_of`, `optional`,
            `one_of`, `text`, `number`, `whole_number` and `boolean`.
        path: Name of the document in errors.

    Raises:
        DocumentError: The value has another structure.

    Example:
        >>> feature = record({"name": text, "scores": list_of(optional(number))})
        >>> checked([{"name": "pH", "scores": [0.1, None, "x"]}], list_of(feature), "a.json")
        Traceback (most recent call last):
        ...
        tfx_wine_ext.documents.DocumentError: a.json: [0].scores[2]: expected a finite number, \
found 'x'
    """
    problem = check(value)
    if problem is not None:
        keys, expected, instead = problem
        part = Part(value, path)
        for key in keys:
            below = f"{part.key}[{key}]" if isinstance(key, int) else part._below(key)
            part = Part(None, path, below)
        shown = instead.text if isinstance(instead, _Words) else described(instead)
        raise part.error(expected, shown)


_ABSENT = object()


class _Words(NamedTuple):
    """A description of what was found, used instead of the value itself."""

    text: str


def text(value: Any) -> Problem | None:
    """Checks for a string."""
    return None if isinstance(value, str) else ((), "a text", value)


def number(value: Any) -> Problem | None:
    """Checks for a finite number; true and false are not numbers."""
    if type(value) is float or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        try:
            if math.isfinite(value):
                return None
        except OverflowError:
            pass
    return (), "a finite number", value


def whole_number(value: Any) -> Problem | None:
    """Checks for a 64-bit integer, as in MLMD; true and false are not integers."""
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
    """Checks for one of several strings."""
    return lambda value: (
        None
        if isinstance(value, str) and value in choices
        else ((), f"one of {', '.join(choices)}", value)
    )


def optional(check: Check) -> Check:
    """Checks for null or a value that passes another check."""
    return lambda value: None if value is None else check(value)


def list_of(check: Check, length: int | None = None) -> Check:
    """Checks for a list whose elements pass another check.

    Args:
        check: The check of each element.
        length: The required number of elements. Default: any number.
    """

    def run(value: Any) -> Problem | None:
        if not isinstance(value, (list, tuple)):
            return (), "a list", value
        if length is not None and len(value) != length:
            return (), f"a list of {length}", _Words(f"one of {len(value)}")
        for index, element in enumerate(value):
            problem = check(element)
            if problem is not None:
                return (index, *problem[0]), problem[1], problem[2]
        return None

    return run


def mapping_of(check: Check) -> Check:
    """Checks for an object with any keys, whose values pass another check."""

    def run(value: Any) -> Problem | None:
        if not isinstance(value, Mapping):
            return (), "an object", value
        for name, element in value.items():
            if not isinstance(name, str):
                return (), "names that are texts", name
            problem = check(element)
            if problem is not None:
                return (name, *problem[0]), problem[1], problem[2]
        return None

    return run


def record(checks: Mapping[str, Check], missing: Mapping[str, Check] | None = None) -> Check:
    """Checks for an object with certain keys; other keys are allowed.

    Args:
        checks: The check of each required key.
        missing: The check of each optional key.
    """
    required, others = tuple(checks.items()), tuple((missing or {}).items())

    def run(value: Any) -> Problem | None:
        if not isinstance(value, Mapping):
            return (), "an object", value
        for name, check in required:
            element = value.get(name, _ABSENT)
            if element is _ABSENT:
                return (), f"the key {name!r}", _Words(_listed(value))
            problem = check(element)
            if problem is not None:
                return (name, *problem[0]), problem[1], problem[2]
        for name, check in others:
            problem = check(value[name]) if name in value else None
            if problem is not None:
                return (name, *problem[0]), problem[1], problem[2]
        return None

    return run


def described(value: Any) -> str:
    """Describes a value in a few words, even if it is huge or deeply nested.

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


def finite(value: Any) -> float | None:
    """Returns a finite number, or None for other values.

    Example:
        >>> finite(1), finite(float("nan")), finite("x")
        (1.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # An integer that no float can hold.
        return None


def jsonable(value: Any) -> Any:
    """Returns a value as JSON has it.

    Args:
        value: Dataclasses become objects, tuples lists; NaN and infinities None.

    Example:
        >>> jsonable({"a": (1, float("nan"))})
        {'a': [1, None]}
    """
    if value is None or isinstance(value, (str, int)):  # Most are; what follows takes longer.
        return value
    if isinstance(value, float):
        return finite(value)
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(part) for part in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def load(record_type: type[_T], value: Any, path: str) -> _T:
    """Checks a JSON value and makes a dataclass of it, and dataclasses of its parts.

    The types of the attributes say what is expected: texts, numbers, booleans, ``Any``,
    ``X | None``, ``tuple[X, ...]``, ``Mapping[str, X]`` and dataclasses. An attribute whose key is
    missing has its default; without one, None where that is allowed.

    Args:
        record_type: The dataclass.
        value: The document's value.
        path: Name of the document in errors.

    Raises:
        DocumentError: The value has another structure.
    """
    kind: Any = record_type
    check, make = _of_type(kind)
    checked(value, check, path)
    loaded: _T = make(value)
    return loaded


_OF_PLAIN: Mapping[Any, Check] = {
    str: text,
    bool: boolean,
    int: whole_number,
    float: number,
    Any: anything,
}


@functools.cache
def _of_type(kind: Any) -> tuple[Check, Callable[[Any], Any]]:
    """Returns how values of a type are checked, and how they are made of JSON that is checked."""
    if dataclasses.is_dataclass(kind):
        return _of_record(kind)
    if kind in _OF_PLAIN:
        return _OF_PLAIN[kind], lambda value: value
    of, arguments = typing.get_origin(kind), typing.get_args(kind)
    check, make = _of_type(arguments[1 if of is Mapping else 0])
    if of is tuple:
        return list_of(check), lambda value: tuple(map(make, value))
    if of is Mapping:
        return mapping_of(check), lambda value: {name: make(part) for name, part in value.items()}
    return optional(check), lambda value: None if value is None else make(value)


def _of_record(kind: Any) -> tuple[Check, Callable[[Any], Any]]:
    types, fields = typing.get_type_hints(kind), dataclasses.fields(kind)
    parts = {field.name: _of_type(types[field.name]) for field in fields}
    defaults = {x.name: None if x.default is dataclasses.MISSING else x.default for x in fields}
    may_lack = {x.name for x in fields if x.default is not dataclasses.MISSING}
    may_lack |= {name for name, (check, _) in parts.items() if check(None) is None}
    checks = [
        {name: check for name, (check, _) in parts.items() if (name in may_lack) is lacking}
        for lacking in (False, True)
    ]

    def make(value: Mapping[str, Any]) -> Any:
        known = {name: made(value[name]) for name, (_, made) in parts.items() if name in value}
        return kind(**{**defaults, **known})

    return record(*checks), make
