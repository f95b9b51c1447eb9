"""What central has in evidence, and what that means for the rows to be read: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from edge.config import DeviceConfig
from edge.schedule import first_day
from edge.timeline import HOUR_MS
from shared.clock import EPOCH
from shared.wire import Evidence

Register = tuple[str, str]
"""Device, and register on the wire."""


def profiles_since(devices: Iterable[DeviceConfig]) -> int:
    """From when on load profiles are read, ms UTC; 0 if there are none."""
    starts = [first_day(device.profile).start for device in devices if device.profile is not None]
    return (min(starts) - EPOCH) // timedelta(milliseconds=1) if starts else 0


def profile_registers(devices: Iterable[DeviceConfig]) -> dict[Register, int]:
    """Columns of load profiles with their steps, ms."""
    return {
        (device.id, register.register): device.profile.step_s * 1000
        for device in devices
        if device.profile is not None
        for register in device.profile.registers
    }


def window(page: Evidence) -> tuple[int, int]:
    """What an answer speaks of, whole hours, ms UTC."""
    since, asked = (-(-each // HOUR_MS) * HOUR_MS for each in (page.since, page.asked))
    return since, max(since, asked)


@dataclass(slots=True)
class Pages:
    """Pages of one answer as they come. An answer to another birth, or from a database with another incarnation, begins
    anew; pages of several answers to the same birth are as good as each other.
    """

    _found: dict[int, Evidence] = field(default_factory=dict)

    def take(self, page: Evidence) -> bool:
        """Whether `page` makes the answer whole."""
        first = next(iter(self._found.values()), page)
        if (first.asked, first.pages, first.incarnation) != (page.asked, page.pages, page.incarnation):
            self._found.clear()
        self._found[page.page] = page
        return len(self._found) == page.pages

    def evidence(self, steps: Mapping[Register, int]) -> dict[Register, list[tuple[int, int]]]:
        """Spans by register, of the whole answer: whole intervals of `steps`; forgets the pages."""
        pages, self._found = self._found, {}
        found: dict[Register, list[tuple[int, int]]] = {}
        for page in pages.values():
            for device, register, bounds in page.registers:
                step = steps.get((device, register), 1)
                spans = found.setdefault((device, register), [])
                for begin, end in zip(bounds[::2], bounds[1::2], strict=False):
                    spans.append((-(-begin // step) * step, end // step * step))
        return found
