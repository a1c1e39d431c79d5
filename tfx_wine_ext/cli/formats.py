"""The option that names the format of files."""

from __future__ import annotations

import argparse
from typing import Any


def add_format_option(group: argparse._ArgumentGroup | Any) -> None:
    """Adds ``--format``, whose value is checked where files are opened: packages bring others."""
    group.add_argument(
        "--format",
        metavar="NAME",
        help="the format of the files: parquet, orc, arrow, avro, csv, json, tfrecord, or one that "
        "another package brings (default: told by their names or first bytes)",
    )
