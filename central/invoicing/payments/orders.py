"""Payment orders as files for the bank: ABO (KPC) and pain.001. Pure: rows in, octets out.

KPC: `UHL1` (day, name, client, interval, codes), `1 1501` (accounting file, bank), `2` (payer's account, sum in
hellers, day), an item a line (account, hellers, variable symbol, bank and constant symbol, specific symbol, message),
`3 +`, `5 +`. pain.001.001.03 carries the symbols in EndToEndId, as Czech banks read them. Client numbers and codes of
KPC are agreed with each bank; those written here (zeros) are assumed. Elements stand in the order of the message
definition (ISO 20022 catalogue, CustomerCreditTransferInitiationV03); texts have no signs that XML cannot hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from lxml import etree

from central.invoicing.account import Account, parse_iban
from central.invoicing.payments.statement import clean
from central.invoicing.spayd import plain

PAIN: Final = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One payment of an order."""

    number: str
    iban: str
    name: str
    amount: Decimal
    variable_symbol: str
    message: str


@dataclass(frozen=True, slots=True)
class Order:
    """An order of one own account, `currency` that of all items."""

    number: str
    iban: str
    name: str
    due: date
    made_at: datetime
    currency: str
    items: Sequence[OrderItem]

    @property
    def total(self) -> Decimal:
        return sum((item.amount for item in self.items), Decimal("0.00"))


def write_kpc(order: Order) -> bytes:
    """The order in the form ABO (KPC), ASCII with CRLF; all accounts are Czech ones."""
    own = parse_iban(order.iban)
    day = f"{order.due:%d%m%y}"
    lines = [
        f"UHL1{day}{_ascii(order.name)[:20]:<20}{0:010d}001999{0:06d}{0:06d}",
        f"1 1501 001000 {own.bank_code}",
        f"2 {_account(own)} {_hellers(order.total)} {day}",
    ]
    for item in order.items:
        target = parse_iban(item.iban)
        message = _ascii(item.message)[:35].rstrip()
        lines.append(
            f"{_account(target)} {_hellers(item.amount)} {item.variable_symbol} {target.bank_code}0000 0 AV:{message}"
        )
    return "\r\n".join([*lines, "3 +", "5 +", ""]).encode("ascii")


def write_pain(order: Order) -> bytes:
    """The order as pain.001.001.03 in UTF-8."""
    root = etree.fromstring(f'<Document xmlns="{PAIN}"/>')
    head = _put(root, "CstmrCdtTrfInitn")
    group = _put(head, "GrpHdr")
    _put(group, "MsgId", order.number)
    _put(group, "CreDtTm", order.made_at.strftime("%Y-%m-%dT%H:%M:%S"))
    _put(group, "NbOfTxs", str(len(order.items)))
    _put(group, "CtrlSum", f"{order.total:f}")
    _put(_put(group, "InitgPty"), "Nm", clean(order.name)[:70])
    batch = _put(head, "PmtInf")
    _put(batch, "PmtInfId", order.number)
    _put(batch, "PmtMtd", "TRF")
    _put(batch, "NbOfTxs", str(len(order.items)))
    _put(batch, "CtrlSum", f"{order.total:f}")
    _put(batch, "ReqdExctnDt", order.due.isoformat())
    _put(_put(batch, "Dbtr"), "Nm", clean(order.name)[:70])
    account = _put(batch, "DbtrAcct")
    _put(_put(account, "Id"), "IBAN", order.iban)
    _put(account, "Ccy", order.currency)
    bank = _put(_put(batch, "DbtrAgt"), "FinInstnId")
    bic = parse_iban(order.iban).bic
    if bic:
        _put(bank, "BIC", bic)
    else:
        _put(_put(bank, "Othr"), "Id", "NOTPROVIDED")
    for item in order.items:
        _transfer(batch, item, order.currency)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return written


def _transfer(batch: etree._Element, item: OrderItem, currency: str) -> None:
    transfer = _put(batch, "CdtTrfTxInf")
    identity = _put(transfer, "PmtId")
    _put(identity, "InstrId", item.number)
    _put(identity, "EndToEndId", f"/VS{item.variable_symbol}/SS/KS")
    _put(_put(transfer, "Amt"), "InstdAmt", f"{item.amount:f}").set("Ccy", currency)
    _put(_put(transfer, "Cdtr"), "Nm", clean(item.name)[:70])
    _put(_put(_put(transfer, "CdtrAcct"), "Id"), "IBAN", item.iban)
    _put(_put(transfer, "RmtInf"), "Ustrd", clean(item.message)[:140])


def _put(parent: etree._Element, name: str, value: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, f"{{{PAIN}}}{name}")
    if value is not None:
        child.text = value
    return child


def _ascii(text: str) -> str:
    return plain(clean(text)).encode("ascii", "replace").decode("ascii")


def _account(account: Account) -> str:
    prefix, _, number = account.number.rpartition("-")
    return f"{int(prefix or 0):06d}-{int(number):010d}"


def _hellers(amount: Decimal) -> str:
    return str(int(amount * 100))
