"""Descriptions of tables in files, ``NAME.source.yaml``, which commands take like tables."""

from __future__ import annotations

import datetime
from typing import Any

from tfx_wine_ext.settings import read_settings
from tfx_wine_ext.sources.configs import SourceConfig, SourceConfigError, source_from_dict

ENDINGS = (".source.yaml", ".source.yml", ".source.json")


def is_description(path: str) -> bool:
    """Tells by its name whether a file describes a table.

    Example:
        >>> is_description("wines.source.yaml"), is_description("wines.json")
        (True, False)
    """
    return path.lower().endswith(ENDINGS)


def read_description(path: str) -> SourceConfig:
    r"""Reads a description: the kind by the key ``source``, and its fields.

    Paths in it are relative to the folder of the process, as in a pipeline.

    Args:
        path: A file for which `is_description` is true.

    Raises:
        OSError: The file cannot be read.
        DocumentError: It is not YAML or JSON; see `read_settings`.
        SourceConfigError: It describes no source, or one that names code; see
            `SourceConfig.named_code`.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "wines.source.yaml")
        ...     _ = file.write_text("source: files\npath: wines\npattern: '*.avro'")
        ...     read_description(str(file))
        Files(path='wines', pattern='*.avro', format=None)
    """
    settings = _as_json(read_settings(path))
    if not isinstance(settings, dict):
        raise SourceConfigError(
            type(settings).__name__, path=path, expected="the fields of a source, 'name: value'"
        )
    source = source_from_dict(settings, path)
    for field, code in source.named_code().items():
        raise SourceConfigError(
            repr(code),
            "describe this table in a pipeline",
            path=f"{path}: {field}",
            expected="nothing that names code, as a file is not trusted to run any",
        )
    return source


def _as_json(value: Any) -> Any:
    """Replaces dates and times, which YAML has and JSON has not, by their text."""
    if isinstance(value, dict):
        return {str(key): _as_json(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_as_json(part) for part in value]
    return value.isoformat() if isinstance(value, (datetime.date, datetime.datetime)) else value
