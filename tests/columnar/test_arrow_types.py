import pyarrow as pa
import pytest

from tfx_wine_ext.columnar.arrow_types import (
    UnsupportedTypeError,
    bare,
    is_list,
    kind_of,
    temporal_unit,
)

from .tables import LabelType


def test_encodings_are_taken_off_until_values_remain():
    assert bare(pa.dictionary(pa.int8(), pa.large_string())) == pa.large_string()
    assert bare(LabelType()) == pa.string()
    assert bare(pa.list_(LabelType())) == pa.list_(LabelType())


@pytest.mark.parametrize(
    ("type_", "unit"),
    [
        (pa.date32(), "D"),
        (pa.date64(), "ms"),
        (pa.time32("s"), "s"),
        (pa.time32("ms"), "ms"),
        (pa.time64("us"), "us"),
        (pa.time64("ns"), "ns"),
        (pa.timestamp("ns", "UTC"), "ns"),
        (pa.duration("s"), "s"),
        (pa.int64(), None),
        (pa.string(), None),
    ],
)
def test_temporal_types_have_a_unit(type_, unit):
    assert temporal_unit(type_) == unit


def test_lists_of_all_sizes_are_lists_and_maps_are_not():
    for type_ in (pa.list_(pa.int8()), pa.large_list(pa.int8()), pa.list_(pa.int8(), 2)):
        assert is_list(type_)
    assert not is_list(pa.map_(pa.int8(), pa.int8()))
    assert not is_list(pa.binary())


@pytest.mark.parametrize(
    ("type_", "reason"),
    [
        (pa.map_(pa.int8(), pa.int8()), "a map has no form"),
        (pa.list_(pa.int8()), "a list of lists has no form"),
        (pa.struct({"a": pa.int8()}), "a list of structs has no form"),
        (pa.sparse_union([pa.field("a", pa.int8())]), "the values of a union"),
        (pa.month_day_nano_interval(), "an interval of months"),
    ],
)
def test_a_type_without_a_form_as_a_feature_is_refused_with_the_reason(type_, reason):
    with pytest.raises(UnsupportedTypeError, match=reason):
        kind_of(type_)
