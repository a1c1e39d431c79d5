"""Compiles the wine pipeline for Kubeflow Pipelines v2 and Vertex AI: run it for --help."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline

NAME = "wine-quality"
# What Kubeflow's compiler takes.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.wine_quality.kubeflow_run",
        description="Compiles the wine pipeline for Kubeflow Pipelines v2 and Vertex AI. Nothing "
        "is started: submit the file, and compile again for each new span.",
    )
    parser.add_argument(
        "--image", required=True, help="container image with TFX, this library and examples/"
    )
    parser.add_argument("--pipeline-root", required=True, help="folder of all artifacts, a URL")
    parser.add_argument("--data-root", required=True, help="folder of the spans: span-1/ and so on")
    parser.add_argument("--serving", required=True, help="folder that models are pushed to")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("wine-quality.json"),
        help="file to write, .json or .yaml (wine-quality.json)",
    )
    parser.add_argument("--name", default=NAME, help=f"name of the pipeline ({NAME})")
    parser.add_argument("--model", default="dnn", choices=["dnn", "trees"])
    parser.add_argument("--span", type=int, help="the span to read (the latest)")
    parser.add_argument(
        "--baseline-span",
        type=int,
        help="the span to compare with (none: there is no baseline)",
    )
    parser.add_argument("--drift", default="warn", choices=["report", "warn", "fail"])
    parser.add_argument(
        "--warm-start", action="store_true", help="continue from the latest blessed model"
    )
    parser.add_argument(
        "--beam-arg", action="append", default=[], metavar="ARG", help="--beam-arg=--runner=..."
    )
    return parser


def compile_pipeline(pipeline: Pipeline, image: str, output: Path) -> None:
    """Writes a pipeline as the file that Kubeflow and Vertex run.

    Args:
        pipeline: Any pipeline without Resolvers of custom strategies.
        image: The container image of all components.
        output: A file ``.json`` or ``.yaml``; its folder is created.

    Raises:
        ModuleNotFoundError: ``kfp`` is not installed.
    """
    from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
        KubeflowV2DagRunner,
        KubeflowV2DagRunnerConfig,
    )

    output.absolute().parent.mkdir(parents=True, exist_ok=True)
    # Only in this form do components receive the span that the hook of an ExampleGen finds.
    config = KubeflowV2DagRunnerConfig(default_image=image, use_pipeline_spec_2_1=True)
    runner = KubeflowV2DagRunner(
        config, output_dir=str(output.absolute().parent), output_filename=output.name
    )
    runner.run(pipeline, write_out=True)


def main(arguments: Sequence[str]) -> int:
    """Compiles; returns the exit status.

    Args:
        arguments: As on the command line.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if not _NAME.fullmatch(options.name):
        parser.error(
            f"--name: expected lower-case letters, digits and hyphens, as Kubeflow does, found "
            f"{options.name!r}"
        )
    if options.output.suffix not in (".json", ".yaml", ".yml"):
        parser.error(f"--output: expected a file .json or .yaml, found {options.output}")
    for argument in ("pipeline_root", "data_root", "serving"):
        place = getattr(options, argument)
        if "://" not in place and not place.startswith("/"):
            parser.error(
                f"--{argument.replace('_', '-')}: expected a URL such as gs://bucket/folder, or a "
                f"path that all containers have, found {place!r}"
            )
    if options.baseline_span is not None and options.baseline_span == options.span:
        parser.error(f"--baseline-span: expected another span than --span, found {options.span}")
    try:
        import kfp as kfp
    except ModuleNotFoundError:
        parser.exit(1, "kfp is missing: pip install 'tfx[kfp]' in an environment of this project\n")
    # Not at the top: `--help` needs no TFX.
    from examples.wine_quality.pipeline import create_pipeline

    pipeline = create_pipeline(
        pipeline_root=options.pipeline_root,
        data_root=options.data_root,
        serving_dir=options.serving,
        metadata_connection_config=None,
        pipeline_name=options.name,
        model=options.model,
        span=options.span,
        drift_mode=options.drift,
        warm_start=options.warm_start,
        beam_pipeline_args=options.beam_arg,
        kubeflow=True,
        baseline_span=options.baseline_span,
    )
    compile_pipeline(pipeline, options.image, options.output)
    print(f"{options.output}: {len(pipeline.components)} components, for {options.image}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
