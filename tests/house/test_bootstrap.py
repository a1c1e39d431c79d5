"""scripts/bootstrap.py, run for real, but on a small checkout: its sets are setuptools alone.

The installation of the whole set is tested in test_fresh_clone.py.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pathlib
import re
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


def module_of(checkout):
    """The script of a checkout as a module."""
    path = checkout / "scripts" / "bootstrap.py"
    spec = importlib.util.spec_from_file_location("bootstrap", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bootstrap():
    """The script as a module."""
    return module_of(pathlib.Path(__file__).resolve().parents[2])


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
    for file in (checkout / "constraints").glob("*.txt"):
        pinned = file.read_text(encoding="utf-8").splitlines()
        (setuptools,) = (line for line in pinned if line.startswith("setuptools=="))
        (folder / "constraints" / file.name).write_text(setuptools + "\n", encoding="utf-8")
    return folder


def run(folder, *arguments, **environment):
    """Runs the small checkout's script, from elsewhere, and returns how it ended."""
    inherited = {name: value for name, value in os.environ.items() if name != "TFX_WINE_EXT_TFX"}
    return subprocess.run(
        [sys.executable, folder / "scripts" / "bootstrap.py", *arguments],
        env={**inherited, "TFX_WINE_EXT_PYTHON": sys.executable, **environment},
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
    files = {file: file.read_text(encoding="utf-8") for file in small.glob("constraints/*.txt")}
    for file in files:
        file.write_text("setuptools==0.0.1.dev999\n", encoding="utf-8")
    done = run(small)
    assert done.returncode == 1
    assert re.search(r"installing constraints/tfx-\S+\.txt failed \(exit status 1\)", done.stderr)
    assert "setuptools==0.0.1.dev999" in done.stderr
    assert "apt install g++ python3-dev" in done.stderr
    assert "the whole log: a small checkout/.bootstrap/log" in done.stderr
    assert not (small / ".venv/tfx-wine-ext.stamp").exists()

    for file, good in files.items():
        file.write_text(good, encoding="utf-8")
    assert run(small).returncode == 0
    assert greeting(small) == "hello"


def test_no_python_of_the_right_version_is_one_message_with_what_to_do(small, monkeypatch, capsys):
    script = module_of(small)
    monkeypatch.setattr(script, "find_python", lambda version: (None, None))
    monkeypatch.delenv("TFX_WINE_EXT_PYTHON", raising=False)
    monkeypatch.setenv("TFX_WINE_EXT_TFX", "1.16")
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(small / "pythons"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", (small / "no-mirror").as_uri())
    assert script.main([]) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        "\nThe environment could not be made: no Python 3.10, and TFX 1.16 for this machine needs "
        "one of these.\n"
        "  looked in: pyenv, PATH\n"
        "  uv's download: downloading Python 3.10 failed (exit status "
    )
    assert said.endswith(
        "  to do, one of:\n"
        "    apt install python3.10 python3.10-venv   (where the system has that version)\n"
        "    pyenv install 3.10\n"
        "    export TFX_WINE_EXT_PYTHON=/path/to/python3.10   (if it is somewhere else)\n"
        "  then the same command again.\n"
    )
    assert not (small / ".venv").exists()


@pytest.mark.parametrize("named", ["/bin/true", "/no/such/python"])
def test_a_named_python_that_is_none_is_an_error_and_no_other_is_taken(small, named):
    done = run(small, TFX_WINE_EXT_PYTHON=named, TFX_WINE_EXT_TFX="1.16")
    assert done.returncode == 1
    assert "$TFX_WINE_EXT_PYTHON must be a 64-bit CPython 3.10" in done.stderr
    assert f"found: {named}" in done.stderr


def test_a_release_of_tfx_that_is_none_is_an_error_that_lists_those_that_are(small):
    done = run(small, TFX_WINE_EXT_TFX="1.17")
    assert done.returncode == 1
    assert "$TFX_WINE_EXT_TFX must be one of 1.16, 1.21, or unset\n  found: 1.17" in done.stderr


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


def pyenv_with(monkeypatch, folder, versions):
    """Makes a PYENV_ROOT with stand-ins for interpreters, of which some run and some do not."""
    for name, runs in versions.items():
        python = folder / "versions" / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        version = name.rpartition(".")[0].replace(".", " ")
        says = f"echo CPython {version} True" if runs else "exit 127"
        python.write_text(f"#!/bin/sh\n{says}\n", encoding="utf-8")
        python.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(folder))
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("TFX_WINE_EXT_PYTHON", raising=False)


def test_a_pyenv_version_is_found_though_no_shim_is_active(bootstrap, tmp_path, monkeypatch):
    versions = {"3.10.4": True, "3.10.11": False, "3.10.9": True, "3.11.2": True}
    pyenv_with(monkeypatch, tmp_path, versions)
    (tmp_path / "versions" / "3.10.99-debug").mkdir()
    found = bootstrap.find_python((3, 10))
    # 3.10.11 is newer, but is broken.
    assert found == (str(tmp_path / "versions/3.10.9/bin/python"), "pyenv")


