"""The wine pipeline from every source that `TableExampleGen` reads, with its servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from engines.checks import Check
from engines.wine import Result, compare, two_spans
from examples.wine_quality.run import SOURCES


def run(folder: Path, in_process: Result) -> Iterator[Check]:
    """Runs the target."""
    for kind in SOURCES[1:]:
        result = two_spans(folder / kind, f"--source={kind}")
        for check in compare(in_process, result):
            yield replace(check, what=f"{kind}: {check.what}")
