"""The notebook: nothing of a run is in git, and it runs from a clean kernel."""

from __future__ import annotations

import pathlib
import re
import shutil

import nbformat
import pytest

from examples.wine_quality.data import SAMPLE_WARNING, load

WHITE = load(kind="white", download=False)
RED = load(kind="red", download=False)
NOTEBOOK = pathlib.Path("examples", "wine_quality", "wine_quality.ipynb")


@pytest.fixture
def notebook(checkout: pathlib.Path) -> nbformat.NotebookNode:
    return nbformat.read(checkout / NOTEBOOK, as_version=4)


def test_the_notebook_is_in_git_without_outputs(notebook: nbformat.NotebookNode) -> None:
    nbformat.validate(notebook)
    left = [
        cell.id
        for cell in notebook.cells
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None)
    ]
    assert left == []


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
    """Runs the notebook in a folder and returns what its cells show, by their ids."""
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
def test_the_notebook_runs_from_a_clean_kernel_in_its_own_folder(
    notebook: nbformat.NotebookNode, copy: pathlib.Path
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
