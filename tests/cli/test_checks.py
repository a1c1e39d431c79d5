import dataclasses

import pytest

from tfx_wine_ext.cli.checks import BROKEN, OK, WARNING, Finding, check, repair
from tfx_wine_ext.cli.environment import Environment, Package

SPECS = ("DriftReport", "ParquetExampleGen", "TableExampleGen", "WarmStartTrainer")


def environment(*packages, **changes):
    """A Python 3.10 with what the test is about."""
    whole = Environment(
        executable="/venv/bin/python",
        python="3.10.13",
        machine="linux x86_64",
        glibc="2.36",
        packages={package.name: package for package in packages},
        modules=frozenset({"pip", "pkg_resources", "tfx"}),
        uv=None,
        conflicts=(),
    )
    return dataclasses.replace(whole, **changes)


WELL = environment(
    Package("tfx-wine-ext", "0.1", SPECS),
    Package("tfx", "1.16.0"),
    Package("dill", "0.3.1.1"),
    Package("setuptools", "80.10.2"),
    Package("pip", "26.3"),
    Package("protobuf", "3.20.3"),
    Package("apache-beam", "2.62.0"),
    Package("rich", "15.0.0"),
)


def without(name):
    packages = {key: each for key, each in WELL.packages.items() if key != name}
    return dataclasses.replace(WELL, packages=packages)


def having(name, version, **changes):
    package = dataclasses.replace(WELL.packages.get(name) or Package(name, ""), version=version)
    return dataclasses.replace(WELL, packages={**WELL.packages, name: package}, **changes)


def bad(environment):
    """What is not well: name, state, found, and the command that mends it."""
    return [
        (each.name, each.state, each.found, repair(environment, [each]))
        for each in check(environment)
        if each.state != OK
    ]


def test_a_set_that_fits_is_found_well():
    found = {each.name: (each.state, each.found) for each in check(WELL)}
    assert found == {
        "Python": (OK, "3.10.13"),
        "C library": (OK, "glibc 2.36"),
        "tfx-wine-ext": (
            OK,
            "0.1, specs DriftReport, ParquetExampleGen, TableExampleGen, WarmStartTrainer",
        ),
        "TFX": (OK, "1.16.0"),
        "dill": (OK, "0.3.1.1"),
        "setuptools": (OK, "80.10.2"),
        "apache-beam": (OK, "2.62.0"),
        "protobuf": (OK, "3.20.3"),
        "requirements": (OK, "all hold"),
        "pip": (OK, "26.3"),
        "wheel": (OK, "setuptools 80.10.2"),
        "tensorflow-addons": (OK, "not installed"),
    }


PIP = "/venv/bin/python -m pip install "


@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        (
            without("dill"),
            ("dill", BROKEN, "not installed", PIP + "'dill>=0.3.1.1,<0.3.2'"),
        ),
        (
            having("setuptools", "81.0.0"),
            ("setuptools", BROKEN, "81.0.0", PIP + "'setuptools<81'"),
        ),
        (
            dataclasses.replace(WELL, modules=frozenset({"pip", "tfx"})),
            ("setuptools", BROKEN, "80.10.2", PIP + "'setuptools<81'"),
        ),
        (having("tfx", "1.22.0"), ("TFX", BROKEN, "1.22.0", PIP + "'tfx>=1.16,<1.17'")),
        (
            having("tfx", "1.22.0", glibc="2.39"),
            ("TFX", BROKEN, "1.22.0", PIP + "'tfx>=1.21,<1.22'"),
        ),
        (having("tfx", "1.15.1"), ("TFX", BROKEN, "1.15.1", PIP + "'tfx>=1.16,<1.17'")),
        (dataclasses.replace(WELL, python="3.12.1"), ("Python", BROKEN, "3.12.1", None)),
        (
            dataclasses.replace(WELL, glibc=None),
            ("C library", BROKEN, "another one than glibc", None),
        ),
        (having("tfx", "1.21.0"), ("C library", BROKEN, "glibc 2.36", None)),
        (
            having("tensorflow-addons", "0.23.0"),
            (
                "tensorflow-addons",
                WARNING,
                "0.23.0",
                "/venv/bin/python -m pip uninstall -y tensorflow-addons",
            ),
        ),
    ],
)
def test_each_way_in_which_it_breaks_is_found_with_what_mends_it(changed, finding):
    assert bad(changed) == [finding]


def test_requirements_that_do_not_hold_are_resolved_anew_from_what_is_installed():
    conflicts = (
        "tfx 1.16.0 has requirement protobuf<5,>=3.20.3, but you have protobuf 5.29.3.",
        "tfx 1.16.0 requires apache-beam, which is not installed.",
    )
    assert bad(dataclasses.replace(WELL, conflicts=conflicts)) == [
        (
            "requirements",
            BROKEN,
            "tfx 1.16.0 has requirement protobuf<5,>=3.20.3, but you have protobuf 5.29.3.; "
            "tfx 1.16.0 requires apache-beam, which is not installed.",
            PIP + "tfx==1.16.0 tfx-wine-ext==0.1",
        )
    ]


