"""Keys that runs of any component leave in the metadata store: never rename them."""

from __future__ import annotations

# Custom property of a failed execution, defined by TFX: `ExecutionResult` as JSON text
RESULT_KEY = "__execution_result__"

# Custom properties of a run's context, one for each node: the process that ran it, read by
# `tfx_wine_ext.artifacts.process.Process`
PROCESS_KEY = "tfx_wine_ext_process"


def of_node(node: str) -> str:
    """Returns the property key for the process that ran a node.

    Args:
        node: The component's id in the pipeline.

    Example:
        >>> of_node("DriftReport")
        'tfx_wine_ext_process:DriftReport'
    """
    return f"{PROCESS_KEY}:{node}"
