"""Rate and breaker of supply points over time as the billing data (DUF) received say them: the one answer of many."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Final

from sqlalchemy import Connection, text

from central.market.format_package import usable_packages

_STANDING: Final = text("""
    -- spans of documents that nothing cancels or corrects, the latest received last; only their own sender and the
    -- market operator, who hands on for others, can do that
    SELECT t.id, t.point_code, t.inbox, t.document, lower(t.valid) AS first, upper(t.valid) AS stop, t.rate,
           t.breaker_phases, t.breaker_amps
      FROM received_tariff t JOIN market_inbox own ON own.id = t.inbox
     WHERE t.point_code = ANY (:points) AND t.valid && daterange(:first, :stop)
       AND (t.rate IS NOT NULL OR t.breaker_amps IS NOT NULL)
       AND NOT EXISTS (SELECT FROM received_tariff later JOIN market_inbox told ON told.id = later.inbox
                        WHERE later.point_code = t.point_code AND later.concerns = t.document
                          AND (told.sender IS NOT DISTINCT FROM own.sender OR told.sender = ANY (:operators)))
     ORDER BY t.point_code, t.inbox, t.id
""")


@dataclass(frozen=True, slots=True)
class ReceivedTariff:
    """What billing data say of the days [first, stop) of a point; `inbox` is the message, `document` its own number."""

    point: str
    first: date
    stop: date
    rate: str | None
    breaker_phases: int | None
    breaker_amps: Decimal | None
    inbox: int
    document: str


def standing_tariffs(connection: Connection, points: Iterable[str], first: date, stop: date) -> list[ReceivedTariff]:
    """What stands for the days [first, stop) of points (EAN), by point and time, without overlaps.

    Documents that another one of their sender, or one of the market operator, cancels or corrects do not count; of two
    on a day the one received later does.
    """
    operators = sorted({package.envelope.market_operator for package in usable_packages()[0]})
    asked = {"points": sorted(set(points)), "first": first, "stop": stop, "operators": operators}
    said: dict[str, list[ReceivedTariff]] = {}
    for row in connection.execute(_STANDING, asked):
        tariff = ReceivedTariff(
            row.point_code,
            max(row.first, first),
            min(row.stop, stop),
            row.rate,
            row.breaker_phases,
            row.breaker_amps,
            row.inbox,
            row.document,
        )
        said.setdefault(row.point_code, []).append(tariff)
    return [each for point in sorted(said) for each in latest(said[point])]


def latest(said: list[ReceivedTariff]) -> list[ReceivedTariff]:
    """Spans in the order in which they were received made one answer: each day has the last that covers it."""
    if len(said) == 1:
        return said
    borders = sorted({day for each in said for day in (each.first, each.stop)})
    found: list[ReceivedTariff] = []
    for first, stop in pairwise(borders):
        covering = [each for each in said if each.first <= first and each.stop >= stop]
        if not covering:
            continue
        part = replace(covering[-1], first=first, stop=stop)
        if found and replace(found[-1], stop=stop) == replace(part, first=found[-1].first) and found[-1].stop == first:
            found[-1] = replace(found[-1], stop=stop)
        else:
            found.append(part)
    return found
