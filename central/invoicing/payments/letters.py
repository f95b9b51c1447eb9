"""Letters of the payments: reminders and set-offs, set by templates/letter.typ."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from central.documents import pdf
from central.invoicing.account import AccountError, parse_iban
from central.invoicing.printed import qr_svg
from central.invoicing.spayd import MOST, spayd
from central.registry.tables import party

TEMPLATE: Final = Path(__file__).parent / "templates" / "letter.typ"


def letter(
    connection: Connection,
    *,
    title: str,
    number: str,
    seller: int,
    payer: int,
    day: date,
    text: Sequence[str],
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    total: tuple[str, str],
    payment: str | None = None,
) -> tuple[bytes, str]:
    """The letter as PDF and its digest; the same letter gives the same bytes."""
    sides = {row.id: row for row in connection.execute(select(party).where(party.c.id.in_((seller, payer))))}
    data = {
        "title": title,
        "number": number,
        "day": day_cs(day),
        "seller": _details(sides[seller]),
        "payer": _details(sides[payer]),
        "text": list(text),
        "columns": list(columns),
        "rows": [list(row) for row in rows],
        "total": list(total),
        "qr": None if payment is None else qr_svg(payment),
    }
    content = pdf.render_pdf(TEMPLATE, data, datetime.combine(day, time(), UTC))
    return content, "sha256:" + hashlib.sha256(content).hexdigest()


def qr_payment(iban: str | None, amount: Decimal, currency: str, due: date, symbol: str, number: str) -> str | None:
    """The payment that a phone reads; None where there is no Czech account to pay to, nothing to pay, or more than a
    code carries: the letter says it all the same."""
    if iban is None or not 0 < amount <= MOST:
        return None
    try:
        account = parse_iban(iban)
    except AccountError:
        return None
    return spayd(account.iban, amount=amount, currency=currency, due=due, variable_symbol=symbol, message=number)


def day_cs(day: date) -> str:
    """1. 3. 2026"""
    return f"{day.day}. {day.month}. {day.year}"


def money_cs(amount: Decimal, currency: str) -> str:
    """1 234,50 Kč"""
    whole = f"{amount:,.2f}".replace(",", "\u00a0").replace(".", ",")
    return f"{whole} {'Kč' if currency == 'CZK' else currency}"


def _details(row: Row[Any]) -> dict[str, Any]:
    return {
        "name": row.name,
        "address": [row.street, f"{row.postal_code} {row.city}"],
        "ico": row.ico or "",
        "dic": row.dic or "",
        "iban": row.iban or "",
    }
