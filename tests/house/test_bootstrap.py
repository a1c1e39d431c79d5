"""scripts/bootstrap.py, run for real, but on a small checkout: its set is setuptools alone.

The installation of the whole set is tested in test_fresh_clone.py.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

SETUP_CFG = """\
[metadata]
name = tfx-wine-ext
version = 0.1.0

[options]
packages = tfx_wine_ext
install_requires = a-package-that-is-never-asked-for
"""


@pytest.fixture(scope="module")
def bootstrap():
    """The script as a module."""
    path = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "bootstrap.py"
    spec = importlib.util.spec_from_file_location("bootstrap", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def small(tmp_path, checkout):
    """A checkout in a folder with a space in its name, with uv installed, and one package to add.

    Its uv is this checkout's: a link in the place where the script looks first.
    """
    folder = tmp_path / "a small checkout"
    for name in ("scripts", "constraints", "tfx_wine_ext", ".bootstrap/uv-venv/bin"):
        (folder / name).mkdir(parents=True)
    uv = checkout / ".bootstrap" / "uv-venv" / "bin"
    for program in ("uv", "python"):
        (folder / ".bootstrap/uv-venv/bin" / program).symlink_to(uv / program)
    shutil.copy(checkout / "scripts" / "bootstrap.py", folder / "scripts")
    (folder / "setup.cfg").write_text(SETUP_CFG, encoding="utf-8")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
        encoding="utf-8",
    )
    (folder / "tfx_wine_ext" / "__init__.py").write_text("greeting = 'hello'\n", encoding="utf-8")
    pinned = (checkout / "constraints" / "tfx-1.16.txt").read_text(encoding="utf-8").splitlines()
    (setuptools,) = (line for line in pinned if line.startswith("setuptools=="))
    (folder / "constraints" / "tfx-1.16.txt").write_text(setuptools + "\n", encoding="utf-8")
    return folder


def run(folder, *arguments, **environment):
    """Runs the small checkout's script, from elsewhere, and returns how it ended."""
    return subprocess.run(
        [sys.executable, folder / "scripts" / "bootstrap.py", *arguments],
        env={**os.environ, "TFX_WINE_EXT_PYTHON": sys.executable, **environment},
        cwd=folder.parent,
        capture_output=True,
        text=True,
    )


