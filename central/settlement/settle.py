"""Settle points from their facts and what was measured. Pure: one point's failure is its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from central.settlement.case import cases_of
from central.settlement.facts import PointFacts, Tenure
from central.settlement.measured import NotMeasuredError
from central.settlement.model import ALONE, QUANTITIES, CannotPriceError, Finding, Line, Part, Priced
from central.settlement.price_parts import counts_whole_months, price_parts
from central.settlement.quantities import Measured, PartMeasured, measure_parts
from central.settlement.services import service_lines
from central.settlement.shared_energy import awaited
from central.settlement.supply import supply_lines

NOTHING = Priced((), ())
"""Of a point whose network services approved runs hold."""


@dataclass(frozen=True)
class Settled:
    """A settled tenure of a point: its parts' measurements, its lines and findings."""

    facts: PointFacts
    tenure: Tenure
    parts: tuple[PartMeasured, ...]
    lines: tuple[Line, ...]
    findings: tuple[Finding, ...]
    part_of_month: bool = False
    """Something of it is evaluated over whole months, which it does not fill: what is settled beside it counts."""

    def vat_percent(self, line: Line) -> Decimal:
        """The VAT rate of a line: its own, else that of the package that holds on its first day."""
        if line.vat_percent is not None:
            return line.vat_percent
        return next(span.book.vat_percent for span in self.tenure.spans if span.first <= line.first < span.end)

    def measurements(self, line: Line) -> list[dict[str, Any]]:
        """The measurements behind one line, by the quantities that its rule names, of the parts that it covers."""
        if "measurements" in line.inputs:
            return list(line.inputs["measurements"])
        named = {
            name
            for value in line.inputs.get("parameters", {}).values()
            for name in str(value).split("+")
            if name in QUANTITIES
        }
        return [
            source
            for span, part in zip(self.tenure.spans, self.parts, strict=True)
            if span.first < line.end and line.first < span.end
            for name in sorted(named)
            for source in part.sources.get(name, [])
        ]


@dataclass(frozen=True)
class Omitted:
    """A point that is left out: the component, the day where there is one, and a sentence."""

    facts: PointFacts
    component: str
    reason: str
    day: date | None = None


def settle_points(
    points: Sequence[PointFacts], measured: Measured, now: datetime
) -> tuple[list[Settled], list[Omitted]]:
    """Settle each point; one that cannot be is left out with its reason while the others go on."""
    settled: list[Settled] = []
    omitted: list[Omitted] = []
    for facts in points:
        outcome = settle_point(facts, measured, now)
        if isinstance(outcome, Omitted):
            omitted.append(outcome)
        else:
            settled += outcome
    return settled, omitted


def settle_point(facts: PointFacts, measured: Measured, now: datetime) -> list[Settled] | Omitted:
    """Settle one point for its period, a result for each of its tenures, or say why not."""
    if facts.problem is not None:
        return Omitted(facts, facts.problem.component, facts.problem.reason, facts.problem.day)
    end = facts.instant(facts.spans[-1].end)
    if end > now:
        return Omitted(facts, "period", f"Období místa {facts.ean} končí až {end.isoformat()}.")
    for channel in facts.channels:
        waiting = measured.waiting.get(channel.id)
        if waiting is not None:
            sentence = f"Místo {facts.ean}: kanál {channel.direction} má dny, {waiting.what}, první {waiting.day}."
            return Omitted(facts, waiting.component, sentence, waiting.day)
    try:
        parts = measure_parts(facts, measured)
        tenures = tenures_of(facts)
        ready = parts_of(facts, parts)
        priced = price_point(facts, ready, measured)
        services = [_services(facts, tenure, measured) for tenure in tenures]
    except NotMeasuredError as error:
        return Omitted(facts, "measurement", f"Místo {facts.ean}: {error.reason}", error.day)
    except CannotPriceError as error:
        return Omitted(facts, error.component, f"Místo {facts.ean}: {error.reason}", error.day)
    findings = (
        *(_named(facts, finding) for finding in priced.findings),
        *_uncovered(facts),
        *_unfed(facts, parts),
        *awaited(facts),
    )
    strayed = next((line for line in priced.lines if not any(_belongs(line, tenure) for tenure in tenures)), None)
    if strayed is not None:
        sentence = f"Místo {facts.ean}: řádek {strayed.name} od {strayed.first} nepatří k žádné části období."
        return Omitted(facts, strayed.component, sentence, strayed.first)
    part_of = {span.first: part for span, part in zip(facts.spans, parts, strict=True)}
    ready_of = {part.first: part for span, part in zip(facts.spans, ready, strict=True) if not span.billed}
    settled = []
    for tenure, sold in zip(tenures, services, strict=True):
        own = tuple(part_of[span.first] for span in tenure.spans)
        lines = (*(line for line in priced.lines if _belongs(line, tenure)), *sold)
        in_part = (tenure.first.day, tenure.end.day) != (1, 1) and any(
            counts_whole_months(case)
            for case in cases_of([ready_of[span.first] for span in tenure.spans if span.first in ready_of])
        )
        settled.append(Settled(facts, tenure, own, lines, findings, in_part))
    return settled


