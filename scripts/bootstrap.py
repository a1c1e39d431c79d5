"""Makes the checkout's `.venv/`: a tested set of versions, with the checkout itself installed.

Every target of the Makefile runs this first. It needs nothing but a Python of 3.8 or later, and
does nothing when the environment is already as the checkout asks. Otherwise it

1. picks the best set of versions (`SETS`) that the machine's C library can run and whose Python is
   there: `$TFX_WINE_EXT_PYTHON`, pyenv's versions, PATH, or a download by uv, in this order;
   `$TFX_WINE_EXT_TFX` chooses between the releases of TFX;
2. installs uv from PyPI for its own use (`.bootstrap/uv-venv/`);
3. makes `.venv/`, installs exactly the set and, editable, the checkout;
4. writes the stamp, `.venv/tfx-wine-ext.stamp`.

The stamp is written last and removed first. A `.venv/` without one was left behind half-made, and
is made again. A lock, which the installers inherit, keeps two runs from working on one `.venv/`.

Bytecode is not compiled here: compiling everything took four times as long as installing it, and
most of it is never imported. The first run compiles what it imports.

What is done goes to the terminal in a line per step, all the rest to `.bootstrap/log`. Why this is
not plain uv: docs/adr/0018-why-bootstrap-is-not-plain-uv.md.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCRATCH = os.path.join(CHECKOUT, ".bootstrap")
LOG = os.path.join(SCRATCH, "log")

# Known to take every option that is used here; below the next release that may change them.
UV_REQUIREMENT = "uv>=0.5,<1"


class DependencySet(NamedTuple):
    """One tested set of versions.

    Attributes:
        name: Of its file, constraints/NAME.txt.
        tfx: The release of TFX in it, as $TFX_WINE_EXT_TFX names it.
        python: The Python that it is resolved for and tested with.
        glibc: The oldest C library that its wheels run on.
    """

    name: str
    tfx: str
    python: tuple
    glibc: tuple


# Best first: the first is taken that the C library can run and whose Python is there. One more set
# is one more row, above those it is preferred to.
SETS = [
    DependencySet("tfx-1.21-py313", "1.21", (3, 13), (2, 39)),
    DependencySet("tfx-1.21-py312", "1.21", (3, 12), (2, 39)),
    DependencySet("tfx-1.21-py311", "1.21", (3, 11), (2, 39)),
    DependencySet("tfx-1.21-py310", "1.21", (3, 10), (2, 39)),
    DependencySet("tfx-1.16", "1.16", (3, 10), (2, 28)),
]

HEARTBEAT_SECONDS = 20


class BootstrapError(Exception):
    """The environment cannot be made; the message says why and what to do."""


def say(text):
    """Prints one line of progress at once."""
    print("environment: " + text, flush=True)


# -- The way that is nearly always taken: nothing to do ------------------------------------------


def python_in(venv):
    """Returns the path of the interpreter in an environment."""
    return os.path.join(venv, "bin", "python")


def stamp_in(venv):
    """Returns the path of the stamp in an environment."""
    return os.path.join(venv, "tfx-wine-ext.stamp")


def wanted_stamp(dependency_set):
    """Returns what the stamp must read for an environment to be used as it is.

    It changes with everything that an installation depends on: the set, the package's metadata,
    this script, and the checkout's own place, since a virtual environment cannot be moved.
    """
    import hashlib

    digest = hashlib.sha256()
    for name in (constraints_file(dependency_set), "setup.cfg", "pyproject.toml", __file__):
        with open(os.path.join(CHECKOUT, name), "rb") as file:
            digest.update(file.read() + b"\0")
    return f"{dependency_set.name}\n{CHECKOUT}\n{digest.hexdigest()}\n"


def written_stamp(venv):
    """Returns what the stamp reads, or "" where the environment is missing, half-made or unusable.

    The Python behind an environment may have been uninstalled.
    """
    if not os.access(python_in(venv), os.X_OK):
        return ""
    try:
        with open(stamp_in(venv), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


# -- Which set -----------------------------------------------------------------------------------


def constraints_file(dependency_set):
    """Returns the path of the set's file, relative to the checkout."""
    return os.path.join("constraints", dependency_set.name + ".txt")


