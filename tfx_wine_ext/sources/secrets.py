"""Secrets of sources: descriptions name them, and the process that opens a source looks them up."""

from __future__ import annotations

import importlib
import os
import re

from tfx_wine_ext.sources.source import TableFileError

ENVIRONMENT = "env:"
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def check_reference(where: str, reference: str) -> None:
    """Refuses text that is no reference to a secret, such as the secret itself.

    Args:
        where: The field that holds it.
        reference: See `secret`.

    Raises:
        ValueError: It is none; the message does not repeat it.

    Example:
        >>> check_reference("credentials", "hunter2")
        Traceback (most recent call last):
        ...
        ValueError: credentials: expected 'env:NAME', an environment variable, or \
'package.module:function', a function without arguments, found other text, which is not shown
    """
    if not re.fullmatch(ENVIRONMENT + r"\w+", reference) and not _FUNCTION.fullmatch(reference):
        raise ValueError(
            f"{where}: expected 'env:NAME', an environment variable, or 'package.module:function', "
            "a function without arguments, found other text, which is not shown"
        )


def secret(reference: str, of: str) -> str:
    """Returns the secret that a reference names, in this process.

    Args:
        reference: ``env:NAME``, an environment variable; or ``package.module:function``, a
            function without arguments that returns text, which every worker can import.
        of: What needs it, for errors.

    Raises:
        TableFileError: The variable is not set, or the function cannot be called.

    Example:
        >>> os.environ["WINE_PASSWORD"] = "hunter2"
        >>> secret("env:WINE_PASSWORD", "wines")
        'hunter2'
    """
    if reference.startswith(ENVIRONMENT):
        name = reference[len(ENVIRONMENT) :]
        value = os.environ.get(name)
        if not value:
            raise TableFileError(
                "none",
                "set it where drivers and workers run",
                path=of,
                expected=f"the environment variable {name}",
            )
        return value
    module, _, function = reference.partition(":")
    try:
        returned = getattr(importlib.import_module(module), function)()
    except Exception as error:
        # Not its message, nor as the cause: both may hold the secret.
        found = f"{type(error).__name__} by calling it"
    else:
        if isinstance(returned, str) and returned:
            return returned
        found = f"{type(returned).__name__} without content" if not returned else "no text"
    raise TableFileError(
        found,
        "correct it where drivers and workers run",
        path=of,
        expected=f"text from {reference}",
    )
