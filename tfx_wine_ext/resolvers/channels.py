"""A Resolver's channels, as the strategies read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ml_metadata.metadata_store import metadata_store
from tfx import types
from tfx.dsl.components.common import resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)

MODEL_KEY = "model"
MODEL_BLESSING_KEY = "model_blessing"


def require(input_dict: Mapping[str, Any], *names: str) -> None:
    """Raises a ValueError if the Resolver lacks a channel of one of these names."""
    for name in names:
        if name not in input_dict:
            raise ValueError(
                f"{name}: expected a channel of this name, found {', '.join(sorted(input_dict))}: "
                f"Resolver(strategy_class=..., {name}=...)"
            )


def strategy_of(channel: types.BaseChannel | None) -> type[resolver.ResolverStrategy] | None:
    """Returns the strategy of the Resolver that a channel comes from, if it has one."""
    producer = getattr(channel, "producer_component", None)
    if not isinstance(producer, resolver.Resolver):
        return None
    strategy = producer.exec_properties.get(resolver.RESOLVER_STRATEGY_CLASS)
    return strategy if isinstance(strategy, type) else None


def latest_blessed(
    store: metadata_store.MetadataStore, input_dict: Mapping[str, list[types.Artifact]]
) -> dict[str, list[types.Artifact]]:
    """Returns the latest blessed model and its blessing; the latest has the greatest id."""
    require(input_dict, MODEL_KEY, MODEL_BLESSING_KEY)
    channels = {key: input_dict[key] for key in (MODEL_KEY, MODEL_BLESSING_KEY)}
    return LatestBlessedModelStrategy().resolve_artifacts(store, channels) or channels
