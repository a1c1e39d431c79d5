"""Runs the code blocks of one document, top to bottom, as its reader would.

| block | what is done with it |
|---|---|
| any language, with `title="path"` | it is the content of that file, which is written |
| `python` | run, all of a document in one namespace; functions `test_...` are called, too |
| `ipython` | run as in a notebook, in a process of its own |
| `sh` | each command is run by bash; `# exit status N` behind it: how it has to end, if not by 0 |
| `sql` | run on `metadata.db` |
| `yaml`, `json` | parsed |
| `text` | what the block before has printed |

A comment `<!-- invisible-code-block: python` holds what a reader need not see. All happens in one
folder, which is the working folder and the first place that modules are imported from.

In a `text` block `...` stands for anything. Times, numbers of runs and the padding of tables are
not compared.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import yaml
from sybil import Document, Example, Region
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, RawFencedCodeBlockLexer

CHECKOUT = Path(__file__).resolve().parents[2]
SECONDS = 400
"""What one block of commands may take."""

_FENCED = RawFencedCodeBlockLexer(
    re.compile(r"(?P<language>[\w-]*)[ \t]*(?:title=\"(?P<title>[^\"]*)\")?(?P<rest>.*)\n")
)
_INVISIBLE = DirectiveInHTMLCommentLexer("invisible-code-block", "python")


class Runner:
    """Parses a document and runs it in a folder.

    Args:
        folder: Where files are written and commands run.
        compare: Compare what is printed with `text` blocks.
        tolerance: See `is_like`.
        exempt: First lines of the blocks that are not run.
    """

    def __init__(
        self,
        folder: Path,
        *,
        compare: bool = True,
        tolerance: float = 0.0,
        exempt: Iterable[str] = (),
    ) -> None:
        self.folder = folder
        self.compare = compare
        self.tolerance = tolerance
        self.exempt = set(exempt)
        self.printed: str | None = None
        self.exported: dict[str, str] = {}
        self.python = PythonEvaluator()

    def parse(self, path: Path) -> Document:
        """Reads the document; every block is a region of it, whatever its language."""
        return Document.parse(str(path), self)

    def __call__(self, document: Document) -> Iterable[Region]:
        """Finds the blocks, as Sybil's parsers do."""
        for region in [*_FENCED(document), *_INVISIBLE(document)]:
            region.parsed = region.lexemes["source"]
            region.evaluator = self.evaluate
            yield region

    def evaluate(self, example: Example) -> str | None:
        """Runs one block; returns what is wrong, None if nothing is."""
        lexemes, source = example.region.lexemes, str(example.parsed)
        language = lexemes.get("language", "python")
        if language == "text" and first_line(source) not in self.exempt:
            return self._compare(source)
        self.printed = None
        if first_line(source) in self.exempt:
            return None
        if lexemes.get("title"):
            path = self.folder / lexemes["title"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")
        elif language == "python":
            return self._python(example)
        elif language == "sh":
            return self._commands(source)
        elif language == "ipython":
            (self.folder / "cell.ipy").write_text(source, encoding="utf-8")
            return self._commands(f"{sys.executable} -m IPython --colors=NoColor cell.ipy")
        elif language == "sql":
            with contextlib.closing(sqlite3.connect(self.folder / "metadata.db")) as database:
                self.printed = "\n".join(
                    " | ".join(map(str, row)) for row in database.execute(source)
                )
        elif language not in ("yaml", "json"):
            return f"a block of the language {language!r}, which nothing here runs"
        if language == "yaml":
            yaml.safe_load(source)
        elif language == "json":
            json.loads(source)
        return None

    def _python(self, example: Example) -> None:
        before = dict(example.namespace)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.python(example)
            for name, value in list(example.namespace.items()):
                if name.startswith("test_") and before.get(name) is not value:
                    arguments = {}
                    if "tmp_path" in inspect.signature(value).parameters:
                        arguments["tmp_path"] = Path(tempfile.mkdtemp(dir=self.folder))
                    value(**arguments)
        self.printed = printed.getvalue()

    def _commands(self, source: str) -> str | None:
        printed = []
        for command in commands(source):
            asked = re.search(r"# exit status (\d+)$", command)
            expected = int(asked[1]) if asked else 0
            exported = re.fullmatch(r"export (\w+)=(\S+)", command)
            if exported:
                self.exported[exported[1]] = exported[2]
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                env={**environment(self.folder), **self.exported},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=SECONDS,
            )
            printed.append(done.stdout)
            if done.returncode != expected:
                return (
                    f"$ {command}\n{done.stdout}\n"
                    f"expected the exit status {expected}, found {done.returncode}"
                )
        self.printed = "".join(printed)
        return None

    def _compare(self, expected: str) -> str | None:
        if self.printed is None:
            return "a text block that no block before it prints"
        if self.compare and not is_like(self.printed, expected, self.tolerance):
            return f"expected:\n{expected}\nfound:\n{self.printed}"
        return None


def first_line(source: str) -> str:
    """Returns what names a block."""
    return source.partition("\n")[0]


def commands(source: str) -> list[str]:
    """Cuts a block of commands into commands; a backslash at the end of a line goes on."""
    joined = source.replace("\\\n", "\\\0")
    lines = [line.replace("\0", "\n") for line in joined.splitlines()]
    return [line for line in lines if line.strip() and not line.startswith("#")]


def is_like(printed: str, expected: str, tolerance: float = 0.0) -> bool:
    """Says whether the text is as expected, but for what differs from run to run.

    Args:
        printed: What a block printed.
        expected: What the page shows.
        tolerance: How much numbers below 1 with three or more decimals may differ.
    """
    expected = _steady(expected).strip("\n")
    pattern = ".*?".join(map(re.escape, expected.split("...")))
    if tolerance:
        pattern = re.sub(r"(?<![\d.])0\\\.\d{3,}", r"(0\\.\\d+)", pattern)
    match = re.fullmatch(pattern, _steady(printed).strip("\n"), re.DOTALL)
    return match is not None and all(
        abs(float(now) - float(before)) <= tolerance
        for now, before in zip(match.groups(), re.findall(r"(?<![\d.])0\.\d{3,}", expected))
    )


def _steady(text: str) -> str:
    text = re.sub(r"\b\d+(\.\d+)? s\b( \([^)]*\))?", "0 s", text)  # 1.5 s (Trainer 1.1)
    text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?", "0", text)
    text = re.sub(r"\d{8}-\d{6}|\b\d{10}\b", "0", text)  # names of logs and of pushed models
    text = re.sub(r"[─━]+", "─", text)
    return re.sub(r"[ \t]+", " ", re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE))


def environment(folder: Path) -> dict[str, str]:
    """Returns the variables of a shell in which this checkout is installed."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAKE", "MFLAGS", "PYTEST_")) and name != "PYTHONDONTWRITEBYTECODE"
    }
    return {
        **kept,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(folder), str(CHECKOUT)]),
        # The environment is there, as this process runs in it: `make` need not look.
        "PYTHON3": "true",
        "TERM": "dumb",
        "COLUMNS": "100",
    }
