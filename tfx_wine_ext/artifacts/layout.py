"""Where the files of artifacts are, and how TFX names files, formats and properties."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from tfx_wine_ext.types.drift_report import ANOMALIES_FILE as ANOMALIES_FILE

STATISTICS_FILE = "FeatureStats.pb"
SCHEMA_FILE = "schema.pbtxt"
SPLIT = "Split-"
STOPPED_FOLDER = "stopped"
"""Where DriftReport's mode `fail` keeps the report: TFX deletes the folders of its outputs."""

TF_EXAMPLE, PARQUET = "FORMAT_TF_EXAMPLE", "FORMAT_PARQUET"
"""The payload formats of Examples that this library reads and writes."""
FILE_FORMATS = {TF_EXAMPLE: "tfrecords_gzip", PARQUET: "FILE_FORMAT_PARQUET"}
"""The names of file formats that TFX's readers expect (tfx/components/util/tfxio_utils.py)."""

# Folders of a node and of an execution; no number of MLMD has more digits.
_STOPPED = re.compile(rf"/([^/]+)/{STOPPED_FOLDER}/([0-9]{{1,18}})(/|$)")


def split_folder(uri: str, split: str) -> str:
    """Returns the folder of a split.

    Example:
        >>> split_folder("examples/7", "train")
        'examples/7/Split-train'
    """
    return f"{uri}/{SPLIT}{split}"


def splits_of(names: Iterable[str]) -> list[str]:
    """Returns the splits that have a folder, sorted.

    Args:
        names: Names of the files and folders of an artifact.

    Example:
        >>> splits_of(["_SUCCESS", "Split-train", "Split-eval"])
        ['eval', 'train']
    """
    return sorted(name[len(SPLIT) :] for name in names if name.startswith(SPLIT))


def node_folder(uri: str) -> str:
    """Returns the folder of a node, in which TFX makes one folder per output and execution.

    Args:
        uri: URI of an output.

    Example:
        >>> node_folder("/pipelines/wine/DriftReport/report/7")
        '/pipelines/wine/DriftReport'
    """
    return posixpath.dirname(posixpath.dirname(uri.rstrip("/")))


def stopped_folder(node: str, execution: int | str) -> str:
    """Returns the folder of the report by which a node stopped its run.

    Example:
        >>> stopped_folder("/pipelines/wine/DriftReport", 7)
        '/pipelines/wine/DriftReport/stopped/7'
    """
    return f"{node}/{STOPPED_FOLDER}/{execution}"


def stopped_by(path: str) -> tuple[str, int] | None:
    """Returns node and execution of a path in a `stopped_folder`; None for other paths.

    Example:
        >>> stopped_by("DriftReport/stopped/7/a.html"), stopped_by("DriftReport/report/7")
        (('DriftReport', 7), None)
    """
    match = _STOPPED.search(f"/{path}")
    return (match[1], int(match[2])) if match else None
