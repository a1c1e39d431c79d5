import sys
import traceback
import types

import pytest

from tfx_wine_ext.sources.secrets import check_reference, secret
from tfx_wine_ext.sources.source import TableFileError


@pytest.fixture
def vault(monkeypatch):
    """A module that workers can import."""
    module = types.ModuleType("vault")
    monkeypatch.setitem(sys.modules, "vault", module)
    return module


def test_a_secret_comes_from_the_environment_or_a_function(monkeypatch, vault):
    monkeypatch.setenv("WINE_PASSWORD", "hunter2")
    vault.password = lambda: "hunter3"
    assert secret("env:WINE_PASSWORD", "wines") == "hunter2"
    assert secret("vault:password", "wines") == "hunter3"


@pytest.mark.parametrize(
    "reference", ["env:", "env:A B", "vault", "vault:", ":f", "a b:c", "x:y:z"]
)
def test_what_is_no_reference_is_refused_and_not_repeated(reference):
    with pytest.raises(ValueError, match=r"^credentials: expected 'env:NAME'") as caught:
        check_reference("credentials", reference)
    assert str(caught.value).endswith("found other text, which is not shown")


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("WINE_PASSWORD", raising=False)
    with pytest.raises(
        TableFileError, match=r"^wines: expected the environment variable WINE_PASSWORD, found none"
    ):
        secret("env:WINE_PASSWORD", "wines")


@pytest.mark.parametrize(
    ("returned", "found"), [(b"x", "no text"), ("", "str without content"), (None, "NoneType wit")]
)
def test_a_function_that_returns_no_text_is_an_error(vault, returned, found):
    vault.password = lambda: returned
    with pytest.raises(
        TableFileError, match=f"^wines: expected text from vault:password, found {found}"
    ):
        secret("vault:password", "wines")


def test_the_error_of_a_function_shows_nothing_that_could_be_the_secret(vault):
    def password():
        raise ValueError("hunter2 has expired")

    vault.password = password
    with pytest.raises(TableFileError, match="found ValueError by calling it") as caught:
        secret("vault:password", "wines")
    assert "hunter2" not in "".join(traceback.format_exception(None, caught.value, None))
