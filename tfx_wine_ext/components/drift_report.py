"""The DriftReport component: are new data still the data that they were?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from tfx import types
from tfx.dsl.components.base import base_beam_component
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.dsl.components.common import resolver
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from tfx_wine_ext.components import drift_visualization
from tfx_wine_ext.drift.config import DriftConfig
from tfx_wine_ext.drivers.drift_report import DriftReportDriver
from tfx_wine_ext.executors.drift_report import MODES, DriftReportExecutor
from tfx_wine_ext.types import drift_report as keys
from tfx_wine_ext.types.artifacts import DriftBlessing, ExampleDriftReport

drift_visualization.register()


class DriftReportSpec(ComponentSpec):
    """Parameters, inputs and outputs of `DriftReport`; see there for their meaning."""

    PARAMETERS: ClassVar[Mapping[str, ExecutionParameter]] = {
        keys.SPLIT_KEY: ExecutionParameter(type=str),
        keys.BASELINE_SPLIT_KEY: ExecutionParameter(type=str),
        keys.SKEW_KEY: ExecutionParameter(type=int),
        keys.MODE_KEY: ExecutionParameter(type=str),
        keys.DRIFT_CONFIG_KEY: ExecutionParameter(type=str),
        keys.BASELINE_PINNED_KEY: ExecutionParameter(type=int),
    }
    INPUTS: ClassVar[Mapping[str, ChannelParameter]] = {
        keys.EXAMPLES_KEY: ChannelParameter(
            type=standard_artifacts.Examples, optional=True, allow_empty=False
        ),
        keys.BASELINE_KEY: ChannelParameter(type=standard_artifacts.Examples, optional=True),
        keys.STATISTICS_KEY: ChannelParameter(
            type=standard_artifacts.ExampleStatistics, optional=True, allow_empty=False
        ),
        keys.BASELINE_STATISTICS_KEY: ChannelParameter(
            type=standard_artifacts.ExampleStatistics, optional=True
        ),
        keys.SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema, optional=True),
    }
    OUTPUTS: ClassVar[Mapping[str, ChannelParameter]] = {
        keys.REPORT_KEY: ChannelParameter(type=ExampleDriftReport),
        keys.ANOMALIES_KEY: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        keys.BLESSING_KEY: ChannelParameter(type=DriftBlessing),
    }


class DriftReport(base_beam_component.BaseBeamComponent):
    """Compares Examples with earlier ones: a verdict that a pipeline obeys, a page for people.

    With `examples` every row of the split is read, on Beam, in memory that does not grow with the
    rows. With `statistics` instead only the histograms of StatisticsGen are, in a fraction of a
    second; each score then has a wide error band, and what lies within it is INCONCLUSIVE.
    What the metrics are, and when they fail, stands in docs/drift-metrics.md.

    Without a baseline (a first run, or a Resolver that finds none) the verdict is NO_BASELINE,
    which is no error and is blessed. So it is, with the reason and the path, where the files of
    what a Resolver found are gone. Where the author chose the baseline (`PinnedSpanStrategy`, or a
    channel that is no Resolver's) and its files are gone, the component fails.

    Outputs:
        report: `tfx_wine_ext.types.artifacts.ExampleDriftReport`: ``drift_report.html`` and
            ``drift_report.json``. The verdict, the share of drifted features, the rows of both
            sides and the ten worst features with their scores are custom properties of it
            (docs/drift-report.md). ``InteractiveContext.show`` displays it.
        anomalies: ``standard_artifacts.ExampleAnomalies``, as ExampleValidator writes them.
        blessing: `tfx_wine_ext.types.artifacts.DriftBlessing`: not blessed if the verdict is DRIFT,
            else blessed. For ``Cond`` and for resolvers.

    Args:
        examples: A channel of Examples: the current data. Payload ``FORMAT_TF_EXAMPLE`` or
            ``FORMAT_PARQUET``. Either these or `statistics`.
        baseline: A channel of Examples to compare with, as a Resolver with a strategy of
            `tfx_wine_ext.resolvers` finds them; it may be empty. Without it, and with a
            `baseline_split` other than `split`, the two splits of `examples` are compared: the skew
            between them.
        statistics: A channel of ExampleStatistics of the current data.
        baseline_statistics: A channel of ExampleStatistics to compare with; it may be empty.
        schema: A channel of a Schema. Integers that it declares categorical are compared as
            categories; features of lifecycle stage ``PLANNED``, ``ALPHA``, ``DEBUG_ONLY``,
            ``DEPRECATED`` or ``DISABLED`` are passed over, as TFDV does. Without it, all integers
            are numbers.
        config: What counts as drift: a `DriftConfig`, or the mapping that makes one. Default: the
            defaults of `DriftConfig`.
        split: The split of the current data that is looked at. Default: ``train``.
        baseline_split: The split of the baseline, or the other one of `examples` or `statistics`;
            default: the same as `split`.
        mode: What DRIFT does to the pipeline. ``report``: nothing. ``warn`` (default): it goes on,
            with a warning in the log. ``fail``: this component fails, the worst features are in the
            message, nothing is published, and the report is kept beside the place where it would
            have been, in a folder ``stopped``.

    Raises:
        ValueError: an argument is out of range, or arguments contradict each other.
        TypeError: `config` is no `DriftConfig` and no mapping, or has a value of the wrong type.

    Example:
        >>> from tfx.types.channel import Channel
        >>> drift = DriftReport(
        ...     examples=Channel(type=standard_artifacts.Examples),
        ...     baseline=Channel(type=standard_artifacts.Examples),
        ...     config={"critical": ["alcohol"]},
        ...     mode="fail",
        ... )
        >>> sorted(drift.outputs)
        ['anomalies', 'blessing', 'report']
    """

    SPEC_CLASS = DriftReportSpec
    EXECUTOR_SPEC = BeamExecutorSpec(DriftReportExecutor)
    DRIVER_CLASS = DriftReportDriver

    def __init__(
        self,
        examples: types.BaseChannel | None = None,
        *,
        baseline: types.BaseChannel | None = None,
        statistics: types.BaseChannel | None = None,
        baseline_statistics: types.BaseChannel | None = None,
        schema: types.BaseChannel | None = None,
        config: DriftConfig | Mapping[str, Any] | None = None,
        split: str = "train",
        baseline_split: str | None = None,
        mode: Literal["report", "warn", "fail"] = "warn",
    ) -> None:
        """Checks the arguments and builds the spec."""
        if (examples is None) == (statistics is None):
            found = "neither" if examples is None else "both"
            raise ValueError(
                "examples: expected either examples (every row is read) or statistics (the "
                f"histograms of StatisticsGen), found {found}"
            )
        for here, there, argument, other in (
            (baseline, examples, keys.BASELINE_KEY, keys.EXAMPLES_KEY),
            (baseline_statistics, statistics, keys.BASELINE_STATISTICS_KEY, keys.STATISTICS_KEY),
        ):
            if here is not None and there is None:
                raise ValueError(f"{argument}: expected only together with {other}")
            if here is not None and here is there:
                raise ValueError(
                    f"{argument}: expected another channel than {other}; to compare two splits of "
                    "the same data, name them by split and baseline_split and leave it out"
                )
        if mode not in MODES:
            raise ValueError(f"mode: expected one of {', '.join(MODES)}, found {mode!r}")
        for argument, name in ((keys.SPLIT_KEY, split), (keys.BASELINE_SPLIT_KEY, baseline_split)):
            if name is not None and not (isinstance(name, str) and name):
                raise ValueError(f"{argument}: expected the name of a split, found {name!r}")
        judged_by = _as_config(config)
        if judged_by.classifier and statistics is not None:
            raise ValueError("config: the classifier needs rows: expected examples, not statistics")
        has_baseline = baseline is not None or baseline_statistics is not None
        spec = DriftReportSpec(
            examples=examples,
            baseline=baseline,
            statistics=statistics,
            baseline_statistics=baseline_statistics,
            schema=schema,
            split=split,
            baseline_split=baseline_split or split,
            skew=int(not has_baseline and baseline_split not in (None, split)),
            mode=mode,
            drift_config=json.dumps(judged_by.to_dict(), sort_keys=True),
            baseline_pinned=int(_is_pinned(baseline or baseline_statistics)),
            report=types.Channel(type=ExampleDriftReport),
            anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
            blessing=types.Channel(type=DriftBlessing),
        )
        super().__init__(spec=spec)


def _is_pinned(baseline: types.BaseChannel | None) -> bool:
    """Tells whether the author chose the baseline, and not a Resolver by what it finds."""
    producer = getattr(baseline, "producer_component", None)
    if baseline is None or not isinstance(producer, resolver.Resolver):
        return baseline is not None
    strategy = producer.exec_properties.get(resolver.RESOLVER_STRATEGY_CLASS)
    return bool(getattr(strategy, "PINS", strategy is None))


def _as_config(config: DriftConfig | Mapping[str, Any] | None) -> DriftConfig:
    if config is None or isinstance(config, DriftConfig):
        return config or DriftConfig()
    try:
        return DriftConfig.from_dict(config)
    except (ValueError, TypeError) as error:
        raise type(error)(f"config: {error}") from error
