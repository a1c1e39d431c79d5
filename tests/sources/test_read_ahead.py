import signal
import subprocess
import sys
import threading
import time

import pytest

from tfx_wine_ext.sources.read_ahead import read_ahead


def made(*items, log=None, error=None):
    try:
        for item in items:
            if log is not None:
                log.append(item)
            yield item
        if error is not None:
            raise error
    finally:
        if log is not None:
            log.append("closed")


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def test_all_items_come_in_order_and_are_made_on_another_thread():
    threads = []

    def items():
        for item in (b"a", b"", b"ccc"):
            threads.append(threading.current_thread())
            yield item

    assert list(read_ahead(items(), len, 2)) == [b"a", b"", b"ccc"]
    assert threading.current_thread() not in threads
    assert list(read_ahead(made(), len, 2)) == []


def test_an_error_comes_after_the_items_before_it():
    ahead = read_ahead(made(b"a", b"b", error=ValueError("bad")), len, 100)
    assert [next(ahead), next(ahead)] == [b"a", b"b"]
    with pytest.raises(ValueError, match="bad"):
        next(ahead)
    with pytest.raises(StopIteration):
        next(ahead)


def test_no_more_is_made_than_fits_beside_what_is_in_use():
    log = []
    ahead = read_ahead(made(b"1234", b"12345", b"6", b"7", log=log), len, 8)
    assert next(ahead) == b"1234"
    while len(log) < 2:  # 4 bytes are below the limit, 9 are not.
        pass
    assert log == [b"1234", b"12345"]
    assert next(ahead) == b"12345"
    assert list(ahead) == [b"6", b"7"]
    assert log[-1] == "closed"


def test_whoever_closes_it_early_has_closed_what_it_reads_from():
    log = []
    ahead = read_ahead(made(*[b"x"] * 1000, log=log), len, 3)
    next(ahead)
    ahead.close()
    assert log[-1] == "closed"
    assert len(log) < 10


def test_an_error_of_the_user_ends_the_thread_too():
    log = []

    def use():
        for _ in read_ahead(made(*[b"x"] * 9, log=log), len, 1):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert log == [b"x", "closed"]


def test_one_that_is_open_at_the_interpreters_exit_is_stopped_first():
    program = """
from tfx_wine_ext.sources.read_ahead import read_ahead
def items():
    try:
        while True:
            yield b"x"
    finally:
        print("closed")
ahead = read_ahead(items(), len, 2)
next(ahead)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (run.returncode, run.stdout.split(), run.stderr) == (0, [b"closed"], b"")


def test_interrupts_at_any_time_leave_no_thread_and_no_lock():
    def items():
        while True:
            time.sleep(0.0005)
            yield b"x"

    def use():
        for _ in read_ahead(items(), len, 3):
            pass

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for number in range(60):
            signal.setitimer(signal.ITIMER_REAL, 0.001 + 0.0001 * number)
            with pytest.raises(KeyboardInterrupt):
                use()
    finally:
        signal.signal(signal.SIGALRM, before)
