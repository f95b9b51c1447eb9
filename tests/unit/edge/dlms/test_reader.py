"""The whole client against simulated meters in memory: every link, every day, every fault of the line."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.dlms.association import Association
from edge.dlms.errors import (
    AccessDeniedError,
    AssociationRefusedError,
    DlmsError,
    LinkLostError,
    MisuseError,
    NoAnswerError,
    ProtocolError,
)
from edge.dlms.reader import DlmsReader, LinkSettings, MeterFacts, ProfileRows, RegisterValue
from edge.dlms.testing import AnsweringTransport
from firmware_sims.dlms.link import HdlcAddress, HdlcLine, MeterLink, WrapperLine
from firmware_sims.dlms.meter import EVENT_LOG, LOAD_PROFILE, BufferCoding, EventRow, MeterSpec, TimeStyle
from firmware_sims.dlms.objects import CosemMeter, CosemObject, constant
from firmware_sims.testing import CHANNELS, ENERGY, MemoryMeterData, meter_spec, value_at
from shared.dlms import axdr
from shared.dlms.acse import Aarq
from shared.dlms.datetime12 import decode_datetime
from shared.dlms.get import AttributeDescriptor
from shared.dlms.hdlc import DM, Frame, client_address, server_address
from shared.dlms.selection import EntrySelection
from shared.identifiers import Obis
from shared.metering_day import PRAGUE, MeteringDay, days_between
from shared.quantities import Commodity, Flag

NOW = datetime(2026, 4, 1, 4, 0, tzinfo=UTC)
HDLC = LinkSettings("hdlc", server=1, physical=17)
WRAPPER = LinkSettings("dlms-wrapper", server=1)
CLOCK_STATUS = Obis(0, 0, 96, 10, 1)


def a_meter(spec: MeterSpec | None = None, now: datetime = NOW) -> tuple[CosemMeter, MemoryMeterData]:
    spec = spec or meter_spec()
    data = MemoryMeterData(spec, now)
    data.registers[ENERGY.obis] = 12_345_678
    return CosemMeter(spec, data), data


def line_of(meter: CosemMeter, settings: LinkSettings) -> MeterLink:
    if settings.protocol == "hdlc":
        return HdlcLine({HdlcAddress(settings.server, settings.physical): meter})
    return WrapperLine({settings.server: meter})


def reader_of(meter: CosemMeter, settings: LinkSettings = HDLC, **transport: Any) -> DlmsReader:
    return DlmsReader(AnsweringTransport(line_of(meter, settings).receive, **transport), settings)


def electricity(year: int, month: int, day: int) -> MeteringDay:
    return MeteringDay(Commodity.ELECTRICITY, date(year, month, day))


def expect_day(rows: ProfileRows, day: MeteringDay) -> None:
    """All rows of `day`, with the values of the meter's formula."""
    assert rows.start_ms == [int(day.instant(index).timestamp()) * 1000 for index in range(day.length)]
    for channel, spec in enumerate(CHANNELS):
        column = rows.columns[spec.obis]
        assert column.values == [value_at(channel, day.instant(index) + day.step) for index in range(day.length)]
        assert (column.scaler, column.unit) == (0, "Wh" if channel < 2 else "varh")


links = pytest.mark.parametrize(
    ("information", "window", "max_pdu"),
    [(128, 1, 1024), (128, 7, 1024), (512, 1, 1024), (512, 7, 4096), (2030, 1, 2000), (2030, 7, 0xFFFF), (64, 3, 100)],
)


@links
@pytest.mark.parametrize("chunk", [None, 7])
async def test_a_day_over_hdlc(information: int, window: int, max_pdu: int, chunk: int | None) -> None:
    meter, _ = a_meter(meter_spec(max_information=information, max_window=window, max_pdu=max_pdu))
    settings = LinkSettings("hdlc", physical=17, information=information, window=window)
    async with reader_of(meter, settings, chunk=chunk) as reader:
        day = electricity(2026, 3, 3)
        expect_day(await reader.read_profile(LOAD_PROFILE, day.start, day.end), day)


