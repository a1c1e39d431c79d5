"""Which row of a base's weight becomes which row of the new one, and by what factor."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.warm_start.architecture import Architecture, Label
from tfx_wine_ext.warm_start.inputs import (
    Affine,
    Buckets,
    FeatureTransform,
    InputSpec,
    Unknown,
    Vocabulary,
)


class Side(NamedTuple):
    """One of the two models, as far as its rows go."""

    architecture: Architecture
    features: dict[str, FeatureTransform]

    @classmethod
    def of(cls, architecture: Architecture, inputs: InputSpec) -> Side:
        """Takes the features of the specification, and those that layers make."""
        return cls(architecture, {**inputs.features, **architecture.features})

    def coding(self, label: Label) -> FeatureTransform | None:
        """What decides what the code of a label means."""
        return self.features.get(self.architecture.codings.get(label.name, ""))


class Shift(NamedTuple):
    """A part of a bias: `factor` times a row of the base's kernel."""

    row: int
    factor: float


@dataclasses.dataclass
class RowPlan:
    """How the rows of a weight are made.

    Row `i` of the new weight is `scale[i]` times the mean of the base's rows `sources[i]`; zeros
    where `sources[i]` is empty, and the new model's own initial values where it is None. The bias
    beside it grows by the sum of `shifts`.

    Attributes:
        sources: Per row, rows of the base.
        own: Per row, whether its source is the row that means the same; the others are stand-ins.
        scale: Per row, `[rows]` float64.
        offset: Per row, how far the column's 0 moved, in the new column's units: what the gradient
            of the bias has a share in. `[rows]` float64.
        shifts: What the bias gains.
        kept: How many rows of the base live on.
        added: How many rows of the new weight have none of their own in the base.
        vanished: How many rows of the base have no place in the new weight.
        notes: What was done besides moving, for the reason.
        not_compensated: What changes the function, sentences.
    """

    sources: list[tuple[int, ...] | None]
    own: list[bool]
    scale: npt.NDArray[Any]
    offset: npt.NDArray[Any]
    shifts: list[Shift] = dataclasses.field(default_factory=list)
    kept: int = 0
    added: int = 0
    vanished: int = 0
    notes: list[str] = dataclasses.field(default_factory=list)
    not_compensated: list[str] = dataclasses.field(default_factory=list)

    @property
    def is_copy(self) -> bool:
        """Whether the new weight is the base's as it is."""
        return (
            not self.vanished
            and not self.shifts
            and bool(np.all(self.scale == 1))
            and self.sources == [(i,) for i in range(len(self.sources))]
        )

    def apply(
        self, base: npt.NDArray[Any], fresh: npt.NDArray[Any], scale: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        """Makes the rows of the new weight, in float64.

        Args:
            base: `[base rows, ...]`.
            fresh: `[rows, ...]`, the new model's own initial values.
            scale: `[rows]`, the factor of each row.
        """
        result = np.array(fresh, np.float64)
        first = [rows[0] if rows else -1 for rows in self.sources]
        single = np.array([rows is not None and len(rows) == 1 for rows in self.sources], bool)
        factors = scale.reshape(-1, *[1] * (base.ndim - 1))
        if single.any():
            taken = np.asarray(base, np.float64)[np.array(first)[single]]
            result[single] = taken * factors[single]
        # Stand-ins share a few lists of rows: each mean is taken once.
        means: dict[tuple[int, ...], npt.NDArray[Any]] = {}
        for i, rows in enumerate(self.sources):
            if rows is None or len(rows) == 1:
                continue
            if rows and rows not in means:
                means[rows] = np.asarray(base, np.float64)[list(rows)].mean(axis=0)
            result[i] = means[rows] * scale[i] if rows else 0
        return result


def plan_rows(
    name: str, base: Side, new: Side, base_labels: Sequence[Label], new_labels: Sequence[Label]
) -> RowPlan:
    """Plans the rows of a kernel or an embedding.

    Args:
        name: Of the weight, for messages.
        base: The base.
        new: The new model.
        base_labels: What the base's rows are.
        new_labels: What the new rows are.
    """
    count = len(new_labels)
    plan = RowPlan([()] * count, [False] * count, np.ones(count), np.zeros(count))
    # The same column may come twice: the second one belongs to the second one.
    base_rows: dict[str, dict[Label, list[int]]] = collections.defaultdict(dict)
    for row, label in enumerate(base_labels):
        base_rows[label.name].setdefault(label, []).append(row)
    groups: dict[tuple[str, str], list[int]] = collections.defaultdict(list)
    for row, label in enumerate(new_labels):
        kind = "code" if label.kind == "spare" else label.kind
        groups[kind, label.name].append(row)
    is_table = name.endswith("/embeddings")
    used: set[int] = set()
    for (kind, of), rows in groups.items():
        theirs = base_rows.get(of, {})
        if kind == "code":
            _plan_codes(plan, base, new, [(r, new_labels[r]) for r in rows], theirs, is_table, used)
        else:
            _plan_columns(plan, base, new, [(r, new_labels[r]) for r in rows], theirs, used)
    _plan_removed(plan, name, base, base_labels, used, {of for _, of in groups})
    plan.kept = len(used)
    plan.vanished = len(base_labels) - len(used)
    plan.added = plan.own.count(False)
    return plan


def _plan_columns(
    plan: RowPlan,
    base: Side,
    new: Side,
    rows: list[tuple[int, Label]],
    theirs: dict[Label, list[int]],
    used: set[int],
) -> None:
    """Rows of columns and of hidden outputs: by their label, with the factor of their scale."""
    label = rows[0][1]
    is_column = label.kind == "column"
    old, now = (side.features.get(label.name) if is_column else None for side in (base, new))
    waiting = {key: list(value) for key, value in theirs.items()}
    for row, key in rows:
        found = waiting.get(key)
        if not found:
            continue
        source = found.pop(0)
        used.add(source)
        plan.sources[row] = (source,)
        plan.own[row] = True
        if is_column and old != now and isinstance(old, Affine) and isinstance(now, Affine):
            _restate(plan, row, source, old, now)
    if not any(plan.own[row] for row, _ in rows):
        what = "feature" if is_column else "output of"
        plan.notes.append(f"{what} {label.name} is new: its rows are 0")
    elif is_column and differ(old, now) and not _both_affine(old, now):
        plan.not_compensated.append(f"feature {label.name}: {change(old, now)}")
    elif is_column and isinstance(now, Affine) and not now.scale and old != now:
        plan.notes.append(f"feature {label.name} no longer varies: its constant is in the bias")


def _restate(plan: RowPlan, row: int, source: int, old: Affine, now: Affine) -> None:
    """Makes `w' z' + b'` equal to `w z + b`, for the same raw value.

    With `z = (x - c) / s` before and `z' = (x - c') / s'` now, `z = (s' / s) z' + (c' - c) / s`.
    """
    if (old.center, old.scale) == (now.center, now.scale):
        return
    if not old.scale:
        plan.sources[row] = ()  # It was 0 throughout, and so is its influence.
        plan.notes.append(f"feature {now.feature} did not vary before: its row is 0")
        return
    plan.scale[row] = now.scale / old.scale
    plan.shifts.append(Shift(source, (now.center - old.center) / old.scale))
    if now.scale:
        plan.offset[row] = (now.center - old.center) / now.scale
        plan.notes.append(f"feature {now.feature} restated")
    else:
        plan.sources[row] = ()


def _plan_codes(
    plan: RowPlan,
    base: Side,
    new: Side,
    rows: list[tuple[int, Label]],
    theirs: dict[Label, list[int]],
    is_table: bool,
    used: set[int],
) -> None:
    """Rows of codes: they move with their token."""
    now = new.coding(rows[0][1])
    feature = now.feature if now else rows[0][1].name
    own = {label.place: found[0] for label, found in theirs.items() if label.kind == "code"}
    spare = {label.place: found[0] for label, found in theirs.items() if label.kind == "spare"}
    old = base.coding(Label("code", rows[0][1].name, 0))
    if not own or now is None or type(old) is not type(now):
        if own:
            plan.not_compensated.append(f"feature {feature}: {change(old, now)}")
        else:
            plan.notes.append(f"feature {feature} is new: its rows are 0")
        return
    codes = CodeMap(old, is_table)
    for row, label in rows:
        if label.kind == "spare":
            source = spare.get(label.place)
            plan.sources[row] = None if source is None else (source,)
            plan.own[row] = source is not None
            if source is not None:
                used.add(source)
            continue
        sources, exact = codes.find(now, label.place)
        found = all(code in own for code in sources)
        plan.sources[row] = tuple(own[code] for code in sources) if found else ()
        plan.own[row] = exact and found
        if plan.own[row]:
            used.update(plan.sources[row] or ())
    if isinstance(old, Buckets) and isinstance(now, Buckets) and old.boundaries != now.boundaries:
        plan.not_compensated.append(
            f"feature {feature}: its boundaries moved; each bucket keeps its place"
        )
    new_tokens = sum(not plan.own[row] for row, label in rows if label.kind == "code")
    if new_tokens:
        plan.notes.append(f"feature {feature}: {new_tokens} new codes {codes.stand_in}")


class CodeMap:
    """Where the codes of a new coding are in an old one.

    Args:
        old: The old coding.
        is_table: Whether the rows are those of an embedding, where no code is looked up as zeros.
    """

    def __init__(self, old: FeatureTransform | None, is_table: bool) -> None:
        self._old = old
        self._is_table = is_table
        self._place: dict[str, int] = {}
        self.stand_in = ""
        if isinstance(old, Vocabulary):
            self._place = {token: old.first_token + i for i, token in enumerate(old.tokens)}
            self._oov = tuple(range(old.first_bucket, old.first_bucket + old.oov_buckets))
            if self._oov:
                self.stand_in = "begin as the bucket of unknown tokens that they were in"
            elif old.default >= 0:
                self.stand_in = f"begin as code {old.default}, which unknown tokens had"
            elif is_table:
                self.stand_in = "begin as the mean of all tokens"
            else:
                self.stand_in = "begin at 0, as unknown tokens were"
        self._buckets: dict[str, int] = {}

    def find(self, now: FeatureTransform, code: int) -> tuple[tuple[int, ...], bool]:
        """Returns the old codes whose mean a new one begins with, and whether it means the same."""
        old = self._old
        if isinstance(old, Buckets) and isinstance(now, Buckets):
            last = old.size - 1
            return (min(code, last),), code <= last
        if not isinstance(old, Vocabulary) or not isinstance(now, Vocabulary):
            return (), False
        if code < now.reserved:
            return ((code,), True) if code < old.reserved else (self._unknown(), False)
        place = code - now.first_token
        if 0 <= place < len(now.tokens):
            token = now.tokens[place]
            if token in self._place:
                return (self._place[token],), True
            return self._unknown_token(token, now), False
        bucket = code - now.first_bucket
        if self._oov and now.oov_buckets % len(self._oov) == 0:
            # Where the hash modulo 6 is 5, it is 1 modulo 2.
            same = now.oov_buckets == len(self._oov)
            return (self._oov[bucket % len(self._oov)],), same
        return self._unknown(), False

    def _unknown(self) -> tuple[int, ...]:
        """The codes that stand for "anything unknown"."""
        old = self._old
        if self._oov:
            return self._oov
        if isinstance(old, Vocabulary) and old.default >= 0:
            return (old.default,)
        return tuple(self._place.values()) if self._is_table else ()

    def _unknown_token(self, token: str, now: Vocabulary) -> tuple[int, ...]:
        if len(self._oov) < 2:
            return self._unknown()
        if not self._buckets:
            fresh = [x for x in now.tokens if x not in self._place]
            buckets = hash_buckets(fresh, len(self._oov), now.integers)
            self._buckets = dict(zip(fresh, buckets))
        return (self._oov[self._buckets[token]],)


def hash_buckets(tokens: Sequence[str], count: int, integers: bool = False) -> list[int]:
    """The out-of-vocabulary bucket of each token, as TensorFlow's lookup tables hash it.

    Args:
        tokens: Texts.
        count: How many buckets there are.
        integers: Whether the tokens are integers, whose bucket is the remainder.

    Example:
        >>> hash_buckets(["Porto", "Braga"], 1)
        [0, 0]
    """
    if count == 1:
        return [0] * len(tokens)
    if integers:
        return [int(token) % count for token in tokens]
    import tensorflow as tf

    encoded = [token.encode("utf-8", "surrogateescape") for token in tokens]
    buckets: list[int] = tf.strings.to_hash_bucket_fast(encoded, count).numpy().tolist()
    return buckets


def _plan_removed(
    plan: RowPlan,
    name: str,
    base: Side,
    labels: Sequence[Label],
    used: set[int],
    still_there: set[str],
) -> None:
    """What became of the base's rows that no new row means the same as."""
    gone: dict[tuple[str, str], list[int]] = collections.defaultdict(list)
    for row, label in enumerate(labels):
        if row not in used and label.kind != "spare":
            gone[label.kind, label.name].append(row)
    for (kind, of), rows in gone.items():
        transform = base.features.get(of)
        if kind == "code" and of in still_there:
            plan.notes.append(f"{len(rows)} codes of {base.architecture.codings[of]} vanished")
        elif kind == "column" and isinstance(transform, Affine) and transform.mean is not None:
            z = (transform.mean - transform.center) / transform.scale if transform.scale else 0.0
            plan.shifts += [Shift(row, z) for row in rows if z]
            plan.notes.append(f"feature {of} was removed: its mean stands in for it")
        elif name.endswith("/embeddings"):
            plan.notes.append(f"{len(rows)} rows of {of} vanished")
        else:
            what = "feature" if kind != "hidden" else "output of"
            plan.not_compensated.append(
                f"{what} {of} was removed, and its mean contribution is not known"
            )


def _both_affine(old: FeatureTransform | None, now: FeatureTransform | None) -> bool:
    return isinstance(old, Affine) and isinstance(now, Affine)


def differ(old: FeatureTransform | None, now: FeatureTransform | None) -> bool:
    """Whether two transforms may give other numbers; None: the feature is not there."""
    if old is None or now is None or type(old) is not type(now):
        return True
    if isinstance(old, Affine) and isinstance(now, Affine):
        return (old.center, old.scale) != (now.center, now.scale)
    return old != now or _is_blind(old)


def _is_blind(transform: FeatureTransform) -> bool:
    return isinstance(transform, Unknown) and not transform.fingerprint


def change(old: FeatureTransform | None, now: FeatureTransform | None) -> str:
    """What changed between two transforms, for messages."""
    if old is None and now is None:
        return "nothing tells whether its transform changed, as the specification does not name it"
    if old is None or now is None or type(old) is not type(now):
        before, after = (type(x).__name__ if x else "nothing" for x in (old, now))
        return f"its transform was {before} and is {after}"
    if _is_blind(old) or _is_blind(now):
        return "nothing tells whether its transform changed, as it is Unknown without a fingerprint"
    if isinstance(old, Buckets):
        return "its boundaries moved"
    if isinstance(old, Vocabulary):
        return "its vocabulary changed"
    return "its mean or its scale changed" if isinstance(old, Affine) else "its transform changed"
