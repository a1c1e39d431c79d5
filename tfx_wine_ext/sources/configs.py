"""Descriptions of tables: where each kind of source finds its rows, as data that can be recorded.

A description is what a pipeline holds, a metadata store records and a worker gets. It has no
secrets; see `tfx_wine_ext.sources.secrets`.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
import importlib
import json
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from tfx_wine_ext.entry_points import load_entry_points
from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.files.choose import has_scheme
from tfx_wine_ext.masking import masked_addresses
from tfx_wine_ext.sources import OWN
from tfx_wine_ext.sources.formats import GROUP, Reading
from tfx_wine_ext.sources.secrets import ENVIRONMENT
from tfx_wine_ext.sources.source import TableSource
from tfx_wine_ext.suggestions import hint

_KIND = "source"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class SourceConfigError(TfxWineExtError, ValueError):
    """A description of a source is not valid, or its kind cannot be registered or loaded."""


@dataclasses.dataclass(frozen=True)
class SourceConfig(abc.ABC):
    """Says where a table is; the base of the descriptions of all kinds of sources.

    A subclass is a frozen dataclass, registered by `register_source`. Its fields are JSON values:
    text, numbers, booleans, None, and lists and dicts of them. What opening it needs and must not
    be recorded, such as a password, is found by the process that opens it.

    Attributes:
        kind: What documents call the kind of source; `register_source` sets it.
        spanned: The names of the fields in which placeholders of a span are replaced: text, of
            which ``{SPAN}``, ``{YYYY}`` and others become parts.
    """

    kind: ClassVar[str] = ""
    spanned: ClassVar[Sequence[str]] = ()

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What errors and logs call the table, such as its address, without secrets."""

    @abc.abstractmethod
    def open(self, how: Reading) -> TableSource:
        """Opens the table.

        Args:
            how: How it is read.

        Raises:
            TableFileError: It cannot be used; or a package that it needs is missing.
        """

    def pinned(self) -> SourceConfig:
        """Returns a description of the state that the table has now, if it keeps earlier states.

        A lakehouse table has versions: the driver pins the one that it has looked at, so that the
        executor reads the same one. Default: this description.

        Raises:
            TableFileError: The table cannot be used.
        """
        return self

    def named_code(self) -> Mapping[str, str]:
        """Returns the fields that name code which opening the table would run, and what they name.

        A pipeline is code; a file is not, so what `read_description` reads must have none. Default:
        a function that `credentials` names.
        """
        credentials = getattr(self, "credentials", None)
        if credentials is None or credentials.startswith(ENVIRONMENT):
            return {}
        return {"credentials": credentials}

    def to_dict(self) -> dict[str, Any]:
        """Returns the description as JSON values: its kind, and the fields without defaults."""
        values: dict[str, Any] = {_KIND: self.kind}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            default = (
                field.default_factory()
                if field.default_factory is not dataclasses.MISSING
                else field.default
            )
            if value != default:
                values[field.name] = value
        return values

    def to_json(self) -> str:
        """Returns the description as JSON text; equal descriptions give equal text."""
        return json.dumps(self.to_dict(), sort_keys=True)


_Config = TypeVar("_Config", bound="type[SourceConfig]")
_REGISTERED: dict[str, type[SourceConfig]] = {}


def register_source(kind: str) -> Callable[[_Config], _Config]:
    """Decorator: registers a kind of source.

    A package provides its sources, like its formats, by an entry point of the group
    ``tfx_wine_ext.table_sources`` that names the module, so that every process has them.

    Args:
        kind: What descriptions call it: lower case, digits, underscores.

    Returns:
        The decorator, which returns the class unchanged but for its attribute `kind`.

    Raises:
        SourceConfigError: The name is taken or malformed.

    Example:
        >>> import dataclasses
        >>> @register_source("one_file")
        ... @dataclasses.dataclass(frozen=True)
        ... class OneFile(SourceConfig):
        ...     path: str
        ...     name = property(lambda self: self.path)
        ...     def open(self, how):
        ...         from tfx_wine_ext.sources.choose import open_files
        ...         return open_files([self.path], how)
        >>> OneFile("a.csv").to_json()
        '{"path": "a.csv", "source": "one_file"}'
        >>> source_from_json(OneFile("a.csv").to_json())
        OneFile(path='a.csv')
        >>> unregister_source("one_file")
    """
    if not _NAME.fullmatch(kind):
        raise SourceConfigError(
            repr(kind),
            path="register_source",
            expected="a name of lower-case letters, digits and underscores, at most 40",
        )

    def register(config: _Config) -> _Config:
        known = _REGISTERED.get(kind)
        if known is not None and known.__module__ != config.__module__:
            raise SourceConfigError(
                f"that of {known.__module__}",
                path=f"source {kind!r}",
                expected="a name that is not taken",
            )
        config.kind = kind
        _REGISTERED[kind] = config
        return config

    return register


