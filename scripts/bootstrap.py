"""Makes the checkout's `.venv/`: the tested set of versions, with the checkout itself installed.

Every target of the Makefile runs this first. It needs nothing but a Python of 3.8 or later, and
does nothing when the environment is already as the checkout asks. Otherwise it

1. picks the set of versions that this machine can run (`SETS`);
2. installs uv from PyPI for its own use (`.bootstrap/uv-venv/`);
3. finds the Python that the set was tested with (`SOURCES`, in that order);
4. makes `.venv/`, installs exactly the set and, editable, the checkout;
5. writes the stamp, `.venv/tfx-wine-ext.stamp`.

The stamp is written last and removed first. A `.venv/` without one was left behind half-made, and
is made again. A lock, which the installers inherit, keeps two runs from working on one `.venv/`.

Bytecode is not compiled here: compiling everything took four times as long as installing it, and
most of it is never imported. The first run compiles what it imports.

What is done goes to the terminal in a line per step, all the rest to `.bootstrap/log`.
"""

from __future__ import annotations

import os
import sys

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(CHECKOUT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "tfx-wine-ext.stamp")
SCRATCH = os.path.join(CHECKOUT, ".bootstrap")
LOG = os.path.join(SCRATCH, "log")

# Known to take every option that is used here; below the next release that may change them.
UV_REQUIREMENT = "uv>=0.5,<1"

# The sets of versions, best first: the first that the machine can run is taken. Each is the file
# constraints/NAME.txt. One more set is one more row, above those it is preferred to.
#   name        the file's name
#   python      the Python that it is resolved for and tested with
#   glibc       the oldest C library that its wheels run on
SETS = [
    {"name": "tfx-1.16", "python": (3, 10), "glibc": (2, 28)},
]

# Where a Python may come from, in this order.
SOURCES = ("variable", "pyenv", "path", "uv")

HEARTBEAT_SECONDS = 20


class BootstrapError(Exception):
    """The environment cannot be made; the message says why and what to do."""


def say(text):
    """Prints one line of progress at once."""
    print("environment: " + text, flush=True)


# -- The way that is nearly always taken: nothing to do ------------------------------------------


def wanted_stamp(dependency_set):
    """Returns what the stamp must read for `.venv/` to be used as it is.

    It changes with everything that an installation depends on: the set, the package's metadata,
    this script, and the checkout's own place, since a virtual environment cannot be moved.
    """
    import hashlib

    digest = hashlib.sha256()
    for name in (constraints_file(dependency_set), "setup.cfg", "pyproject.toml", __file__):
        with open(os.path.join(CHECKOUT, name), "rb") as file:
            digest.update(file.read() + b"\0")
    python = "python {}.{}".format(*dependency_set["python"])
    return f"{python}\n{CHECKOUT}\n{digest.hexdigest()}\n"


