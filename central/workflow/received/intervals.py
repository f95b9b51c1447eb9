"""CDSDATA received: values of others become evidence beside the meters', under a source of the sender.

They are registers of the source's own, which feed no channel: what our meters measured stays what it is, until a person
maps such a register to a channel. `compared` shows both side by side.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from central.market.cdsdata import IntervalData
from central.market.payloads.meter_states import MeterStates
from central.market.received import Effect, Message
from central.platform.errors import NotFound, Refused
from central.platform.identity import SYSTEM
from central.readings.transfer import sources
from central.readings.transfer.files import fault_of, import_previewed, preview_file, propose_registers
from central.readings.transfer.mapping import CdsdataMapping
from central.workflow.received.known import not_ours, points_of

PREFIX: Final = "cdsdata-"
"""What the code of a sender's source begins with; its EAN follows."""
_FINEST: Final = -2
"""Power of ten of a new register: KWH with five places are 0.01 Wh."""
_INT32: Final = 2**31 - 1


def effects(connection: Connection, messages: Sequence[Message], at: datetime) -> list[Effect]:
    """For each message its values of points of ours, as a file of its sender's source."""
    known = points_of(connection, {code for message in messages for code in _codes(message)})
    return [_effect(message, known, at) for message in messages]


def _codes(message: Message) -> list[str]:
    payload: IntervalData | MeterStates = message.read.payload
    return [location.opm for location in payload.locations]


def _effect(message: Message, known: dict[str, int], at: datetime) -> Effect:
    codes = _codes(message)
    ours = sorted(set(codes) & known.keys())
    strange = not_ours(codes, known)
    if not ours:
        return Effect("kept", f"No point of ours is in it. {strange}".rstrip())
    source = f"{PREFIX}{message.read.envelope.sender.id}"

    def write(connection: Connection, inbox: int) -> None:
        _import(connection, source, message, set(ours), inbox, at)

    what = "Values" if isinstance(message.read.payload, IntervalData) else "States"
    why = f"{what} of {len(ours)} points stand beside the meters' under the source {source}. {strange}".rstrip()
    return Effect("applied", why, write=write)


def _import(connection: Connection, source: str, message: Message, ours: set[str], inbox: int, at: datetime) -> None:
    _require_source(connection, source, message.read.envelope.sender.id, at)
    name = f"{message.read.envelope.id} ({inbox})"
    file = preview_file(connection, source, name, message.content, SYSTEM, at).file
    new = [each for each in propose_registers(connection, file) if each["key"].split("/")[0] in ours]
    exponent = _exponent(message)
    proposals = [{**each, "exponent": min(each["exponent"], exponent)} for each in new]
    sources.create_registers(connection, source, proposals, SYSTEM, at)
    imported = import_previewed(connection, file["id"], True, SYSTEM, at)
    summary = imported.file["summary"]
    if summary["problem_count"] or imported.result == "faulty":
        # Half of a message is worse than none: the transaction of its effect is taken back.
        why = fault_of({**summary, "refusal": None} if summary["problem_count"] else summary)
        raise Refused("faulty", f"The values cannot be stored. {why}")


def _require_source(connection: Connection, code: str, sender: str, at: datetime) -> None:
    try:
        sources.require_source(connection, code)
    except NotFound:
        mapping = CdsdataMapping(format="cdsdata")
        sources.create_source(connection, code, f"Data průběhového měření od {sender}", mapping, SYSTEM, at)


def _exponent(message: Message) -> int:
    """The finest power of ten in which all interval values fit a register."""
    payload: Any = message.read.payload
    if not isinstance(payload, IntervalData):
        return _FINEST
    for location in payload.locations:
        for profile in location.profiles:
            most = max((abs(value) for day in profile.days for value in day.values), default=0)
            if profile.exponent >= _FINEST and most * 10 ** (profile.exponent - _FINEST) > _INT32:
                return 0
    return _FINEST