def glibc_version():
    """Returns the C library's version, such as (2, 36), or None where it is not glibc."""
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (OSError, ValueError):
        return None
    return tuple(int(part) for part in version.split(".")[:2]) if name == "glibc" else None


def runnable_sets(sets, glibc, platform, tfx=None):
    """Returns those of ``sets`` that the machine can run, given their Python; at least one.

    Args:
        sets: Rows as in `SETS`.
        glibc: The C library's version as `glibc_version` returns it.
        platform: Operating system and processor, such as ("linux", "x86_64").
        tfx: The release of TFX that is asked for, such as "1.21"; None or "": any.

    Raises:
        BootstrapError: None of them can be run, or there is no such release.
    """
    releases = sorted({row.tfx for row in sets})
    if tfx and tfx not in releases:
        raise BootstrapError(
            "$TFX_WINE_EXT_TFX must be one of {}, or unset\n  found: {}".format(
                ", ".join(releases), tfx
            )
        )
    asked = [row for row in sets if not tfx or row.tfx == tfx]
    if platform == ("linux", "x86_64") and glibc:
        rows = [row for row in asked if glibc >= row.glibc]
        if rows:
            return rows
    found = "{} on {}, {}".format(
        *platform, "glibc {}.{}".format(*glibc) if glibc else "a C library that is not glibc"
    )
    oldest = min(asked, key=lambda row: row.glibc)
    remedies = [
        "run it in a container, for example\n"
        '          docker run --platform linux/amd64 --rm -it -v "$PWD":/src -w /src '
        "python:{}.{} make wine".format(*oldest.python)
    ]
    others = sorted({row.tfx for row in sets if glibc and glibc >= row.glibc})
    if tfx and platform == ("linux", "x86_64") and others:
        remedies.insert(0, "unset TFX_WINE_EXT_TFX: TFX {} runs here".format(", ".join(others)))
    if tfx == "1.21" and platform == ("linux", "x86_64"):
        remedies.insert(0, "a newer system: Debian 13 or Ubuntu 24.04 have it")
    raise BootstrapError(
        "{} publishes no wheels that run here.\n"
        "  needed: linux on x86_64, glibc {}.{} or later\n"
        "  found:  {}\n"
        "  to do:  {}".format(
            "TFX " + tfx if tfx else "TFX",
            *oldest.glibc,
            found,
            "\n      or  ".join(remedies),
        )
    )


# -- Running programs ----------------------------------------------------------------------------


