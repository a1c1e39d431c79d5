"""Keys that any component's runs leave in the metadata store, never to be renamed."""

from __future__ import annotations

# Custom property of an execution that failed: TFX's own, `ExecutionResult` as JSON text
RESULT_KEY = "__execution_result__"

# Custom properties of the context of a run, one for each node: the process that ran it, which
# `tfx_wine_ext.lineage.process.Process` reads
PROCESS_KEY = "tfx_wine_ext_process"


def of_node(node: str) -> str:
    """Returns the key of the process that ran a node.

    Args:
        node: The component's id in the pipeline.

    Example:
        >>> of_node("DriftReport")
        'tfx_wine_ext_process:DriftReport'
    """
    return f"{PROCESS_KEY}:{node}"
