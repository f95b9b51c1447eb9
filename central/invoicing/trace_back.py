"""From a reading forwards: the invoice lines that stand on a channel's day or on the state of a register."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, select, text

from central.invoicing.trace import versions_of
from central.network.tables import channel, evidence_channel
from central.platform.errors import NotFound
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

_FOUND = """
    -- lines of the points that are settled from channels or have a service that may be counted by one, whose bases were
    -- measured by it (that alone says it of formulas); si tells what was pinned
    SELECT i.number AS invoice, i.kind, i.state, i.issue_date, l.line_no AS line, sp.ean, b.id AS basis, b.component,
           b.amount, b.run, b.statement_type, m.measurement, si.profiles
      FROM (SELECT c.supply_point FROM channel c WHERE c.id = ANY (:channels) AND c.supply_point IS NOT NULL
             UNION
            SELECT ci.supply_point FROM settled_from f JOIN contract_item ci ON ci.id = f.contract_item
             WHERE f.channel = ANY (:channels)
             UNION
            SELECT ci.supply_point FROM contract_service s JOIN contract_item ci ON ci.id = s.contract_item
             WHERE s.channel = ANY (:channels) OR s.quantity = 'formula'
                OR s.collection IN (SELECT n.collection FROM collection_node n WHERE n.channel = ANY (:channels))
           ) settled
      JOIN supply_point sp ON sp.id = settled.supply_point
      JOIN invoice_line l ON l.supply_point = sp.id
      JOIN invoice i ON i.id = l.invoice
      JOIN billing_basis b ON b.id = l.basis
      LEFT JOIN settlement_input si ON si.id = b.input
     CROSS JOIN LATERAL (SELECT each.measurement FROM jsonb_array_elements(b.measurements) AS each (measurement)
                          WHERE {condition} LIMIT 1) m
     ORDER BY i.number, l.line_no
"""

OF_DAY = text(
    _FOUND.format(
        condition="""each.measurement ->> 'kind' = 'profile'
                            AND CAST(each.measurement ->> 'channel' AS bigint) = ANY (:channels)
                            AND CASE WHEN each.measurement ? 'first'
                                     THEN :day - CAST(each.measurement ->> 'first' AS date) BETWEEN 0
                                          AND jsonb_array_length(each.measurement -> 'versions') - 1
                                     ELSE CAST(each.measurement ->> 'from' AS timestamptz) <= :at
                                          AND CAST(each.measurement ->> 'to' AS timestamptz) > :at END"""
    )
)

OF_STATE = text(
    _FOUND.format(
        condition="""each.measurement ->> 'kind' = 'state'
                            AND EXISTS (
                                SELECT FROM jsonb_array_elements(each.measurement -> 'periods') period
                                 CROSS JOIN LATERAL (VALUES (period -> 'from'), (period -> 'to')) AS side (state)
                                 WHERE CAST(side.state ->> 'evidence_channel' AS bigint) = :register
                                   AND CAST(side.state ->> 'at' AS timestamptz) = :at)"""
    )
)

FED = text("SELECT DISTINCT channel FROM channel_mapping WHERE evidence_channel = :register")


def lines_of_day(connection: Connection, number: int, day: date) -> list[dict[str, Any]]:
    """The invoice lines that a channel's metering day was billed by, each with the version that it was billed in.

    Lines of the points that the channel measures or is settled for, and of services at any point that are counted by
    it, by a formula with it or by a node beside it. Raises NotFound where there is no such channel.
    """
    query: Select[Any] = select(channel.c.commodity).where(channel.c.id == number)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("channel_not_found", f"There is no channel {number}; see GET /v1/channels.")
    begins = MeteringDay(Commodity(row.commodity), day).start.astimezone(UTC)
    found = connection.execute(OF_DAY, {"channels": [number], "day": day, "at": begins}).mappings()
    return [{**_line(each), "version": _version(each, number, day)} for each in found]


def lines_of_state(connection: Connection, register: int, at: datetime) -> list[dict[str, Any]]:
    """The invoice lines that begin or end with the state of a register (evidence channel) at an instant.

    Raises NotFound where there is no such register.
    """
    _require(connection, evidence_channel, register)
    channels = list(connection.execute(FED, {"register": register}).scalars())
    found = connection.execute(OF_STATE, {"channels": channels, "register": register, "at": at}).mappings()
    return [_line(each) for each in found]


def _require(connection: Connection, table: Table, identifier: int) -> None:
    if connection.execute(select(table.c.id).where(table.c.id == identifier)).one_or_none() is None:
        raise NotFound("evidence_channel_not_found", f"There is no evidence channel {identifier}.")


def _line(row: Any) -> dict[str, Any]:
    hidden = ("measurement", "profiles")
    return {name: value for name, value in row.items() if name not in hidden}


def _version(row: Any, number: int, day: date) -> int | None:
    pinned = next((each for each in row["profiles"] or () if each["channel"] == number), None)
    return versions_of(row["measurement"], pinned).get(day)
