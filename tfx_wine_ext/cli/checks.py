"""What TFX and this package need in order to work here, and how to repair what is missing.

Each check is a function of an `Environment`. No check imports the package that it looks for: the
metadata of the installed packages say enough, and a broken package cannot be imported. The
installer checks whether the packages' own requirements hold, and is asked for the result. This
module covers what no requirement says.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfx_wine_ext.cli.environment import Environment, release

OK, WARNING, BROKEN = "ok", "warning", "broken"
THIS_PACKAGE = "tfx-wine-ext"
SPECS = ("DriftReport", "ParquetExampleGen", "TableExampleGen", "WarmStartTrainer")
NOT_INSTALLED = "not installed"


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        name: The subject of the check.
        state: `OK`, `WARNING` (a feature that not everybody uses will not work) or `BROKEN`.
        found: What is there.
        expected: What should be there.
        why: Why it is needed; None if all is well.
        install: Requirements whose installation repairs it.
        uninstall: Packages whose removal repairs it.
        remedy: What to do if no installation helps; None if `install` and `uninstall` say it.
    """

    name: str
    state: str
    found: str
    expected: str
    why: str | None = None
    install: tuple[str, ...] = ()
    uninstall: tuple[str, ...] = ()
    remedy: str | None = None


@dataclasses.dataclass(frozen=True)
class _Release:
    """A release of TFX, and what it needs but does not declare."""

    requirement: str
    version: tuple[int, ...]
    pythons: tuple[tuple[int, int], tuple[int, int]]
    glibc: tuple[int, ...]
    needs_dill_and_pkg_resources: bool


# The tested releases, newest first.
RELEASES = (
    _Release("tfx>=1.21,<1.22", (1, 21), ((3, 10), (3, 13)), (2, 39), False),
    _Release("tfx>=1.16,<1.17", (1, 16), ((3, 10), (3, 10)), (2, 17), True),
)
# Beam requires these in its extra of this name, and required them always before 2.69.
_DILL = "dill>=0.3.1.1,<0.3.2"
_SETUPTOOLS = "setuptools<81"

# A bug report needs their versions; pip or uv judges them.
_SHOWN = (
    "apache-beam",
    "ml-metadata",
    "tensorflow",
    "keras",
    "protobuf",
    "numpy",
    "pyarrow",
)
_MOST_LINES = 3


def check(environment: Environment) -> list[Finding]:
    """Returns what each check found, in the order in which it matters.

    Args:
        environment: Where to look; `this_environment` returns the environment of this process.
    """
    return [
        _python(environment),
        _c_library(environment),
        _this_package(environment),
        _tfx(environment),
        *_forgotten(environment),
        *_shown(environment),
        _requirements(environment),
        _pip(environment),
        _wheel(environment),
        _addons(environment),
    ]


def _tfx_release(environment: Environment) -> _Release | None:
    """Returns the installed release, or else the best one that this machine supports."""
    tfx = environment.packages.get("tfx")
    if tfx and _is_known(tfx.version):
        return next(row for row in RELEASES if release(tfx.version) >= row.version)
    python = release(environment.python)[:2]
    for row in RELEASES:
        low, high = row.pythons
        if low <= python <= high and environment.glibc and release(environment.glibc) >= row.glibc:
            return row
    return None


def _is_known(tfx_version: str) -> bool:
    return any(release(tfx_version)[:2] == row.version for row in RELEASES)


def _python(environment: Environment) -> Finding:
    chosen = _tfx_release(environment)
    python = release(environment.python)[:2]
    rows = [chosen] if chosen else list(RELEASES)
    expected = ", or ".join(
        " to ".join(dict.fromkeys(".".join(map(str, python)) for python in row.pythons))
        + f" for TFX {'.'.join(map(str, row.version))}"
        for row in rows
    )
    if any(row.pythons[0] <= python <= row.pythons[1] for row in rows):
        return Finding("Python", OK, environment.python, expected)
    return Finding(
        "Python",
        BROKEN,
        environment.python,
        expected,
        "TFX publishes its libraries for these Pythons only",
        remedy="make a virtual environment with another Python, for example: uv venv --python 3.10",
    )


