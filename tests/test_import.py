from __future__ import annotations

import ast
import json
import pathlib
import subprocess
import sys

import pytest

import tfx_wine_ext

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


def test_every_public_name_is_offered_by_dir():
    assert [name for name in tfx_wine_ext.__all__ if name not in dir(tfx_wine_ext)] == []


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
