"""Puts the interval data of a supply point's month into the outbox, and a correction when they changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection

from central.market.cdsdata import INTERVAL_DATA, IntervalData, Location, Profile, write_interval_data
from central.market.envelope import Envelope, Participant, make_message_id
from central.market.format_package import FormatPackage
from central.market.messages import Draft, LastMessage, Subject, create, move
from central.market.states import Act, State

_REPLACEABLE: Final = {State.GENERATED, State.SAVED, State.TIMED_OUT, State.REJECTED}
"""States in which nobody has accepted the message: a later version takes its place. One that waits for its answer is
left to get it; an accepted one stays accepted beside its correction."""
_WORTH_REPEATING: Final = {State.REJECTED, State.TIMED_OUT}


@dataclass(frozen=True, slots=True)
class ProfileVersion:
    """A version of a day profile that a message was made from."""

    channel: int
    day: date
    version: int


@dataclass(frozen=True, slots=True)
class PointMonth:
    """All complete profiles of one supply point for [first_day, end_day), with the versions they are.

    `corrections` tell what else the values were made by, beside the profiles: another one makes another version.
    """

    supply_point: int
    ean: str
    sender: str
    first_day: date
    end_day: date
    profiles: Sequence[Profile]
    versions: Sequence[ProfileVersion]
    corrections: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Reported:
    """A message made: its number in the database and its version."""

    number: int
    version: int


def report_point(
    connection: Connection,
    package: FormatPackage,
    month: PointMonth,
    last: LastMessage | None,
    at: datetime,
    person: str,
    *,
    again: bool = False,
    duty: int | None = None,
    deadline: datetime | None = None,
) -> Reported | None:
    """Write, check and save the message; None if the last one was made from the same versions and corrections.

    `again` makes a new version also of the same data where the last message was rejected or never answered; `duty` is
    the one that the message fulfils by its `deadline`. Raises
    OutboundError where the data must not leave.
    """
    versions = [[version.channel, version.day.isoformat(), version.version] for version in month.versions]
    basis: dict[str, Any] = {"profiles": versions}
    if month.corrections:
        basis["corrections"] = list(month.corrections)
    if last is not None and last.basis == basis and not (again and last.state in _WORTH_REPEATING):
        return None
    version = 1 if last is None else last.version + 1
    envelope = Envelope(
        id=make_message_id(INTERVAL_DATA, at),
        code=INTERVAL_DATA,
        at=at.replace(microsecond=0),
        sender=Participant(month.sender, package.envelope.coding_scheme),
        receiver=Participant(package.envelope.market_operator, package.envelope.coding_scheme),
        answer_required=True,
        language=package.envelope.language,
        dtd_version=package.envelope.dtd_version,
        dtd_release=package.envelope.dtd_release,
    )
    content = write_interval_data(package, IntervalData(envelope, [Location(month.ean, version, month.profiles)]))
    number = create(
        connection,
        Draft(
            message_id=envelope.id,
            code=INTERVAL_DATA,
            package=package.name,
            package_digest=package.digest,
            sender=month.sender,
            receiver=package.envelope.market_operator,
            subject=Subject("supply_point", month.ean, month.supply_point),
            first_day=month.first_day,
            end_day=month.end_day,
            version=version,
            xml=content,
            basis=basis,
            duty=duty,
            deadline=deadline,
        ),
        at,
        person,
    )
    if last is not None and last.state in _REPLACEABLE:
        move(connection, last.id, Act.REPLACE, at, person, f"version {version}, {envelope.id}, takes its place")
    return Reported(number, version)
