"""When a meter that failed is asked again: pure. Dead meters must not eat the bus, however many they are (OpenEMS#6,
telegraf#11782), and noise must not make dead meters of good ones.

* Each failure in a row makes a meter rest on its own account, twice as long as the one before.
* A meter that answered the time before is asked once more after that rest: most likely it was noise.
* Otherwise all failing meters of a bus share `SHARE` of its time: after they have cost c seconds, none is asked before
  c / `SHARE` have passed since. The one that has been ready longest goes first, so nobody is forgotten.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

FIRST_S: Final = 2.0
MOST_S: Final = 300.0
SHARE: Final = 0.04
"""Of a bus's time for meters that are taken for dead; 5 % are promised, the rest is for what surrounds a job."""


@dataclass(frozen=True, slots=True)
class Health:
    """Failures of a meter in a row, and when (monotonic seconds) its own rest is over."""

    failures: int = 0
    retry_at: float = 0.0
    trusted: bool = True
    """It answered before its last failure, if it failed."""
    unpaid_s: float = 0.0
    """What that failure cost: owed only if the next is one too."""


WELL: Final = Health()


class Probation:
    """The failing meters of a bus, asked one at a time: `choose`, then `failed`, `succeeded` or `withdrawn`."""

    def __init__(self) -> None:
        self._failing: dict[str, Health] = {}
        self._proven: set[str] = set()
        self._free_at = 0.0
        self._chosen: str | None = None

    def health(self, device: str) -> Health:
        """How the meter is."""
        return self._failing.get(device, WELL)

    def is_failing(self, device: str) -> bool:
        """Whether it is asked only when `choose` says so."""
        return device in self._failing

    def failed(self, device: str, now: float, cost_s: float) -> None:
        """It failed at `now` after `cost_s` seconds on the bus."""
        self.withdrawn(device)
        before = self.health(device)
        retry_at = now + min(FIRST_S * 2**before.failures, MOST_S)
        if device in self._proven:
            self._proven.discard(device)
            self._failing[device] = Health(before.failures + 1, retry_at, trusted=True, unpaid_s=cost_s)
            return
        self._failing[device] = Health(before.failures + 1, retry_at, trusted=False)
        cost_s += before.unpaid_s
        owed_s = cost_s / SHARE
        # What many meters cost when they failed first is forgiven beyond MOST_S: it could not be known.
        self._free_at = min(max(self._free_at, now - cost_s) + owed_s, now + max(owed_s - cost_s, MOST_S))

    def must_rest(self, device: str, until: float) -> None:
        """It could not be asked and shall not be before `until`: no failure, but not well either."""
        self.withdrawn(device)
        before = self.health(device)
        retry_at = max(before.retry_at, until)
        self._failing[device] = Health(before.failures, retry_at, before.trusted, before.unpaid_s)

    def succeeded(self, device: str) -> None:
        """It answered: what was is forgotten."""
        self.withdrawn(device)
        self._failing.pop(device, None)
        self._proven.add(device)

    def withdrawn(self, device: str) -> None:
        """The meter that was chosen was not asked after all."""
        if self._chosen == device:
            self._chosen = None

    def choose(self, waiting: Collection[str], now: float) -> str | None:
        """Which of the failing meters in `waiting` may be asked now."""
        if self._chosen is not None:
            return None
        ready = [device for device in waiting if self._ready_at(device) <= now]
        if ready:
            self._chosen = min(ready, key=lambda device: self.health(device).retry_at)
        return self._chosen

    def next_at(self, waiting: Collection[str]) -> float | None:
        """When `choose` will have an answer; None if only another event can bring one."""
        if self._chosen is not None or not waiting:
            return None
        return min(map(self._ready_at, waiting))

    def _ready_at(self, device: str) -> float:
        health = self.health(device)
        return health.retry_at if health.trusted else max(health.retry_at, self._free_at)
