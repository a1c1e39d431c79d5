"""``tfx-wine-ext doctor``: checks the installed packages, and says how to repair them."""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from tfx_wine_ext import __version__
from tfx_wine_ext.cli import checks
from tfx_wine_ext.cli.answer import add_json_option, answering
from tfx_wine_ext.cli.environment import this_environment
from tfx_wine_ext.cli.specs import GROUP
from tfx_wine_ext.printable import printable

WELL_STATUS, BROKEN_STATUS = 0, 1
IMPORT_SECONDS = 600
# Names concrete classes, since some releases of TFX replace what they cannot import by None.
_PROGRAM = """
import sys
sys.path[:] = {path!r}
import tfx.components
import tfx_wine_ext
for name in {names!r}:
    getattr(tfx_wine_ext, name)
"""

_EPILOG = """
Installations of TFX break in known ways: by later releases of packages that it
imports without requiring them, and by a Python or a C library that it is not
built for. This command looks for them, asks pip or uv whether the requirements
of all packages hold, and imports TFX. It needs only Python, so it works where
TFX cannot be imported.

examples:
  tfx-wine-ext doctor
  tfx-wine-ext doctor --quick
  tfx-wine-ext doctor --json | jq -r '.repair // empty' | sh

exit status: 0 all is well (there may be warnings), 1 something is broken,
2 error.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Declares the arguments of the command."""
    parser = commands.add_parser(
        "doctor",
        help="check the installation and say how to repair it",
        description="Checks that the installed packages fit together, and says how to repair them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--quick", action="store_true", help="skip the import of TFX, which takes several seconds"
    )
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the checks and prints their results.

    Returns:
        1 if something is broken, else 0.
    """
    with answering(options.json) as answer:
        environment = this_environment(GROUP)
        findings = checks.check(environment)
        if not options.quick and "tfx" in environment.modules:
            imported = import_check(findings)
            findings = [_excused(finding, imported) for finding in findings] + [imported]
        bad = [finding for finding in findings if finding.state != checks.OK]
        document = {
            "library": f"tfx_wine_ext {__version__}",
            "executable": environment.executable,
            "broken": sum(finding.state == checks.BROKEN for finding in findings),
            "warnings": sum(finding.state == checks.WARNING for finding in findings),
            "checks": [checks.as_dict(environment, finding) for finding in findings],
            "repair": checks.repair(environment, bad),
        }
        answer(document, lambda: _print(document))
    return BROKEN_STATUS if document["broken"] else WELL_STATUS


def _excused(finding: checks.Finding, imported: checks.Finding) -> checks.Finding:
    """Turns unmet requirements into a warning if everything can be imported nevertheless.

    The requirements are those of all packages, and many notebook environments work although some
    are unmet.
    """
    if (finding.name, finding.state, imported.state) != (
        "requirements",
        checks.BROKEN,
        checks.OK,
    ):
        return finding
    return dataclasses.replace(finding, state=checks.WARNING)


def import_check(findings: list[checks.Finding]) -> checks.Finding:
    """Imports TFX's components and this package's, in a process of its own.

    Args:
        findings: What the other checks found. Anything broken has to be repaired first.
    """
    if sys.stderr.isatty():
        print("importing TFX ...", end="", file=sys.stderr, flush=True)
    program = _PROGRAM.format(path=sys.path, names=checks.SPECS)
    started = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=IMPORT_SECONDS,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            check=False,
        )
        said = done.stderr.strip().splitlines()
        failure = None if done.returncode == 0 else _last_words(said, done.returncode)
    except subprocess.TimeoutExpired:
        failure = f"not done after {IMPORT_SECONDS} s"
    if sys.stderr.isatty():
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
    expected = "tfx.components and this package's components can be imported"
    if failure is None:
        took = f"imported in {time.monotonic() - started:.1f} s"
        return checks.Finding("import", checks.OK, took, expected)
    others = any(finding.state == checks.BROKEN for finding in findings)
    return checks.Finding(
        "import",
        checks.BROKEN,
        failure,
        expected,
        "no pipeline runs without",
        remedy="mend what is broken above, then run this again"
        if others
        else "install the versions that are tested, constraints/tfx-1.16.txt of the repository",
    )


def _last_words(lines: list[str], status: int) -> str:
    """Returns the last line of a traceback, or else a description of the failure."""
    if status < 0:
        return f"ended by signal {-status}"
    return lines[-1] if lines else f"exit status {status}"


def _print(document: Mapping[str, Any]) -> None:
    """Prints without any library, since the library may be missing."""
    width = max(len(check["name"]) for check in document["checks"])
    for check in document["checks"]:
        state = "ok" if check["state"] == checks.OK else check["state"].upper()
        print(f"{state:8} {printable(check['name']):{width}}  {printable(check['found'])}")
        if check["state"] == checks.OK:
            continue
        for what in ("expected", "why", "repair", "remedy"):
            if check[what]:
                label = "repair" if what == "remedy" else what
                print(f"{'':8} {'':{width}}  {label}: {printable(check[what])}")
    broken, warnings = document["broken"], document["warnings"]
    print(
        f"\n{broken} broken, {warnings} warning{'' if warnings == 1 else 's'}, in "
        f"{printable(document['executable'])}."
    )
    if document["repair"]:
        repair = printable(document["repair"])
        print(f"All that packages can repair, in one command:\n\n  {repair}")
