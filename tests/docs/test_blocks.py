"""Every code block of the documentation is run, or stands on a short list with the reason."""

from __future__ import annotations

import re
import sys
import traceback
from pathlib import Path

import pytest

from tests.docs.blocks import CHECKOUT, Runner, commands, first_line, is_like
from tests.docs.folders import FOLDERS, a_checkout, is_real, real_wine
from tfx_wine_ext.drift.metrics import registered_metrics, unregister_metric
from tfx_wine_ext.sources.formats import registered_formats, unregister_format

DOCUMENTS = sorted(
    path.relative_to(CHECKOUT).as_posix()
    for path in [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")]
)

# Their blocks import neither TFX nor TensorFlow.
QUICK = {
    "docs/faq.md",
    "docs/how-to/object-stores.md",
    "docs/reference/report.md",
}

# Pages whose readers have read another one first, and go on in its folder.
GOES_ON = {
    "docs/tutorial.md": [
        "docs/wine-pipeline.md",
        "docs/how-to/metadata-store.md",
        "docs/lineage.md",
        "docs/command-line.md",
    ]
}

# Document: {first line of the block: why it is not run}.
MAKE_TEST = "it would run this very test"
MINUTES = "it measures for minutes what the page has the figures of"
MAKES_VENV = "python3 -m venv env && . env/bin/activate && pip install --upgrade pip"
INSTALLS = "tests/contract/test_wheel.py installs the package"
AIRFLOW = "it needs Airflow: `make airflow` does it"
JQ = "it needs jq, which the tests do not ask for"
EXEMPT: dict[str, dict[str, str]] = {
    "CONTRIBUTING.md": {
        "make test                            # everything": MAKE_TEST,
        "make constraints": "it asks the package index, and rewrites a file of the checkout",
    },
    "README.md": {
        MAKES_VENV: INSTALLS,
        "make wine    # a whole pipeline on real data, from Parquet to pushed model": (
            MAKE_TEST + "; docs/tutorial.md has the others"
        ),
    },
    "docs/adr/0008-warm-start-keeps-the-function.md": {
        "z  = (s' / s) z' + (c' - c) / s": "a formula",
    },
    "docs/benchmarks.md": {
        "python -m benchmarks parquet_example_gen": MINUTES,
        "python -m benchmarks table_sources": MINUTES,
        "python -m benchmarks sql_source": MINUTES,
        "python -m benchmarks columnar_kernel --repeats 3": MINUTES,
        "python -m benchmarks drift_report": MINUTES,
        "python -m benchmarks wine_pipeline --repeats 3": MINUTES,
        "python -m benchmarks warm_start_trainer --seeds 5": MINUTES,
        "python -m benchmarks lineage": MINUTES,
    },
    "docs/command-line.md": {
        "tfx-wine-ext show latest --json | jq .metrics": JQ,
        "tfx-wine-ext history --json | jq '.correlations[:3]'": JQ,
        "tfx-wine-ext lineage 24 --up --down --dot | dot -Tsvg > lineage.svg": "it needs Graphviz",
        "tfx-wine-ext doctor --json | jq -r '.repair // empty' | sh": (
            "it would change the environment of the tests"
        ),
    },
    "docs/versions.md": {
        "pip install .": INSTALLS,
        "make test-1.21                        # in .venv-tfx-1.21-py313/": MAKE_TEST,
        "debootstrap --variant=minbase \\": "it needs root, and an hour",
    },
    "docs/index.md": {MAKES_VENV: INSTALLS},
    "docs/how-to/orchestrators.md": {
        "uv pip install --no-deps -r engines/airflow-2.10.txt": AIRFLOW,
        "export AIRFLOW_HOME=/data/airflow PYTHONPATH=$PWD": AIRFLOW,
        "from tfx.orchestration.airflow.airflow_dag_runner import AirflowDagRunner, "
        "AirflowPipelineConfig": AIRFLOW,
    },
    "docs/how-to/write-a-component.md": {
        "pip install --editable .": "it would change the environment of the tests",
    },
}


def blocks(document: str, folder: Path = Path("nowhere")) -> list:
    return list(Runner(folder).parse(CHECKOUT / document))


WITH_BLOCKS = [document for document in DOCUMENTS if blocks(document)]
TO_BE_RUN = [
    document for document in WITH_BLOCKS if len(blocks(document)) > len(EXEMPT.get(document, ()))
]
LATER = [page for pages in GOES_ON.values() for page in pages]
CHAINS = [
    pytest.param(
        [document, *GOES_ON.get(document, ())],
        marks=[] if document in QUICK else [pytest.mark.e2e],
    )
    for document in TO_BE_RUN
    if document not in LATER
]


def run(page: str, folder: Path) -> None:
    (folder / "page.md").write_text(page)
    for example in Runner(folder).parse(folder / "page.md"):
        example.evaluate()


def test_every_block_is_run_or_stands_on_the_list_of_exemptions():
    languages = {"python", "ipython", "sh", "sql", "text", "yaml", "json"}
    unknown = []
    for document in WITH_BLOCKS:
        for block in blocks(document):
            language, title = (block.region.lexemes.get(key) for key in ("language", "title"))
            # Without a language only what is invisible, which is Python.
            known = language is None or language in languages or (language and title)
            if not known or block.region.lexemes.get("rest", "").strip():
                unknown.append(f"{document}:{block.line}: {language!r}")
    assert unknown == []


def test_every_document_with_a_block_to_be_run_is_run_once():
    documents = [document for chain in CHAINS for document in chain.values[0]]
    assert sorted(documents) == sorted({*TO_BE_RUN, *LATER})


@pytest.mark.parametrize("document", ["README.md", "docs/index.md", "docs/versions.md"])
def test_what_pip_is_told_to_install_is_there_for_a_reader_in_the_checkout(document):
    page = (CHECKOUT / document).read_text(encoding="utf-8")
    [folder] = re.findall(r"^pip install (\S+)$", page, re.MULTILINE)
    assert (CHECKOUT / folder / "setup.cfg").is_file()
    files = re.findall(r"--constraint (\S+?)`", page)
    assert [file for file in files if not (CHECKOUT / file).is_file()] == []


def test_every_exemption_is_of_one_block_and_there_are_few():
    for document, exempt in EXEMPT.items():
        first_lines = [first_line(str(block.parsed)) for block in blocks(document)]
        assert {line: first_lines.count(line) for line in exempt} == dict.fromkeys(exempt, 1)
    assert sum(map(len, EXEMPT.values())) == 25


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("```python\nassert 1 == 2, 'one is not two'\n```\n", "one is not two"),
        ("```sh\ntrue\nexit 3\n```\n", "expected the exit status 0, found 3"),
        ("```sh\ntrue  # exit status 1\n```\n", "expected the exit status 1, found 0"),
        ("```sh\necho one\n```\n```text\ntwo\n```\n", "expected:\ntwo\n\nfound:\none\n"),
        ("```text\ntwo\n```\n", "a text block that no block before it prints"),
        ("```yaml\na: [\n```\n", "expected the node content"),
        ('```json title="a.json"\n{"a": }\n```\n', "Expecting value"),
        ("```python\ndef test_it(tmp_path):\n    tmp_path.rmdir(), 1 / 0\n```\n", "by zero"),
        ("<!-- invisible-code-block: python\nraise KeyError('seen')\n-->\n", "seen"),
        ("```ipython\n1 / 0\n```\n", "ZeroDivisionError"),
        ("```rust\nfn main() {}\n```\n", "a block of the language 'rust', which nothing here runs"),
        ("```\nls\n```\n", "a block of the language '', which nothing here runs"),
    ],
)
def test_a_block_that_does_not_do_what_it_says_is_found(page, complaint, tmp_path):
    with pytest.raises(Exception, match=re.escape(complaint)):
        run(page, tmp_path)


