"""What the template prints, as text in the document's language: formatting happens here, layout in the template."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from central.documents.qr import modules
from central.invoicing.account import parse_iban
from central.invoicing.columns import BREAK, Row, Run, fit_beside, sheet
from central.invoicing.document import (
    DocumentLine,
    InvoiceDocument,
    PartyDetails,
    PastPeriod,
    PointSection,
    RegisterStates,
)
from central.invoicing.kinds import CANCELLING, tax_point_rule
from central.invoicing.spayd import MOST, spayd
from central.invoicing.wording import SPACE, Wording, wording
from shared.metering_day import PRAGUE

QUIET_ZONE = 4
"""Modules of white around a QR code (ISO/IEC 18004)."""
_DARK = re.compile("1+")
SMALL_SHARE = Decimal("0.03")
"""Parts of the price under this share are shown together."""

REGISTER_LABELS = ("register_meter", "register", "register_start", "register_end", "multiplier", "consumption")
FACTS = 220.0
"""Points for the facts of a supply point, beside its address."""


def printed(document: InvoiceDocument) -> dict[str, Any]:
    """The template's data: text only, shares as decimals, and the QR code as SVG."""
    words = wording(document.language)
    payment = payment_text(document)
    notes = {text: place for place, text in enumerate(document.assumptions, start=1)}
    payable = document.payable
    currency = words.currency.get(document.currency, document.currency)
    return {
        "language": document.language,
        "labels": dict(words.labels),
        "kind": document.kind,
        "title": words.titles[document.kind],
        "number": document.number,
        "supplier": _party(document.supplier, words),
        "customer": _party(document.customer, words),
        "dates": _dates(document, words),
        "account": None if document.supplier.iban is None else _account(document.supplier.iban),
        "currency": currency,
        "to_pay": words.labels[_asked(document)],
        "payable": words.money(abs(payable)),
        "due": "" if document.kind.startswith("advance_") else words.day_of(document.due_date),
        "qr": None if payment is None else qr_svg(payment),
        "about": _about(document, words),
        "points": [_point(point, notes, words, currency) for point in document.points],
        "vat": [
            [f"{words.number(row.percent.normalize() + 0)} %", *map(words.money, (row.base, row.vat, row.gross))]
            for row in document.vat_rows
        ],
        "total": [words.money(document.net), words.money(document.vat), words.money(document.gross)],
        "deductions": [
            [
                advance.number,
                advance.advance_number,
                words.day_of(advance.received_on),
                f"{words.number(advance.vat_percent.normalize() + 0)} %" if advance.taxed else words.labels["untaxed"],
                *(words.money(-value) for value in (advance.net, advance.vat, advance.gross)),
            ]
            for advance in document.deductions
        ],
        "deducted": words.money(-document.deducted),
        "rest": words.money(payable),
        "sources": list(document.sources),
        "notes": [[str(place), text] for text, place in notes.items()],
        "example": document.example,
        "page": words.labels["page"].format(
            title=words.titles[document.kind].partition(" – ")[0], number=document.number
        ),
        "closing": [words.labels[label] for label in _closing(document)],
    }


def payment_text(document: InvoiceDocument) -> str | None:
    """The SPAYD of the document; None where the seller has no account, or nothing is to be paid."""
    if document.supplier.iban is None or not 0 < document.payable <= MOST or document.kind == "advance_tax":
        return None
    messages = wording(document.language).payment_message
    return spayd(
        parse_iban(document.supplier.iban).iban,
        amount=document.payable,
        currency=document.currency,
        due=document.due_date,
        variable_symbol=document.variable_symbol,
        recipient=document.supplier.name,
        message=messages.get(document.kind, messages["other"]).format(number=document.number),
    )


def qr_svg(text: str) -> str:
    """A QR code of the text as SVG, with the error correction that the payment standard recommends (M).

    Around it is the quiet zone of four modules that readers need. Each run of dark modules is a stroke of one path.
    """
    rows = modules(text)
    path = "".join(
        f"M{run.start() + QUIET_ZONE} {place}.5h{run.end() - run.start()}"
        for place, row in enumerate(rows, start=QUIET_ZONE)
        for run in _DARK.finditer(row)
    )
    size = len(rows) + 2 * QUIET_ZONE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}"><path stroke="#000" d="{path}"/></svg>'
    )


