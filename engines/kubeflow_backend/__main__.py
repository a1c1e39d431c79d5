"""Compiles pipelines for Kubeflow, and runs them by `Backend`.

python -m engines.kubeflow_backend DATA_ROOT FOLDER

FOLDER/runs.json is then what each run of the wine pipeline made: the artifact of each output, by
task and by output. FOLDER/latest.json is what drift reports decided whose baseline
`LatestArtifactStrategy` finds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from engines.kubeflow_backend.backend import Backend
from examples.wine_quality import kubeflow_run

IMAGE = "example/wine:1"
SPANS = (["--span", "1", "--warm-start"], ["--baseline-span", "1", "--warm-start"])
"""Of the first run, and of the second, which reads the latest span."""
LATEST = ((1, "Before"), (2, "Before"), (2, "Before"), (2, "ZAfter"))
"""Span and id of the Resolver of each run; tasks that can run do so in the order of their ids."""


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    data, folder = arguments[0], Path(arguments[1])
    backend, runs = Backend(folder), []
    places = [
        *("--image", IMAGE),
        *("--data-root", data),
        *("--pipeline-root", str(folder / "root")),
        *("--serving", str(folder / "serving")),
    ]
    # Cold starts of either model compile, too.
    for model in ("dnn", "trees"):
        cold = str(folder / f"cold-{model}.json")
        kubeflow_run.main([*places, "--output", cold, "--model", model])
    for number, options in enumerate(SPANS, start=1):
        compiled = folder / f"wine-quality-{number}.json"
        kubeflow_run.main([*places, "--output", str(compiled), *options])
        runs.append(backend.run(compiled))
    (folder / "runs.json").write_text(json.dumps(runs, indent=1))
    (folder / "latest.json").write_text(json.dumps(_latest(data, folder / "latest"), indent=1))
    return 0


def _latest(data: str, folder: Path) -> list[str]:
    """Returns what was decided where `LatestArtifactStrategy` finds the baseline."""
    from tfx.dsl.components.common.resolver import Resolver
    from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import (
        LatestArtifactStrategy,
    )
    from tfx.orchestration.pipeline import Pipeline
    from tfx.proto import example_gen_pb2, range_config_pb2
    from tfx.types.channel import Channel
    from tfx.types.standard_artifacts import Examples

    from tfx_wine_ext import DriftReport, ParquetExampleGen

    backend, said = Backend(folder), []
    for number, (span, resolver_id) in enumerate(LATEST, start=1):
        split = example_gen_pb2.Input.Split(name="wine", pattern="span-{SPAN}/*.parquet")
        only = range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
        example_gen = ParquetExampleGen(
            data,
            input_config=example_gen_pb2.Input(splits=[split]),
            range_config=range_config_pb2.RangeConfig(static_range=only),
        )
        resolver = Resolver(
            strategy_class=LatestArtifactStrategy, baseline=Channel(type=Examples)
        ).with_id(resolver_id)
        drift_report = DriftReport(
            examples=example_gen.outputs["examples"], baseline=resolver.outputs["baseline"]
        )
        pipeline = Pipeline(
            pipeline_name="latest",
            pipeline_root=str(folder),
            components=[resolver, example_gen, drift_report],
        )
        compiled = folder / f"{number}.json"
        kubeflow_run.compile_pipeline(pipeline, IMAGE, compiled)
        said.append(backend.run(compiled)["DriftReport"]["report"]["metadata"]["decision"])
    return said


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
