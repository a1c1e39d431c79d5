"""Loads a stored report of a comparison, which may be any file that claims to be one, into types.

docs/drift-report.schema.json describes the documents as they are written. Documents of earlier
releases, which have fewer keys, are loaded, too; unknown keys are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfx_wine_ext.documents import DocumentError, described, load
from tfx_wine_ext.drift.document import FORMAT_VERSION, DriftDocument


def load_document(value: Any, path: str = "document") -> DriftDocument:
    """Checks a document and loads it.

    Args:
        value: The JSON object, as `report_document` made it or `json.loads` read it; or a loaded
            document, which is returned.
        path: Name of the document in errors.

    Raises:
        DocumentError: The value is no report, is of another format version, or has an unexpected
            value; the message says where.

    Example:
        >>> load_document({"format_version": 7})
        Traceback (most recent call last):
        ...
        tfx_wine_ext.documents.DocumentError: document: format_version: expected 1, found 7; use \
the version of tfx-wine-ext that wrote it, or compare again
    """
    if isinstance(value, DriftDocument):
        return value
    version = value.get("format_version") if isinstance(value, Mapping) else FORMAT_VERSION
    if version != FORMAT_VERSION:
        remedy = "use the version of tfx-wine-ext that wrote it, or compare again"
        raise DocumentError(path, "format_version", str(FORMAT_VERSION), described(version), remedy)
    return load(DriftDocument, value, path)
