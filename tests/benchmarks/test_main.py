"""The list of the benchmarks, and their help, in processes that cannot import TFX."""

import ast
import re
import subprocess
import sys

import pytest

from benchmarks.__main__ import benchmarks, main

# TensorFlow stands at the top of this one: its models and their names are all that it is about.
NEEDS_TENSORFLOW = ["warm_start_trainer"]

# Shows the help of each benchmark in a process of its own, forked from one.
PROGRAM = """
import os, sys
import numpy, pyarrow.parquet  # Slow to import once for each.
from benchmarks.__main__ import main

for heavy in ("tfx", "tensorflow", "apache_beam", "datasketches"):
    sys.modules[heavy] = None
for name in sys.argv[1:]:
    if os.fork() == 0:
        main([name, "--help"])
    assert os.wait()[1] == 0, name
"""


@pytest.fixture(scope="module")
def helps(checkout):
    names = [name for name in benchmarks() if name not in NEEDS_TENSORFLOW]
    # Python 3.12 warns of a fork beside the threads of libraries, which the child does not use.
    python = [sys.executable, "-W", "ignore::DeprecationWarning"]
    done = subprocess.run(
        [*python, "-c", PROGRAM, *names], cwd=checkout, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return dict(zip(names, done.stdout.split("usage: ")[1:]))


def test_the_list_has_every_benchmark_with_what_it_measures(capsys, checkout):
    assert main([]) == 0
    listed = capsys.readouterr().out.splitlines()[2:]
    with_options = {
        path.stem
        for path in (checkout / "benchmarks").glob("*.py")
        if "ArgumentParser" in path.read_text(encoding="utf-8")
    }
    assert {line.split()[0] for line in listed} == with_options
    for line in listed:
        assert line.split()[1] in ("Chooses", "Compares", "Measures")
        assert line.endswith(".")


def test_the_help_of_each_benchmark_begins_with_its_line_of_the_list(helps):
    for name, text in helps.items():
        assert text.startswith(f"python -m benchmarks {name} [-h]")
        assert benchmarks()[name] in " ".join(text.split())


def test_an_unknown_name_is_the_status_2_with_the_list(capsys):
    assert main(["lineaeg"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lineaeg: expected the name of a benchmark\nusage: ")
    assert "\n  lineage " in err


def test_benchmarks_import_nothing_from_the_tests(checkout):
    for path in (checkout / "benchmarks").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in modules if name.split(".")[0] == "tests"], path


def test_the_readme_tells_of_every_benchmark_what_it_proves_and_where_its_figures_are(checkout):
    readme = (checkout / "benchmarks" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (\d+) \| (.+) \|$", readme, re.M)
    assert [name for name, *_ in rows] == list(benchmarks())
    for name, _, _, figures in rows:
        for page, _, heading in re.findall(r"\]\((\S+?\.md)(#(\S+?))?\)", figures):
            text = (checkout / "benchmarks" / page).read_text(encoding="utf-8")
            headings = [re.sub(r"[^\w -]", "", line.lower()) for line in text.splitlines()]
            anchors = {line.strip().replace(" ", "-") for line in headings}
            assert not heading or heading in anchors, f"{name}: {page} has no {heading}"
            assert f"benchmarks {name}" in text or f"benchmarks.{name}" in text, name


def test_a_run_begins_with_the_command_the_day_the_machine_and_the_versions(monkeypatch, capsys):
    monkeypatch.setattr("runpy.run_module", lambda name, run_name: print(name, sys.argv[1:]))
    assert main(["lineage", "--runs", "1 2"]) == 0
    first, empty, ran = capsys.readouterr().out.splitlines()
    assert (empty, ran) == ("", "benchmarks.lineage ['--runs', '1 2']")
    assert re.fullmatch(
        r"`python -m benchmarks lineage --runs '1 2'`; \d+ \w+ 20\d\d; "
        r"\w+ \w+, \d+ cores, \d+ GiB, load \d+\.\d; "
        r"Python 3\.\d+\.\d+, numpy [\d.]+, pyarrow [\d.]+, apache-beam [\d.]+, tfx [\d.]+",
        first,
    )
