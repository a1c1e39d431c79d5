"""Runs the notebook of the wine-quality pipeline and stores in it what its cells show.

Usage: python scripts/notebook_outputs.py

A code host shows a notebook as it is stored, so it is stored with its outputs. They are reduced to
what a reader sees and a comparison of two runs can hold against each other: no times, no paths of
this machine, no scripts, no versions. The pages of reports, which only a running notebook can
show, are reduced to what stands at their top.

The real wines are needed. Like every run of the notebook, this one works in build/notebook/.
"""

from __future__ import annotations

import copy
import html
import re
import sys
from pathlib import Path

import nbformat

NOTEBOOK = Path("examples", "wine_quality", "wine_quality.ipynb")
CLEARED = "…"
"""What stands for anything that another run would show otherwise."""


def stored(notebook: nbformat.NotebookNode, checkout: Path) -> nbformat.NotebookNode:
    """Returns a notebook that has been run as it is stored.

    Args:
        notebook: With its outputs, reduced already or not.
        checkout: The folder that it was run in, which its paths begin with.

    Returns:
        The same cells, with outputs that are equal if two runs showed the same. What is stored
        already stays as it is.
    """
    notebook = copy.deepcopy(notebook)
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.execution_count = None
            reduced = (_reduced(output, checkout) for output in cell.outputs)
            cell.outputs = [output for output in reduced if output]
    return notebook


def _reduced(output: nbformat.NotebookNode, checkout: Path) -> nbformat.NotebookNode | None:
    """Returns an output as it is stored; None for what no reader sees."""
    if output.output_type == "stream":
        text = cleared(output.text, checkout)
        return nbformat.v4.new_output("stream", name=output.name, text=text)
    plain = output.data.get("text/plain", "")
    if plain.startswith("ExecutionResult("):
        data = {"text/plain": outcome(plain)}
    elif "text/html" in output.data:
        data = {"text/html": cleared(as_html(output.data["text/html"]), checkout)}
    elif plain:
        data = {"text/plain": cleared(plain, checkout)}
    else:
        return None
    return nbformat.v4.new_output(output.output_type, data)


def cleared(text: str, checkout: Path) -> str:
    """Clears a text of what differs from run to run.

    Example:
        >>> cleared("/checkout/build/serving/1795634707 since 1.16.0", Path("/checkout"))
        'build/serving/… since …'
        >>> cleared("-0.00, -0.05 and parquet-v1:2d8926", Path("/checkout"))
        '0.00, -0.05 and parquet-v1:…'
    """
    text = text.replace(f"{checkout}/", "")
    text = re.sub(r"(?<=serving/)\d+", CLEARED, text)  # seconds since 1970
    text = re.sub(r"\b\d+\.\d+\.\d+\b", CLEARED, text)  # a version
    text = re.sub(r"(?<=parquet-v1:)\w+", CLEARED, text)  # Arrow's releases write other bytes
    text = re.sub(r"(?<=\.examples:)[\dT:.-]+", CLEARED, text)  # the time of a run
    text = re.sub(r"(?<=the largest difference is )[\d.e-]*\d", CLEARED, text)  # rounding errors
    return re.sub(r"-(0\.0+)(?!\d)", r"\1", text)  # the sign of a rounding error


def outcome(result: str) -> str:
    r"""Says in a line what a component has written.

    Args:
        result: What TFX prints of an `ExecutionResult`: its fields, with addresses in memory.

    Example:
        >>> outcome("ExecutionResult(\n    component_id: Pusher\n    outputs:\n"
        ...         "        pushed_model: OutputChannel(artifact_type=PushedModel, ...))")
        'Pusher has written: pushed_model (PushedModel)'
    """
    [component] = re.findall(r"component_id: (\w+)", result)
    outputs = re.findall(r"^\s+(\w+): \w*Channel\(artifact_type=(\w+)", result, re.MULTILINE)
    return f"{component} has written: {', '.join(f'{key} ({kind})' for key, kind in outputs)}"


def as_html(text: str) -> str:
    """Reduces HTML to what a code host shows.

    Example:
        >>> as_html('<style scoped>td {}</style><table border="1">1</table>')
        '<table border="1">1</table>'
        >>> page = "<header><h1>Cold start</h1><p>No <i>model</i> yet.</p></header> ..."
        >>> print(as_html(f'<iframe srcdoc="{html.escape(page)}"></iframe>'))
        <p><b>Cold start</b></p>
        <p>No model yet.</p>
        <p><i>A running notebook shows the whole page here.</i></p>
    """
    page = re.match(r'<iframe\b[^>]* srcdoc="([^"]*)"', text)
    if not page:
        return re.sub(r"<style\b.*?</style>\s*", "", text, flags=re.DOTALL)
    [header] = re.findall(r"<header\b.*?</header>", html.unescape(page[1]), re.DOTALL)
    header = re.sub(r"<time\b.*?</time>", CLEARED, header, flags=re.DOTALL)
    lines = [
        f"<p><b>{line}</b></p>" if tag == "h1" else f"<p>{line}</p>"
        for tag, content in re.findall(r"<(h1|li|p)\b[^>]*>(.*?)</\1>", header, re.DOTALL)
        for line in [" ".join(re.sub(r"<[^>]*>", "", content).split())]
    ]
    return "\n".join([*lines, "<p><i>A running notebook shows the whole page here.</i></p>"])


def main() -> int:
    """Runs the notebook and replaces its outputs; returns the exit status."""
    from nbclient import NotebookClient

    checkout = Path.cwd().resolve()
    if not NOTEBOOK.is_file():
        print(f"{NOTEBOOK}: expected to be started in the top folder of the checkout")
        return 2
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = {"metadata": {"path": str(checkout / NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=600, resources=folder).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    if not any(output.get("text", "").startswith("real real") for output in outputs):
        print(
            f"{NOTEBOOK}: expected both real wines, found a sample: nothing was stored; "
            "`make wine ARGS=--help` says where the data is looked for"
        )
        return 1
    nbformat.write(stored(notebook, checkout), NOTEBOOK)
    print(f"{NOTEBOOK}: the outputs are those of this run; look at them with git diff")
    return 0


if __name__ == "__main__":
    sys.exit(main())
