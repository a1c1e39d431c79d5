"""What is distributed: what is in it, and that another project's pipeline runs on the wheel alone.

`make release-check` runs this on the files that are to be published (``$TFX_WINE_EXT_DIST``).
"""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

import tfx_wine_ext

pytestmark = pytest.mark.e2e

# Of a bar that knows nothing of this checkout: its own modules, and its own component class
# around a spec that it finds by name.
BAR_COMPONENTS = '''\
"""Components of the bar."""

import importlib.metadata

from tfx.components.example_gen.driver import FileBasedDriver
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec

import tfx_wine_ext

SPECS = {
    entry_point.name: entry_point.load()
    for entry_point in importlib.metadata.entry_points(group="tfx_wine_ext.component_specs")
}


class BarExampleGen(BaseBeamComponent):
    """Reads what the bar has, with the spec found by its name."""

    SPEC_CLASS = SPECS["ParquetExampleGen"]
    EXECUTOR_SPEC = BeamExecutorSpec(tfx_wine_ext.ParquetExecutor)
    DRIVER_CLASS = FileBasedDriver
'''
BAR_PIPELINE = '''\
"""The bar's pipeline: three ways to read its Parquet files, and statistics of each."""

import json
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq
from bar.components import BarExampleGen
from ml_metadata.metadata_store import MetadataStore
from tfx.components.example_gen import utils
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.proto import example_gen_pb2
from tfx.types import channel, standard_artifacts

import tfx_wine_ext

folder = pathlib.Path(sys.argv[1])
drinks = folder / "drinks"
drinks.mkdir()
pq.write_table(pa.table({"price": [0.0, 4.5, None] * 20, "name": ["", "beer", "tea"] * 20}),
               drinks / "menu.parquet")

input_config = utils.make_default_input_config()
readers = [
    tfx_wine_ext.ParquetExampleGen(str(drinks)).with_id("ours"),
    FileBasedExampleGen(
        input_base=str(drinks),
        custom_executor_spec=BeamExecutorSpec(tfx_wine_ext.ParquetExecutor),
    ).with_id("drop_in"),
    BarExampleGen(
        BarExampleGen.SPEC_CLASS(
            input_base=str(drinks),
            input_config=input_config,
            output_config=utils.make_default_output_config(input_config),
            output_data_format=example_gen_pb2.FORMAT_TF_EXAMPLE,
            output_file_format=example_gen_pb2.FORMAT_TFRECORDS_GZIP,
            ingest_options="",
            examples=channel.Channel(type=standard_artifacts.Examples),
        )
    ).with_id("by_name"),
]
statistics = [
    StatisticsGen(examples=reader.outputs["examples"]).with_id(f"statistics_{reader.id}")
    for reader in readers
]
connection = metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite"))
LocalDagRunner().run(
    pipeline.Pipeline(
        pipeline_name="bar",
        pipeline_root=str(folder / "root"),
        components=[*readers, *statistics],
        metadata_connection_config=connection,
    )
)
store = MetadataStore(connection)
print(json.dumps({
    "imported_from": str(pathlib.Path(tfx_wine_ext.__file__).parent),
    "rows": [
        examples.custom_properties["rows"].int_value
        for examples in store.get_artifacts_by_type("Examples")
    ],
    "statistics": len(store.get_artifacts_by_type("ExampleStatistics")),
    "failed": [e.id for e in store.get_executions() if e.last_known_state != e.COMPLETE],
}))
'''


def run(*command, **options) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def package_files(checkout) -> set[str]:
    """The files of the package, relative to the checkout."""
    return {
        str(path.relative_to(checkout))
        for path in (checkout / "tfx_wine_ext").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_sdist_holds_the_package_and_what_builds_and_describes_it_and_nothing_else(
    sdist, checkout
):
    name = f"tfx_wine_ext-{tfx_wine_ext.__version__}"
    assert sdist.name == f"{name}.tar.gz"
    with tarfile.open(sdist) as archive:
        files = {member.name for member in archive if member.isfile()}
    made = {file for file in files if "/tfx_wine_ext.egg-info/" in file}
    described = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "SECURITY.md"}
    built = {"MANIFEST.in", "PKG-INFO", "pyproject.toml", "setup.cfg", "setup.py"}
    expected = {
        *package_files(checkout),
        *(file for file in described if (checkout / file).exists()),
        *built,
    }
    assert files - made == {f"{name}/{file}" for file in expected}


