"""Transfers a checkpoint to a new model, which then predicts what the base did."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.warm_start.architecture import (
    HANDED_ON,
    Architecture,
    LayerFacts,
    examine,
    parts_of,
)
from tfx_wine_ext.warm_start.checkpoint import Checkpoint, is_finite
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.inputs import Coded, InputSpec
from tfx_wine_ext.warm_start.optimizer import (
    NO_WEIGHT,
    optimizer_of,
    power_of,
    set_step,
    slots_of,
    step_of,
)
from tfx_wine_ext.warm_start.probe import make_probe, verify
from tfx_wine_ext.warm_start.report import TransferReport, VariableTransfer
from tfx_wine_ext.warm_start.rows import RowPlan, Side, change, differ, plan_rows


class MismatchError(ValueError):
    """The base has another architecture than the model."""


def checkpoint_of(
    model: Any, inputs: InputSpec, *, step: int | None = None, generation: int = 0
) -> Checkpoint:
    """Makes a checkpoint of a Keras model.

    Args:
        model: A built model; if it is compiled, the optimizer's state is included.
        inputs: The transforms of its inputs.
        step: Training steps so far. Default: the optimizer's step count.
        generation: The number of successive warm starts that led to the model.

    Raises:
        ValueError: The model is not built, or `inputs` does not fit it.
    """
    import keras

    architecture, weights = examine(model, inputs)
    probe, no_probe = make_probe(model, inputs)
    optimizer = optimizer_of(model)
    slots = slots_of(model, weights)
    return Checkpoint(
        weights={name: _value(weight) for name, weight in weights.items()},
        inputs=inputs,
        architecture=architecture.to_dict(),
        slots={
            slot: {name: _value(x) for name, x in variables.items()}
            for slot, variables in slots.items()
        },
        optimizer=type(optimizer).__name__ if optimizer is not None else "",
        optimizer_step=step_of(model),
        step=step_of(model) if step is None else step,
        generation=generation,
        library=f"keras {keras.__version__}",
        probe=probe,
        no_probe=no_probe,
    )


def transfer(
    checkpoint: Checkpoint,
    model: Any,
    inputs: InputSpec,
    config: WarmStartConfig | None = None,
) -> TransferReport:
    """Transfers a checkpoint to a new model.

    Before the first training step the model predicts what the base did for the same raw examples,
    except for the changes in `TransferReport.not_compensated`. If an error is raised, the model is
    unchanged. docs/warm-start.md says what is compensated, and how.

    Args:
        checkpoint: The base.
        model: The new Keras model, built. If it is compiled, its optimizer's state is transferred
            or reset, as `config.optimizer` says.
        inputs: The transforms of the new model's inputs.
        config: What to do on a shape mismatch and with the optimizer, and whether to shrink and
            perturb; the choice of the base is ignored. Default: `WarmStartConfig()`.

    Raises:
        MismatchError: The checkpoint does not hold a Keras model, or it has another architecture
            and `config.on_shape_mismatch` is ``"error"``. The message names the variables and both
            shapes.
        ValueError: The model is not built, `inputs` does not fit it, or
            `config.learning_rate_factor` is not 1 and the learning rate is a schedule.

    Example:
        The mean moves by one standard deviation:

        >>> import keras
        >>> from tfx_wine_ext.warm_start.inputs import Affine
        >>> def build():
        ...     return keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])
        >>> base, new = build(), build()
        >>> before = InputSpec({"x": [Affine.z_score("pH", 3.0, 0.5)]})
        >>> after = InputSpec({"x": [Affine.z_score("pH", 3.5, 1.0)]})
        >>> report = transfer(checkpoint_of(base, before), new, after)
        >>> [(x.name, x.action) for x in report.variables]
        [('dense/kernel', 'remapped'), ('dense/bias', 'remapped')]
        >>> ph = np.array([[3.2]])
        >>> was, now = base((ph - 3.0) / 0.5), new((ph - 3.5) / 1.0)
        >>> bool(abs(was - now) < 1e-5)
        True
    """
    work = _Transfer(checkpoint, model, inputs, config or WarmStartConfig())
    return work.run()


@dataclasses.dataclass
class _Planned:
    """The planned values of one weight."""

    value: npt.NDArray[Any]
    entry: VariableTransfer
    rows: RowPlan | None = None
    overlap: tuple[slice, ...] | None = None


class _Transfer:
    def __init__(
        self, checkpoint: Checkpoint, model: Any, inputs: InputSpec, config: WarmStartConfig
    ) -> None:
        self._checkpoint = checkpoint
        self._model = model
        self._config = config
        self._inputs = inputs
        sizes = {name: len(x) if x.ndim else 0 for name, x in checkpoint.weights.items()}
        try:
            known = Architecture.from_dict(checkpoint.architecture, sizes)
        except ValueError as error:
            raise MismatchError(
                f"the base is not a Keras model ({error}): was it trained by another run_fn?"
            ) from None
        self._check_codings(known, checkpoint.inputs)
        follow_made = "made" in checkpoint.architecture
        architecture, self._weights = examine(model, inputs, follow_made=follow_made)
        self._base = Side.of(known, checkpoint.inputs)
        self._new = Side.of(architecture, inputs)
        self._kept = self._kept_statistics()
        self._not_compensated: list[str] = []
        self._mismatches: list[str] = []

    def run(self) -> TransferReport:
        config = self._config
        self._check_learning_rate()
        planned = {name: self._plan(name) for name in self._weights}
        self._shift_biases(planned)
        skipped = self._skipped()
        self._compare_layers()
        self._compare_opaque()
        if self._mismatches and config.on_shape_mismatch == "error":
            raise MismatchError(
                "the base has another architecture: "
                + "; ".join(self._mismatches[:10])
                + (f"; and {len(self._mismatches) - 10} more" if self._mismatches[10:] else "")
                + '. Use the base\'s architecture, or choose on_shape_mismatch="initialise" or '
                '"overlap"'
            )
        self._not_compensated += self._mismatches
        self._shrink_and_perturb(planned)
        for name, plan in planned.items():
            self._weights[name].assign(plan.value)
        finalize_statistics(self._model)
        optimizer = self._carry_optimizer(planned)
        checkpoint = self._checkpoint
        verification = verify(
            checkpoint.probe,
            checkpoint.no_probe,
            self._model,
            self._inputs,
            self._new,
            checkpoint.inputs,
            self._base,
        )
        if verification.differs:
            explained = [*self._not_compensated, *self._only_in_one()]
            self._not_compensated = explained or [verification.sentence]
        return TransferReport(
            warm=True,
            reason="Warm start.",
            generation=self._checkpoint.generation + 1,
            base_step=self._checkpoint.step,
            variables=(*(plan.entry for plan in planned.values()), *skipped),
            optimizer=optimizer,
            not_compensated=tuple(dict.fromkeys(self._not_compensated)),
            optimizer_step=step_of(self._model),
            verified=verification.verified,
            verification=verification.sentence,
        )

    @staticmethod
    def _check_codings(base: Architecture, inputs: InputSpec) -> None:
        """Checks that the base defines its codes: checkpoints are untrusted."""
        features = {**inputs.features, **base.features}
        for name, labels in base.rows.items():
            for of in {label.name for label in labels if label.kind == "code"}:
                if not isinstance(features.get(base.codings.get(of, "")), Coded):
                    raise MismatchError(
                        f"the base is damaged: it does not define the codes {of!r:.60} of "
                        f"{name!r:.60}"
                    )

    # --- weights -------------------------------------------------------------------------------

    def _plan(self, name: str) -> _Planned:
        fresh = _value(self._weights[name])
        base = self._checkpoint.weights.get(name)
        if _layer(name) in self._kept:
            reason = "its statistics are those of the new data, which is compensated"
            return _Planned(fresh, _entry(name, "initialised", reason, fresh, base))
        if base is None:
            reason = "the base has no such variable"
            if self._is_added(name):
                reason += ": it belongs to a new feature"
            else:
                self._mismatches.append(f"{name} {list(fresh.shape)} is not in the base")
            return _Planned(fresh, _entry(name, "initialised", reason, fresh, None))
        rows = self._rows(name, base, fresh)
        if rows is not None and base.shape[1:] == fresh.shape[1:]:
            return self._remapped(name, base, fresh, rows)
        if base.shape != fresh.shape:
            return self._mismatched(name, base, fresh, rows)
        return _Planned(_like(base, fresh), _entry(name, "restored", "the same", fresh, base))

    def _rows(self, name: str, base: npt.NDArray[Any], fresh: npt.NDArray[Any]) -> RowPlan | None:
        base_labels = self._base.architecture.rows.get(name)
        new_labels = self._new.architecture.rows.get(name)
        if base_labels is None or new_labels is None or base.ndim != fresh.ndim:
            return None
        theirs, ours = ({(x.kind, x.name) for x in labels} for labels in (base_labels, new_labels))
        again = {x for _, x in theirs} & set(self._new.features) or {x for _, x in ours} & set(
            self._base.features
        )
        if base.shape == fresh.shape and not theirs & ours and again:
            # A layer was inserted or removed before this one: the rows are assumed unchanged.
            self._not_compensated.append(
                f"{name}: its rows are {_listed(ours)}, in the base {_listed(theirs)}"
            )
            return None
        return plan_rows(name, self._base, self._new, base_labels, new_labels)

    def _remapped(
        self, name: str, base: npt.NDArray[Any], fresh: npt.NDArray[Any], rows: RowPlan
    ) -> _Planned:
        if rows.is_copy:
            value, entry = _like(base, fresh), _entry(name, "restored", "the same", fresh, base)
            self._not_compensated += [f"{name}: {x}" for x in rows.not_compensated]
            return _Planned(value, entry, rows)
        bias = self._new.architecture.biases.get(name)
        if any(shift.factor for shift in rows.shifts) and bias is None:
            rows.not_compensated.append("means moved, and there is no bias to absorb the shift")
        self._not_compensated += [f"{name}: {x}" for x in rows.not_compensated]
        entry = dataclasses.replace(
            _entry(name, "remapped", _sentence(rows), fresh, base),
            kept=rows.kept,
            added=rows.added,
            vanished=rows.vanished,
        )
        return _Planned(_like(rows.apply(base, fresh, rows.scale), fresh), entry, rows)

    def _mismatched(
        self, name: str, base: npt.NDArray[Any], fresh: npt.NDArray[Any], rows: RowPlan | None
    ) -> _Planned:
        self._mismatches.append(
            f"{name} has the shape {list(fresh.shape)}, the base's {list(base.shape)}"
        )
        if self._config.on_shape_mismatch != "overlap" or base.ndim != fresh.ndim:
            return _Planned(
                fresh, _entry(name, "initialised", "the base has another shape", fresh, base)
            )
        block = tuple(slice(min(a, b)) for a, b in zip(base.shape, fresh.shape))
        size = " x ".join(str(part.stop) for part in block)
        reason = f"the shapes differ: the common block of {size} was copied"
        if rows is not None:
            # Rows are matched by their labels, so only the other axes are cut.
            block = (slice(None), *block[1:])
            reason = f"the shapes differ, and the common part was copied: {_sentence(rows)}"
            self._not_compensated += [f"{name}: {x}" for x in rows.not_compensated]
        plan = _Planned(fresh, _entry(name, "remapped", reason, fresh, base), rows, block)
        plan.value = _merged(plan, base, fresh, rows.scale if rows else None)
        return plan

    def _shift_biases(self, planned: dict[str, _Planned]) -> None:
        """Adds the effect of moved input means to the biases."""
        for kernel, bias in self._new.architecture.biases.items():
            rows = planned[kernel].rows if kernel in planned else None
            if rows is None or bias not in planned:
                continue
            shifts = [shift for shift in rows.shifts if shift.factor]
            target = planned[bias]
            if not shifts or target.entry.action == "initialised":
                continue
            base = np.asarray(self._checkpoint.weights[kernel], np.float64)
            gain = np.sum([base[shift.row] * shift.factor for shift in shifts], axis=0)
            value = np.array(target.value, np.float64)
            value[: len(gain)] += gain[: len(value)]
            target.value = _like(value, target.value)
            target.entry = dataclasses.replace(
                target.entry, action="remapped", reason=f"shifted by moved means, from {kernel}"
            )

    def _skipped(self) -> list[VariableTransfer]:
        skipped = []
        for name, base in self._checkpoint.weights.items():
            if name in self._weights:
                continue
            reason = "the new model has no such variable"
            facts = self._facts(self._base, name)
            if _layer(name) in self._base.architecture.made:
                reason = "its statistics are those of the new data, which is compensated"
            elif facts and facts.features and not set(facts.features) & set(self._new.features):
                reason += ": it belonged to a feature that was removed"
            else:
                self._mismatches.append(f"{name} {list(base.shape)} is only in the base")
            skipped.append(VariableTransfer(name, "skipped", reason, None, base.shape))
        return skipped

    def _is_added(self, name: str) -> bool:
        """Returns whether a weight depends only on features that the base does not have."""
        facts = self._facts(self._new, name)
        return bool(facts and facts.features and not set(facts.features) & set(self._base.features))

    @staticmethod
    def _facts(side: Side, weight: str) -> LayerFacts | None:
        """Returns the layer of a weight: the one with the longest prefix of the weight's name."""
        parts = weight.split("/")
        for count in range(len(parts) - 1, 0, -1):
            facts = side.architecture.layers.get("/".join(parts[:count]))
            if facts is not None:
                return facts
        return None

    def _kept_statistics(self) -> set[str]:
        """Returns the layers that keep their own mean and variance; the next kernel compensates.

        The others receive the base's statistics, like all weights, and so keep their function.
        """
        new, base = self._new.architecture, self._base.architecture
        blurred = {x for side in (new, base) for names in side.opaque.values() for x in names}
        kept = set()
        for layer, features in new.made.items():
            if not blurred & set(features) and set(features) <= set(base.features):
                kept.add(layer)
            elif (
                any(_layer(name) == layer for name in self._weights)
                and layer in base.made
                and set(features) == set(base.made[layer])
            ):
                facts = new.layers[layer].features
                if not any(
                    differ(self._base.features.get(x), self._new.features.get(x)) for x in facts
                ):
                    self._new.features.update(base.made[layer])
        return kept

    # --- what is not compensated ---------------------------------------------------------------

    def _compare_layers(self) -> None:
        for name, new in self._new.architecture.layers.items():
            base = self._base.architecture.layers.get(name)
            if base is None:
                continue
            if (base.kind, base.settings) != (new.kind, new.settings):
                was, now = (f"{x.kind} {dict(x.settings)}" for x in (base, new))
                self._mismatches.append(f"layer {name} is {now}, in the base {was}")
            for key in sorted(set(base.config) & set(new.config)):
                if base.config[key] != new.config[key]:
                    self._not_compensated.append(
                        f"layer {name} ({new.kind}): its {key} was {base.config[key]!r} and is "
                        f"{new.config[key]!r}"
                    )

    def _only_in_one(self) -> list[str]:
        """Describes layers without weights, such as an activation, that only one model has."""
        sentences = []
        for side, other, where in (
            (self._new, self._base, "only in the new model"),
            (self._base, self._new, "only in the base"),
        ):
            for name, facts in side.architecture.layers.items():
                if name not in other.architecture.layers and facts.kind not in HANDED_ON:
                    sentences.append(f"layer {name} ({facts.kind}) is {where}")
        return sentences

    def _compare_opaque(self) -> None:
        """Reports changed features that reach a layer in which they are not compensated."""
        if not (self._base.architecture.walked and self._new.architecture.walked):
            for name in sorted(set(self._base.features) | set(self._new.features)):
                old, now = self._base.features.get(name), self._new.features.get(name)
                if differ(old, now):
                    self._not_compensated.append(
                        f"feature {name}: {change(old, now)}, and the model is neither functional "
                        "nor sequential, so its inputs cannot be traced"
                    )
            return
        for layer, features in self._new.architecture.opaque.items():
            facts = self._new.architecture.layers.get(layer)
            kind = facts.kind if facts else "operation"
            for name in features:
                old, now = self._base.features.get(name), self._new.features.get(name)
                if differ(old, now):
                    self._not_compensated.append(
                        f"feature {name}: {change(old, now)}, and it reaches {layer} ({kind}), "
                        "which may use it in a nonlinear way"
                    )

    # --- policy --------------------------------------------------------------------------------

    def _shrink_and_perturb(self, planned: dict[str, _Planned]) -> None:
        shrink, perturb = self._config.shrink, self._config.perturb
        if shrink == 1 and perturb == 0:
            return
        for name, plan in planned.items():
            weight = self._weights[name]
            if plan.entry.action == "initialised" or not weight.trainable:
                continue
            fresh = np.asarray(_value(weight), np.float64)
            plan.value = _like(np.asarray(plan.value) * shrink + fresh * perturb, plan.value)
        self._not_compensated.append(f"weights were shrunk by {shrink} and perturbed by {perturb}")

    def _check_learning_rate(self) -> None:
        if self._config.learning_rate_factor == 1:
            return
        optimizer = optimizer_of(self._model)
        rate = getattr(optimizer, "_learning_rate", None)
        if rate is None or not hasattr(rate, "assign"):
            raise ValueError(
                "learning_rate_factor needs a compiled model whose learning rate is a number, "
                f"found {rate!r}: scale the schedule itself, or leave the factor at 1"
            )

    def _carry_optimizer(self, planned: Mapping[str, _Planned]) -> str:
        optimizer = optimizer_of(self._model)
        if optimizer is None:
            return "The model has no optimizer."
        if self._config.learning_rate_factor != 1:
            optimizer.learning_rate = (
                float(optimizer.learning_rate.numpy()) * self._config.learning_rate_factor
            )
        kind = type(optimizer).__name__
        if self._config.optimizer == "reset":
            return "Reset by the policy: fresh state at step 0."
        if kind != self._checkpoint.optimizer:
            before = self._checkpoint.optimizer or "none"
            return f"Reset: the optimizer is {kind}, the base's was {before}."
        for slot, arrays in self._checkpoint.slots.items():
            for name, array in arrays.items():
                if not is_finite(array):
                    return f"Reset: the base's {slot} of {name} has values that are not finite."
        if not self._model.optimizer.built:
            self._model.optimizer.build(self._model.trainable_variables)
        kept, reset = 0, []
        for slot, variables in slots_of(self._model, self._weights).items():
            stored = self._checkpoint.slots.get(slot, {})
            for name, variable in variables.items():
                if slot == NO_WEIGHT:
                    value = stored.get(name)
                else:
                    value = self._slot(slot, planned, name, stored, _value(variable), kind)
                if value is None:
                    reset.append(f"{slot} of {name}")
                else:
                    variable.assign(value)
                    kept += 1
        set_step(self._model, self._checkpoint.optimizer_step)
        sentence = f"Kept: {kept} variables, step {self._checkpoint.optimizer_step}."
        return f"{sentence} Fresh: {', '.join(reset)}." if reset else sentence

    def _slot(
        self,
        slot: str,
        planned: Mapping[str, _Planned],
        name: str,
        stored: Mapping[str, npt.NDArray[Any]],
        fresh: npt.NDArray[Any],
        kind: str,
    ) -> npt.NDArray[Any] | None:
        """Returns the value of one slot, restated for the new inputs; None if it stays fresh.

        With `w' = r w` and `k = (c' - c) / s'`, the gradient of `w'` is `g / r - k g_b`, where
        `g_b` is the gradient of the bias. First moments follow the same formula. Second moments are
        `v / r^2 + k^2 v_b`: the product of both gradients is unknown and omitted.
        """
        plan, base = planned[name], stored.get(name)
        if base is None or plan.entry.action == "initialised":
            return None
        rows = plan.rows
        if rows is None or (rows.is_copy and plan.overlap is None):
            if plan.overlap is not None:
                return _merged(plan, base, fresh, None)
            return _like(base, fresh)
        power = power_of(kind, slot)
        stated = bool(np.any(rows.scale != 1))
        if stated and power is None:
            return None
        scale = rows.scale.copy()
        scale[scale == 0] = 1
        # Substituted rows begin with the state of a fresh variable.
        own = [x if own else None for x, own in zip(rows.sources, rows.own)]
        moved = dataclasses.replace(plan, rows=dataclasses.replace(rows, sources=own))
        value = np.asarray(_merged(moved, base, fresh, scale ** -float(power or 0)), np.float64)
        bias = stored.get(self._new.architecture.biases.get(name, ""))
        if bias is not None and power and np.any(rows.offset):
            sign = -1.0 if power == 1 else 1.0
            share = np.multiply.outer(rows.offset**power, np.asarray(bias, np.float64))
            value[:, : share.shape[1]] += sign * share[:, : value.shape[1]]
        return _like(value, fresh)


