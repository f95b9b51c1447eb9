"""Stand-ins for the ports of `shared`, for tests of all parts."""

import asyncio
import time
from datetime import datetime, timedelta

from shared.clock import EPOCH


class ManualClock:
    """A clock that stands still until the test moves it."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError(f"ManualClock takes aware instants only; {start.isoformat()} has no zone.")
        self._now = start

    def now(self) -> datetime:
        return self._now.astimezone(EPOCH.tzinfo)

    def now_ms(self) -> int:
        return (self._now - EPOCH) // timedelta(milliseconds=1)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep_until(self, instant: datetime) -> None:
        while self._now < instant:
            await asyncio.sleep(0.001)

    @property
    def look_s(self) -> float:
        return 0.001

    def set(self, instant: datetime) -> None:
        """Step to `instant`."""
        self._now = instant

    def advance(self, by: timedelta) -> None:
        """Step forward by `by`."""
        self._now += by
