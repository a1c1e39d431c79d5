import numpy as np
import pytest
from tfx.types import standard_artifacts

from tfx_wine_ext.publishers.properties import set_custom_properties


def test_properties_have_the_type_of_their_values_and_none_is_left_out():
    artifact = standard_artifacts.Examples()
    set_custom_properties(artifact, {"text": "", "whole": 0, "share": 0.5, "nothing": None})
    stored = artifact.mlmd_artifact.custom_properties
    assert {key: value.WhichOneof("value") for key, value in stored.items()} == {
        "text": "string_value",
        "whole": "int_value",
        "share": "double_value",
    }
    assert (stored["whole"].int_value, stored["share"].double_value) == (0, 0.5)


def test_a_later_value_takes_the_place_of_an_earlier_one():
    artifact = standard_artifacts.Examples()
    set_custom_properties(artifact, {"rows": 3})
    set_custom_properties(artifact, {"rows": 4})
    assert artifact.get_int_custom_property("rows") == 4


def test_a_number_of_numpy_is_a_double():
    artifact = standard_artifacts.Examples()
    set_custom_properties(artifact, {"share": np.float64(0.25)})
    assert artifact.get_float_custom_property("share") == pytest.approx(0.25)
