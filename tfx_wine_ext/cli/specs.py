"""``tfx-wine-ext specs``: the ComponentSpecs that the installed packages register."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import inspect
import os
import sys
import typing
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfx_wine_ext.cli.answer import add_json_option, answering
from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.terminal import Cell, print_line, print_table
from tfx_wine_ext.printable import printable
from tfx_wine_ext.suggestions import hint_or_list

GROUP = "tfx_wine_ext.component_specs"

_EPILOG = f"""
Packages register a spec as an entry point of the group
{GROUP}. Loading the specs imports TFX, which takes several
seconds.

examples:
  tfx-wine-ext specs
  tfx-wine-ext specs ParquetExampleGen
  tfx-wine-ext specs --json | jq -r '.specs[].name'

exit status: 0 (a spec that cannot be loaded is listed with its error), 2 error.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Declares the arguments of the command."""
    parser = commands.add_parser(
        "specs",
        help="list the component specs that installed packages register",
        description="Lists the registered ComponentSpecs with inputs, outputs and parameters.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="show this spec in full (default: list all)"
    )
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Loads the specs and prints them.

    Returns:
        0.

    Raises:
        CommandError: There is no spec of that name.
    """
    with answering(options.json) as answer:
        registered = entry_points()
        if options.name is not None:
            names = sorted({entry.name for entry, _, _ in registered})
            registered = [spec for spec in registered if spec[0].name == options.name]
            if not registered:
                raise CommandError(
                    f"NAME: {options.name!r} is no registered spec"
                    f"{hint_or_list(options.name, names)}"
                )
        specs = []
        with _quietly():
            for entry, package, version in registered:
                if sys.stderr.isatty():
                    name = printable(entry.name)
                    print(f"\r\x1b[2Kloading {name}", end="", file=sys.__stderr__, flush=True)
                specs.append(_loaded(entry, package, version))
            if sys.stderr.isatty():
                print("\r\x1b[2K", end="", file=sys.__stderr__, flush=True)
        document = {"group": GROUP, "specs": specs}
        answer(document, lambda: _print(specs, whole=options.name is not None))
    return 0


def entry_points(
    path: Sequence[str] | None = None,
) -> list[tuple[importlib.metadata.EntryPoint, str, str]]:
    """Lists the registered specs by name, with the package and version of each.

    Args:
        path: The folders in which to look for packages. Default: None, ``sys.path``.

    Example:
        >>> [entry.name for entry, package, _ in entry_points() if package == "tfx-wine-ext"][:2]
        ['DriftReport', 'ParquetExampleGen']
    """
    specs: dict[tuple[str, str], tuple[importlib.metadata.EntryPoint, str, str]] = {}
    for package in importlib.metadata.distributions(path=list(sys.path if path is None else path)):
        name = package.metadata["Name"]
        for entry in package.entry_points:
            if entry.group == GROUP:
                # A package may be found twice; the first one on the path is imported.
                specs.setdefault((entry.name, name), (entry, name, package.version))
    return [specs[key] for key in sorted(specs)]


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keeps the messages of libraries during their import out of the command's output."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        yield


def _loaded(entry: importlib.metadata.EntryPoint, package: str, version: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "name": entry.name,
        "package": package,
        "version": version,
        "class": entry.value,
        "doc": None,
        "inputs": [],
        "outputs": [],
        "parameters": [],
        "error": None,
    }
    try:
        loaded = entry.load()
        if not isinstance(loaded, type):
            raise TypeError(f"expected a class, found {loaded!r}")
        spec["doc"] = (inspect.getdoc(loaded) or "").partition("\n")[0] or None
        for key, attribute in (
            ("inputs", "INPUTS"),
            ("outputs", "OUTPUTS"),
            ("parameters", "PARAMETERS"),
        ):
            values = getattr(loaded, attribute, None)
            if not isinstance(values, Mapping):
                raise TypeError(f"expected a ComponentSpec, whose {attribute} is a dict")
            spec[key] = [
                {"name": name, "type": _type_name(channel.type), "required": not channel.optional}
                for name, channel in values.items()
            ]
    # A module may fail in any way when it is imported, and must not hide the other specs.
    except (Exception, SystemExit) as error:
        message = " ".join(str(error).split())
        if isinstance(error, ImportError) and str(error.name).partition(".")[0] == "tfx":
            message += "; a spec needs TFX: tfx-wine-ext doctor looks for what is missing"
        spec["error"] = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return spec


def _type_name(kind: Any) -> str:
    """Names a type as users write it: artifact and message types without their module.

    Example:
        >>> _type_name(int), _type_name(typing.List[int])
        ('int', 'List[int]')
    """
    name: str = getattr(kind, "TYPE_NAME", None) or (
        kind.__name__ if inspect.isclass(kind) and not typing.get_args(kind) else str(kind)
    )
    return name.replace("typing.", "")


def _print(specs: list[dict[str, Any]], *, whole: bool) -> None:
    if not specs:
        print_line(f"No installed package registers a spec (entry points of {GROUP}).")
        return
    if whole:
        for spec in specs:
            _print_whole(spec)
        return
    print_table(
        ("spec", "package", "inputs", "outputs", "parameters"),
        [
            (
                Cell(spec["name"], "bold"),
                f"{spec['package']} {spec['version']}",
                *(
                    (Cell(f"cannot be loaded: {spec['error']}", "bold red"), "", "")
                    if spec["error"]
                    else (_listed(spec[key]) for key in ("inputs", "outputs", "parameters"))
                ),
            )
            for spec in specs
        ],
    )
    print_line("? marks what may be left out; tfx-wine-ext specs NAME tells all of one.")


def _listed(parts: list[dict[str, Any]]) -> list[str]:
    return [part["name"] + ("" if part["required"] else "?") for part in parts] or ["none"]


def _print_whole(spec: Mapping[str, Any]) -> None:
    print_line(f"{spec['name']} ({spec['package']} {spec['version']})")
    print_line(f"  {spec['class']}")
    if spec["doc"]:
        print_line(f"  {spec['doc']}")
    if spec["error"]:
        print_line(f"  cannot be loaded: {spec['error']}")
        return
    print_table(
        ("", "name", "type", ""),
        [
            (
                Cell(key if number == 0 else "", "bold"),
                part["name"],
                part["type"],
                "required" if part["required"] else Cell("optional", "dim"),
            )
            for key in ("inputs", "outputs", "parameters")
            for number, part in enumerate(spec[key])
        ],
    )