def _c_library(environment: Environment) -> Finding:
    chosen = _tfx_release(environment) or RELEASES[-1]
    expected = f"glibc {'.'.join(map(str, chosen.glibc))} or later"
    if not environment.machine.startswith("linux"):
        return Finding("C library", OK, environment.machine, expected + " on Linux")
    if environment.glibc and release(environment.glibc) >= chosen.glibc:
        return Finding("C library", OK, f"glibc {environment.glibc}", expected)
    return Finding(
        "C library",
        BROKEN,
        f"glibc {environment.glibc}" if environment.glibc else "another one than glibc",
        expected,
        "the compiled libraries of this TFX do not load with an older one",
        remedy="run in a container, such as python:3.10, or on a newer system"
        + (
            f"; TFX 1.16 ({RELEASES[-1].requirement}) takes older ones"
            if chosen.version > (1, 16)
            else ""
        ),
    )


def _this_package(environment: Environment) -> Finding:
    expected = f"installed, with the specs {', '.join(SPECS)}"
    package = environment.packages.get(THIS_PACKAGE)
    specs = package.specs if package else ()
    missing = [name for name in SPECS if name not in specs]
    found = f"{package.version}, specs {', '.join(specs) or 'none'}" if package else NOT_INSTALLED
    if not missing:
        return Finding(THIS_PACKAGE, OK, found, expected)
    return Finding(
        THIS_PACKAGE,
        BROKEN,
        found,
        expected,
        "other projects find the specs by the entry points of the installed package",
        remedy="install it again, from its folder or wheel: what runs here is a bare copy",
    )


def _tfx(environment: Environment) -> Finding:
    chosen = _tfx_release(environment)
    tfx = environment.packages.get("tfx")
    expected = "1.16 or 1.21"
    if tfx and _is_known(tfx.version):
        return Finding("TFX", OK, tfx.version, expected)
    if not tfx and "tfx" in environment.modules:
        return Finding(
            "TFX",
            WARNING,
            "a module tfx of no package of that name",
            expected,
            "whether it is a release that fits cannot be told, nor what it requires",
            remedy="if it is a fork of TFX 1.16 or 1.21, nothing",
        )
    fitting = chosen.requirement if chosen else None
    return Finding(
        "TFX",
        BROKEN,
        tfx.version if tfx else NOT_INSTALLED,
        expected,
        "all components are built on TFX's",
        install=(fitting,) if fitting else (),
        remedy=None if fitting else "first another Python or system, see above",
    )


def _forgotten(environment: Environment) -> Iterator[Finding]:
    """What TFX 1.16 imports but does not require."""
    chosen = _tfx_release(environment)
    if chosen is None or not chosen.needs_dill_and_pkg_resources:
        return
    dill = environment.packages.get("dill")
    yield Finding(
        "dill",
        OK if dill else BROKEN,
        dill.version if dill else NOT_INSTALLED,
        "any version",
        None
        if dill
        else "TFX 1.16 imports it without asking for it, and Beam brings it no more from 2.69 on",
        install=() if dill else (_DILL,),
    )
    setuptools = environment.packages.get("setuptools")
    fits = (
        setuptools is not None
        and release(setuptools.version) < (81,)
        and "pkg_resources" in environment.modules
    )
    yield Finding(
        "setuptools",
        OK if fits else BROKEN,
        setuptools.version if setuptools else NOT_INSTALLED,
        "<81",
        None
        if fits
        else "TFX 1.16 imports pkg_resources without asking for it, which setuptools "
        "has no more from 81 on",
        install=() if fits else (_SETUPTOOLS,),
    )


def _shown(environment: Environment) -> Iterator[Finding]:
    for name in _SHOWN:
        if name in environment.packages:
            version = environment.packages[name].version
            yield Finding(name, OK, version, "see requirements")


def _requirements(environment: Environment) -> Finding:
    """What pip or uv says about the requirements in the packages' metadata."""
    expected = "those of all installed packages hold"
    if environment.conflicts is None:
        return Finding(
            "requirements",
            WARNING,
            "unknown: there is neither pip nor uv",
            expected,
            "they are checked by one of these",
            install=("pip",),
        )
    if not environment.conflicts:
        return Finding("requirements", OK, "all hold", expected)
    lines = environment.conflicts[:_MOST_LINES]
    more = len(environment.conflicts) - len(lines)
    tfx = environment.packages.get("tfx")
    # A TFX of an unknown release is replaced by a known one; see `_tfx`.
    roots = ["tfx"] if tfx and _is_known(tfx.version) else []
    roots += [THIS_PACKAGE] if THIS_PACKAGE in environment.packages else []
    return Finding(
        "requirements",
        BROKEN,
        "; ".join([*lines, *([f"and {more} lines more"] if more else [])]),
        expected,
        "the repair installs what TFX and this package ask for, and leaves what only others do",
        # Pinned to the installed versions, so that only their requirements are resolved anew.
        install=tuple(f"{name}=={environment.packages[name].version}" for name in roots),
        remedy=None if roots else "install TFX and this package",
    )


