"""Reads one DLMS meter over a byte transport: the only module of edge.dlms that waits.

Time-outs and retries are wall time; instants that are read or asked for are aware. One reader is one session; what
stays true between sessions (`MeterFacts`) is handed from one to the next.
"""

import asyncio
from collections.abc import Collection
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from edge.dlms.association import Association
from edge.dlms.clock import read_clock
from edge.dlms.errors import AccessDeniedError, DlmsError, ProtocolError
from edge.dlms.exchange import method_name, name_of
from edge.dlms.hdlc_link import HdlcLink
from edge.dlms.layout import ClockConvention
from edge.dlms.link import Link
from edge.dlms.object_list import ListedObject, read_object_list
from edge.dlms.outcomes import Answered, Failed, Invoked, Written
from edge.dlms.port import ClockReading, LinkSettings, MeterFacts, RegisterValue, Transport
from edge.dlms.profile import ProfileColumn, ProfileRows
from edge.dlms.read_profile import read_profile
from edge.dlms.registers import read_register
from edge.dlms.security import ClientSecurity
from edge.dlms.session import Act, Close, DlmsSession, Event, Get, Open, SessionRequest, Set
from edge.dlms.wrapper_link import WrapperLink
from shared.dlms import axdr
from shared.dlms.action import MethodDescriptor
from shared.dlms.errors import DecodeError
from shared.dlms.get import AttributeDescriptor, Result
from shared.dlms.hdlc import client_address, server_address
from shared.dlms.hdlc_parameters import HdlcParameters
from shared.dlms.initiate import Conformance
from shared.dlms.selection import Selection
from shared.identifiers import Obis

__all__ = [
    "ClockConvention",
    "ClockReading",
    "DlmsReader",
    "LinkSettings",
    "MeterFacts",
    "ProfileColumn",
    "ProfileRows",
    "RegisterValue",
    "Transport",
]

INTER_OCTET_TIMEOUT: Final = 0.5
"""Wall seconds of silence inside a frame after which the rest will not come: generous for radio and USB in between."""