@pytest.mark.parametrize("max_pdu", [100, 1024, 0xFFFF])
async def test_a_day_over_tcp(max_pdu: int) -> None:
    meter, _ = a_meter(meter_spec(max_pdu=max_pdu))
    async with reader_of(meter, WRAPPER, chunk=100) as reader:
        day = electricity(2026, 3, 3)
        expect_day(await reader.read_profile(LOAD_PROFILE, day.start, day.end), day)


@pytest.mark.parametrize("settings", [HDLC, WRAPPER])
async def test_a_month_day_by_day(settings: LinkSettings) -> None:
    meter, _ = a_meter()
    days = days_between(Commodity.ELECTRICITY, date(2026, 3, 1), date(2026, 4, 1))
    async with reader_of(meter, settings) as reader:
        lengths = []
        for day in days:
            rows = await reader.read_profile(LOAD_PROFILE, day.start, day.end)
            expect_day(rows, day)
            lengths.append(len(rows.start_ms))
    assert lengths == [96] * 28 + [92] + [96] * 2


@pytest.mark.parametrize("style", list(TimeStyle))
@pytest.mark.parametrize("coding", list(BufferCoding))
@pytest.mark.parametrize(("day", "length"), [(electricity(2026, 3, 29), 92), (electricity(2026, 10, 25), 100)])
async def test_the_days_that_change_the_clock(
    style: TimeStyle, coding: BufferCoding, day: MeteringDay, length: int
) -> None:
    spec = meter_spec(time_style=style, coding=coding)
    meter, _ = a_meter(spec, now=day.end + timedelta(days=2))
    async with reader_of(meter) as reader:
        rows = await reader.read_profile(LOAD_PROFILE, day.start, day.end)
    assert len(rows.start_ms) == length
    expect_day(rows, day)


async def test_a_gas_day() -> None:
    spec = meter_spec(period_s=3600, channels=CHANNELS[:1])
    meter, _ = a_meter(spec)
    day = MeteringDay(Commodity.GAS, date(2026, 3, 28))
    async with reader_of(meter, WRAPPER) as reader:
        rows = await reader.read_profile(LOAD_PROFILE, day.start, day.end)
    assert len(rows.start_ms) == 23
    assert rows.start_ms[0] == int(day.start.timestamp()) * 1000


async def test_holes_and_statuses_come_through() -> None:
    meter, data = a_meter(meter_spec(coding=BufferCoding.NULL))
    day = electricity(2026, 3, 3)
    data.holes = {day.instant(10), day.instant(11)}  # ends of the intervals 9 and 10
    data.statuses = {day.instant(20): 0x80}
    async with reader_of(meter) as reader:
        rows = await reader.read_profile(LOAD_PROFILE, day.start, day.end)
    missing = {day.index(datetime.fromtimestamp(ms / 1000, UTC)) for ms in rows.start_ms} ^ set(range(96))
    assert missing == {9, 10}
    flagged = [ms for ms, flag in zip(rows.start_ms, rows.flags, strict=True) if flag]
    assert flagged == [int(day.instant(19).timestamp()) * 1000]
    assert set(rows.flags) == {0, Flag.POWER_DOWN}


async def test_what_is_not_captured_yet_or_not_held_any_more_is_not_there() -> None:
    meter, _ = a_meter(meter_spec(entries=96))
    async with reader_of(meter) as reader:
        rows = await reader.read_profile(LOAD_PROFILE, NOW - timedelta(days=3), NOW + timedelta(days=1))
    assert len(rows.start_ms) == 96
    assert rows.start_ms[-1] == int(NOW.timestamp()) * 1000 - 900_000


