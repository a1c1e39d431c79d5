"""Each command does its work where TFX, Beam and TensorFlow cannot be imported."""

import json
import subprocess
import sys

import pytest

# Runs commands one after the other; prints for each the status, both outputs, and whether it has
# loaded ML Metadata.
PROGRAM = """
import contextlib, io, json, runpy, sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tfx", "apache_beam", "tensorflow", "keras"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Forbidden())
results = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["tfx-wine-ext", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                runpy.run_module("tfx_wine_ext.cli", run_name="__main__")
            except SystemExit as ended:
                status = ended.code
    loaded = "ml_metadata" in sys.modules
    results.append((status, out.getvalue(), err.getvalue(), loaded))
json.dump(results, sys.stdout)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("without TFX")


@pytest.fixture
def without_tfx(folder, monkeypatch):
    """Runs commands in one process, in a folder of the module's."""

    def run(*commands):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, json.dumps(commands)],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    monkeypatch.setenv("COLUMNS", "120")
    return run


def test_files_of_every_kind_are_converted_and_compared(without_tfx, folder, three_kinds):
    parquet, csv, examples = (three_kinds[kind] for kind in ("parquet", "csv", "tfrecord"))
    ingest, of_csv, of_examples, of_shards = without_tfx(
        ["ingest", parquet, "out", "--splits", "all:1"],
        ["drift", parquet, csv, "--html", "page.html"],
        ["drift", csv, examples, "--json"],
        ["drift", "out/Split-all", parquet, "--quiet"],
    )
    assert (ingest[0], ingest[2]) == (0, "")
    assert "300 of 300 rows, 3 features" in ingest[1]
    assert [path.name for path in (folder / "out").iterdir()] == ["Split-all"]
    assert of_csv[0] == 0
    assert of_csv[1].splitlines()[-1].startswith("OK from ")
    assert (folder / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert of_examples[0] == 0
    document = json.loads(of_examples[1])
    assert [feature["name"] for feature in document["features"]] == ["alcohol", "bottles", "colour"]
    assert of_shards == [0, "", "", False]


def test_a_store_is_read(without_tfx, folder, five):
    store = ["--store", five.store.path]
    runs, show, diff, history, lineage = without_tfx(
        ["runs", *store, "--json"],
        ["show", "2026-01-02T00:00:00", *store],
        ["diff", *store, "--json"],
        ["history", *store, "--html", "history.html"],
        ["lineage", str(five.ids[0]["examples"]), *store, "--json"],
    )
    assert [result[0] for result in (runs, show, diff, history, lineage)] == [0, 0, 0, 0, 0]
    assert len(json.loads(runs[1])["runs"]) == 5
    assert show[1].startswith("Run 2 of wine: COMPLETE\n")
    assert json.loads(diff[1])["after"] == "2026-01-05T00:00:00"
    assert "5 runs of wine" in history[1]
    assert (folder / "history.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert json.loads(lineage[1])["artifact"] == five.ids[0]["examples"]


def test_doctor_examines_the_installation_and_specs_says_that_it_needs_tfx(without_tfx):
    doctor, specs, one = without_tfx(
        ["doctor", "--quick", "--json"], ["specs"], ["specs", "DriftReport"]
    )
    document = json.loads(doctor[1])
    assert (doctor[0], doctor[2]) == (1 if document["broken"] else 0, "")
    assert {"Python", "TFX", "requirements"} <= {check["name"] for check in document["checks"]}
    for status, out, err, _ in (specs, one):
        assert (status, err) == (0, "")
        assert "No module named 'tfx'; a spec needs TFX: tfx-wine-ext doctor" in " ".join(
            out.split()
        )
