"""Properties in the metadata store as Python values, and what some of them mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.documents import DocumentError, parse_json
from tfx_wine_ext.types import parquet_example_gen as keys

if TYPE_CHECKING:  # The command line shows its help without ML Metadata.
    from ml_metadata.metadata_store import metadata_store

# TFX stores a JSON property that is not an object as a struct with this single field.
_JSON_VALUE_FIELD = "__value__"
# More digits than an integer of MLMD or of a file has.
_INTEGER = re.compile(r"([-+]?[0-9]{1,30})(\.0*)?")
# Of Python's tracebacks. TFX raises errors of its own over those of a Resolver's strategy.
_CHAINED = "The above exception was the direct cause of the following exception"


def properties_of(node: Any) -> dict[str, Any]:
    """Returns all properties of a node; custom ones replace declared ones of the same name.

    Args:
        node: An artifact, execution or context of MLMD, or an artifact of TFX.
    """
    proto = getattr(node, "mlmd_artifact", node)
    return {**plain(proto.properties), **plain(proto.custom_properties)}


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Converts values of MLMD to Python's, sorted by name; unset values are omitted.

    Args:
        values: The properties or the custom properties of a node of MLMD.

    Returns:
        `int`, `float`, `str`, `bool`, or for JSON values `dict`, `list`, ...

    Example:
        >>> from ml_metadata.proto.metadata_store_pb2 import Value
        >>> plain({"rows": Value(int_value=3), "unset": Value()})
        {'rows': 3}
    """
    converted: dict[str, Any] = {}
    for name, value in sorted(values.items()):
        kind = value.WhichOneof("value")
        if kind == "struct_value":
            decoded = _object(value.struct_value)
            is_wrapped = decoded.keys() == {_JSON_VALUE_FIELD}
            converted[name] = decoded[_JSON_VALUE_FIELD] if is_wrapped else decoded
        elif kind is not None and kind != "proto_value":
            converted[name] = getattr(value, kind)
    return converted


def _object(struct: Any) -> dict[str, Any]:
    # Not protobuf's own way to JSON, which refuses NaN and infinities.
    return {name: _json_value(value) for name, value in struct.fields.items()}


def _json_value(value: Any) -> Any:
    """Returns a value of protobuf's Struct, of which protobuf allows 100 levels."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _object(value.struct_value)
    if kind == "list_value":
        return [_json_value(item) for item in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)


def json_value(value: Any) -> Any:
    """Returns the value of a JSON property, stored as text or struct; None if it is not JSON."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value, "", finite=False).value
    except DocumentError:
        return None


def rows_by_split(examples: Mapping[str, Any]) -> dict[str, int] | None:
    """Returns the rows of each split, which ParquetExampleGen writes; None for others.

    Example:
        >>> rows_by_split({"split_names": '["train"]', "rows_train": 3}), rows_by_split({})
        ({'train': 3}, None)
    """
    splits = json_value(examples.get("split_names") or "[]")
    if not isinstance(splits, list) or not all(isinstance(split, str) for split in splits):
        return None
    rows = {split: whole(examples.get(keys.of_split(keys.ROWS_KEY, split))) for split in splits}
    known = {split: number for split, number in rows.items() if number is not None}
    return known if known and len(known) == len(rows) else None


def span_of(properties: Mapping[str, Any]) -> int | None:
    """Returns the span number; ExampleGen sets a custom property, other components a property.

    Example:
        >>> span_of({"span": 3, "version": 0}), span_of({})
        (3, None)
    """
    return whole(properties.get(keys.SPAN_KEY))


def version_of(properties: Mapping[str, Any]) -> int | None:
    """Returns the version within the span."""
    return whole(properties.get(keys.VERSION_KEY))


def span_date_of(properties: Mapping[str, Any]) -> str | None:
    """Returns the span's date, YYYY-MM-DD, if ParquetExampleGen found the span by a date."""
    return day(properties.get(keys.SPAN_DATE_KEY))


def whole(value: Any) -> int | None:
    """Returns an integer, which older versions of TFX store as text, and Kubeflow as a double.

    Example:
        >>> whole(3), whole("3"), whole(3.0), whole("3.0"), whole(True)
        (3, 3, 3, 3, 1)
        >>> whole(3.5), whole(float("nan")), whole("x"), whole(None)
        (None, None, None, None)
    """
    if isinstance(value, str):
        match = _INTEGER.fullmatch(value.strip())
        return int(match[1]) if match else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return int(value) if isinstance(value, int) else None


def day(value: object) -> str | None:
    """Returns a date that is written YYYY-MM-DD as it is, and None of anything else.

    Example:
        >>> day("2024-10-04"), day(20000)
        ('2024-10-04', None)
    """
    return value if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) else None


def text(value: Any) -> str | None:
    """Returns a non-empty string, or None for other values.

    Example:
        >>> text("a"), text(""), text(7), text({})
        ('a', None, None, None)
    """
    return value if isinstance(value, str) and value else None


def blessed_models(store: metadata_store.MetadataStore) -> set[int]:
    """Returns the ids of the models that an Evaluator blessed."""
    blessings = map(properties_of, store.get_artifacts_by_type("ModelBlessing"))
    return {
        model
        for blessing in blessings
        if whole(blessing.get("blessed")) == 1
        and (model := whole(blessing.get("current_model_id"))) is not None
    }


def line_of(message: str) -> str | None:
    r"""Returns the error without its traceback; the first error of a chain.

    Args:
        message: The message of a failed execution: a line, or a traceback as TFX records it.

    Example:
        >>> line_of("Traceback ...\n  File ...\nKeyError: 'x'\n")
        "KeyError: 'x'"
    """
    lines = message.partition(_CHAINED)[0].strip().splitlines()
    return lines[-1] if lines else None
