"""A half-duplex serial line as arithmetic: when which octet has passed, and what the master does against the rules.

No I/O and no clock: every call says what time it is, in seconds of a clock that never steps.
"""

from dataclasses import dataclass
from typing import Final

_FAST_LINE_BAUD: Final = 19_200
_FAST_LINE_GAP_S: Final = 0.00175
"""Modbus over serial line 1.02, 2.5.1.1: above 19,200 Bd t3.5 is fixed."""


@dataclass(frozen=True, slots=True)
class LineSpeed:
    """How fast a line is and how it is kept silent."""

    baud: int
    bits_per_character: int = 10
    turnaround_s: float = 0.005
    """From the end of a request (and of the silence that ends it) to the first bit of the answer."""
    silent_gaps: bool = False
    """Modbus RTU: frames are parted by 3.5 characters of silence."""

    @property
    def character_s(self) -> float:
        """Duration of one octet on the line."""
        return self.bits_per_character / self.baud

    @property
    def gap_s(self) -> float:
        """t3.5, or 0 where the protocol has no silent gaps."""
        if not self.silent_gaps:
            return 0.0
        return _FAST_LINE_GAP_S if self.baud > _FAST_LINE_BAUD else 3.5 * self.character_s


@dataclass(slots=True)
class LineCounts:
    """What happened on a line; `collisions` and `short_gaps` are the master's faults."""

    requests: int = 0
    """Times the master began to send after the line was idle."""
    octets_in: int = 0
    octets_out: int = 0
    answers: int = 0
    collisions: int = 0
    """Times the master sent while an answer was due or under way; what it sent then is lost."""
    octets_collided: int = 0
    short_gaps: int = 0
    """Requests begun less than t3.5 after the last octet before them (Modbus RTU)."""
    least_gap_s: float | None = None
    """Shortest silence before a request after an answer. A machine that is late to look sees it longer than it was,
    never shorter; over many requests the shortest is right."""
    overrun: int = 0
    """Times the master sent into octets that nobody asked for: not its fault, and what it sent is lost all the same."""
    octets_unread: int = 0
    """Octets that did not fit because nobody took them from the client's side."""
    octets_at_wrong_speed: int = 0
    """Octets that one side sent while the other had another speed."""
    busy_s: float = 0.0
    """Time for which octets were on the line."""


class HalfDuplex:
    """The line between one master and its meters."""

    def __init__(self, speed: LineSpeed) -> None:
        self.speed = speed
        self.counts = LineCounts()
        self._request_end = float("-inf")
        """When the last octet of the request so far has passed."""
        self._quiet_since = float("-inf")
        """When the last octet in either direction had passed."""
        self._answer = b""
        self._answer_start = 0.0
        self._sent = 0
        self._open_request = False
        self._colliding = False
        self._unasked = False
        """What is on the line, or was last, is nothing that the master could expect."""

    def request(self, now: float, data: bytes) -> float | None:
        """The master has sent `data` at `now`. When the meters will have it; None if it was lost in a collision."""
        if self._answer:
            if not self._colliding and self._unasked:
                self.counts.overrun += 1
            elif not self._colliding:
                self.counts.collisions += 1
            self._colliding = True
            self.counts.octets_collided += len(data)
            return None
        start = max(now, self._request_end)
        if not self._open_request:
            self._open_request = True
            self.counts.requests += 1
            if not self._unasked:
                self._note_gap(start - self._quiet_since)
        self._request_end = self._quiet_since = start + len(data) * self.speed.character_s
        self.counts.octets_in += len(data)
        self.counts.busy_s += len(data) * self.speed.character_s
        return self._request_end

    def _note_gap(self, gap_s: float) -> None:
        if gap_s < self.speed.gap_s:
            self.counts.short_gaps += 1
        if self.counts.answers and (self.counts.least_gap_s is None or gap_s < self.counts.least_gap_s):
            self.counts.least_gap_s = gap_s

    @property
    def request_end(self) -> float:
        """When the request so far has passed."""
        return self._request_end

    def answer(self, data: bytes, not_before: float = float("-inf")) -> None:
        """The meters answer the request that has passed; the first octet starts after silent gap and turnaround.

        `not_before`: when a frame's end was known later, by silence.
        """
        start = max(self._request_end + self.speed.gap_s + self.speed.turnaround_s, not_before)
        self._answer, self._answer_start, self._sent = data, start, 0
        self._colliding = self._unasked = False
        self.counts.answers += 1
        self.counts.busy_s += len(data) * self.speed.character_s

    def interject(self, now: float, data: bytes) -> None:
        """Octets that the master does not expect: at once, before an answer that is due, or after one under way."""
        self.counts.busy_s += len(data) * self.speed.character_s
        if not self._answer:
            self._answer, self._answer_start, self._sent = data, max(now, self._request_end), 0
            self._colliding, self._unasked = False, True
        elif self._sent == 0 and now < self._answer_start:
            self._answer = data + self._answer
        else:
            self._answer += data
            self._unasked = True

    def close_request(self) -> None:
        """Nobody answers: what comes next is a new request."""
        self._open_request = False

    @property
    def answering(self) -> bool:
        """Whether an answer is due or under way."""
        return bool(self._answer)

    def due(self, now: float) -> bytes:
        """Octets of the answer that have wholly passed since the last call: never early, late ones at once."""
        passed = int((now - self._answer_start) / self.speed.character_s + 1e-9)
        passed = min(max(passed, self._sent), len(self._answer))
        data = self._answer[self._sent : passed]
        self._sent = passed
        self.counts.octets_out += len(data)
        if self._answer and passed == len(self._answer):
            self._answer = b""
            self._open_request = False
            self.released(now)
        return data

    def released(self, now: float) -> None:
        """What `due` gave was handed over at `now`: measured, not as scheduled, because the master could not know of
        the end before it was there.
        """
        self._quiet_since = now

    def next_due(self, now: float, chunk_s: float) -> float | None:
        """When to call `due` again: some octets later, but exactly at the end; None without an answer."""
        if not self._answer:
            return None
        end = self._answer_start + len(self._answer) * self.speed.character_s
        return min(max(now, self._answer_start) + max(chunk_s, self.speed.character_s), end)
