"""The notebook: it runs from a clean kernel, and what is stored in it is what such a run shows."""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import json
import math
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import types
import urllib.error
import urllib.request

import nbformat
import pytest

from examples.wine_quality.data import SAMPLE_WARNING, load

WHITE = load(kind="white", download=False)
RED = load(kind="red", download=False)
NOTEBOOK = pathlib.Path("examples", "wine_quality", "wine_quality.ipynb")


@pytest.fixture
def notebook(checkout: pathlib.Path) -> nbformat.NotebookNode:
    return nbformat.read(checkout / NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def outputs_script() -> types.ModuleType:
    path = pathlib.Path(__file__).parents[2] / "scripts" / "notebook_outputs.py"
    spec = importlib.util.spec_from_file_location("notebook_outputs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_examples_of_the_script_that_stores_outputs_work(
    outputs_script: types.ModuleType,
) -> None:
    outcome = doctest.testmod(outputs_script)
    assert (outcome.failed, outcome.attempted > 0) == (0, True)


def test_the_notebook_is_stored_with_its_outputs_and_without_what_changes_from_run_to_run(
    notebook: nbformat.NotebookNode, outputs_script: types.ModuleType, checkout: pathlib.Path
) -> None:
    nbformat.validate(notebook)
    assert outputs_script.stored(notebook, checkout) == notebook
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.id for cell in cells if not cell.outputs] == ["setup"]
    text = json.dumps([cell.outputs for cell in cells])
    assert re.findall(r"<iframe|<script|base64|(?<!/)/(?:home|tmp|root)\b|0x\w{6,}", text) == []
    assert len(text) < 40_000


NETWORKS = {"losses", "evaluator", "pusher", "second", "history"}
"""The cells that show how good the network is: other processors train it a little otherwise."""


def alike(shown: str, stored: str, share: float = 0.02) -> bool:
    """Whether two texts are the same, but for what another processor computes otherwise."""
    number = r"\d+(?:\.\d+)?"
    return re.sub(number, "#", shown) == re.sub(number, "#", stored) and all(
        math.isclose(float(now), float(before), rel_tol=share, abs_tol=share / 2 + 0.001)
        for now, before in zip(re.findall(number, shown), re.findall(number, stored))
    )


def test_outputs_that_differ_are_not_alike() -> None:
    assert alike("loss 0.825994", "loss 0.825995")
    assert not alike("loss 0.825994", "loss 0.9")
    assert not alike("blessed: True", "blessed: False")


def test_each_component_has_its_cell_and_a_text_that_says_what_to_look_at(
    notebook: nbformat.NotebookNode,
) -> None:
    run = [
        name
        for cell in notebook.cells
        for name in re.findall(r'^context\.run\(wine\["(\w+)"\]\)', cell.source, re.MULTILINE)
    ]
    assert run == [
        "ParquetExampleGen",
        "StatisticsGen",
        "SchemaGen",
        "ExampleValidator",
        "PreviousSpan",
        "DriftReport",
        "Transform",
        "BaseModel",
        "WarmStartTrainer",
        "LatestBlessedModel",
        "Evaluator",
        "Pusher",
    ]
    headings = [cell for cell in notebook.cells if re.search("^##? .*:", cell.source, re.MULTILINE)]
    assert len(headings) == 10
    assert all("*What to look at:*" in cell.source for cell in headings)


