"""COSEM objects of a simulated meter: what each attribute answers, as encoded data.

Access that an object does not provide is refused as a meter would. Class and attribute numbers: Blue Book.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from firmware_sims.dlms.clock import MeterClock
from firmware_sims.dlms.logs import MeterLogs
from firmware_sims.dlms.meter import ASSOCIATION, EVENT_LOG, MBusSpec, MeterData, MeterSpec, RegisterSpec, TimeStyle
from firmware_sims.dlms.profile import ENCODERS, EXTENDED_REGISTER, EventLog, LoadProfile, ProfileBuffer
from firmware_sims.dlms.security import LifeCounters
from firmware_sims.dlms.switch import DISCONNECTOR, DISCONNECTOR_LOG, Disconnector
from shared.dlms import axdr
from shared.dlms.action import ActionResult, MethodDescriptor, MethodResult
from shared.dlms.datetime12 import encode_datetime
from shared.dlms.errors import DecodeError
from shared.dlms.get import AttributeDescriptor, DataAccessResult, Result
from shared.dlms.selection import Selection
from shared.identifiers import Obis
from shared.metering_day import PRAGUE

LOGICAL_DEVICE_NAME: Final = Obis(0, 0, 42, 0, 0)
SERIAL: Final = Obis(0, 0, 96, 1, 0)
CLOCK: Final = Obis(0, 0, 1, 0, 0)
DEMAND_REGISTER: Final = 5
SAP_ASSIGNMENT: Final = Obis(0, 0, 41, 0, 0)

_SUMMER_BEGINS: Final = bytes.fromhex("FFFF03FE07020000 00FFC400")
_SUMMER_ENDS: Final = bytes.fromhex("FFFF0AFE07030000 00FF8880")

Attribute = Callable[[Selection | None], bytes]
Writer = Callable[[Any], None]
"""Takes the decoded value; raises AccessRefusedError."""
Method = Callable[[Any], bytes | None]
"""Takes the decoded parameter (None if there is none or it is null-data), gives an encoded value or None; raises
AccessRefusedError.
"""


class AccessRefusedError(Exception):
    """The meter does not give or take this attribute, or does not carry out this method."""

    def __init__(self, result: DataAccessResult) -> None:
        super().__init__(f"The meter refuses access: {result.name}.")
        self.result = result


def plain(read: Callable[[], bytes]) -> Attribute:
    """An attribute without selective access."""

    def attribute(selection: Selection | None) -> bytes:
        if selection is not None:
            raise AccessRefusedError(DataAccessResult.OTHER_REASON)
        return read()

    return attribute


def constant(octets: bytes) -> Attribute:
    """An attribute that never changes."""
    return plain(lambda: octets)


@dataclass(slots=True)
class CosemObject:
    """An instance: class, version, and its readable attributes beside the logical name (attribute 1)."""

    class_id: int
    obis: Obis
    attributes: dict[int, Attribute]
    version: int = 0
    selectors: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Access selectors by attribute, for the object list."""
    writers: dict[int, Writer] = field(default_factory=dict)
    """Attributes that can be written."""
    methods: dict[int, Method] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.attributes = {1: constant(axdr.octet_string(self.obis.bytes)), **self.attributes}

    def listed(self) -> bytes:
        """The element of the association's object list."""
        rights = axdr.array(
            axdr.structure(
                axdr.int8(number),
                axdr.enum((number in self.attributes) + 2 * (number in self.writers)),  # read, write, or both
                axdr.array(axdr.int8(each) for each in self.selectors[number])
                if number in self.selectors
                else axdr.NULL,
            )
            for number in sorted(self.attributes.keys() | self.writers)
        )
        methods = axdr.array(axdr.structure(axdr.int8(number), axdr.enum(1)) for number in self.methods)
        return axdr.structure(
            axdr.uint16(self.class_id),
            axdr.uint8(self.version),
            axdr.octet_string(self.obis.bytes),
            axdr.structure(rights, methods),
        )