class DlmsReader:
    """A session with one meter: `async with DlmsReader(...) as meter: await meter.read_register(...)`.

    Every method raises `DlmsError` (edge.dlms.errors) for what the meter does, and lets through what the transport
    raises. After LinkLostError, NoAnswerError and the transport's errors the session is of no more use; after
    AccessDeniedError, NotOfferedError and ProtocolError it goes on.
    """

    def __init__(self, transport: Transport, settings: LinkSettings, facts: MeterFacts | None = None) -> None:
        self.facts = facts if facts is not None else MeterFacts()
        security = None if settings.security is None else ClientSecurity(settings.security)
        association = Association(settings.password, security, settings.general_blocks)
        self.session = DlmsSession(_make_link(settings), association, settings.retries)
        self._transport = transport
        self.settings = settings

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Open link and association; a link whose association is refused is closed again."""
        try:
            await self._run(Open())
        except DlmsError:
            await self.close()
            raise

    async def close(self) -> None:
        """Release the association and close the link as well as the meter lets us; never fails because of it.

        What the transport raises goes through. A session that was lost or cancelled in the middle of a request is left
        as it is: the next SNRM resets the meter.
        """
        if not self.session.usable:
            return
        try:
            await self._run(Close())
        except DlmsError:
            return

    async def get(self, class_id: int, obis: Obis, attribute: int, selection: Selection | None = None) -> Any:
        """One attribute, decoded (shared.dlms.axdr)."""
        return await self._get(AttributeDescriptor(class_id, obis.bytes, attribute, selection))

    async def get_list(self, attributes: list[AttributeDescriptor]) -> list[Any]:
        """Several attributes, decoded, in one request if the meter grants lists; raises for the first it denies."""
        if len(attributes) < 2 or not self.session.association.conformance & Conformance.MULTIPLE_REFERENCES:
            return [await self._get(each) for each in attributes]
        results = await self._request(tuple(attributes))
        return [_decoded(attribute, result) for attribute, result in zip(attributes, results, strict=True)]

    async def set(self, class_id: int, obis: Obis, attribute: int, value: bytes) -> None:
        """Write one attribute; `value` is encoded (`axdr.uint16(900)`). Raises AccessDeniedError if it is not taken."""
        await self.set_list([(AttributeDescriptor(class_id, obis.bytes, attribute), value)])

    async def set_list(self, writes: list[tuple[AttributeDescriptor, bytes]]) -> None:
        """Several attributes, in one request if the meter grants lists; raises for the first that is not taken.

        The others may have been taken: a meter treats each by itself.
        """
        whole = len(writes) < 2 or self.session.association.conformance & Conformance.MULTIPLE_REFERENCES
        for part in [writes] if whole else [[each] for each in writes]:
            event = await self._run(Set(tuple(part)))
            assert isinstance(event, Written)
            for (attribute, _), result in zip(part, event.results, strict=True):
                if result:
                    raise AccessDeniedError(name_of(attribute), result, "take")

    async def action(self, class_id: int, obis: Obis, method: int, parameter: bytes | None = None) -> Any:
        """Invoke a method with an encoded parameter; what it returns, decoded, or None. Raises AccessDeniedError."""
        descriptor = MethodDescriptor(class_id, obis.bytes, method)
        event = await self._run(Act(((descriptor, parameter),)))
        assert isinstance(event, Invoked)
        (result,) = event.results
        if result.result:
            raise AccessDeniedError(method_name(descriptor), result.result, "carry out")
        if result.error:
            raise AccessDeniedError(f"the result of {method_name(descriptor)}", result.error)
        if result.data is None:
            return None
        return _value(result.data, method_name(descriptor))

    async def read_register(self, obis: Obis, class_id: int = 3) -> RegisterValue:
        """Value of a register with scaler and unit: see edge.dlms.registers."""
        return await read_register(self, obis, class_id)

    async def read_clock(self) -> ClockReading:
        """The meter's clock."""
        return await read_clock(self)

    async def read_object_list(self) -> list[ListedObject]:
        """What the meter has: see edge.dlms.object_list."""
        return await read_object_list(self)

    async def read_profile(
        self, obis: Obis, start: datetime, end: datetime, registers: Collection[Obis] = ()
    ) -> ProfileRows:
        """Rows of a load profile whose interval begins in [start, end), aware; of `registers` only if any are named."""
        return await read_profile(self, obis, start, end, registers)

    async def _get(self, attribute: AttributeDescriptor) -> Any:
        (result,) = await self._request((attribute,))
        return _decoded(attribute, result)

    async def _request(self, attributes: tuple[AttributeDescriptor, ...]) -> tuple[Result, ...]:
        event = await self._run(Get(attributes))
        assert isinstance(event, Answered)
        return event.results

    async def _run(self, request: SessionRequest) -> Event:
        """Carry one request through: the loop between session and transport."""
        session = self.session
        events = session.start(request)
        loop = asyncio.get_running_loop()
        limit = self.settings.response_timeout
        longest = limit + self.settings.frame_time
        progress, deadline = session.progress, loop.time() + longest
        while not events:
            try:
                octets = session.outgoing()
                if octets:
                    await self._transport.write(octets)
                    deadline = loop.time() + longest
                patience = min(limit, INTER_OCTET_TIMEOUT) if session.link.pending else limit
                data = await self._transport.read(min(patience, max(deadline - loop.time(), 0.0)))
            except TimeoutError:
                events = session.silence()
                continue
            except BaseException:  # the line broke, or the task was cancelled: not for us to judge
                session.abandon()
                raise
            events = session.receive(data)
            if session.progress != progress:
                progress, deadline = session.progress, loop.time() + longest
            elif loop.time() >= deadline and not events:
                events = session.silence()
        event = events[-1]
        if isinstance(event, Failed):
            raise event.error
        return event


def _make_link(settings: LinkSettings) -> Link:
    match settings.protocol:
        case "hdlc":
            size, window = settings.information, settings.window
            return HdlcLink(
                client_address(settings.client),
                server_address(settings.server, settings.physical, settings.address_size),
                HdlcParameters(size, size, window, window),
            )
        case "dlms-wrapper":
            return WrapperLink(settings.client, settings.server)
    raise ValueError(f"The link protocol {settings.protocol!r} must be 'hdlc' or 'dlms-wrapper'.")


def _decoded(attribute: AttributeDescriptor, result: Result) -> Any:
    if result.error:
        raise AccessDeniedError(name_of(attribute), result.error)
    return _value(result.data, name_of(attribute))


def _value(data: bytes, what: str) -> Any:
    try:
        return axdr.decode(data)
    except DecodeError as error:
        raise ProtocolError(f"data for {what} that cannot be read ({error})", "A-XDR data") from None
