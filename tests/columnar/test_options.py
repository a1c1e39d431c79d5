"""Options of an ingestion, and their text in metadata."""

import pytest

from tfx_wine_ext.columnar import EncodeOptions
from tfx_wine_ext.columnar.options import (
    IngestOptions,
)
from tfx_wine_ext.columnar.tasks import ShardFile, ShardResult


def test_options_and_results_come_back_from_json():
    options = IngestOptions(
        encode=EncodeOptions(exclude_columns=("id",), cast={"zip": "bytes"}),
        filters=[["a", ">", 1]],
        unify_schemas=True,
        shuffle_seed=0,
        num_shards=3,
    )
    assert IngestOptions.from_json(options.to_json()) == options
    assert IngestOptions.from_json(IngestOptions().to_json()) == IngestOptions()
    assert IngestOptions(filters=[("a", "in", {2, 1})]).to_json() == (
        IngestOptions(filters=[["a", "in", [1, 2]]]).to_json()
    )
    result = ShardResult(
        1, 5, (ShardFile("train", "x.gz", 3, 40), ShardFile("eval", "x.gz", 2, 30))
    )
    assert ShardResult.from_json(result.to_json()) == result


@pytest.mark.parametrize("value", [0, -1, 1.5, "2"])
def test_a_number_of_shards_below_one_is_refused(value):
    message = f"num_shards: expected a whole number of at least 1, or None; found {value!r}"
    with pytest.raises(ValueError, match=message):
        IngestOptions(num_shards=value)


@pytest.mark.parametrize("value", [-1, 0.5, "a"])
def test_a_seed_below_zero_is_refused(value):
    message = f"shuffle_seed: expected a whole number of at least 0, or None; found {value!r}"
    with pytest.raises(ValueError, match=message):
        IngestOptions(shuffle_seed=value)


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="speed"):
        IngestOptions.from_json('{"encode": {}, "speed": 1}')


def test_the_text_of_options_is_that_of_releases_without_nested_unless_it_is_given():
    assert EncodeOptions().to_json() == (
        '{"allow_float_overflow": false, "cast": {}, "columns": null, "exclude_columns": [], '
        '"key_order": "bytewise", "null_in_list": "error"}'
    )
    options = IngestOptions(encode=EncodeOptions(nested="ragged"))
    assert '"nested": "ragged"' in options.to_json()
    assert IngestOptions.from_json(options.to_json()) == options


def test_another_word_for_nested_is_refused():
    with pytest.raises(ValueError, match=r"nested must be one of .*; got 'raggd'"):
        EncodeOptions(nested="raggd")