def finalize_statistics(model: Any) -> None:
    """Makes Normalization layers use their current weights: they compute with copies."""
    import keras

    for part in parts_of(model):
        if isinstance(part, keras.layers.Normalization) and part.built:
            part.finalize_state()


def _listed(rows: set[tuple[str, str]]) -> str:
    what = {"hidden": "outputs of", "column": "columns of", "code": "codes of", "spare": "rows of"}
    names = sorted(f"{what[kind]} {name}" for kind, name in rows)
    return ", ".join(names[:5]) + (", ..." if names[5:] else "")


def _layer(weight: str) -> str:
    return weight.rpartition("/")[0]


def _merged(
    plan: _Planned, base: npt.NDArray[Any], fresh: npt.NDArray[Any], scale: npt.NDArray[Any] | None
) -> npt.NDArray[Any]:
    """Returns the fresh values, with the part common to both models taken from the base."""
    value: npt.NDArray[Any] = fresh.copy()
    block = plan.overlap or (slice(None),) * fresh.ndim
    if plan.rows is None or scale is None:
        value[block] = base[block]
        return value
    # The plan covers all rows, so only the other axes are cut.
    value[block] = plan.rows.apply(base[block], fresh[block], scale)
    return value


def _value(variable: Any) -> npt.NDArray[Any]:
    return np.asarray(variable.numpy() if hasattr(variable, "numpy") else variable)


def _like(value: Any, other: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(value).astype(other.dtype)


def _entry(
    name: str, action: str, reason: str, fresh: npt.NDArray[Any], base: npt.NDArray[Any] | None
) -> VariableTransfer:
    return VariableTransfer(
        name, action, reason, fresh.shape, None if base is None else tuple(base.shape)
    )


def _sentence(rows: RowPlan) -> str:
    counted = f"{rows.kept} rows kept, {rows.added} new, {rows.vanished} vanished"
    notes = list(dict.fromkeys(rows.notes))
    listed = "; ".join(notes[:5]) + (f"; and {len(notes) - 5} more" if notes[5:] else "")
    return f"{counted}: {listed}" if listed else f"{counted}: rows moved"
