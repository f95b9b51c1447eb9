"""A serial bus as a pseudo-terminal, paced to the line's speed in wall time in both directions.

The client's side is reached by a symbolic link. This side keeps it open too, so that clients may come and go. A
pseudo-terminal has no parity bit; the line's characters are counted with it by `bits_per_character`.
"""

import asyncio
import os
import termios
import tty
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from firmware_sims.faults import FaultLayer
from firmware_sims.half_duplex import HalfDuplex, LineSpeed

_CHUNK_S: Final = 0.004
"""Answers are handed over in portions of this length: smooth for the client, cheap for us (250 wake-ups a second
while a line answers, none while it is idle)."""
_SILENCE_S: Final = 0.03
"""Silence that ends a frame, at the least: longer than t3.5, because a loaded machine may deliver a request in
pieces this far apart."""
_INTERJECT_AGAIN_S: Final = 0.002
_READ_SIZE: Final = 4096


class Stations(Protocol):
    """The meters on a line; they hear all the master sends."""

    def receive(self, data: bytes) -> bytes:
        """What they answer to these octets; empty if nobody is meant or the request is not complete."""
        ...

    def silence(self) -> bytes:
        """What they answer now that the line has been silent, for protocols whose frames end so."""
        ...


@runtime_checkable
class SpeedingStations(Stations, Protocol):
    """Meters that change the line's speed while they are spoken to (IEC 62056-21)."""

    baud: int
    """What they listen and answer at."""
    reaction_s: float
    """Least time before the answer that they gave last."""

    def answered(self) -> None:
        """Their answer has gone."""
        ...


class LineError(OSError):
    """A line that cannot be opened."""


class SerialLine:
    """One paced bus. `open`, and `close` in the end; runs in the current event loop between them."""

    def __init__(
        self, link: Path | str, speed: LineSpeed, stations: Stations, faults: FaultLayer | None = None
    ) -> None:
        self.wire = HalfDuplex(speed)
        self._link = Path(link)
        self._stations = stations
        self._faults = faults
        self._speeding = stations if isinstance(stations, SpeedingStations) else None
        self._follow()
        self._silence_s = max(_SILENCE_S, speed.gap_s)
        self._received = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._planned = False
        self._master = self._slave = -1

    def open(self) -> None:
        """Make the pseudo-terminal and its link, and listen. Raises `LineError`."""
        self._loop = asyncio.get_running_loop()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        fresh = self._link.with_name(f".{self._link.name}.new")
        try:
            self._link.parent.mkdir(parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(os.ttyname(self._slave))
            fresh.replace(self._link)
        except OSError as error:
            self.close()
            raise LineError(
                f"The line's link {self._link} cannot be made ({error.strerror}); name a path that can be written."
            ) from None
        self._loop.add_reader(self._master, self._read)

    def close(self) -> None:
        """Stop and take the link away, if it is still ours."""
        if self._timer is not None:
            self._timer.cancel()
        if self._master < 0:
            return
        self._loop.remove_reader(self._master)
        if self._link.is_symlink() and str(self._link.readlink()) == os.ttyname(self._slave):
            self._link.unlink()
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def _read(self) -> None:
        try:
            data = os.read(self._master, _READ_SIZE)
        except BlockingIOError:
            return
        data = self._at_speed(data)
        passed = self.wire.request(self._loop.time(), data)
        if passed is None:
            self._echo(bytes(octet ^ 0xFF for octet in data))  # two at once: neither can be read
            return
        self._received += data
        self._at(passed, self._request_passed)

    def _request_passed(self) -> None:
        data = bytes(self._received)
        self._received.clear()
        self._echo(data)
        if self._faults is not None:
            self._faults.look()
        answer = self._stations.receive(data)
        self._follow()
        if answer:
            reaction = self._speeding.reaction_s if self._speeding is not None else 0.0
            self._start(answer, self.wire.request_end + reaction)
        else:
            self._at(self.wire.request_end + self._silence_s, self._silent)

    def _silent(self) -> None:
        if answer := self._stations.silence():
            self._start(answer, self._loop.time())
        else:
            self.wire.close_request()

    def _start(self, answer: bytes, not_before: float) -> None:
        if self._faults is not None:
            spoilt = self._faults.spoil(answer)
            for delay_s, octets in spoilt.later:
                self._loop.call_later(delay_s, self._interject, octets)
            if not spoilt.octets:
                self.wire.close_request()
                self._answered()
                return
            answer = spoilt.octets
            turnaround_s = self.wire.speed.gap_s + self.wire.speed.turnaround_s
            not_before = max(not_before, self.wire.request_end + turnaround_s + spoilt.delay_s)
        self.wire.answer(answer, not_before)
        self._emit()

    def _interject(self, octets: bytes) -> None:
        """Octets that nobody asked for; while a request is heard they wait, because what would come of both at once
        would depend on microseconds.
        """
        if self._master < 0:
            return
        if self._planned and not self.wire.answering:
            self._loop.call_later(_INTERJECT_AGAIN_S, self._interject, octets)
            return
        self.wire.interject(self._loop.time(), octets)
        self._emit()

    def _echo(self, octets: bytes) -> None:
        if self._faults is not None and self._faults.faults.echo:
            self._faults.counts.octets_echoed += len(octets)
            self._hand_over(octets)

    def _emit(self) -> None:
        now = self._loop.time()
        data = self.wire.due(now)
        if data:
            try:
                written = os.write(self._master, self._at_speed(data))
            except BlockingIOError:
                written = 0
            self.wire.counts.octets_unread += len(data) - written
        if not self.wire.answering:
            self._answered()
        following = self.wire.next_due(now, _CHUNK_S)
        if following is not None:
            self._at(following, self._emit)

    def _answered(self) -> None:
        if self._speeding is not None:
            self._speeding.answered()
            self._follow()

    def _follow(self) -> None:
        """Take the meters' speed."""
        if self._speeding is not None and self._speeding.baud != self.wire.speed.baud:
            self.wire.speed = replace(self.wire.speed, baud=self._speeding.baud)

    def _at_speed(self, data: bytes) -> bytes:
        """`data`, or what becomes of it where the client's side has another speed than the meters."""
        if self._speeding is None or termios.tcgetattr(self._slave)[5] == getattr(termios, f"B{self._speeding.baud}"):
            return data
        self.wire.counts.octets_at_wrong_speed += len(data)
        return bytes(octet ^ 0x9D for octet in data)

    def _hand_over(self, data: bytes) -> None:
        try:
            written = os.write(self._master, data)
        except BlockingIOError:
            written = 0
        self.wire.counts.octets_unread += len(data) - written

    def _at(self, when: float, act: Callable[[], None]) -> None:
        """Do only this next: whatever was planned before is overtaken by it."""
        if self._timer is not None:
            self._timer.cancel()
        self._planned = True
        self._timer = self._loop.call_at(when, self._do, act)

    def _do(self, act: Callable[[], None]) -> None:
        self._planned = False
        act()