def run(command, what, lock, env=None):
    """Runs ``command`` in the checkout with its output in the log, and says when it takes long.

    The child keeps the ``lock`` open: if this script is killed, the lock is held until the child
    has ended too, and nobody else touches what it is still writing.

    Raises:
        BootstrapError: The command failed; the message ends with its last lines.
    """
    import subprocess
    import time

    with open(LOG, "ab") as log:
        log.write(("\n$ " + " ".join(command) + "\n").encode())
        log.flush()
        start = log.tell()
        child = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
        )
        began = time.monotonic()
        while True:
            try:
                status = child.wait(HEARTBEAT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                say(f"... still {what} ({time.monotonic() - began:.0f} s)")
    if status:
        with open(LOG, "rb") as log:
            log.seek(start)
            tail = log.read().decode(errors="replace").strip().splitlines()[-12:]
        raise BootstrapError(
            "{} failed (exit status {}):\n    {}\n  the whole log: {}".format(
                what, status, "\n    ".join(tail), os.path.relpath(LOG)
            )
        )


def answer(command):
    """Returns what a short command prints, or None if it cannot be run or fails."""
    import subprocess

    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()


# -- Which Python --------------------------------------------------------------------------------

DESCRIBE = (
    "import platform, sys;"
    "print(platform.python_implementation(), *sys.version_info[:2], sys.maxsize > 2**32)"
)


def version_of(path):
    """Returns the version of a 64-bit CPython, such as (3, 10), or None where ``path`` is none.

    It is run, not believed: pyenv's shims exist for every version and fail for the inactive ones.
    """
    name, _, rest = (answer([path, "-c", DESCRIBE]) or "").partition(" ")
    parts = rest.split()
    if name != "CPython" or parts[2:] != ["True"]:
        return None
    return int(parts[0]), int(parts[1])


def pyenv_pythons(version):
    """Yields the interpreters of ``version`` that pyenv has installed, newest first."""
    import re

    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    folder = os.path.join(root, "versions")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    # "3.10.9-debug" and the like are passed over.
    found = [re.fullmatch(r"{}\.{}\.(\d+)".format(*version), name) for name in names]
    for match in sorted(filter(None, found), key=lambda match: int(match[1]), reverse=True):
        yield os.path.join(folder, match[0], "bin", "python")


def path_pythons(version):
    """Yields the interpreters on PATH that may be of ``version``, and the one that runs this."""
    names = ("python{}.{}".format(*version), "python3", "python")
    for name in names:
        for folder in os.get_exec_path():
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK):
                yield path
    yield sys.executable


def find_python(version):
    """Returns the path of an installed CPython of ``version`` and its source, or (None, None)."""
    for source, paths in (("pyenv", pyenv_pythons(version)), ("PATH", path_pythons(version))):
        for path in paths:
            if version_of(path) == version:
                return path, source
    return None, None


def choose_set(rows):
    """Returns the best of ``rows`` whose Python is there, that Python, and where it comes from.

    Where none is there, the best row, whose Python uv can download, and None for the Python.

    Args:
        rows: What `runnable_sets` returns.

    Raises:
        BootstrapError: ``$TFX_WINE_EXT_PYTHON`` is set, and is no Python of these rows.
    """
    named = os.environ.get("TFX_WINE_EXT_PYTHON")
    if named:
        version = version_of(named)
        for row in rows:
            if row.python == version:
                return row, named, "$TFX_WINE_EXT_PYTHON"
        raise BootstrapError(
            "$TFX_WINE_EXT_PYTHON must be a 64-bit CPython {}\n"
            "  found: {} ({})\n"
            "  to do: name another, or unset it to have one looked for".format(
                versions_of(rows), named, answer([named, "-V"]) or "which cannot be run"
            )
        )
    for row in rows:
        python, source = find_python(row.python)
        if python:
            return row, python, source
    return rows[0], None, "uv"


def versions_of(rows):
    """Returns the Pythons of some sets as text, the best first.

    Example:
        >>> versions_of(SETS[:2])
        '3.13 or 3.12'
    """
    names = ["{}.{}".format(*row.python) for row in rows]
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def no_python(rows, why):
    """Returns the error for a machine on which no Python of the sets ``rows`` is to be had."""
    return BootstrapError(
        "no Python {0}, and TFX {1} for this machine needs one of these.\n"
        "  looked in: pyenv, PATH\n"
        "  uv's download: {2}\n"
        "  to do, one of:\n"
        "    apt install python{3}.{4} python{3}.{4}-venv   (where the system has that version)\n"
        "    pyenv install {3}.{4}\n"
        "    export TFX_WINE_EXT_PYTHON=/path/to/python{3}.{4}   (if it is somewhere else)\n"
        "  then the same command again.".format(
            versions_of(rows),
            " or ".join(sorted({row.tfx for row in rows})),
            why,
            *rows[0].python,
        )
    )


# -- uv ------------------------------------------------------------------------------------------


