"""The DriftReport component: tells whether new data have drifted from a baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from tfx import types
from tfx.dsl.components.base import base_beam_component
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.dsl.components.common import resolver
from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import LatestArtifactStrategy
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from tfx_wine_ext.components.visualizations import ExampleDriftReportVisualization, register
from tfx_wine_ext.drift.config import DriftConfig
from tfx_wine_ext.drivers.drift_report import DriftReportDriver
from tfx_wine_ext.executors.drift_report import MODES, DriftReportExecutor
from tfx_wine_ext.resolvers.channels import strategy_of
from tfx_wine_ext.types import drift_report as keys
from tfx_wine_ext.types.artifacts import DriftBlessing, ExampleDriftReport

register(ExampleDriftReportVisualization)


class DriftReportSpec(ComponentSpec):
    """Parameters, inputs and outputs of `DriftReport`, which documents them."""

    PARAMETERS: ClassVar[Mapping[str, ExecutionParameter]] = {
        keys.SPLIT_KEY: ExecutionParameter(type=str),
        keys.BASELINE_SPLIT_KEY: ExecutionParameter(type=str),
        keys.SKEW_KEY: ExecutionParameter(type=int),
        keys.MODE_KEY: ExecutionParameter(type=str),
        keys.DRIFT_CONFIG_KEY: ExecutionParameter(type=str),
        keys.BASELINE_PINNED_KEY: ExecutionParameter(type=int),
        keys.CHOOSE_BASELINE_KEY: ExecutionParameter(type=int),
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
    """Compares Examples with a baseline: gives the pipeline a verdict and people a report.

    With `examples`, Beam reads every row of the split in memory that does not grow with the number
    of rows. With `statistics`, only the histograms of StatisticsGen are read, in a fraction of a
    second; each score then has a wide error band, and a score whose band includes its limit is
    INCONCLUSIVE. docs/drift-metrics.md describes the metrics and their limits.

    Without a baseline (a first run, or a Resolver that finds none) the verdict is NO_BASELINE,
    which is not an error and is blessed. The same verdict, with the reason and the path, is given
    if the files of a baseline that a Resolver found are gone. If the author chose the baseline
    (`PinnedSpanStrategy`, or a channel not from a Resolver) and its files are gone, the component
    fails.

    Outputs:
        report: `tfx_wine_ext.types.artifacts.ExampleDriftReport`: ``drift_report.html`` and
            ``drift_report.json``. Its custom properties hold the verdict, the share of drifted
            features, the row counts of both sides and the ten worst features with their scores
            (docs/drift-report.md). ``InteractiveContext.show`` displays it.
        anomalies: ``standard_artifacts.ExampleAnomalies``, in ExampleValidator's format.
        blessing: `tfx_wine_ext.types.artifacts.DriftBlessing`: blessed unless the verdict is DRIFT.
            For ``Cond`` and for resolvers.

    Args:
        examples: A channel of Examples: the current data. Payload ``FORMAT_TF_EXAMPLE`` or
            ``FORMAT_PARQUET``. Give either `examples` or `statistics`.
        baseline: A channel of the Examples to compare with, such as the output of a Resolver with a
            strategy of `tfx_wine_ext.resolvers`; it may be empty. Without it, and with a
            `baseline_split` other than `split`, two splits of `examples` are compared with each
            other (skew).
        statistics: A channel of ExampleStatistics of the current data.
        baseline_statistics: A channel of ExampleStatistics to compare with; it may be empty.
        schema: A channel of a Schema. Integers that it declares categorical are compared as
            categories; features of lifecycle stage ``PLANNED``, ``ALPHA``, ``DEBUG_ONLY``,
            ``DEPRECATED`` or ``DISABLED`` are skipped, as TFDV does. Without a schema, all integers
            are numeric.
        config: What counts as drift: a `DriftConfig`, or a mapping of its fields. Default:
            ``DriftConfig()``.
        split: The split of the current data to check. Default: ``train``.
        baseline_split: The split of the baseline, or for skew the other split of `examples` or
            `statistics`. Default: the same as `split`.
        mode: What the pipeline does on DRIFT. ``report``: continue. ``warn`` (default): continue
            and log a warning. ``fail``: this component fails with the worst features in its
            message; nothing is published, and the report is kept in a folder ``stopped`` beside the
            component's output folders.

    Raises:
        ValueError: An argument is out of range, or arguments contradict each other.
        TypeError: `config` is neither a `DriftConfig` nor a mapping, or has a value of the wrong
            type.

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
            given = "neither" if examples is None else "both"
            raise ValueError(
                "examples: expected either examples (every row is read) or statistics (the "
                f"histograms of StatisticsGen), found {given}"
            )
        for reference, current, reference_key, current_key in (
            (baseline, examples, keys.BASELINE_KEY, keys.EXAMPLES_KEY),
            (baseline_statistics, statistics, keys.BASELINE_STATISTICS_KEY, keys.STATISTICS_KEY),
        ):
            if reference is not None and current is None:
                raise ValueError(f"{reference_key}: expected only together with {current_key}")
            if reference is not None and reference is current:
                raise ValueError(
                    f"{reference_key}: expected another channel than {current_key}; to compare two "
                    "splits of the same data, give split and baseline_split, and omit "
                    f"{reference_key}"
                )
        if mode not in MODES:
            raise ValueError(f"mode: expected one of {', '.join(MODES)}, found {mode!r}")
        for argument, name in ((keys.SPLIT_KEY, split), (keys.BASELINE_SPLIT_KEY, baseline_split)):
            if name is not None and not (isinstance(name, str) and name):
                raise ValueError(f"{argument}: expected the name of a split, found {name!r}")
        drift_config = _as_config(config)
        if drift_config.classifier and statistics is not None:
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
            drift_config=json.dumps(drift_config.to_dict(), sort_keys=True),
            baseline_pinned=int(_is_pinned(baseline or baseline_statistics)),
            choose_baseline=_chooses(baseline or baseline_statistics, examples or statistics),
            report=types.Channel(type=ExampleDriftReport),
            anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
            blessing=types.Channel(type=DriftBlessing),
        )
        super().__init__(spec=spec)


def _is_pinned(baseline: types.BaseChannel | None) -> bool:
    """Tells whether the author chose the baseline, rather than a Resolver."""
    if not isinstance(getattr(baseline, "producer_component", None), resolver.Resolver):
        return baseline is not None
    strategy = strategy_of(baseline)
    return bool(getattr(strategy, "PINS", strategy is None))


def _chooses(baseline: types.BaseChannel | None, current: types.BaseChannel | None) -> int:
    """Tells whether the component chooses, as a Resolver finds the newest artifact of any span."""
    if baseline is None or not issubclass(strategy_of(baseline) or type, LatestArtifactStrategy):
        return 0
    asked = baseline.producer_component.raw_inputs[baseline.output_key]
    named, own = (getattr(each, "producer_component_id", None) for each in (asked, current))
    return 1 if own is None or named in (None, own) else keys.CHOOSE_WITHOUT_DRIVER


def _as_config(config: DriftConfig | Mapping[str, Any] | None) -> DriftConfig:
    if config is None or isinstance(config, DriftConfig):
        return config or DriftConfig()
    try:
        return DriftConfig.from_dict(config)
    except (ValueError, TypeError) as error:
        raise type(error)(f"config: {error}") from error
