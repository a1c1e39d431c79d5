from __future__ import annotations

import ast
import pathlib
import re
import subprocess

import pytest

PURE_PACKAGES = ["columnar", "drift", "warm_start", "lineage", "report"]
# Everything in the package that knows TFX's component machinery, or is built on what does.
OUTER = r"tfx_wine_ext\.(components|drivers|executors|publishers|resolvers|testing|cli)"


def imported_modules(source: str, package: str) -> list[str]:
    """Lists the modules that a source text imports, at any depth, relative ones made absolute."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = parts[: len(parts) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            found += [prefix, *(f"{prefix}.{alias.name}" for alias in node.names)]
    return found


def is_outer(module: str) -> bool:
    return re.match(rf"(tfx|{OUTER})(\.|$)", module) is not None


def tracked_files(checkout: pathlib.Path) -> list[pathlib.Path]:
    """Lists the files that are in git, or would be after `git add .`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=checkout,
        capture_output=True,
        check=True,
    )
    paths = {checkout / name for name in listed.stdout.decode().split("\0") if name}
    return sorted(path for path in paths if path.is_file())


@pytest.mark.parametrize(
    ("statement", "outer"),
    [
        ("import tfx", True),
        ("def late():\n    from tfx.types import artifact", True),
        ("from tfx_wine_ext.executors import parquet_example_gen", True),
        ("from .. import executors", True),
        ("import tfx_bsl", False),
        ("from . import encode", False),
        ("import numpy as np", False),
    ],
)
def test_the_layer_test_tells_outer_imports_from_inner_ones(statement, outer):
    found = imported_modules(statement, "tfx_wine_ext.columnar")
    assert any(map(is_outer, found)) is outer


@pytest.mark.parametrize("package", PURE_PACKAGES)
def test_a_pure_package_imports_neither_tfx_nor_an_outer_layer(package, checkout):
    folder = checkout / "tfx_wine_ext" / package
    offenders = [
        f"{path.relative_to(checkout)}: {module}"
        for path in sorted(folder.rglob("*.py"))
        for module in imported_modules(
            path.read_text(encoding="utf-8"),
            ".".join(path.relative_to(checkout).parent.parts),
        )
        if is_outer(module)
    ]
    assert offenders == []


def test_nothing_imports_the_whole_of_tfx(checkout):
    offenders = [
        str(path.relative_to(checkout))
        for folder in ("tfx_wine_ext", "examples")
        for path in sorted((checkout / folder).rglob("*.py"))
        for module in imported_modules(path.read_text(encoding="utf-8"), "")
        if re.match(r"tfx\.v1(\.|$)", module)
    ]
    assert offenders == []


def test_no_tracked_file_names_a_place_on_one_machine_or_a_package_index(checkout):
    # Put together here, so that this file is not itself a finding.
    home = "|".join(["root", "work", "farm", "Users", "home/[a-z]"])
    machine_path = re.compile(rf"(?<![\w.}}~-])/(?:{home})/")
    index_option = re.compile(r"^\s*--(?:extra-)?index-url|--find-" + "links", re.MULTILINE)
    offenders = []
    for path in tracked_files(checkout):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # A picture or a data file.
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if machine_path.search(line) or index_option.search(line):
                offenders.append(f"{path.relative_to(checkout)}:{number}: {line.strip()}")
    assert offenders == []


def test_the_wine_data_and_what_make_makes_are_ignored_by_git(checkout):
    made = [".venv/x", ".bootstrap/log", "build/wine/summary.json", "data/wine-quality.csv"]
    ignored = subprocess.run(
        ["git", "check-ignore", *made], cwd=checkout, capture_output=True, text=True
    )
    assert ignored.stdout.split() == made


def test_the_typed_marker_is_there(checkout):
    assert (checkout / "tfx_wine_ext" / "py.typed").read_text(encoding="utf-8") == ""


def test_each_architecture_decision_is_listed_in_the_index(checkout):
    folder = checkout / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    decisions = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert decisions == sorted(set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", index)))
    for name in decisions:
        headings = re.findall(r"^## (.+)$", (folder / name).read_text(encoding="utf-8"), re.M)
        assert headings[:4] == ["Status", "Context", "Decision", "Consequences"], name


def test_the_constraints_file_is_what_its_inputs_ask_for(checkout):
    text = (checkout / "constraints" / "tfx-1.16.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", text, re.M))
    asked = (checkout / "constraints" / "tfx-1.16.in").read_text(encoding="utf-8")
    exact = dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", asked, re.M))
    assert exact == {"tfx": "1.16.0", "apache-beam": "2.62.0"}
    assert {name: pinned[name] for name in exact} == exact
    assert int(pinned["setuptools"].split(".")[0]) < 81
    # What setup.cfg, the Makefile and TFX's module_file ask for by name.
    assert {"dill", "isal", "pip", "pooch", "pytest", "ruff", "mypy", "wheel", "ydf"} <= set(pinned)