def test_the_wheel_holds_the_package_whole_and_nothing_else(wheel, checkout):
    assert wheel.name == f"tfx_wine_ext-{tfx_wine_ext.__version__}-py3-none-any.whl"
    expected = package_files(checkout)
    assert {"tfx_wine_ext/py.typed", "tfx_wine_ext/report/templates/page.css"} <= expected
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = {name for name in names if name.split("/")[0].endswith(".dist-info")}
        assert names - metadata == expected
        [entry_points] = (name for name in metadata if name.endswith("/entry_points.txt"))
        assert archive.read(entry_points).decode().split() == [
            *("[console_scripts]", "tfx-wine-ext", "=", "tfx_wine_ext.cli:main"),
            *("[tfx_wine_ext.component_specs]", "DriftReport", "="),
            "tfx_wine_ext.components.drift_report:DriftReportSpec",
            *("ParquetExampleGen", "="),
            "tfx_wine_ext.components.parquet_example_gen:ParquetExampleGenSpec",
            *("RaggedSchemaGen", "="),
            "tfx_wine_ext.components.ragged_schema_gen:RaggedSchemaGenSpec",
            *("TableExampleGen", "="),
            "tfx_wine_ext.components.table_example_gen:TableExampleGenSpec",
            *("WarmStartTrainer", "="),
            "tfx_wine_ext.components.warm_start_trainer:WarmStartTrainerSpec",
        ]
        [license_] = (name for name in metadata if name.endswith("LICENSE"))
        assert archive.read(license_) == (checkout / "LICENSE").read_bytes()
        [about] = (name for name in metadata if name.endswith("/METADATA"))
        described = archive.read(about).decode().partition("\n\n")[2]
        setup = runpy.run_path(str(checkout / "setup.py"), run_name="setup")
        assert described.strip() == setup["long_description"]().strip() != ""
        required = {
            re.match(r"[\w.-]+", line.split(": ")[1])[0]
            for line in archive.read(about).decode().split("\n")
            if line.startswith("Requires-Dist: ") and "extra ==" not in line
        }
    assert {"tfx", "pyarrow", "numpy", "google-crc32c", "isal", "jinja2"} <= required


@pytest.fixture(scope="module")
def other_project(tmp_path_factory, wheel, uv, constraints):
    """A folder of another project, with an environment into which the wheel is installed."""
    folder = tmp_path_factory.mktemp("other") / "a bar"
    (folder / "bar").mkdir(parents=True)
    (folder / "bar" / "__init__.py").touch()
    (folder / "bar" / "components.py").write_text(BAR_COMPONENTS, encoding="utf-8")
    (folder / "bar" / "pipeline.py").write_text(BAR_PIPELINE, encoding="utf-8")
    path, env = uv
    run(path, "venv", "--python", sys.executable, folder / "venv", env=env)
    run(
        *(path, "pip", "install", "--python", folder / "venv" / "bin" / "python"),
        *("--constraint", constraints, wheel),
        env=env,
    )
    yield folder
    shutil.rmtree(folder / "venv")  # 3 GB, of which pytest would keep the last three.


def test_a_pipeline_of_another_project_runs_on_the_wheel(other_project, tmp_path):
    python = other_project / "venv" / "bin" / "python"
    # Without the variables of whoever runs the tests, which may point into the checkout.
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "2"}
    (tmp_path / "run").mkdir()
    output = run(python, "-m", "bar.pipeline", tmp_path / "run", cwd=other_project, env=env)

    said = json.loads(output.strip().split("\n")[-1])
    site = next((other_project / "venv" / "lib").glob("python3.*")) / "site-packages"
    assert said == {
        "imported_from": str(site / "tfx_wine_ext"),
        "rows": [60, 60, 60],
        "statistics": 3,
        "failed": [],
    }
