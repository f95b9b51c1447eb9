"""When which series is sampled. One timer for all of an agent's series, whatever their number: those of one period and
phase are fired together.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from edge.live.target import Target
from shared.clock import Clock

PHASE_STEP_MS: Final = 2
"""Finer phases would only wake the agent more often."""
GOLDEN: Final = 0.618033988749895


@dataclass(order=True, slots=True)
class _Group:
    due: int
    """ms UTC."""
    number: int
    period_ms: int = field(compare=False)
    phase_ms: int = field(compare=False)
    targets: list[Target] = field(compare=False, default_factory=list)

    def begin(self, now: int) -> None:
        """The first slot after `now` is the next one."""
        self.due = (now // self.period_ms + 1) * self.period_ms + self.phase_ms


def spread_of(place: int) -> float:
    """From 0 to 1: numbers that lie far apart for places that follow one another, however many there will be."""
    return place * GOLDEN % 1.0


def phase_of(place: int, period_ms: int) -> int:
    """Phase, in ms after the grid instant, of the series made at `place`: within the first half of the period, so that
    the answer has the other half to come.
    """
    half = period_ms // 2
    phases = max(1, half // PHASE_STEP_MS)
    return int(spread_of(place) * phases) * half // phases


class Timetable:
    """Groups of series by period and phase, ordered by what is due next."""

    def __init__(self) -> None:
        self._groups: list[_Group] = []
        self._places = itertools.count()

    def add(self, target: Target, now: int) -> None:
        """`target` is sampled from its series' first slot on."""
        period = target.series.period_ms
        phase = phase_of(next(self._places), period)
        for group in self._groups:
            if (group.period_ms, group.phase_ms) == (period, phase):
                group.targets.append(target)
                return
        group = _Group(0, len(self._groups), period, phase, [target])
        group.begin(now)
        heapq.heappush(self._groups, group)

    def remove(self, target: Target) -> None:
        """`target` is not sampled any more."""
        for group in self._groups:
            if target in group.targets:
                group.targets.remove(target)
        self._groups = [group for group in self._groups if group.targets]
        heapq.heapify(self._groups)

    def clock_went_back(self, now: int) -> None:
        """Each series goes on with the first slot after `now`."""
        for group in self._groups:
            group.begin(now)
            for target in group.targets:
                target.series.first = group.due - group.phase_ms
        heapq.heapify(self._groups)

    def next_due(self) -> int | None:
        """When to call `fire`, ms UTC."""
        return self._groups[0].due if self._groups else None

    def fire(self, now: int, *, poll: bool = True) -> None:
        """Sample all that is due at `now`, each for its present slot; without `poll` the slots pass unsampled."""
        groups = self._groups
        while groups and groups[0].due <= now:
            group = groups[0]
            slot = (now - group.phase_ms) // group.period_ms * group.period_ms
            if poll:
                for target in group.targets:
                    target.poll(slot)
            else:
                for target in group.targets:
                    target.series.passed(slot)
            group.due = slot + group.period_ms + group.phase_ms
            heapq.heapreplace(groups, group)


async def keep_time(timetable: Timetable, clock: Clock, has_room: Callable[[], bool]) -> None:
    """Fire what is due, for ever. `has_room` tells whether what is sampled can be kept."""
    before = clock.now_ms()
    while True:
        now = clock.now_ms()
        if now < before:
            timetable.clock_went_back(now)
        before = now
        due = timetable.next_due()
        if due is not None and due <= now:
            timetable.fire(now, poll=has_room())
            due = timetable.next_due()
        wait = clock.look_s if due is None else min(max(due - now, 0) / 1000, clock.look_s)
        await asyncio.sleep(wait)