@pytest.mark.parametrize(
    ("information", "window", "coding", "model"),
    [
        (128, 1, "full", 4459),
        (128, 7, "full", 4234),
        (512, 1, "full", 4039),
        (2030, 1, "full", 3899),
        (128, 1, "null", 2867),
        (512, 1, "null", 2587),
        (2030, 1, "null", 2507),
        (128, 1, "delta", 1931),
        (512, 1, "delta", 1751),
        (2030, 1, "delta", 1691),
        (128, 1, "compact", 3441),
        (512, 1, "compact", 3101),
        (2030, 1, "compact", 3001),
    ],
)
async def test_octets_on_the_wire_are_those_of_the_model(
    information: int, window: int, coding: str, model: int
) -> None:
    """Computed limit for 96 rows of clock, status and 4 values, messages of 1024, one-octet addresses; within 2 %."""
    spec = meter_spec(max_information=information, max_window=window, coding=BufferCoding(coding))
    meter, _ = a_meter(spec)
    settings = LinkSettings("hdlc", information=information, window=window)
    transport = AnsweringTransport(line_of(meter, settings).receive)
    day = electricity(2026, 3, 3)
    async with DlmsReader(transport, settings) as reader:
        await reader.read_profile(LOAD_PROFILE, day.start, day.end)  # learns the layout and the scalers
        before = transport.written + transport.was_read
        await reader.read_profile(LOAD_PROFILE, day.start, day.end)
        octets = transport.written + transport.was_read - before
    assert abs(octets - model) <= model * 0.02


async def test_scalers_and_layout_are_asked_once_even_across_sessions() -> None:
    meter, _ = a_meter()
    facts = MeterFacts()
    day = electricity(2026, 3, 3)
    sizes = []
    for _ in range(2):
        transport = AnsweringTransport(line_of(meter, WRAPPER).receive)
        async with DlmsReader(transport, WRAPPER, facts) as reader:
            expect_day(await reader.read_profile(LOAD_PROFILE, day.start, day.end), day)
        sizes.append(transport.written)
    assert sizes[1] < sizes[0]
    assert len(facts.scalers) == 4


@pytest.mark.parametrize("settings", [HDLC, WRAPPER])
async def test_registers_clock_and_names(settings: LinkSettings) -> None:
    meter, data = a_meter()
    async with reader_of(meter, settings) as reader:
        assert await reader.read_register(ENERGY.obis) == RegisterValue(12_345_678, 1, "Wh")
        data.registers[ENERGY.obis] += 1
        assert await reader.read_register(ENERGY.obis) == RegisterValue(12_345_679, 1, "Wh")
        clock = await reader.read_clock()
        assert clock.at == NOW
        assert clock.status == 0x80
        assert await reader.get(1, Obis(0, 0, 42, 0, 0), 2) == b"RZV0000048211001"
        assert await reader.get(7, LOAD_PROFILE, 7) == 40 * 96
        last = await reader.get(7, LOAD_PROFILE, 2, EntrySelection(40 * 96, 0, 3, 3))
        assert last == [(value_at(0, NOW),)]


@pytest.mark.parametrize("settings", [HDLC, WRAPPER])
async def test_the_event_log(settings: LinkSettings) -> None:
    meter, data = a_meter()
    data.logged = [EventRow(NOW - timedelta(hours=n), n) for n in range(90, 0, -1)]
    async with reader_of(meter, settings) as reader:
        rows = await reader.get(7, EVENT_LOG, 2)
        assert [row[1] for row in rows] == list(range(90, 0, -1))
        assert [decode_datetime(row[0], PRAGUE).instant for row in rows] == [event.at for event in data.logged]
        assert [row[1] for row in await reader.get(7, EVENT_LOG, 2, EntrySelection(89, 0, 1, 0))] == [2, 1]


async def test_a_refused_attribute_leaves_the_session_open() -> None:
    meter, _ = a_meter()
    async with reader_of(meter) as reader:
        with pytest.raises(AccessDeniedError, match="object undefined") as refused:
            await reader.get(3, Obis(1, 0, 99, 99, 99), 2)
        assert refused.value.result == 4
        with pytest.raises(AccessDeniedError, match="read write denied"):
            await reader.get_list(
                [
                    AttributeDescriptor(3, ENERGY.obis.bytes, 2),
                    AttributeDescriptor(3, ENERGY.obis.bytes, 9),
                ]
            )
        assert (await reader.read_clock()).at == NOW


