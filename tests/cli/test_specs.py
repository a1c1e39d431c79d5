import json
import os
import pathlib
import pty
import subprocess
import sys

import pytest

from tfx_wine_ext.cli import main
from tfx_wine_ext.cli.specs import entry_points
from tfx_wine_ext.cli.terminal import print_table

MODULE = '''
import types


class BarSpec:
    """Reads what the bar \\x1b[31mhas.

    And more.
    """

    INPUTS = {}
    OUTPUTS = {"drinks": types.SimpleNamespace(type=int, optional=False)}
    PARAMETERS = {
        "price": types.SimpleNamespace(type=float, optional=True),
        "names": types.SimpleNamespace(type=list[str], optional=False),
    }


class NoSpec:
    INPUTS = {}


ending = 5
'''
ENTRIES = """[tfx_wine_ext.component_specs]
Bar = bar_specs:BarSpec
Gone = bar_specs:GoneSpec
Ends = bar_ends:Spec
NoSpec = bar_specs:NoSpec
Number = bar_specs:ending

[console_scripts]
bar = bar_specs:main
"""


@pytest.fixture
def bar(tmp_path, monkeypatch, capsys):
    """An installed package that registers five specs, of which one is right; nothing else."""
    (tmp_path / "bar_specs.py").write_text(MODULE)
    (tmp_path / "bar_ends.py").write_text("print('noise')\nraise SystemExit(3)\n")
    info = tmp_path / "bar-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bar\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    print_table(["what prints is imported"], [], console=None)  # While it is on the path.
    capsys.readouterr()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    yield tmp_path
    for name in ("bar_specs", "bar_ends"):
        sys.modules.pop(name, None)


def test_specs_are_found_with_their_packages(bar):
    found = [(e.name, e.value, package, version) for e, package, version in entry_points()]
    assert found == [
        ("Bar", "bar_specs:BarSpec", "bar", "1.2"),
        ("Ends", "bar_ends:Spec", "bar", "1.2"),
        ("Gone", "bar_specs:GoneSpec", "bar", "1.2"),
        ("NoSpec", "bar_specs:NoSpec", "bar", "1.2"),
        ("Number", "bar_specs:ending", "bar", "1.2"),
    ]
    assert entry_points([str(bar / "elsewhere")]) == []


@pytest.mark.usefixtures("bar")
def test_a_spec_that_cannot_be_loaded_hides_no_other(capsys):
    assert main(["specs", "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["group"] == "tfx_wine_ext.component_specs"
    assert document["specs"][0] == {
        "name": "Bar",
        "package": "bar",
        "version": "1.2",
        "class": "bar_specs:BarSpec",
        "doc": "Reads what the bar \x1b[31mhas.",
        "inputs": [],
        "outputs": [{"name": "drinks", "type": "int", "required": True}],
        "parameters": [
            {"name": "price", "type": "float", "required": False},
            {"name": "names", "type": "list[str]", "required": True},
        ],
        "error": None,
    }
    assert [(spec["name"], spec["error"]) for spec in document["specs"][1:]] == [
        ("Ends", "SystemExit: 3"),
        ("Gone", "AttributeError: module 'bar_specs' has no attribute 'GoneSpec'"),
        ("NoSpec", "TypeError: expected a ComponentSpec, whose OUTPUTS is a dict"),
        ("Number", "TypeError: expected a class, found 5"),
    ]
    # What a module prints is no part of the document.
    assert err == "noise\n"


@pytest.mark.usefixtures("bar")
def test_one_spec_is_told_whole(capsys):
    assert main(["specs", "Bar"]) == 0
    out = "".join(line.rstrip() + "\n" for line in capsys.readouterr().out.splitlines())
    assert out == (
        r"""Bar (bar 1.2)
  bar_specs:BarSpec
  Reads what the bar \x1b[31mhas.

              name     type
 ──────────────────────────────────────────
 outputs      drinks   int         required
 parameters   price    float       optional
              names    list[str]   required

"""
    )


@pytest.mark.usefixtures("bar")
def test_the_list_has_all_of_them(capsys):
    assert main(["specs"]) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[1].split() == ["spec", "package", "inputs", "outputs", "parameters"]
    assert [line.split()[0] for line in lines[3:] if line[:1] == " " and line[1:2] != " "] == [
        "Bar",
        "Ends",
        "Gone",
        "NoSpec",
        "Number",
    ]
    assert lines[-1] == "? marks what may be left out; tfx-wine-ext specs NAME tells all of one."


@pytest.mark.usefixtures("bar")
def test_a_name_that_is_none_is_refused(capsys):
    assert main(["specs", "bar"]) == 2
    assert capsys.readouterr().err == (
        "tfx-wine-ext: error: NAME: 'bar' is no registered spec; did you mean 'Bar'?\n"
    )


def test_without_any_spec_that_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert main(["specs"]) == 0
    assert capsys.readouterr().out == (
        "No installed package registers a spec (entry points of tfx_wine_ext.component_specs).\n"
    )
    assert main(["specs", "x"]) == 2
    assert "'x' is no registered spec; there is none" in capsys.readouterr().err


@pytest.mark.e2e
def test_on_a_terminal_it_says_that_it_is_loading_and_this_package_has_four(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
    outer, inner = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "tfx_wine_ext.cli", "specs", "--json"],
        stdout=subprocess.PIPE,
        stderr=inner,
        env=env,
        cwd=tmp_path,
    )
    os.close(inner)
    shown = os.read(outer, 1_000_000).decode()
    os.close(outer)
    assert shown.startswith("\r\x1b[2Kloading ")
    found = {
        spec["name"]: spec
        for spec in json.loads(done.stdout)["specs"]
        if spec["package"] == "tfx-wine-ext"
    }
    assert sorted(found) == [
        "DriftReport",
        "ParquetExampleGen",
        "RaggedSchemaGen",
        "TableExampleGen",
        "WarmStartTrainer",
    ]
    assert [spec["error"] for spec in found.values()] == [None] * 5
    assert found["ParquetExampleGen"]["inputs"] == []
    assert found["ParquetExampleGen"]["outputs"] == [
        {"name": "examples", "type": "Examples", "required": True}
    ]
    assert {"name": "range_config", "type": "RangeConfig", "required": False} in found[
        "ParquetExampleGen"
    ]["parameters"]
