"""No entry point runs code from a file: with a real one, each in a process of its own."""

from __future__ import annotations

import ast
import os
import pathlib
import pickle
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tfx_wine_ext
from tests.columnar.shards import FILES
from tfx_wine_ext.columnar.options import IngestOptions, OutputSplit
from tfx_wine_ext.columnar.tasks import plan_shards
from tfx_wine_ext.sources.footers import ParquetFileError, read_footer, read_footers

PACKAGE = pathlib.Path(tfx_wine_ext.__file__).parent
# Their `__init__` imports safe_arrow, which Python runs before any module in them.
SAFE_PACKAGES = ("columnar", "sources", "drift")
PYARROW_UNPICKLES = tuple(map(int, pa.__version__.split(".")[:3])) < (14, 0, 1)


class MakesFolder:
    """Unpickled, makes a folder: what a hostile file would do, and can be seen."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def hostile_type(marker):
    """What marks a field, by its metadata alone, as of a type that is unpickled on reading."""
    return {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": pickle.dumps(MakesFolder(str(marker))),
    }


def hostile_table(marker, nested=False):
    mark = hostile_type(marker)
    if nested:
        inner = pa.field("inner", pa.int64(), metadata=mark)
        column = pa.array([[{"inner": 1}], [{"inner": 2}]], pa.list_(pa.struct([inner])))
        return pa.Table.from_arrays([column], names=["x"])
    field = pa.field("x", pa.int64(), metadata=mark)
    return pa.Table.from_arrays([pa.array([1, 2])], schema=pa.schema([field]))


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "code was run"


@pytest.fixture(params=["a column", "inside a list of structs"])
def hostile(request, tmp_path, marker):
    (tmp_path / "in").mkdir()
    table = hostile_table(marker, nested=request.param != "a column")
    pq.write_table(table, tmp_path / "in" / "hostile.parquet")
    return tmp_path / "in" / "hostile.parquet"


@pytest.fixture
def harmless(tmp_path):
    (tmp_path / "good").mkdir()
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "good" / "a.parquet")
    return tmp_path / "good" / "a.parquet"


def run(program, *arguments):
    """Runs a program in a new interpreter, and returns its exit status and what it says."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(not PYARROW_UNPICKLES, reason="this pyarrow unpickles nothing")
def test_pyarrow_alone_runs_the_code_in_these_files(hostile, marker):
    run("import sys, pyarrow.parquet as pq; pq.read_table(sys.argv[1])", hostile)
    assert marker.is_dir()


LOCAL = "from tfx_wine_ext.files.local import LocalFiles; files = LocalFiles();"
READERS = {
    "read_footer": LOCAL
    + "from tfx_wine_ext.sources.footers import read_footer as f; f(sys.argv[1], files)",
    "iter_row_groups": LOCAL + "import pyarrow as pa;"
    "from tfx_wine_ext.sources.parquet import iter_row_groups as f;"
    "list(f(sys.argv[1], '', [0], pa.schema([]), 9, files))",
    "ParquetTable": "from tfx_wine_ext.sources.parquet import ParquetTable;"
    "ParquetTable([sys.argv[1]], lambda name: True)",
    "open_table": "from tfx_wine_ext.sources.choose import open_table;open_table(sys.argv[1])",
    "RowFilter": "import pyarrow as pa; from tfx_wine_ext.sources.filters import RowFilter;"
    "RowFilter([('x', '>', 1)]).row_groups(open(sys.argv[1], 'rb'),"
    " pa.schema([('x', pa.int64())]))",
    "drift, as a library": "import tfx_wine_ext.drift, pyarrow.parquet as pq;"
    "pq.read_table(sys.argv[1])",
    "testing": "from tfx_wine_ext.testing import as_table; import pyarrow.parquet as pq;"
    "pq.read_table(sys.argv[1])",
    "drift": "from tfx_wine_ext.cli import main;"
    "sys.exit(main(['drift', sys.argv[1], sys.argv[1]]))",
    "ingest": "from tfx_wine_ext.cli import main;"
    "sys.exit(main(['ingest', sys.argv[1], sys.argv[2]]))",
}


@pytest.mark.parametrize("program", READERS.values(), ids=list(READERS))
def test_no_reader_and_no_command_runs_code_from_a_file(hostile, marker, tmp_path, program):
    _, said = run(f"import sys; {program}", hostile, tmp_path / "out")
    assert not marker.exists(), said
    assert not (tmp_path / "out").exists()


def test_a_file_that_would_run_code_is_refused_in_one_line(hostile):
    if not hasattr(pa, "PyExtensionType"):
        assert read_footer(str(hostile), FILES).rows == 2  # It is an unknown type, read as stored.
        return
    message = r"hostile.parquet: it has a column of the type arrow\.py_extension_type, .*; write it"
    with pytest.raises(ParquetFileError, match=message) as caught:
        read_footer(str(hostile), FILES)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(hostile))
    assert caught.value.kind == "unsupported"


