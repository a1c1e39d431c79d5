"""The functions for a run_fn: `restore` before training and `save` after it.

The decision is in `fn_args.custom_config`, under `REQUEST_KEY`. Without a decision, as with TFX's
own Trainer, the start is cold; the checkpoint is still saved, so that a later run can continue from
it. The same run_fn works in both trainers.
"""

from __future__ import annotations

import dataclasses
import logging
import posixpath
import weakref
from collections.abc import Mapping
from typing import Any

from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.report.words import warm_start as words
from tfx_wine_ext.warm_start.checkpoint import (
    Checkpoint,
    CheckpointError,
    read_checkpoint,
    write_checkpoint,
)
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.decision import START_COLD, UnusableBaseError
from tfx_wine_ext.warm_start.inputs import InputSpec
from tfx_wine_ext.warm_start.optimizer import optimizer_of, step_of
from tfx_wine_ext.warm_start.report import TransferReport
from tfx_wine_ext.warm_start.transfer import MismatchError, checkpoint_of, transfer
from tfx_wine_ext.warm_start.walk import examine

_log = logging.getLogger(__name__)

REQUEST_KEY = "warm_start"
"""The key of `fn_args.custom_config` that holds a `WarmStartRequest` as a dict."""

CHECKPOINT_FOLDER = "warm_start"
"""The folder of the checkpoint, beside that of the SavedModel."""

REPORT_FILE = "warm_start.json"
"""The report of the transfer, in the checkpoint's folder."""


# The optimizer of each model when it was restored.
_restored: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


@dataclasses.dataclass(frozen=True)
class WarmStartRequest:
    """The decision, made before the run_fn is called.

    Args:
        reason: Why the start is warm or cold, as a sentence.
        base: Folder of the base's checkpoint; empty for a cold start.
        generation: Generation of the model to be trained.
        config: The policy.
        directory: Folder for the new checkpoint; empty: `CHECKPOINT_FOLDER` beside
            `fn_args.serving_model_dir`.

    Example:
        >>> request = WarmStartRequest("Warm start from model 7.", "models/7/warm_start", 1)
        >>> WarmStartRequest.from_dict(request.to_dict()) == request
        True
    """

    reason: str = words.NOT_ASKED
    base: str = ""
    generation: int = 0
    config: WarmStartConfig = dataclasses.field(default_factory=WarmStartConfig)
    directory: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Returns a JSON object, for the key `REQUEST_KEY` of `custom_config`."""
        return {**vars(self), "config": self.config.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WarmStartRequest:
        """Reads what `to_dict` writes; missing keys keep their defaults.

        Raises:
            ValueError: A key is unknown, or a value of the policy is not allowed.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(data) - set(known))
        if unknown:
            raise ValueError(
                f"custom_config[{REQUEST_KEY!r}] has the unknown keys {unknown}: expected "
                f"{', '.join(known)}"
            )
        fields = dict(data)
        if "config" in fields:
            fields["config"] = WarmStartConfig.from_dict(fields["config"])
        return cls(**fields)

    @classmethod
    def of(cls, fn_args: Any) -> WarmStartRequest:
        """Reads the request from `fn_args`, and fills in `directory`.

        Args:
            fn_args: The argument of the run_fn; `custom_config` and `serving_model_dir` are read.

        Raises:
            ValueError: The request is invalid, or there is no folder for the checkpoint.
        """
        custom_config = getattr(fn_args, "custom_config", None) or {}
        request = cls.from_dict(custom_config.get(REQUEST_KEY, {}))
        if request.directory:
            return request
        if not fn_args.serving_model_dir:
            raise ValueError("fn_args.serving_model_dir is empty: there is no folder to save to")
        beside = posixpath.dirname(str(fn_args.serving_model_dir).rstrip("/"))
        return dataclasses.replace(request, directory=posixpath.join(beside, CHECKPOINT_FOLDER))


