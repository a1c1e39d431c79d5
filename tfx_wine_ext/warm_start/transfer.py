"""Transfers a checkpoint to a new model, which then predicts what the base did."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.report.words import warm_start as words
from tfx_wine_ext.warm_start.architecture import Architecture, LayerFacts
from tfx_wine_ext.warm_start.checkpoint import Checkpoint, is_finite
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.facts import Fact, Kind
from tfx_wine_ext.warm_start.inputs import Coded, InputSpec
from tfx_wine_ext.warm_start.keras_internals import learning_rate_of, parts_of, step_counter
from tfx_wine_ext.warm_start.optimizer import NO_WEIGHT, POWERS, optimizer_of, slots_of, step_of
from tfx_wine_ext.warm_start.probe import make_probe, verify
from tfx_wine_ext.warm_start.report import TransferReport, VariableTransfer
from tfx_wine_ext.warm_start.rows import RowPlan, Side, differ, plan_rows
from tfx_wine_ext.warm_start.walk import PASSES_ON, examine


class MismatchError(TfxWineExtError, ValueError):
    """The base has another architecture than the model.

    Attributes:
        differences: What differs; empty if the base is not a Keras model, or damaged.
    """

    differences: tuple[Fact, ...] = ()


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
    return _Transfer(checkpoint, model, inputs, config or WarmStartConfig()).run()


@dataclasses.dataclass
class _Planned:
    """The planned values of one weight, where they are from, and why."""

    value: npt.NDArray[Any]
    action: str
    why: Fact
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
            architecture = Architecture.from_dict(checkpoint.architecture, sizes)
        except ValueError as error:
            raise MismatchError(
                f"the base is not a Keras model ({error}): was it trained by another run_fn?"
            ) from None
        self._base = Side.of(architecture, checkpoint.inputs)
        self._check_codings()
        follow_made = "made" in checkpoint.architecture
        architecture, self._weights = examine(model, inputs, follow_made=follow_made)
        self._new = Side.of(architecture, inputs)
        self._kept = self._kept_statistics()
        self._not_compensated: list[Fact] = []
        self._mismatches: list[Fact] = []

    def run(self) -> TransferReport:
        self._check_learning_rate()
        planned = {name: self._plan(name) for name in self._weights}
        self._shift_biases(planned)
        variables = [self._entry(name, x.action, x.why) for name, x in planned.items()]
        variables += self._skipped()
        self._compare_layers()
        self._compare_opaque()
        if self._mismatches and self._config.on_shape_mismatch == "error":
            mismatch = MismatchError(
                f"the base has another architecture: {words.listed(self._mismatches, 10)}",
                (
                    "use the base's architecture",
                    'choose on_shape_mismatch="initialise" or "overlap"',
                ),
            )
            mismatch.differences = tuple(self._mismatches)
            raise mismatch
        self._not_compensated += self._mismatches
        self._shrink_and_perturb(planned)
        for name, plan in planned.items():
            self._weights[name].assign(plan.value)
        finalize_statistics(self._model)
        optimizer = self._carry_optimizer(planned)
        verification = verify(self._checkpoint, self._base, self._model, self._inputs, self._new)
        if verification.differs:
            self._not_compensated += self._only_in_one()
            if not self._not_compensated:
                self._not_compensated = [Fact(Kind.PREDICTIONS_DIFFER, now=verification)]
        return TransferReport(
            warm=True,
            reason="Warm start.",
            generation=self._checkpoint.generation + 1,
            base_step=self._checkpoint.step,
            variables=tuple(variables),
            optimizer=words.sentence(optimizer),
            not_compensated=tuple(dict.fromkeys(map(words.sentence, self._not_compensated))),
            optimizer_step=step_of(self._model),
            verified=verification.verified,
            verification=verification.sentence,
        )

    def _check_codings(self) -> None:
        """Checks that the base defines its codes: checkpoints are untrusted."""
        for weight, labels in self._base.architecture.rows.items():
            for name in {label.name for label in labels if label.kind == "code"}:
                if not isinstance(self._base.coding(name), Coded):
                    raise MismatchError(
                        f"the base is damaged: it does not define the codes {name!r:.60} of "
                        f"{weight!r:.60}"
                    )

    def _entry(self, name: str, action: str, why: Fact) -> VariableTransfer:
        weight, base = self._weights.get(name), self._checkpoint.weights.get(name)
        return VariableTransfer(
            name,
            action,
            words.sentence(why),
            None if weight is None else tuple(weight.shape),
            None if base is None else base.shape,
            *(why.now if why.kind is Kind.ROWS_MOVED else ()),
        )

    # --- weights -------------------------------------------------------------------------------

    def _plan(self, name: str) -> _Planned:
        fresh = _value(self._weights[name])
        base = self._checkpoint.weights.get(name)
        if _layer(name) in self._kept:
            return _Planned(fresh, "initialised", Fact(Kind.OWN_STATISTICS))
        if base is None:
            if self._is_only_of(self._new, self._base, name):
                return _Planned(fresh, "initialised", Fact(Kind.OF_NEW_FEATURE))
            self._mismatches.append(Fact(Kind.NOT_IN_BASE, name, list(fresh.shape)))
            return _Planned(fresh, "initialised", Fact(Kind.NOT_THERE))
        rows = self._rows(name, base, fresh)
        if rows is not None and base.shape[1:] == fresh.shape[1:]:
            return self._remapped(name, base, fresh, rows)
        if base.shape != fresh.shape:
            return self._mismatched(name, base, fresh, rows)
        return _Planned(_like(base, fresh), "restored", Fact(Kind.SAME))

    def _rows(self, name: str, base: npt.NDArray[Any], fresh: npt.NDArray[Any]) -> RowPlan | None:
        base_labels = self._base.architecture.rows.get(name)
        new_labels = self._new.architecture.rows.get(name)
        if base_labels is None or new_labels is None or base.ndim != fresh.ndim:
            return None
        was, now = ({(x.kind, x.name) for x in labels} for labels in (base_labels, new_labels))
        moved_on = {of for _, of in was} & set(self._new.features)
        moved_on |= {of for _, of in now} & set(self._base.features)
        if base.shape == fresh.shape and not was & now and moved_on:
            # A layer was inserted or removed before this one: the rows are assumed unchanged.
            fact = Fact(Kind.ROWS_DIFFER, now=sorted(now), was=sorted(was), weight=name)
            self._not_compensated.append(fact)
            return None
        return plan_rows(name, self._base, self._new, base_labels, new_labels)

    def _report_rows(self, name: str, rows: RowPlan) -> None:
        self._not_compensated += [
            dataclasses.replace(fact, weight=name) for fact in rows.not_compensated
        ]

    def _remapped(
        self, name: str, base: npt.NDArray[Any], fresh: npt.NDArray[Any], rows: RowPlan
    ) -> _Planned:
        if not rows.is_copy:
            moved = any(shift.factor for shift in rows.shifts)
            if moved and name not in self._new.architecture.biases:
                rows.not_compensated.append(Fact(Kind.NO_BIAS))
        self._report_rows(name, rows)
        if rows.is_copy:
            return _Planned(_like(base, fresh), "restored", Fact(Kind.SAME), rows)
        value = _like(rows.apply(base, fresh, rows.scale), fresh)
        return _Planned(value, "remapped", rows.fact(Kind.ROWS_MOVED), rows)

    def _mismatched(
        self, name: str, base: npt.NDArray[Any], fresh: npt.NDArray[Any], rows: RowPlan | None
    ) -> _Planned:
        self._mismatches.append(Fact(Kind.SHAPES_DIFFER, name, list(fresh.shape), list(base.shape)))
        if self._config.on_shape_mismatch != "overlap" or base.ndim != fresh.ndim:
            return _Planned(fresh, "initialised", Fact(Kind.OTHER_SHAPE))
        common = [min(sizes) for sizes in zip(base.shape, fresh.shape)]
        block, why = tuple(map(slice, common)), Fact(Kind.COMMON_BLOCK, now=common)
        if rows is not None:
            # Rows are matched by their labels, so only the other axes are cut.
            block, why = (slice(None), *block[1:]), rows.fact(Kind.COMMON_ROWS)
            self._report_rows(name, rows)
        plan = _Planned(fresh, "remapped", why, rows, block)
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
            if not shifts or target.action == "initialised":
                continue
            base = np.asarray(self._checkpoint.weights[kernel], np.float64)
            gain = np.sum([base[shift.row] * shift.factor for shift in shifts], axis=0)
            value = np.array(target.value, np.float64)
            value[: len(gain)] += gain[: len(value)]
            target.value = _like(value, target.value)
            target.action, target.why = "remapped", Fact(Kind.SHIFTED, kernel)

    def _skipped(self) -> list[VariableTransfer]:
        skipped = []
        for name, base in self._checkpoint.weights.items():
            if name in self._weights:
                continue
            why = Fact(Kind.GONE)
            if _layer(name) in self._base.architecture.made:
                why = Fact(Kind.OWN_STATISTICS)
            elif self._is_only_of(self._base, self._new, name):
                why = Fact(Kind.OF_REMOVED_FEATURE)
            else:
                self._mismatches.append(Fact(Kind.ONLY_IN_BASE, name, was=list(base.shape)))
            skipped.append(self._entry(name, "skipped", why))
        return skipped

    @staticmethod
    def _is_only_of(side: Side, other: Side, weight: str) -> bool:
        """Returns whether a weight depends only on features that the other model does not have."""
        # Its layer is the one with the longest prefix of its name.
        parts = weight.split("/")
        for count in range(len(parts) - 1, 0, -1):
            facts = side.architecture.layers.get("/".join(parts[:count]))
            if facts is not None:
                return bool(facts.features) and not set(facts.features) & set(other.features)
        return False

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
                and set(features) == set(base.made.get(layer, ()))
                and not any(map(self._differ, new.layers[layer].features))
            ):
                self._new.features.update(base.made[layer])
        return kept

    # --- what is not compensated ---------------------------------------------------------------

    def _differ(self, feature: str) -> bool:
        return differ(self._base.features.get(feature), self._new.features.get(feature))

    def _compare_layers(self) -> None:
        for name, new in self._new.architecture.layers.items():
            base = self._base.architecture.layers.get(name)
            if base is None:
                continue
            if (base.kind, base.settings) != (new.kind, new.settings):
                was, now = (f"{x.kind} {dict(x.settings)}" for x in (base, new))
                self._mismatches.append(Fact(Kind.LAYERS_DIFFER, name, now, was))
            for key in sorted(set(base.config) & set(new.config)):
                was, now = base.config[key], new.config[key]
                if was != now:
                    layer = _with_class(name, new)
                    self._not_compensated.append(
                        Fact(Kind.ARGUMENT_CHANGED, key, now, was, layer=layer)
                    )

    def _only_in_one(self) -> list[Fact]:
        """Returns the layers without weights, such as an activation, that only one model has."""
        new, base = self._new.architecture.layers, self._base.architecture.layers
        return [
            Fact(kind, layer=_with_class(name, facts))
            for kind, layers, others in (
                (Kind.LAYER_ADDED, new, base),
                (Kind.LAYER_REMOVED, base, new),
            )
            for name, facts in layers.items()
            if name not in others and facts.kind not in PASSES_ON
        ]

    def _compare_opaque(self) -> None:
        """Reports changed features that reach a layer in which they are not compensated."""
        reached: list[tuple[Kind, str, str]] = []
        if self._base.architecture.walked and self._new.architecture.walked:
            for layer, features in self._new.architecture.opaque.items():
                facts = self._new.architecture.layers.get(layer)
                shown = _with_class(layer, facts)
                reached += [(Kind.NONLINEAR, feature, shown) for feature in features]
        else:
            known = sorted({*self._base.features, *self._new.features})
            reached += [(Kind.UNTRACED, feature, "") for feature in known]
        for kind, feature, layer in reached:
            if self._differ(feature):
                was, now = self._base.features.get(feature), self._new.features.get(feature)
                self._not_compensated.append(Fact(kind, feature, now, was, layer=layer))

    # --- policy --------------------------------------------------------------------------------

    def _shrink_and_perturb(self, planned: dict[str, _Planned]) -> None:
        shrink, perturb = self._config.shrink, self._config.perturb
        if shrink == 1 and perturb == 0:
            return
        for name, plan in planned.items():
            weight = self._weights[name]
            if plan.action == "initialised" or not weight.trainable:
                continue
            fresh = np.asarray(_value(weight), np.float64)
            plan.value = _like(np.asarray(plan.value) * shrink + fresh * perturb, plan.value)
        self._not_compensated.append(Fact(Kind.SHRUNK, now=perturb, was=shrink))

    def _check_learning_rate(self) -> None:
        if self._config.learning_rate_factor == 1:
            return
        optimizer = optimizer_of(self._model)
        rate = None if optimizer is None else learning_rate_of(optimizer)
        if not hasattr(rate, "assign"):
            raise ValueError(
                "learning_rate_factor needs a compiled model whose learning rate is a number, "
                f"found {rate!r}: scale the schedule itself, or leave the factor at 1"
            )

    def _carry_optimizer(self, planned: Mapping[str, _Planned]) -> Fact:
        optimizer, checkpoint = optimizer_of(self._model), self._checkpoint
        if optimizer is None:
            return Fact(Kind.NO_OPTIMIZER)
        if self._config.learning_rate_factor != 1:
            optimizer.learning_rate = (
                float(optimizer.learning_rate.numpy()) * self._config.learning_rate_factor
            )
        kind = type(optimizer).__name__
        if self._config.optimizer == "reset":
            return Fact(Kind.RESET)
        if kind != checkpoint.optimizer:
            return Fact(Kind.OTHER_OPTIMIZER, now=kind, was=checkpoint.optimizer or "none")
        for slot, arrays in checkpoint.slots.items():
            for name, array in arrays.items():
                if not is_finite(array):
                    return Fact(Kind.NOT_FINITE, f"{slot} of {name}")
        if not self._model.optimizer.built:
            self._model.optimizer.build(self._model.trainable_variables)
        kept, reset = 0, []
        for slot, variables in slots_of(self._model, self._weights).items():
            stored = checkpoint.slots.get(slot, {})
            power = POWERS.get(kind, {}).get(slot)
            for name, variable in variables.items():
                value = stored.get(name)
                if slot != NO_WEIGHT and value is not None:
                    bias = stored.get(self._new.architecture.biases.get(name, ""))
                    value = _restated_slot(planned[name], value, _value(variable), bias, power)
                if value is None:
                    reset.append(f"{slot} of {name}")
                else:
                    variable.assign(value)
                    kept += 1
        step_counter(optimizer).assign(checkpoint.optimizer_step)
        return Fact(Kind.KEPT, now=checkpoint.optimizer_step, was=tuple(reset), count=kept)


def _restated_slot(
    plan: _Planned,
    base: npt.NDArray[Any],
    fresh: npt.NDArray[Any],
    bias: npt.NDArray[Any] | None,
    power: int | None,
) -> npt.NDArray[Any] | None:
    """Returns one slot's value of a weight for the new inputs; None if it stays fresh.

    With `w' = r w` and `k = (c' - c) / s'`, the gradient of `w'` is `g / r - k g_b`, where `g_b` is
    the gradient of the bias. First moments follow the same formula. Second moments are
    `v / r^2 + k^2 v_b`: the product of both gradients is unknown and omitted.

    Args:
        plan: The plan of the weight.
        base: Its slot in the base.
        fresh: Its slot in the new model.
        bias: The slot of the bias beside it in the base, if there is one.
        power: As in `POWERS`; None if unknown.
    """
    if plan.action == "initialised":
        return None
    rows = plan.rows
    if rows is None or (rows.is_copy and plan.overlap is None):
        return _like(base, fresh) if plan.overlap is None else _merged(plan, base, fresh, None)
    if power is None and np.any(rows.scale != 1):
        return None
    scale = np.where(rows.scale == 0, 1, rows.scale)
    # Substituted rows begin with the state of a fresh variable.
    own = [source if is_own else None for source, is_own in zip(rows.sources, rows.own)]
    moved = dataclasses.replace(plan, rows=dataclasses.replace(rows, sources=own))
    value = np.asarray(_merged(moved, base, fresh, scale ** -float(power or 0)), np.float64)
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


def _layer(weight: str) -> str:
    return weight.rpartition("/")[0]


def _with_class(layer: str, facts: LayerFacts | None) -> str:
    return f"{layer} ({facts.kind if facts else 'operation'})"


def _merged(
    plan: _Planned, base: npt.NDArray[Any], fresh: npt.NDArray[Any], scale: npt.NDArray[Any] | None
) -> npt.NDArray[Any]:
    """Returns the fresh values, with the part common to both models taken from the base."""
    value: npt.NDArray[Any] = fresh.copy()
    block = plan.overlap or (slice(None),) * fresh.ndim
    if plan.rows is None or scale is None:
        value[block] = base[block]
    else:
        # The plan covers all rows, so only the other axes are cut.
        value[block] = plan.rows.apply(base[block], fresh[block], scale)
    return value


def _value(variable: Any) -> npt.NDArray[Any]:
    return np.asarray(variable.numpy() if hasattr(variable, "numpy") else variable)


def _like(value: Any, other: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(value).astype(other.dtype)
