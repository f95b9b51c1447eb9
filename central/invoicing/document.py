"""An invoice as a document: everything that is printed or exported, as plain values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from central.invoicing.advances.deductions import DeductedAdvance

CENT = Decimal("0.01")
ZERO = Decimal("0.00")

INVOICE = 1
"""ISDOC document type of an invoice; the others are given by `kinds.document_type`."""


@dataclass(frozen=True, slots=True)
class PartyDetails:
    """A party as it stands on the invoice; `iban` and `registration` are the supplier's."""

    name: str
    street: str
    postal_code: str
    city: str
    country: str = "CZ"
    ico: str | None = None
    dic: str | None = None
    iban: str | None = None
    registration: str | None = None
    licence: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """One line: of a billing basis, information with amount 0.00 that an `input` of a run tells, or of an advance.

    An advance has neither, and no rate.
    """

    number: int
    supply_point: int | None
    basis: int | None
    rate: int | None
    name: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    price_unit: str
    amount: Decimal
    vat_percent: Decimal
    source: str
    input: int | None = None
    example: bool = False
    mark: str = "documented"
    start: datetime | None = None
    end: datetime | None = None
    """The time it bills, where that is not the whole time of its section."""
    statement_type: int = 0
    vat: Decimal | None = None
    """The tax of a line of quantity 1 whose sum with VAT is what came (shora); None where `amount` is taxed."""
    assumptions: Sequence[str] = ()
    """What the line stands on that is not documented for its time, in sentences; `mark` is the least sure one."""

    @property
    def is_information(self) -> bool:
        return self.input is not None


@dataclass(frozen=True, slots=True)
class RegisterStates:
    """States of one register at both ends, in the printed unit (kWh, m3), and what it counted."""

    meter: str
    register: str
    start_at: datetime
    start: Decimal
    end_at: datetime
    end: Decimal
    multiplier: int
    consumption: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A labelled value about the supply point: reserved capacity, quarter-hour maximum, calorific value, ..."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class PastPeriod:
    """What a supply point took in a period settled before: aware instants, the quantity in `unit` (MWh, m³)."""

    start: datetime
    end: datetime
    quantity: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class PointSection:
    """What the invoice says about one supply point: who it is, what was measured, its lines and remarks.

    `start` and `end` are aware instants; `label` is EAN or EIC.
    """

    supply_point: int
    label: str
    code: str
    name: str
    address: str
    contract: str
    commodity: str
    start: datetime
    end: datetime
    facts: Sequence[Fact]
    registers: Sequence[RegisterStates]
    lines: Sequence[DocumentLine]
    remarks: Sequence[str] = ()
    past: Sequence[PastPeriod] = ()

    @property
    def net(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal("0.00"))


@dataclass(frozen=True, slots=True)
class VatRow:
    """One rate of the VAT recapitulation: VAT is taken once, of the sum of the bases."""

    percent: Decimal
    base: Decimal
    vat: Decimal

    @property
    def gross(self) -> Decimal:
        return self.base + self.vat


@dataclass(frozen=True, slots=True)
class Original:
    """The document that another one corrects or cancels."""

    number: str
    issue_date: date


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """A whole document of one payer. `sources` are the price decisions behind its lines; see also `assumptions`.

    `tax_date` is None for what is no tax document. `original` is what a corrective or cancelling document is about, and
    `reason` why; its `gross` then is the difference.
    """

    number: str
    variable_symbol: str
    issue_date: date
    tax_date: date | None
    due_date: date
    supplier: PartyDetails
    customer: PartyDetails
    points: Sequence[PointSection]
    sources: Sequence[str]
    currency: str = "CZK"
    document_type: int = INVOICE
    vat_rows: Sequence[VatRow] = field(default=())
    kind: str = "regular"
    language: str = "cs"
    deductions: Sequence[DeductedAdvance] = ()
    original: Original | None = None
    reason: str | None = None

    @property
    def lines(self) -> list[DocumentLine]:
        return [line for point in self.points for line in point.lines]

    @property
    def net(self) -> Decimal:
        return sum((row.base for row in self.vat_rows), Decimal("0.00"))

    @property
    def vat(self) -> Decimal:
        return sum((row.vat for row in self.vat_rows), Decimal("0.00"))

    @property
    def gross(self) -> Decimal:
        return self.net + self.vat

    @property
    def deducted(self) -> Decimal:
        """The gross sum of the advances that it deducts."""
        return sum((advance.gross for advance in self.deductions), Decimal("0.00"))

    @property
    def payable(self) -> Decimal:
        """What remains to be paid; negative where it is to be given back."""
        return self.gross - self.deducted

    @property
    def assumptions(self) -> list[str]:
        """Every assumption of its lines once, in the order of the lines."""
        return list(dict.fromkeys(text for line in self.lines for text in line.assumptions))

    @property
    def example(self) -> bool:
        """Whether a price on it is only an example."""
        return any(line.example for line in self.lines)


def recapitulate(lines: Iterable[DocumentLine], before: Iterable[VatRow] = ()) -> list[VatRow]:
    """The VAT recapitulation: billed lines summed by rate, VAT rounded half up to 0.01 once a rate.

    `before` is what the documents have that these lines correct: then VAT is the difference to that of the new truth,
    so that the documents together say the VAT of what stands, to the haléř. Information bills nothing and has no row.
    """
    sums: dict[Decimal, Decimal] = {}
    for line in lines:
        if not line.is_information:
            sums[line.vat_percent] = sums.get(line.vat_percent, ZERO) + line.amount
    return vat_rows(sums, before)


def vat_rows(sums: Mapping[Decimal, Decimal], before: Iterable[VatRow] = ()) -> list[VatRow]:
    """The recapitulation of bases summed by rate; see `recapitulate`."""
    stood: dict[Decimal, VatRow] = {}
    for row in before:
        known = stood.get(row.percent, VatRow(row.percent, ZERO, ZERO))
        stood[row.percent] = VatRow(row.percent, known.base + row.base, known.vat + row.vat)
    rows = []
    for percent, base in sorted(sums.items()):
        standing = stood.get(percent, VatRow(percent, ZERO, ZERO))
        truth = ((standing.base + base) * percent / 100).quantize(CENT, rounding=ROUND_HALF_UP)
        # a haléř below zero rounds to a negative zero, which would be printed as one
        rows.append(VatRow(percent, base, truth - standing.vat + ZERO))
    return rows
