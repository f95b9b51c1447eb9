"""What goes wrong between meters and line, by a scenario and from a seed: the same faults at every run, as far as the
master asks the same. No I/O; instants are the scenario's clock, delays wall seconds.

A fault concerns a whole answer (one frame of Modbus, a window of HDLC, a message of mode C). At most one of a kind hits
an answer; noise inside alters one octet, so that every checksum must notice it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, NamedTuple

from msgspec import Meta, Struct

from firmware_sims.loads.noise import key

Permille = Annotated[int, Meta(ge=0, le=1000)]
Milliseconds = Annotated[float, Meta(ge=0, le=60_000)]
Instant = Annotated[datetime, Meta(tz=True)]

_NOISE_MOST: Final = 6
"""Octets of noise before or after an answer, at most."""
_ALWAYS: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


class Outage(Struct, frozen=True, forbid_unknown_fields=True):
    """A meter that is dead: always, or from and to an instant. It restarts when it comes back."""

    meter: str
    begin: Instant = _ALWAYS[0]
    end: Instant = _ALWAYS[1]


class Restart(Struct, frozen=True, forbid_unknown_fields=True):
    """A meter loses its associations and sequence numbers at an instant."""

    meter: str
    at: Instant


class LineFaults(Struct, frozen=True, forbid_unknown_fields=True):
    """Faults of a line; the shares are of its answers."""

    seed: Annotated[int, Meta(ge=0)] = 0
    noise_before: Permille = 0
    noise_inside: Permille = 0
    noise_after: Permille = 0
    truncated: Permille = 0
    lost: Permille = 0
    """The answer does not come at all."""
    doubled: Permille = 0
    slow: Permille = 0
    """The answer begins `slow_ms` later."""
    slow_ms: Milliseconds = 200
    late: Permille = 0
    """The answer comes `late_ms` later, when the master has given up; the line is free meanwhile."""
    late_ms: Milliseconds = 1000
    echo: bool = False
    """The master hears what it sends (serial lines only)."""
    dead: tuple[Outage, ...] = ()
    restarts: tuple[Restart, ...] = ()


@dataclass(slots=True)
class FaultCounts:
    """Faults that happened."""

    answers: int = 0
    """Answers that could have been hit."""
    noise_before: int = 0
    noise_inside: int = 0
    noise_after: int = 0
    truncated: int = 0
    lost: int = 0
    doubled: int = 0
    slow: int = 0
    late: int = 0
    dead: int = 0
    """Answers that a dead meter did not give."""
    restarts: int = 0
    octets_echoed: int = 0


class Spoilt(NamedTuple):
    """What becomes of an answer."""

    octets: bytes
    """What goes onto the line in its place; empty if nothing does for now."""
    delay_s: float = 0.0
    """On top of the turnaround."""
    later: tuple[tuple[float, bytes], ...] = ()
    """What goes onto the line after so many seconds, whoever speaks then."""


class FaultLayer:
    """Stands between the meters of a line and the line. `speaker` tells from an answer whose it is; `restart` has, by
    meter, what makes it forget.
    """

    def __init__(
        self,
        faults: LineFaults,
        speaker: Callable[[bytes], str | None],
        restart: Mapping[str, Callable[[], None]],
        now: Callable[[], datetime],
    ) -> None:
        self.faults = faults
        self.counts = FaultCounts()
        self._speaker = speaker
        self._restart = restart
        self._now = now
        self._looked_at = now()
        self._throws = 0

    def look(self) -> None:
        """Restart whoever has to by now; to be called before the meters hear anything."""
        before, now = self._looked_at, self._now()
        self._looked_at = now
        due = [restart.meter for restart in self.faults.restarts if before < restart.at <= now]
        due += [outage.meter for outage in self.faults.dead if before < outage.end <= now]
        for meter in due:
            self.counts.restarts += 1
            self._forget(meter)

    def spoil(self, answer: bytes) -> Spoilt:
        """What becomes of `answer`."""
        faults, counts = self.faults, self.counts
        speaker = self._speaker(answer)
        if speaker is not None and self._is_dead(speaker):
            counts.dead += 1
            self._forget(speaker)
            return Spoilt(b"")
        counts.answers += 1
        if self._happens(faults.lost):
            counts.lost += 1
            return Spoilt(b"")
        octets = answer
        if self._happens(faults.truncated) and len(octets) > 1:
            counts.truncated += 1
            octets = octets[: 1 + self._below(len(octets) - 1)]
        if self._happens(faults.noise_inside):
            counts.noise_inside += 1
            place = self._below(len(octets))
            octets = octets[:place] + bytes([octets[place] ^ (1 + self._below(255))]) + octets[place + 1 :]
        if self._happens(faults.noise_before):
            counts.noise_before += 1
            octets = self._noise() + octets
        if self._happens(faults.noise_after):
            counts.noise_after += 1
            octets += self._noise()
        if self._happens(faults.late):
            counts.late += 1
            return Spoilt(b"", later=((faults.late_ms / 1000, octets),))
        later: tuple[tuple[float, bytes], ...] = ()
        if self._happens(faults.doubled):
            counts.doubled += 1
            later = ((0.0, octets),)
        if self._happens(faults.slow):
            counts.slow += 1
            return Spoilt(octets, faults.slow_ms / 1000, later)
        return Spoilt(octets, later=later)

    def _forget(self, meter: str) -> None:
        self._restart.get(meter, lambda: None)()

    def _is_dead(self, meter: str) -> bool:
        now = self._now()
        return any(outage.meter == meter and outage.begin <= now < outage.end for outage in self.faults.dead)

    def _happens(self, permille: int) -> bool:
        return self._below(1000) < permille

    def _noise(self) -> bytes:
        return bytes(self._below(256) for _ in range(1 + self._below(_NOISE_MOST)))

    def _below(self, bound: int) -> int:
        self._throws += 1
        return key(self.faults.seed, self._throws) % bound
