"""The executor of WarmStartTrainer: TFX's own, which also passes the decision to the run_fn."""

from __future__ import annotations

import json
import posixpath
import traceback
from typing import Any

from absl import logging
from tfx import types
from tfx.components.trainer import executor
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils
from tfx.utils import json_utils, path_utils

from tfx_wine_ext.decisions.warm_start_trainer import chosen_base, decision, schema_fingerprint
from tfx_wine_ext.documents import parse_json
from tfx_wine_ext.files.choose import files_for
from tfx_wine_ext.publishers.failure import records_failures
from tfx_wine_ext.publishers.properties import executor_output
from tfx_wine_ext.publishers.warm_start_trainer import publish
from tfx_wine_ext.report.warm_start_page import render_warm_start_page
from tfx_wine_ext.report.words import warm_start as words
from tfx_wine_ext.types import warm_start_trainer as keys
from tfx_wine_ext.warm_start.report import TransferReport
from tfx_wine_ext.warm_start.run_fn import CHECKPOINT_FOLDER, REPORT_FILE, REQUEST_KEY


@records_failures
class WarmStartTrainerExecutor(executor.GenericExecutor):
    """Runs the user's run_fn as TFX's Trainer does, and records whether the start was warm.

    `tfx_wine_ext.warm_start.restore` and `save` read the driver's decision from
    ``fn_args.custom_config``. Where no driver has run, the executor decides.
    """

    def Do(  # noqa: N802 (the name is TFX's)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        """Trains, and records on the model what was restored and why.

        Raises:
            UnusableBaseError: The base cannot be used, and the policy is
                ``on_unusable_base="error"``.
            ValueError: ``custom_config`` is not a mapping, or has the key ``warm_start``; or the
                run_fn reads a transform graph, and the component was given none.
            RuntimeError: The run_fn saved no model.
        """
        by_driver = keys.WARM_START_REQUEST_KEY in exec_properties
        if not by_driver:
            exec_properties = {**exec_properties, **decision(input_dict, exec_properties, None)}
        request = json.loads(exec_properties[keys.WARM_START_REQUEST_KEY])
        base = chosen_base(input_dict, request["base"])
        config = json_utils.loads(exec_properties.get(keys.CUSTOM_CONFIG_KEY) or "null")
        config = json_utils.dumps({**(config or {}), REQUEST_KEY: request})
        try:
            super().Do(
                _inputs_for_tfx(input_dict, base),
                output_dict,
                {**exec_properties, keys.CUSTOM_CONFIG_KEY: config},
            )
        except Exception as error:
            if input_dict.get(keys.TRANSFORM_GRAPH_KEY) or not _read_no_graph(error):
                raise
            raise ValueError(
                "transform_graph: the run_fn reads a transform graph, but this component was given "
                "none, so that fn_args.transform_graph_path is None. Give the trainer "
                "transform_graph=transform.outputs['transform_graph']"
            ) from error

        model = artifact_utils.get_single_instance(output_dict[keys.MODEL_KEY])
        report = _report(model, request)
        page = posixpath.join(model.uri, CHECKPOINT_FOLDER, keys.PAGE_FILE)
        with files_for(page).create(page) as stream:
            stream.write(render_warm_start_page(report).encode())
        model_run = artifact_utils.get_single_instance(output_dict[keys.MODEL_RUN_KEY])
        publish(model, report, base, schema_fingerprint(input_dict), model_run, has_ids=by_driver)
        return executor_output(output_dict, exec_properties)


def _read_no_graph(error: Exception) -> bool:
    """Whether an error was raised within a `TFTransformOutput` that was given no path."""
    return any(
        # Code that was generated is in no module, and has no __name__.
        str(frame.f_globals.get("__name__")).startswith("tensorflow_transform.")
        and getattr(frame.f_locals.get("self"), "_transform_output_dir", "") is None
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def _inputs_for_tfx(
    inputs: dict[str, list[types.Artifact]], base: types.Artifact | None
) -> dict[str, list[types.Artifact]]:
    """Omits the models that are not used: TFX takes one only, and fails on a partly deleted one."""
    if base is not None:
        serving = path_utils.serving_model_dir(base.uri)
        if files_for(serving).exists(serving):
            return {**inputs, keys.BASE_MODEL_KEY: [base]}
    return {key: value for key, value in inputs.items() if key != keys.BASE_MODEL_KEY}


def _report(model: types.Artifact, request: dict[str, Any]) -> TransferReport:
    """Reads the run_fn's report; without one, the start was cold."""
    path = posixpath.join(model.uri, CHECKPOINT_FOLDER, REPORT_FILE)
    files = files_for(path)
    if files.exists(path):
        with files.open(path) as stream:
            document = parse_json(stream.read(), path)
        return TransferReport.from_dict(document.mapping(), path)
    reason = request["reason"]
    if request.get("base"):
        reason = words.NOT_CALLED.format(reason)
        logging.warning("%s", reason)
    else:
        logging.warning(
            "The run_fn saved no checkpoint (tfx_wine_ext.warm_start.save): no later run can "
            "continue from this model"
        )
    return TransferReport(warm=False, reason=reason)
