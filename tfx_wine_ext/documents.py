"""Reads untrusted documents: JSON from a file, a property or an argument.

Reading returns values of the expected types or raises `DocumentError`, which names the document,
the place in it, what was expected and what was found. It never recurses too deeply, never waits for
a pipe, and never returns integers beyond the range of a float, nor NaN and infinities unless they
are allowed. Pure Python: every package of this library may import it.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import itertools
import json
import math
import os
import re
import stat
import sys
import typing
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, BinaryIO, NamedTuple, TypeVar

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
        value: dict[str, Any] = self._read(_object)
        return value

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
        return self._read(_text)

    def one_of(self, choices: Sequence[str]) -> str:
        """Returns a string that must be one of several.

        Args:
            choices: The allowed strings.

        Raises:
            DocumentError: It is another value.
        """
        return self._read(one_of(*choices))

    def integer(self, low: int = -(2**63), high: int = 2**63 - 1) -> int:
        """Returns an integer, which may be written as ``3.0``; true and false are not integers.

        Args:
            low: The smallest allowed value.
            high: The largest allowed value.

        Raises:
            DocumentError: It is not an integer, or out of bounds.
        """
        return self._read(_integer(Bounds(low, high)))

    def boolean(self) -> bool:
        """Returns true or false.

        Raises:
            DocumentError: It is neither.
        """
        return self._read(_boolean)

    def _read(self, reader: Callable[[Any], _T]) -> _T:
        try:
            return reader(self.value)
        except UnexpectedError as error:
            place = self
            for key in error.keys:
                below = f"{place.key}[{key}]" if isinstance(key, int) else place._below(key)
                place = Part(None, self.path, below)
            raise place.error(error.expected, error.found) from None

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


class UnexpectedError(Exception):
    """A value is not as expected; `load` turns it into a `DocumentError` that names the place.

    Args:
        expected: What was expected.
        found: What is there instead, see `described`.
        keys: The place within the value that was read.
    """

    def __init__(self, expected: str, found: str, *keys: str | int) -> None:
        super().__init__(expected, found, *keys)
        self.expected, self.found, self.keys = expected, found, keys

    def below(self, *keys: str | int) -> UnexpectedError:
        """The same of a larger value, in which the one that was read has these keys."""
        return UnexpectedError(self.expected, self.found, *keys, *self.keys)


# Makes what a type stands for of a JSON value, or raises `UnexpectedError`.
Reader = Callable[[Any], Any]


class Bounds(NamedTuple):
    """The range of a number, in ``Annotated[float, Bounds(0, 1)]``."""

    low: float
    high: float = sys.float_info.max


_FINITE = Bounds(-sys.float_info.max)
_OF_64_BITS = Bounds(-(2**63), 2**63 - 1)  # MLMD has no others.
COUNT = Bounds(0)


def _within(what: str, bounds: Bounds) -> str:
    if bounds == _OF_64_BITS:
        return f"{what} of 64 bits"
    low, high = bounds
    return f"{what} of at least {low}" if high == _FINITE.high else f"{what} from {low} to {high}"


def load(kind: type[_T], value: Any, path: str) -> _T:
    """Checks a JSON value and makes a dataclass of it, and dataclasses of its parts.

    The types of the attributes say what is expected:

    - texts, booleans, 64-bit integers (which may be written as ``3.0``), finite numbers, ``Any``;
    - ``X | None``, ``tuple[X, ...]``, ``tuple[X, X]``, ``list[X]``, ``Mapping[str, X]``;
    - enums of texts, by their values; dataclasses and named tuples, as objects;
    - typed dictionaries, which are checked and stay as they are;
    - ``Annotated[X, condition]``: the condition is `Bounds` of a number, a type that replaces X, or
      a function that makes X of the value or raises `UnexpectedError`, such as `one_of`.

    Other keys are passed over. An attribute whose key is missing has its default, also instead of
    null where null is not allowed; without a default, it is None where that is allowed. A
    dataclass's field with ``metadata={"key": ...}`` is stored under another key; one with
    ``metadata={"of_record": reader}`` is made of the whole object and the other attributes.

    Args:
        kind: The dataclass, or another of these types.
        value: The document's value.
        path: Name of the document in errors.

    Raises:
        DocumentError: The value has another structure.

    Example:
        >>> @dataclasses.dataclass
        ... class Column:
        ...     name: str
        ...     scores: tuple[float | None, ...] = ()
        >>> load(Column, {"name": "pH", "scores": [0.1, None]}, "a.json")
        Column(name='pH', scores=(0.1, None))
        >>> load(Column, {"name": "pH", "scores": [0.1, "x"]}, "a.json")
        Traceback (most recent call last):
        ...
        tfx_wine_ext.documents.DocumentError: a.json: scores[1]: expected a finite number, found 'x'
    """
    reader: Callable[[Any], _T] = _reader(typing.cast(Any, kind))
    return Part(value, path)._read(reader)


def read(kind: Any, value: Any) -> Any:
    """Makes a part of a document, as `load` does, within a reader of a larger part.

    Args:
        kind: Its type.
        value: Its value.

    Raises:
        UnexpectedError: The value has another structure.
    """
    return _reader(kind)(value)


def one_of(*choices: str) -> Callable[[Any], str]:
    """Makes the condition that a text is one of several, see `load`."""
    return _choice({choice: choice for choice in choices})


def _choice(choices: Mapping[str, Any]) -> Reader:
    def read(value: Any) -> Any:
        if isinstance(value, str) and value in choices:
            return choices[value]
        raise UnexpectedError(f"one of {', '.join(choices)}", described(value))

    return read


def _instance(kind: type[_T], expected: str) -> Callable[[Any], _T]:
    def read(value: Any) -> _T:
        if isinstance(value, kind):
            return value
        raise UnexpectedError(expected, described(value))

    return read


_object: Callable[[Any], Any] = _instance(Mapping, "an object")
_text, _boolean = _instance(str, "a text"), _instance(bool, "true or false")


def _number(bounds: Bounds) -> Reader:
    low, high = bounds

    def read(value: Any) -> Any:
        # The first test alone is fast; the second one allows for subclasses, such as numpy's.
        if type(value) in (float, int) or (
            isinstance(value, (float, int)) and not isinstance(value, bool)
        ):
            if low <= value <= high:
                return value
            if -_FINITE.high <= value <= _FINITE.high:
                raise UnexpectedError(_within("a number", bounds), described(value))
        raise UnexpectedError("a finite number", described(value))

    return read


def _integer(bounds: Bounds) -> Callable[[Any], int]:
    low, high = bounds

    def read(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise UnexpectedError("an integer", described(value))
        if low <= value <= high:
            return value
        raise UnexpectedError(_within("an integer", bounds), described(value))

    return read


_OF_PLAIN: Mapping[Any, Reader] = {
    str: _text,
    bool: _boolean,
    int: _integer(_OF_64_BITS),
    float: _number(_FINITE),
    Any: lambda value: value,
}


@functools.cache
def _reader(kind: Any) -> Reader:
    if kind in _OF_PLAIN:
        return _OF_PLAIN[kind]
    if typing.is_typeddict(kind):
        return _of_typed_dict(kind)
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        return _of_record(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _choice({member.value: member for member in kind})
    of, arguments = typing.get_origin(kind), typing.get_args(kind)
    if of is Annotated:
        annotated, condition = arguments
        if isinstance(condition, Bounds):
            return _integer(condition) if annotated is int else _number(condition)
        return _reader(condition) if isinstance(condition, type) else condition
    if of is Mapping:
        return _of_mapping(_reader(arguments[1]))
    element = _reader(arguments[0])
    if of in (list, tuple):
        is_pair = of is tuple and arguments[-1] is not Ellipsis
        return _of_list(of, element, len(arguments) if is_pair else None)
    return lambda value: None if value is None else element(value)


def _of_list(of: type, element: Reader, length: int | None) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise UnexpectedError("a list", described(value))
        if length is not None and len(value) != length:
            raise UnexpectedError(f"a list of {length}", f"one of {len(value)}")
        made: list[Any] = []
        try:
            for part in value:
                made.append(element(part))
        except UnexpectedError as error:
            raise error.below(len(made)) from None
        return of(made)

    return read


def _of_mapping(element: Reader) -> Reader:
    def read(value: Any) -> Any:
        made = {}
        for name, part in _object(value).items():
            if not isinstance(name, str):
                raise UnexpectedError("names that are texts", described(name))
            try:
                made[name] = element(part)
            except UnexpectedError as error:
                raise error.below(name) from None
        return made

    return read


def _required(value: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in names:
        if name not in value:
            raise UnexpectedError(f"the key {name!r}", _listed(value))


def _of_typed_dict(kind: Any) -> Reader:
    types = typing.get_type_hints(kind, include_extras=True)
    readers = {name: _reader(part) for name, part in types.items()}
    required = [name for name in types if name in kind.__required_keys__]

    def read(value: Any) -> Any:
        _required(_object(value), required)
        for name, part in value.items():
            if name in readers:
                try:
                    readers[name](part)
                except UnexpectedError as error:
                    raise error.below(name) from None
            elif not isinstance(name, str):
                raise UnexpectedError("names that are texts", described(name))
        return value

    return read


def _allows_null(reader: Reader) -> bool:
    try:
        return reader(None) is None
    except UnexpectedError:
        return False


def _of_record(kind: Any) -> Reader:
    types = typing.get_type_hints(kind, include_extras=True)
    if dataclasses.is_dataclass(kind):
        metadata: Mapping[str, Any] = {x.name: x.metadata for x in dataclasses.fields(kind)}
        none = dataclasses.MISSING
        lacking = [
            x.name for x in dataclasses.fields(kind) if x.default is x.default_factory is none
        ]
    else:
        metadata = {name: {} for name in kind._fields}
        lacking = [name for name in kind._fields if name not in kind._field_defaults]
    of_record = {name: x["of_record"] for name, x in metadata.items() if "of_record" in x}
    readers = {name: _reader(types[name]) for name in metadata if name not in of_record}
    allow_null = {name for name, reader in readers.items() if _allows_null(reader)}
    nulls = dict.fromkeys(name for name in lacking if name in allow_null)
    keys = {name: metadata[name].get("key", name) for name in readers}
    required = [keys[name] for name in lacking if name in keys and name not in nulls]
    # Null is the default of an attribute which has one and which must not be null.
    parts = [
        (name, keys[name], reader, name not in lacking and name not in allow_null)
        for name, reader in readers.items()
    ]

    def read(value: Any) -> Any:
        _required(_object(value), required)
        made: dict[str, Any] = dict(nulls)
        for name, key, reader, null_is_default in parts:
            if key in value and not (null_is_default and value[key] is None):
                try:
                    made[name] = reader(value[key])
                except UnexpectedError as error:
                    raise error.below(key) from None
        for name, make in of_record.items():
            made[name] = make(value, made)
        return kind(**made)

    return read
