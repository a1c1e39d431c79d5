"""The collector rests while TFX is imported, and Beam inspects each method once."""

from __future__ import annotations

import functools
import gc
import logging
import subprocess
import sys
import weakref

import pytest

from tfx_wine_ext.startup import quick_start, remembering, set_other_levels_only

# Collects garbage before and after; in a process of its own, because freezing is for good.
PROGRAM = """
import gc, weakref
from tfx_wine_ext import quick_start

class Node: pass

def cycle():
    node = Node()
    node.itself = node
    return weakref.ref(node)

with quick_start():
    assert not gc.isenabled()
    inside = cycle()
    kept = [Node()]
assert gc.isenabled()
after = cycle()
gc.collect()
assert after() is None
assert inside() is not None
tracked = {id(each) for each in gc.get_objects()}
assert id(kept) not in tracked
assert not gc.get_stats()[2]["uncollectable"]
"""

# Reads the arguments of the methods of all steps that are imported, as Beam does alone and as it
# does after `quick_start`; then runs a pipeline.
BEAM = """
import types

from tfx_wine_ext import quick_start

import apache_beam as beam
from apache_beam.transforms import core

plain = core.get_function_args_defaults
with quick_start():
    import apache_beam.testing.util
remembered = core.get_function_args_defaults
assert remembered is not plain
with quick_start():
    pass
assert core.get_function_args_defaults is remembered

def family(kind):
    for child in kind.__subclasses__():
        yield child
        yield from family(child)

compared = 0
for kind in {*family(beam.DoFn), *family(beam.CombineFn)}:
    for name in dir(kind):
        function = getattr(kind, name, None)
        if isinstance(function, types.FunctionType):
            method = types.MethodType(function, object())
            assert remembered(method) == remembered(method) == plain(method), (kind, name)
            compared += 1
assert compared > 500, compared

with beam.Pipeline() as pipeline:
    sums = pipeline | beam.Create([("a", 1), ("a", 2), ("b", 3)]) | beam.CombinePerKey(sum)
    sums | beam.Map(print)
"""


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_collector_rests_in_the_block_and_then_passes_over_what_the_block_made():
    run(PROGRAM)


@pytest.mark.parametrize("enabled", [True, False])
def test_after_an_error_the_collector_is_as_before_and_nothing_is_frozen(enabled):
    frozen = gc.get_freeze_count()
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(ImportError, match="no module"), quick_start():
            raise ImportError("no module")
        assert gc.isenabled() is enabled
    finally:
        gc.enable()
    assert gc.get_freeze_count() <= frozen  # What was frozen before may be gone.


class Step:
    def process(self, element, window=3): ...

    @classmethod
    def of_class(cls, element): ...

    @staticmethod
    def of_none(element): ...


class Other(Step):
    def process(self, element): ...


def test_a_method_is_inspected_once_and_anything_else_each_time():
    inspected = []

    def read(called):
        inspected.append(called)
        return ["element"], [len(inspected)]

    remembered = remembering(read)
    assert remembered(Step().process) == (["element"], [1])
    assert remembered(Step().process) == (["element"], [1])
    assert remembered(Other().process) == (["element"], [2])
    assert remembered(Step.of_class) == remembered(Other.of_class) == (["element"], [3])
    for number, called in enumerate([Step.of_none, Step.process, len, functools.partial(len)]):
        assert remembered(called) == (["element"], [4 + 2 * number])
        assert remembered(called) == (["element"], [5 + 2 * number])


def test_who_changes_an_answer_does_not_change_the_next_one():
    remembered = remembering(lambda called: (["element"], [1]))
    names, defaults = remembered(Step().process)
    names.clear()
    defaults.append(2)
    assert remembered(Step().process) == (["element"], [1])


def test_a_function_that_is_gone_is_forgotten():
    class Passing:
        def process(self): ...

    remembered = remembering(lambda called: ([], []))
    remembered(Passing().process)
    function = weakref.ref(Passing.process)
    del Passing
    gc.collect()
    assert function() is None


def test_only_another_level_is_set_which_empties_the_caches_of_all_loggers():
    log, other = logging.getLogger("startup.log"), logging.getLogger("startup.other")
    log.setLevel(logging.WARNING)
    set_other_levels_only(log)
    set_other_levels_only(log)
    assert not log.isEnabledFor(logging.INFO)
    assert other.isEnabledFor(logging.CRITICAL)
    log.setLevel(logging.WARNING)
    assert other._cache
    log.setLevel(logging.INFO)
    assert not other._cache
    assert log.isEnabledFor(logging.INFO)
    log.setLevel("ERROR")
    assert log.level == logging.ERROR


@pytest.mark.e2e
def test_beam_gets_the_same_arguments_of_every_step_that_it_has():
    assert sorted(run(BEAM).splitlines()) == ["('a', 3)", "('b', 3)"]