class CosemMeter:
    """A meter's logical device. Knows nothing of associations or links: it reads and writes attributes, and invokes
    methods. Others `add` what the meter is to have beyond its specification.
    """

    def __init__(self, spec: MeterSpec, data: MeterData) -> None:
        self.spec = spec
        self.data = data
        self.counters = {client: LifeCounters(agreed.last_counter) for client, agreed in spec.security.items()}
        """Invocation counters by client: they outlive associations and links."""
        self.logs = MeterLogs(data)
        self.clock = MeterClock(spec.clock, data.now, self.logs)
        self._objects: dict[tuple[int, bytes], CosemObject] = {}
        self._names: set[bytes] = set()
        for each in self._build():
            self.add(each)

    def add(self, added: CosemObject) -> None:
        """Give the meter one more object, or another in place of the one with this class and name."""
        self._objects[added.class_id, added.obis.bytes] = added
        self._names.add(added.obis.bytes)

    def read(self, descriptor: AttributeDescriptor) -> Result:
        """Data of one attribute, or why not."""
        try:
            attribute = self._find(descriptor).attributes.get(descriptor.attribute)
            if attribute is None:
                return Result(error=DataAccessResult.READ_WRITE_DENIED)
            return Result(attribute(descriptor.selection))
        except AccessRefusedError as refused:
            return Result(error=refused.result)

    def write(self, descriptor: AttributeDescriptor, value: bytes) -> DataAccessResult:
        """What becomes of writing an encoded value to an attribute."""
        try:
            writer = self._find(descriptor).writers.get(descriptor.attribute)
            if writer is None:
                return DataAccessResult.READ_WRITE_DENIED
            if descriptor.selection is not None:
                return DataAccessResult.OTHER_REASON
            writer(axdr.decode(value))
        except AccessRefusedError as refused:
            return refused.result
        except DecodeError:
            return DataAccessResult.TYPE_UNMATCHED
        return DataAccessResult.SUCCESS

    def invoke(self, descriptor: MethodDescriptor, parameter: bytes | None) -> MethodResult:
        """What becomes of a method with an encoded parameter."""
        try:
            method = self._find(descriptor).methods.get(descriptor.method)
            if method is None:
                return MethodResult(ActionResult.READ_WRITE_DENIED)
            return MethodResult(data=method(None if parameter is None else axdr.decode(parameter)))
        except AccessRefusedError as refused:
            return MethodResult(refused.result)
        except DecodeError:
            return MethodResult(ActionResult.TYPE_UNMATCHED)

    def _find(self, descriptor: AttributeDescriptor | MethodDescriptor) -> CosemObject:
        found = self._objects.get((descriptor.class_id, descriptor.logical_name))
        if found is not None:
            return found
        known = descriptor.logical_name in self._names
        raise AccessRefusedError(
            DataAccessResult.OBJECT_CLASS_INCONSISTENT if known else DataAccessResult.OBJECT_UNDEFINED
        )

    def stamp(self, at: datetime) -> bytes:
        """A time stamp in the meter's style."""
        if self.spec.time_style is TimeStyle.UTC:
            return encode_datetime(at.astimezone(UTC))
        return encode_datetime(at.astimezone(PRAGUE), deviation=self.spec.time_style is TimeStyle.LOCAL)

    def _build(self) -> list[CosemObject]:
        spec = self.spec
        registers = {each.obis: each for profile in spec.profiles for each in profile.channels}
        registers |= {each.obis: each for each in spec.registers}
        statuses = {profile.status for profile in spec.profiles if profile.status is not None}
        objects = [
            _data(LOGICAL_DEVICE_NAME, axdr.octet_string(spec.logical_name.encode("ascii"))),
            _data(SERIAL, axdr.octet_string(spec.serial.encode("ascii"))),
            *(_data(obis, axdr.uint8(0)) for obis in sorted(statuses)),
            *(self._counter(client, agreed.counter) for client, agreed in spec.security.items()),
            self._clock(),
            *(self._register(each) for each in registers.values()),
            *(_profile(LoadProfile(self.data, profile, self.stamp)) for profile in spec.profiles),
            *self._event_log(EVENT_LOG),
            CosemObject(
                17,
                SAP_ASSIGNMENT,
                {2: constant(axdr.array([axdr.structure(axdr.uint16(1), _text(spec.logical_name))]))},
            ),
        ]
        objects.append(
            CosemObject(
                15,
                ASSOCIATION,
                {
                    2: plain(lambda: axdr.array(each.listed() for each in self._objects.values())),
                    8: constant(axdr.enum(2)),
                },
                version=1,
            )
        )
        if spec.switch_mode is not None:
            objects += [self._disconnector(spec.switch_mode), *self._event_log(DISCONNECTOR_LOG)]
        for each in spec.mbus:
            objects += mbus_objects(each)
        return objects

    def _counter(self, client: int, obis: Obis) -> CosemObject:
        return CosemObject(1, obis, {2: plain(lambda: axdr.uint32(self.counters[client].received))})

    def _event_log(self, obis: Obis) -> list[CosemObject]:
        log = EventLog(obis, self.spec.event_entries, lambda: self.logs.rows(obis), self.stamp)
        return [_profile(log), _data(log.code, axdr.uint16(0))]

    def _disconnector(self, mode: int) -> CosemObject:
        switch = Disconnector(mode, lambda: (self.data.now(), self.clock.now()), self.logs)
        return CosemObject(
            70,
            DISCONNECTOR,
            {
                2: plain(lambda: axdr.boolean(switch.connected)),
                3: plain(lambda: axdr.enum(switch.control)),
                4: constant(axdr.enum(mode)),
            },
            methods={1: _moving(switch.disconnect), 2: _moving(switch.reconnect)},
        )

    def _clock(self) -> CosemObject:
        utc = self.spec.time_style is TimeStyle.UTC
        return CosemObject(
            8,
            CLOCK,
            {
                2: plain(lambda: axdr.octet_string(self.stamp(self.clock.now()))),
                3: constant(axdr.int16(0 if utc else -60)),
                4: plain(lambda: axdr.uint8(self.stamp(self.clock.now())[11])),
                5: constant(axdr.octet_string(_SUMMER_BEGINS)),
                6: constant(axdr.octet_string(_SUMMER_ENDS)),
                7: constant(axdr.int8(60)),
                8: constant(axdr.boolean(not utc)),
                9: constant(axdr.enum(1)),  # internal crystal
            },
            writers={2: _writing(self.clock.set)},
            methods={6: _moving(self.clock.shift)} if self.spec.clock.shifts else {},
        )

    def _register(self, spec: RegisterSpec) -> CosemObject:
        encode = ENCODERS[spec.type]
        value = plain(lambda: encode(self.data.register(spec.obis)))
        unit = constant(axdr.structure(axdr.int8(spec.scaler), axdr.enum(spec.unit)))
        captured = plain(lambda: axdr.octet_string(self.stamp(self.data.captured_at(spec.obis))))
        status = constant(axdr.uint8(0))
        attributes: dict[int, Attribute] = {2: value, 3: unit}
        if spec.class_id == EXTENDED_REGISTER:
            attributes |= {4: status, 5: captured}
        elif spec.class_id == DEMAND_REGISTER:
            # The average that still grows is not simulated: it shows the last one.
            attributes = {
                2: value,
                3: value,
                4: unit,
                5: status,
                6: captured,
                7: captured,
                8: constant(axdr.uint32(900)),
                9: constant(axdr.uint16(1)),
            }
        return CosemObject(spec.class_id, spec.obis, attributes)


