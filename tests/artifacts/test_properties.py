"""Properties of MLMD as Python values."""

from __future__ import annotations

import math

from ml_metadata.proto import metadata_store_pb2

from tfx_wine_ext.artifacts.properties import properties_of, rows_by_split


def artifact(**kinds):
    made = metadata_store_pb2.Artifact()
    for kind, values in kinds.items():
        for name, (field, value) in values.items():
            setattr(getattr(made, kind)[name], field, value)
    return made


def test_a_custom_property_replaces_a_declared_one():
    made = artifact(
        properties={"span": ("int_value", 1), "name": ("string_value", "a")},
        custom_properties={"span": ("int_value", 2)},
    )
    assert properties_of(made) == {"name": "a", "span": 2}


def test_json_values_are_objects_or_what_they_wrap_and_may_be_nan():
    made = metadata_store_pb2.Artifact()
    made.custom_properties["map"].struct_value.update({"a": [1.5, None, True]})
    made.custom_properties["list"].struct_value.update({"__value__": ["a"]})
    made.custom_properties["nan"].struct_value.update({"x": math.nan})
    found = properties_of(made)
    assert math.isnan(found.pop("nan")["x"])
    assert found == {"list": ["a"], "map": {"a": [1.5, None, True]}}


def test_rows_are_known_only_if_those_of_all_splits_are():
    splits = '["train", "eval"]'
    rows = {"rows_train": 3, "rows_eval": "2"}
    assert rows_by_split({"split_names": splits, **rows}) == {"train": 3, "eval": 2}
    assert rows_by_split({"split_names": splits, "rows_train": 3}) is None
    assert rows_by_split({"split_names": "no JSON", **rows}) is None
