"""Calorific values (spalné teplo) by area and gas day, and means of months: stored in versions, never overwritten.

A gas day's own value goes before its month's mean: where an area publishes only means, every day of the month has it,
and what is computed says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, text

from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.readings.gas.tables import gas_area

Period = Literal["day", "month"]
Origin = Literal["entered", "imported", "downloaded"]

LOW, HIGH = Decimal(5), Decimal(20)
"""kWh/m3 between which a calorific value is believed: natural gas has 10 to 12; 36 to 42 would be MJ/m3."""
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class GivenValue:
    """A value to be stored: of a gas day, or of the month that begins on `first`; in kWh/m3."""

    area: str
    period: Period
    first: date
    value: Decimal


@dataclass(frozen=True, slots=True)
class Calorific:
    """A stored value: the newest version, with what it is of and where it is from."""

    area: str
    period: Period
    first: date
    version: int
    value: Decimal
    kind: str
    source: str

    def document(self) -> dict[str, Any]:
        """As run documents hold it."""
        return {
            "period": self.period,
            "first": self.first.isoformat(),
            "version": self.version,
            "value": format(self.value.normalize() + 0, "f"),
            "kind": self.kind,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Stored:
    """What a set of values did: new ones, corrections (versions above 1), and those that were the same already."""

    added: int
    corrected: int
    unchanged: int


def check_value(value: Decimal) -> str | None:
    """What is wrong with a value in kWh/m3, as the end of a sentence; None where nothing is."""
    if not value.is_finite() or not LOW <= value <= HIGH:
        return f"must be between {LOW} and {HIGH} kWh/m3 and is {value}; MJ/m3 are divided by 3.6 first"
    if value != round(value, DECIMALS):
        return f"has more than {DECIMALS} decimals: {value}"
    return None


def create_area(
    connection: Connection, identifier: str, name: str, source: str, person: Person | str, at: datetime
) -> None:
    """A new area; Refused where it is there."""
    found = connection.execute(select(gas_area.c.id).where(gas_area.c.id == identifier)).first()
    if found is not None:
        raise Refused("exists", f"There is a gas area {identifier} already.")
    connection.execute(insert(gas_area).values(id=identifier, name=name, source=source))
    audit.record(connection, person, "gas_area.create", f"gas_area/{identifier}", {"name": name}, at)


def find_areas(connection: Connection) -> Sequence[Row[Any]]:
    """All areas by id."""
    return connection.execute(select(gas_area).order_by(gas_area.c.id)).all()


_COMPARED = """
    WITH given AS (
        SELECT * FROM unnest(CAST(:areas AS text[]), CAST(:periods AS text[]), CAST(:firsts AS date[]),
                             CAST(:values AS numeric[])) AS g (area, period, first, value)
    ),
    compared AS (
        SELECT g.*, newest.version
        FROM given g
        LEFT JOIN LATERAL (
            SELECT c.version, c.value FROM calorific_value c
            WHERE c.area = g.area AND c.period = g.period AND c.first = g.first
            ORDER BY c.version DESC LIMIT 1
        ) newest ON true
        WHERE newest.value IS DISTINCT FROM g.value
    )
    {then}
"""
_INSERT = """
    INSERT INTO calorific_value (area, period, first, version, value, kind, source, reason, made_at, made_by)
    SELECT area, period, first, coalesce(version, 0) + 1, value, :kind, :source, :reason, :at, :person
    FROM compared
    RETURNING version
