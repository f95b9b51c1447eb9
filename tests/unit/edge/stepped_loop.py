"""An event loop whose time passes only while everybody waits: hours of pacing and rests take no time, and a run is the
same each time.
"""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from shared.testing import ManualClock

T = TypeVar("T")


class _NoWaiting(selectors.DefaultSelector):
    """Looks, and lets the time pass that it was told to wait."""

    passed: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not found:
            assert timeout is not None, "everybody waits for ever"
            self.passed(timeout)
        return found


class SteppedLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 1000 s."""

    def __init__(self) -> None:
        self._at = 1000.0
        selector = _NoWaiting()
        selector.passed = self._pass
        super().__init__(selector)

    def _pass(self, seconds: float) -> None:
        # A little more than asked for, lest a sum of floats stops just short of the timer.
        self._at += max(seconds, 0.0) + 1e-6

    def time(self) -> float:
        return self._at


class SteppedClock(ManualClock):
    """Stands still until it is moved; its monotonic seconds are the running loop's."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class AtOnce(ThreadPoolExecutor):
    """An executor that works in the caller's thread."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done
