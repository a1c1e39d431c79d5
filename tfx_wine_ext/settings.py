"""Files with settings, as JSON or YAML from untrusted sources."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.documents import MAX_DEPTH, DocumentError, parse_json, read_bytes
from tfx_wine_ext.files.choose import files_for, has_scheme

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 16 * 2**20
# Enough for ten thousand features with their own levels for every metric. Each use of an anchor
# counts as if it were written out: nine lines of YAML can represent a billion values.
MAX_VALUES = 1_000_000


def read_settings(path: str | os.PathLike[str]) -> Any:
    """Reads a file: JSON if it is called ``.json``, YAML (with PyYAML) if ``.yaml`` or ``.yml``.

    Args:
        path: The path of the file, or an address that `files_for` knows. A pipe is refused, since
            reading it might wait forever.

    Returns:
        The content of the file, nested at most `documents.MAX_DEPTH` deep. An empty YAML file gives
        an empty mapping.

    Raises:
        OSError: The file cannot be read.
        DocumentError: It is no regular file, has another ending or is too large; it cannot be
            parsed or is nested too deeply; or an anchor contains itself or expands to too many
            values.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "drift.yaml")
        ...     _ = file.write_text("thresholds: {ks: 0.15}")
        ...     read_settings(file)
        {'thresholds': {'ks': 0.15}}
    """
    name = os.fspath(path)
    suffix = os.path.splitext(name)[1].lower()
    if suffix not in (".json", ".yaml", ".yml"):
        raise DocumentError(name, "", "a name in .json, .yaml or .yml", repr(suffix))
    data = _content(name) if has_scheme(name) else read_bytes(name, MAX_BYTES)
    if suffix == ".json":
        return parse_json(data, name).value
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"the byte 0x{data[error.start]:02x} at {error.start}"
        raise DocumentError(name, "", "YAML in UTF-8", found) from None
    import yaml

    try:
        _check_size(yaml.parse(text, Loader=yaml.SafeLoader), name)
        settings = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DocumentError(name, "", "YAML", _without_content(error)) from None
    except (ValueError, OverflowError) as error:  # A bad date or a long number.
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(name, "", "YAML", f"a value that is none ({error})") from None
    return {} if settings is None else settings


def _without_content(error: yaml.YAMLError) -> str:
    """Words what PyYAML found, and where; not the line itself, which may hold a password."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    words = ", ".join(filter(None, (error.context, error.problem)))
    return f"{words} in line {mark.line + 1}, column {mark.column + 1}"


def _content(address: str) -> bytes:
    with files_for(address).open(address) as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise DocumentError(address, "", f"at most {MAX_BYTES:,} bytes", "a larger file")
    return data


def _check_size(events: Iterable[yaml.events.Event], path: str) -> None:
    """Checks YAML event by event before anything is built from it, since PyYAML recurses."""
    import yaml

    sizes = [0]  # The open collections, starting with the whole document.
    anchors: dict[str, int] = {}
    names: list[str | None] = []
    for event in events:
        if isinstance(event, yaml.events.CollectionStartEvent):
            if len(sizes) > MAX_DEPTH:
                found = "deeper nesting"
                raise DocumentError(path, "", f"YAML nested at most {MAX_DEPTH} deep", found)
            sizes.append(1)
            names.append(event.anchor)
            continue
        if isinstance(event, yaml.events.CollectionEndEvent):
            size, anchor = sizes.pop(), names.pop()
        elif isinstance(event, yaml.events.ScalarEvent):
            size, anchor = 1, event.anchor
        elif isinstance(event, yaml.events.AliasEvent):
            if event.anchor in names and event.anchor not in anchors:
                found = f"one in itself (*{event.anchor})"
                raise DocumentError(path, "", "anchors that are complete where used", found)
            size, anchor = anchors.get(event.anchor, 1), None
        else:
            continue
        if anchor is not None:
            anchors[anchor] = size
        sizes[-1] += size
        if sizes[-1] > MAX_VALUES:
            found = "more, with its anchors written out"
            raise DocumentError(path, "", f"at most {MAX_VALUES:,} values", found)
