"""What a register can show and count: its digits by its version, and what its main breaker lets through."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, text

from central.readings.registers.difference import most_through_breaker
from central.readings.states import WITHIN

# The version of the register and the breaker of the supply point that it measures, at the instant.
_FACES = text("""
    SELECT w.place, e.unit, e.exponent, v.digits, v.multiplier AS nameplate, m.multiplier,
           i.breaker_phases, i.breaker_amps
    FROM unnest(CAST(:registers AS integer[]), CAST(:instants AS timestamptz[]))
         WITH ORDINALITY AS w (evidence_channel, instant, place)
    JOIN evidence_channel e ON e.id = w.evidence_channel
    LEFT JOIN register_version v ON v.evidence_channel = w.evidence_channel AND v.valid @> w.instant
    LEFT JOIN channel_mapping m ON m.evidence_channel = w.evidence_channel AND m.valid @> w.instant
    LEFT JOIN channel c ON c.id = m.channel
    LEFT JOIN LATERAL (
        SELECT o.breaker_phases, o.breaker_amps FROM contract_item o
        WHERE o.supply_point = c.supply_point AND o.breaker_amps IS NOT NULL
          AND o.valid @> CAST(w.instant AT TIME ZONE 'Europe/Prague' AS date)
        ORDER BY o.breaker_phases * o.breaker_amps DESC LIMIT 1
    ) i ON true
""")


@dataclass(frozen=True, slots=True)
class RegisterFace:
    """A register at an instant: digits (None: no version says), the energy of one unit in Wh, and its breaker."""

    digits: int | None = None
    unit_wh: Decimal | None = None
    phases: int | None = None
    amperes: int | None = None

    def most(self, since: datetime, until: datetime) -> int | None:
        """The most units that it can count in a time; None where nobody knows the breaker."""
        if self.unit_wh is None or self.phases is None or self.amperes is None:
            return None
        return int(most_through_breaker(self.phases, Decimal(self.amperes), until - since) / self.unit_wh)


def find_faces(
    connection: Connection, wanted: Sequence[tuple[int, datetime]]
) -> dict[tuple[int, datetime], RegisterFace]:
    """The face of each (evidence channel, instant); one query."""
    parameters = {"registers": [register for register, _ in wanted], "instants": [instant for _, instant in wanted]}
    return {
        wanted[row.place - 1]: RegisterFace(
            digits=row.digits,
            unit_wh=Decimal(row.multiplier or row.nameplate or 1).scaleb(row.exponent) if row.unit == "Wh" else None,
            phases=row.breaker_phases,
            amperes=row.breaker_amps,
        )
        for row in connection.execute(_FACES, parameters)
    }


_ROLLOVERS = text("""
    SELECT evidence_channel, at FROM meter_state
    WHERE evidence_channel = ANY(:registers) AND rolled_over AND revoked_at IS NULL AND at >= :first AND at <= :last
    ORDER BY evidence_channel, at
""")


def find_rollovers(
    connection: Connection, registers: Sequence[int], first: datetime, last: datetime
) -> dict[int, list[datetime]]:
    """When people confirmed that a register had rolled over before a state, by evidence channel."""
    found: dict[int, list[datetime]] = {}
    parameters = {"registers": sorted(set(registers)), "first": first, "last": last + WITHIN}
    for row in connection.execute(_ROLLOVERS, parameters):
        found.setdefault(row.evidence_channel, []).append(row.at)
    return found
