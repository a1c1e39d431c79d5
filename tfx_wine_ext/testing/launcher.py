"""Launches one component, as LocalDagRunner or InteractiveContext does.

No part of TFX is replaced. `path="ir"` compiles a pipeline of the component and passes it to
LocalDagRunner; in the compiled pipeline (the intermediate representation, IR) each input refers to
artifacts by their ids in the store. `path="notebook"` calls `InteractiveContext.run` without its
decorator, which would make it do nothing outside of IPython.

TFX's two paths differ, so test both:

* On the IR path the store receives execution properties that an executor writes (as custom
  properties of the execution). A notebook stores them as they were before the executor ran (as
  properties, and as strings). Properties of output artifacts reach the store on both paths.
* On the IR path a failed execution ends as `FAILED`, but stays `RUNNING` if the driver failed. In a
  notebook it always stays `RUNNING`. Drivers and executors can record failures themselves
  (`tfx_wine_ext.publishers.failure.records_failures`).
* A notebook registers outputs before the executor runs, so a failed execution leaves them behind in
  the state `UNKNOWN`. The IR path registers them after the execution has succeeded.
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

from tfx_wine_ext.artifacts.properties import line_of
from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.testing.metadata import (
    ArtifactRecord,
    ExecutionRecord,
    FakeMetadata,
    RecordedMetadata,
)
from tfx_wine_ext.types.execution import RESULT_KEY

if TYPE_CHECKING:
    from tfx.proto.orchestration import pipeline_pb2
    from tfx.types.artifact import Artifact

_PATHS = ("ir", "notebook")


class LaunchError(TfxWineExtError, RuntimeError):
    """TFX did not run the component and raised no error."""


@dataclass(frozen=True)
class LaunchResult:
    """The result of a launch, as the metadata store records it.

    Attributes:
        component_id: Id of the component.
        path: The launch path.
        execution: The execution with its state, properties and events. On the notebook path it
            lacks the execution properties that the executor wrote; see the module docstring.
    """

    component_id: str
    path: str
    execution: ExecutionRecord

    @property
    def cached(self) -> bool:
        """Whether outputs of an earlier execution were reused and the executor did not run."""
        return self.execution.state == "CACHED"

    @property
    def inputs(self) -> dict[str, list[ArtifactRecord]]:
        """The artifacts read, by input key."""
        return self._artifacts("INPUT")

    @property
    def outputs(self) -> dict[str, list[ArtifactRecord]]:
        """The artifacts written, by output key."""
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
        component: A component whose inputs are channels of existing artifacts, from
            `as_channel(artifact)`. Artifacts that the store lacks are registered. Make a new
            component for each launch: drivers on the notebook path may change it.
        pipeline_root: The folder for the outputs.
        path: `ir`, to launch as LocalDagRunner does, or `notebook`, as InteractiveContext does.
        store: The metadata store. Default: a `FakeMetadata` for this launch only. Give a store to
            launch several times with it, or to inspect a failed launch.
        enable_cache: Whether to reuse an earlier execution of the same component, inputs,
            properties, pipeline name and path. Off by default, so that a test runs the component.
        pipeline_name: Name of the pipeline that the component belongs to.
        beam_pipeline_args: Arguments for components that use Beam. Default: Beam's own, which
            select the DirectRunner in this process.

    Returns:
        The recorded result. It can be read after the store is closed.

    Raises:
        TypeError: `component` is not a component (an Importer or a Resolver is not one).
        ValueError: `path` is another value, or an input is not a channel of existing artifacts.
        LaunchError: TFX did not run the component and raised no error.
        Exception: Any error of driver, executor or publisher.

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
    """A LocalDagRunner for one component whose inputs are given by artifact ids."""

    def __init__(self, component_id: str, ids: dict[str, list[int]]) -> None:
        super().__init__()
        self._component_id = component_id
        self._ids = ids
        self.run_id = ""

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, *args: Any, **kwargs: Any) -> None:
        [node] = [item.pipeline_node for item in pipeline.nodes]
        for key, ids in self._ids.items():
            spec = node.inputs.inputs[key]
            # TFX compiles a channel to a query for outputs of a component of this pipeline.
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
    # LocalDagRunner raises nothing if inputs cannot be resolved: it only publishes the failure.
    if execution.state == "FAILED":
        result = json.loads(execution.custom_properties[RESULT_KEY])
        reason = line_of(result["resultMessage"])
        raise LaunchError(f"{component.id}: TFX failed before the driver: {reason}")
    return execution.id


def _artifacts_of(component: base_component.BaseComponent, key: str) -> list[Artifact]:
    """Returns the artifacts in the channel of an input."""
    channel = component.inputs[key]
    artifacts = list(channel.get()) if hasattr(channel, "get") else []
    if not artifacts or not all(artifact.uri for artifact in artifacts):
        raise ValueError(
            f"{component.id}: input {key!r}: expected a channel of artifacts that exist, found "
            f"{type(channel).__name__} {channel!r}. Give as_channel(artifact), with an artifact "
            "from a builder or from the outputs of an earlier launch"
        )
    return artifacts
