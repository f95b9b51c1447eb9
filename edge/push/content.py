"""What a pushed message means: its values, named by the objects of the push setup, become one record. Pure.

Pushed values are events and present values. Intervals and billed states are never taken from a push: back-fill and
sampling read them from the meter, and each would be in evidence twice.
"""

from datetime import UTC, datetime
from typing import Any, Final

from edge.config import PushSource
from edge.dlms.errors import ProtocolError
from edge.dlms.layout import ClockConvention
from shared.clock import EPOCH
from shared.dlms import axdr
from shared.dlms.axdr import BitString
from shared.dlms.errors import DecodeError
from shared.dlms.notification import DataNotification
from shared.wire import Record

TEXT_LENGTH: Final = 200
DATE_TIME_SIZE: Final = 12


def pushed_record(
    device: str, push: PushSource, notification: DataNotification, convention: ClockConvention, now: datetime
) -> Record:
    """The record of a notification. Raises DecodeError for a body that is not what the configuration says.

    Its time is the notification's own, if it has one that can be; else ours.
    """
    body = axdr.decode(notification.body)
    values = list(body) if isinstance(body, tuple | list) else [body]
    if len(values) != len(push.objects):
        raise DecodeError(
            f"The push of {device} has {len(values)} values; the configuration names {len(push.objects)} objects."
        )
    data: dict[str, str | int | float | None] = {"number": notification.number}
    for place, (item, value) in enumerate(zip(push.objects, values, strict=True)):
        name = item.name or f"{item.obis}/{item.attribute}"
        data[name if name not in data else f"{name}#{place}"] = _shown(value)
    return Record("push", device, _time(notification.at, convention, now), data)


def _time(octets: bytes, convention: ClockConvention, now: datetime) -> int:
    now_ms = (now.astimezone(UTC) - EPOCH) // (datetime.resolution * 1000)
    if len(octets) != DATE_TIME_SIZE:
        return now_ms
    try:
        at_ms = convention.decode(octets).ms
    except ProtocolError:
        return now_ms
    return at_ms if 0 < at_ms <= now_ms else now_ms


def _shown(value: Any) -> str | int | float | None:
    match value:
        case None | int() | float():
            return int(value) if isinstance(value, int) else value
        case bytes():
            text = value.decode("latin-1")
            plain = text.isascii() and text.isprintable() and text
            return text[:TEXT_LENGTH] if plain else value.hex()[:TEXT_LENGTH]
        case str():
            return value.replace("\0", "")[:TEXT_LENGTH]
        case BitString():
            return value.octets.hex()[:TEXT_LENGTH]
    return repr(value)[:TEXT_LENGTH]
