"""Check 1004: bases on estimates (Kontrola podkladů z odhadů). Ours."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from central.checks.frame import Frame, match
from central.checks.framework import Asked, Definition, Findings, Kind, Text, Value, findings
from central.checks.verdict import Result
from shared.quantities import Flag, Quality

MEASURED, USED, SETTLED = range(3)
FINAL: Final = (6, 10)
"""Statements that settle a year for good."""
ESTIMATES: Final = tuple(each.name.lower() for each in (Quality.PROVISIONAL, Quality.ESTIMATED, Quality.SUBSTITUTE))
"""Of values of profiles; states have the flags of their meter instead."""

MADE_UP = """
    -- of each basis how many values of its profiles, and how many of its states, were not measured but made up
    SELECT b.id AS basis, coalesce(sum(s.number), 0) AS values_, coalesce(sum(s.states), 0) AS states
      FROM billing_basis b
     CROSS JOIN LATERAL jsonb_array_elements(b.measurements) AS m (source)
     CROSS JOIN LATERAL (
           SELECT q.number::bigint, 0 FROM jsonb_each_text(coalesce(m.source -> 'quality', '{}')) AS q (name, number)
            WHERE m.source ->> 'kind' = 'profile' AND q.name = ANY (%(estimates)s::text[])
           UNION ALL
           SELECT 0, count(*)
             FROM jsonb_array_elements(coalesce(m.source -> 'periods', '[]')) AS p (period)
            CROSS JOIN LATERAL (VALUES (p.period -> 'from'), (p.period -> 'to')) AS e (state)
            WHERE m.source ->> 'kind' = 'state' AND jsonb_typeof(e.state) = 'object'
              AND (e.state ? 'split' OR e.state ->> 'kind' = 'estimate'
                   OR (e.state ->> 'quality')::integer & %(substituted)s <> 0)
           ) AS s (number, states)
     WHERE b.supply_point = ANY (%(points)s::bigint[]) AND b.state IN ('new', 'approved')
       AND jsonb_array_length(b.measurements) > 0
     GROUP BY b.id
"""


class Estimates:
    """What was made up instead of measured is seen before it is invoiced."""

    definition: ClassVar[Definition] = Definition(
        number=1004,
        name=Text("Kontrola podkladů z odhadů", "Bases on estimates"),
        rule=Text(
            "Podklad z naměřených hodnot: OK; z odhadnutých, náhradních nebo předběžných: varování, u výsledného "
            "zúčtování roku chyba (její zrušení je schválením). Podklad bez měření se neposuzuje.",
            "A basis on measured values: OK; on estimated, substitute or provisional ones: warning, of a year's final "
            "settlement error (to cancel it is to approve). A basis without measurements is not judged.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "annual"),
        statements=("regular", "annual"),
        messages=(
            Text("Všechny hodnoty jsou naměřené.", "All values are measured."),
            Text(
                "Nenaměřených hodnot profilu: {values}, stavů: {states}.",
                "Values of profiles that were not measured: {values}, states: {states}.",
            ),
            Text(
                "Výsledné zúčtování stojí na odhadu: nenaměřených hodnot profilu {values}, stavů {states}. Doplňte "
                "odečet, "
                "nebo chybu zrušte a tím odhad schvalte.",
                "A final settlement rests on an estimate: {values} values of profiles, {states} states not measured. "
                "Enter a "
                "reading, or cancel the error and so approve the estimate.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Frame:
        """Values and states that were made up, by basis with measurements."""
        given = {"estimates": list(ESTIMATES), "substituted": int(Flag.SUBSTITUTED)}
        return asked.frame(MADE_UP, ("basis", "values_", "states"), **given)

    def verdict(self, bases: Frame, read: Frame, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """One result for each basis with measurements."""
        places, others = match([bases["id"]], [read["basis"]])
        made_up = (read["values_"][others] > 0) | (read["states"][others] > 0)
        final = np.isin(bases["statement_type"][places], FINAL)
        messages = np.where(~made_up, MEASURED, np.where(final, SETTLED, USED))
        results = np.array([Result.OK, Result.WARNING, Result.ERROR], dtype=np.int8)[messages]
        values = {
            "values": Value(Kind.COUNT, read["values_"][others]),
            "states": Value(Kind.COUNT, read["states"][others]),
        }
        return [findings(bases["id"][places], results, messages, values)]
