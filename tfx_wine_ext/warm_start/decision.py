"""Decides between a warm and a cold start from plain facts, and gives the reason as a sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from tfx_wine_ext.warm_start.config import WarmStartConfig


class UnusableBaseError(ValueError):
    """The base model cannot be used, and the policy is `on_unusable_base="error"`."""


@dataclasses.dataclass(frozen=True)
class BaseModel:
    """A candidate base model of a warm start.

    Args:
        id: Its artifact id.
        uri: Its URI.
        created: When it was published, in milliseconds since the epoch. It decides nothing: the
            latest model is the one with the greatest id, as for TFX's resolvers.
        blessed: Whether an Evaluator blessed it.
        generation: The number of successive warm starts that led to it; 0: it started cold.
        schema: Fingerprint of the schema it was trained with; None: unknown.
        problem: Why it cannot be used, such as "its folder is gone"; empty: no problem is known.
    """

    id: int
    uri: str
    created: int
    blessed: bool
    generation: int = 0
    schema: str | None = None
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Decision:
    """Whether to start warm, and why.

    Attributes:
        warm: Whether to start from `base`.
        reason: A full sentence, for logs, properties and summaries.
        base: The model to continue from; None for a cold start.
        generation: Generation of the model to be trained: the base's plus one, 0 for a cold start.
        unusable: Whether the start is cold because the base cannot be used, which deserves a
            warning.
    """

    warm: bool
    reason: str
    base: BaseModel | None = None
    generation: int = 0
    unusable: bool = False


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
    base = _chosen(list(candidates), config)
    if base is None and config.base == "pinned":
        return _unusable(f"the pinned base model {config.pinned!r} does not exist", config)
    if base is None:
        kind = "blessed model" if config.base == "latest_blessed" else "model"
        return Decision(False, f"Cold start: there is no {kind} yet.")
    if config.cold_on_drift and drifted:
        return Decision(False, "Cold start: the data drifted, and the policy is cold_on_drift.")
    if base.problem:
        return _unusable(
            f"base model {base.id} ({base.uri}) cannot be used: {base.problem}", config
        )
    if config.same_schema_only and base.schema != schema:
        which = "an unknown" if base.schema is None else "another"
        return Decision(
            False,
            f"Cold start: base model {base.id} was trained with {which} schema, "
            "and the policy is same_schema_only.",
        )
    generation = base.generation + 1
    if config.max_generations is not None and generation > config.max_generations:
        return Decision(
            False,
            f"Cold start: base model {base.id} has generation {base.generation}, "
            f"and the policy is max_generations={config.max_generations}.",
        )
    which = {"latest_blessed": "the latest blessed one", "latest": "the latest one"}.get(
        config.base, "the pinned one"
    )
    reason = f"Warm start from model {base.id} ({base.uri}), {which}: generation {generation}."
    return Decision(True, reason, base, generation)


def _chosen(candidates: list[BaseModel], config: WarmStartConfig) -> BaseModel | None:
    if config.base == "pinned":
        candidates = [
            model for model in candidates if config.pinned in (model.id, str(model.id), model.uri)
        ]
    elif config.base == "latest_blessed":
        candidates = [model for model in candidates if model.blessed]
    return max(candidates, key=lambda model: model.id, default=None)


def _unusable(why: str, config: WarmStartConfig) -> Decision:
    if config.on_unusable_base == "error":
        raise UnusableBaseError(
            f"The warm start has no base: {why}. Pin another model, or set "
            'on_unusable_base="cold" to start cold instead.'
        )
    return Decision(False, f"Cold start: {why}.", unusable=True)