def unregister_source(kind: str) -> None:
    """Removes a kind of source.

    Args:
        kind: Its name.

    Raises:
        KeyError: There is no such kind.
    """
    del _REGISTERED[kind]


def registered_sources() -> Mapping[str, type[SourceConfig]]:
    """Returns the descriptions of all kinds of sources, by kind.

    Raises:
        SourceConfigError: A package's entry point cannot be loaded.

    Example:
        >>> "files" in registered_sources()
        True
    """
    _load_own()
    _load_entry_points()
    return types.MappingProxyType(_REGISTERED)


def source_from_dict(values: Mapping[str, Any], where: str = "source") -> SourceConfig:
    """Returns the description that `SourceConfig.to_dict` returned as values.

    Args:
        values: The kind, by the key ``source``, and the fields.
        where: What errors call it, such as a file.

    Raises:
        SourceConfigError: The kind or a field is unknown, a field is missing or has an invalid
            value.

    Example:
        >>> source_from_dict({"source": "files", "path": "wines", "pattern": "*.avro"})
        Files(path='wines', pattern='*.avro', format=None)
    """
    sources = registered_sources()
    kind = values.get(_KIND)
    if not isinstance(kind, str) or kind not in sources:
        raise SourceConfigError(
            repr(kind) if kind else f"the keys {', '.join(map(repr, values)) or 'none'}",
            f"name one of these{hint(str(kind), sources)}",
            path=where,
            expected=f"{_KIND!r}, one of {', '.join(sources)}",
        )
    config = sources[kind]
    fields = {field.name: field for field in dataclasses.fields(config)}
    arguments = {key: value for key, value in values.items() if key != _KIND}
    for name in arguments:
        if name not in fields:
            raise SourceConfigError(
                repr(name),
                f"correct it{hint(str(name), fields)}",
                path=where,
                expected=f"fields of a source of kind {kind}: {', '.join(fields)}",
            )
    try:
        return config(**arguments)
    except TypeError as error:  # A field without a default is missing.
        raise SourceConfigError(str(error), path=where, expected=f"a source {kind}") from error


def source_from_json(text: str) -> SourceConfig:
    """Returns the description that `SourceConfig.to_json` wrote.

    Raises:
        SourceConfigError: See `source_from_dict`.
    """
    return source_from_dict(json.loads(text))


def check_no_password(where: str, address: str) -> None:
    """Refuses an address that holds a password: descriptions are recorded, logged and shown.

    Args:
        where: The field that holds it.
        address: The address.

    Raises:
        SourceConfigError: It holds one.
    """
    if has_scheme(address) and masked_addresses(address) != address:
        raise SourceConfigError(
            f"{masked_addresses(address)!r}",
            "set the password in the environment, or name it by `credentials`",
            path=where,
            expected="an address without a password, which would be recorded",
        )


@functools.lru_cache(maxsize=1)
def _load_own() -> None:
    """Imports the library's own kinds, which register themselves."""
    for module in OWN.values():
        importlib.import_module(f"tfx_wine_ext.sources.{module}")


@functools.lru_cache(maxsize=1)
def _load_entry_points() -> None:
    load_entry_points(
        GROUP,
        _REGISTERED,
        lambda name, expected, found: SourceConfigError(
            found, path=f"source {name!r}", expected=expected
        ),
    )