def install_uv(pythons, lock):
    """Installs uv below `.bootstrap/`, unless it is there and works, and returns its path.

    Debian and Ubuntu split venv off Python, and some images have no pip: so each of ``pythons`` is
    tried with venv, then with pip alone; last, a uv on PATH is taken.

    Raises:
        BootstrapError: None of these ways works.
    """
    import shutil

    venv = os.path.join(SCRATCH, "uv-venv")
    target = os.path.join(SCRATCH, "uv-target")
    installed = [os.path.join(venv, "bin", "uv"), os.path.join(target, "bin", "uv")]
    for uv in installed:
        if answer([uv, "--version"]):
            return uv
    failures = []
    for python in pythons:
        pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV_REQUIREMENT]
        ways = (
            [
                [python, "-m", "venv", "--clear", venv],
                [os.path.join(venv, "bin", "python"), *pip],
            ],
            [[python, *pip, "--target", target, "--upgrade"]],
        )
        for way, uv in zip(ways, installed):
            try:
                for command in way:
                    run(command, "installing uv", lock)
            except BootstrapError as error:
                failures.append(str(error))
                continue
            if answer([uv, "--version"]):
                return uv
    if shutil.which("uv"):
        return shutil.which("uv")
    raise BootstrapError(
        "uv, which installs the environment, cannot be installed.\n"
        "  tried: venv and pip of {}; uv on PATH\n"
        "  to do: see that pip can reach its package index, and that Python has venv\n"
        "         (Debian and Ubuntu: apt install python3-venv); or install uv yourself\n"
        "  first failure: {}".format(", ".join(pythons), failures[0])
    )


def uv_environment(uv):
    """Returns the environment for uv, in which pip's settings hold as well.

    uv does not read pip's configuration. Who has told only pip of a mirror or a certificate gets
    what they told it; what uv is told itself wins.
    """
    env = dict(os.environ)
    # An active environment must not be taken for the one to install into.
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME"):
        env.pop(name, None)
    own_files = ("/etc/uv/uv.toml", os.path.expanduser("~/.config/uv/uv.toml"))
    if any(map(os.path.exists, own_files)):
        return env
    pip = [os.path.join(os.path.dirname(uv), "python"), "-m", "pip"]
    if not os.path.exists(pip[0]):
        pip[0] = sys.executable
    settings = {}
    # Lines such as global.index-url='https://...'; the environment comes last, and wins.
    for line in (answer([*pip, "config", "list"]) or "").splitlines():
        key, _, value = line.partition("=")
        settings[key.rpartition(".")[2]] = " ".join(value.strip("'\"").split("\\n")).strip()
    for key, name, olds in (
        ("index-url", "UV_DEFAULT_INDEX", ("UV_INDEX_URL",)),
        ("extra-index-url", "UV_INDEX", ("UV_EXTRA_INDEX_URL",)),
        ("cert", "SSL_CERT_FILE", ()),
    ):
        if settings.get(key) and not any(map(env.get, (name, *olds))):
            env[name] = settings[key]
    return env


# -- The environment -----------------------------------------------------------------------------