def greeting(folder):
    """Imports the package by the small checkout's own Python, and returns what it says."""
    program = "import tfx_wine_ext; print(tfx_wine_ext.greeting)"
    done = subprocess.run(
        [folder / ".venv/bin/python", "-c", program],
        cwd=folder.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.e2e
def test_the_first_run_installs_the_set_and_the_checkout(small):
    done = run(small)
    assert (done.returncode, done.stderr) == (0, "")
    assert "environment: ready in" in done.stdout
    assert greeting(small) == "hello"


@pytest.mark.e2e
def test_the_installed_checkout_is_editable(small):
    run(small)
    (small / "tfx_wine_ext" / "__init__.py").write_text("greeting = 'hi'\n", encoding="utf-8")
    assert greeting(small) == "hi"


@pytest.mark.e2e
def test_the_second_run_does_and_says_nothing(small):
    run(small)
    before = (small / ".venv/tfx-wine-ext.stamp").stat()
    done = run(small, TFX_WINE_EXT_PYTHON="/not/even/looked/at", PATH="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    after = (small / ".venv/tfx-wine-ext.stamp").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.e2e
@pytest.mark.parametrize("left_behind", ["a venv without its stamp", "a folder", "a dead Python"])
def test_a_half_made_environment_is_made_anew(small, left_behind):
    if left_behind == "a folder":
        (small / ".venv/lib").mkdir(parents=True)
    else:
        run(small)
    if left_behind == "a venv without its stamp":
        (small / ".venv/tfx-wine-ext.stamp").unlink()
    if left_behind == "a dead Python":
        (small / ".venv/bin/python").unlink()
        (small / ".venv/bin/python").symlink_to(small / "uninstalled")
    (small / ".venv/debris").touch()
    done = run(small)
    assert done.returncode == 0, done.stderr
    assert "half-made" in done.stdout
    assert not (small / ".venv/debris").exists()
    assert greeting(small) == "hello"


@pytest.mark.e2e
def test_a_changed_setup_cfg_is_installed_into_the_same_environment(small):
    run(small)
    (small / ".venv/kept").touch()
    (small / "setup.cfg").write_text(SETUP_CFG.replace("0.1.0", "0.2.0"), encoding="utf-8")
    done = run(small)
    assert "bringing .venv up to date" in done.stdout
    assert (small / ".venv/kept").exists()
    site = next((small / ".venv/lib").glob("python*")) / "site-packages"
    assert [path.name for path in site.glob("tfx_wine_ext-*.dist-info")] == [
        "tfx_wine_ext-0.2.0.dist-info"
    ]


@pytest.mark.e2e
def test_a_checkout_that_was_moved_gets_an_environment_of_its_own(small):
    run(small)
    moved = small.rename(small.parent / "elsewhere now")
    assert run(moved).returncode == 0
    assert greeting(moved) == "hello"


@pytest.mark.e2e
def test_a_failed_installation_is_told_and_leaves_no_stamp(small):
    constraints = small / "constraints" / "tfx-1.16.txt"
    good = constraints.read_text(encoding="utf-8")
    constraints.write_text("setuptools==0.0.1.dev999\n", encoding="utf-8")
    done = run(small)
    assert done.returncode == 1
    assert "installing constraints/tfx-1.16.txt failed (exit status 1)" in done.stderr
    assert "setuptools==0.0.1.dev999" in done.stderr
    assert "the whole log: a small checkout/.bootstrap/log" in done.stderr
    assert not (small / ".venv/tfx-wine-ext.stamp").exists()

    constraints.write_text(good, encoding="utf-8")
    assert run(small).returncode == 0
    assert greeting(small) == "hello"


def test_no_python_of_the_right_version_is_one_message_with_what_to_do(small):
    nothing = str(small / "empty")
    done = run(small, "--python-from", "pyenv", PYENV_ROOT=nothing, HOME=nothing)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("\nThe environment could not be made: no Python 3.10")
    for remedy in ("apt install python3.10", "pyenv install 3.10", "TFX_WINE_EXT_PYTHON="):
        assert remedy in done.stderr
    assert "Traceback" not in done.stderr
    assert not (small / ".venv").exists()


def test_no_python_and_a_forbidden_download_is_the_same_message_with_the_reason(small):
    done = run(
        small,
        "--python-from",
        "uv",
        UV_PYTHON_INSTALL_DIR=str(small / "pythons"),
        UV_PYTHON_INSTALL_MIRROR=(small / "no-mirror").as_uri(),
    )
    assert done.returncode == 1
    assert "no Python 3.10" in done.stderr
    assert "uv's download: downloading Python 3.10 failed" in done.stderr
    assert "pyenv install 3.10" in done.stderr


@pytest.mark.parametrize("named", ["/bin/true", "/no/such/python"])
def test_a_named_python_that_is_none_is_an_error_and_no_other_is_taken(small, named):
    done = run(small, TFX_WINE_EXT_PYTHON=named)
    assert done.returncode == 1
    assert "$TFX_WINE_EXT_PYTHON must be a 64-bit CPython 3.10" in done.stderr
    assert f"found: {named}" in done.stderr


def test_an_unknown_source_of_python_is_refused(small):
    done = run(small, "--python-from", "pyenv,conda")
    assert done.returncode == 2
    assert "'conda' is none of variable, pyenv, path, uv" in done.stderr


@pytest.mark.e2e
def test_a_second_run_waits_for_the_first(small):
    lock = os.open(small / ".bootstrap/lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    second = subprocess.Popen(
        [sys.executable, small / "scripts/bootstrap.py"],
        env={**os.environ, "TFX_WINE_EXT_PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert second.stdout.readline() == "environment: another run is making .venv: waiting for it\n"
    assert not (small / ".venv").exists()
    os.close(lock)
    assert second.wait() == 0
    second.stdout.close()
    assert greeting(small) == "hello"


def test_the_lock_is_held_until_the_installer_of_a_killed_run_has_ended(small):
    program = (
        "import runpy; script = runpy.run_path('scripts/bootstrap.py');"
        "script['run'](['sh', '-c', 'echo started; sleep 2'], 'waiting', script['locked']())"
    )
    killed = subprocess.Popen([sys.executable, "-c", program], cwd=small)
    log = small / ".bootstrap/log"
    while not (log.exists() and "\nstarted\n" in log.read_text(encoding="utf-8")):
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    with open(small / ".bootstrap/lock", encoding="utf-8") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_EX)  # Comes back when the child has ended.


def test_a_pyenv_version_is_found_though_no_shim_is_active(bootstrap, tmp_path, monkeypatch):
    for name, runs in (("3.10.4", True), ("3.10.11", False), ("3.10.9", True), ("3.11.2", True)):
        python = tmp_path / "versions" / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        version = name.rpartition(".")[0].replace(".", " ")
        says = f"echo CPython {version} True" if runs else "exit 127"
        python.write_text(f"#!/bin/sh\n{says}\n", encoding="utf-8")
        python.chmod(0o755)
    (tmp_path / "versions" / "3.10.99-debug").mkdir()
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.delenv("TFX_WINE_EXT_PYTHON", raising=False)
    found = bootstrap.find_python((3, 10), ("pyenv",))
    # 3.10.11 is newer, but is broken.
    assert found == (str(tmp_path / "versions/3.10.9/bin/python"), "pyenv")


TWO_SETS = [
    {"name": "newer", "python": (3, 13), "glibc": (2, 39)},
    {"name": "older", "python": (3, 10), "glibc": (2, 28)},
]


@pytest.mark.parametrize(
    ("glibc", "chosen"),
    [((2, 28), "older"), ((2, 38), "older"), ((2, 39), "newer"), ((2, 41), "newer")],
)
def test_the_set_is_chosen_by_the_c_library(bootstrap, glibc, chosen):
    assert bootstrap.choose_set(TWO_SETS, glibc, ("linux", "x86_64"))["name"] == chosen


@pytest.mark.parametrize(
    ("glibc", "platform", "found"),
    [
        ((2, 17), ("linux", "x86_64"), "linux on x86_64, glibc 2.17"),
        (None, ("linux", "x86_64"), "linux on x86_64, a C library that is not glibc"),
        ((2, 39), ("linux", "aarch64"), "linux on aarch64, glibc 2.39"),
        (None, ("darwin", "arm64"), "darwin on arm64, a C library that is not glibc"),
    ],
)
def test_a_machine_without_wheels_is_told_what_is_needed(bootstrap, glibc, platform, found):
    with pytest.raises(bootstrap.BootstrapError, match=r"glibc 2\.28 or later") as raised:
        bootstrap.choose_set(TWO_SETS, glibc, platform)
    assert f"found:  {found}\n" in str(raised.value)


def test_every_set_of_the_table_has_its_file(bootstrap, checkout):
    files = [bootstrap.constraints_file(row) for row in bootstrap.SETS]
    on_disk = sorted(path.name for path in (checkout / "constraints").glob("*.txt"))
    assert sorted(os.path.basename(name) for name in files) == on_disk


@pytest.fixture
def pip_settings(monkeypatch, tmp_path):
    """No settings of pip or uv but those of the test."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    config = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    config.write_text(
        "[global]\n"
        "index-url = https://mirror.example/simple\n"
        "extra-index-url =\n    https://one.example/simple\n    https://two.example/simple\n"
        "cert = /etc/mirror.pem\n",
        encoding="utf-8",
    )


@pytest.mark.usefixtures("pip_settings")
def test_uv_is_told_what_only_pip_was_told(bootstrap, checkout, monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", "/some/other/environment")
    env = bootstrap.uv_environment(str(checkout / ".bootstrap/uv-venv/bin/uv"))
    settings = ("UV_DEFAULT_INDEX", "UV_INDEX", "SSL_CERT_FILE", "VIRTUAL_ENV")
    assert {name: env.get(name) for name in settings} == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "SSL_CERT_FILE": "/etc/mirror.pem",
        "VIRTUAL_ENV": None,
    }


@pytest.mark.usefixtures("pip_settings")
def test_what_uv_was_told_itself_wins_over_pip(bootstrap, checkout, monkeypatch):
    monkeypatch.setenv("UV_INDEX_URL", "https://for-uv.example/simple")
    env = bootstrap.uv_environment(str(checkout / ".bootstrap/uv-venv/bin/uv"))
    assert env["UV_INDEX_URL"] == "https://for-uv.example/simple"
    assert "UV_DEFAULT_INDEX" not in env


@pytest.mark.e2e
@pytest.mark.parametrize("missing", ["venv", "venv and pip"])
def test_uv_is_installed_or_found_where_python_lacks(bootstrap, monkeypatch, tmp_path, missing):
    # As on Debian: the modules are there, but `-m venv` (and `-m pip`) end with an error.
    refused = "venv" if missing == "venv" else "venv|pip"
    python = tmp_path / "python3"
    python.write_text(
        f'#!/bin/sh\ncase "$2" in {refused}) echo "No module named $2" >&2; exit 1;; esac\n'
        f'exec "{sys.executable}" "$@"\n',
        encoding="utf-8",
    )
    python.chmod(0o755)
    monkeypatch.setattr(bootstrap, "SCRATCH", str(tmp_path))
    monkeypatch.setattr(bootstrap, "LOG", str(tmp_path / "log"))
    with open(tmp_path / "lock", "w", encoding="utf-8") as lock:
        if missing == "venv":
            uv = bootstrap.install_uv([str(python)], lock.fileno())
            assert uv == str(tmp_path / "uv-target/bin/uv")
            assert bootstrap.answer([uv, "--version"]).startswith("uv ")
        else:
            monkeypatch.setenv("PATH", str(tmp_path / "empty"))
            with pytest.raises(bootstrap.BootstrapError, match="apt install python3-venv"):
                bootstrap.install_uv([str(python)], lock.fileno())
