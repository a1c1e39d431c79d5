"""Launches one component, as LocalDagRunner does or as InteractiveContext does.

Nothing of TFX is replaced. `path="ir"` compiles a pipeline of the one component and hands it to
LocalDagRunner; in the compiled pipeline (the intermediate representation, IR) each input is made to
refer to artifacts by their ids in the store. `path="notebook"` calls `InteractiveContext.run`.
That method is decorated so as to do nothing outside of IPython; what is called is the method
without the decorator, so that no part of the process is told that it runs in IPython.

What differs between the two is TFX's, and is worth a test of each:

* Execution properties that an executor writes reach the store by the IR path only (as custom
  properties of the execution). A notebook stores them as they were before the executor ran (as
  properties, and as strings). Properties of output artifacts reach it by both.
* A failed execution ends as `FAILED` by the IR path, but stays `RUNNING` if it was the driver that
  failed, and always in a notebook; but for drivers and executors that record it themselves
  (`tfx_wine_ext.publishers.failure.records_failures`).
* A notebook registers outputs before the executor runs, so that a failed execution leaves them
  behind, with the state `UNKNOWN`. The IR path registers them when the execution has succeeded.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfx.dsl.compiler import constants
from tfx.dsl.components.base import base_component
from tfx.orchestration import pipeline as pipeline_lib
from tfx.orchestration.experimental.interactive import interactive_context
from tfx.orchestration.local import local_dag_runner

from tfx_wine_ext.testing.metadata import (
    ArtifactRecord,
    ExecutionRecord,
    FakeMetadata,
    RecordedMetadata,
)

if TYPE_CHECKING:
    from tfx.proto.orchestration import pipeline_pb2
    from tfx.types.artifact import Artifact

_PATHS = ("ir", "notebook")

# Where TFX's IR launcher records a failure, as JSON: the custom property of the execution.
_EXECUTION_RESULT = "__execution_result__"


class LaunchError(RuntimeError):
    """TFX did not run the component, and raised no error about it."""


@dataclass(frozen=True)
class LaunchResult:
    """What a launch did, as the metadata store has it.

    Attributes:
        component_id: Of the component.
        path: By which it was launched.
        execution: Its one execution: state, properties, events. By the notebook path it lacks the
            execution properties that the executor wrote: see this module's documentation.
    """

    component_id: str
    path: str
    execution: ExecutionRecord

    @property
    def cached(self) -> bool:
        """Whether the outputs of an earlier execution were used, and the executor did not run."""
        return self.execution.state == "CACHED"

    @property
    def inputs(self) -> dict[str, list[ArtifactRecord]]:
        """The artifacts read, by the key of the input."""
        return self._artifacts("INPUT")

    @property
    def outputs(self) -> dict[str, list[ArtifactRecord]]:
        """The artifacts written, by the key of the output."""
        return self._artifacts("OUTPUT")

    def _artifacts(self, event_type: str) -> dict[str, list[ArtifactRecord]]:
        by_key: dict[str, list[ArtifactRecord]] = {}
        for event in self.execution.events:
            if event.type == event_type:
                by_key.setdefault(str(event.path[0]), []).append(event.artifact)
        return by_key


def launch(
    component: base_component.BaseComponent,
    *,
    pipeline_root: str | os.PathLike[str],
    path: str = "ir",
    store: RecordedMetadata | None = None,
    enable_cache: bool = False,
    pipeline_name: str = "launch",
    beam_pipeline_args: Sequence[str] = (),
) -> LaunchResult:
    """Runs driver, executor and publisher of one component.

    Args:
        component: Whose inputs are channels of artifacts that exist: `as_channel(artifact)`. They
            are registered in the store unless it has them. Make a new component for each launch:
            drivers of the notebook path may change the one that they are given.
        pipeline_root: The folder for the outputs.
        path: `ir`, as LocalDagRunner launches, or `notebook`, as InteractiveContext does.
        store: Where metadata go. Default: a `FakeMetadata` for this launch only. Give one to launch
            several times on it, or to see what a failed launch left.
        enable_cache: Whether an earlier execution of the same component, inputs and properties,
            pipeline name and path may stand in for this one. Off by default: a test means to run.
        pipeline_name: Of the pipeline that the component is taken to be in.
        beam_pipeline_args: For components that use Beam. Default: Beam's own, which is its
            DirectRunner in this process.

    Returns:
        What the store has of it. It can be read when the store is closed.

    Raises:
        TypeError: `component` is not a component (an Importer and a Resolver are not).
        ValueError: `path` is another one, or an input is not a channel of existing artifacts.
        LaunchError: TFX did not run the component and raised nothing.
        Exception: Whatever driver, executor or publisher raises.

    Example:
        >>> import tempfile
        >>> from tfx.components.statistics_gen.component import StatisticsGen
        >>> from tfx_wine_ext.testing import as_channel, examples_artifact
        >>> folder = tempfile.mkdtemp()
        >>> examples = examples_artifact(f"{folder}/examples", {"train": [{"x": 1}, {"x": 2}]})
        >>> result = launch(StatisticsGen(examples=as_channel(examples)), pipeline_root=folder)
        >>> result.execution.state, result.outputs["statistics"][0].properties["split_names"]
        ('COMPLETE', '["train"]')
    """
    if not isinstance(component, base_component.BaseComponent):
        raise TypeError(f"component: expected a TFX component, found {type(component).__name__}")
    if path not in _PATHS:
        raise ValueError(f"path: expected one of {', '.join(_PATHS)}, found {path!r}")
    inputs = {key: _artifacts_of(component, key) for key in component.inputs}
    own_store = FakeMetadata() if store is None else None
    metadata = own_store or store
    assert metadata is not None
    try:
        ids = {key: [metadata.register(artifact) for artifact in inputs[key]] for key in inputs}
        if path == "ir":
            execution_id = _launch_by_ir(
                component,
                ids,
                metadata,
                pipeline_lib.Pipeline(
                    pipeline_name=pipeline_name,
                    pipeline_root=os.fspath(pipeline_root),
                    components=[component],
                    enable_cache=enable_cache,
                    metadata_connection_config=metadata.connection_config,
                    beam_pipeline_args=list(beam_pipeline_args),
                ),
            )
        else:
            context = interactive_context.InteractiveContext(
                pipeline_name=pipeline_name,
                pipeline_root=os.fspath(pipeline_root),
                metadata_connection_config=metadata.connection_config,
                beam_pipeline_args=list(beam_pipeline_args),
            )
            run = inspect.unwrap(interactive_context.InteractiveContext.run)
            execution_id = run(context, component, enable_cache=enable_cache).execution_id
        execution = metadata.execution(execution_id)
    finally:
        if own_store is not None:
            own_store.close()
    return LaunchResult(component_id=component.id, path=path, execution=execution)


class _OneComponentRunner(local_dag_runner.LocalDagRunner):
    """LocalDagRunner, with the inputs of its one component given by artifact ids."""

    def __init__(self, component_id: str, ids: dict[str, list[int]]) -> None:
        super().__init__()
        self._component_id = component_id
        self._ids = ids
        self.run_id = ""

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, *args: Any, **kwargs: Any) -> None:
        [node] = [item.pipeline_node for item in pipeline.nodes]
        for key, ids in self._ids.items():
            spec = node.inputs.inputs[key]
            # A channel is compiled to a query for the outputs of a component of this pipeline.
            spec.ClearField("channels")
            spec.static_inputs.artifact_ids.extend(ids)
        super().run_with_ir(pipeline, *args, **kwargs)
        self.run_id = pipeline.runtime_spec.pipeline_run_id.field_value.string_value


def _launch_by_ir(
    component: base_component.BaseComponent,
    ids: dict[str, list[int]],
    metadata: RecordedMetadata,
    pipeline: pipeline_lib.Pipeline,
) -> int:
    runner = _OneComponentRunner(component.id, ids)
    runner.run(pipeline)
    context = metadata.store.get_context_by_type_and_name(
        constants.PIPELINE_RUN_CONTEXT_TYPE_NAME, runner.run_id
    )
    executions = metadata.store.get_executions_by_context(context.id) if context else []
    if not executions:
        raise LaunchError(
            f"{component.id}: expected one execution, found none: TFX skipped it, because a "
            "required input has no artifacts or a condition does not hold"
        )
    execution = metadata.execution(executions[0].id)
    # LocalDagRunner passes over inputs that cannot be resolved: it publishes the failure, no more.
    if execution.state == "FAILED":
        result = json.loads(execution.custom_properties[_EXECUTION_RESULT])
        # The message is a traceback, whose last line is the error.
        reason = result["resultMessage"].strip().splitlines()[-1]
        raise LaunchError(f"{component.id}: TFX failed before the driver: {reason}")
    return execution.id


def _artifacts_of(component: base_component.BaseComponent, key: str) -> list[Artifact]:
    """Returns the artifacts that the channel of an input holds."""
    channel = component.inputs[key]
    artifacts = list(channel.get()) if hasattr(channel, "get") else []
    if not artifacts or not all(artifact.uri for artifact in artifacts):
        raise ValueError(
            f"{component.id}: input {key!r}: expected a channel of artifacts that exist, found "
            f"{type(channel).__name__} {channel!r}. Give as_channel(artifact): of an artifact "
            "builder, or of the outputs of an earlier launch"
        )
    return artifacts