def make_environment(venv, rows, lock, newer_libc):
    """Makes an environment, or brings an existing one up to date, and stamps it.

    Args:
        venv: Its folder.
        rows: What `runnable_sets` returns.
        lock: What `locked` returns.
        newer_libc: Give its interpreter Debian 13's C library; see scripts/newer_libc.sh.
    """
    import shutil
    import time

    began = time.monotonic()
    shown = os.path.relpath(venv, CHECKOUT)
    written = written_stamp(venv).split("\n")[:2]
    # The same set in the same place: only the packages can differ, and uv sees to those.
    reused = [row for row in rows if wanted_stamp(row).split("\n")[:2] == written]
    if reused:
        chosen, python, source = reused[0], python_in(venv), shown
    else:
        chosen, python, source = choose_set(rows)
    version = "{}.{}".format(*chosen.python)
    uv = install_uv([sys.executable, *([python] if python and not newer_libc else [])], lock)
    env = uv_environment(uv)
    if python is None:
        say(f"no Python {versions_of(rows)} here: uv downloads {version}")
        try:
            run([uv, "python", "install", version], f"downloading Python {version}", lock, env)
        except BootstrapError as error:
            raise no_python(rows, error) from None
        python = answer([uv, "python", "find", "--python-preference", "only-managed", version])
        if not python:
            raise no_python(rows, "it reports success, but has no such Python")

    if os.path.lexists(stamp_in(venv)):
        os.remove(stamp_in(venv))
    if reused:
        say(f"something it was made from has changed: bringing {shown} up to date")
    else:
        if os.path.lexists(venv):
            say(f"the {shown} that is there is half-made or another one: making it anew")
            if os.path.islink(venv):
                os.remove(venv)
            else:
                shutil.rmtree(venv)
        say(f"making {shown} for TFX {chosen.tfx} with Python {version} ({source})")
        if newer_libc:
            script = os.path.join(CHECKOUT, "scripts", "newer_libc.sh")
            sysroot = os.path.join(SCRATCH, "newer-libc")
            command = [script, sysroot, python, venv, uv]
            run(command, f"making {shown} with a newer C library", lock, env)
        else:
            run([uv, "venv", "--python", python, venv], f"making {shown}", lock, env)
    name = constraints_file(chosen)
    say(f"installing {name} (3 GB; once, some minutes)")
    pip = [uv, "pip"]
    to_venv = ["--python", python_in(venv)]
    try:
        run([*pip, "sync", *to_venv, name], f"installing {name}", lock, env)
    except BootstrapError as error:
        # A built pyfarmhash is kept by uv, so that this is asked after a failure, not before.
        raise BootstrapError(
            f"{error}\n"
            "  if it is pyfarmhash, which has no wheel, that could not be built:\n"
            "    apt install g++ python3-dev   (others: your system's), then the same command again"
        ) from None
    # Nothing is fetched here: what setup.cfg asks for, and what builds it, is in the set.
    editable = ["install", *to_venv, "--no-deps", "--no-build-isolation", "--editable", CHECKOUT]
    run([*pip, *editable], "installing the checkout", lock, env)

    partial = stamp_in(venv) + ".partial"
    with open(partial, "w", encoding="utf-8") as file:
        file.write(wanted_stamp(chosen))
    os.replace(partial, stamp_in(venv))
    say(f"ready in {time.monotonic() - began:.0f} s")


def locked():
    """Returns a descriptor that holds the lock; waits if another process holds it.

    The system lets go of it when the last process that has it open ends, however it ends.
    """
    import fcntl

    os.makedirs(SCRATCH, exist_ok=True)
    lock = os.open(os.path.join(SCRATCH, "lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another run is making .venv: waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def main(arguments):
    """Makes sure of the environment; returns the exit status."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--set",
        choices=[row.name for row in SETS],
        help="which set of versions; default: the best that this machine can run",
    )
    parser.add_argument(
        "--venv", default=".venv", metavar="FOLDER", help="where (default: %(default)s)"
    )
    parser.add_argument(
        "--newer-libc",
        action="store_true",
        help="for developers: where the machine's C library is too old for the set, give the "
        "environment's interpreter one of its own (Debian and Ubuntu only)",
    )
    options = parser.parse_args(arguments)
    venv = os.path.join(CHECKOUT, options.venv)
    sets = [row for row in SETS if options.set in (None, row.name)]
    tfx = None if options.set else os.environ.get("TFX_WINE_EXT_TFX")
    try:
        glibc, platform = glibc_version(), (sys.platform, os.uname().machine)
        newest = max(row.glibc for row in sets)
        newer_libc = options.newer_libc and glibc is not None and glibc < newest
        rows = runnable_sets(sets, newest if newer_libc else glibc, platform, tfx)
        if written_stamp(venv) in map(wanted_stamp, rows):
            return 0
        lock = locked()
        # It may have been made while the lock was waited for.
        if written_stamp(venv) not in map(wanted_stamp, rows):
            open(LOG, "wb").close()
            make_environment(venv, rows, lock, newer_libc)
    except BootstrapError as error:
        print(f"\nThe environment could not be made: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: the same command starts again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
