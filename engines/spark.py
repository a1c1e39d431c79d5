"""Spark, in one JVM, by Beam's job server: the wine pipeline, and workers as processes."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from engines.checks import Check
from engines.installing import maven
from engines.portable import BEAM, compare_components, java_command, job_server
from engines.wine import Result, compare, two_spans

SPARK = "3.5.0"


@contextlib.contextmanager
def spark(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Runs Beam's Spark job server, and Spark in it; yields its address and its process.

    Args:
        folder: For its log and what is sent to it.
    """
    # Beam's own -job-server artifact, with Spark in it, is not on Maven Central.
    jars = maven(
        "spark/jars",
        [
            f"org.apache.beam:beam-runners-spark-3:{BEAM}",
            f"org.apache.spark:spark-streaming_2.12:{SPARK}",
            f"org.apache.spark:spark-sql_2.12:{SPARK}",
            "org.slf4j:slf4j-simple:1.7.30",
        ],
    )
    main = "org.apache.beam.runners.spark.SparkJobServerDriver"
    command = java_command(jars, main, "-Xmx2g")
    with job_server([*command, "--spark-master-url=local[2]"], folder) as started:
        yield started


def run(folder: Path, in_process: Result) -> Iterator[Check]:
    """Yields what the wine pipeline, and our components with several tasks, give on Spark."""
    with spark(folder) as (endpoint, _):
        wine = two_spans(folder / "wine", "--runner=spark", f"--beam-arg=--job_endpoint={endpoint}")
        yield from compare(in_process, wine)
        yield from compare_components(folder, endpoint)
