"""Lists the benchmarks and runs one: `python -m benchmarks [NAME [OPTION ...]]`.

A run begins with a line for its results: the command, the day, the machine and how busy it is, and
the versions.
"""

from __future__ import annotations

import ast
import datetime
import importlib.metadata
import os
import pathlib
import platform
import runpy
import shlex
import sys
from collections.abc import Iterator, Sequence

import psutil

SHARED = ("__main__", "evidently_report", "measure", "stores")
"""Modules of this folder that are no benchmarks, but parts of them."""


def benchmarks() -> dict[str, str]:
    """Returns what each benchmark measures, by its name; none is imported."""
    paths = sorted(pathlib.Path(__file__).parent.glob("*.py"))
    documents = {path.stem: ast.get_docstring(ast.parse(path.read_text())) or "" for path in paths}
    return {name: text.partition("\n")[0] for name, text in documents.items() if name not in SHARED}


def origin(arguments: Sequence[str]) -> str:
    """Returns where and when the figures that follow are measured.

    Args:
        arguments: The name of the benchmark, and its options.
    """
    day = f"{datetime.date.today():%d %B %Y}".lstrip("0")
    memory = psutil.virtual_memory().total / 2**30
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB"
    command = shlex.join(["python", "-m", "benchmarks", *arguments])
    load = f"load {os.getloadavg()[0]:.1f}"
    return "; ".join([f"`{command}`", day, f"{machine}, {load}", ", ".join(_versions())])


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    for name in ("numpy", "pyarrow", "apache-beam", "tfx"):
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"no {name}"


def main(arguments: list[str]) -> int:
    """Returns 0, or 2 if there is no benchmark of that name."""
    listed = benchmarks()
    lines = [f"  {name:{max(map(len, listed))}}  {text}" for name, text in listed.items()]
    usage = "\n".join(["usage: python -m benchmarks NAME [OPTION ...]", "", *lines])
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage)
    elif arguments[0] not in listed:
        print(f"{arguments[0]}: expected the name of a benchmark\n{usage}", file=sys.stderr)
        return 2
    else:
        if not {"-h", "--help"} & {*arguments}:
            print(f"{origin(arguments)}\n", flush=True)
        sys.argv = [f"python -m benchmarks {arguments[0]}", *arguments[1:]]
        runpy.run_module(f"benchmarks.{arguments[0]}", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