@pytest.mark.parametrize("settings", [HDLC, WRAPPER])
@pytest.mark.parametrize("max_pdu", [64, 1024])
async def test_attributes_are_written_and_methods_invoked(settings: LinkSettings, max_pdu: int) -> None:
    meter, _ = a_meter(meter_spec(max_pdu=max_pdu))
    message, written = Obis(0, 0, 96, 13, 0), []
    meter.add(
        CosemObject(1, message, {2: constant(axdr.NULL)}, writers={2: written.append}, methods={1: axdr.octet_string})
    )
    long = bytes(range(256))
    async with reader_of(meter, settings) as reader:
        await reader.set(1, message, 2, axdr.octet_string(long))
        attribute = AttributeDescriptor(1, message.bytes, 2)
        await reader.set_list([(attribute, axdr.uint8(1)), (attribute, axdr.octet_string(long))])
        assert await reader.action(1, message, 1, axdr.octet_string(long)) == long
        with pytest.raises(
            AccessDeniedError, match=r"does not take attribute 1 of 0-0:96.13.0 \(class 1\): read write"
        ):
            await reader.set_list([(attribute, axdr.uint8(2)), (attribute._replace(attribute=1), axdr.uint8(3))])
        with pytest.raises(AccessDeniedError, match=r"not carry out method 2 of .* \(action result 3\)"):
            await reader.action(1, message, 2)
        assert (await reader.read_register(ENERGY.obis)).value == 12_345_678
    assert written == [long, 1, long, 2]


async def test_a_register_that_is_no_integer() -> None:
    meter, _ = a_meter()
    async with reader_of(meter) as reader:
        with pytest.raises(ProtocolError, match="expected an integer"):
            await reader.read_register(Obis(0, 0, 42, 0, 0), class_id=1)
        with pytest.raises(ValueError, match="The class 8 is no register"):
            await reader.read_register(Obis(0, 0, 1, 0, 0), class_id=8)


@pytest.mark.parametrize(("password", "reason"), [(None, "authentication required"), (b"wrong", "failure")])
async def test_a_refused_association_closes_the_link(password: bytes | None, reason: str) -> None:
    meter, _ = a_meter(meter_spec(passwords={16: b"right"}))
    settings = LinkSettings("hdlc", physical=17, password=password)
    transport = AnsweringTransport(line_of(meter, settings).receive)
    with pytest.raises(AssociationRefusedError, match=reason):
        await DlmsReader(transport, settings).open()
    async with DlmsReader(transport, LinkSettings("hdlc", physical=17, password=b"right")) as reader:
        assert (await reader.read_clock()).at == NOW


async def test_several_meters_on_one_line_answer_for_themselves() -> None:
    meters = {}
    for physical in (17, 18, 19):
        meter, data = a_meter()
        data.registers[ENERGY.obis] = physical
        meters[HdlcAddress(1, physical)] = meter
    line = HdlcLine(meters)
    transport = AnsweringTransport(line.receive)
    for physical in (19, 17, 18):
        async with DlmsReader(transport, LinkSettings("hdlc", physical=physical)) as reader:
            assert (await reader.read_register(ENERGY.obis)).value == physical


async def test_a_silent_meter_is_given_up_after_the_retries_and_costs_nothing_more() -> None:
    asked: list[bytes] = []

    def nobody(data: bytes) -> bytes:
        asked.append(data)
        return b""

    reader = DlmsReader(AnsweringTransport(nobody), LinkSettings("hdlc", physical=17, retries=2))
    with pytest.raises(NoAnswerError, match="asked 3 time"):
        await reader.open()
    await reader.close()
    assert len(asked) == 3
    with pytest.raises(MisuseError, match="lost"):
        await reader.open()


