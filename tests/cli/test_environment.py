import platform
import sys

import pytest

from tfx_wine_ext.cli import environment
from tfx_wine_ext.cli.environment import Package, normalized, release, this_environment

GROUP = "a.group.of.specs"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of packages as installers leave them."""
    monkeypatch.setattr(environment, "_conflicts", lambda pip, uv: ())

    def install(name, version, entry_points=""):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}")
        (folder / "entry_points.txt").write_text(entry_points)

    install("My_Package", "1.2", f"[{GROUP}]\nTwo = a:b\nOne = a:b\n[other]\nNot = a:b\n")
    install("plain", "3.0rc1")
    (tmp_path / "broken-1.0.dist-info").mkdir()
    return tmp_path


def test_packages_are_found_by_their_metadata_with_the_specs_that_they_register(site):
    found = this_environment(GROUP, [str(site)])
    assert found.packages == {
        "my-package": Package("My_Package", "1.2", ("One", "Two")),
        "plain": Package("plain", "3.0rc1"),
    }


def test_of_a_package_that_is_there_twice_the_first_one_on_the_path_counts(site, tmp_path):
    other = tmp_path / "other" / "plain-9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: plain\nVersion: 9\n")
    found = this_environment(GROUP, [str(other.parent), str(site)])
    assert found.packages["plain"].version == "9"


def test_the_interpreter_is_the_running_one(site):
    found = this_environment(GROUP, [str(site)])
    assert (found.executable, found.python) == (sys.executable, platform.python_version())
    assert found.machine.startswith(sys.platform)


def test_what_pip_says_of_unmet_requirements_is_kept_line_by_line(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/echo")  # Its status is 0: all is well.
    assert environment._conflicts(True, None) == ()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert environment._conflicts(True, None) == ("/bin/false: exit status 1",)
    assert environment._conflicts(False, None) is None


@pytest.mark.parametrize("name", ["Ml_Metadata", "ml.metadata", "ML--Metadata"])
def test_a_package_has_one_name_however_it_is_spelled(name):
    assert normalized(name) == "ml-metadata"


@pytest.mark.parametrize(
    ("version", "numbers"), [("80.10.2", (80, 10, 2)), ("1.16rc1", (1, 16)), ("dev", ())]
)
def test_a_release_is_the_numbers_that_a_version_begins_with(version, numbers):
    assert release(version) == numbers