def _pip(environment: Environment) -> Finding:
    if "pip" in environment.modules:
        pip = environment.packages.get("pip")
        return Finding("pip", OK, pip.version if pip else "a module", "in this environment")
    return Finding(
        "pip",
        WARNING,
        NOT_INSTALLED,
        "in this environment",
        "TFX installs the code of a module_file by pip; components with run_fn= do without",
        install=("pip",),
    )


def _wheel(environment: Environment) -> Finding:
    setuptools = environment.packages.get("setuptools")
    expected = "the package wheel, or setuptools 70.1 or later"
    # That release brought bdist_wheel into setuptools.
    if setuptools and release(setuptools.version) >= (70, 1):
        return Finding("wheel", OK, f"setuptools {setuptools.version}", expected)
    wheel = environment.packages.get("wheel")
    if wheel and setuptools:
        return Finding("wheel", OK, wheel.version, expected)
    return Finding(
        "wheel",
        WARNING,
        NOT_INSTALLED,
        expected,
        "TFX packs a module_file by setup.py bdist_wheel",
        install=("wheel",) if setuptools else ("wheel", _SETUPTOOLS),
    )


def _addons(environment: Environment) -> Finding:
    addons = environment.packages.get("tensorflow-addons")
    if addons is None:
        return Finding("tensorflow-addons", OK, NOT_INSTALLED, NOT_INSTALLED)
    return Finding(
        "tensorflow-addons",
        WARNING,
        addons.version,
        NOT_INSTALLED,
        "it has ended, and does not run on Keras 3: what imports it fails",
        uninstall=("tensorflow-addons",),
    )


def repair(environment: Environment, findings: Sequence[Finding]) -> str | None:
    """Returns the shell command that repairs all findings at once.

    Args:
        environment: The environment whose package manager is used: pip, or uv if there is no pip.
            If there is neither, Python's own ensurepip installs pip first.
        findings: What to repair.

    Returns:
        The command, or None if installing or removing packages repairs nothing.

    Example:
        >>> environment = Environment("/v/bin/python", "3.10.1", "linux x86_64", "2.36", {},
        ...                           frozenset(), uv="/usr/bin/uv", conflicts=())
        >>> repair(environment, [Finding("dill", BROKEN, "", "", install=("dill<0.4",))])
        "uv pip install --python /v/bin/python 'dill<0.4'"
    """
    install = list(
        dict.fromkeys(requirement for finding in findings for requirement in finding.install)
    )
    uninstall = list(
        dict.fromkeys(requirement for finding in findings for requirement in finding.uninstall)
    )
    python = environment.executable
    commands: list[list[str]] = []
    if not (install or uninstall):
        return None
    if "pip" not in environment.modules and environment.uv:
        manager, to_python, yes = ["uv", "pip"], ["--python", python], []
    else:
        manager, to_python, yes = [python, "-m", "pip"], [], ["-y"]
        if "pip" not in environment.modules:
            commands.append([python, "-m", "ensurepip", "--upgrade"])
            install = [requirement for requirement in install if requirement != "pip"]
    if uninstall:
        commands.append([*manager, "uninstall", *to_python, *yes, *uninstall])
    if install:
        commands.append([*manager, "install", *to_python, *install])
    return " && ".join(" ".join(map(shlex.quote, command)) for command in commands)


def as_dict(environment: Environment, finding: Finding) -> Mapping[str, Any]:
    """Returns a finding for a JSON document, with the command that repairs it as ``repair``."""
    return {
        "name": finding.name,
        "state": finding.state,
        "found": finding.found,
        "expected": finding.expected,
        "why": finding.why,
        "repair": repair(environment, [finding]) if finding.state != OK else None,
        "remedy": finding.remedy,
    }
