"""The wine pipeline as a DAG of Airflow: link this file in the folder of the DAGs.

The settings are in one Airflow Variable ``wine_quality``, a JSON object, which Airflow also reads
from the environment variable ``AIRFLOW_VAR_WINE_QUALITY``:

    export AIRFLOW_VAR_WINE_QUALITY='{"output": "/data/wine", "warm_start": true}'

    airflow dags test wine_quality

| setting | default |
|---|---|
| ``output`` | required: folder of what the others do not name, absolute |
| ``data_root`` | ``OUTPUT/data``: the Parquet spans, ``span-1/*.parquet`` and so on |
| ``pipeline_root`` | ``OUTPUT/pipeline``: all artifacts |
| ``serving_dir`` | ``OUTPUT/serving``: the pushed models |
| ``metadata`` | ``OUTPUT/metadata.db``; or ``postgresql://user@host:port/database`` |

All others are arguments of `create_pipeline`: ``span``, ``model``, ``drift_mode``, ``warm_start``.

The password of a metadata store is in no setting. Give it to the scheduler and its workers in the
environment variable ``PGPASSWORD`` or ``MYSQL_PWD``.
"""

from __future__ import annotations

import datetime
import inspect
import os
from typing import TYPE_CHECKING

from airflow.configuration import conf
from airflow.exceptions import AirflowConfigException
from airflow.models import Variable
from airflow.settings import get_dagbag_import_timeout

if TYPE_CHECKING:
    from airflow.models import DAG

VARIABLE = "wine_quality"
# Of TFX: 5 to 15 s on an idle machine of which all files are cached, a minute on a busy one.
IMPORT_SECONDS = 120
PLACES = ("output", "data_root", "pipeline_root", "serving_dir", "metadata")


def check_timeouts() -> None:
    """Checks that Airflow waits for the import of TFX, before that begins.

    Raises:
        AirflowConfigException: It does not. By default its limits are 30 and 50 s, and it would
            say no more than that the import timed out.
    """
    limits = {
        "DAGBAG_IMPORT_TIMEOUT": get_dagbag_import_timeout(__file__),
        "DAG_FILE_PROCESSOR_TIMEOUT": conf.getfloat("core", "dag_file_processor_timeout"),
    }
    short = [
        f"AIRFLOW__CORE__{name}={IMPORT_SECONDS}"
        for name, seconds in limits.items()
        if 0 < seconds < IMPORT_SECONDS
    ]
    if short:
        raise AirflowConfigException(
            "Airflow gives this file too little time to import TFX: set " + " and ".join(short)
        )


def wine_dag() -> DAG:
    """Returns the DAG, made by `create_pipeline` from the settings. It imports TFX.

    Raises:
        AirflowConfigException: The Variable is missing, or a setting is unknown or missing.
    """
    check_timeouts()
    settings = Variable.get(VARIABLE, default_var={}, deserialize_json=True)
    if not isinstance(settings, dict):
        settings = {}  # Which is refused below.
    from tfx.orchestration.airflow.airflow_dag_runner import (
        AirflowDagRunner,
        AirflowPipelineConfig,
    )

    from examples.wine_quality.pipeline import create_pipeline
    from tfx_wine_ext.launchers.retrying import RetryingLauncher
    from tfx_wine_ext.lineage.connection import connection_config

    known = {*PLACES, *inspect.signature(create_pipeline).parameters}
    known.remove("metadata_connection_config")
    unknown = sorted(set(settings) - known)
    output = settings.get("output")
    if unknown or not (isinstance(output, str) and os.path.isabs(output)):
        found = f"the unknown {', '.join(unknown)}" if unknown else f"{output!r} as output"
        raise AirflowConfigException(
            f"the Airflow Variable {VARIABLE}: expected a JSON object with output, an absolute "
            f"path, and any of {', '.join(sorted(known - {'output'}))}; found {found}"
        )
    places = {
        "data_root": f"{output}/data",
        "pipeline_root": f"{output}/pipeline",
        "serving_dir": f"{output}/serving",
    }
    others = {name: value for name, value in settings.items() if name not in ("output", "metadata")}
    os.makedirs(output, exist_ok=True)
    config = AirflowPipelineConfig(
        airflow_dag_config={
            "schedule": None,
            "start_date": datetime.datetime(2026, 1, 1),
            "catchup": False,
            # A warm start needs the model of the run before.
            "max_active_runs": 1,
        },
        # Components of TFX can be cleared and tried again, too.
        supported_launcher_classes=[RetryingLauncher],
    )
    return AirflowDagRunner(config).run(
        create_pipeline(
            metadata_connection_config=connection_config(
                settings.get("metadata", f"{output}/metadata.db")
            ),
            **{**places, **others},
        )
    )


dag = wine_dag()
