"""What a run_fn calls: `restore` before training and `save` after it.

What was decided comes in `fn_args.custom_config`, under `REQUEST_KEY`. Where nothing was decided,
as under TFX's own Trainer, the start is cold and the checkpoint is saved all the same, so that a
later run can go on from it: the same run_fn does for both.
"""

from __future__ import annotations

import dataclasses
import logging
import posixpath
import weakref
from collections.abc import Mapping
from typing import Any

from tfx_wine_ext.columnar.files import Files, LocalFiles
from tfx_wine_ext.warm_start.architecture import examine
from tfx_wine_ext.warm_start.checkpoint import (
    Checkpoint,
    CheckpointError,
    read_checkpoint,
    write_checkpoint,
)
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.decision import UnusableBaseError
from tfx_wine_ext.warm_start.inputs import InputSpec
from tfx_wine_ext.warm_start.optimizer import optimizer_of, step_of
from tfx_wine_ext.warm_start.report import TransferReport
from tfx_wine_ext.warm_start.transfer import MismatchError, checkpoint_of, transfer

_log = logging.getLogger(__name__)

REQUEST_KEY = "warm_start"
"""The key of `fn_args.custom_config` under which a `WarmStartRequest` stands, as a dict."""

CHECKPOINT_FOLDER = "warm_start"
"""The folder of the checkpoint, beside that of the SavedModel."""

REPORT_FILE = "warm_start.json"
"""The report of the transfer, in the checkpoint's folder."""


# The optimizer that each model had when it was restored.
_restored: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


