"""Reads on a second thread what will be used next."""

from __future__ import annotations

import atexit
import queue
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
    # Queues in C: an interrupt (Ctrl-C) leaves no lock of theirs held, as it may a Condition's.
    made: queue.SimpleQueue[tuple[Any, int, BaseException | None]] = queue.SimpleQueue()
    freed: queue.SimpleQueue[int | None] = queue.SimpleQueue()  # None: no more items are wanted.

    def run() -> None:
        end: BaseException = StopIteration()
        used = 0
        try:
            for item in items:
                taken = size(item)
                used += taken
                made.put((item, taken, None))
                del item
                while used >= limit or not freed.empty():
                    free = freed.get()
                    if free is None:
                        return
                    used -= free
        except BaseException as error:
            end = error
        finally:
            items.close()
            made.put((None, 0, end))

    thread = threading.Thread(target=run, name="tfx_wine_ext.read_ahead", daemon=True)

    def stop() -> None:
        freed.put(None)
        if thread.ident is not None:  # Interrupted while it was started, it ends by itself.
            thread.join()

    # A generator that is still open at the interpreter's exit is closed when no thread runs: to
    # wait for this one would then take forever.
    atexit.register(stop)
    try:
        thread.start()
        while True:
            item, taken, end = made.get()
            if isinstance(end, StopIteration):
                return
            if end is not None:
                raise end
            only = [item]
            del item
            yield only.pop()  # No reference is kept here while the caller uses it.
            freed.put(taken)
    finally:
        stop()
        atexit.unregister(stop)
