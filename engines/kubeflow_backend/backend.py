"""Runs the tasks of a compiled pipeline as the backend does, but in this process.

What a container would run is run: TFX's own entrypoint for Kubeflow, and the hook that it attaches
to an ExampleGen. Emulated are the order of the tasks, the queries of resolvers, and the metadata,
which hold numbers as doubles only. There is no cache.
"""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_QUERY = re.compile(r'(?P<key>[\w.]+)=(?P<value>"[^"]*"|\S+)')
_OF_INPUT = re.compile(r"\{\{\$\.inputs\.artifacts\['(\w+)'\]\.metadata\['(\w+)'\]\}\}")


class Backend:
    """The tasks' artifacts, and the runs that made them.

    Args:
        folder: For all files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._artifacts: list[dict[str, Any]] = []
        self._runs = 0

    def run(self, compiled: Path) -> dict[str, dict[str, Any]]:
        """Runs a pipeline.

        Args:
            compiled: What `KubeflowV2DagRunner` has written, as JSON.

        Returns:
            The artifact of each output, by task and by output.
        """
        self._runs += 1
        spec = json.loads(compiled.read_text())["pipelineSpec"]
        tasks = spec["root"]["dag"]["tasks"]
        made: dict[str, dict[str, Any]] = {}
        while len(made) < len(tasks):
            # The order of the file is that of the alphabet.
            name = next(
                name for name in tasks if name not in made and _needs(tasks[name]) <= made.keys()
            )
            made[name] = self._run_task(spec, name, made)
        return made

    def _run_task(
        self, spec: Mapping[str, Any], name: str, made: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        task = spec["root"]["dag"]["tasks"][name]
        component = spec["components"][task["componentRef"]["name"]]
        executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
        sources = {
            key: source["taskOutputArtifact"]
            for key, source in task.get("inputs", {}).get("artifacts", {}).items()
        }
        inputs = {
            key: artifact
            for key, source in sources.items()
            if (artifact := made[source["producerTask"]].get(source["outputArtifactKey"]))
        }
        if "resolver" in executor:
            queries = executor["resolver"]["outputArtifactQueries"]
            found = {key: self._newest(query["filter"], inputs) for key, query in queries.items()}
            return {key: artifact for key, artifact in found.items() if artifact}
        return self._run_container(name, task, component, executor["container"], inputs)

    def _newest(self, query: str, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns the newest artifact that a resolver's query finds; all are LIVE."""
        wanted = {}
        for match in _QUERY.finditer(query):
            value = match["value"].strip('"')
            of_input = _OF_INPUT.fullmatch(value)
            if of_input:
                if of_input[1] not in inputs:
                    return None
                value = str(inputs[of_input[1]]["metadata"][of_input[2]])
            wanted[match["key"]] = value
        return next((each for each in reversed(self._artifacts) if _fits(each, wanted)), None)

    def _run_container(
        self,
        name: str,
        task: Mapping[str, Any],
        component: Mapping[str, Any],
        container: Mapping[str, Any],
        inputs: Mapping[str, Any],
    ) -> dict[str, Any]:
        from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor
        from tfx.orchestration.kubeflow.v2.file_based_example_gen import driver

        folder = self._folder / f"run-{self._runs}" / name
        outputs = component.get("outputDefinitions", {}).get("artifacts", {})
        parameters = task.get("inputs", {}).get("parameters", {})
        types = component.get("inputDefinitions", {}).get("artifacts", {})
        invocation: dict[str, Any] = {
            "inputs": {
                "parameterValues": {
                    key: value["runtimeValue"]["constant"] for key, value in parameters.items()
                },
                "artifacts": {
                    key: {"artifacts": [_runtime(artifact, types[key]["artifactType"])]}
                    for key, artifact in inputs.items()
                },
            },
            "outputs": {
                "outputFile": str(folder / "executor_output.json"),
                "artifacts": {
                    key: {
                        "artifacts": [
                            {
                                "name": f"projects/1/artifacts/{self._runs}-{name}-{key}",
                                "uri": str(folder / key),
                                "type": output["artifactType"],
                                "metadata": output.get("metadata", {}),
                            }
                        ]
                    }
                    for key, output in outputs.items()
                },
            },
        }
        arguments = Namespace(
            executor_class_path=_argument(container, "--executor_class_path"),
            json_serialized_invocation_args=json.dumps(invocation),
            json_serialized_inputs_spec_args=_argument(
                container, "--json_serialized_inputs_spec_args"
            ),
        )
        written = folder / "executor_output.json"
        hook = container.get("lifecycle", {}).get("preCacheCheck")
        if hook:
            assert hook["command"][-1] == driver.__name__
            driver.main(arguments)
            # The backend reads the span on the artifact before it starts the container.
            for key, given in invocation["outputs"]["artifacts"].items():
                [by_hook] = json.loads(written.read_text())["artifacts"][key]["artifacts"]
                given["artifacts"][0]["metadata"] = by_hook["metadata"]
            arguments.json_serialized_invocation_args = json.dumps(invocation)
        kubeflow_v2_run_executor.main((arguments, []))
        artifacts = json.loads(written.read_text())["artifacts"]
        made = {}
        for key, output in outputs.items():
            [artifact] = artifacts[key]["artifacts"]
            schema = output["artifactType"]["instanceSchema"]
            title = re.search(r"^title: *(\S+)", schema, re.MULTILINE)
            assert title is not None
            made[key] = {
                "name": f"projects/1/artifacts/{self._runs}-{name}-{key}",
                "uri": artifact["uri"],
                "schema_title": title[1],
                "metadata": artifact.get("metadata", {}),
            }
            self._artifacts.append(made[key])
        return made


def _needs(task: Mapping[str, Any]) -> set[str]:
    """Returns the tasks that have to end before a task."""
    artifacts = task.get("inputs", {}).get("artifacts", {}).values()
    producers = {source["taskOutputArtifact"]["producerTask"] for source in artifacts}
    return producers | set(task.get("dependentTasks", ()))


def _runtime(artifact: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    """Returns an artifact as a container receives it."""
    return {**{key: artifact[key] for key in ("name", "uri", "metadata")}, "type": kind}


def _argument(container: Mapping[str, Any], name: str) -> str:
    arguments = container["args"]
    return str(arguments[arguments.index(name) + 1])


def _fits(artifact: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    for key, value in wanted.items():
        if key.startswith("metadata."):
            found = artifact["metadata"].get(key.split(".")[1])
            if not isinstance(found, float) or found != float(value):
                return False
        elif key != "state" and artifact[key] != value:
            return False
    return True
