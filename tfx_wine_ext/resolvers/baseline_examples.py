"""Which Examples new ones are compared with: strategies for the baseline of a drift report.

Each resolves the channel that the Resolver calls ``baseline``; where there is no baseline, it is
empty, which `DriftReport` takes for a first run.

They go by the metadata alone. Where the files of what they pick are gone, nothing else is picked
in its stead, which would be another comparison than the one asked for: `DriftReport` says that
there is no baseline, and why.
"""

from __future__ import annotations

from typing import ClassVar

from ml_metadata.metadata_store import metadata_store
from tfx import types
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)

from tfx_wine_ext.drivers.drift_report import span_of
from tfx_wine_ext.lineage.events import last_output, nearest_ancestors
from tfx_wine_ext.resolvers.channels import require

BASELINE_KEY = "baseline"
CURRENT_KEY = "current"
MODEL_KEY = "model"
MODEL_BLESSING_KEY = "model_blessing"

_Artifacts = dict[str, list[types.Artifact]]


class PreviousSpanStrategy(ResolverStrategy):
    """The Examples of the span before the current one, in their latest version.

    The previous span is the largest number below the current one; gaps do not matter. Of several
    artifacts of one span and version, the one made last is taken.

    Example:
        >>> from tfx.dsl.components.common.resolver import Resolver
        >>> from tfx.types import standard_artifacts
        >>> from tfx.types.channel import Channel
        >>> from tfx_wine_ext import ParquetExampleGen
        >>> example_gen = ParquetExampleGen("data")
        >>> resolver = Resolver(
        ...     strategy_class=PreviousSpanStrategy,
        ...     current=example_gen.outputs["examples"],
        ...     baseline=Channel(
        ...         type=standard_artifacts.Examples, producer_component_id="ParquetExampleGen"),
        ... ).with_id("PreviousSpan")
        >>> sorted(resolver.outputs)
        ['baseline', 'current']
    """

    def resolve_artifacts(
        self, store: metadata_store.MetadataStore, input_dict: _Artifacts
    ) -> _Artifacts | None:
        """Picks one artifact, or none, from ``baseline``.

        Args:
            store: The metadata store.
            input_dict: ``current``: the Examples of this run; in a notebook, where TFX finds those
                of all runs, the ones given out last are meant. ``baseline``: all that may be one.

        Raises:
            ValueError: a key is missing, or the current Examples have no span.
        """
        require(input_dict, CURRENT_KEY, BASELINE_KEY)
        current = input_dict[CURRENT_KEY]
        given_out = last_output(store, [artifact.id for artifact in current])
        current = sorted(current, key=lambda each: (given_out.get(each.id, 0), each.id))[-1:]
        found: list[types.Artifact] = []
        if current:
            span = span_of(current[0])
            if span is None:
                raise ValueError(
                    f"current: expected Examples with a span, found none on {current[0].uri}: "
                    "give the input a pattern with {SPAN}, or pin the baseline"
                )
            earlier = [each for each in input_dict[BASELINE_KEY] if _span(each) < span]
            found = _latest_of_span(earlier)
        return {**input_dict, CURRENT_KEY: current, BASELINE_KEY: found}


class PinnedSpanStrategy(ResolverStrategy):
    """The Examples of one span, whatever comes after.

    Args:
        span: Number of the span.
        version: Number of the version; None: the latest.

    Example:
        >>> from tfx.dsl.components.common.resolver import Resolver
        >>> from tfx.types import standard_artifacts
        >>> from tfx.types.channel import Channel
        >>> resolver = Resolver(
        ...     strategy_class=PinnedSpanStrategy,
        ...     config={"span": 1},
        ...     baseline=Channel(type=standard_artifacts.Examples),
        ... ).with_id("FirstSpan")
        >>> sorted(resolver.outputs)
        ['baseline']
    """

    # `DriftReport` fails where the files of this one are gone: the author chose it.
    PINS: ClassVar[bool] = True

    def __init__(self, span: int, version: int | None = None) -> None:
        self._span = span
        self._version = version

    def resolve_artifacts(
        self, store: metadata_store.MetadataStore, input_dict: _Artifacts
    ) -> _Artifacts | None:
        """Picks one artifact, or none, from ``baseline``.

        Raises:
            ValueError: ``baseline`` is missing.
        """
        require(input_dict, BASELINE_KEY)
        pinned = [
            each
            for each in input_dict[BASELINE_KEY]
            if _span(each) == self._span and self._version in (None, _version(each))
        ]
        return {**input_dict, BASELINE_KEY: _latest_of_span(pinned)}


class BlessedModelExamplesStrategy(ResolverStrategy):
    """The Examples that the latest blessed model was trained on, found by its lineage.

    What a model in production has learnt from is what new data must be like. Examples that
    Transform or other components made of others do not matter: of those in ``baseline``, the
    nearest ones on the way back from the model are taken; of several, the one made last.

    Example:
        >>> from tfx.dsl.components.common.resolver import Resolver
        >>> from tfx.types import standard_artifacts
        >>> from tfx.types.channel import Channel
        >>> resolver = Resolver(
        ...     strategy_class=BlessedModelExamplesStrategy,
        ...     model=Channel(type=standard_artifacts.Model),
        ...     model_blessing=Channel(type=standard_artifacts.ModelBlessing),
        ...     baseline=Channel(
        ...         type=standard_artifacts.Examples, producer_component_id="ParquetExampleGen"),
        ... ).with_id("TrainedOn")
        >>> sorted(resolver.outputs)
        ['baseline', 'model', 'model_blessing']
    """

    def resolve_artifacts(
        self, store: metadata_store.MetadataStore, input_dict: _Artifacts
    ) -> _Artifacts | None:
        """Picks the latest blessed model, and from ``baseline`` what it was trained on.

        Raises:
            ValueError: a key is missing.
        """
        require(input_dict, MODEL_KEY, MODEL_BLESSING_KEY, BASELINE_KEY)
        blessed = LatestBlessedModelStrategy().resolve_artifacts(
            store, {key: input_dict[key] for key in (MODEL_KEY, MODEL_BLESSING_KEY)}
        )
        assert blessed is not None
        candidates = {each.id: each for each in input_dict[BASELINE_KEY]}
        found = [
            candidates[ancestor]
            for model in blessed[MODEL_KEY]
            for ancestor in nearest_ancestors(store, model.id, candidates)
        ]
        return {**input_dict, **blessed, BASELINE_KEY: found[-1:]}


def _span(artifact: types.Artifact) -> float:
    """The span; one that has none is after all others."""
    span = span_of(artifact)
    return float("inf") if span is None else span


def _version(artifact: types.Artifact) -> int:
    has = artifact.has_custom_property("version")
    return int(artifact.get_int_custom_property("version")) if has else 0


def _latest_of_span(artifacts: list[types.Artifact]) -> list[types.Artifact]:
    return sorted(artifacts, key=lambda each: (_span(each), _version(each), each.id))[-1:]
