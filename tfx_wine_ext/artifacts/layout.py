"""Where the files of artifacts are, and how TFX names files and formats."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from tfx_wine_ext.types.drift_report import ANOMALIES_FILE as ANOMALIES_FILE

STATISTICS_FILE = "FeatureStats.pb"
"""The file of StatisticsGen in the folder of a split."""
SCHEMA_FILE = "schema.pbtxt"
"""The file of SchemaGen."""
RAGGED_SCHEMA_FOLDER = "_ragged_schema"
"""The folder in Examples with the schema of their ragged features, as `SCHEMA_FILE`."""
SPLIT = "Split-"
"""The beginning of the name of a split's folder."""

TF_EXAMPLE, PARQUET = "FORMAT_TF_EXAMPLE", "FORMAT_PARQUET"
"""The payload formats of Examples that this library reads and writes."""
FILE_FORMATS = {TF_EXAMPLE: "tfrecords_gzip", PARQUET: "FILE_FORMAT_PARQUET"}
"""The names of file formats that TFX's readers expect (tfx/components/util/tfxio_utils.py)."""

# Where DriftReport's mode `fail` keeps the report: TFX deletes the folders of its outputs.
_STOPPED_FOLDER = "stopped"
# Folders of a node and of an execution; no number of MLMD has more digits.
_STOPPED = re.compile(rf"/([^/]+)/{_STOPPED_FOLDER}/([0-9]{{1,18}})(/|$)")


def split_folder(uri: str, split: str) -> str:
    """Returns the folder of a split."""
    return f"{uri}/{SPLIT}{split}"


def splits_of(names: Iterable[str]) -> list[str]:
    """Returns the splits that have a folder, sorted.

    Example:
        >>> splits_of(["_SUCCESS", "Split-train", "Split-eval"])
        ['eval', 'train']
    """
    return sorted(name[len(SPLIT) :] for name in names if name.startswith(SPLIT))


def node_folder(uri: str) -> str:
    """Returns the folder of a node, in which TFX makes one folder per output and execution.

    Example:
        >>> node_folder("/pipelines/wine/DriftReport/report/7")
        '/pipelines/wine/DriftReport'
    """
    return posixpath.dirname(posixpath.dirname(uri.rstrip("/")))


def stopped_folder(node: str, execution: int | str) -> str:
    """Returns the folder of the report by which an execution stopped its run; see `stopped_by`."""
    return f"{node}/{_STOPPED_FOLDER}/{execution}"


def stopped_by(path: str) -> tuple[str, int] | None:
    """Returns node and execution of a path in a `stopped_folder`; None for other paths.

    Example:
        >>> stopped_by(f"{stopped_folder('root/DriftReport', 7)}/drift_report.html")
        ('DriftReport', 7)
    """
    match = _STOPPED.search(f"/{path}")
    return (match[1], int(match[2])) if match else None
