from __future__ import annotations

import pathlib
import sys
import threading
import time

import pytest

from engines import installing
from engines.checks import EngineError
from engines.installing import layer, once, run, system


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(installing, "CHECKOUT", tmp_path)
    monkeypatch.setattr(installing, "FOLDER", tmp_path / ".engines")
    return tmp_path / ".engines" / "x"


def test_what_is_installed_is_installed_once_and_anew_when_something_else_is_wanted(
    folder: pathlib.Path,
) -> None:
    made = []

    def install() -> None:
        assert list(folder.iterdir()) == []
        (folder / "file").touch()
        made.append(1)

    for wanted in ("a 1", "a 1", "a 2"):
        assert once(folder, wanted, install) == folder
    assert len(made) == 2


def test_an_installation_that_failed_is_made_again(folder: pathlib.Path) -> None:
    def fail() -> None:
        (folder / "half").touch()
        raise EngineError("no network")

    with pytest.raises(EngineError, match="no network"):
        once(folder, "a", fail)
    once(folder, "a", lambda: None)
    assert [path.name for path in folder.iterdir()] == ["installed"]


def test_a_command_that_fails_is_an_error_with_its_last_words(tmp_path: pathlib.Path) -> None:
    with pytest.raises(EngineError, match="ended with status 3:\nno such artifact"):
        run(["sh", "-c", "echo no such artifact; exit 3"], tmp_path / "log")
    with pytest.raises(EngineError, match="no-such-program is needed and not installed"):
        run(["no-such-program"], tmp_path / "log")


def test_a_program_that_apt_cannot_install_is_named_with_its_package(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(EngineError, match="mvn is needed, and apt cannot install it: install mav"):
        system("mvn", "maven")


def test_two_targets_that_want_the_same_at_the_same_time_install_it_once(
    folder: pathlib.Path,
) -> None:
    made = []

    def install() -> None:
        time.sleep(0.2)
        made.append(1)

    both = [threading.Thread(target=once, args=(folder, "a", install)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert made == [1]


def test_a_server_is_found_where_only_root_has_it_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert system("chroot", "coreutils").endswith("sbin/chroot")


def test_a_layer_is_made_anew_for_another_python_at_the_same_path(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments = []

    def uv(command: list[object], log: pathlib.Path, env: dict[str, str] | None = None) -> None:
        if "pip" in command:
            assert env is not None
            environments.append(env)
        else:
            run(command, log)

    monkeypatch.setattr(installing, "run", uv)
    monkeypatch.setenv("VIRTUAL_ENV", "/some/other/environment")
    for version in (sys.version, sys.version, "3.13"):
        monkeypatch.setattr(sys, "version", version)
        python = layer("x", ["wine==1"])
    assert python == folder / "bin" / "python"
    assert ["VIRTUAL_ENV" in environment for environment in environments] == [False, False]
