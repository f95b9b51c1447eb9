"""Check 10: duplicate invoicing (Kontrola duplicitní fakturace).

The source names the check and when it runs; what it compares is ours: the same point, service, component, rate, meter
and group of statements over overlapping days, where nothing takes the earlier line back. Lines have a meter in common
where any of their linked measurements are of one channel, or one of them is not measured; a line made by hand is the
same as any of its rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from central.checks.documents import documents_of
from central.checks.frame import MISSING, Frame, Numbers, group, match
from central.checks.framework import Asked, Definition, Findings, Kind, Text, Value, findings
from central.checks.meters import maybe_same_meter, read_channels
from central.checks.verdict import GROUPS, TAKING_BACK, Result
from central.settlement.by_hand import COMPONENT

ONCE, INVOICED, TOGETHER, OTHER = range(4)
_INVOICED: Final = 1

LINES = """
    -- lines of the points within days that hold and that no other takes back; one made by hand does not say its
    -- component
    SELECT b.id, b.supply_point, b.rate, hashtextextended(b.service, 0) AS service,
           hashtextextended(b.component, 0) AS component, (b.component = %(by_hand)s)::integer AS by_hand,
           b.statement_type,
           (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS first,
           (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS end_,
           (b.state = 'invoiced')::integer AS invoiced
      FROM billing_basis b
     WHERE b.supply_point = ANY (%(points)s::bigint[]) AND b.state <> 'cancelled'
       AND upper(b.valid) >= (DATE '1970-01-01' + %(first)s::integer + 1)::timestamp AT TIME ZONE 'Europe/Prague'
       AND lower(b.valid) < (DATE '1970-01-01' + %(end)s::integer)::timestamp AT TIME ZONE 'Europe/Prague'
       AND b.statement_type <> ALL (%(taking_back)s::integer[])
       AND NOT EXISTS (SELECT FROM billing_basis o
                        WHERE o.original = b.id AND o.state <> 'cancelled'
                          AND o.statement_type = ANY (%(taking_back)s::integer[]))
"""
NAMES: Final = (
    "id", "supply_point", "rate", "service", "component", "by_hand", "statement_type", "first", "end_", "invoiced",
)  # fmt: skip


@dataclass(frozen=True)
class Lines:
    """Lines that could be duplicates, the channels by which those that overlap were measured, the documents that
    overlapping invoiced ones stand in, the bases that are being invoiced together (none outside of invoicing)."""

    lines: Frame
    measured: Frame
    documents: Mapping[int, tuple[str, int]]
    together: Numbers


class Duplicates:
    """Nothing is invoiced twice."""

    definition: ClassVar[Definition] = Definition(
        number=10,
        name=Text("Kontrola duplicitní fakturace", "Duplicate invoicing"),
        rule=Text(
            "Stejné odběrné místo, služba, složka, sazba, měření a skupina vyúčtování v překrývajících se dnech, bez "
            "storna dřívějšího: s fakturovaným podkladem nebo s jiným v téže fakturaci chyba; jen s podkladem, který "
            "se nefakturuje, varování; jinak OK. Podklady, z jejichž navázaných měření žádné není společné, nejsou "
            "duplicita; ruční podklad je duplicita kteréhokoli podkladu téže sazby.",
            "The same supply point, service, component, rate, measurement and group of statements over overlapping "
            "days, the earlier not taken back: with an invoiced basis, or another in the same invoicing, error; only "
            "with one that is not being invoiced, warning; else OK. Bases none of whose linked measurements have a "
            "meter in common are no duplicate; one made by hand is that of any of its rate.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        messages=(
            Text("Žádný jiný podklad se nepřekrývá.", "No other basis overlaps."),
            Text(
                "Dny od {first} do {end} jsou už fakturovány: doklad {document}, řádek {line}, podklad {other}. "
                "Stornujte "
                "jej, nebo tento podklad zrušte.",
                "The days from {first} to {end} are invoiced already: document {document}, line {line}, basis {other}. "
                "Cancel that one, or delete this basis.",
            ),
            Text(
                "Dny od {first} do {end} obsahuje i podklad {other} téže fakturace. Jeden z nich zrušte.",
                "The days from {first} to {end} are in basis {other} of the same invoicing, too. Delete one of them.",
            ),
            Text(
                "Dny od {first} do {end} obsahuje i nefakturovaný podklad {other}.",
                "The days from {first} to {end} are in basis {other}, too, which is not invoiced.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Lines:
        """Living lines of the points, and the meters and documents of those that overlap a basis."""
        days = {"first": int(bases["first"].min()), "end": int(bases["end_"].max())}
        lines = with_group(asked.frame(LINES, NAMES, taking_back=TAKING_BACK, by_hand=COMPONENT, **days))
        places, others = overlapping(lines)
        measured = read_channels(asked, np.unique(lines["id"][places]))
        wanted = np.isin(lines["id"][places], bases["id"]) & (lines["invoiced"][others] == _INVOICED)
        found = documents_of(asked.connection, np.unique(lines["id"][others[wanted]]))
        return Lines(lines, measured, found, asked.together)

    def verdict(self, bases: Frame, read: Lines, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """OK, or a finding for each overlapping line; lines that take others back are not judged."""
        lines = read.lines
        judged = bases.take(np.isin(bases["id"], lines["id"]))
        places, others = overlapping(lines)
        by_hand = (lines["by_hand"][places] == 1) | (lines["by_hand"][others] == 1)
        same = by_hand | maybe_same_meter(lines["id"][places], lines["id"][others], read.measured)
        mine = same & np.isin(lines["id"][places], judged["id"])
        places, others = places[mine], others[mine]
        invoiced = lines["invoiced"][others] == _INVOICED
        together = np.isin(lines["id"][others], read.together)
        messages = np.where(invoiced, INVOICED, np.where(together, TOGETHER, OTHER))
        results = np.where(messages == OTHER, Result.WARNING, Result.ERROR)
        told = [read.documents.get(number, ("–", 0)) for number in lines["id"][others].tolist()]
        names = tuple(sorted({name for name, _ in told}))
        values = {
            "first": Value(Kind.DAY, np.maximum(lines["first"][places], lines["first"][others])),
            "end": Value(Kind.DAY, np.minimum(lines["end_"][places], lines["end_"][others])),
            "other": Value(Kind.LINK, lines["id"][others], ("billing_basis",)),
            "document": Value(Kind.WORD, np.array([names.index(name) for name, _ in told], dtype=np.int64), names),
            "line": Value(Kind.COUNT, np.array([line or MISSING for _, line in told], dtype=np.int64)),
        }
        alone = judged["id"][~np.isin(judged["id"], lines["id"][places])]
        return [findings(alone, Result.OK, ONCE), findings(lines["id"][places], results, messages, values)]


def overlapping(lines: Frame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All ordered pairs of places of lines that bill the same over common days, by whatever meter.

    Of one made by hand nobody knows its component: it is the same as any of its rate.
    """
    keys: list[Numbers] = [lines[name] for name in ("supply_point", "rate", "service", "group")]
    if not len(lines):
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    # only keys of which some line begins before an earlier one has ended are looked at pair by pair
    numbers, _ = group(keys)
    order = np.lexsort((lines["first"], numbers))
    key, first, end = numbers[order], lines["first"][order], lines["end_"][order]
    width = int(end.max()) - int(first.min()) + 1
    reach = np.maximum.accumulate(end - int(first.min()) + key * width)
    early = np.concatenate(([False], (first - int(first.min()) + key * width)[1:] < reach[:-1]))
    some = np.flatnonzero(np.isin(numbers, np.unique(key[early])))
    left, right = match([numbers[some]], [numbers[some]])
    left, right = some[left], some[right]
    common = (lines["first"][left] < lines["end_"][right]) & (lines["first"][right] < lines["end_"][left])
    alike = lines["component"][left] == lines["component"][right]
    by_hand = (lines["by_hand"][left] == 1) | (lines["by_hand"][right] == 1)
    chosen = common & (left != right) & (alike | by_hand)
    return left[chosen], right[chosen]


def with_group(lines: Frame) -> Frame:
    """Lines with the group that their statement belongs to."""
    groups = {kind: place for place, kinds in enumerate(GROUPS.values()) for kind in kinds}
    spread = np.array([groups.get(kind, MISSING) for kind in range(17)], dtype=np.int64)
    return Frame({**lines.columns, "group": spread[lines["statement_type"]]})