@dataclasses.dataclass(frozen=True)
class WarmStartRequest:
    """What was decided before a run_fn is called.

    Args:
        reason: The sentence that says why the start is warm or cold.
        base: Folder of the base's checkpoint; empty for a cold start.
        generation: That of the model to be trained.
        config: The policy.
        directory: Folder that the new checkpoint goes to; empty: `CHECKPOINT_FOLDER` beside
            `fn_args.serving_model_dir`.

    Example:
        >>> request = WarmStartRequest("Warm start from model 7.", "models/7/warm_start", 1)
        >>> WarmStartRequest.from_dict(request.to_dict()) == request
        True
    """

    reason: str = "Cold start: no warm start was asked for."
    base: str = ""
    generation: int = 0
    config: WarmStartConfig = dataclasses.field(default_factory=WarmStartConfig)
    directory: str = ""

    def to_dict(self) -> dict[str, Any]:
        """A JSON object, to be put under `REQUEST_KEY` into `custom_config`."""
        return {
            "reason": self.reason,
            "base": self.base,
            "generation": self.generation,
            "config": self.config.to_dict(),
            "directory": self.directory,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WarmStartRequest:
        """Reads what `to_dict` writes; what is left out keeps its default.

        Raises:
            ValueError: A key is unknown, or a value of the policy is.
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
        """Reads the request out of `fn_args`, with `directory` filled in.

        Args:
            fn_args: What TFX hands to a run_fn: `custom_config` and `serving_model_dir` are read.

        Raises:
            ValueError: The request is not one, or there is no place for the checkpoint.
        """
        found = (getattr(fn_args, "custom_config", None) or {}).get(REQUEST_KEY, {})
        request = cls.from_dict(found)
        if request.directory:
            return request
        if not fn_args.serving_model_dir:
            raise ValueError("fn_args.serving_model_dir is empty: there is no place to save to")
        beside = posixpath.dirname(str(fn_args.serving_model_dir).rstrip("/"))
        return dataclasses.replace(request, directory=posixpath.join(beside, CHECKPOINT_FOLDER))


def restore(model: Any, fn_args: Any, inputs: InputSpec) -> TransferReport:
    """Makes a new model continue from the base, if that was decided.

    Call it after `compile` and before training. `transfer` says what it does to the variables.
    Where the policy names `frozen_layers`, they are frozen from here on, and thaw by themselves
    when `fit` or `train_on_batch` have taken `frozen_steps` steps.

    Args:
        model: The new Keras model, built and compiled.
        fn_args: What the run_fn was given.
        inputs: What the model's inputs are; see `input_spec`.

    Returns:
        What was done, to be handed to `save`; `warm` is False for a cold start.

    Raises:
        UnusableBaseError: The base is damaged or another architecture, and the policy is
            `on_unusable_base="error"`. Otherwise the start is cold then, with a warning in the log.
        TypeError: `inputs` is not an `InputSpec`. Raised before a cold start as well, as is:
        ValueError: The model is not built, `inputs` does not fit it, the request is not one, or the
            policy's `frozen_layers` names a layer that the model does not have.
    """
    if not isinstance(inputs, InputSpec):
        raise TypeError(
            f"inputs: expected an InputSpec, found {inputs!r:.200}. Make one: "
            "input_spec(fn_args.transform_graph_path, {'numbers': ['pH_z']})"
        )
    request = WarmStartRequest.of(fn_args)
    # `save` would find what is wrong here, but only when the training is over.
    examine(model, inputs)
    if request.config.frozen_layers:
        from tfx_wine_ext.warm_start.freeze import layers_named

        layers_named(model, request.config.frozen_layers)
    checkpoint, report = read_base(fn_args)
    if checkpoint is None:
        return report
    try:
        done = transfer(checkpoint, model, inputs, request.config)
    except MismatchError as error:
        return unusable(fn_args, error)
    _restored[model] = optimizer_of(model)
    done = dataclasses.replace(
        done, reason=report.reason, base=report.base, generation=report.generation
    )
    _log.info("%s %s %s", done.reason, done.counts(), done.optimizer)
    for sentence in done.not_compensated:
        _log.warning("Not compensated by the warm start: %s", sentence)
    (_log.info if done.verified else _log.warning)("%s", done.verification)
    if request.config.frozen_layers:
        from tfx_wine_ext.warm_start.freeze import freeze_first_steps

        freeze_first_steps(model, request.config)
    return done


def save(model: Any, fn_args: Any, inputs: InputSpec, report: TransferReport) -> TransferReport:
    """Saves the trained model's checkpoint, and the report beside it.

    Args:
        model: The trained Keras model.
        fn_args: What the run_fn was given.
        inputs: What the model's inputs are.
        report: What `restore` returned.

    Returns:
        The report, with the steps that were taken.

    Raises:
        ValueError: As for `checkpoint_of`.
        OSError: The folder cannot be written to.
    """
    from tfx_wine_ext.warm_start.freeze import thaw

    # A reset counts from 0 on, a kept optimizer from where the base was, and one that the run_fn
    # has made after `restore` from 0, too.
    steps = step_of(model)
    if _restored.get(model) in (None, optimizer_of(model)) and steps >= report.optimizer_step:
        steps -= report.optimizer_step
    if thaw(model):
        _log.warning(
            "The layers of frozen_layers were frozen until the end: fit and train_on_batch took %d "
            "steps, and frozen_steps is %d",
            steps,
            WarmStartRequest.of(fn_args).config.frozen_steps,
        )
    checkpoint = checkpoint_of(
        model, inputs, step=report.base_step + steps, generation=report.generation
    )
    if checkpoint.diverged:
        _log.warning(
            "The training diverged: %s are not finite. The checkpoint says so, and no later run "
            "goes on from it",
            ", ".join(checkpoint.diverged[:10]),
        )
    return write_result(checkpoint, fn_args, dataclasses.replace(report, steps=steps))


def read_base(fn_args: Any) -> tuple[Checkpoint | None, TransferReport]:
    """Reads the base, for models that are not Keras's; `restore` does it for those that are.

    Args:
        fn_args: What the run_fn was given.

    Returns:
        The base's checkpoint, None for a cold start, and the report of what was decided.

    Raises:
        UnusableBaseError: As for `restore`.
        ValueError: The request is not one.
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
    """Turns a base that turned out to be unusable into a cold start, or an error.

    Args:
        fn_args: What the run_fn was given.
        error: Why the base cannot be used.

    Returns:
        The report of a cold start, which is also logged as a warning.

    Raises:
        UnusableBaseError: The policy is `on_unusable_base="error"`.
    """
    request = WarmStartRequest.of(fn_args)
    why = f"the base {request.base} cannot be used: {error}"
    if request.config.on_unusable_base == "error":
        raise UnusableBaseError(
            f'The warm start failed: {why}. With on_unusable_base="cold" it would be cold.'
        ) from error
    reason = f"Cold start: {why}"
    _log.warning("%s", reason)
    return TransferReport(warm=False, reason=reason)


def write_result(checkpoint: Checkpoint, fn_args: Any, report: TransferReport) -> TransferReport:
    """Writes a checkpoint and a report to where they belong; `save` does it for Keras models.

    Args:
        checkpoint: Of the trained model.
        fn_args: What the run_fn was given.
        report: What `read_base` returned, with what was done since.

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


def files_for(path: str) -> Files:
    """The file system of a path: TensorFlow's for those with a scheme, such as ``gs://``."""
    if "://" not in path:
        return LocalFiles()
    from tfx_wine_ext.warm_start.gfile import GFiles

    return GFiles()