"""


def find_changing(connection: Connection, given: Sequence[GivenValue]) -> list[GivenValue]:
    """Those of the values that `store` would store: new ones and corrections. Raises what it raises."""
    _check_and_lock(connection, given)
    chosen = "SELECT area, period, first, value FROM compared"
    rows = connection.execute(text(_COMPARED.format(then=chosen)), _arrays(given))
    return [GivenValue(row.area, row.period, row.first, row.value) for row in rows]


def store(
    connection: Connection,
    given: Sequence[GivenValue],
    kind: Origin,
    source: str,
    reason: str,
    person: Person | str,
    at: datetime,
    touched: Sequence[str] = (),
) -> Stored:
    """Store values; one that differs from the newest of its area and time is a new version, an equal one is left out.

    Areas must be there (NotFound names the first that is not), and no area and time may be given twice (BadInput).
    `touched` is what the change was weighed to touch, for the record of the act.
    """
    _check_and_lock(connection, given)
    rows = connection.execute(
        text(_COMPARED.format(then=_INSERT)),
        {
            **_arrays(given),
            "kind": kind,
            "source": source,
            "reason": reason,
            "at": at,
            "person": person.name if isinstance(person, Person) else person,
        },
    ).all()
    corrected = sum(row.version > 1 for row in rows)
    stored = Stored(len(rows) - corrected, corrected, len(given) - len(rows))
    details = {
        "kind": kind,
        "source": source,
        "reason": reason,
        "added": stored.added,
        "corrected": stored.corrected,
        "unchanged": stored.unchanged,
        "from": min(one.first for one in given).isoformat() if given else None,
        "to": max(one.first for one in given).isoformat() if given else None,
        "touched": list(touched),
    }
    areas = ",".join(sorted({one.area for one in given}))
    audit.record(connection, person, "calorific_value.store", f"gas_area/{areas}", details, at)
    return stored


def _arrays(given: Sequence[GivenValue]) -> dict[str, list[Any]]:
    return {
        "areas": [one.area for one in given],
        "periods": [one.period for one in given],
        "firsts": [one.first for one in given],
        "values": [one.value for one in given],
    }


def _check_and_lock(connection: Connection, given: Sequence[GivenValue]) -> None:
    _refuse_repeated(given)
    _lock_areas(connection, sorted({one.area for one in given}))


def _refuse_repeated(given: Sequence[GivenValue]) -> None:
    seen: set[tuple[str, str, date]] = set()
    for one in given:
        key = (one.area, one.period, one.first)
        if key in seen:
            raise BadInput("repeated", f"Area {one.area}, {one.period} {one.first} is given twice; give it once.")
        seen.add(key)
        if (problem := check_value(one.value)) is not None:
            raise BadInput("calorific_value", f"The calorific value of {one.area}, {one.first} {problem}.")
        if one.period == "month" and one.first.day != 1:
            raise BadInput("calorific_value", f"A month's mean is given by the month's first day, not {one.first}.")


def _lock_areas(connection: Connection, areas: list[str]) -> None:
    """Hold the areas until the transaction ends, so that versions of two writers follow one another."""
    query = text("SELECT id FROM gas_area WHERE id = ANY(:areas) ORDER BY id FOR UPDATE")
    known = set(connection.execute(query, {"areas": areas}).scalars())
    for area in areas:
        if area not in known:
            raise NotFound("gas_area_not_found", f"There is no gas area {area}; create it by POST /v1/gas/areas.")


def read_calorific(
    connection: Connection, areas: Sequence[str], first: date, end: date
) -> Mapping[str, Mapping[date, Calorific]]:
    """By area, the newest value of each gas day from `first` to before `end`: the day's own, or else its month's mean.

    One query; a day without either is not in the mapping.
    """
    rows = connection.execute(
        text("""
            SELECT DISTINCT ON (c.area, d.day) d.day::date AS day,
                   c.area, c.period, c.first, c.version, c.value, c.kind, c.source
            FROM unnest(CAST(:areas AS text[])) AS wanted (area)
            CROSS JOIN generate_series(CAST(:first AS date), CAST(:end AS date) - 1, interval '1 day') AS d (day)
            JOIN calorific_value c ON c.area = wanted.area
             AND (c.period = 'day' AND c.first = d.day::date
                  OR c.period = 'month' AND c.first = date_trunc('month', d.day)::date)
            ORDER BY c.area, d.day, c.period, c.version DESC
        """),
        {"areas": sorted(set(areas)), "first": first, "end": end},
    )
    found: dict[str, dict[date, Calorific]] = {}
    for row in rows:
        value = Calorific(row.area, row.period, row.first, row.version, row.value, row.kind, row.source)
        found.setdefault(row.area, {})[row.day] = value
    return found


def find_values(connection: Connection, area: str, first: date, end: date, *, all_versions: bool) -> Sequence[Row[Any]]:
    """Stored values of an area, days and means, that begin from `first` to before `end`; newest or all versions."""
    rows = connection.execute(
        text("""
            SELECT *, version = max(version) OVER (PARTITION BY period, first) AS newest
            FROM calorific_value WHERE area = :area AND first >= :first AND first < :end
            ORDER BY first, period, version
        """),
        {"area": area, "first": first, "end": end},
    ).all()
    return [row for row in rows if all_versions or row.newest]
