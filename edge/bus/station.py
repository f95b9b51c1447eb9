"""A meter as its bus knows it: what it needs, and how it has answered so far."""

from dataclasses import dataclass, field

from edge.bus.counters import DeviceCounters
from edge.bus.patience import Patience


@dataclass(slots=True)
class Station:
    """One meter on a bus."""

    min_gap_s: float = 0.0
    """Silence that it needs before each request, where that is more than the line's own."""
    timeout_least_s: float = 0.3
    """The adaptive time-out does not fall below."""
    patience: Patience = field(default_factory=Patience)
    counters: DeviceCounters = field(default_factory=DeviceCounters)
