"""Compose the documents of advances: the request, the tax document for a received payment, and its credit note. Pure.

Who keeps the advances hands these facts over and stores what comes back; nothing here is numbered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from central.invoicing.document import (
    CENT,
    DocumentLine,
    InvoiceDocument,
    Original,
    PartyDetails,
    PointSection,
    VatRow,
)
from central.invoicing.kinds import kinds
from central.invoicing.wording import Wording, wording
from shared.metering_day import PRAGUE

AdvanceKind = Literal["advance", "advance_tax", "advance_credit"]


@dataclass(frozen=True, slots=True)
class AdvancePart:
    """The part of an advance for a supply point."""

    supply_point: int
    code: str
    name: str
    address: str
    contract: str
    commodity: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class AdvancePaper:
    """What an advance document says beside its sides.

    `vat_rows` of a request hold the whole sum at 0 %: it is no tax document. `tax_date` is the day of the payment, or
    of the issue for a credit note; None for a request. `first` to `end` (exclusive) is what the advance is for;
    `parts` are its weights by supply point (none: it is shown whole).
    """

    kind: AdvanceKind
    number: str
    variable_symbol: str
    issue_date: date
    due_date: date
    tax_date: date | None
    first: date
    end: date
    vat_rows: Sequence[VatRow]
    parts: Sequence[AdvancePart] = ()
    language: str = "cs"
    original: Original | None = None
    reason: str | None = None
    currency: str = "CZK"


def compose_advance(paper: AdvancePaper, supplier: PartyDetails, customer: PartyDetails) -> InvoiceDocument:
    """The document of an advance; its lines are the bases of the VAT rows, split over the parts to the haléř."""
    words = wording(paper.language)
    sections: list[PointSection] = []
    shares = _shares(paper)
    for place, part in enumerate(paper.parts or [None]):
        lines = [_line(paper, share[place], words) for share in shares]
        numbered = [
            _numbered(line, part, number)
            for number, line in enumerate(lines, start=1 + sum(len(section.lines) for section in sections))
        ]
        sections.append(_section(paper, part, numbered))
    return InvoiceDocument(
        number=paper.number,
        variable_symbol=paper.variable_symbol,
        issue_date=paper.issue_date,
        tax_date=paper.tax_date,
        due_date=paper.due_date,
        supplier=supplier,
        customer=customer,
        points=sections,
        sources=[],
        currency=paper.currency,
        document_type=kinds()[paper.kind].document_type,
        vat_rows=paper.vat_rows,
        kind=paper.kind,
        language=paper.language,
        original=paper.original,
        reason=paper.reason,
    )


def _shares(paper: AdvancePaper) -> list[list[VatRow]]:
    """Each VAT row by part: bases and sums with VAT are split alike, so that both sum to the row."""
    weights = [part.amount for part in paper.parts] or [Decimal(1)]
    return [
        [
            VatRow(row.percent, base, gross - base)
            for base, gross in zip(_split(row.base, weights), _split(row.gross, weights), strict=True)
        ]
        for row in paper.vat_rows
    ]


def _split(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """An amount by weights: differences of the rounded running sums, so that the parts sum to it."""
    whole = sum(weights, Decimal(0))
    running, before, split = Decimal(0), Decimal("0.00"), []
    for weight in weights:
        running += weight
        after = (amount * running / whole).quantize(CENT, rounding=ROUND_HALF_UP) if whole else amount
        split.append(after - before)
        before = after
    return split


def _line(paper: AdvancePaper, share: VatRow, words: Wording) -> DocumentLine:
    return DocumentLine(
        number=0,
        supply_point=None,
        basis=None,
        rate=None,
        name=words.notes[paper.kind],
        quantity=Decimal(1),
        unit="",
        unit_price=share.base,
        price_unit=words.currency.get(paper.currency, paper.currency),
        amount=share.base,
        vat_percent=share.percent,
        source="",
        # a request is no tax document; what came is taxed from the sum with VAT, and so is what goes back of it
        vat=None if paper.kind == "advance" else share.vat,
    )


def _numbered(line: DocumentLine, part: AdvancePart | None, number: int) -> DocumentLine:
    return replace(line, number=number, supply_point=None if part is None else part.supply_point)


def _section(paper: AdvancePaper, part: AdvancePart | None, lines: Sequence[DocumentLine]) -> PointSection:
    commodity = "" if part is None else part.commodity
    return PointSection(
        supply_point=0 if part is None else part.supply_point,
        label="EIC" if commodity == "gas" else "EAN",
        code="" if part is None else part.code,
        name="" if part is None else part.name,
        address="" if part is None else part.address,
        contract="" if part is None else part.contract,
        commodity=commodity,
        start=datetime.combine(paper.first, time(), PRAGUE),
        end=datetime.combine(paper.end, time(), PRAGUE),
        facts=[],
        registers=[],
        lines=lines,
    )
