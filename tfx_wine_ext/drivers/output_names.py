"""Names of output artifacts that no other component or execution has."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types


class UniqueOutputNames(base_driver.BaseDriver):
    """A driver whose outputs have names of their own on TFX's legacy path (notebooks, Airflow).

    MLMD wants the names of artifacts of one type to differ. TFX's legacy drivers name an output
    ``KEY:RUN``: two components of a run whose outputs have one key and type fail with
    ``AlreadyExistsError``, and so does each further try. LocalDagRunner and BeamDagRunner give
    outputs no names.

    Use it as the first base class.
    """

    def _prepare_output_artifacts(
        self,
        input_artifacts: dict[str, list[types.Artifact]],
        output_dict: dict[str, types.Channel],
        exec_properties: dict[str, Any],
        execution_id: int,
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, list[types.Artifact]]:
        """Names each output ``COMPONENT.KEY:RUN:EXECUTION:INDEX``."""
        outputs: dict[str, list[types.Artifact]] = super()._prepare_output_artifacts(
            input_artifacts,
            output_dict,
            exec_properties,
            execution_id,
            pipeline_info,
            component_info,
        )
        for key, artifacts in outputs.items():
            for index, artifact in enumerate(artifacts):
                artifact.name = (
                    f"{component_info.component_id}.{key}:{pipeline_info.run_id}"
                    f":{execution_id}:{index}"
                )
        return outputs
