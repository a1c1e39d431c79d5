"""Python's own share of a pipeline's time: `quick_start` lowers it.

This module imports neither TFX nor Beam.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import sys
import types
import weakref
from collections.abc import Iterator
from typing import Any, Callable

_Arguments = tuple[list[str], list[Any]]


@contextlib.contextmanager
def quick_start() -> Iterator[None]:
    """Makes the import of TFX in its block faster, and the pipelines that this process runs later.

    Results do not change. These cost a pipeline on few data a quarter of its time:

    - The garbage collector looks again and again at the 700,000 objects that TFX and TensorFlow
      create when they are imported. It rests in the block, and afterwards it passes over what the
      block has created (`gc.freeze`), also when the interpreter ends. Cyclic garbage of the block
      is kept, some megabytes: import in it, and do the work after it.
    - Beam inspects the signatures of the same methods for every step of every pipeline, and sets
      the level of dill's logger whenever it pickles, which makes all loggers forget theirs. Now
      it inspects each method once, and a level that is equal is not set again.

    If the block raises an exception, the collector goes on as before.

    Example:
        >>> import gc
        >>> with quick_start():
        ...     import json  # Yours: the module that imports TFX and builds the pipeline.
        >>> gc.isenabled(), gc.get_freeze_count() > 0
        (True, True)
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
        _inspect_once()
        set_other_levels_only(logging.getLogger("dill"))
    finally:
        if enabled:
            gc.enable()


def _inspect_once() -> None:
    """Makes Beam remember the signatures of methods, if it is imported."""
    core = sys.modules.get("apache_beam.transforms.core")
    read = getattr(core, "get_function_args_defaults", None)
    if core is not None and read is not None and not hasattr(read, "__wrapped__"):
        core.get_function_args_defaults = remembering(read)  # type: ignore[attr-defined]


def remembering(read: Callable[[Any], _Arguments]) -> Callable[[Any], _Arguments]:
    """Returns a function that does the same, but inspects each function of a class only once.

    Args:
        read: From a callable to the names of its arguments, and its defaults, without those that
            are bound. For methods they depend on the function in the class alone.
    """
    known: weakref.WeakKeyDictionary[types.FunctionType, _Arguments]
    known = weakref.WeakKeyDictionary()

    @functools.wraps(read)
    def remembered(called: Any) -> _Arguments:
        function = called.__func__ if type(called) is types.MethodType else None
        if type(function) is not types.FunctionType:
            return read(called)
        if function not in known:
            known[function] = read(called)
        names, defaults = known[function]
        return [*names], [*defaults]

    return remembered


def set_other_levels_only(log: logging.Logger) -> None:
    """Makes `setLevel` pass over an equal level, which would empty the caches of all loggers.

    Args:
        log: The logger.
    """
    if "setLevel" not in vars(log):
        set_level = log.setLevel

        def set_other_level(level: int | str) -> None:
            if level != log.level:
                set_level(level)

        log.setLevel = set_other_level  # type: ignore[method-assign]
