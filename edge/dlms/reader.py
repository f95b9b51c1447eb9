"""Reads one DLMS meter over a byte transport: the only module of edge.dlms that waits.

Time-outs and retries are wall time; instants that are read or asked for are aware. One reader is one session; what
stays true between sessions (`MeterFacts`) is handed from one to the next.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from edge.dlms.association import Association
from edge.dlms.errors import AccessDeniedError, DlmsError, ProtocolError
from edge.dlms.exchange import method_name, name_of
from edge.dlms.hdlc_link import HdlcLink
from edge.dlms.link import Link
from edge.dlms.outcomes import Answered, Failed, Invoked, Written
from edge.dlms.port import ClockReading, LinkSettings, MeterFacts, RegisterValue, Transport
from edge.dlms.profile import (
    ClockConvention,
    ProfileColumn,
    ProfileLayout,
    ProfileRows,
    profile_layout,
    profile_rows,
)
from edge.dlms.session import Act, Close, DlmsSession, Event, Get, Open, SessionRequest, Set
from edge.dlms.wrapper_link import WrapperLink
from shared.dlms import axdr
from shared.dlms.action import MethodDescriptor
from shared.dlms.datetime12 import decode_datetime, encode_datetime
from shared.dlms.errors import DecodeError
from shared.dlms.get import AttributeDescriptor, Result
from shared.dlms.hdlc import client_address, server_address
from shared.dlms.hdlc_parameters import HdlcParameters
from shared.dlms.initiate import Conformance
from shared.dlms.selection import RangeSelection, Selection
from shared.dlms.units import unit_text
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

CLOCK: Final = Obis(0, 0, 1, 0, 0)
INTER_OCTET_TIMEOUT: Final = 0.5
"""Wall seconds of silence inside a frame after which the rest will not come: generous for radio and USB in between."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class DlmsReader:
    """A session with one meter: `async with DlmsReader(...) as meter: await meter.read_register(...)`.

    Every method raises `DlmsError` (edge.dlms.errors) for what the meter does, and lets through what the transport
    raises. After LinkLostError, NoAnswerError and the transport's errors the session is of no more use; after
    AccessDeniedError, NotOfferedError and ProtocolError it goes on.
    """

    def __init__(self, transport: Transport, settings: LinkSettings, facts: MeterFacts | None = None) -> None:
        self.facts = facts if facts is not None else MeterFacts()
        self.session = DlmsSession(_make_link(settings), Association(settings.password), settings.retries)
        self._transport = transport
        self._settings = settings

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
        """Present value of a register with scaler and unit; these are asked once."""
        if obis in self.facts.scalers:
            value = await self.get(class_id, obis, 2)
        else:
            descriptors = [AttributeDescriptor(class_id, obis.bytes, attribute) for attribute in (2, 3)]
            value, scaler_unit = await self.get_list(descriptors)
            self.facts.scalers[obis] = _scaler_unit(obis, scaler_unit)
        if type(value) is not int:
            raise ProtocolError(f"the value {value!r:.60} of {obis}", "an integer")
        return RegisterValue(value, *self.facts.scalers[obis])

    async def read_clock(self) -> ClockReading:
        """The meter's clock."""
        octets = await self.get(8, CLOCK, 2)
        convention = self._settings.convention
        try:
            stamp = decode_datetime(octets, convention.zone, reversed_deviation=convention.reversed_deviation)
        except (DecodeError, TypeError) as error:
            raise ProtocolError(f"a clock that cannot be read ({error})", "12 octets") from None
        return ClockReading(stamp.instant, stamp.status)

    async def read_profile(self, obis: Obis, start: datetime, end: datetime) -> ProfileRows:
        """Rows of a load profile whose interval begins in [start, end), aware instants; by range of the clock."""
        start_ms, end_ms = _ms(start), _ms(end)
        layout = await self._layout(obis)
        await self._learn_scalers(layout)
        convention = self._settings.convention
        # Meters stamp the end: the first row wanted is stamped one period after `start`, the last at `end`.
        selection = RangeSelection(
            layout.captured[layout.clock],
            self._stamp(start + timedelta(milliseconds=layout.period_ms)),
            self._stamp(end),
        )
        buffer = await self.get(7, obis, 2, selection)
        return profile_rows(buffer, layout, self.facts.scalers, start_ms, end_ms, convention)

    async def _layout(self, obis: Obis) -> ProfileLayout:
        layout = self.facts.layouts.get(obis)
        if layout is None:
            descriptors = [AttributeDescriptor(7, obis.bytes, attribute) for attribute in (3, 4)]
            layout = profile_layout(*await self.get_list(descriptors))
            self.facts.layouts[obis] = layout
        return layout

    async def _learn_scalers(self, layout: ProfileLayout) -> None:
        """Read scalers and units of a profile's registers that are not known yet."""
        unknown = {
            Obis.from_bytes(each.logical_name): each.class_id
            for each in layout.registers.values()
            if Obis.from_bytes(each.logical_name) not in self.facts.scalers
        }
        if not unknown:
            return
        values = await self.get_list([AttributeDescriptor(kind, obis.bytes, 3) for obis, kind in unknown.items()])
        for obis, value in zip(unknown, values, strict=True):
            self.facts.scalers[obis] = _scaler_unit(obis, value)

    def _stamp(self, at: datetime) -> bytes:
        convention = self._settings.convention
        octets = encode_datetime(at.astimezone(convention.zone), deviation=convention.send_deviation)
        if convention.reversed_deviation and convention.send_deviation:
            deviation = -int.from_bytes(octets[9:11], signed=True)
            octets = octets[:9] + deviation.to_bytes(2, signed=True) + octets[11:]
        return octets

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
        limit = self._settings.response_timeout
        longest = limit + self._settings.frame_time
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


def _scaler_unit(obis: Obis, value: Any) -> tuple[int, str]:
    match value:
        case (int(scaler), int(unit)):
            return scaler, unit_text(unit)
    raise ProtocolError(f"scaler and unit {value!r:.60} of {obis}", "a structure of scaler and unit")


def _ms(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError(f"A profile is read between aware instants; {at.isoformat()} has no zone.")
    return (at - _EPOCH) // _MILLISECOND
