"""What a release says of itself is the same everywhere, and its checks find what is wrong."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys

import pytest
import yaml

import tfx_wine_ext


def script(path):
    """A script of the checkout as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def setup(checkout):
    return script(checkout / "setup.py")


@pytest.fixture
def release_check(checkout, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    return script(checkout / "scripts" / "release_check.py")


@pytest.fixture(scope="module")
def releases(checkout):
    """The versions of the changelog with what stands behind them, the newest first."""
    text = (checkout / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.findall(r"^## \[(.+?)\](?: - (.+))?$", text, re.MULTILINE)


def citation(checkout):
    """CITATION.cff, or nothing where there is none."""
    path = checkout / "CITATION.cff"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def test_the_changelog_begins_with_what_is_unreleased_and_then_this_version(releases):
    assert releases[0] == ("Unreleased", "")
    released = [version for version, _ in releases[1:]]
    if ".dev" in tfx_wine_ext.__version__:
        assert tfx_wine_ext.__version__.partition(".dev")[0] not in released
    else:
        assert released[0] == tfx_wine_ext.__version__


def test_every_version_of_the_changelog_but_the_newest_has_a_date(releases):
    dates = [date for _, date in releases[1:]]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d|not yet published", dates[0])
    assert [date for date in dates[1:] if not re.fullmatch(r"\d{4}-\d\d-\d\d", date)] == []


def test_the_version_is_read_from_the_package_alone(checkout):
    config = (checkout / "setup.cfg").read_text(encoding="utf-8")
    assert re.findall(r"^version = (.+)$", config, re.MULTILINE) == [
        "attr: tfx_wine_ext.__version__",
    ]
    package = (checkout / "tfx_wine_ext" / "__init__.py").read_text(encoding="utf-8")
    assert f'\n__version__ = "{tfx_wine_ext.__version__}"\n' in package


def test_a_version_and_a_date_that_are_cited_are_those_of_the_newest_release(checkout, releases):
    cited = citation(checkout)
    if not {"version", "date-released"} & set(cited):
        pytest.skip("CITATION.cff gives neither")
    version, date = releases[1]
    assert str(cited.get("version", version)) == version
    assert str(cited.get("date-released", date)) == date


def test_the_public_address_is_the_same_wherever_it_is_given(checkout, setup):
    site = (checkout / "mkdocs.yml").read_text(encoding="utf-8")
    named = {
        setup.source_address(),
        *re.findall(r"^repo_url: (\S+?)/?$", site, re.MULTILINE),
        citation(checkout).get("repository-code"),
    }
    assert len(named) == 1, named


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](guide/a.md)", "[a](https://host/us/it/blob/v1/guide/a.md)"),
        ("[a](guide/a.md#part)", "[a](https://host/us/it/blob/v1/guide/a.md#part)"),
        ("[a](guide/adr/)", "[a](https://host/us/it/blob/v1/guide/adr/)"),
        ("[a](#part)", "[a](https://host/us/it/blob/v1/README.md#part)"),
        ("![a\nb](guide/a.PNG)", "![a\nb](https://host/us/it/raw/v1/guide/a.PNG)"),
        (
            "[![a](guide/a.svg)](guide/a.md)",
            "[![a](https://host/us/it/raw/v1/guide/a.svg)](https://host/us/it/blob/v1/guide/a.md)",
        ),
        (
            '<a href="LICENSE"><img src="guide/a.png" width="80"></a>',
            '<a href="https://host/us/it/blob/v1/LICENSE">'
            '<img src="https://host/us/it/raw/v1/guide/a.png" width="80"></a>',
        ),
        ("[a][b]\n\n[b]: guide/a.md", "[a][b]\n\n[b]: https://host/us/it/blob/v1/guide/a.md"),
        ("<a href='LICENSE'>", "<a href='https://host/us/it/blob/v1/LICENSE'>"),
        ("[a](https://x.org/a.md)", "[a](https://x.org/a.md)"),
        ("[a](mailto:a@x.org)", "[a](mailto:a@x.org)"),
        ("[a](//x.org/a.md)", "[a](//x.org/a.md)"),
        ("`[a](b.md)`", "`[a](b.md)`"),
        ("```python\nf[0](x)\n```\n[a](b.md)", "```python\nf[0](x)\n```\n[a]("
         "https://host/us/it/blob/v1/b.md)"),
    ],
)  # fmt: skip
def test_relative_links_lead_to_the_code_host(setup, text, expected):
    assert setup.with_absolute_links(text, "https://host/us/it", "v1") == expected


def test_every_relative_link_of_readme_becomes_absolute_and_leads_to_a_file(setup, checkout):
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    absolute = setup.with_absolute_links(readme, "https://host/us/it", "v1")
    found = re.findall(r"https://host/us/it/(?:blob|raw)/v1/([^)\s\"#]+)", absolute)
    assert len(found) >= 5
    assert [path for path in found if not (checkout / path).exists()] == []
    text = re.sub(r"```.*?```", "", absolute, flags=re.DOTALL)
    assert re.findall(r"""(?:\]\(|^\[.+\]: +|\b(?:href|src)=["'])(?!https?://).*""", text) == []


@pytest.mark.parametrize(
    ("urls", "address"),
    [
        ("", None),
        ("project_urls =\n    Source = https://host/us/it/\n", "https://host/us/it"),
        (
            "project_urls =\n    Docs = https://docs\n    Source = https://host/us/it\n",
            "https://host/us/it",
        ),
    ],
)
def test_the_address_is_that_of_the_source(setup, tmp_path, monkeypatch, urls, address):
    (tmp_path / "setup.cfg").write_text(f"[metadata]\n{urls}", encoding="utf-8")
    monkeypatch.setattr(setup, "HERE", tmp_path)
    assert setup.source_address() == address


def test_pages_that_name_a_version_of_this_library_name_this_one(checkout):
    pages = [
        checkout / "README.md",
        *checkout.glob("docs/*.md"),
        *checkout.glob("docs/how-to/*.md"),
    ]
    named = {
        (page.name, version)
        for page in pages
        for version in re.findall(
            r"(?:this library \| |tfx[-_]wine[-_]ext(?:==|-| ))(\d+\.\d+[.\w]*\w)",
            page.read_text(encoding="utf-8"),
        )
    }
    assert ("comparison.md", tfx_wine_ext.__version__) in named
    assert {version for _, version in named} == {tfx_wine_ext.__version__}


def test_what_is_missing_before_publication_is_listed(release_check):
    changelog = "# Changelog\n\n## [Unreleased]\n\n## [1.0] - {}\n"
    undated, dated = changelog.format("not yet published"), changelog.format("2030-01-31")
    missing = release_check.missing_before_publication
    assert missing(dated, "1.0", "https://host/us/it", "") == []
    assert missing(undated, "1.0", "https://host/us/it", "") == ["CHANGELOG.md gives 1.0 no date."]
    assert missing(dated, "1.0.1", None, " M setup.py\n") == [
        "CHANGELOG.md gives 1.0.1 no date.",
        "setup.cfg has no project_urls with Source: README's relative links lead nowhere on a "
        "package index.",
        "These files are not as they were committed:\n M setup.py",
    ]


def test_tests_of_the_installed_package_refuse_that_of_the_checkout(checkout):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/test_package.py"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), "TFX_WINE_EXT_TEST_INSTALLED": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 4  # pytest's for a wrong use.
    assert f"  found: {checkout / 'tfx_wine_ext'}\n" in done.stderr
