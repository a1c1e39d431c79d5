import pytest

from benchmarks.stores import TfxStore, wine_run
from tfx_wine_ext.cli.lineage import tree
from tfx_wine_ext.lineage.graph import BOTH, subgraph, to_dict, to_dot, to_mermaid
from tfx_wine_ext.lineage.snapshot import (
    DOWNSTREAM,
    UPSTREAM,
    Artifact,
    Execution,
    Link,
    Snapshot,
)

UP = """\
Model 9, STORE/root/WarmStartTrainer/model/7 was made by
└── WarmStartTrainer, execution 7 of run 2026-01-01T00:00:00
    ├── examples: Examples 8, STORE/root/Transform/transformed_examples/6
    │   └── Transform, execution 6 of run 2026-01-01T00:00:00
    │       └── examples: Examples 1, span 1, STORE/root/ParquetExampleGen/examples/2
    │           └── ParquetExampleGen, execution 2 of run 2026-01-01T00:00:00
    └── transform_graph: TransformGraph 7, STORE/root/Transform/transform_graph/6
        └── Transform, execution 6 of run 2026-01-01T00:00:00 (see above)
"""
DOWN = """\
Model 9, STORE/root/WarmStartTrainer/model/7 was read by
├── Evaluator, execution 8 of run 2026-01-01T00:00:00 ... (more: --depth)
├── Pusher, execution 9 of run 2026-01-01T00:00:00 ... (more: --depth)
├── WarmStartTrainer, execution 16 of run 2026-01-02T00:00:00 ... (more: --depth)
└── Evaluator, execution 17 of run 2026-01-02T00:00:00 ... (more: --depth)
"""


@pytest.fixture
def model(five):
    """The number of the first run's model."""
    return five.ids[0]["model"]


def test_from_what_a_model_was_made_is_a_tree(on_store, model):
    assert on_store(f"lineage {model}") == (0, UP, "")


def test_what_was_made_from_it_is_another(on_store, model):
    assert on_store(f"lineage {model} --down --depth 1") == (0, DOWN, "")
    both = on_store(f"lineage {model} --up --down --depth 1")[1]
    assert both == on_store(f"lineage {model} --depth 1")[1] + DOWN


def test_an_artifact_can_be_named_by_its_uri(on_store, five, model):
    uri = five.store.uri(model)
    expected = on_store(f"lineage {model}")
    assert on_store(f"lineage '{uri}'") == expected
    assert on_store(f"lineage '{uri}/'") == expected


def test_the_other_forms_are_whole(on_store, document_of, five, model):
    for options, direction in (("", UPSTREAM), ("--down", DOWNSTREAM), ("--up --down", BOTH)):
        graph = subgraph(five.snapshot, model, direction)
        document = document_of(f"lineage {model} {options} --depth 1")
        assert document == {**to_dict(graph), "missing": [], "unread": []}
        assert on_store(f"lineage {model} {options} --dot")[1] == to_dot(graph)
        assert on_store(f"lineage {model} {options} --mermaid")[1] == to_mermaid(graph)


def test_what_nobody_read_is_said_to_be_so(on_store, five):
    id_ = five.ids[0]["pushed_model"]
    assert on_store(f"lineage {id_} --down")[1].splitlines()[1:] == [
        "└── nothing that the store knows of"
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("9999", "ARTIFACT '9999': expected the number, URI or path of an artifact, found that th"),
        ("nope", "ARTIFACT 'nope': expected the number, URI or path of an artifact, found none of"),
        (
            "1 --depth 0",
            "argument --depth: expected a number of at least 1, found '0'; see tfx-wine-ext "
            "lineage --help",
        ),
        ("1 --dot --mermaid", "argument --mermaid: not allowed with argument --dot; see tfx-wine-"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(on_store, arguments, message):
    status, out, err = on_store(f"lineage {arguments}")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"tfx-wine-ext: error: {message}")


def test_names_in_the_store_cannot_move_the_cursor(tmp_path, monkeypatch, on_store):
    store = TfxStore(tmp_path)
    ids = wine_run(store, "run \x1b[2J", 1, {}, files=False)
    for command in ("lineage {model}", "show", "runs"):
        status, out, _ = on_store(f"{command.format(**ids)} --store {store.path}")
        assert status == 0
        assert "\x1b" not in out


def test_a_chain_of_a_thousand_warm_starts_is_shown_whole():
    # Trainer n makes model n from model n - 1.
    count = 1001
    models = {n: Artifact(n, "Model", f"models/{n}", "LIVE", n, {}) for n in range(count)}
    trainers = {
        n: Execution(n, "Trainer", "COMPLETE", "Trainer", "p", None, n, n, {})
        for n in range(1, count)
    }
    written = {n: (Link("model", n, n),) for n in trainers}
    read = {n: (Link("base_model", n - 1, n),) for n in trainers}
    read_by = {n - 1: links for n, links in read.items()}
    snapshot = Snapshot(models, trainers, {}, read, written, written, read_by)
    graph = subgraph(snapshot, count - 1)

    lines = list(tree(graph, 10_000, up=True))

    assert len(lines) == 1 + 2 * (count - 1)
    assert lines[0] == "Model 1000, models/1000 was made by"
    assert lines[-1].lstrip() == "└── base_model: Model 0, models/0"
    assert list(tree(graph, 2, up=True)) == [
        "Model 1000, models/1000 was made by",
        "└── Trainer, execution 1000",
        "    └── base_model: Model 999, models/999",
        "        └── Trainer, execution 999 ... (more: --depth)",
    ]
