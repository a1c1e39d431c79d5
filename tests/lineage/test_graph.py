"""What lies around an artifact is a graph, in three languages."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from benchmarks.stores import CSV, STATISTICS, TRAINER, TfxStore
from tests.lineage.conftest import Five
from tfx_wine_ext.lineage.graph import subgraph, to_dict, to_dot, to_mermaid
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store


@pytest.fixture
def small(tmp_path):
    store = TfxStore(tmp_path)
    store.run('mon"day')
    [examples] = store.component(
        "Gen", CSV, outputs={"examples": ("Examples", {"span": 7})}
    ).values()
    store.component("Broken", STATISTICS, inputs={"examples": [examples]}, state="FAILED")
    store.component(
        "Trainer", TRAINER, inputs={"examples": [examples]}, outputs={"model": ("Model", {})}
    )
    return Snapshot.read(open_store(store.path)), store.root


def test_a_graph_as_a_dictionary_goes_the_way_the_data_went(small):
    snapshot, root = small
    assert to_dict(subgraph(snapshot, 2)) == {
        "artifact": 2,
        "nodes": [
            {
                "node": "artifact_2",
                "kind": "artifact",
                "id": 2,
                "type": "Model",
                "uri": f"{root}/Trainer/model/3",
            },
            {
                "node": "artifact_1",
                "kind": "artifact",
                "id": 1,
                "type": "Examples",
                "uri": f"{root}/Gen/examples/1",
            },
            {
                "node": "execution_3",
                "kind": "execution",
                "id": 3,
                "type": TRAINER,
                "component": "Trainer",
                "state": "COMPLETE",
                "run": 'mon"day',
            },
            {
                "node": "execution_1",
                "kind": "execution",
                "id": 1,
                "type": CSV,
                "component": "Gen",
                "state": "COMPLETE",
                "run": 'mon"day',
            },
        ],
        "edges": [
            {"from": "execution_3", "to": "artifact_2", "key": "model"},
            {"from": "artifact_1", "to": "execution_3", "key": "examples"},
            {"from": "execution_1", "to": "artifact_1", "key": "examples"},
        ],
    }


def nodes(graph):
    return [node["node"] for node in to_dict(graph)["nodes"]]


def test_downstream_shows_what_failed_too(small):
    graph = subgraph(small[0], 1, "downstream")
    assert nodes(graph) == ["artifact_1", "artifact_2", "execution_2", "execution_3"]


def test_both_ways_join(small):
    assert sorted(nodes(subgraph(small[0], 1, "both"))) == [
        "artifact_1",
        "artifact_2",
        "execution_1",
        "execution_2",
        "execution_3",
    ]


def test_who_only_took_from_the_cache_is_not_shown(five: Five):
    graph = subgraph(five.snapshot, five.ids[1]["examples"], "both")
    assert not [execution for execution in graph.executions if execution.state == "CACHED"]


DOT = r"""digraph lineage {
  rankdir=LR;
  artifact_2 [shape=ellipse, label="Model 2", penwidth=3];
  artifact_1 [shape=ellipse, label="Examples 1\nspan 7"];
  execution_3 [shape=box, label="Trainer\nmon\"day"];
  execution_1 [shape=box, label="Gen\nmon\"day"];
  execution_3 -> artifact_2 [label="model"];
  artifact_1 -> execution_3 [label="examples"];
  execution_1 -> artifact_1 [label="examples"];
}
"""


def test_dot_is_quoted(small):
    assert to_dot(subgraph(small[0], 2)) == DOT


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed: no dot in PATH")
def test_graphviz_takes_it(five: Five):
    text = to_dot(subgraph(five.snapshot, five.ids[1]["model"], "both"))
    shown = subprocess.run(
        ["dot", "-Tplain"], input=text, check=True, capture_output=True, text=True
    )
    assert shown.stdout.startswith("graph ")


MERMAID = """flowchart LR
  artifact_2(["Model 2"])
  artifact_1(["Examples 1<br/>span 7"])
  execution_3["Trainer<br/>mon#34;day"]
  execution_1["Gen<br/>mon#34;day"]
  execution_3 -->|"model"| artifact_2
  artifact_1 -->|"examples"| execution_3
  execution_1 -->|"examples"| artifact_1
  style artifact_2 stroke-width:3px
"""


def test_mermaid_is_quoted(small):
    assert to_mermaid(subgraph(small[0], 2)) == MERMAID


def test_a_name_with_markup_stays_text(tmp_path):
    store = TfxStore(tmp_path)
    store.run("<script>]\n--> x")
    store.component("Gen", CSV, outputs={"examples": ("Examples", {})})
    text = to_mermaid(subgraph(Snapshot.read(open_store(store.path)), 1))
    assert '"Gen<br/>#60;script#62;#93; --#62; x"' in text
    assert len(re.findall("script", text)) == 1


def test_an_artifact_that_is_not_there_or_a_wrong_direction_is_an_error(small):
    with pytest.raises(ValueError, match=r"artifact 9: .* found that the store has 1 to 2"):
        subgraph(small[0], 9)
    with pytest.raises(ValueError, match=r"direction must be one of .*, found 'up'"):
        subgraph(small[0], 1, "up")