async def test_what_the_transport_raises_goes_through() -> None:
    def broken(data: bytes) -> bytes:
        raise ConnectionResetError("the port is closed")

    reader = DlmsReader(AnsweringTransport(broken), HDLC)
    with pytest.raises(ConnectionResetError):
        await reader.open()
    await reader.close()
    assert not reader.session.usable


async def test_a_meter_that_restarts_is_lost_and_found() -> None:
    meter, _ = a_meter()
    lines = [line_of(meter, HDLC), line_of(meter, HDLC)]
    transport = AnsweringTransport(lambda data: lines[0].receive(data))
    reader = DlmsReader(transport, HDLC)
    await reader.open()
    lines.pop(0)
    with pytest.raises(LinkLostError, match="DM"):
        await reader.read_clock()
    await reader.close()
    async with DlmsReader(transport, HDLC) as again:
        assert (await again.read_clock()).at == NOW


async def test_noise_without_end_does_not_hold_the_bus() -> None:
    """The transport always has something to read, never a frame."""

    class Babble:
        async def write(self, data: bytes) -> None:
            await asyncio.sleep(0)

        async def read(self, timeout: float) -> bytes:
            await asyncio.sleep(0.005)
            return b"\x55" * 10

    settings = LinkSettings("hdlc", physical=17, response_timeout=0.05, frame_time=0.05, retries=1)
    reader = DlmsReader(Babble(), settings)
    async with asyncio.timeout(60):
        with pytest.raises(NoAnswerError):
            await reader.open()


async def test_a_cancelled_request_ends_the_session() -> None:
    class Silent:
        async def write(self, data: bytes) -> None:
            await asyncio.sleep(0)

        async def read(self, timeout: float) -> bytes:
            await asyncio.sleep(60)
            return b""

    reader = DlmsReader(Silent(), HDLC)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.open(), 0.02)
    await reader.close()
    assert not reader.session.usable


class FaultyLine:
    """Loses, damages, repeats and delays what a line carries, from a seed."""

    def __init__(self, line: MeterLink, seed: int, rate: float) -> None:
        self._line = line
        self._random = random.Random(seed)
        self._rate = rate
        self._late: list[bytes] = []

    def receive(self, data: bytes) -> bytes:
        late, self._late = b"".join(self._late), []
        answer = self._line.receive(self._spoil(data))
        if answer and self._random.random() < self._rate:
            self._late.append(answer)  # comes with the next one
            return late
        return late + self._spoil(answer)

    def _spoil(self, octets: bytes) -> bytes:
        if not octets or self._random.random() >= self._rate:
            return octets
        place = self._random.randrange(len(octets))
        match self._random.randrange(4):
            case 0:
                return b""
            case 1:
                return octets[:place]
            case 2:
                return octets[:place] + bytes((octets[place] ^ 1 << self._random.randrange(8),)) + octets[place + 1 :]
            case _:
                return octets + octets


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.sampled_from([0.02, 0.1, 0.3]),
    st.sampled_from([(128, 1), (128, 7), (512, 1)]),
)
def test_a_bad_line_gives_the_right_rows_or_an_error_never_others(
    seed: int, rate: float, link: tuple[int, int]
) -> None:
    information, window = link
    meter, _ = a_meter(meter_spec(max_information=information, max_window=window))
    settings_ = LinkSettings("hdlc", physical=17, information=information, window=window)
    faulty = FaultyLine(line_of(meter, settings_), seed, rate)
    transport = AnsweringTransport(faulty.receive)
    facts = MeterFacts()

    async def read_days() -> int:
        right = 0
        for day in days_between(Commodity.ELECTRICITY, date(2026, 3, 27), date(2026, 3, 31)):
            reader = DlmsReader(transport, settings_, facts)
            try:
                await reader.open()
                rows = await reader.read_profile(LOAD_PROFILE, day.start, day.end)
            except DlmsError:
                continue
            finally:
                await reader.close()
            expect_day(rows, day)
            right += 1
        return right

    assert asyncio.run(read_days()) <= 4


