"""Decides between a warm and a cold start from plain facts."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable

from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.report.words import warm_start as words
from tfx_wine_ext.warm_start.config import WarmStartConfig


class UnusableBaseError(TfxWineExtError, ValueError):
    """The base model cannot be used, and the policy is `on_unusable_base="error"`.

    `path` is the base's folder, if there is one.
    """


START_COLD = 'set on_unusable_base="cold" to start cold instead'
"""The remedy for every unusable base."""


@dataclasses.dataclass(frozen=True)
class BaseModel:
    """A candidate base model of a warm start.

    Args:
        id: Its artifact id; 0 where there is no metadata store that gives ids.
        uri: Its URI.
        created: When it was published, in milliseconds since the epoch. It decides nothing: the
            latest model is the one with the greatest id, as for TFX's resolvers.
        blessed: Whether an Evaluator blessed it; None: nobody can say here.
        generation: The number of successive warm starts that led to it; 0: it started cold.
        schema: Fingerprint of the schema it was trained with; None: unknown.
        problem: Why it cannot be used, such as "its folder is gone"; empty: no problem is known.
    """

    id: int
    uri: str
    created: int
    blessed: bool | None
    generation: int = 0
    schema: str | None = None
    problem: str = ""


Why = enum.Enum(
    "Why",
    "CHOSEN NO_INPUT NO_MODEL NO_BLESSED_MODEL NO_PINNED_MODEL UNUSABLE DRIFTED OTHER_SCHEMA "
    "UNKNOWN_SCHEMA TOO_OLD UNKNOWN_BLESSING UNKNOWN_AGE NOTHING_FOUND",
)
"""The reasons of decisions; all but ``CHOSEN`` are reasons for a cold start."""


@dataclasses.dataclass(frozen=True)
class Decision:
    """Whether to start warm, and why.

    Attributes:
        why: The reason.
        config: The policy.
        candidate: The model that the policy selects, even if it is not used; None if there is none.
    """

    why: Why
    config: WarmStartConfig
    candidate: BaseModel | None = None

    @property
    def warm(self) -> bool:
        """Whether to start from `base`."""
        return self.why is Why.CHOSEN

    @property
    def base(self) -> BaseModel | None:
        """The model to continue from; None for a cold start."""
        return self.candidate if self.warm else None

    @property
    def generation(self) -> int:
        """Generation of the model to be trained: the base's plus one, 0 for a cold start."""
        return self.base.generation + 1 if self.base else 0

    @property
    def unusable(self) -> bool:
        """Whether the start is cold because the base cannot be used, which deserves a warning."""
        return self.why in (
            Why.NO_PINNED_MODEL,
            Why.UNUSABLE,
            Why.UNKNOWN_BLESSING,
            Why.UNKNOWN_AGE,
        )

    @property
    def reason(self) -> str:
        """A full sentence, for logs, properties and summaries."""
        return words.decided(self)


def decide(
    candidates: Iterable[BaseModel],
    config: WarmStartConfig,
    *,
    schema: str | None = None,
    drifted: bool = False,
) -> Decision:
    """Decides whether the next model starts warm, and from which base.

    `config.base` selects one base, which is then checked. If it is rejected, the start is cold,
    since an older base would lose what the newer one learnt.

    Args:
        candidates: The models of earlier runs, in any order.
        config: The policy.
        schema: Fingerprint of the schema of the new data, for `config.same_schema_only`.
        drifted: Whether the new data drifted, for `config.cold_on_drift`.

    Raises:
        UnusableBaseError: The base is damaged, or the pinned base does not exist, and
            `config.on_unusable_base` is ``"error"``. A first run without any base is never an
            error.
        ValueError: `config.same_schema_only` is set, and there is no `schema`.

    Example:
        >>> first = BaseModel(id=7, uri="models/7", created=1000, blessed=True)
        >>> second = BaseModel(id=9, uri="models/9", created=2000, blessed=False)
        >>> decide([first, second], WarmStartConfig()).reason
        'Warm start from model 7 (models/7), the latest blessed one: generation 1.'
        >>> decide([second], WarmStartConfig()).reason
        'Cold start: there is no blessed model yet.'
        >>> decide([first], WarmStartConfig(cold_on_drift=True), drifted=True).reason
        'Cold start: the data drifted, and the policy is cold_on_drift.'
    """
    if config.same_schema_only and schema is None:
        raise ValueError("same_schema_only needs the fingerprint of the new data's schema")
    candidates = list(candidates)
    allowed = _allowed(candidates, config)
    candidate = max(allowed, key=lambda model: model.id, default=None)
    if candidate is None and config.base == "latest_blessed" and _unsaid(candidates):
        decision = Decision(Why.UNKNOWN_BLESSING, config, _unsaid(candidates)[0])
    elif [model.id for model in allowed].count(candidate.id if candidate else 0) > 1:
        decision = Decision(Why.UNKNOWN_AGE, config, candidate)
    else:
        decision = Decision(_why(candidate, config, schema, drifted), config, candidate)
    if decision.unusable and config.on_unusable_base == "error":
        raise UnusableBaseError(
            f"the warm start has no base: {words.reason(decision)}",
            ("pin another model", START_COLD),
            path=candidate.uri if candidate else "",
        )
    return decision


def _why(
    candidate: BaseModel | None, config: WarmStartConfig, schema: str | None, drifted: bool
) -> Why:
    if candidate is None:
        return {"pinned": Why.NO_PINNED_MODEL, "latest": Why.NO_MODEL}.get(
            config.base, Why.NO_BLESSED_MODEL
        )
    if config.cold_on_drift and drifted:
        return Why.DRIFTED
    if candidate.problem:
        return Why.UNUSABLE
    if config.same_schema_only and candidate.schema != schema:
        return Why.UNKNOWN_SCHEMA if candidate.schema is None else Why.OTHER_SCHEMA
    if config.max_generations is not None and candidate.generation >= config.max_generations:
        return Why.TOO_OLD
    return Why.CHOSEN


def _allowed(candidates: list[BaseModel], config: WarmStartConfig) -> list[BaseModel]:
    """Returns the models of which the policy takes the latest."""
    if config.base == "pinned":
        return [
            model for model in candidates if config.pinned in (model.id, str(model.id), model.uri)
        ]
    if config.base == "latest_blessed":
        return [model for model in candidates if model.blessed]
    return candidates


def _unsaid(candidates: list[BaseModel]) -> list[BaseModel]:
    """Returns the models of which nobody can say whether they are blessed."""
    return [model for model in candidates if model.blessed is None]
