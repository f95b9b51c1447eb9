"""What is counted of buses and meters since the agent's start, as plain data."""

from bisect import bisect_left
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from edge.errors import (
    CollisionError,
    DeviceRefusedError,
    DeviceSilentError,
    LineAmbiguousError,
    LineDownError,
)

BOUNDS_S: Final = (
    0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0,
)  # fmt: skip
"""Upper bounds of the classes of latency; what is slower is in one more."""


class Fault(StrEnum):
    """Kinds of failed jobs."""

    TIMEOUT = "timeout"
    """Nothing came."""
    CRC = "crc"
    """Something came, but no whole frame with a right checksum."""
    REFUSED = "refused"
    GARBLED = "garbled"
    """A whole frame that is no answer to the question."""
    COLLISION = "collision"
    """The echo differs from what was sent."""
    AMBIGUOUS = "ambiguous"
    """Not asked, because a late answer might be taken for the new one's."""
    LINE_DOWN = "line-down"


def fault_of(error: BaseException, *, heard: bool) -> Fault:
    """Kind of a job's failure; `heard` whether octets came since the last request."""
    match error:
        case LineDownError():
            return Fault.LINE_DOWN
        case LineAmbiguousError():
            return Fault.AMBIGUOUS
        case CollisionError():
            return Fault.COLLISION
        case DeviceRefusedError():
            return Fault.REFUSED
        case DeviceSilentError():
            return Fault.CRC if heard else Fault.TIMEOUT
    return Fault.GARBLED


@dataclass(slots=True)
class Latencies:
    """Seconds from the end of a request to its answer, in classes (`BOUNDS_S` and one above)."""

    classes: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    count: int = 0
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.classes[bisect_left(BOUNDS_S, seconds)] += 1
        self.count += 1
        self.sum_s += seconds

    def quantile_s(self, quantile: float) -> float | None:
        """Upper bound of the class in which that share of all lies; None without any, infinite above the last."""
        passed, wanted = 0, quantile * self.count
        for bound, number in zip((*BOUNDS_S, float("inf")), self.classes, strict=True):
            passed += number
            if passed and passed >= wanted:
                return bound
        return None


@dataclass(slots=True)
class JobCounters:
    """Jobs with one meter, or of one bus."""

    jobs: int = 0
    failed: int = 0
    busy_s: float = 0.0
    """Time in which the bus was held by them, and drained after them; its rate is the utilisation."""
    faults: dict[Fault, int] = field(default_factory=dict)
    latency: Latencies = field(default_factory=Latencies)

    def count_failure(self, fault: Fault) -> None:
        """One job failed."""
        self.failed += 1
        self.faults[fault] = self.faults.get(fault, 0) + 1


@dataclass(slots=True)
class DeviceCounters(JobCounters):
    """Jobs with one meter. Jobs that failed because the line did are among them."""


@dataclass(slots=True)
class BusCounters(JobCounters):
    """Jobs of one bus."""

    connections: int = 0
    probes: int = 0
    """Jobs with meters that had failed before."""
    probes_s: float = 0.0
    """Part of `busy_s` that went to probes which failed as well: what dead meters cost."""
    waited_most_s: dict[str, float] = field(default_factory=dict)
    """Longest wait for the bus, by lane; meters that had failed left out."""
