"""Speaks to one meter over the line of its bus: the only module of edge.iec62056 that waits.

Time-outs are wall time. After a time-out in programming mode the conversation is over: what still comes is an answer to
a question that nobody asks any more, and the next one begins with a new opening.
"""

import asyncio
from contextlib import suppress
from typing import Final, NoReturn

from edge.bus.line import Line
from edge.errors import DeviceGarbledError, DeviceRefusedError, DeviceSilentError
from edge.iec62056.client import (
    Accepted,
    Answer,
    Ended,
    Entered,
    Event,
    Faulty,
    Identified,
    Iec62056Client,
    Rejected,
    State,
)
from edge.iec62056.settings import MeterSettings
from shared.iec62056.characters import LF, check_parity
from shared.iec62056.messages import BAUD_CODES, BAUDS, HDLC_MODE, PROGRAMMING, READOUT, Identification
from shared.iec62056.profile_text import error_of

CHARACTER_BITS: Final = 10
INTER_CHARACTER_S: Final = 1.5
"""Longest silence inside a message (IEC 62056-21, 6.3.13)."""
OPENING_MOST_S: Final = 8.0
"""An identification takes at most 2.8 s at 300 Bd; a line that babbles is not listened to for longer."""
ANSWER_MOST_S: Final = 90.0
"""A message may take so long in all: 86 kB at 9600 Bd, less than the bus gives a job."""
SPEED_CHANGE_S: Final = 0.005
"""After the last octet has gone, before the speed changes: meters react after 20 ms at the earliest."""
AFTER_ANSWER_S: Final = 0.02
AFTER_ANSWER_CHARACTERS: Final = 5
"""Silence that ends an answer, at the least: USB adapters hand octets over every 16 ms."""
CONFIRMATION_MOST: Final = 32
PAUSE_S: Final = 0.3
"""Between the end of a conversation and the next request."""