def test_a_slightly_bad_line_loses_no_day() -> None:
    """At one damaged message in fifty the retries of the link are enough."""
    right = 0
    for seed in range(10):
        meter, _ = a_meter()
        transport = AnsweringTransport(FaultyLine(line_of(meter, HDLC), seed, 0.02).receive)

        async def read(transport: AnsweringTransport = transport) -> None:
            day = electricity(2026, 3, 3)
            async with DlmsReader(transport, HDLC) as reader:
                expect_day(await reader.read_profile(LOAD_PROFILE, day.start, day.end), day)

        asyncio.run(read())
        right += 1
    assert right == 10


def with_stale_answer(line: MeterLink, stale: bytes) -> Callable[[bytes], bytes]:
    return lambda data: stale + line.receive(data)


async def test_a_stale_answer_over_tcp_is_passed_over() -> None:
    """The answer to an earlier request arrives after its time-out, before the one that is waited for."""
    meter, _ = a_meter()
    recorded: list[bytes] = []
    line = line_of(meter, WRAPPER)

    def record(data: bytes) -> bytes:
        recorded.append(line.receive(data))
        return recorded[-1]

    async with DlmsReader(AnsweringTransport(record), WRAPPER) as reader:
        await reader.read_register(ENERGY.obis)
    stale = recorded[1]  # the register's answer, invoke id 1
    held: dict[str, bool] = {"associated": False}
    fresh = line_of(meter, WRAPPER)

    def late(data: bytes) -> bytes:
        answer = fresh.receive(data)
        was, held["associated"] = held["associated"], True
        return stale + answer if was else answer

    async with DlmsReader(AnsweringTransport(late), WRAPPER) as reader:
        reader.session.association._invoke = 1  # the requests to come carry 2 and more
        assert (await reader.read_clock()).at == NOW
        assert reader.session.association.stale >= 1


async def test_another_meters_frames_are_passed_over() -> None:
    meter, _ = a_meter()
    foreign = Frame(client_address(16), server_address(1, 18), DM).encode()
    transport = AnsweringTransport(with_stale_answer(line_of(meter, HDLC), foreign))
    async with DlmsReader(transport, HDLC) as reader:
        assert (await reader.read_register(ENERGY.obis)).value == 12_345_678


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=80), max_size=30), st.sampled_from([HDLC, WRAPPER]))
def test_whatever_a_peer_answers_the_reader_ends_with_an_error(answers: list[bytes], link: LinkSettings) -> None:
    pieces = iter(answers)
    reader = DlmsReader(AnsweringTransport(lambda _: next(pieces, b"")), link)

    async def run() -> None:
        await reader.open()

    with pytest.raises(DlmsError):
        asyncio.run(run())


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(LinkSettings("hdlc", password=b"secret"))
    assert "secret" not in repr(meter_spec(passwords={16: b"secret"}))
    assert "secret" not in repr(Association(b"secret")) + repr(Aarq(b"", authentication=b"secret"))


def test_settings_name_a_known_link() -> None:
    with pytest.raises(ValueError, match="'hdlc' or 'dlms-wrapper'"):
        DlmsReader(AnsweringTransport(lambda _: b""), LinkSettings("modbus"))


async def test_a_profile_is_read_between_aware_instants() -> None:
    meter, _ = a_meter()
    async with reader_of(meter) as reader:
        with pytest.raises(ValueError, match="no zone"):
            await reader.read_profile(LOAD_PROFILE, datetime(2026, 3, 1), NOW)  # noqa: DTZ001  # the point of the test
        local = datetime(2026, 3, 3, tzinfo=PRAGUE)
        rows = await reader.read_profile(LOAD_PROFILE, local, local + timedelta(hours=1))
        assert len(rows.start_ms) == 4