def test_a_tfx_that_is_replaced_is_not_asked_for_again():
    odd = having("tfx", "1.22.0", conflicts=("tfx 1.22.0 requires x, which is not installed.",))
    assert [(name, command) for name, _, _, command in bad(odd)] == [
        ("TFX", PIP + "'tfx>=1.16,<1.17'"),
        ("requirements", PIP + "tfx-wine-ext==0.1"),
    ]


def test_of_many_requirements_the_first_are_shown():
    many = dataclasses.replace(WELL, conflicts=tuple(f"line {i}" for i in range(12)))
    [(_, _, found, _)] = bad(many)
    assert found == "line 0; line 1; line 2; and 9 lines more"


def test_without_pip_and_uv_requirements_are_unknown():
    unknown = dataclasses.replace(WELL, modules=WELL.modules - {"pip"}, conflicts=None)
    assert bad(unknown) == [
        (
            "requirements",
            WARNING,
            "unknown: there is neither pip nor uv",
            "/venv/bin/python -m ensurepip --upgrade",
        ),
        ("pip", WARNING, "not installed", "/venv/bin/python -m ensurepip --upgrade"),
    ]


def test_an_older_setuptools_needs_wheel():
    assert bad(having("setuptools", "70.0.0")) == [
        ("wheel", WARNING, "not installed", PIP + "wheel")
    ]
    both = having("setuptools", "70.0.0")
    both = dataclasses.replace(
        both, packages={**both.packages, "wheel": Package("wheel", "0.48.0")}
    )
    assert bad(both) == []


def test_tfx_1_21_needs_neither_dill_nor_an_old_setuptools():
    new = having("tfx", "1.21.0", glibc="2.39", python="3.12.3")
    new = dataclasses.replace(
        new,
        packages={name: each for name, each in new.packages.items() if name != "dill"},
        modules=new.modules - {"pkg_resources"},
    )
    assert bad(new) == []


@pytest.mark.parametrize(
    ("glibc", "requirement"), [("2.36", "tfx>=1.16,<1.17"), ("2.39", "tfx>=1.21,<1.22")]
)
def test_without_tfx_the_release_that_fits_this_machine_is_asked_for(glibc, requirement):
    here = dataclasses.replace(without("tfx"), glibc=glibc, modules=WELL.modules - {"tfx"})
    assert bad(here) == [("TFX", BROKEN, "not installed", f"{PIP}'{requirement}'")]


def test_a_module_tfx_of_another_package_may_be_a_fork():
    fork = without("tfx")
    [finding] = [each for each in check(fork) if each.name == "TFX"]
    assert (finding.state, finding.found) == (WARNING, "a module tfx of no package of that name")
    assert finding.remedy == "if it is a fork of TFX 1.16 or 1.21, nothing"


def test_a_bare_copy_of_the_package_is_told_from_an_installed_one():
    [finding] = [each for each in check(without("tfx-wine-ext")) if each.name == "tfx-wine-ext"]
    assert (finding.state, finding.found) == (BROKEN, "not installed")
    assert finding.remedy is not None
    old = Package("tfx-wine-ext", "0.0.1", specs=("ParquetExampleGen",))
    [finding] = [each for each in check(environment(old)) if each.name == "tfx-wine-ext"]
    assert (finding.state, finding.found) == (BROKEN, "0.0.1, specs ParquetExampleGen")


FINDINGS = [
    Finding("dill", BROKEN, "", "", install=("dill<1",)),
    Finding("x", WARNING, "", "", uninstall=("x",)),
    Finding("pip", WARNING, "", "", install=("pip",)),
    Finding("y", BROKEN, "", "", install=("dill<1", "y>2")),
]


@pytest.mark.parametrize(
    ("modules", "uv", "command"),
    [
        (
            {"pip"},
            "/bin/uv",
            "/venv/bin/python -m pip uninstall -y x && "
            "/venv/bin/python -m pip install 'dill<1' pip 'y>2'",
        ),
        (
            set(),
            "/bin/uv",
            "uv pip uninstall --python /venv/bin/python x && "
            "uv pip install --python /venv/bin/python 'dill<1' pip 'y>2'",
        ),
        (
            set(),
            None,
            "/venv/bin/python -m ensurepip --upgrade && "
            "/venv/bin/python -m pip uninstall -y x && "
            "/venv/bin/python -m pip install 'dill<1' 'y>2'",
        ),
    ],
)
def test_all_repairs_are_one_command_for_the_package_manager_that_is_there(modules, uv, command):
    here = environment(modules=frozenset(modules), uv=uv)
    assert repair(here, FINDINGS) == command


def test_where_nothing_is_to_be_installed_there_is_no_command():
    assert repair(WELL, [Finding("Python", BROKEN, "2.7", "3.10", remedy="another")]) is None
