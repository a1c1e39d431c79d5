"""What a warm start decided, did and found, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

# Imported for type checkers only: these modules make sentences when they record something.
if TYPE_CHECKING:
    from tfx_wine_ext.warm_start.decision import Decision
    from tfx_wine_ext.warm_start.facts import Fact
    from tfx_wine_ext.warm_start.probe import Verification

# By the name of a `Kind`; the fields are those of a `Fact`, and `_PHRASES` made of them.
SENTENCES: Mapping[str, str] = {
    "SAME": "the same",
    "ROWS_MOVED": "{rows}",
    "SHIFTED": "shifted by moved means, from {name}",
    "COMMON_BLOCK": "the shapes differ: the common block of {block} was copied",
    "COMMON_ROWS": "the shapes differ, and the common part was copied: {rows}",
    "OTHER_SHAPE": "the base has another shape",
    "NOT_THERE": "the base has no such variable",
    "OF_NEW_FEATURE": "the base has no such variable: it belongs to a new feature",
    "OWN_STATISTICS": "its statistics are those of the new data, which is compensated",
    "GONE": "the new model has no such variable",
    "OF_REMOVED_FEATURE": "the new model has no such variable: it belonged to a feature that was "
    "removed",
    "FEATURE_ADDED": "feature {name} is new: its rows are 0",
    "OUTPUT_ADDED": "output of {name} is new: its rows are 0",
    "RESTATED": "feature {name} restated",
    "WAS_CONSTANT": "feature {name} did not vary before: its row is 0",
    "IS_CONSTANT": "feature {name} no longer varies: its constant is in the bias",
    "CODES_FROM_BUCKET": "feature {name}: {count} new codes begin as the bucket of unknown tokens "
    "that they were in",
    "CODES_FROM_DEFAULT": "feature {name}: {count} new codes begin as code {was}, which unknown "
    "tokens had",
    "CODES_FROM_MEAN": "feature {name}: {count} new codes begin as the mean of all tokens",
    "CODES_FROM_ZERO": "feature {name}: {count} new codes begin at 0, as unknown tokens were",
    "CODES_FROM_LAST": "feature {name}: {count} new codes begin as the last bucket",
    "CODES_REMOVED": "{count} codes of {name} vanished",
    "ROWS_REMOVED": "{count} rows of {name} vanished",
    "MEAN_REPLACES": "feature {name} was removed: its mean replaces it",
    "FEATURE_CHANGED": "feature {name}: {change}",
    "BOUNDARIES_MOVED": "feature {name}: its boundaries moved; each bucket keeps its place",
    "FEATURE_REMOVED": "feature {name} was removed, and its mean contribution is unknown",
    "OUTPUT_REMOVED": "output of {name} was removed, and its mean contribution is unknown",
    "NO_BIAS": "means moved, and there is no bias to absorb the shift",
    "NONLINEAR": "feature {name}: {change}, and it reaches {layer}, which may use it in a "
    "nonlinear way",
    "UNTRACED": "feature {name}: {change}, and the model is neither functional nor sequential, so "
    "its inputs cannot be traced",
    "ROWS_DIFFER": "its rows are {now_rows}, in the base {was_rows}",
    "ARGUMENT_CHANGED": "layer {layer}: its {name} was {was!r} and is {now!r}",
    "SHRUNK": "weights were shrunk by {was} and perturbed by {now}",
    "LAYER_ADDED": "layer {layer} is only in the new model",
    "LAYER_REMOVED": "layer {layer} is only in the base",
    "PREDICTIONS_DIFFER": "{now.sentence}",
    "NOT_IN_BASE": "{name} {now} is not in the base",
    "ONLY_IN_BASE": "{name} {was} is only in the base",
    "SHAPES_DIFFER": "{name} has the shape {now}, the base's {was}",
    "LAYERS_DIFFER": "layer {name} is {now}, in the base {was}",
    "NO_OPTIMIZER": "The model has no optimizer.",
    "RESET": "Reset by the policy: fresh state at step 0.",
    "OTHER_OPTIMIZER": "Reset: the optimizer is {now}, the base's was {was}.",
    "NOT_FINITE": "Reset: the base's {name} has values that are not finite.",
    "KEPT": "Kept: {count} variables, step {now}.{fresh}",
}


# By the name of a `Why`; the fields are those of a `Decision`; `model` and `brief` name its
# candidate.
DECISIONS: Mapping[str, str] = {
    "CHOSEN": "Warm start from model {model}, {which}: generation {generation}.",
    "NO_INPUT": "no base_model was given",
    "NOTHING_FOUND": "no base_model was given, or none was found",
    "NO_MODEL": "there is no model yet",
    "NO_BLESSED_MODEL": "there is no blessed model yet",
    "NO_PINNED_MODEL": "the pinned base model {config.pinned!r} does not exist",
    "UNUSABLE": "base model {model} cannot be used: {candidate.problem}",
    "DRIFTED": "the data drifted, and the policy is cold_on_drift",
    "OTHER_SCHEMA": "base model {brief} was trained with another schema, and the policy is "
    "same_schema_only",
    "UNKNOWN_SCHEMA": "base model {brief} was trained with an unknown schema, and the "
    "policy is same_schema_only",
    "TOO_OLD": "base model {brief} has generation {candidate.generation}, and the policy "
    "is max_generations={config.max_generations}",
    "UNKNOWN_BLESSING": "whether base model {model} is blessed is not known where no driver runs, "
    "unless LatestBlessedModelStrategy finds it",
    "UNKNOWN_AGE": "base model {model} is one of several, and which is the latest is not known "
    "where no driver runs",
}
_WHICH = {
    "latest_blessed": "the latest blessed one",
    "latest": "the latest one",
    "pinned": "the pinned one",
}

# By the name of an `Outcome`; the fields are those of a `Verification`.
OUTCOMES: Mapping[str, str] = {
    "AGREES": "Verified: both predict the same on {count} of {total} probed inputs; the largest "
    "difference is {largest:.2g}.",
    "DIFFERS": "The predictions of the new model differ from the base's on {count} of {total} "
    "probed inputs, by up to {largest:.3g}: {suspects}.",
    "OTHER_SHAPES": "The outputs have the shapes {detail[0]}, those of the base {detail[1]}.",
    "NO_PROBE": "Not verified: the base was not run, as {detail}.",
    "EARLIER_RELEASE": "Not verified: the base was not run, as its checkpoint was written by an "
    "earlier release, and has no probe.",
    "TOO_FEW_ROWS": "Not verified: of {total} probed inputs of the base only {count} mean the same "
    "in the new model.",
    "ONLY_NAN": "Not verified: the base predicts nothing but NaN on all but {count} of {total} "
    "probed inputs.",
    "FAILED": "Not verified: the new model could not be run: {detail}.",
}

NOT_ASKED = "Cold start: no warm start was asked for."
NOT_CALLED = (
    "Cold start: the run_fn did not call tfx_wine_ext.warm_start.restore and save, although the "
    "decision was: {}"
)
BASE_UNUSABLE = "Cold start: the base {} cannot be used: {}"
NOT_RUN = "the model could not be run on generated inputs: {!r:.300}"


def sentence(fact: Fact) -> str:
    """Words a fact of a transfer.

    Example:
        >>> from tfx_wine_ext.warm_start.facts import Fact, Kind
        >>> sentence(Fact(Kind.FEATURE_ADDED, "pH", weight="dense/kernel"))
        'dense/kernel: feature pH is new: its rows are 0'
    """
    words = SENTENCES[fact.kind.name].format_map(_Fields(fact))
    return f"{fact.weight}: {words}" if fact.weight else words


def decided(decision: Decision) -> str:
    """Words a decision as a full sentence."""
    words = reason(decision)
    return words if decision.warm else f"Cold start: {words}."


def reason(decision: Decision) -> str:
    """Words the reason of a decision, without the decision itself if it is a cold start."""
    candidate = decision.candidate
    brief = model = ""
    if candidate is not None:  # Without a metadata store it has no id.
        brief = str(candidate.id or candidate.uri)
        model = f"{candidate.id} ({candidate.uri})" if candidate.id else candidate.uri
    return DECISIONS[decision.why.name].format(
        candidate=candidate,
        model=model,
        brief=brief,
        config=decision.config,
        generation=decision.generation,
        which=_WHICH[decision.config.base],
    )


def verified(verification: Verification) -> str:
    """Words the result of a comparison."""
    suspects = "the model differs from that of the checkpoint"
    if verification.suspects is not None:
        suspects = "something that is neither a weight nor in the input specification differs"
        if verification.suspects:
            suspects += f"; check {', '.join(verification.suspects)} first"
    fields = {**vars(verification), "suspects": suspects}
    return OUTCOMES[verification.outcome.name].format(**fields)


def listed(facts: Iterable[Fact], at_most: int) -> str:
    """Words facts, each once, in one line; those beyond `at_most` are counted."""
    words = list(dict.fromkeys(map(sentence, facts)))
    more = f"; and {len(words) - at_most} more" if words[at_most:] else ""
    return "; ".join(words[:at_most]) + more


class _Fields(dict[str, Any]):
    """The fields of a fact, and the phrases that its sentence has."""

    def __init__(self, fact: Fact) -> None:
        super().__init__(vars(fact))
        self._fact = fact

    def __missing__(self, phrase: str) -> str:
        return _PHRASES[phrase](self._fact)


def _moved(fact: Fact) -> str:
    kept, added, vanished = fact.now
    notes = listed(fact.notes, 5) or "rows moved"
    return f"{kept} rows kept, {added} new, {vanished} vanished: {notes}"


def _change(fact: Fact) -> str:
    """Words the change between two transforms."""
    was, now = (type(x).__name__ if x else "nothing" for x in (fact.was, fact.now))
    if not fact.was and not fact.now:
        return "its transform may have changed: the specification does not name it"
    if was != now:
        return f"its transform was {was} and is {now}"
    if was == "Unknown" and not (fact.was.fingerprint and fact.now.fingerprint):
        return "its transform may have changed: it is Unknown without a fingerprint"
    what = {"Buckets": "boundaries moved", "Vocabulary": "vocabulary changed"}
    what["Affine"] = "mean or its scale changed"
    return f"its {what.get(was, 'transform changed')}"


def _rows(labels: Sequence[tuple[str, str]]) -> str:
    what = {"hidden": "outputs of", "column": "columns of", "code": "codes of", "spare": "rows of"}
    names = sorted(f"{what[kind]} {name}" for kind, name in labels)
    return ", ".join(names[:5]) + (", ..." if names[5:] else "")


_PHRASES: Mapping[str, Callable[[Fact], str]] = {
    "rows": _moved,
    "change": _change,
    "block": lambda fact: " x ".join(map(str, fact.now)),
    "now_rows": lambda fact: _rows(fact.now),
    "was_rows": lambda fact: _rows(fact.was),
    "fresh": lambda fact: f" Fresh: {', '.join(fact.was)}." if fact.was else "",
}
