"""Where the pipeline's work is done: in this process, or by an engine that Beam knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfx.orchestration.tfx_runner import TfxRunner

RUNNERS = {
    "local": "the components one after the other, Beam's work in this process",
    "beam": "TFX's BeamDagRunner: each component as soon as its inputs are there",
    "flink": "one after the other, Beam's work by the Flink job server at localhost:8099",
    "spark": "one after the other, Beam's work by the Spark job server at localhost:8099",
}
"""The runners by name, and what they do."""

# Workers are threads of this process, so that nothing has to be installed elsewhere; the last
# argument keeps TFX from building a package of itself for every component.
_PORTABLE = (
    "--runner=PortableRunner",
    "--job_endpoint=localhost:8099",
    "--environment_type=LOOPBACK",
    "--parallelism=2",
    "--sdk_container_image=unused",
)


def beam_arguments(runner: str, given: Sequence[str] = ()) -> list[str]:
    """Returns the arguments for Beam.

    Args:
        runner: A key of `RUNNERS`.
        given: Arguments of the user, which overrule the runner's own.

    Example:
        >>> beam_arguments("local", ["--direct_num_workers=2"])
        ['--direct_num_workers=2']
        >>> beam_arguments("spark", ["--job_endpoint=host:1"])[-1]
        '--job_endpoint=host:1'
    """
    named = {argument.partition("=")[0] for argument in given}
    own = _PORTABLE if runner in ("flink", "spark") else ()
    return [argument for argument in own if argument.partition("=")[0] not in named] + [*given]


def tfx_runner(runner: str) -> TfxRunner:
    """Returns what runs the components. It imports TFX.

    Args:
        runner: A key of `RUNNERS`.
    """
    if runner == "beam":
        from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

        return BeamDagRunner()
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    return LocalDagRunner()
