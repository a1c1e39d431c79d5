"""Which modules may import what, as a fresh interpreter sees it: through other modules, too."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

import pytest

# Imports each module in a process of its own, forked before anything of the package is loaded, in
# which the modules that are forbidden cannot be imported.
PROGRAM = """
import importlib, json, os, sys

modules, forbidden, slow = json.loads(sys.argv[1])
for module in slow:
    importlib.import_module(module)

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if any(name == each or name.startswith(each + ".") for each in forbidden):
            raise ImportError(f"{name} is forbidden")

sys.meta_path.insert(0, Forbidden())
for module in modules:
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(module)
        except ImportError as error:
            print(f"{module}: {error}", flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""
SKIN = [
    "components",
    "decisions",
    "drivers",
    "executors",
    "launchers",
    "publishers",
    "resolvers",
    "testing",
]
# They use the types of TFX.
IMPURE = ["tfx_wine_ext.types.artifacts"]
# The only pure ones that load TensorFlow.
ON_TENSORFLOW = ["tfx_wine_ext.files.tensorflow", "tfx_wine_ext.warm_start.freeze"]
# Not forbidden, and slow to import once for each module.
SLOW = ["jinja2", "ml_metadata", "pandas", "pyarrow.parquet", "rich.table", "scipy.stats"]
OUTER = [f"tfx_wine_ext.{package}" for package in [*SKIN, "cli"]]


def modules_of(checkout: pathlib.Path, *packages: str) -> list[str]:
    """Lists the modules of packages, and those of `tfx_wine_ext` itself for the package ``.``."""
    root = checkout / "tfx_wine_ext"
    paths = [
        path
        for package in packages
        for path in sorted((root / package).glob("*.py" if package == "." else "**/*.py"))
    ]
    parts = [path.relative_to(checkout).with_suffix("").parts for path in paths]
    return [".".join(part).removesuffix(".__init__") for part in parts]


def offences(
    modules: list[str], forbidden: list[str], checkout: pathlib.Path, slow: list[str] = SLOW
) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([modules, forbidden, slow])],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_a_module_that_imports_a_forbidden_one_is_named(checkout: pathlib.Path) -> None:
    module = "tfx_wine_ext.types.artifacts"
    [offence] = offences([module, "tfx_wine_ext.types.execution"], ["tfx"], checkout)
    assert offence == f"{module}: tfx is forbidden"


PURE = ["columnar", "sources", "drift", "warm_start", "lineage", "artifacts", "report", "files"]


def test_a_pure_module_loads_neither_tfx_nor_beam_nor_an_outer_layer(
    checkout: pathlib.Path,
) -> None:
    modules = [each for each in modules_of(checkout, *PURE, "types", ".") if each not in IMPURE]
    light = [module for module in modules if module not in ON_TENSORFLOW]
    assert len(light) > 100
    forbidden = ["tfx", "apache_beam", *OUTER]
    assert offences(light, ["tensorflow", *forbidden], checkout) == []
    assert offences(ON_TENSORFLOW, forbidden, checkout, ["tensorflow"]) == []


def test_what_workers_import_loads_neither_tfx_nor_tensorflow(checkout: pathlib.Path) -> None:
    modules = [
        f"tfx_wine_ext.executors.{name}" for name in ("on_workers", "beam_tasks", "drift_tasks")
    ]
    assert offences(modules, ["tfx", "tensorflow"], checkout) == []


@pytest.mark.parametrize(
    ("package", "others"),
    [
        ("drivers", ["executors", "components", "lineage"]),
        ("executors", ["drivers", "components", "lineage"]),
        ("decisions", ["drivers", "executors", "publishers", "components", "lineage"]),
        ("publishers", ["drivers", "executors", "components", "lineage"]),
        ("resolvers", ["drivers", "executors", "publishers", "components", "lineage"]),
    ],
)
def test_a_package_of_the_skin_names_no_package_beside_it(
    package: str, others: list[str], checkout: pathlib.Path
) -> None:
    forbidden = re.compile(rf"tfx_wine_ext(\.| import )({'|'.join(others)})\b")
    folder = checkout / "tfx_wine_ext" / package
    assert [
        f"{path.name}: {line}"
        for path in sorted(folder.glob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.lstrip().startswith(("from ", "import ")) and forbidden.search(line)
    ] == []


def test_the_command_line_loads_neither_tfx_nor_tensorflow(checkout: pathlib.Path) -> None:
    forbidden = ["tfx", "apache_beam", "tensorflow", *(f"tfx_wine_ext.{name}" for name in SKIN)]
    assert offences(modules_of(checkout, "cli"), forbidden, checkout) == []


def test_the_store_viewer_makes_no_sentence_and_pages_know_only_its_records(
    checkout: pathlib.Path,
) -> None:
    lineage = modules_of(checkout, "lineage")
    assert offences(lineage, ["tfx_wine_ext.report"], checkout) == []
    lineage = [name for name in lineage if not name.endswith((".lineage", ".records"))]
    assert offences(modules_of(checkout, "report"), lineage, checkout) == []
