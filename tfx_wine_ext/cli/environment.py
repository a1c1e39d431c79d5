"""What is installed here, as far as this can be found out without importing it."""

from __future__ import annotations

import dataclasses
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Package:
    """An installed package, as its metadata describe it.

    Attributes:
        name: The name as its package index spells it.
        version: For instance ``1.16.0``.
        specs: The names of the component specs that it registers.
    """

    name: str
    version: str
    specs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Environment:
    """What the checks look at.

    Attributes:
        executable: The interpreter.
        python: Its version, such as ``3.10.13``.
        machine: Operating system and processor, such as ``linux x86_64``.
        glibc: The C library's version, such as ``2.36``; None if it is not glibc.
        packages: The installed packages, by normalized name.
        modules: Those modules that can be found, among the ones that reveal a package.
        uv: The path of uv; None if there is none.
        conflicts: Lines of pip, or of uv if there is no pip, about unmet requirements of the
            installed packages; empty if all are met. None if there is neither pip nor uv.
    """

    executable: str
    python: str
    machine: str
    glibc: str | None
    packages: Mapping[str, Package]
    modules: frozenset[str]
    uv: str | None
    conflicts: tuple[str, ...] | None


MODULES = ("pip", "pkg_resources", "tfx")


def normalized(name: str) -> str:
    """Returns a package's name in the one form that compares equal (PEP 503).

    Example:
        >>> normalized("Ml_Metadata")
        'ml-metadata'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def release(version: str) -> tuple[int, ...]:
    """Returns the numbers that a version begins with.

    Example:
        >>> release("80.10.2"), release("0.1.0.dev0") < (1,)
        ((80, 10, 2), True)
    """
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def this_environment(specs_group: str, path: Sequence[str] | None = None) -> Environment:
    """Describes the environment of the running interpreter.

    Args:
        specs_group: The group of entry points that specs are registered in.
        path: Where to look for packages. Default: None, ``sys.path``.
    """
    packages: dict[str, Package] = {}
    for distribution in importlib.metadata.distributions(
        path=list(sys.path if path is None else path)
    ):
        # Not with []: from Python 3.13 on, it warns if a key is missing.
        [name, *_] = distribution.metadata.get_all("Name") or [None]
        if not name:
            continue  # Remains of an interrupted installation.
        # The first one on the path is the one that is imported.
        packages.setdefault(
            normalized(name),
            Package(
                name,
                distribution.version,
                tuple(sorted(e.name for e in distribution.entry_points if e.group == specs_group)),
            ),
        )
    modules = frozenset(name for name in MODULES if _is_there(name))
    uv = shutil.which("uv")
    return Environment(
        executable=sys.executable,
        python=platform.python_version(),
        machine=f"{sys.platform} {platform.machine()}",
        glibc=_glibc(),
        packages=packages,
        modules=modules,
        uv=uv,
        conflicts=_conflicts("pip" in modules, uv),
    )


def _conflicts(pip: bool, uv: str | None) -> tuple[str, ...] | None:
    if pip:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"]
    elif uv:
        command = [uv, "pip", "check", "--quiet", "--python", sys.executable]
    else:
        return None
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # uv writes everything to standard error.
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode == 0:
        return ()
    return tuple(done.stdout.splitlines()) or (f"{command[0]}: exit status {done.returncode}",)


def _is_there(module: str) -> bool:
    # Not by `find_spec` alone: setuptools has put a finder there which, asked for pip, takes
    # itself for a part of pip, and then setuptools can no longer be imported in this process.
    if importlib.machinery.PathFinder.find_spec(module):
        return True
    # An editable installation may have its own finder.
    return module == "tfx" and importlib.util.find_spec(module) is not None


def _glibc() -> str | None:
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (OSError, ValueError, AttributeError):
        return None
    return version if name == "glibc" else None