@pytest.fixture
def copy(checkout: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A checkout of its own, as the notebook writes into the one that it is in."""
    folder = tmp_path / "a checkout"
    shutil.copytree(checkout / "examples", folder / "examples")
    (folder / "tfx_wine_ext").symlink_to(checkout / "tfx_wine_ext")
    (folder / "data").mkdir()
    for wine in (WHITE, RED):
        if wine.source == "real":
            shutil.copy(wine.path, folder / "data")
    return folder


def execute(notebook: nbformat.NotebookNode, folder: pathlib.Path) -> dict[str, list[str]]:
    """Runs the notebook, in place, in a folder and returns what its cells show, by their ids."""
    from nbclient import NotebookClient

    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [(cell.id, output) for cell in notebook.cells for output in cell.get("outputs", ())]
    noise = [(name, output.text) for name, output in outputs if output.get("name") == "stderr"]
    assert noise == []
    shown: dict[str, list[str]] = {name: [] for name, _ in outputs}
    for name, output in outputs:
        shown[name].append(output.get("text") or output.data.get("text/html", ""))
    return shown


@pytest.mark.e2e
def test_the_notebook_finds_its_checkout_from_the_top_of_it(
    notebook: nbformat.NotebookNode, copy: pathlib.Path
) -> None:
    [data] = [index for index, cell in enumerate(notebook.cells) if cell.id == "data"]
    notebook.cells = notebook.cells[: data + 1]

    execute(notebook, copy)

    assert len(list((copy / "build" / "notebook" / "data").iterdir())) == 3


@pytest.mark.e2e
def test_the_notebook_runs_from_a_clean_kernel_in_its_own_folder_and_shows_what_is_stored(
    notebook: nbformat.NotebookNode,
    copy: pathlib.Path,
    outputs_script: types.ModuleType,
    checkout: pathlib.Path,
) -> None:
    outputs = execute(notebook, copy / NOTEBOOK.parent)

    assert "blessed: True" in outputs["evaluator"][0]
    assert "First data seen" in "".join(outputs["drift-1"])
    assert "Warning" in "".join(outputs["drift-2"])
    assert "Warm start from model" in "".join(outputs["warm"])
    real = (WHITE.source, RED.source) == ("real", "real")
    assert (SAMPLE_WARNING in "".join(outputs["data"])) is not real
    drifted = re.search(r"(\d+) of 12 features drifted", outputs["third"][0])
    assert drifted
    assert int(drifted[1]) == 10 if real else 8 <= int(drifted[1]) <= 10
    assert outputs["third"][0].endswith("stopped at: DriftReport\n")
    assert "stopped by the drift gate" in outputs["history"][0]
    # What a page loads by itself; links that a person may click are fine.
    assert [
        (name, found)
        for name, shown in outputs.items()
        for found in re.findall(r"(?:src=|@import|url\()\S*?https?:[^\s&]+", "".join(shown))
    ] == []
    assert [path.name for path in (copy / "build").iterdir()] == ["notebook"]
    assert len(list((copy / "build" / "notebook" / "serving").iterdir())) == 2
    if real:  # the stored outputs are those of the real wines
        in_git = nbformat.read(checkout / NOTEBOOK, as_version=4)
        differ = [
            cell.id
            for cell, before in zip(outputs_script.stored(notebook, copy).cells, in_git.cells)
            if not alike(
                json.dumps(cell.get("outputs"), sort_keys=True),
                json.dumps(before.get("outputs"), sort_keys=True),
                share=0.1 if cell.id in NETWORKS else 0.02,
            )
        ]
        assert differ == [], "run `make notebook-outputs`, and look at what git diff says"


def answered(address: str) -> bytes:
    """What a server on this machine answers; nothing where it does not listen yet."""
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            return answer.read()
    except urllib.error.HTTPError:
        raise
    except urllib.error.URLError:
        return b""


@pytest.mark.e2e
def test_make_notebook_opens_it_for_root_as_well_and_prints_its_address(
    checkout: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    # Jupyter's own settings, and what it notes about its servers, stay out of the user's folders.
    environment = {**os.environ, "HOME": str(tmp_path), "JUPYTER_NO_CONFIG": "1"}
    environment["JUPYTER_RUNTIME_DIR"] = str(tmp_path)
    server = subprocess.Popen(
        # The environment is there: these tests run in it.
        ["make", "notebook", "PYTHON3=true", f"PYTHON={sys.executable}", "ARGS=--no-browser"],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    too_long = threading.Timer(60, os.killpg, (server.pid, signal.SIGKILL))
    too_long.start()
    try:
        assert server.stdout is not None
        printed = ""
        for line in server.stdout:
            printed += line
            address = re.search(r"(http://127\S+)/lab/tree/(\S+)\?(token=\w+)", line)
            if address:
                break
        assert address, printed
        while not (page := answered(address[0])):  # it listens a moment after it has said so
            assert server.poll() is None, printed
            time.sleep(0.1)
        assert b"JupyterLab" in page
        server_root, opened, token = address.groups()
        assert opened == NOTEBOOK.as_posix()
        place = f"{server_root}/api/contents/{opened}?content=0&{token}"
        assert json.loads(answered(place))["type"] == "notebook"
    finally:
        too_long.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=30)
