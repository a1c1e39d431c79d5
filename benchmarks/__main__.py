"""Lists the benchmarks and runs one: `python -m benchmarks [NAME [OPTION ...]]`."""

from __future__ import annotations

import ast
import pathlib
import runpy
import sys

SHARED = ("__main__", "evidently_report", "measure", "stores")
"""Modules of this folder that are no benchmarks, but parts of them."""


def benchmarks() -> dict[str, str]:
    """Returns what each benchmark measures, by its name; none is imported."""
    paths = sorted(pathlib.Path(__file__).parent.glob("*.py"))
    documents = {path.stem: ast.get_docstring(ast.parse(path.read_text())) or "" for path in paths}
    return {name: text.partition("\n")[0] for name, text in documents.items() if name not in SHARED}


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
        sys.argv = [f"python -m benchmarks {arguments[0]}", *arguments[1:]]
        runpy.run_module(f"benchmarks.{arguments[0]}", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
