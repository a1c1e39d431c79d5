"""A strategy for TFX's `Resolver` that picks the base model of a warm start."""

from __future__ import annotations

from ml_metadata.metadata_store import metadata_store
from tfx import types
from tfx.dsl.components.common.resolver import ResolverStrategy

from tfx_wine_ext.resolvers.channels import MODEL_KEY, latest_blessed, require
from tfx_wine_ext.warm_start.config import WarmStartConfig


class BaseModelStrategy(ResolverStrategy):
    """Picks the model that a warm start may continue from, or none if there is none yet.

    The driver of `WarmStartTrainer` takes `base` and `pinned` from here and decides whether to use
    the model.

    Args:
        base: ``latest_blessed`` (default), ``latest`` or ``pinned``; see `WarmStartConfig`.
        pinned: Artifact id or URI, for ``pinned`` only.

    Raises:
        ValueError: `base` is another value, or `pinned` does not fit it.

    Example:
        >>> from tfx.dsl.components.common.resolver import Resolver
        >>> from tfx.types import standard_artifacts
        >>> from tfx.types.channel import Channel
        >>> resolver = Resolver(
        ...     strategy_class=BaseModelStrategy,
        ...     model=Channel(type=standard_artifacts.Model),
        ...     model_blessing=Channel(type=standard_artifacts.ModelBlessing),
        ... ).with_id("BaseModel")
        >>> sorted(resolver.outputs)
        ['model', 'model_blessing']
    """

    def __init__(self, base: str = "latest_blessed", pinned: str | int | None = None) -> None:
        WarmStartConfig(base=base, pinned=pinned)
        self._base = base
        self._pinned = pinned

    def resolve_artifacts(
        self, store: metadata_store.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]] | None:
        """Picks at most one model and, for ``latest_blessed``, its blessing.

        Args:
            store: The metadata store.
            input_dict: ``model`` and, for ``latest_blessed``, ``model_blessing``.

        Raises:
            ValueError: A key is missing.
        """
        if self._base == "latest_blessed":
            return {**input_dict, **latest_blessed(store, input_dict)}
        require(input_dict, MODEL_KEY)
        models = input_dict[MODEL_KEY]
        if self._base == "pinned":
            pinned = self._pinned
            models = [model for model in models if pinned in (model.id, str(model.id), model.uri)]
        latest = sorted(models, key=lambda model: model.id)[-1:]
        return {**input_dict, MODEL_KEY: latest}
