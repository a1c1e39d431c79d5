"""What every exported component promises: one suite, run over all of them.

The components are those of the entry-point group `tfx_wine_ext.component_specs`, by which other
programs find them too.
"""

from __future__ import annotations

import configparser
import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import subprocess
import sys

import pytest

import tfx_wine_ext
import tfx_wine_ext.types
from tfx_wine_ext.testing import FakeMetadata, launch

from .instances import INSTANCES, instance_of

GROUP = "tfx_wine_ext.component_specs"


def entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    found = importlib.metadata.entry_points()
    # Python 3.9 returns a dict.
    group = found.select(group=GROUP) if hasattr(found, "select") else found.get(GROUP, ())
    return {entry_point.name: entry_point for entry_point in group}


NAMES = sorted(entry_points())
every_component = pytest.mark.parametrize("name", NAMES)


def component_class(name: str) -> type:
    return getattr(tfx_wine_ext, name)


def spec_class(name: str) -> type:
    return entry_points()[name].load()


def executor_class(name: str) -> type:
    return component_class(name).EXECUTOR_SPEC.executor_class


def class_path(class_: type) -> str:
    return f"{class_.__module__}.{class_.__qualname__}"


def section(class_: type, heading: str) -> dict[str, str]:
    """Returns the entries of one section of a docstring in Google's style, by their names."""
    text = inspect.cleandoc(class_.__doc__ or "")
    found = re.search(rf"^{heading}:\n((?:    .*\n|\n)+)", text + "\n", re.MULTILINE)
    assert found, f"the docstring of {class_.__name__} has no section {heading}:"
    entries = re.findall(r"^    (\w+): ((?:.*\n?)(?:^ {8}.*\n?|^\n)*)", found[1], re.MULTILINE)
    return {name: " ".join(entry.split()) for name, entry in entries}


def parameters(name: str) -> dict[str, inspect.Parameter]:
    found = dict(inspect.signature(component_class(name).__init__).parameters)
    del found["self"]
    return found


# --- Names


def test_there_is_something_to_check():
    assert "ParquetExampleGen" in NAMES


def test_what_is_installed_is_what_setup_cfg_declares(checkout):
    config = configparser.ConfigParser()
    config.read(checkout / "setup.cfg", encoding="utf-8")
    declared = config["options.entry_points"][GROUP].split("\n")
    assert sorted(line for line in declared if line) == sorted(
        f"{name} = {entry_point.value}" for name, entry_point in entry_points().items()
    )


def test_every_public_component_has_an_entry_point_and_every_spec_is_public():
    from tfx.dsl.components.base.base_component import BaseComponent
    from tfx.types.component_spec import ComponentSpec

    public = {name: getattr(tfx_wine_ext, name) for name in tfx_wine_ext.__all__}
    classes = {name: value for name, value in public.items() if inspect.isclass(value)}
    components = [name for name, value in classes.items() if issubclass(value, BaseComponent)]
    specs = [name for name, value in classes.items() if issubclass(value, ComponentSpec)]
    assert sorted(components) == NAMES
    assert sorted(specs) == [f"{name}Spec" for name in NAMES]


def test_every_exported_component_has_an_instance_here_and_no_other_has():
    for name in NAMES:
        instance_of(name)
    assert sorted(INSTANCES) == NAMES


def test_a_component_without_an_instance_is_told_what_to_add():
    message = r"Unknown is exported, but .* add 'Unknown': Instance\(make=.*instances\.py"
    with pytest.raises(pytest.fail.Exception, match=message):
        instance_of("Unknown")


@every_component
def test_the_entry_point_loads_the_spec_of_the_component(name):
    assert spec_class(name) is component_class(name).SPEC_CLASS
    assert spec_class(name) is getattr(tfx_wine_ext, f"{name}Spec")


# --- Documentation


@every_component
def test_spec_component_driver_and_executor_have_a_docstring_of_their_own(name):
    component = component_class(name)
    for class_ in (spec_class(name), component, executor_class(name), component.DRIVER_CLASS):
        assert (vars(class_)["__doc__"] or "").strip(), class_path(class_)


@every_component
def test_every_argument_is_documented_and_nothing_else_is(name):
    documented = section(component_class(name), "Args")
    assert list(documented) == list(parameters(name))
    assert [argument for argument, text in documented.items() if len(text) < 20] == []


@every_component
def test_every_output_is_documented_with_its_type(name):
    documented = section(component_class(name), "Outputs")
    outputs = spec_class(name).OUTPUTS
    assert sorted(documented) == sorted(outputs)
    for key, text in documented.items():
        assert outputs[key].type.__name__ in text


