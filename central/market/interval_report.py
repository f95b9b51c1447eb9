"""Puts the interval data of supply points into the outbox, and a correction where they changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection

from central.market.cdsdata import INTERVAL_DATA, Series
from central.market.channels.allowed import Environment
from central.market.envelope import Envelope, Participant, make_message_id
from central.market.format_package import FormatPackage
from central.market.interval_writer import Sheet
from central.market.messages import Draft, LastMessage, Subject, create_all, move_all
from central.market.states import Act, State

_REPLACEABLE: Final = {State.GENERATED, State.SAVED, State.TIMED_OUT, State.REJECTED}
"""States in which nobody has accepted the message: a later version takes its place. One that waits for its answer is
left to get it; an accepted one stays accepted beside its correction."""
_WORTH_REPEATING: Final = {State.REJECTED, State.TIMED_OUT}


@dataclass(frozen=True, slots=True)
class PointMonth:
    """All complete profiles of one supply point for [first_day, end_day), with the versions they are.

    `versions` are channel, day (ISO) and version of every day profile; `corrections` tell what else the values were
    made by: another one makes another version of the message.
    """

    supply_point: int
    ean: str
    sender: str
    first_day: date
    end_day: date
    series: Sequence[Series]
    versions: Sequence[list[int | str]]
    corrections: Sequence[str] = ()

    @property
    def basis(self) -> dict[str, Any]:
        """What the message is made from, as it is kept with it."""
        basis: dict[str, Any] = {"profiles": list(self.versions)}
        if self.corrections:
            basis["corrections"] = list(self.corrections)
        return basis


@dataclass(frozen=True, slots=True)
class Planned:
    """A message to be made: what it is written from, of what it is the next version, and which duty it fulfils."""

    month: PointMonth
    sheet: Sheet
    last: LastMessage | None
    duty: int | None
    deadline: datetime | None


@dataclass(frozen=True, slots=True)
class Reported:
    """A message made: its number in the database and its version."""

    ean: str
    number: int
    version: int


def plan(
    package: FormatPackage,
    month: PointMonth,
    last: LastMessage | None,
    at: datetime,
    *,
    again: bool = False,
    to_production: bool = False,
    duty: int | None = None,
    deadline: datetime | None = None,
) -> Planned | None:
    """The message that is to be written; None if the last one was made from the same versions and corrections.

    `again` makes a new version also of the same data where the last message was rejected or never answered;
    `to_production`: the messages go to the market operator itself, who knows nothing of what a sandbox was told. `duty`
    is the one that the message fulfils by its `deadline`.
    """
    worth_repeating = _WORTH_REPEATING if again else ()
    # One that was withdrawn told nothing, whatever it was made from.
    told_nothing = last is None or last.state in (State.REPAIRED, *worth_repeating)
    elsewhere = to_production and last is not None and last.environment == Environment.SANDBOX
    if last is not None and not told_nothing and not elsewhere and last.basis == month.basis:
        return None
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
    version = 1 if last is None else last.version + 1
    return Planned(month, Sheet(package.name, envelope, month.ean, version, month.series), last, duty, deadline)


def keep(
    connection: Connection,
    package: FormatPackage,
    written: Sequence[tuple[Planned, bytes]],
    at: datetime,
    person: str,
) -> list[Reported]:
    """Save messages that were written; a later version takes the place of the one before where nobody accepted that."""
    numbers = create_all(connection, [_draft(package, planned, xml) for planned, xml in written], at, person)
    replaced = {
        planned.last.id: f"version {planned.sheet.version}, {planned.sheet.envelope.id}, takes its place"
        for planned, _ in written
        if planned.last is not None and planned.last.state in _REPLACEABLE
    }
    move_all(connection, replaced, Act.REPLACE, at, person)
    return [
        Reported(planned.month.ean, number, planned.sheet.version)
        for number, (planned, _) in zip(numbers, written, strict=True)
    ]


def _draft(package: FormatPackage, planned: Planned, xml: bytes) -> Draft:
    month = planned.month
    return Draft(
        message_id=planned.sheet.envelope.id,
        code=INTERVAL_DATA,
        package=package.name,
        package_digest=package.digest,
        sender=month.sender,
        receiver=package.envelope.market_operator,
        subject=Subject("supply_point", month.ean, month.supply_point),
        first_day=month.first_day,
        end_day=month.end_day,
        version=planned.sheet.version,
        xml=xml,
        basis=month.basis,
        duty=planned.duty,
        deadline=planned.deadline,
    )
