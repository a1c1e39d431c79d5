"""Runs the wine pipeline on a real engine, orchestrator or server: `python -m engines NAME ...`."""

from __future__ import annotations

import argparse
import ast
import importlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from engines.checks import Check, EngineError, table
from engines.installing import CHECKOUT, say
from engines.servers import end_by_signals
from engines.wine import Result, two_spans
from examples.wine_quality.output_lock import OutputFolderError, OutputLock
from tfx_wine_ext.errors import TfxWineExtError


def targets() -> dict[str, str]:
    """Returns what each target is, by its name; none is imported."""
    texts = {path.stem: path.read_text() for path in sorted(Path(__file__).parent.glob("*.py"))}
    return {
        name: (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
        for name, text in texts.items()
        if "\ndef run(folder: Path" in text
    }


def run_target(name: str, folder: Path, in_process: Result) -> Iterator[Check]:
    """Runs a target.

    Args:
        name: Of the target.
        folder: Empty, for what it makes.
        in_process: What the pipeline gives without it.
    """
    yield from importlib.import_module(f"engines.{name}").run(folder, in_process)


def main(arguments: list[str]) -> int:
    """Returns 0 if every check of every target holds, else 1; 2 if the arguments are wrong."""
    known = targets()
    parser = argparse.ArgumentParser(
        prog="python -m engines",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Installs what a target needs into .engines/, starts it on 127.0.0.1, runs the "
        "wine\npipeline on two spans, compares with a run in one process, stops it, and prints a "
        "table.\n\n" + "\n".join(f"  {name:10} {text}" for name, text in known.items()),
    )
    parser.add_argument("names", nargs="+", choices=[*known, "all"], metavar="NAME")
    parser.add_argument(
        "--output",
        type=Path,
        default=CHECKOUT / "build" / "engines",
        help="folder of all results; what an earlier run left in it is removed (build/engines)",
    )
    options = parser.parse_args(arguments)
    names = list(known) if "all" in options.names else options.names
    end_by_signals()
    output = options.output.absolute()
    try:
        lock = OutputLock(output)
    except OutputFolderError as error:
        parser.error(str(error))
    with lock:
        say("running the wine pipeline in one process ...")
        in_process = two_spans(_fresh(output / "in-process"))
        say(f"that took {in_process.seconds:.0f} s")
        return max(_report(name, _fresh(output / name), in_process) for name in names)


def _report(name: str, folder: Path, in_process: Result) -> int:
    """Runs a target, prints what it found, and returns the exit status."""
    started = time.monotonic()
    checks: list[Check] = []
    say(f"{name} ...")
    try:
        for check in run_target(name, folder, in_process):
            checks.append(check)
    except (EngineError, TfxWineExtError) as error:  # The other one: a store that does not open.
        checks.append(Check("the target", "runs to its end", str(error)))
    title = f"{name} ({time.monotonic() - started:.0f} s)"
    Console(width=None if sys.stdout.isatty() else 120).print(table(title, checks))
    return 0 if checks and all(check.holds for check in checks) else 1


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
