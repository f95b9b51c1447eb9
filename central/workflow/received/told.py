"""What we can tell somebody who asks: interval values as they were told already, master data as they are registered."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from sqlalchemy import Connection, text

from central.market.cdsdata import INTERVAL_DATA, IntervalData, Location, Profile, ProfileDay
from central.market.contents import read_any
from central.market.envelope import Envelope
from central.market.errors import MarketError
from central.market.format_package import load_package
from central.market.messages import require_xml
from central.market.payloads.master_data import MasterData
from central.market.payloads.requests import AskedPoint
from central.platform.errors import Refused
from central.workflow.telling.acts import lacking, record
from central.workflow.telling.registry import read_facts

MOST_DAYS: Final = 400
_TOLD: Final = text("""
    -- messages of a point whose days may hold what is asked for: what the operator took counts before what it has not
    -- answered yet, then a later one; what was refused or has not left was never told
    SELECT id, message_id, format_package FROM market_message
     WHERE direction = 'out' AND message_code = :code AND subject_kind = 'supply_point' AND subject = :point
       AND period && daterange(:first, :stop)
       AND state IN ('sent', 'timed_out', 'accepted', 'accepted_with_reservation')
     ORDER BY state IN ('accepted', 'accepted_with_reservation'), version, id
""")


def interval_data(connection: Connection, asked: AskedPoint, envelope: Envelope) -> IntervalData:
    """The days asked for as our messages told them, the newest taken version of each; Refused where one is missing."""
    stop = asked.last_day + timedelta(days=1)
    if not 0 < (stop - asked.first_day).days <= MOST_DAYS:
        raise Refused("days", f"{asked.first_day} to {asked.last_day} are not 1 to {MOST_DAYS} days.")
    query = {"code": INTERVAL_DATA, "point": asked.opm, "first": asked.first_day, "stop": stop}
    found: dict[str, dict[date, tuple[Profile, ProfileDay]]] = {}
    for row in connection.execute(_TOLD, query).all():
        for profile in _profiles(connection, row.id, row.format_package, asked.opm):
            if asked.direction in {None, profile.direction}:
                days = found.setdefault(profile.direction, {})
                days |= {each.day.date: (profile, each) for each in profile.days if _asked(each, asked)}
    count = (stop - asked.first_day).days
    if not found or any(len(days) < count for days in found.values()):
        there = min((len(days) for days in found.values()), default=0)
        raise Refused("not_told", f"Of {count} days of {asked.opm} asked for, {there} were told to the operator.")
    profiles = [part for direction in sorted(found) for part in _parts(direction, found[direction])]
    return IntervalData(envelope, [Location(asked.opm, asked.version or 1, profiles)])


def _profiles(connection: Connection, number: int, package: str, opm: str) -> Sequence[Profile]:
    try:
        payload: IntervalData = read_any(load_package(package), require_xml(connection, number)).payload
    except (MarketError, OSError) as error:
        raise Refused("not_told", f"What was told of {opm} by the message {number} cannot be read: {error}.") from None
    return [profile for location in payload.locations if location.opm == opm for profile in location.profiles]


def _asked(day: ProfileDay, asked: AskedPoint) -> bool:
    return asked.first_day <= day.day.date <= asked.last_day


def _parts(direction: str, days: dict[date, tuple[Profile, ProfileDay]]) -> list[Profile]:
    """Days in order as profiles, each of one unit and power of ten."""
    parts: list[tuple[tuple[str, int], list[ProfileDay]]] = []
    for day in sorted(days):
        profile, values = days[day]
        kind = profile.unit, profile.exponent
        if not parts or parts[-1][0] != kind:
            parts.append((kind, []))
        parts[-1][1].append(values)
    return [Profile(direction, unit, exponent, listed) for (unit, exponent), listed in parts]


def master_data(connection: Connection, point: int, asked: AskedPoint) -> MasterData:
    """The point as it is registered on the first day asked for; Refused where something of it is missing."""
    facts = read_facts(connection, [(point, asked.first_day)]).get((point, asked.first_day))
    if facts is None:
        raise Refused("not_there", f"The supply point {asked.opm} is not registered on {asked.first_day}.")
    if problem := lacking(facts):
        raise Refused("incomplete", problem)
    return record(["change"], facts, asked.first_day)
