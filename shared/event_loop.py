"""An event loop whose timers keep to microseconds: silent intervals of a serial line are 1.75 to 4 ms."""

import asyncio
import select
import selectors


class _PreciseEpoll(selectors.EpollSelector):
    """epoll's own time-out is whole milliseconds, which asyncio rounds up; select's is microseconds, and an epoll
    descriptor can itself be waited for.
    """

    def select(self, timeout: float | None = None) -> "list[tuple[selectors.SelectorKey, int]]":
        if timeout is not None and timeout > 0:
            # One descriptor that was opened with the loop: far below the 1,024 that select can take.
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        return super().select(timeout)


def precise_event_loop() -> asyncio.AbstractEventLoop:
    """A new loop for `asyncio.Runner(loop_factory=precise_event_loop)`."""
    return asyncio.SelectorEventLoop(_PreciseEpoll())