def tenures_of(facts: PointFacts) -> list[Tenure]:
    """What is billed apart: the tenures of network services, then those of supply alone."""
    return [*facts.tenures(), *facts.supply_tenures()]


def parts_of(facts: PointFacts, parts: Sequence[PartMeasured]) -> list[Part]:
    """The point's parts with what was measured in each, ready to be priced; one for each of its spans."""
    owner_of = _owners(facts)
    return [
        Part(
            first=span.first,
            end=span.end,
            item=span.item.id,
            point=span.tariff,
            agreed=span.agreed,
            measured=part.quantities,
            prices=span.book,
            payer=owner_of.get((span.item.id, span.first), 0),
        )
        for span, part in zip(facts.spans, parts, strict=True)
    ]


def price_point(facts: PointFacts, ready: Sequence[Part], measured: Measured) -> Priced:
    """The regulated lines of a point and those of supply; of a network's entry what the superior should bill.

    `ready` are its parts as `parts_of` makes them, or the same ones otherwise. Raises CannotPriceError.
    """
    owner_of = _owners(facts)
    beside = measured.beside.get(facts.supply_point, ALONE)
    network = [part for span, part in zip(facts.spans, ready, strict=True) if not span.billed]
    priced = price_parts(network, beside) if network else NOTHING
    entries = {span.item.id for span in facts.spans if span.tariff.network_entry}
    if entries:
        marked = (replace(line, service="purchase") if line.item in entries else line for line in priced.lines)
        priced = Priced(tuple(marked), priced.findings)
    if not facts.record.own.lists:
        return priced
    supplied = [
        part
        if span.supply is None
        else replace(part, item=span.supply[0].id, payer=owner_of[span.supply[0].id, span.first])
        for span, part in zip(facts.spans, ready, strict=True)
    ]
    lines, findings = supply_lines(cases_of(supplied), facts.commodity, facts.record.own)
    return Priced((*priced.lines, *lines), (*priced.findings, *findings))


def price_whole(facts: PointFacts, ready: Sequence[Part], measured: Measured) -> Priced:
    """All that a point is billed for: what `price_point` gives, and the operator's own services."""
    priced = price_point(facts, ready, measured)
    services = [line for tenure in tenures_of(facts) for line in _services(facts, tenure, measured)]
    return Priced((*priced.lines, *services), priced.findings)


def _services(facts: PointFacts, tenure: Tenure, measured: Measured) -> list[Line]:
    item = tenure.last.item.id
    attached = facts.record.own.services.get(item, ())
    return service_lines(attached, tenure.first, tenure.end, item, tenure.owner, measured.count)


def _owners(facts: PointFacts) -> dict[tuple[int, date], int]:
    return {(span.item.id, span.first): tenure.owner for tenure in tenures_of(facts) for span in tenure.spans}


def _belongs(line: Line, tenure: Tenure) -> bool:
    return line.item == tenure.last.item.id and line.payer == tenure.owner and tenure.covers(line.first)


def _named(facts: PointFacts, finding: Finding) -> Finding:
    """What lacks a quantity is told with its point: lists of findings are read over many points."""
    return replace(finding, text=f"Místo {facts.ean}: {finding.text}") if finding.lacks else finding


def _unfed(facts: PointFacts, parts: Sequence[PartMeasured]) -> list[Finding]:
    """Days without a meter are told: nothing says whether anything was taken on them."""
    return [
        Finding(
            "measurement",
            f"Od {first} do {end} nebyl v místě {facts.ean} registr {register}; za tyto dny se jím nic neúčtuje.",
        )
        for part in parts
        for register, first, end in part.unfed
    ]


def _uncovered(facts: PointFacts) -> list[Finding]:
    """Days that nobody is billed for are told to who reads the bill's remarks."""
    return [
        Finding("contract", f"Od {first} do {end} nemá místo {facts.ean} smlouvu; za tyto dny se nic neúčtuje.")
        for first, end in facts.uncovered
    ]
