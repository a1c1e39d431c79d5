"""Warm starts: training continues from an earlier model without losing what it has learnt.

This package depends on numpy and Keras, not on TFX. Its parts::

    decide(candidates, WarmStartConfig())           # warm or cold, and why
    spec = input_spec(transform_graph, {...})       # what the model's input columns mean
    report = restore(model, fn_args, spec)          # in run_fn, before training
    save(model, fn_args, spec, report)              # in run_fn, after training

`transfer` is the core: it transfers a `Checkpoint` to a model whose inputs have other means or
another vocabulary. docs/warm-start.md says what is compensated and what is not.

Importing the package does not import Keras.
"""

from typing import TYPE_CHECKING, Any

from tfx_wine_ext.warm_start.boosting import restate_splits
from tfx_wine_ext.warm_start.checkpoint import (
    Checkpoint,
    CheckpointError,
    Probe,
    read_checkpoint,
    write_checkpoint,
)
from tfx_wine_ext.warm_start.config import WarmStartConfig
from tfx_wine_ext.warm_start.decision import BaseModel, Decision, UnusableBaseError, decide
from tfx_wine_ext.warm_start.inputs import Affine, Buckets, InputSpec, Raw, Unknown, Vocabulary
from tfx_wine_ext.warm_start.probe import Verification, probe_of, verify_function
from tfx_wine_ext.warm_start.report import TransferReport, VariableTransfer
from tfx_wine_ext.warm_start.run_fn import (
    REQUEST_KEY,
    WarmStartRequest,
    read_base,
    restore,
    save,
    unusable,
    write_result,
)
from tfx_wine_ext.warm_start.transfer import MismatchError, checkpoint_of, transfer
from tfx_wine_ext.warm_start.transform_output import input_spec

if TYPE_CHECKING:
    from tfx_wine_ext.warm_start.freeze import FreezeLayers, callbacks

__all__ = [
    "REQUEST_KEY",
    "Affine",
    "BaseModel",
    "Buckets",
    "Checkpoint",
    "CheckpointError",
    "Decision",
    "FreezeLayers",
    "InputSpec",
    "MismatchError",
    "Probe",
    "Raw",
    "TransferReport",
    "Unknown",
    "UnusableBaseError",
    "VariableTransfer",
    "Verification",
    "Vocabulary",
    "WarmStartConfig",
    "WarmStartRequest",
    "callbacks",
    "checkpoint_of",
    "decide",
    "input_spec",
    "probe_of",
    "read_base",
    "read_checkpoint",
    "restate_splits",
    "restore",
    "save",
    "transfer",
    "unusable",
    "verify_function",
    "write_checkpoint",
    "write_result",
]


def __getattr__(name: str) -> Any:
    """Loads subclasses of Keras classes on first use."""
    if name in ("FreezeLayers", "callbacks"):
        from tfx_wine_ext.warm_start import freeze

        return getattr(freeze, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists the public names, loaded or not; no module that happens to be imported."""
    return list(__all__)