def restore(model: Any, fn_args: Any, inputs: InputSpec) -> TransferReport:
    """Initialises a new model from the base, if the decision is a warm start.

    Call it after `compile` and before training. See `transfer` for what it does to the variables.
    It also freezes the policy's `frozen_layers`; they thaw automatically after `frozen_steps` steps
    of `fit` or `train_on_batch`.

    Args:
        model: The new Keras model, built and compiled.
        fn_args: The argument of the run_fn.
        inputs: The transforms of the model's inputs; see `input_spec`.

    Returns:
        A report of what was done, for `save`; `warm` is False for a cold start.

    Raises:
        UnusableBaseError: The base is damaged or has another architecture, and the policy is
            `on_unusable_base="error"`. With another policy the start is cold, with a warning.
        TypeError: `inputs` is not an `InputSpec`. Raised even before a cold start, as is:
        ValueError: The model is not built, `inputs` does not fit the model, the request is invalid,
            or the model lacks a layer of the policy's `frozen_layers`.
    """
    if not isinstance(inputs, InputSpec):
        raise TypeError(
            f"inputs: expected an InputSpec, found {inputs!r:.200}. Make one: "
            "input_spec(fn_args.transform_graph_path, {'numbers': ['pH_z']})"
        )
    from tfx_wine_ext.warm_start.freeze import freeze_first_steps, layers_named

    request = WarmStartRequest.of(fn_args)
    # `save` would find what is wrong here, but only when the training is over.
    examine(model, inputs)
    layers_named(model, request.config.frozen_layers)
    checkpoint, report = read_base(fn_args)
    if checkpoint is None:
        return report
    try:
        transferred = transfer(checkpoint, model, inputs, request.config)
    except MismatchError as error:
        return unusable(fn_args, error)
    _restored[model] = optimizer_of(model)
    report = dataclasses.replace(
        transferred, reason=report.reason, base=report.base, generation=report.generation
    )
    _log.info("%s %s %s", report.reason, report.counts(), report.optimizer)
    for sentence in report.not_compensated:
        _log.warning("Not compensated by the warm start: %s", sentence)
    (_log.info if report.verified else _log.warning)("%s", report.verification)
    freeze_first_steps(model, request.config)
    return report


def save(model: Any, fn_args: Any, inputs: InputSpec, report: TransferReport) -> TransferReport:
    """Saves the trained model's checkpoint, and the report beside it.

    Args:
        model: The trained Keras model.
        fn_args: The argument of the run_fn.
        inputs: The transforms of the model's inputs.
        report: What `restore` returned.

    Returns:
        The report with the number of training steps.

    Raises:
        ValueError: As for `checkpoint_of`.
        OSError: The folder cannot be written to.
    """
    from tfx_wine_ext.warm_start.freeze import thaw

    # A kept optimizer counts from the base's step; a reset one, or one that the run_fn made after
    # `restore`, from 0.
    steps = step_of(model)
    if _restored.get(model) in (None, optimizer_of(model)) and steps >= report.optimizer_step:
        steps -= report.optimizer_step
    if thaw(model):
        _log.warning(
            "frozen_layers stayed frozen until the end: fit and train_on_batch took %d steps, and "
            "frozen_steps is %d",
            steps,
            WarmStartRequest.of(fn_args).config.frozen_steps,
        )
    checkpoint = checkpoint_of(
        model, inputs, step=report.base_step + steps, generation=report.generation
    )
    if checkpoint.diverged:
        _log.warning(
            "The training diverged: %s are not finite. No later run will continue from this "
            "checkpoint",
            ", ".join(checkpoint.diverged[:10]),
        )
    return write_result(checkpoint, fn_args, dataclasses.replace(report, steps=steps))


def read_base(fn_args: Any) -> tuple[Checkpoint | None, TransferReport]:
    """Reads the base, for models of other libraries than Keras; `restore` is for Keras models.

    Args:
        fn_args: The argument of the run_fn.

    Returns:
        The base's checkpoint, None for a cold start, and the report of the decision.

    Raises:
        UnusableBaseError: As for `restore`.
        ValueError: The request is invalid.
    """
    request = WarmStartRequest.of(fn_args)
    if not request.base:
        _log.info(request.reason)
        return None, TransferReport(warm=False, reason=request.reason)
    try:
        checkpoint = read_checkpoint(request.base, files_for(request.base))
    except CheckpointError as error:
        return None, unusable(fn_args, error)
    return checkpoint, TransferReport(
        warm=True,
        reason=request.reason,
        base=request.base,
        generation=request.generation,
        base_step=checkpoint.step,
    )


def unusable(fn_args: Any, error: Exception) -> TransferReport:
    """Reacts to an unusable base with a cold start or an error, as the policy says.

    Args:
        fn_args: The argument of the run_fn.
        error: Why the base cannot be used.

    Returns:
        The report of a cold start, which is also logged as a warning.

    Raises:
        UnusableBaseError: The policy is `on_unusable_base="error"`.
    """
    request = WarmStartRequest.of(fn_args)
    if request.config.on_unusable_base == "error":
        raise UnusableBaseError(
            f"the base cannot be used: {error}", START_COLD, path=request.base
        ) from error
    reason = words.BASE_UNUSABLE.format(request.base, error)
    _log.warning("%s", reason)
    return TransferReport(warm=False, reason=reason)


def write_result(checkpoint: Checkpoint, fn_args: Any, report: TransferReport) -> TransferReport:
    """Writes a checkpoint and a report, for models of other libraries than Keras; see `save`.

    Args:
        checkpoint: The checkpoint of the trained model.
        fn_args: The argument of the run_fn.
        report: What `read_base` returned, updated with what was done.

    Returns:
        The report.

    Raises:
        OSError: The folder cannot be written to.
    """
    folder = WarmStartRequest.of(fn_args).directory
    files = files_for(folder)
    write_checkpoint(folder, checkpoint, files)
    with files.create(posixpath.join(folder, REPORT_FILE)) as stream:
        stream.write(report.to_json().encode())
    return report