def test_a_page_whose_blocks_belong_together_passes(tmp_path):
    page = """
```python title="pack/greet.py"
def greet(name):
    return f"Hello {name}"
```

```sh
python -c 'from pack.greet import greet; print(greet("you"))'
ls missing  # exit status 2
```

```text
Hello ...
ls: ...
```

```python
print(6 * 7)
```

```text
42
```
"""
    run(page, tmp_path)
    assert (tmp_path / "pack" / "greet.py").is_file()


@pytest.mark.parametrize(
    ("found", "expected", "alike"),
    [
        ("[1/11] Trainer   1.5 s", "[1/11] Trainer  0.9 s", True),
        ("time 14.5 s (imports 4.4, Trainer 1.1)", "time 9.1 s (Trainer 3.0, imports 2.1)", True),
        ("┌────┐", "┌──────┐", True),
        ("log/20261125-002832.log", "log/20250101-000000.log", True),
        ("R2 0.3667", "R2 0.3668", False),
        ("a\nb\nc", "a\n...\nc", True),
        ("a\nb\nc", "a\nb", False),
        ("a.c", "abc", False),
    ],
)
def test_what_differs_from_run_to_run_is_not_compared(found, expected, alike):
    assert is_like(found, expected) is alike


@pytest.mark.parametrize(
    ("printed", "alike"),
    [
        ("R2 0.412 (0.3174), 1633 rows, limit 0.95", True),
        ("R2 0.452 (0.311), 1633 rows, limit 0.95", False),
        ("R2 0.406 (0.311), 1633 rows, limit 0.94", False),
        ("R2 0.406, 1633 rows, limit 0.95", False),
    ],
)
def test_the_figures_of_a_network_may_differ_a_little(printed, alike):
    assert is_like(printed, "R2 0.406 (0.311), ... rows, limit 0.95", tolerance=0.03) is alike


def test_a_backslash_joins_the_lines_of_a_command():
    assert commands("# first\na \\\n  b\nc\n") == ["a \\\n  b", "c"]


@pytest.mark.parametrize("documents", CHAINS, ids=" ".join)
def test_the_blocks_of_a_document_do_what_it_says(documents, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    # Another processor trains the network of these pages a little otherwise.
    tolerance = 0.03 if FOLDERS.get(documents[0]) is a_checkout else 0.0
    if tolerance and is_real():
        monkeypatch.setenv("WINE_QUALITY_DATA", str(real_wine(tmp_path / "elsewhere")))
    before = set(sys.modules)
    metrics, formats = set(registered_metrics()), set(registered_formats())
    try:
        for document in documents:
            if document in FOLDERS:
                FOLDERS[document](tmp_path)
            runner = Runner(
                tmp_path,
                compare=is_real(),
                tolerance=tolerance,
                exempt=EXEMPT.get(document, ()),
            )
            for example in runner.parse(CHECKOUT / document):
                try:
                    example.evaluate()
                except Exception:
                    # pytest would show all of the page for the one line.
                    where = f"{document}:{example.line}"
                    pytest.fail(f"{where}\n{traceback.format_exc()}", pytrace=False)
    finally:
        # A metric of drift that a page registers would be measured by all tests that follow.
        for name in set(registered_metrics()) - metrics:
            unregister_metric(name)
        for name in set(registered_formats()) - formats:
            unregister_format(name)
        # Modules of the folder: the next document has others of these names.
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
                del sys.modules[name]