LINUX = ("linux", "x86_64")


@pytest.fixture
def sets(bootstrap):
    """Two sets that need a newer C library, and one that does not."""
    return [
        bootstrap.DependencySet("new-py313", "1.21", (3, 13), (2, 39)),
        bootstrap.DependencySet("new-py310", "1.21", (3, 10), (2, 39)),
        bootstrap.DependencySet("old", "1.16", (3, 10), (2, 28)),
    ]


@pytest.mark.parametrize(
    ("glibc", "tfx", "names"),
    [
        ((2, 28), None, ["old"]),
        ((2, 38), "", ["old"]),
        ((2, 39), None, ["new-py313", "new-py310", "old"]),
        ((2, 41), "1.21", ["new-py313", "new-py310"]),
        ((2, 41), "1.16", ["old"]),
    ],
)
def test_the_c_library_and_the_release_asked_for_say_which_sets_can_be(
    bootstrap, sets, glibc, tfx, names
):
    rows = bootstrap.runnable_sets(sets, glibc, LINUX, tfx)
    assert [row.name for row in rows] == names


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        (["3.10.1", "3.13.0"], "new-py313"),
        (["3.10.1", "3.12.0"], "new-py310"),
        (["3.9.1"], "new-py313"),  # which uv then downloads
    ],
)
def test_of_these_the_best_is_chosen_whose_python_is_there(
    bootstrap, sets, tmp_path, monkeypatch, pythons, chosen
):
    pyenv_with(monkeypatch, tmp_path, dict.fromkeys(pythons, True))
    monkeypatch.setattr(bootstrap, "path_pythons", lambda version: [])
    row, python, source = bootstrap.choose_set(sets)
    assert row.name == chosen
    if source == "uv":
        assert python is None
    else:
        assert (bootstrap.version_of(python), source) == (row.python, "pyenv")


def test_a_named_python_chooses_among_the_sets(bootstrap, sets, tmp_path, monkeypatch):
    pyenv_with(monkeypatch, tmp_path, {"3.10.1": True, "3.13.0": True})
    named = str(tmp_path / "versions/3.10.1/bin/python")
    monkeypatch.setenv("TFX_WINE_EXT_PYTHON", named)
    row, python, source = bootstrap.choose_set(sets)
    assert (row.name, python, source) == ("new-py310", named, "$TFX_WINE_EXT_PYTHON")


@pytest.mark.parametrize(
    ("glibc", "platform", "found"),
    [
        ((2, 17), LINUX, "linux on x86_64, glibc 2.17"),
        (None, LINUX, "linux on x86_64, a C library that is not glibc"),
        ((2, 39), ("linux", "aarch64"), "linux on aarch64, glibc 2.39"),
        (None, ("darwin", "arm64"), "darwin on arm64, a C library that is not glibc"),
    ],
)
def test_a_machine_without_wheels_is_told_what_is_needed(bootstrap, sets, glibc, platform, found):
    with pytest.raises(bootstrap.BootstrapError, match=r"glibc 2\.28 or later") as raised:
        bootstrap.runnable_sets(sets, glibc, platform)
    assert f"found:  {found}\n" in str(raised.value)


def test_who_asks_for_a_release_that_needs_a_newer_c_library_is_told_what_would_help(
    bootstrap, sets
):
    with pytest.raises(bootstrap.BootstrapError) as raised:
        bootstrap.runnable_sets(sets, (2, 36), LINUX, "1.21")
    assert str(raised.value) == (
        "TFX 1.21 publishes no wheels that run here.\n"
        "  needed: linux on x86_64, glibc 2.39 or later\n"
        "  found:  linux on x86_64, glibc 2.36\n"
        "  to do:  a newer system: Debian 13 or Ubuntu 24.04 have it\n"
        "      or  unset TFX_WINE_EXT_TFX: TFX 1.16 runs here\n"
        "      or  run it in a container, for example\n"
        '          docker run --platform linux/amd64 --rm -it -v "$PWD":/src -w /src '
        "python:3.13 make wine"
    )


@pytest.mark.e2e
def test_a_set_may_be_installed_beside_the_one_in_use(small):
    name = "tfx-1.16" if sys.version_info[:2] == (3, 10) else "tfx-1.21-py313"
    done = run(small, "--venv", ".venv-other", "--set", name)
    assert done.returncode == 0, done.stderr
    assert not (small / ".venv").exists()
    assert (small / ".venv-other/tfx-wine-ext.stamp").read_text().startswith(f"{name}\n")
    assert run(small, "--venv", ".venv-other", "--set", name).stdout == ""


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
