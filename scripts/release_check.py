"""Builds the distributions into `dist/`, and tests them as those who install them will have them.

`make release-check` runs this. What git knows of the checkout is copied to `build/release-check/`,
so that no other file can get into a distribution. Then

1. the sdist is built, and the wheel from the sdist;
2. `twine check --strict` reads both, and tests/contract/test_wheel.py says what is in them;
3. the sdist is installed into a clean environment, where `tfx-wine-ext doctor` imports everything;
4. the wheel is installed into another one, with the tested set of versions, and runs the quick
   tests. The copy has lost its own package by then, and tests/conftest.py refuses any other than
   that in site-packages.

Nothing is published. The last lines say what is missing before that may be done; where the commit
has the tag of the release, it is an error (RELEASING.md).
"""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys
import time

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "scripts")]

import bootstrap  # noqa: E402

import setup  # noqa: E402

FOLDER = CHECKOUT / "build" / "release-check"
DIST = CHECKOUT / "dist"
TWINE = "twine>=6,<7"
# What these test is the checkout: its files, pages and environments, not the package.
OF_THE_CHECKOUT = ("tests/house", "tests/docs")


def run(*command: object, cwd: pathlib.Path = CHECKOUT, **variables: str) -> None:
    """Runs a command that sees nothing of the checkout but its folder; ends this if it fails."""
    line = [str(part) for part in command]
    print("$", *line, flush=True)
    # This uv knows pip's index, and no PYTHONPATH or active environment.
    environment = {**bootstrap.uv_environment(str(uv())), **variables}
    done = subprocess.run(line, cwd=cwd, env=environment, check=False)
    if done.returncode:
        sys.exit(f"\nrelease-check: this failed (exit status {done.returncode}): {' '.join(line)}")


def uv() -> pathlib.Path:
    """Returns the uv that made the environment which runs this."""
    return CHECKOUT / ".bootstrap" / "uv-venv" / "bin" / "uv"


def git(*arguments: str) -> str:
    """Returns what git prints about the checkout."""
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def copy_of_the_checkout() -> pathlib.Path:
    """Copies the files that git knows, or would after `git add .`, and returns their folder."""
    source = FOLDER / "source"
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (CHECKOUT / name).is_file():  # Not one that is deleted, and not yet in git.
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, source / name)
    return source


def clean_environment(name: str, distribution: pathlib.Path, extras: str = "") -> pathlib.Path:
    """Makes an environment with a distribution and the tested versions; returns its programs.

    It has a pip, as most do; TFX calls it for a `module_file`.
    """
    stamp = pathlib.Path(bootstrap.stamp_in(sys.prefix)).read_text(encoding="utf-8")
    constraints = CHECKOUT / "constraints" / f"{stamp.splitlines()[0]}.txt"
    venv = FOLDER / name
    run(uv(), "venv", "--quiet", "--python", sys.executable, venv)
    run(
        *(uv(), "pip", "install", "--quiet", "--python", venv / "bin" / "python"),
        *("--constraint", constraints, "pip", f"{distribution}{extras}"),
    )
    return venv / "bin"


def missing_before_publication(
    changelog: str, version: str, source: str | None, dirty: str
) -> list[str]:
    """Returns what has to be done before the distributions may be published, a sentence each.

    Args:
        changelog: The text of CHANGELOG.md.
        version: The version of the package.
        source: The address of the code host, as setup.cfg has it.
        dirty: What ``git status --porcelain`` prints.

    Example:
        >>> missing_before_publication("## [1.0] - 2030-01-31", "1.0", "https://host/us/it", "")
        []
    """
    missing = []
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.M):
        missing.append(f"CHANGELOG.md gives {version} no date.")
    if source is None:
        missing.append(
            "setup.cfg has no project_urls with Source: README's relative links lead nowhere on a "
            "package index."
        )
    if dirty:
        missing.append(f"These files are not as they were committed:\n{dirty.rstrip()}")
    return missing


def main(arguments: list[str]) -> int:
    """Builds and checks; returns the exit status.

    Args:
        arguments: For pytest, in addition to those that choose the quick tests.
    """
    began = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.rmtree(DIST, ignore_errors=True)
    source = copy_of_the_checkout()
    run(sys.executable, "-m", "build", "--quiet", "--outdir", DIST, source)
    [sdist], [wheel] = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    run(uv(), "tool", "run", "--quiet", "--from", TWINE, "twine", "check", "--strict", sdist, wheel)
    pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    contents = ["tests/contract/test_wheel.py", "-k", "holds"]
    run(sys.executable, *pytest, *contents, cwd=source, TFX_WINE_EXT_DIST=str(DIST))

    run(clean_environment("sdist", sdist) / "tfx-wine-ext", "doctor", cwd=FOLDER)

    shutil.rmtree(source / "tfx_wine_ext")
    python = clean_environment("wheel", wheel, "[examples,test]") / "python"
    quick = ["-m", "not e2e", *(f"--ignore={folder}" for folder in OF_THE_CHECKOUT), *arguments]
    run(python, *pytest, *quick, cwd=source, TFX_WINE_EXT_TEST_INSTALLED="1")
    shutil.rmtree(FOLDER)  # 6 GB

    version = wheel.name.split("-")[1]
    changelog = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    dirty = git("status", "--porcelain")
    missing = missing_before_publication(changelog, version, setup.source_address(), dirty)
    print(f"\n{sdist.name} and {wheel.name} are good, after {time.monotonic() - began:.0f} s.")
    if missing:
        print("Before they may be published:", *missing, sep="\n- ")
    return 1 if missing and f"v{version}" in git("tag", "--points-at", "HEAD").split() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
