from __future__ import annotations

import importlib.metadata
import sys

import pytest

from tfx_wine_ext.entry_points import load_entry_points


class NoneSuchError(Exception):
    """What a registry raises."""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Installs a package with an entry point; the end of its module is given."""

    def install(source: str) -> None:
        info = tmp_path / "other-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[tests.registry]\nmine = other_registers\n")
        own = "from tests.test_entry_points import REGISTRY\nREGISTRY['mine'] = 1\n"
        (tmp_path / "other_registers.py").write_text(own + source)
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()

    yield install
    sys.modules.pop("other_registers", None)
    REGISTRY.clear()


REGISTRY: dict[str, int] = {}


def test_a_package_registers_itself_once(package):
    package("")
    for _ in range(2):
        load_entry_points("tests.registry", REGISTRY, NoneSuchError)
        assert REGISTRY == {"mine": 1}


@pytest.mark.parametrize("source", ["raise ValueError('no disk')", "raise SystemExit('no disk')"])
def test_of_a_package_that_fails_nothing_is_registered(package, source):
    package(source)
    expected = "to load 'other_registers' of the entry points 'tests.registry'"
    for _ in range(2):
        with pytest.raises(NoneSuchError, match="no disk") as raised:
            load_entry_points("tests.registry", REGISTRY, NoneSuchError)
        assert raised.value.args[:2] == ("mine", expected)
        assert REGISTRY == {}
