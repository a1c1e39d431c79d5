import json

import pytest

from benchmarks.stores import TfxStore, wine_run
from tfx_wine_ext.cli import main

COMMANDS = ["runs", "show", "diff", "history --json", "lineage 1"]


def error(capsys, *arguments):
    """What an erroneous command says, which must be one line on stderr and the status 2."""
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err.removeprefix("tfx-wine-ext: error: ").rstrip("\n")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with no store named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TFX_WINE_EXT_STORE", raising=False)
    return tmp_path


NEITHER = (
    "--store: expected where the metadata store is, in this option or in $TFX_WINE_EXT_STORE, "
    "found neither"
)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_store_the_option_and_the_variable_are_named(capsys, command):
    assert error(capsys, *command.split()) == NEITHER


@pytest.mark.parametrize("path", ["metadata.db", "wine/metadata.sqlite", "build/wine/metadata.db"])
def test_the_one_file_that_is_likely_is_named(here, capsys, path):
    (here / path).parent.mkdir(parents=True, exist_ok=True)
    (here / path).touch()
    assert error(capsys, "runs") == f"{NEITHER}; there is one here: --store {path}"
    (here / "other").mkdir()
    (here / "other" / "metadata.db").touch()
    assert error(capsys, "runs") == NEITHER


@pytest.mark.parametrize("command", COMMANDS)
def test_a_store_that_cannot_be_opened_is_one_line(here, capsys, command):
    name, *rest = command.split()
    message = error(capsys, name, *rest, "--store", "no.db")
    assert message.startswith("no.db: expected a metadata store, found no such file")
    (here / "text.db").write_text("this is no database")
    message = error(capsys, name, *rest, "--store", "text.db")
    assert message.startswith("text.db: expected ")


def test_the_option_comes_before_the_variable(five, here, capsys, monkeypatch):
    monkeypatch.setenv("TFX_WINE_EXT_STORE", "no.db")
    assert main(["runs", "--store", five.store.path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"] == 5


@pytest.mark.usefixtures("here")
def test_a_store_may_be_a_url_or_a_connection_config(five, capsys, tmp_path):
    config = json.dumps({"sqlite": {"filename_uri": five.store.path}})
    (tmp_path / "config.json").write_text(config)
    for where in (f"sqlite:///{five.store.path}", config, "config.json"):
        assert main(["runs", "--store", where, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["total"] == 5


def test_of_several_pipelines_one_must_be_named(here, capsys):
    for pipeline in ("wine", "beer \x1b[31m"):
        store = TfxStore(here, pipeline)
        wine_run(store, f"run of {pipeline}", 1, {}, files=False)
    message = error(capsys, "runs", "--store", "metadata.db")
    assert message == (
        "metadata.db: expected one pipeline, found 2: 'beer \\x1b[31m', 'wine'; name one with "
        "--pipeline"
    )
    assert main(["runs", "--store", "metadata.db", "--pipeline", "wine", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["pipeline"], [run["run"] for run in document["runs"]]) == (
        "wine",
        ["run of wine"],
    )
    message = error(capsys, "show", "--store", "metadata.db", "--pipeline", "cider")
    assert message.startswith("metadata.db: expected the pipeline 'cider', found 'beer ")


def test_a_store_without_runs_says_so(here, capsys):
    TfxStore(here)
    assert error(capsys, "runs", "--store", "metadata.db") == (
        "metadata.db: expected runs of a pipeline, found none; run one first"
    )
