import pytest

from tfx_wine_ext.resolvers.channels import require


def test_all_channels_that_a_strategy_reads_may_be_there_with_others():
    require({"model": [], "blessing": [], "other": []}, "model", "blessing")


def test_a_channel_that_is_missing_is_named_with_those_that_are_there():
    with pytest.raises(ValueError, match=r"^blessing: expected .*, found model, other: Resolver\("):
        require({"other": [], "model": []}, "model", "blessing")
