"""A received invoice, whatever it came as: message, ISDOC, entered by hand. Written once per issuer and number."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection, RowMapping, insert, select, tuple_
from sqlalchemy.dialects.postgresql import Range

from central.market.tables import received_invoice, received_invoice_item
from central.workflow.received.known import points_of

_RATES: Final = Path(__file__).with_name("rates.json")
_CENT: Final = Decimal("0.01")
CROWNS: Final = "CZK"


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Number of the service (sazba) by item code of message 127, and by field of a price in GP6."""

    source: str
    mark: str
    rates: dict[str, int]


@cache
def rates() -> dict[str, int]:
    """By code; what is not there has no known number."""
    return msgspec.json.decode(_RATES.read_bytes(), type=Rates).rates


@dataclass(frozen=True, slots=True)
class ReceivedItem:
    """A line for the days [first, stop); amount `net` = quantity x unit price x effect (1 where it has none)."""

    description: str
    first: date
    stop: date
    net: Decimal
    code: str | None = None
    rate: int | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    unit_price: Decimal | None = None
    effect: Decimal | None = None
    vat_rate: Decimal | None = None
    point: str | None = None


@dataclass(frozen=True, slots=True)
class ReceivedInvoice:
    """An invoice that somebody issued to us, for the days [first, stop); amounts in `currency`.

    `issuer` and `recipient` are an EAN, or a company number where the party has none. `point` is the one that all
    items are of. `in_a_row`: of gas, whether it must begin where the one before it ends.
    """

    issuer: str
    number: str
    kind: str
    commodity: Literal["electricity", "gas"]
    first: date
    stop: date
    issued: date
    net: Decimal
    items: Sequence[ReceivedItem]
    recipient: str | None = None
    corrects: str | None = None
    point: str | None = None
    tax_point: date | None = None
    due: date | None = None
    variable_symbol: str | None = None
    vat: Decimal | None = None
    gross: Decimal | None = None
    to_pay: Decimal | None = None
    problems: Sequence[str] = field(default=())
    currency: str = CROWNS
    in_a_row: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by."""
        return self.issuer, self.number

    @property
    def codes(self) -> set[str]:
        """EAN or EIC of all its points."""
        return {code for code in (self.point, *(item.point for item in self.items)) if code is not None}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an invoice came from: a message of the inbox, or a person with or without an ISDOC."""

    source: Literal["message", "isdoc", "hand"]
    inbox: int | None = None
    original: bytes | None = None
    person: str | None = None


def arithmetic(invoice: ReceivedInvoice) -> list[str]:
    """Lines whose amount is not their product, items that are not the total: a sentence each."""
    found = []
    for place, item in enumerate(invoice.items, 1):
        if item.quantity is not None and item.unit_price is not None:
            product = item.quantity * item.unit_price * (1 if item.effect is None else item.effect)
            if abs(product - item.net) > _CENT:
                found.append(
                    f"The item {place} ({item.description}) of the invoice {invoice.number} says {item.net}, its "
                    f"quantity x price is {product.quantize(_CENT) if abs(product) < 10**20 else product}."
                )
    total = sum((item.net for item in invoice.items), Decimal(0))
    if total != invoice.net:
        found.append(f"The items of the invoice {invoice.number} sum to {total}, it says {invoice.net}.")
    return found


def find_there(connection: Connection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], RowMapping]:
    """Those of these issuers and numbers that are there already."""
    table = received_invoice
    query = select(table.c.id, table.c.issuer, table.c.number, table.c.source, table.c.gross).where(
        tuple_(table.c.issuer, table.c.number).in_(list(keys))
    )
    return {(row["issuer"], row["number"]): row for row in connection.execute(query).mappings()}


def keep(connection: Connection, invoices: Sequence[ReceivedInvoice], origin: Origin, at: datetime) -> list[int]:
    """Write invoices that are not there yet, with their items; their ids."""
    known = points_of(connection, {code for invoice in invoices for code in invoice.codes})
    numbers = []
    for invoice in invoices:
        row = _row(invoice, known, origin, at)
        number = int(
            connection.execute(insert(received_invoice).values(row).returning(received_invoice.c.id)).scalar_one()
        )
        if items := _items(invoice, number, known):
            connection.execute(insert(received_invoice_item), items)
        numbers.append(number)
    return numbers


def _row(invoice: ReceivedInvoice, known: Mapping[str, int], origin: Origin, at: datetime) -> dict[str, Any]:
    return {
        "inbox": origin.inbox,
        "source": origin.source,
        "original": origin.original,
        "person": origin.person,
        "issuer": invoice.issuer,
        "recipient": invoice.recipient,
        "number": invoice.number,
        "kind": invoice.kind,
        "commodity": invoice.commodity,
        "corrects": invoice.corrects,
        "point_code": invoice.point,
        "supply_point": known.get(invoice.point or ""),
        "period": Range(invoice.first, invoice.stop),
        "issued": invoice.issued,
        "tax_point": invoice.tax_point,
        "due": invoice.due,
        "variable_symbol": invoice.variable_symbol,
        "currency": invoice.currency,
        "net": invoice.net,
        "vat": invoice.vat,
        "gross": invoice.gross,
        "to_pay": invoice.to_pay,
        "problems": list(invoice.problems),
        "received_at": at,
    }


def _items(invoice: ReceivedInvoice, number: int, known: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "invoice": number,
            "place": place,
            "code": item.code,
            "rate": item.rate,
            "description": item.description,
            "period": Range(item.first, item.stop),
            "quantity": item.quantity,
            "unit": item.unit,
            "unit_price": item.unit_price,
            "effect": item.effect,
            "net": item.net,
            "vat_rate": item.vat_rate,
            "point_code": item.point or invoice.point,
            "supply_point": known.get(item.point or invoice.point or ""),
        }
        for place, item in enumerate(invoice.items, 1)
    ]
