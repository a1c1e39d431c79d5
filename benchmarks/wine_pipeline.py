"""Measures the command of `make wine`: a first run, a second run, and one all from cache.

Usage: python -m benchmarks wine_pipeline [--repeats N] [--model trees] [--beside FOLDER]

Each repetition starts in an empty folder and runs the command three times. The second run evaluates
again, because its model is now compared with the one that the first run put into production; the
third takes everything from the cache. Each is a process of its own, from its start to its end.
`--beside` alternates with another checkout, in the same environment. Prints Markdown tables of
seconds: one column for each repetition.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
RUNS = ("first run", "second run", "all from cache")

# Names of rows, and the components whose seconds they add up. The others have a row each.
TOGETHER = {
    "SchemaGen, ExampleValidator": ("SchemaGen", "ExampleValidator"),
    "PreviousSpan, DriftReport": ("PreviousSpan", "DriftReport"),
    "LatestBlessedModel, Evaluator": ("LatestBlessedModel", "Evaluator"),
}


def rows(summary: dict[str, float], whole: float, processor: float) -> dict[str, float]:
    """Returns the seconds of one run by what they went into.

    Args:
        summary: `seconds` of summary.json.
        whole: Seconds from the command's start to its end.
        processor: Seconds of processor time of the command.

    Example:
        >>> measured = {"imports": 4.0, "SchemaGen": 0.5, "ExampleValidator": 0.5, "total": 5.5}
        >>> rows(measured, 7.0, 6.0)["SchemaGen, ExampleValidator"]
        1.0
    """
    named = {part: name for name, parts in TOGETHER.items() for part in parts}
    listed: dict[str, float] = {}
    for part, seconds in summary.items():
        if part != "total":
            name = named.get(part, part)
            listed[name] = listed.get(name, 0.0) + seconds
    return {
        **listed,
        "between components": summary["total"] - sum(listed.values()),
        "total": summary["total"],
        "start and shutdown of Python": whole - summary["total"],
        "command": whole,
        "processor time": processor,
    }


def run(checkout: Path, output: Path, more: Sequence[str]) -> tuple[dict[str, float], str]:
    """Runs the command once.

    Args:
        checkout: Whose pipeline and library are run.
        output: The folder of its results.
        more: Further arguments.

    Returns:
        What `rows` returns, and the results that must not depend on the speed.

    Raises:
        RuntimeError: The command fails.
    """
    command = [sys.executable, "-m", "examples.wine_quality.run", "--output", str(output), *more]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # As the Makefile does.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)
    whole = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    summary = json.loads((output / "summary.json").read_text())
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    same = f"R2 {summary['r2']:.4f}, MSE {summary['mse']:.4f}, blessed: {summary['blessed']}"
    return rows(summary["seconds"], whole, processor), same


def table(columns: Sequence[dict[str, float]]) -> str:
    """Returns a Markdown table of what `rows` returned for each repetition."""
    lines = [
        f"| | {' | '.join(str(number + 1) for number in range(len(columns)))} |",
        f"|---|{'---|' * len(columns)}",
    ]
    for name in columns[0]:
        cells = " | ".join(f"{column.get(name, 0.0):.1f}" for column in columns)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="default: %(default)s")
    parser.add_argument("--model", choices=("dnn", "trees"), default="dnn", help="%(default)s")
    parser.add_argument("--data", help="the wine data, as make wine takes them")
    parser.add_argument(
        "--beside", type=Path, metavar="FOLDER", help="another checkout, such as an older one"
    )
    return parser.parse_args()


def main() -> None:
    """Measures, and prints the tables."""
    options = parse_arguments()
    more = ["--model", options.model, *(["--data", options.data] if options.data else [])]
    checkouts = [CHECKOUT, *([options.beside.resolve()] if options.beside else [])]
    measured: dict[tuple[Path, str], list[dict[str, float]]] = {}
    results: dict[str, set[str]] = {}
    for repetition in range(options.repeats):
        for checkout in checkouts:
            with tempfile.TemporaryDirectory() as folder:
                for name in RUNS:
                    seconds, same = run(checkout, Path(folder), more)
                    measured.setdefault((checkout, name), []).append(seconds)
                    results.setdefault(same, set()).add(str(checkout))
            print(f"... {repetition + 1} of {options.repeats} {checkout}", file=sys.stderr)
    for (checkout, name), columns in measured.items():
        which = "" if len(checkouts) == 1 else f" of {checkout}"
        print(f"### {name.capitalize()}{which}\n\n{table(columns)}\n")
    for same, where in results.items():
        print(f"{same} ({', '.join(sorted(where))})" if len(checkouts) > 1 else same)


if __name__ == "__main__":
    main()
