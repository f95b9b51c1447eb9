"""Groups of sharing and their keys: kept with validity, checked as EDC would refuse them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, text

from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.readings.sharing.rules import rules_on
from central.readings.sharing.static import WHOLE
from central.readings.sharing.tables import sharing_group
from central.registry.tables import supply_point
from shared.quantities import Commodity


@dataclass(frozen=True, slots=True)
class Key:
    """What part of the producer's energy the consumer is offered; EANs, hundredths of a percent."""

    producer: str
    consumer: str
    hundredths: int


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key as stored; days half-open, `end` None: until further notice."""

    producer: str
    consumer: str
    hundredths: int
    first: date
    end: date | None


def create_group(connection: Connection, code: str, name: str, kind: str, person: Person, at: datetime) -> None:
    """A new group without keys; Refused where it is there."""
    if connection.execute(select(sharing_group.c.code).where(sharing_group.c.code == code)).first() is not None:
        raise Refused("exists", f"There is a sharing group {code} already.")
    connection.execute(insert(sharing_group).values(code=code, name=name, kind=kind, made_at=at, made_by=person.name))
    audit.record(connection, person, "sharing.create", f"sharing_group/{code}", {"name": name, "kind": kind}, at)


def find_groups(connection: Connection) -> Sequence[Row[Any]]:
    """All groups by code."""
    return connection.execute(select(sharing_group).order_by(sharing_group.c.code)).all()


def require_group(connection: Connection, code: str, *, lock: bool = False) -> Row[Any]:
    """The group; NotFound."""
    query = select(sharing_group).where(sharing_group.c.code == code)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("sharing_group_not_found", f"There is no sharing group {code}.")
    return row


_HELD: Final = text("""
    SELECT p.ean, c.ean, k.hundredths, lower(k.valid), upper(k.valid)
      FROM sharing_key k
      JOIN supply_point p ON p.id = k.producer
      JOIN supply_point c ON c.id = k.consumer
     WHERE k."group" = :code AND k.valid && daterange(:first, :end)
     ORDER BY p.ean, c.ean, k.valid
""")


def held_keys(connection: Connection, code: str, first: date, end: date | None) -> list[HeldKey]:
    """The keys that hold somewhere in the days from `first` to before `end` (None: for ever), by EANs and days."""
    return [HeldKey(*row) for row in connection.execute(_HELD, {"code": code, "first": first, "end": end})]


_END: Final = text("""
    WITH gone AS (DELETE FROM sharing_key WHERE "group" = :code AND lower(valid) >= :first)
    UPDATE sharing_key SET valid = daterange(lower(valid), :first)
     WHERE "group" = :code AND lower(valid) < :first AND valid @> CAST(:first AS date)
""")
_STORE: Final = text("""
    INSERT INTO sharing_key ("group", producer, consumer, hundredths, valid)
    SELECT :code, p.id, c.id, g.hundredths, daterange(:first, NULL)
      FROM unnest(CAST(:producers AS text[]), CAST(:consumers AS text[]), CAST(:parts AS integer[]))
           AS g (producer, consumer, hundredths)
      JOIN supply_point p ON p.ean = g.producer
      JOIN supply_point c ON c.ean = g.consumer
""")


def set_keys(
    connection: Connection, code: str, first: date, keys: Sequence[Key], reason: str, person: Person, at: datetime
) -> None:
    """From `first` on the group shares by exactly these keys; none: it shares no more.

    Earlier days keep theirs. Raises NotFound for an unknown group, BadInput for keys that EDC would refuse: a producer
    that gives more than 100 %, a pair twice, more members than the group's kind may have, a point that is not ours.
    """
    group = require_group(connection, code, lock=True)
    _check(connection, group.kind, first, keys)
    connection.execute(_END, {"code": code, "first": first})
    connection.execute(
        _STORE,
        {
            "code": code,
            "first": first,
            "producers": [key.producer for key in keys],
            "consumers": [key.consumer for key in keys],
            "parts": [key.hundredths for key in keys],
        },
    )
    content = {"first": first.isoformat(), "keys": len(keys), "reason": reason}
    audit.record(connection, person, "sharing.set_keys", f"sharing_group/{code}", content, at)


def _check(connection: Connection, kind: str, first: date, keys: Sequence[Key]) -> None:
    pairs = [(key.producer, key.consumer) for key in keys]
    if doubled := sorted(pair for pair, count in Counter(pairs).items() if count > 1):
        raise BadInput("doubled_key", f"The key of {doubled[0][0]} for {doubled[0][1]} is given twice.")
    sums: dict[str, int] = defaultdict(int)
    for key in keys:
        sums[key.producer] += key.hundredths
    if over := sorted(producer for producer, total in sums.items() if total > WHOLE):
        raise BadInput(
            "keys_over_whole",
            f"The keys of {over[0]} are {sums[over[0]] / 100:.2f} % together; at most 100 % are given.",
        )
    producers, consumers = {producer for producer, _ in pairs}, {consumer for _, consumer in pairs}
    limit = rules_on(first).limit_of(kind)
    if len(producers | consumers) > limit.members:
        raise BadInput(
            "group_too_large",
            f"The group would have {len(producers | consumers)} members; one of kind {kind} has at most "
            f"{limit.members} ({limit.mark}: {limit.source}).",
        )
    asked = select(supply_point.c.ean, supply_point.c.commodity).where(supply_point.c.ean.in_(producers | consumers))
    known = {row.ean: row.commodity for row in connection.execute(asked)}
    if missing := sorted((producers | consumers) - set(known)):
        raise BadInput("unknown_point", f"There is no supply point {missing[0]} here.")
    if other := sorted(ean for ean, commodity in known.items() if commodity != Commodity.ELECTRICITY):
        raise BadInput("not_electricity", f"The supply point {other[0]} is no electricity point.")
