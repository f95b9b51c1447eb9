"""Check 2: measurement interval against invoicing interval (Kontrola intervalu měření k fakturačnímu intervalu)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from central.checks.frame import Frame, match
from central.checks.framework import Asked, Definition, Findings, Kind, Text, Value, findings
from central.checks.verdict import Result

INSIDE, OUTSIDE = range(2)

MEASUREMENTS = """
    -- from when until when each linked measurement reaches, in days; a state counts by what was read at its end
    SELECT b.id AS basis, s.channel,
           (s.since AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS first,
           (s.until AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS end_
      FROM billing_basis b
     CROSS JOIN LATERAL jsonb_array_elements(b.measurements) AS m (source)
     CROSS JOIN LATERAL (
           SELECT (m.source ->> 'channel')::bigint, (m.source ->> 'from')::timestamptz,
                  (m.source ->> 'to')::timestamptz
            WHERE m.source ->> 'kind' = 'profile' AND m.source ? 'from'
           UNION ALL
           SELECT (m.source ->> 'channel')::bigint, min((p.period -> 'from' ->> 'at')::timestamptz),
                  max((p.period -> 'to' ->> 'at')::timestamptz)
             FROM jsonb_array_elements(m.source -> 'periods') AS p (period)
            WHERE m.source ->> 'kind' = 'state'
              AND coalesce(p.period -> 'to' ->> 'kind', '') NOT IN ('initial', 'contractual_initial')
           HAVING count(*) > 0
           ) AS s (channel, since, until)
     WHERE b.supply_point = ANY (%(points)s::bigint[]) AND b.state IN ('new', 'approved')
       AND jsonb_array_length(b.measurements) > 0 AND s.since IS NOT NULL AND s.until IS NOT NULL
"""


class MeasuredInterval:
    """What was measured must lie inside the interval that is invoiced."""

    definition: ClassVar[Definition] = Definition(
        number=2,
        name=Text(
            "Kontrola intervalu měření k fakturačnímu intervalu", "Measurement interval against invoicing interval"
        ),
        rule=Text(
            "Měření navázané na podklad leží uvnitř fakturačního intervalu: OK; zasahuje mimo něj: chyba. Počáteční "
            "stavy se neposuzují, stavy se porovnávají na dny.",
            "A measurement linked to the basis lies inside the invoicing interval: OK; reaches outside: error. Initial "
            "states are not judged; states are compared by days.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        messages=(
            Text(
                "Měření kanálu {channel} od {measured_from} do {measured_to} leží ve fakturačním intervalu od "
                "{first} do "
                "{end}.",
                "The measurement of channel {channel} from {measured_from} to {measured_to} lies inside the invoicing "
                "interval from {first} to {end}.",
            ),
            Text(
                "Měření kanálu {channel} od {measured_from} do {measured_to} zasahuje mimo fakturační interval od "
                "{first} do {end}. Opravte navázání měření, nebo interval podkladu.",
                "The measurement of channel {channel} from {measured_from} to {measured_to} reaches outside the "
                "invoicing interval from {first} to {end}. Correct the linked measurement, or the basis's interval.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Frame:
        """Linked measurements by basis."""
        measurements: Frame = asked.once("measurements of bases", read_measurements)
        return measurements

    def verdict(self, bases: Frame, read: Frame, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """A finding for each measurement of each basis; a basis without measurements shows nothing."""
        places, others = match([bases["id"]], [read["basis"]])
        first, end = bases["first"][places], bases["end_"][places]
        since, until = read["first"][others], read["end_"][others]
        outside = (since < first) | (until > end)
        values = {
            "channel": Value(Kind.LINK, read["channel"][others], ("channel",)),
            "measured_from": Value(Kind.DAY, since),
            "measured_to": Value(Kind.DAY, until),
            "first": Value(Kind.DAY, first),
            "end": Value(Kind.DAY, end),
        }
        messages = np.where(outside, OUTSIDE, INSIDE)
        return [findings(bases["id"][places], np.where(outside, Result.ERROR, Result.OK), messages, values)]


def read_measurements(asked: Asked) -> Frame:
    """Measurements of the points' bases: basis, channel, and the days [first, end_)."""
    return asked.frame(MEASUREMENTS, ("basis", "channel", "first", "end_"))