@every_component
def test_every_error_of_the_constructor_is_documented(name):
    assert "ValueError" in section(component_class(name), "Raises")


@every_component
def test_every_key_of_the_spec_is_a_constant_in_types(name):
    modules = [
        importlib.import_module(f"tfx_wine_ext.types.{module.name}")
        for module in pkgutil.iter_modules(tfx_wine_ext.types.__path__)
    ]
    constants = {
        value
        for module in modules
        for constant, value in vars(module).items()
        if constant.endswith("_KEY")
    }
    spec = spec_class(name)
    assert {*spec.INPUTS, *spec.OUTPUTS, *spec.PARAMETERS} - constants == set()


@every_component
def test_every_input_is_an_argument_of_its_key(name):
    assert set(spec_class(name).INPUTS) <= set(parameters(name))


# --- Class paths


def test_component_driver_and_executor_are_found_by_class_path_in_a_fresh_interpreter():
    found = []
    for name in NAMES:
        component = component_class(name)
        found += [component, spec_class(name), component.DRIVER_CLASS, executor_class(name)]
    for class_ in found:
        assert class_.__module__ != "__main__"
        assert "." not in class_.__qualname__, f"{class_path(class_)} is inside of something"
    paths = sorted({class_path(class_) for class_ in found})
    program = """
import importlib, sys
for path in sys.argv[1:]:
    module, name = path.rsplit(".", 1)
    class_ = getattr(importlib.import_module(module), name)
    assert f"{class_.__module__}.{class_.__qualname__}" == path, path
print(len(sys.argv) - 1, "found")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *paths], capture_output=True, text=True, cwd="/"
    )
    assert (done.returncode, done.stdout) == (0, f"{len(paths)} found\n"), done.stderr


@every_component
def test_the_driver_has_the_bases_of_both_launch_paths(name):
    from tfx.dsl.components.base import base_driver
    from tfx.orchestration.portable import base_driver as portable_base_driver

    driver = component_class(name).DRIVER_CLASS
    # With TFX's default, both paths use their own.
    assert driver is base_driver.BaseDriver or (
        issubclass(driver, base_driver.BaseDriver)
        and issubclass(driver, portable_base_driver.BaseDriver)
    )


# --- Arguments and launches


@every_component
def test_bad_arguments_are_refused_in_the_constructor_by_name(name, tmp_path):
    instance = instance_of(name)
    assert instance.refused, "name some arguments that are refused"
    good = instance.make(tmp_path)
    for bad, message in instance.refused:
        assert message.startswith(tuple(bad)), f"the error must begin with the argument: {message}"
        with pytest.raises((ValueError, TypeError), match=f"^{message}"):
            component_class(name)(**{**good, **bad})


@every_component
def test_an_argument_that_is_not_there_is_refused(name, tmp_path):
    with pytest.raises(TypeError, match="no_such_argument"):
        component_class(name)(**instance_of(name).make(tmp_path), no_such_argument=1)


def _incidental(key):
    """TFX writes some keys by one path only; sizes on disk are the compressor's business."""
    of_one_path = ("is_external", "name", "producer_component")
    return key in of_one_path or key.split("_")[0] == "bytes"


@every_component
def test_both_launch_paths_run_it_and_record_the_same(name, tmp_path):
    arguments = instance_of(name).make(tmp_path)
    recorded = {}
    for path in ("ir", "notebook"):
        with FakeMetadata() as store:
            component = component_class(name)(**arguments)
            where = {"path": path, "store": store, "pipeline_root": tmp_path / path}
            result = launch(component, **where)
        assert (result.execution.state, result.execution.type) == (
            "COMPLETE",
            class_path(component_class(name)),
        )
        assert result.execution.type.startswith("tfx_wine_ext.components.")
        assert sorted(result.outputs) == sorted(
            key
            for key, channel in spec_class(name).OUTPUTS.items()
            if not channel.optional or key in result.outputs
        )
        artifacts = [artifact for each in result.outputs.values() for artifact in each]
        assert {artifact.state for artifact in artifacts} == {"LIVE"}
        recorded[path] = [
            (
                artifact.type,
                artifact.properties,
                {
                    # Each path has a folder of its own.
                    k: v.replace(str(tmp_path / path), "ROOT") if isinstance(v, str) else v
                    for k, v in artifact.custom_properties.items()
                    if not _incidental(k)
                },
            )
            for artifact in artifacts
        ]
    assert recorded["ir"] == recorded["notebook"]