def _closing(document: InvoiceDocument) -> list[str]:
    """The labels of the sentences at the end."""
    if document.kind == "advance":
        return ["no_tax_document"]
    if document.kind.startswith("advance_"):
        return []
    assumed = tax_point_rule(document.kind, document.issue_date).mark == "assumed"
    return ["rounding", "zero_price", *(["tax_point_assumed"] if assumed else []), "complaints"]


def _asked(document: InvoiceDocument) -> str:
    if document.kind == "advance_tax":
        return "received_amount"
    return "to_return" if document.payable < 0 else "to_pay"


def _dates(document: InvoiceDocument, words: Wording) -> list[list[str]]:
    labels = words.labels
    rows = [[labels["issue_date"], words.day_of(document.issue_date)]]
    if document.tax_date is not None:
        label = "received" if document.kind == "advance_tax" else "tax_date"
        rows.append([labels[label], words.day_of(document.tax_date)])
    if not document.kind.startswith("advance_"):
        rows.append([labels["due_date"], words.day_of(document.due_date)])
    rows.append([labels["variable_symbol"], document.variable_symbol])
    rows.append([labels["form"], labels["transfer"]])
    return rows


def _about(document: InvoiceDocument, words: Wording) -> list[list[str]]:
    """Of a corrective or cancelling document: the original, the reason and the difference."""
    if document.original is None:
        return []
    labels = words.labels
    named = f"{document.original.number}, {labels['issued_on']} {words.day_of(document.original.issue_date)}"
    currency = words.currency.get(document.currency, document.currency)
    return [
        [labels["cancelled" if document.kind == "cancelling" else "original"], named],
        [labels["reason"], document.reason or ""],
        [labels["difference"], f"{words.money(document.gross)} {currency}"],
    ]


def _party(details: PartyDetails, words: Wording) -> dict[str, Any]:
    named = (("ico", details.ico), ("dic", details.dic))
    return {
        "name": details.name,
        "address": [details.street, f"{details.postal_code} {details.city}"],
        "ids": [[words.labels[label], value] for label, value in named if value],
        "registration": details.registration or "",
        "licence": details.licence or "",
        "email": details.email or "",
    }


def _account(iban: str) -> dict[str, str]:
    account = parse_iban(iban)
    grouped = " ".join(account.iban[place : place + 4] for place in range(0, 24, 4))
    return {"domestic": account.domestic, "iban": grouped, "bank": account.bank_name, "bic": account.bic}


def _point(point: PointSection, notes: Mapping[str, int], words: Wording, currency: str) -> dict[str, Any]:
    return {
        "label": point.label,
        "code": point.code,
        "name": point.name,
        "address": point.address,
        "commodity": words.commodities[point.commodity],
        "period": _period(point, words),
        "contract": point.contract,
        "facts": [[fact.label, fact.value] for fact in point.facts],
        "facts_fit": fit_beside([fact.label for fact in point.facts], [fact.value for fact in point.facts], FACTS),
        "registers": _registers(point.registers, words) if point.registers else None,
        "lines": _lines(point.lines, notes, words, currency),
        "net": words.money(point.net),
        "composition": _composition(point.lines, words),
        "past": _past(point.past, words),
        "remarks": list(point.remarks),
    }


def _period(point: PointSection | DocumentLine, words: Wording) -> str:
    if point.start is None or point.end is None:
        return ""
    start, end = point.start.astimezone(PRAGUE), point.end.astimezone(PRAGUE)
    if start.hour == end.hour == 0:
        last = date.fromordinal(end.date().toordinal() - 1)
        return f"{words.day_of(start.date())} – {words.day_of(last)}"
    return f"{words.instant(start)} – {words.instant(end)}"


