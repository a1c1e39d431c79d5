"""Names of outputs on TFX's legacy path."""

from __future__ import annotations

import pytest
from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types
from tfx.types import standard_artifacts
from tfx.types.channel import OutputChannel

from tests.publishers.tried import Tried
from tfx_wine_ext.drivers.output_names import UniqueOutputNames


class OfTwo(base_driver.BaseDriver):
    """Makes two artifacts of one output."""

    def _prepare_output_artifacts(self, *arguments):
        return {"examples": [standard_artifacts.Examples(), standard_artifacts.Examples()]}


class Named(UniqueOutputNames, OfTwo):
    """The same with names."""


@pytest.mark.e2e
def test_a_name_says_component_key_run_execution_and_index():
    pipeline = data_types.PipelineInfo("wine", "/root", "monday")
    component = data_types.ComponentInfo("a.Gen", "Gen", pipeline)
    outputs: dict[str, OutputChannel] = Tried().outputs
    made = Named(None)._prepare_output_artifacts({}, outputs, {}, 7, pipeline, component)
    assert [artifact.name for artifact in made["examples"]] == [
        "Gen.examples:monday:7:0",
        "Gen.examples:monday:7:1",
    ]
