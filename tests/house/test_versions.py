"""What is said to be supported is what is tested, everywhere the same."""

from __future__ import annotations

import configparser
import re

import pytest

from tests.house.test_bootstrap import bootstrap  # noqa: F401 (a fixture)
from tfx_wine_ext.cli import checks

SHOWN = ("tfx", "apache-beam", "tensorflow", "keras", "numpy", "pyarrow")


@pytest.fixture
def metadata(checkout):
    parser = configparser.ConfigParser()
    parser.read(checkout / "setup.cfg", encoding="utf-8")
    return parser


def dotted(version):
    return ".".join(map(str, version))


def range_of(pythons):
    """How a page says which Pythons: `3.10 to 3.13`, or the only one."""
    low, high = (dotted(find(pythons)) for find in (min, max))
    return low if low == high else f"{low} to {high}"


def row_of(checkout, dependency_set):
    """The row of a set in the tables: its Python, its C library, and the versions in its file."""
    text = (checkout / "constraints" / f"{dependency_set.name}.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)$", text, re.MULTILINE))
    cells = [pins["tfx"], dotted(dependency_set.python), *(pins[name] for name in SHOWN[1:])]
    return "| " + " | ".join(cells) + " |"


def test_the_table_is_what_the_sets_of_versions_say(bootstrap, checkout):  # noqa: F811
    rows = [
        "| TFX | Python | Apache Beam | TensorFlow | Keras | numpy | pyarrow |",
        "|---|---|---|---|---|---|---|",
        *(row_of(checkout, row) for row in bootstrap.SETS),
    ]
    assert "\n".join(rows) in (checkout / "docs" / "versions.md").read_text(encoding="utf-8")


def test_the_readme_names_the_releases_and_their_pythons(bootstrap, checkout):  # noqa: F811
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    pythons = {
        release: range_of([row.python for row in bootstrap.SETS if row.tfx == release])
        for release in sorted({row.tfx for row in bootstrap.SETS})
    }
    sentence = " or ".join(f"{tfx} (Python {python})" for tfx, python in pythons.items())
    assert f"It installs TFX {sentence}" in readme
    badges = {
        "TFX": " and ".join(pythons),
        "Python": range_of([row.python for row in bootstrap.SETS]),
        "licence": "Apache 2.0",
    }
    shown = re.findall(r"\[!\[([^:]+): ([^]]+)\]\(https://img\.shields\.io/badge/([^)]+)\)", readme)
    # What is read aloud, and what is shown, which is within the address.
    assert {label.replace("Licence", "licence"): text for label, text, _ in shown} == badges
    assert {image.replace("%20", " ") for _, _, image in shown} == {
        f"{label}-{text}-blue" for label, text in badges.items()
    }


def test_the_package_names_the_pythons_and_releases_that_are_tested(
    bootstrap,  # noqa: F811
    metadata,
):
    pythons = sorted({row.python for row in bootstrap.SETS})
    classifiers = metadata["metadata"]["classifiers"].split("\n")
    named = [c.rpartition(" ")[2] for c in classifiers if re.search(r"Python :: 3\.\d+$", c)]
    assert named == [dotted(python) for python in pythons]
    low, (major, minor) = pythons[0], pythons[-1]
    assert metadata["options"]["python_requires"] == f">={dotted(low)},<{major}.{minor + 1}"
    releases = sorted({row.tfx for row in bootstrap.SETS})
    assert releases == ["1.16", "1.21"]
    assert "tfx>=1.16,<1.22,!=1.17.*" in metadata["options"]["install_requires"].split("\n")


def test_doctor_knows_the_same_releases_and_pythons(bootstrap):  # noqa: F811
    known = {dotted(each.version): each.pythons for each in checks.RELEASES}
    tested = {
        tfx: (min(pythons), max(pythons))
        for tfx in {row.tfx for row in bootstrap.SETS}
        if (pythons := [row.python for row in bootstrap.SETS if row.tfx == tfx])
    }
    assert known == tested


def test_ci_runs_every_set(bootstrap, checkout):  # noqa: F811
    script = (checkout / ".ci" / "run").read_text(encoding="utf-8")
    assert [row.name for row in bootstrap.SETS if row.name not in script] == []


def test_every_page_names_the_same_pythons(bootstrap, checkout):  # noqa: F811
    pythons = sorted({row.python for row in bootstrap.SETS})
    pages = [checkout / "README.md", checkout / "CONTRIBUTING.md", *checkout.glob("docs/**/*.md")]
    named = {
        (page.relative_to(checkout).as_posix(), found)
        for page in pages
        for found in re.findall(
            r"Python:? (3\.\d+(?: to | ?- ?|\u2013)3\.\d+)", page.read_text(encoding="utf-8")
        )
        if page.name != "comparison.md"  # It names those of other libraries.
    }
    range_of_all = f"{dotted(pythons[0])} to {dotted(pythons[-1])}"
    assert {found for _, found in named} == {range_of_all}
    assert "README.md" in {page for page, _ in named}


def test_the_package_and_the_pages_name_the_system_that_is_tested(metadata, checkout):
    classifiers = metadata["metadata"]["classifiers"].split("\n")
    systems = [line for line in classifiers if line.startswith("Operating System")]
    assert systems == ["Operating System :: POSIX :: Linux"]
    for page in ("README.md", "docs/versions.md"):
        text = (checkout / page).read_text(encoding="utf-8")
        assert re.search(r"Linux(?: and | \()x86-64", text), page


def test_the_checkers_know_the_oldest_python(bootstrap, metadata):  # noqa: F811
    assert metadata["mypy"]["python_version"] == dotted(min(row.python for row in bootstrap.SETS))


@pytest.mark.parametrize("tool", ["jupyterlab", "mkdocs-material", "mypy", "pytest", "ruff"])
def test_every_set_has_what_the_makefile_calls(bootstrap, checkout, tool):  # noqa: F811
    without = [
        row.name
        for row in bootstrap.SETS
        if f"\n{tool}==" not in (checkout / "constraints" / f"{row.name}.txt").read_text("utf-8")
    ]
    assert without == []
