"""Strategies for TFX's `Resolver` that pick the baseline of a drift report.

Each resolves the Resolver's channel ``baseline``. Without a baseline the channel is empty, which
`DriftReport` treats as a first run.

The strategies use metadata only. If the files of the chosen Examples are gone, they choose no
substitute, since that would be another comparison than requested: `DriftReport` reports that there
is no baseline, and why.
"""

from __future__ import annotations

from typing import ClassVar

from ml_metadata.metadata_store import metadata_store
from tfx import types
from tfx.dsl.components.common.resolver import ResolverStrategy

from tfx_wine_ext.artifacts.events import last_output, nearest_ancestors
from tfx_wine_ext.artifacts.properties import properties_of, span_of
from tfx_wine_ext.artifacts.spans import before, latest, place_of
from tfx_wine_ext.resolvers.channels import MODEL_KEY, latest_blessed, require

BASELINE_KEY = "baseline"
CURRENT_KEY = "current"

_Artifacts = dict[str, list[types.Artifact]]


class PreviousSpanStrategy(ResolverStrategy):
    """Picks the latest version of the Examples of the span before the current one.

    The previous span is the largest number below the current one; gaps do not matter. If several
    artifacts have the same span and version, the newest is taken.

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
        """Picks at most one artifact from ``baseline``.

        Args:
            store: The metadata store.
            input_dict: ``current``: the Examples of this run (in a notebook TFX finds those of all
                runs, and the last published ones are used). ``baseline``: all candidates.

        Raises:
            ValueError: A key is missing, or the current Examples have no span.
        """
        require(input_dict, CURRENT_KEY, BASELINE_KEY)
        current = input_dict[CURRENT_KEY]
        published = last_output(store, [artifact.id for artifact in current])
        current = sorted(
            current, key=lambda artifact: (published.get(artifact.id, 0), artifact.id)
        )[-1:]
        baseline: list[types.Artifact] = []
        if current:
            span = span_of(properties_of(current[0]))
            if span is None:
                raise ValueError(
                    f"current: expected Examples with a span, found none on {current[0].uri}: "
                    "give the input a pattern with {SPAN}, or pin the baseline"
                )
            baseline = latest(before(input_dict[BASELINE_KEY], span))
        return {**input_dict, CURRENT_KEY: current, BASELINE_KEY: baseline}


class PinnedSpanStrategy(ResolverStrategy):
    """Picks the Examples of a fixed span.

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

    # The author chose this baseline, so `DriftReport` fails if its files are gone.
    PINS: ClassVar[bool] = True

    def __init__(self, span: int, version: int | None = None) -> None:
        self._span = span
        self._version = version

    def resolve_artifacts(
        self, store: metadata_store.MetadataStore, input_dict: _Artifacts
    ) -> _Artifacts | None:
        """Picks at most one artifact from ``baseline``.

        Raises:
            ValueError: ``baseline`` is missing.
        """
        require(input_dict, BASELINE_KEY)
        pinned = []
        for candidate in input_dict[BASELINE_KEY]:
            span, version, _ = place_of(candidate)
            if span == self._span and self._version in (None, version):
                pinned.append(candidate)
        return {**input_dict, BASELINE_KEY: latest(pinned)}


class BlessedModelExamplesStrategy(ResolverStrategy):
    """Picks the Examples that the latest blessed model was trained on, by its lineage.

    New data should resemble what the model in production was trained on. Intermediate Examples,
    such as those of Transform, are skipped: the strategy takes the candidates in ``baseline`` that
    are nearest to the model in its lineage, and of several the newest.

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
        """Picks the latest blessed model, and from ``baseline`` the Examples it was trained on.

        Raises:
            ValueError: A key is missing.
        """
        require(input_dict, BASELINE_KEY)
        blessed = latest_blessed(store, input_dict)
        candidates = {candidate.id: candidate for candidate in input_dict[BASELINE_KEY]}
        trained_on = [
            candidates[ancestor]
            for model in blessed[MODEL_KEY]
            for ancestor in nearest_ancestors(store, model.id, candidates)
        ]
        return {**input_dict, **blessed, BASELINE_KEY: trained_on[-1:]}
