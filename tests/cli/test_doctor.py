"""The doctor, in environments that are made for it: broken ones and the tested one."""

import ast
import importlib.metadata
import json
import os
import subprocess
import sys

import pytest

import tfx_wine_ext
from tfx_wine_ext.cli import checks, doctor, main


def test_the_environment_of_the_tests_is_well(capsys):
    assert main(["doctor", "--quick"]) == 0
    out = capsys.readouterr().out
    assert "BROKEN" not in out
    assert f"\n0 broken, 0 warnings, in {sys.executable}.\n" in out


def test_the_document_has_each_check(capsys):
    assert main(["doctor", "--quick", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["broken"], document["repair"]) == (0, None)
    assert document["executable"] == sys.executable
    [tfx] = [each for each in document["checks"] if each["name"] == "TFX"]
    assert tfx == {
        "name": "TFX",
        "state": "ok",
        "found": importlib.metadata.version("tfx"),
        "expected": "1.16 or 1.21",
        "why": None,
        "repair": None,
        "remedy": None,
    }


def test_it_needs_nothing_but_python():
    program = (
        "import sys; from tfx_wine_ext.cli import main; main(['doctor', '--quick', '--json']); "
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = set(ast.literal_eval(done.stderr.splitlines()[-1]))
    others = {"apache_beam", "numpy", "packaging", "pyarrow", "rich", "tensorflow", "tfx", "yaml"}
    assert loaded & others == set()


def test_setuptools_can_be_imported_afterwards():
    program = (
        "from tfx_wine_ext.cli import main; main(['doctor', '--quick']); "
        "import distutils.core, setuptools; assert 'setuptools' in distutils.core.__file__"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.e2e
def test_the_import_is_tried_in_earnest(capsys):
    assert main(["doctor", "--json"]) == 0
    [found] = [c for c in json.loads(capsys.readouterr().out)["checks"] if c["name"] == "import"]
    assert found["found"].startswith("imported in ")


of_tfx_116 = pytest.mark.skipif(
    sys.version_info[:2] != (3, 10), reason="TFX 1.16 is installed, which is for Python 3.10"
)


class Venv:
    """A virtual environment with this package's wheel, and whatever else a test puts there."""

    def __init__(self, folder, uv, wheel, *packages, pip=False):
        self.uv, self.env = uv
        self.python = folder / "venv" / "bin" / "python"
        seed = ["--seed"] if pip else []
        self.run(self.uv, "venv", *seed, "--python", sys.executable, folder / "venv")
        if pip:  # uv seeds a Python 3.10 with setuptools and wheel too.
            self.run(self.python, "-m", "pip", "uninstall", "-y", "setuptools", "wheel")
        self.run(
            *(self.uv, "pip", "install", "--no-deps", "--python", self.python, wheel, *packages)
        )

    def run(self, *command, status=0, shell=False):
        """Runs a command, as it is or in a shell, with uv on the path."""
        path = os.pathsep.join([str(self.uv.parent), "/usr/bin", "/bin"])
        done = subprocess.run(
            command[0] if shell else list(map(str, command)),
            capture_output=True,
            text=True,
            shell=shell,
            env={**self.env, "PATH": path},
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def doctor(self, *options, status=1):
        """What the doctor found, by the name of the check."""
        program = [self.python, "-m", "tfx_wine_ext.cli", "doctor", "--json", *options]
        document = json.loads(self.run(*program, status=status))
        return document, {each["name"]: each for each in document["checks"]}


@pytest.mark.e2e
def test_with_nothing_but_the_wheel_it_still_works(tmp_path, uv, wheel):
    venv = Venv(tmp_path, uv, wheel)
    document, found = venv.doctor()
    # What the TFX of older Pythons imports without requiring it.
    also = ("dill", "setuptools") if sys.version_info < (3, 11) else ()
    assert {name: each["found"] for name, each in found.items() if each["state"] != "ok"} == {
        "TFX": "not installed",
        **dict.fromkeys(also, "not installed"),
        "requirements": found["requirements"]["found"],
        "pip": "not installed",
        "wheel": "not installed",
    }
    assert "`tfx-wine-ext` requires `tfx>=1." in found["requirements"]["found"]
    assert "import" not in found
    assert document["repair"].startswith(f"uv pip install --python {venv.python} 'tfx>=1.")
    text = venv.run(venv.python, "-m", "tfx_wine_ext.cli", "doctor", status=1)
    assert f"\n{2 + len(also)} broken, 2 warnings, in " in text
    assert text.endswith(f"in one command:\n\n  {document['repair']}\n")


@pytest.mark.e2e
@of_tfx_116
def test_without_dill_and_with_a_later_setuptools_the_printed_command_repairs_both(
    tmp_path, uv, wheel
):
    packages = ["tfx==1.16.0", "ml-pipelines-sdk==1.16.0", "packaging==24.2"]
    venv = Venv(tmp_path, uv, wheel, *packages, "setuptools==81.0.0")
    _, found = venv.doctor()
    assert (found["dill"]["state"], found["dill"]["found"]) == ("broken", "not installed")
    assert (found["setuptools"]["state"], found["setuptools"]["found"]) == ("broken", "81.0.0")
    assert found["import"]["state"] == "broken"
    assert "ModuleNotFoundError: No module named " in found["import"]["found"]
    assert found["import"]["remedy"] == "mend what is broken above, then run this again"

    for name in ("dill", "setuptools"):
        venv.run(found[name]["repair"], shell=True)

    _, found = venv.doctor("--quick")
    assert (found["dill"]["state"], found["dill"]["found"]) == ("ok", "0.3.1.1")
    assert found["setuptools"]["state"] == "ok"
    assert found["setuptools"]["found"].startswith("80.")
    venv.run(venv.python, "-c", "import dill, pkg_resources")


@pytest.mark.e2e
@of_tfx_116
def test_versions_that_metadata_exclude_are_found_and_pip_is_used_where_it_is(tmp_path, uv, wheel):
    packages = ["tfx==1.16.0", "protobuf==5.29.3", "tensorflow-addons==0.23.0"]
    venv = Venv(tmp_path, uv, wheel, *packages, "setuptools==70.0.0", "dill==0.3.1.1", pip=True)
    _, found = venv.doctor("--quick")
    pip = f"{venv.python} -m pip"
    states = {
        name: (each["state"], each["found"], each["repair"])
        for name, each in found.items()
        if name in ("protobuf", "wheel", "tensorflow-addons", "setuptools", "dill", "pip")
    }
    assert states == {
        "dill": ("ok", "0.3.1.1", None),
        "setuptools": ("ok", "70.0.0", None),
        "protobuf": ("ok", "5.29.3", None),
        "pip": ("ok", found["pip"]["found"], None),
        "wheel": ("warning", "not installed", f"{pip} install wheel"),
        "tensorflow-addons": ("warning", "0.23.0", f"{pip} uninstall -y tensorflow-addons"),
    }
    requirements = found["requirements"]
    assert (requirements["state"], requirements["repair"]) == (
        "broken",
        f"{pip} install tfx==1.16.0 tfx-wine-ext=={tfx_wine_ext.__version__}",
    )

    venv.run(found["tensorflow-addons"]["repair"], shell=True)
    _, found = venv.doctor("--quick")
    assert found["tensorflow-addons"]["state"] == "ok"


# A package that nothing needs but this package, so that the test is over in seconds.
ASKING = """\
[metadata]
name = tfx-wine-ext
version = 7
[options]
packages =
install_requires = six>=1.16
"""


@pytest.mark.e2e
@pytest.mark.parametrize("pip", [True, False])
def test_the_repair_of_requirements_resolves_them_from_what_is_installed(tmp_path, uv, wheel, pip):
    venv = Venv(tmp_path, uv, wheel, pip=pip)
    (tmp_path / "asking").mkdir()
    (tmp_path / "asking" / "setup.cfg").write_text(ASKING, encoding="utf-8")
    (tmp_path / "asking" / "setup.py").write_text("import setuptools\nsetuptools.setup()\n")
    to_venv = ["--no-deps", "--python", venv.python]
    program = tmp_path / "repair.py"
    program.write_text(
        "import dataclasses, sys\n"
        f"sys.path.append({str(tmp_path / 'ours')!r})\n"
        "from tfx_wine_ext.cli import checks, environment\n"
        "found = environment.this_environment('none', sys.path[1:-1])\n"
        "[asked] = [each for each in checks.check(found) if each.name == 'requirements']\n"
        "print(checks.repair(found, [asked]))\n"
    )
    venv.run(venv.uv, "pip", "install", "--no-deps", "--target", tmp_path / "ours", wheel)
    venv.run(venv.uv, "pip", "install", *to_venv, tmp_path / "asking", "six==1.15.0")

    command = venv.run(venv.python, program).strip()
    assert command.endswith(" tfx-wine-ext==7")
    venv.run(command, shell=True)

    assert venv.run(venv.python, program) == "None\n"
    assert venv.run(venv.python, "-c", "import six; print(six.__version__ >= '1.16')") == "True\n"


@pytest.mark.parametrize(
    ("imported", "state"), [(checks.OK, checks.WARNING), (checks.BROKEN, checks.BROKEN)]
)
def test_requirements_are_a_warning_only_where_everything_is_imported(
    capsys, monkeypatch, imported, state
):
    broken = checks.Finding("requirements", checks.BROKEN, "x", "y")
    monkeypatch.setattr(checks, "check", lambda environment: [broken])
    ended = checks.Finding("import", imported, "", "")
    monkeypatch.setattr(doctor, "import_check", lambda findings: ended)
    main(["doctor", "--json"])
    states = {each["name"]: each["state"] for each in json.loads(capsys.readouterr().out)["checks"]}
    assert states == {"requirements": state, "import": imported}
