"""Acts of the registry that the operator was told and that did not happen after all: the point's day is told anew.

An act is withdrawn when the registry has nothing that began or ended on its day any more: it was a mistake, or moved to
another day. What never left is waived by the pass; of what left, the operator has a wrong picture of that day.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection, text

from central.market.messages import Subject
from central.market.payloads.gas_master_data import GasMasterData
from central.market.payloads.master_data import MasterData
from central.workflow.telling.act_table import LIVE
from central.workflow.telling.model import IS_KNOWN, Tellable, Window, digest, due, read_told


class Standing(Protocol):
    """Facts of a point on a day."""

    @property
    def state(self) -> str: ...


F = TypeVar("F", bound=Standing)
_ENDS: Final = frozenset({"end", "gas_end"})
Live = tuple[str | None, Callable[[bool], msgspec.Struct]]
"""Of a point that is live on a day: what it lacks to be told, and its record (registered, or changed)."""
Anew = Callable[[Sequence["Withdrawn"]], Sequence[Live | None]]
"""Of each act, if its point is live on its day."""
_TOLD_SQL: Final = """
    -- acts of the time that left for the operator and are not among those that there are, with the last message that
    -- told of the point; what is being put right stays so: a registration of many that goes anew does not name the
    -- point any more, and what takes it back may have no message yet
    WITH own AS (
        SELECT id, why, subject AS ean, supply_point AS point, period, cause -> 'withdrawn' IS NOT NULL AS put_right
          FROM market_duty WHERE message_code = :code AND month BETWEEN :since AND :until),
    together AS (
        SELECT id, period, cause -> 'points' AS points
          FROM market_duty WHERE message_code = '194' AND :code = '111' AND month BETWEEN :since AND :until),
    told AS (
        SELECT id, why, ean, point, lower(period) AS day, put_right FROM own
         UNION ALL
        SELECT together.id, 'registration', point.ean, sp.id, lower(together.period), false
          FROM together CROSS JOIN jsonb_array_elements_text(together.points) AS point (ean)
          JOIN supply_point sp ON sp.ean = point.ean
         UNION ALL
        SELECT together.id, own.why, own.ean, own.point, lower(own.period), false
          FROM own JOIN together ON together.period = own.period WHERE own.put_right),
    gone AS MATERIALIZED (
        SELECT told.* FROM told
         WHERE NOT EXISTS (SELECT FROM unnest(CAST(:eans AS text[]), CAST(:days AS date[])) AS there (ean, day)
                            WHERE there.ean = told.ean AND there.day = told.day))
    SELECT DISTINCT ON (gone.ean, gone.day) gone.why, gone.ean, gone.point, gone.day, message.xml, message.sender
      FROM gone JOIN market_message message ON message.duty = gone.id
     WHERE ({is_known}
            OR gone.put_right AND message.direction = 'out' AND message.state IN ('saved', 'rejected'))
       AND position(convert_to(gone.ean, 'UTF8') IN message.xml) > 0
     ORDER BY gone.ean, gone.day, message.id DESC
"""
_TOLD: Final = text(_TOLD_SQL.format(is_known=IS_KNOWN))


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """An act `why` of a point's day that was told under `sender` and is not there any more; `last` is what was told."""

    why: str
    code: str
    point: int
    day: date
    last: MasterData | GasMasterData
    sender: str


def tell_anew(
    connection: Connection, window: Window, code: str, there: Sequence[Tellable], anew: Anew
) -> list[Tellable]:
    """What the messages `code` told of acts that are not `there` any more is put right, under the duty that told it.

    A point that is live on the day is told as it stands (registered again, if its end was told); of one that is not,
    what was told is cancelled.
    """
    found = []
    acts = _find(connection, window, code, there)
    for act, live in zip(acts, anew(acts) if acts else (), strict=True):
        told = _put_right(act, live)
        if told is None:
            continue
        problem, payload = told
        cause = {"acts": [], "withdrawn": act.why, "supply_point": act.point, "day": act.day.isoformat()}
        made = due(
            act.why,
            Subject("supply_point", act.code, act.point),
            act.day,
            None,
            {**cause, "told": digest(payload)},
        )
        found.append(Tellable(made, act.sender, payload, problem))
    return found


def anew_by(
    read: Callable[[Sequence[tuple[int, date]]], Mapping[tuple[int, date], F]],
    lacking: Callable[[F], str | None],
    record: Callable[[Sequence[str], F, date], msgspec.Struct],
    names: tuple[str, str],
) -> Anew:
    """By facts of points on days; `names` of the acts that register a point and that change it."""
    registers, changes = names

    def one(act: "Withdrawn", now: F | None) -> Live | None:
        if now is None or now.state not in LIVE:
            return None
        return lacking(now), lambda again: record([registers if again else changes], now, act.day)

    def anew(acts: Sequence["Withdrawn"]) -> list[Live | None]:
        facts = read(sorted({(act.point, act.day) for act in acts}))
        return [one(act, facts.get((act.point, act.day))) for act in acts]

    return anew


def _put_right(act: Withdrawn, live: Live | None) -> tuple[str | None, msgspec.Struct | None] | None:
    """A problem or a record; None where there is nothing to put right."""
    if live is not None:
        problem, record = live
        return problem, None if problem else record(act.why in _ENDS)
    if act.why in _ENDS:
        return None
    points = [msgspec.structs.replace(point, action="cancel", suspensions=[]) for point in act.last.points]
    return None, msgspec.structs.replace(act.last, points=points)


def _find(connection: Connection, window: Window, code: str, there: Sequence[Tellable]) -> list[Withdrawn]:
    asked = {
        "code": code,
        "to_production": window.is_production(code),
        "since": window.first_month,
        "until": window.last_month,
        "eans": [each.due.subject.code for each in there],
        "days": [each.due.first_day for each in there],
    }
    found = []
    for row in connection.execute(_TOLD, asked):
        if row.day >= window.first and (last := _told(bytes(row.xml), row.ean, window.today)) is not None:
            found.append(Withdrawn(row.why, row.ean, row.point, row.day, last, row.sender))
    return found


def _told(xml: bytes, code: str, today: date) -> MasterData | GasMasterData | None:
    """What the message told of the point alone; None where it cannot be read any more."""
    payload = read_told(xml, today)
    points = [point for point in payload.points if point.opm == code] if payload else []
    return msgspec.structs.replace(payload, points=points) if payload and points else None
