from __future__ import annotations

import ast
import json
import pathlib
import subprocess
import sys

import pytest

import tfx_wine_ext
from tfx_wine_ext import warm_start

TOP = pathlib.Path(tfx_wine_ext.__file__).parent

# What costs seconds to import, or is needed by one component only.
HEAVY = [
    "apache_beam",
    "google.protobuf",
    "keras",
    "ml_metadata",
    "numpy",
    "pandas",
    "pyarrow",
    "tensorflow",
    "tfx",
    "tfx_bsl",
]


PACKAGES = sorted(
    ".".join(path.parent.relative_to(TOP.parent).parts)
    for path in TOP.rglob("__init__.py")
    if "__all__" in path.read_text(encoding="utf-8")
)


def fresh_python(program: str) -> str:
    """Runs a program in a new interpreter, where nothing is imported yet; returns its output."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_loads_no_heavy_module():
    loaded = fresh_python(
        "import json, sys; import tfx_wine_ext; print(json.dumps(sorted(sys.modules)))"
    )
    assert [name for name in HEAVY if name in json.loads(loaded)] == []


def test_looking_at_the_package_loads_no_heavy_module():
    loaded = fresh_python(
        "import json, sys; import tfx_wine_ext as p; dir(p); p.__version__; p.__all__;"
        "hasattr(p, 'no_such_name'); print(json.dumps(sorted(sys.modules)))"
    )
    assert [name for name in HEAVY if name in json.loads(loaded)] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_dir_lists_the_public_names_of_a_package_and_nothing_else(name):
    shown = fresh_python(
        f"import importlib, json; package = importlib.import_module({name!r});"
        "before = dir(package);"
        "import tfx_wine_ext.documents, tfx_wine_ext.drift.sketches, tfx_wine_ext.columnar.wire;"
        "import tfx_wine_ext.warm_start.rows, tfx_wine_ext.testing.metadata;"
        "print(json.dumps([before, dir(package), sorted(package.__all__)]))"
    )
    at_first, after_more_imports, public = json.loads(shown)
    assert at_first == after_more_imports == public


def test_packages_with_public_names_are_found():
    assert {"tfx_wine_ext", "tfx_wine_ext.drift", "tfx_wine_ext.warm_start"} <= set(PACKAGES)


def test_a_star_imports_the_names_and_nothing_else():
    shown = fresh_python(
        "import json; names = set(globals());"
        "from tfx_wine_ext.warm_start import *;"
        "print(json.dumps(sorted(set(globals()) - names - {'names'})))"
    )
    assert json.loads(shown) == sorted(warm_start.__all__)


def test_the_lazy_table_the_type_checkers_imports_and_all_are_the_same_names():
    tree = ast.parse(pathlib.Path(tfx_wine_ext.__file__).read_text(encoding="utf-8"))
    (for_type_checkers,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {
        alias.name: statement.module
        for statement in for_type_checkers.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert imported == tfx_wine_ext._MODULE_OF
    assert sorted(tfx_wine_ext.__all__) == sorted([*imported, "__version__"])


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'tfx_wine_ext' has no attribute 'Parquet'"):
        _ = tfx_wine_ext.Parquet


@pytest.mark.e2e
def test_every_public_name_is_what_its_module_defines():
    for name, module in tfx_wine_ext._MODULE_OF.items():
        value = getattr(tfx_wine_ext, name)
        assert (value.__name__, value.__module__) == (name, module)
        assert vars(tfx_wine_ext)[name] is value  # Kept: the next use does not look it up.


def test_a_module_that_breaks_while_it_is_imported_says_why(tmp_path, monkeypatch):
    (tmp_path / "breaks_on_import.py").write_text("import math\nmath.no_such_thing\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(tfx_wine_ext._MODULE_OF, "Breaks", "breaks_on_import")
    with pytest.raises(ImportError, match=r"breaks_on_import cannot be imported: .*no_such_thing"):
        from tfx_wine_ext import Breaks  # noqa: F401