WORKER = """
import pathlib, pickle, sys
from tfx_wine_ext.files.local import LocalFiles
task, write_shard = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())
write_shard(task, sys.argv[2], LocalFiles())
"""


def test_a_worker_that_has_only_unpickled_its_task_runs_no_code_either(
    tmp_path, harmless, hostile, marker
):
    from tfx_wine_ext.columnar.ingest import write_shard
    from tfx_wine_ext.sources.parquet import ParquetSource

    source = ParquetSource(read_footers([str(harmless)], FILES), files=FILES)
    (task,) = plan_shards(source, [OutputSplit("train")], IngestOptions())
    (tmp_path / "task").write_bytes(pickle.dumps((task, write_shard)))
    os.replace(hostile, harmless)

    status, said = run(WORKER, tmp_path / "task", tmp_path / "out")

    assert status, said
    assert not marker.exists()


TFX_READERS = {
    "testing.read_examples": """
from tfx.types import standard_artifacts
from tfx_wine_ext.testing import read_examples
examples = standard_artifacts.Examples()
examples.uri = sys.argv[1]
read_examples(examples, "train")
""",
    "driver": """
from tfx.components.example_gen import utils
from tfx.orchestration import data_types
from tfx.utils import proto_utils
from tfx.proto import example_gen_pb2
from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.drivers.parquet_example_gen import ParquetExampleGenDriver
driver = ParquetExampleGenDriver(None)
driver.resolve_exec_properties(
    {
        "input_base": sys.argv[1] + "/Split-train",
        "input_config": proto_utils.proto_to_json(utils.make_default_input_config()),
        "output_config": proto_utils.proto_to_json(example_gen_pb2.Output()),
        "ingest_options": IngestOptions().to_json(),
    },
    None,
    None,
)
""",
    "executor": """
from tfx.types import standard_artifacts
from tfx.components.example_gen import utils
from tfx.utils import proto_utils
from tfx_wine_ext.executors.parquet_example_gen import ParquetExecutor
examples = standard_artifacts.Examples()
examples.uri = sys.argv[2]
input_config = utils.make_default_input_config()
ParquetExecutor().Do(
    {},
    {"examples": [examples]},
    {
        "input_base": sys.argv[1] + "/Split-train",
        "input_config": proto_utils.proto_to_json(input_config),
        "output_config": proto_utils.proto_to_json(
            utils.make_default_output_config(input_config)
        ),
    },
)
""",
    "executor of DriftReport": """
import pyarrow.parquet as pq
import tfx_wine_ext.executors.drift_report
pq.read_table(sys.argv[1])
""",
}


@pytest.mark.e2e
@pytest.mark.parametrize("program", TFX_READERS.values(), ids=list(TFX_READERS))
def test_no_driver_no_executor_and_no_part_of_the_testing_kit_runs_code_from_a_file(
    tmp_path, marker, program
):
    (tmp_path / "in" / "Split-train").mkdir(parents=True)
    pq.write_table(hostile_table(marker), tmp_path / "in" / "Split-train" / "a.parquet")

    _, said = run(f"import sys\n{program}", tmp_path / "in", tmp_path / "out")

    assert "py_extension_type" in said
    assert not marker.exists(), said


def imports(tree):
    """The modules that a module imports when it is run, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body.clear()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_that_imports_pyarrow_makes_it_safe():
    forgetful = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(("tfx_wine_ext", *path.relative_to(PACKAGE).with_suffix("").parts))
        found = set(imports(ast.parse(path.read_text(encoding="utf-8"))))
        uses = any(module.split(".")[0] == "pyarrow" for module in found)
        safe = "tfx_wine_ext.safe_arrow" in found or any(
            f"{module}.".startswith(f"tfx_wine_ext.{package}.")
            for module in {name, *found}
            for package in SAFE_PACKAGES
        )
        if uses and not safe:
            forgetful.append(name)
    assert forgetful == []


@pytest.mark.parametrize("package", SAFE_PACKAGES)
def test_the_packages_that_use_arrow_make_it_safe_before_anything_else_of_theirs(package):
    tree = ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))
    first = next(
        node
        for node in tree.body
        if (isinstance(node, ast.Import) and node.names[0].name not in sys.stdlib_module_names)
        or (isinstance(node, ast.ImportFrom) and node.module not in sys.stdlib_module_names)
    )
    assert ast.unparse(first) == "from tfx_wine_ext import safe_arrow"


def test_no_module_reads_arrow_data_by_another_library():
    found = {
        path.name: node.attr
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in ("read_parquet", "read_feather", "read_orc")
    }
    assert found == {}


def test_the_fix_is_applied_again_where_it_was_taken_back(hostile, marker):
    if not PYARROW_UNPICKLES:
        pytest.skip("this pyarrow unpickles nothing")
    _, said = run(
        "import sys, pyarrow_hotfix; pyarrow_hotfix.uninstall();"
        "from tfx_wine_ext.sources.choose import open_table; open_table(sys.argv[1])",
        hostile,
    )
    assert "py_extension_type" in said
    assert not marker.exists()
