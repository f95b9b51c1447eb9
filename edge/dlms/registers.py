"""Reads registers: data (class 1), register (3), extended register (4), demand register (5)."""

from typing import Any, Final, NamedTuple

from edge.dlms.errors import ProtocolError
from edge.dlms.port import RegisterValue
from edge.dlms.read_profile import Getter, scaler_unit
from shared.dlms.axdr import BitString
from shared.dlms.get import AttributeDescriptor
from shared.identifiers import Obis


class _Attributes(NamedTuple):
    """Where a class keeps what belongs to its value; None where it has none."""

    value: int
    scaler: int | None = None
    status: int | None = None
    time: int | None = None


ATTRIBUTES: Final[dict[int, _Attributes]] = {
    1: _Attributes(2),
    3: _Attributes(2, 3),
    4: _Attributes(2, 3, 4, 5),
    5: _Attributes(3, 4, 5, 6),  # the last average; attribute 2 is the one that still grows
}
"""By class."""


async def read_register(meter: Getter, obis: Obis, class_id: int = 3) -> RegisterValue:
    """A register's value with scaler and unit (these are asked once), status and capture time if the class has them.

    A data object (class 1) has no scaler: its value counts in ones. Raises ValueError for another class.
    """
    attributes = ATTRIBUTES.get(class_id)
    if attributes is None:
        raise ValueError(f"The class {class_id} is no register; expected one of {', '.join(map(str, ATTRIBUTES))}.")
    facts = meter.facts
    if attributes.scaler is None:
        facts.scalers.setdefault(obis, (0, "1"))
    wanted = [each for each in (attributes.value, attributes.status, attributes.time) if each is not None]
    if obis not in facts.scalers and attributes.scaler is not None:
        wanted.append(attributes.scaler)
    descriptors = [AttributeDescriptor(class_id, obis.bytes, attribute) for attribute in wanted]
    answers = dict(zip(wanted, await meter.get_list(descriptors), strict=True))
    if attributes.scaler in answers:
        facts.scalers[obis] = scaler_unit(obis, answers[attributes.scaler])
    value = answers[attributes.value]
    if type(value) is not int:
        raise ProtocolError(f"the value {value!r:.60} of {obis}", "an integer")
    scaler, unit = facts.scalers[obis]
    if attributes.time is None:
        return RegisterValue(value, scaler, unit)
    octets = answers[attributes.time]
    if not isinstance(octets, bytes) or octets[:2] in (b"", b"\xff\xff"):
        raise ProtocolError(f"no capture time of {obis}", "a value that was captured")
    status = _status(answers[attributes.status]) if attributes.status is not None else None
    return RegisterValue(value, scaler, unit, meter.settings.convention.decode(octets).instant, status)


def _status(value: Any) -> int | None:
    """A register's status as a number; its meaning is the maker's."""
    if isinstance(value, BitString):
        return int.from_bytes(value.octets)
    return value if type(value) is int else None
