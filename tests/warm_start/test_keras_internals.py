"""Private names of Keras are touched in one module, which says what a Keras lacks."""

from __future__ import annotations

import ast
import pathlib
from types import SimpleNamespace

import keras
import pytest

from tfx_wine_ext.warm_start import keras_internals


def is_private(name: str) -> bool:
    return name[:1] == "_" and name.isidentifier() and not name.endswith("_")


def private_names(path: pathlib.Path) -> list[str]:
    """The private attributes of other objects, and the private modules of Keras, in a module."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            owner = node.value
            if not (isinstance(owner, ast.Name) and owner.id in ("self", "cls")):
                names.append(node.attr)
        elif isinstance(node, (ast.ImportFrom, ast.Import)):
            modules = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            names += [module for module in modules if module.startswith("keras.")]
        elif isinstance(node, ast.Call):
            given = [getattr(argument, "value", None) for argument in node.args]
            names += [name for name in given if isinstance(name, str) and is_private(name)]
    return names


def test_no_other_module_touches_private_names_of_keras(checkout):
    modules = sorted((checkout / "tfx_wine_ext" / "warm_start").glob("*.py"))
    touching = {path.stem: names for path in modules if (names := private_names(path))}
    assert set(touching) == {"keras_internals"}
    assert {"_keras_history", "_inbound_nodes", "_iterations"} <= set(touching["keras_internals"])


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (keras_internals.step_counter, "_iterations"),
        (keras_internals.learning_rate_of, "_learning_rate"),
        (keras_internals.input_name, "_keras_history"),
    ],
)
def test_a_keras_without_a_private_name_is_named_with_it(ask, name):
    message = rf"SimpleNamespace\.{name}, .* Keras {keras.__version__} does not have: install Keras"
    with pytest.raises(RuntimeError, match=message):
        ask(SimpleNamespace())


def test_the_calls_of_a_model_come_in_the_order_of_its_data():
    x = keras.Input([2], name="x")
    y = keras.layers.Dense(3, name="first")(x)
    z = keras.layers.Dense(3, name="second")(keras.ops.abs(y) * 2.0)
    calls = keras_internals.calls_of(keras.Model(x, [keras.layers.Add(name="sum")([y, z])]))
    names = [call.operation.name.rstrip("_0123456789") for call in calls]
    assert names == ["first", "absolute", "multiply", "second", "sum"]
    assert calls[2].args[1] == 2.0
    assert [id(tensor) for tensor in calls[0].tensors] == [id(x)]
    assert keras_internals.input_name(x) == "x"
