"""The words and numbers that the invoice template prints, in Czech: formatting happens here, layout in the template."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import segno

from central.invoicing.account import parse_iban
from central.invoicing.document import DocumentLine, InvoiceDocument, PartyDetails, PointSection, RegisterStates
from central.invoicing.spayd import spayd
from shared.metering_day import PRAGUE

SPACE = "\N{NO-BREAK SPACE}"
QUIET_ZONE = 4
"""Modules of white around a QR code (ISO/IEC 18004)."""


def printed(document: InvoiceDocument) -> dict[str, Any]:
    """The template's data: text only, and the QR code as SVG."""
    payment = payment_text(document)
    notes = {text: place for place, text in enumerate(document.assumptions, start=1)}
    return {
        "title": "Faktura – daňový doklad",
        "number": document.number,
        "supplier": _party(document.supplier),
        "customer": _party(document.customer),
        "dates": [
            ["Datum vystavení", day(document.issue_date)],
            *([] if document.tax_date is None else [["Datum uskut. zdaň. plnění", day(document.tax_date)]]),
            ["Datum splatnosti", day(document.due_date)],
            ["Variabilní symbol", document.variable_symbol],
            ["Forma úhrady", "převodem"],
        ],
        "account": None if document.supplier.iban is None else _account(document.supplier.iban),
        "gross": money(document.gross),
        "due": day(document.due_date),
        "qr": None if payment is None else qr_svg(payment),
        "points": [_point(point, notes) for point in document.points],
        "many_points": len(document.points) > 1,
        "vat": [
            [f"{number(row.percent.normalize() + 0)} %", *map(money, (row.base, row.vat, row.gross))]
            for row in document.vat_rows
        ],
        "total": [money(document.net), money(document.vat), money(document.gross)],
        "sources": list(document.sources),
        "notes": [[str(place), text] for text, place in notes.items()],
        "example": document.example,
    }


def payment_text(document: InvoiceDocument) -> str | None:
    """The SPAYD of the invoice; None where the supplier has no account."""
    if document.supplier.iban is None:
        return None
    return spayd(
        parse_iban(document.supplier.iban).iban,
        amount=document.gross,
        currency=document.currency,
        due=document.due_date,
        variable_symbol=document.variable_symbol,
        recipient=document.supplier.name,
        message=f"FAKTURA {document.number}",
    )


def qr_svg(text: str) -> str:
    """A QR code of the text as SVG, with the error correction that the payment standard recommends (M).

    Around it is the quiet zone of four modules that readers need.
    """
    buffer = BytesIO()
    segno.make(text, error="m", micro=False, boost_error=False).save(
        buffer, kind="svg", xmldecl=False, border=QUIET_ZONE
    )
    return buffer.getvalue().decode()


def number(value: Decimal, decimals: int | None = None) -> str:
    """A number in Czech spelling: 1 234,5; with `decimals` at least that many places (never fewer than it has)."""
    if decimals is not None:
        exponent = value.as_tuple().exponent
        places = max(decimals, -exponent if isinstance(exponent, int) else 0)
        value = value.quantize(Decimal(1).scaleb(-places))
    return f"{value:,f}".replace(",", SPACE).replace(".", ",")


def money(value: Decimal) -> str:
    """An amount with two decimals."""
    return number(value, 2)


def day(value: date) -> str:
    """31. 3. 2026"""
    return f"{value.day}.{SPACE}{value.month}.{SPACE}{value.year}"


def instant(value: datetime) -> str:
    """31. 3. 2026 14:15 in local time."""
    local = value.astimezone(PRAGUE)
    return f"{day(local.date())}{SPACE}{local:%H:%M}"


def _party(details: PartyDetails) -> dict[str, Any]:
    return {
        "name": details.name,
        "address": [details.street, f"{details.postal_code} {details.city}"],
        "ids": [[label, value] for label, value in (("IČO", details.ico), ("DIČ", details.dic)) if value],
        "registration": details.registration or "",
        "licence": details.licence or "",
        "email": details.email or "",
    }


def _account(iban: str) -> dict[str, str]:
    account = parse_iban(iban)
    grouped = " ".join(account.iban[place : place + 4] for place in range(0, 24, 4))
    return {"domestic": account.domestic, "iban": grouped, "bank": account.bank_name, "bic": account.bic}


def _point(point: PointSection, notes: Mapping[str, int]) -> dict[str, Any]:
    return {
        "label": point.label,
        "code": point.code,
        "name": point.name,
        "address": point.address,
        "commodity": "Distribuce plynu" if point.commodity == "gas" else "Distribuce elektřiny",
        "period": _period(point),
        "contract": point.contract,
        "facts": [[fact.label, fact.value] for fact in point.facts],
        "registers": [_register(register) for register in point.registers],
        "lines": [_line(line, notes) for line in point.lines],
        "net": money(point.net),
        "composition": _composition(point.lines),
        "remarks": list(point.remarks),
    }


def _period(point: PointSection) -> str:
    start, end = point.start.astimezone(PRAGUE), point.end.astimezone(PRAGUE)
    if start.hour == end.hour == 0:
        last = date.fromordinal(end.date().toordinal() - 1)
        return f"{day(start.date())} – {day(last)}"
    return f"{instant(start)} – {instant(end)}"


def _register(register: RegisterStates) -> dict[str, str]:
    return {
        "meter": register.meter,
        "register": register.register,
        "start_at": instant(register.start_at),
        "start": number(register.start),
        "end_at": instant(register.end_at),
        "end": number(register.end),
        "multiplier": str(register.multiplier),
        "consumption": number(register.consumption),
        "unit": register.unit,
    }


def _line(line: DocumentLine, notes: Mapping[str, int]) -> dict[str, Any]:
    return {
        "rate": str(line.rate),
        "name": line.name,
        "notes": ", ".join(str(notes[text]) for text in line.assumptions),
        "quantity": number(line.quantity),
        "unit": line.unit,
        "unit_price": number(line.unit_price, 2),
        "price_unit": line.price_unit,
        "amount": money(line.amount),
        "information": line.is_information,
    }


def _composition(lines: Any) -> list[dict[str, Any]]:
    """Shares of the price by line, the largest first; those under 3 % together."""
    total = sum((line.amount for line in lines if line.amount > 0), Decimal(0))
    if not total:
        return []
    parts = sorted(((line.amount, line.name) for line in lines if line.amount > 0), reverse=True)
    shown = [(amount, name) for amount, name in parts if amount / total >= Decimal("0.03")]
    rest = total - sum(amount for amount, _ in shown)
    if rest:
        shown.append((rest, "ostatní"))
    return [
        {
            "name": name,
            "share": f"{amount / total:.6f}",
            "percent": f"{number((amount / total * 100).quantize(Decimal('0.1')))} %",
        }
        for amount, name in shown
    ]