def _registers(registers: Sequence[RegisterStates], words: Wording) -> dict[str, Any]:
    """The table of states: meter, register, both states, multiplier and consumption."""
    heads = [words.labels[label] for label in REGISTER_LABELS]
    return {"heads": heads} | sheet(heads, [_register(register, words) for register in registers], stretched=(2, 3))


def _register(register: RegisterStates, words: Wording) -> Row:
    def state(value: Decimal, at: datetime) -> list[Run]:
        shown = f"{words.number(value)}{SPACE}{register.unit}"
        return [Run("", shown), Run("caption", f"{SPACE}{SPACE}{words.instant(at)}")]

    return [
        [Run("", register.meter)],
        [Run("", register.register)],
        state(register.start, register.start_at),
        state(register.end, register.end_at),
        [Run("", str(register.multiplier))],
        [Run("", f"{words.number(register.consumption)}{SPACE}{register.unit}")],
    ]


def _lines(lines: Sequence[DocumentLine], notes: Mapping[str, int], words: Wording, currency: str) -> dict[str, Any]:
    """The table of lines: rate, item, quantity, unit, unit price, its unit and amount."""
    labels = words.labels
    heads = [
        labels["rate"], labels["item"], labels["quantity"], "", labels["unit_price"], "",
        f"{labels['amount']} {currency}",
    ]  # fmt: skip
    return {"heads": heads} | sheet(heads, [_line(line, notes, words) for line in lines], stretched=(1,))


def _line(line: DocumentLine, notes: Mapping[str, int], words: Wording) -> Row:
    style = "soft" if line.is_information else ""
    name = [Run(style, line.name)]
    if line.assumptions:
        name.append(Run("raised", ", ".join(str(notes[text]) for text in line.assumptions)))
    if line.statement_type in CANCELLING:
        name.append(Run("caption", f"{SPACE}{SPACE}{words.labels['cancels']}"))
    if period := _period(line, words):
        name += [Run(style, BREAK), Run("caption", period)]
    return [
        [Run(style, "" if line.rate is None else str(line.rate))],
        name,
        [Run(style, words.number(line.quantity))],
        [Run("caption", words.unit(line.unit))],
        [Run(style, words.number(line.unit_price, 2))],
        [Run("caption", words.unit(line.price_unit))],
        [Run(style, words.money(line.amount))],
    ]


def _composition(lines: Sequence[DocumentLine], words: Wording) -> list[dict[str, Any]]:
    """Shares of the price by component, the largest first; the small ones together."""
    sums: dict[str, Decimal] = {}
    for line in lines:
        sums[line.name] = sums.get(line.name, Decimal(0)) + line.amount
    total = sum((amount for amount in sums.values() if amount > 0), Decimal(0))
    if not total:
        return []
    parts = sorted(((amount, name) for name, amount in sums.items() if amount > 0), reverse=True)
    shown = [(amount, name) for amount, name in parts if amount / total >= SMALL_SHARE]
    rest = total - sum(amount for amount, _ in shown)
    if rest:
        shown.append((rest, words.labels["rest"]))
    return [
        {
            "name": name,
            "share": f"{amount / total:.6f}",
            "percent": f"{words.number((amount / total * 100).quantize(Decimal('0.1')))} %",
        }
        for amount, name in shown
    ]


def _past(periods: Sequence[PastPeriod], words: Wording) -> list[dict[str, str]]:
    """The chart of consumption, the oldest period first; `share` is of the highest one."""
    highest = max((period.quantity for period in periods), default=Decimal(0))
    return [
        {
            "label": _month_or_days(period, words),
            "quantity": f"{words.number(period.quantity)} {period.unit}",
            "share": f"{period.quantity / highest:.4f}" if highest > 0 else "0",
        }
        for period in periods
    ]


def _month_or_days(period: PastPeriod, words: Wording) -> str:
    start, end = period.start.astimezone(PRAGUE).date(), period.end.astimezone(PRAGUE).date()
    if start.day == end.day == 1 and (end - start).days <= 31:
        return words.month_of(start)
    return f"{words.day_of(start)} – {words.day_of(date.fromordinal(end.toordinal() - 1))}"