def written_stamp():
    """Returns what the stamp reads, or None where `.venv/` is missing, half-made or unusable."""
    if not os.access(VENV_PYTHON, os.X_OK):  # Also where the Python behind it was uninstalled.
        return None
    try:
        with open(STAMP, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return None


# -- Which set -----------------------------------------------------------------------------------


def constraints_file(dependency_set):
    """Returns the path of the set's file, relative to the checkout."""
    return os.path.join("constraints", dependency_set["name"] + ".txt")


def glibc_version():
    """Returns the C library's version, such as (2, 36), or None where it is not glibc."""
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (OSError, ValueError):
        return None
    return tuple(int(part) for part in version.split(".")[:2]) if name == "glibc" else None


def choose_set(sets, glibc, platform):
    """Returns the first of ``sets`` that the machine can run.

    Args:
        sets: Rows as in `SETS`.
        glibc: The C library's version as `glibc_version` returns it.
        platform: Operating system and processor, such as ("linux", "x86_64").

    Raises:
        BootstrapError: None of them can be run.
    """
    if platform == ("linux", "x86_64") and glibc:
        for row in sets:
            if glibc >= row["glibc"]:
                return row
    found = "{} on {}, {}".format(
        *platform, "glibc {}.{}".format(*glibc) if glibc else "a C library that is not glibc"
    )
    oldest = min(row["glibc"] for row in sets)
    raise BootstrapError(
        "TFX publishes no wheels that run here.\n"
        "  needed: linux on x86_64, glibc {}.{} or later\n"
        "  found:  {}\n"
        "  to do:  run it in a container, for example\n"
        '          docker run --platform linux/amd64 --rm -it -v "$PWD":/src -w /src '
        "python:3.10 make wine".format(*oldest, found)
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


def is_python(path, version):
    """Tells whether ``path`` runs and is a 64-bit CPython of ``version``, such as (3, 10).

    It is run, not believed: pyenv's shims exist for every version and fail for the inactive ones.
    """
    return answer([path, "-c", DESCRIBE]) == "CPython {} {} True".format(*version)


def pyenv_pythons(version):
    """Yields the interpreters of ``version`` that pyenv has installed, newest first."""
    roots = [os.environ.get("PYENV_ROOT"), os.path.expanduser("~/.pyenv")]
    for root in filter(None, roots):
        folder = os.path.join(root, "versions")
        prefix = "{}.{}.".format(*version)
        names = os.listdir(folder) if os.path.isdir(folder) else []
        # "3.10.9-debug" and the like are passed over: their last part is not a number.
        patches = [n[len(prefix) :] for n in names if n.startswith(prefix)]
        for patch in sorted((int(p) for p in patches if p.isdigit()), reverse=True):
            yield os.path.join(folder, f"{prefix}{patch}", "bin", "python")


def path_pythons(version):
    """Yields the interpreters on PATH that may be of ``version``, and the one that runs this."""
    names = ("python{}.{}".format(*version), "python3", "python")
    for name in names:
        for folder in os.get_exec_path():
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK):
                yield path
    yield sys.executable


def find_python(version, sources):
    """Returns the path of an installed CPython of ``version`` and its source, or (None, None).

    Args:
        version: Such as (3, 10).
        sources: Which of `SOURCES` to look in; "uv" is not looked in here, since what it has is
            yet to be downloaded.

    Raises:
        BootstrapError: ``$TFX_WINE_EXT_PYTHON`` is set, and is not such a Python.
    """
    named = os.environ.get("TFX_WINE_EXT_PYTHON")
    if named and "variable" in sources:
        if not is_python(named, version):
            raise BootstrapError(
                "$TFX_WINE_EXT_PYTHON must be a 64-bit CPython {}.{}\n"
                "  found: {} ({})\n"
                "  to do: name another, or unset it to have one looked for".format(
                    *version, named, answer([named, "-V"]) or "which cannot be run"
                )
            )
        return named, "$TFX_WINE_EXT_PYTHON"
    if "pyenv" in sources:
        for path in pyenv_pythons(version):
            if is_python(path, version):
                return path, "pyenv"
    if "path" in sources:
        for path in path_pythons(version):
            if is_python(path, version):
                return path, "PATH"
    return None, None


def no_python(version, sources, why):
    """Returns the error for a machine on which no Python of ``version`` is to be had."""
    return BootstrapError(
        "no Python {0}.{1}, and TFX's wheels for this machine need just that.\n"
        "  looked in: {2}{3}\n"
        "  to do, one of:\n"
        "    apt install python{0}.{1} python{0}.{1}-venv   (Ubuntu 22.04; others: your system's)\n"
        "    pyenv install {0}.{1}\n"
        "    export TFX_WINE_EXT_PYTHON=/path/to/python{0}.{1}   (if it is somewhere else)\n"
        "  then the same command again.".format(
            *version, ", ".join(sources), f"\n  uv's download: {why}" if why else ""
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


def make_environment(dependency_set, sources, lock):
    """Makes `.venv/`, or brings an existing one up to date, and stamps it."""
    import shutil
    import time

    began = time.monotonic()
    version = dependency_set["python"]
    stamp = wanted_stamp(dependency_set)
    # The same Python in the same place: only the packages can differ, and uv sees to those.
    reusable = (written_stamp() or "").split("\n")[:2] == stamp.split("\n")[:2]

    python, source = (VENV_PYTHON, ".venv") if reusable else find_python(version, sources)
    if python is None and "uv" not in sources:
        raise no_python(version, sources, None)
    uv = install_uv([sys.executable, *([python] if python else [])], lock)
    env = uv_environment(uv)
    if python is None:
        say("no Python {}.{} here: uv downloads one".format(*version))
        wanted = "{}.{}".format(*version)
        try:
            run([uv, "python", "install", wanted], f"downloading Python {wanted}", lock, env)
        except BootstrapError as error:
            raise no_python(version, sources, error) from None
        python = answer([uv, "python", "find", "--python-preference", "only-managed", wanted])
        source = "uv"
        if not python:
            raise no_python(version, sources, "it reports success, but has no such Python")

    if os.path.lexists(STAMP):
        os.remove(STAMP)
    if reusable:
        say("something it was made from has changed: bringing .venv up to date")
    else:
        if os.path.lexists(VENV):
            say("the .venv that is there is half-made or of another checkout: making it anew")
            if os.path.islink(VENV):
                os.remove(VENV)
            else:
                shutil.rmtree(VENV)
        say("making .venv with Python {}.{} ({})".format(*version, source))
        run([uv, "venv", "--python", python, VENV], "making .venv", lock, env)
    name = constraints_file(dependency_set)
    say(f"installing {name} (once; 3 GB, from under a minute to several)")
    pip = [uv, "pip"]
    to_venv = ["--python", VENV_PYTHON]
    run([*pip, "sync", *to_venv, name], f"installing {name}", lock, env)
    # Nothing is fetched here: what setup.cfg asks for, and what builds it, is in the set.
    editable = ["install", *to_venv, "--no-deps", "--no-build-isolation", "--editable", CHECKOUT]
    run([*pip, *editable], "installing the checkout", lock, env)

    partial = STAMP + ".partial"
    with open(partial, "w", encoding="utf-8") as file:
        file.write(stamp)
    os.replace(partial, STAMP)
    say(f"ready in {time.monotonic() - began:.0f} s")


def locked():
    """Returns a descriptor that holds the lock, waiting for whoever has it.

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
    """Makes sure of `.venv/`; returns the exit status."""
    sources = SOURCES
    if arguments:
        import argparse

        parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
        parser.add_argument(
            "--python-from",
            default=",".join(SOURCES),
            metavar="LIST",
            help="where Python may come from, separated by commas (default: %(default)s): "
            "$TFX_WINE_EXT_PYTHON, pyenv's versions, PATH, a download by uv",
        )
        sources = tuple(parser.parse_args(arguments).python_from.split(","))
        unknown = [source for source in sources if source not in SOURCES]
        if unknown:
            parser.error(f"--python-from: {unknown[0]!r} is none of {', '.join(SOURCES)}")
    try:
        chosen = choose_set(SETS, glibc_version(), (sys.platform, os.uname().machine))
        if written_stamp() == wanted_stamp(chosen):
            return 0
        lock = locked()
        if written_stamp() != wanted_stamp(chosen):  # Not made by whoever had the lock before.
            open(LOG, "wb").close()
            make_environment(chosen, sources, lock)
    except BootstrapError as error:
        print(f"\nThe environment could not be made: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: the same command starts again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