def mbus_objects(spec: MBusSpec) -> list[CosemObject]:
    """Client (class 72) and device id of a channel; its value and profile are registers and a profile like others."""
    identification = int(spec.serial[-8:], 16)  # BCD
    return [
        CosemObject(
            72,
            Obis(0, spec.channel, 24, 1, 0),
            {
                2: constant(axdr.octet_string(Obis(0, 0, 24, 6, 0).bytes)),
                3: constant(axdr.array([axdr.structure(axdr.octet_string(b"\x00"), axdr.octet_string(b"\x13"))])),
                4: constant(axdr.uint32(3600)),
                5: constant(axdr.uint8(spec.channel)),
                6: constant(axdr.uint32(identification)),
                7: constant(axdr.uint16(0x4A9B)),
                8: constant(axdr.uint8(1)),
                9: constant(axdr.uint8(spec.medium)),
                10: constant(axdr.uint8(0)),
                11: constant(axdr.uint8(0)),
                12: constant(axdr.uint8(0)),
            },
            version=1,
        ),
        _data(Obis(0, spec.channel, 96, 1, 0), axdr.octet_string(spec.serial.encode("ascii"))),
    ]


def _writing(take: Callable[[Any], None]) -> Writer:
    """A writer that refuses what is no value of the attribute."""

    def writer(value: Any) -> None:
        try:
            take(value)
        except ValueError:
            raise AccessRefusedError(DataAccessResult.TYPE_UNMATCHED) from None

    return writer


def _moving(act: Callable[[Any], None]) -> Method:
    """A method that gives nothing back, and refuses what it cannot do."""

    def method(parameter: Any) -> None:
        try:
            act(parameter)
        except ValueError:
            raise AccessRefusedError(DataAccessResult.OTHER_REASON) from None

    return method


def _text(text: str) -> bytes:
    return axdr.octet_string(text.encode("ascii"))


def _data(obis: Obis, value: bytes) -> CosemObject:
    return CosemObject(1, obis, {2: constant(value)})


def _profile(profile: ProfileBuffer) -> CosemObject:
    def buffer(selection: Selection | None) -> bytes:
        try:
            return profile.buffer(selection)
        except ValueError:
            raise AccessRefusedError(DataAccessResult.OTHER_REASON) from None

    return CosemObject(
        7,
        profile.obis,
        {
            2: buffer,
            3: constant(axdr.array(each.encode() for each in profile.captured)),
            4: constant(axdr.uint32(profile.period_s)),
            5: constant(axdr.enum(1)),  # first in, first out
            6: constant(profile.captured[0].encode()),
            7: plain(lambda: axdr.uint32(profile.entries_in_use())),
            8: constant(axdr.uint32(profile.entries)),
        },
        version=1,
        selectors={2: (1, 2)},
    )
