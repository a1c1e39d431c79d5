"""Installs what a target needs into a folder of its own, once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engines.checks import EngineError
from engines.servers import tail

CHECKOUT = Path(__file__).resolve().parents[1]
FOLDER = CHECKOUT / ".engines"
"""A folder in it for each target; safe to delete."""

_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>jars</artifactId><version>1</version>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
_DEPENDENCY = (
    "    <dependency><groupId>{}</groupId><artifactId>{}</artifactId>"
    "<version>{}</version></dependency>"
)


def say(text: str) -> None:
    """Prints a line of progress."""
    print(text, flush=True)


def once(folder: Path, wanted: str, install: Callable[[], None]) -> Path:
    """Installs into a folder, unless it holds just what is wanted; a half-made one is made again.

    Args:
        folder: The folder.
        wanted: Everything on which the installation depends.
        install: Fills the folder, which is there and empty.

    Returns:
        The folder.
    """
    stamp, digest = folder / "installed", hashlib.sha256(wanted.encode()).hexdigest()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Another target may install the same.
        if not stamp.is_file() or stamp.read_text() != digest:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            started = time.monotonic()
            say(f"installing {folder.relative_to(CHECKOUT)} ...")
            install()
            stamp.write_text(digest)
            say(f"installed in {time.monotonic() - started:.0f} s")
    return folder


def run(
    command: Sequence[str | os.PathLike[str]],
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Runs a command to its end.

    Args:
        command: The command.
        log: What it writes to stdout and stderr is appended to it.
        cwd: Its working folder; default this one.
        env: Its environment; default this one.

    Raises:
        EngineError: It cannot be started, or failed.
    """
    words = [os.fspath(word) for word in command]
    try:
        with log.open("ab") as stream:
            status = subprocess.run(
                words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
            ).returncode
    except FileNotFoundError:
        raise EngineError(f"{words[0]} is needed and not installed") from None
    if status:
        raise EngineError(f"{' '.join(words)} ended with status {status}:\n{tail(log)}")


def system(command: str, *packages: str) -> str:
    """Returns the path of a program of the system, which is installed by apt if it is missing.

    Args:
        command: Its name, or its path where it is not on PATH.
        packages: The Debian packages that have it.

    Raises:
        EngineError: It is missing, and apt cannot install it. The message says what to install.

    Example:
        >>> system("sh", "dash").endswith("/sh")
        True
    """
    # Of who is not root PATH has no folder for servers.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    if not shutil.which(command, path=path):
        install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages]
        say(f"{command} is missing: {' '.join(install)} ...")
        FOLDER.mkdir(exist_ok=True)
        as_root = ["env", "DEBIAN_FRONTEND=noninteractive"]
        as_root = as_root if os.geteuid() == 0 else ["sudo", "-n", *as_root]
        try:
            for words in (["apt-get", "update"], install):
                run([*as_root, *words], FOLDER / "apt.log")
        except EngineError as error:
            raise EngineError(
                f"{command} is needed, and apt cannot install it: install {' '.join(packages)}, "
                f"then run again\n{error}"
            ) from None
    found = shutil.which(command, path=path)
    if found is None:
        raise EngineError(f"{command} is not in the packages {' '.join(packages)}")
    return found


def java() -> str:
    """Returns the path of Java 17 or later.

    Raises:
        EngineError: It is missing, and apt cannot install it.
    """
    return system("java", "openjdk-17-jre-headless")


def maven(name: str, dependencies: Sequence[str]) -> Path:
    """Returns a folder with the jars of Maven artifacts and of all that they need at run time.

    Args:
        name: Name of the folder below ``.engines/``, such as ``spark/jars``.
        dependencies: ``group:artifact:version`` each.

    Raises:
        EngineError: Maven or Java is missing, or an artifact.
    """
    folder = FOLDER / name
    pom = _POM.format(
        dependencies="\n".join(_DEPENDENCY.format(*each.split(":")) for each in dependencies)
    )

    def install() -> None:
        (folder / "pom.xml").write_text(pom)
        goal = [
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            f"-DoutputDirectory={folder}",
        ]
        java()
        run([system("mvn", "maven"), "-B", "-q", *goal], folder / "log", cwd=folder)

    return once(folder, pom, install)


def layer(name: str, packages: Sequence[str]) -> Path:
    """Returns the Python of an environment that has this one's packages, and others on top.

    Args:
        name: Name of the folder below ``.engines/``, such as ``s3/venv``.
        packages: Requirements, installed from PyPI without what they need. They hide this
            environment's versions.

    Raises:
        EngineError: A package cannot be installed.
    """
    folder = FOLDER / name
    python = folder / "bin" / "python"

    def install() -> None:
        environment_above(folder)
        command = [uv(), "pip", "install", "-q", "--python", str(python), "--no-deps", *packages]
        # It finds the index that pip was told of, as where the checkout's environment is made.
        bootstrap = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "bootstrap.py"))
        environment = bootstrap["uv_environment"](uv())
        run(command, folder / "log", env=environment)

    # The same path may be another Python meanwhile: `.venv` is made anew for other versions.
    wanted = [sys.executable, sys.version, *packages]
    once(folder, "\n".join(wanted), install)
    return python


def environment_above(folder: Path, *, with_checkout: bool = True) -> Path:
    """Makes an environment that has the packages of this one, and returns its Python.

    Args:
        folder: The folder; it is created.
        with_checkout: It has this checkout's packages, too, which are installed by a .pth file.

    Raises:
        EngineError: It cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run([sys.executable, "-m", "venv", "--without-pip", folder], folder / "log")
    [site] = folder.glob("lib/python*/site-packages")
    below = sysconfig.get_path("purelib")
    # Python reads the .pth files only of folders that are added as sites.
    line = f"import site; site.addsitedir({below!r})" if with_checkout else below
    (site / "below.pth").write_text(f"{line}\n")
    return folder / "bin" / "python"


def uv() -> str:
    """Returns the path of uv: the one that made the checkout's environment, or one on PATH."""
    own = CHECKOUT / ".bootstrap" / "uv-venv" / "bin" / "uv"
    return str(own) if own.exists() else shutil.which("uv") or "uv"