class Iec62056Reader:
    """One meter; opens and ends as many conversations as are asked for. Raises the agent's `DeviceError` family."""

    def __init__(self, line: Line, settings: MeterSettings) -> None:
        self.identification: Identification | None = None
        self._line = line
        self._settings = settings
        self._client = Iec62056Client(software_parity=settings.software_parity)
        self._fast = False
        self._settable = True

    @property
    def programming(self) -> bool:
        """Whether programming mode is open."""
        return self._client.state is State.READY

    async def begin_readout(self) -> None:
        """Ask for the meter's standard readout: it puts it together now."""
        await self._open(READOUT)

    async def readout(self) -> str:
        """The readout that was begun. Mode C ends with it."""
        event = await self._event(ANSWER_MOST_S)
        if not isinstance(event, Answer):
            await self._give_up(event, "the choice of readout")
        await self._slow_down()
        return event.text

    async def enter(self) -> None:
        """Programming mode, with the password if there is one. No effect if it is open."""
        if self.programming:
            return
        await self._open(PROGRAMMING)
        event = await self._event(OPENING_MOST_S)
        if not isinstance(event, Entered):
            await self._give_up(event, "programming mode")
        if self._settings.password is not None:
            self._client.password(self._settings.password)
            await self._password_accepted(await self._event(OPENING_MOST_S))

    async def binary(self) -> None:
        """Mode E: leaves the line at the speed of HDLC, the meter waiting for SNRM."""
        await self._open(HDLC_MODE)
        # Most repeat the choice at the new speed before they listen to HDLC; some say nothing.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.timeout_s):
                characters = b""
                while LF not in characters and len(characters) < CONFIRMATION_MOST:
                    characters += check_parity(await self._line.read(self._settings.timeout_s))

    async def ask(self, name: str, text: str) -> str:
        """Text of the meter's answer to a command such as R5 in programming mode."""
        what = f"{name} {text}"
        for last in (False,) * self._settings.retries + (True,):
            if self._client.state is State.ASKING:
                await self._line.drain()
                self._client.repeat()
            else:
                self._client.ask(name, text)
            event = await self._event(ANSWER_MOST_S)
            if isinstance(event, Answer):
                return event.text
            if last or not isinstance(event, Faulty) or self._client.state is not State.ASKING:
                break
        await self._give_up(event, what)

    async def write(self, name: str, text: str) -> None:
        """Carry out a command such as W5 in programming mode; the meter must acknowledge it."""
        self._client.ask(name, text)
        event = await self._event(ANSWER_MOST_S)
        if isinstance(event, Answer):
            raise DeviceRefusedError(
                f"The meter refuses {name} {_code(text)}: {error_of(event.text) or event.text[:40]}."
            )
        if not isinstance(event, Accepted):
            await self._give_up(event, f"{name} {_code(text)}")

    async def leave(self) -> None:
        """End what is open, and have the line as it was found."""
        if self._client.state is not State.CLOSED:
            self._client.leave()
            await self._gone(await self._write())
        await self._slow_down()

    async def _open(self, mode: str) -> None:
        if self._client.state is not State.CLOSED:
            await self.leave()
            await asyncio.sleep(PAUSE_S)
        settings = self._settings
        self._settable = await self._line.set_speed(settings.opening_baud)
        event: Event | None = None
        for _ in range(settings.retries + 1):
            await self._line.flush()
            self._client.request(settings.address)
            event = await self._event(OPENING_MOST_S)
            if isinstance(event, Identified):
                break
            await self._line.drain()
        if not isinstance(event, Identified):
            await self._give_up(event, "the opening request")
        self.identification = event.identification
        await self._choose(event.identification, mode)

    async def _choose(self, identification: Identification, mode: str) -> None:
        code = identification.baud_code
        wanted = self._settings.baud
        if wanted is None and not self._settable and self._line.timing.character_s:
            # A serial server stays at its speed, so the meter must too.
            wanted = round(CHARACTER_BITS / self._line.timing.character_s)
        if wanted is not None:
            code = BAUD_CODES.get(wanted, str(wanted))
        if code not in BAUDS:
            await self.leave()
            raise DeviceGarbledError(
                f"The speed {code!r} is none that mode C has ({', '.join(map(str, BAUD_CODES))}); "
                "set iec62056.baud in the configuration."
            )
        self._client.choose(code, mode)
        await self._gone(await self._write())
        self._fast = await self._line.set_speed(BAUDS[code])

    async def _gone(self, octets: int) -> None:
        """Wait until so many octets have left: the speed may change then."""
        if octets:
            await asyncio.sleep(self._line.transmission_s(octets) + SPEED_CHANGE_S)

    async def _slow_down(self) -> None:
        if self._fast:
            self._fast = False
            await self._line.set_speed(self._settings.opening_baud)

    async def _password_accepted(self, event: Event | None) -> None:
        if isinstance(event, Accepted):
            return
        await self.leave()
        if event is None:
            raise DeviceSilentError("The meter did not answer to the password.")
        reason = f": {error_of(event.text) or 'no acknowledgement'}" if isinstance(event, Answer) else ""
        raise DeviceRefusedError(f"The meter does not accept the password{reason}.")

    async def _give_up(self, event: Event | None, what: str) -> NoReturn:
        """End the conversation and say why."""
        await self.leave()
        match event:
            case None:
                raise DeviceSilentError(f"The meter did not answer to {what}.")
            case Rejected():
                raise DeviceRefusedError(f"The meter does not accept {what}.")
            case Ended():
                raise DeviceRefusedError(f"The meter broke off at {what}.")
            case Faulty(reason):
                raise DeviceGarbledError(f"The meter answered to {what} with a message {reason}.")
        raise DeviceGarbledError(f"The meter answered to {what} with {type(event).__name__.lower()}.")

    async def _write(self) -> int:
        octets = self._client.outgoing()
        if octets:
            await self._line.write(octets)
        return len(octets)

    async def _goes_on(self) -> bool:
        """Whether more comes after an answer. One in 128 characters that become an ETX by a fault has a check that
        fits by chance: the rest that follows gives it away.
        """
        if self._client.trails:
            return True
        try:
            await self._line.read(max(AFTER_ANSWER_S, AFTER_ANSWER_CHARACTERS * self._line.timing.character_s))
        except TimeoutError:
            return False
        return True

    async def _event(self, most_s: float) -> Event | None:
        """The next event; None if the meter is silent. Bounded by `most_s` however much the line babbles."""
        line, client = self._line, self._client
        sent = await self._write()
        deadline = line.now() + line.transmission_s(sent) + most_s
        patience = self._settings.timeout_s + line.transmission_s(1)
        while (left := deadline - line.now()) > 0:
            try:
                octets = await line.read(min(patience, left))
            except TimeoutError:
                return client.cut() if client.pending else None
            events = client.receive(octets)
            if events:
                if isinstance(events[0], Answer) and await self._goes_on():
                    return Faulty("that went on after its end")
                return events[0]
            if await self._write():  # acknowledged a block: the next one takes its time
                patience = self._settings.timeout_s + line.transmission_s(1)
            elif client.pending:
                patience = max(INTER_CHARACTER_S, self._settings.timeout_s)
        return client.cut() if client.pending else None


def _code(text: str) -> str:
    """The code of a data set, without its value, which may be secret."""
    return text.partition("(")[0]
