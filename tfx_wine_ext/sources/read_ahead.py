"""Reads on a second thread what will be used next."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

_Item = TypeVar("_Item")


def read_ahead(
    items: Generator[_Item, None, None], size: Callable[[_Item], int], limit: int
) -> Generator[_Item, None, None]:
    r"""Yields items that another thread makes meanwhile.

    Python runs one thread at a time, but unpacking, numpy and Arrow work without its lock.

    Args:
        items: Makes the items. It runs and is closed on the other thread, which has ended as soon
            as this generator is exhausted or closed.
        size: Returns the bytes that an item takes in memory.
        limit: The next item is made only while those in memory, including the one in use, take
            fewer bytes than this.

    Raises:
        BaseException: What `items` raises, after the items before it.

    Example:
        >>> list(read_ahead((bytes(n) for n in (1, 2)), len, 10))
        [b'\x00', b'\x00\x00']
    """
    changed = threading.Condition()
    made: list[tuple[Any, BaseException | None]] = []  # None: there are no more items.
    used = 0
    stopped = False

    def may_go_on() -> bool:
        return used < limit or stopped

    def run() -> None:
        nonlocal used
        end: BaseException = StopIteration()
        try:
            for item in items:
                with changed:
                    made.append((item, None))
                    used += size(item)
                    changed.notify()
                    del item
                    changed.wait_for(may_go_on)
                    if stopped:
                        break
        except BaseException as error:
            end = error
        finally:
            items.close()
        with changed:
            made.append((None, end))
            changed.notify()

    thread = threading.Thread(target=run, name="tfx_wine_ext.read_ahead", daemon=True)

    def stop() -> None:
        nonlocal stopped
        with changed:
            stopped = True
            changed.notify()
        thread.join()

    thread.start()
    # A generator that is still open at the interpreter's exit is closed when no thread runs: to
    # wait for this one would then take forever.
    atexit.register(stop)
    try:
        while True:
            with changed:
                changed.wait_for(lambda: made)
                item, end = made.pop(0)
            if isinstance(end, StopIteration):
                return
            if end is not None:
                raise end
            taken, only = size(item), [item]
            del item
            yield only.pop()  # No reference is kept here while the caller uses it.
            with changed:
                used -= taken
                changed.notify()
    finally:
        stop()
        atexit.unregister(stop)
