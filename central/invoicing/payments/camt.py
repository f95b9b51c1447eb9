"""Statements in the form CAMT.053 (ISO 20022, BankToCustomerStatement), any version: elements go by their local names.

Czech banks put the symbols into EndToEndId, the creditor's reference or the message, as `/VS123/SS4/KS0308` or
`VS:123`. Entities are not expanded, a document type is refused, and entries are read one by one, so that a large file
takes little memory.

Element paths are those of the message definitions camt.053.001.02 and camt.053.001.08 (ISO 20022 catalogue); how banks
here fill them is assumed: no file of a bank was at hand. Entries that are not booked (PDNG, INFO) are counted and not
read. An entry with RvslInd keeps its own side: CdtDbtInd says how the account moves, not how the reversed entry had.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from lxml import etree

from central.invoicing.account import AccountError, iban_of_bban, parse_iban
from central.invoicing.payments.statement import MOST_AMOUNT, Item, Statement, clean, symbol
from central.platform.errors import BadInput

_SYMBOLS: Final = re.compile(r"(?<![A-Z])(VS|SS|KS)[:/.\s]{0,3}0*(\d{1,10})(?!\d)")
_DOMESTIC: Final = re.compile(
    r"(?:(?:(?P<prefix>\d{1,6})-)?(?P<number>\d{2,10})|(?P<whole>\d{16}))/(?P<bank>\d{4})", re.ASCII
)
"""A Czech account as banks write it without its IBAN: prefix and number, or both in 16 digits."""
_OPENING: Final = ("OPBD", "PRCD", "ITBD")
_CLOSING: Final = ("CLBD", "ITBD")
_APART: Final = frozenset({"TxDtls", "Ntry"})
"""Elements that have a reader of their own; a batch has thousands."""
_PARSER: Final[dict[str, Any]] = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def looks_like_camt(content: bytes) -> bool:
    """Whether the file is XML (in any encoding with ASCII's signs)."""
    return content[:200].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \r\n\t").startswith(b"<")


def read_camt(content: bytes) -> list[Statement]:
    """All statements of the file, in their order. BadInput names the statement, the entry and the field."""
    statements: list[Statement] = []
    try:
        space = _namespace(content)
        names = _Names(space)
        items: list[Item] = []
        pending = 0
        parsed = etree.iterparse(io.BytesIO(content), events=("end",), tag=(space + "Ntry", space + "Stmt"), **_PARSER)
        for _, element in parsed:
            if element.tag == space + "Ntry":
                entry = _Entry(element, names, len(items))
                pending += not entry.booked
                items += entry.items()
                element.clear()
            else:
                statements.append(replace(_statement(element, names, items), pending=pending))
                items, pending = [], 0
                element.clear()
    except etree.XMLSyntaxError as error:
        raise BadInput("camt_xml", f"The file is not XML that can be read: {clean(str(error))}.") from None
    if not statements:
        raise BadInput("camt_empty", "The file has no statement (Stmt): it is no CAMT.053.")
    return statements


def _namespace(content: bytes) -> str:
    """The namespace of the root, in braces; refuses a document type, which a statement has no need of."""
    for _, root in etree.iterparse(io.BytesIO(content), events=("start",), **_PARSER):
        information = root.getroottree().docinfo
        if information.internalDTD is not None or information.doctype:
            raise BadInput("camt_doctype", "The file declares a document type or entities; a statement has none.")
        name = etree.QName(root)
        if name.localname != "Document":
            raise BadInput("camt_root", f"The root of the file is {name.localname}; CAMT.053 has Document.")
        return f"{{{name.namespace}}}" if name.namespace else ""
    raise BadInput("camt_empty", "The file has no statement (Stmt): it is no CAMT.053.")


class _Names(dict[Any, str | None]):
    """Local names by tag; None for what is of another namespace, a comment or an instruction."""

    def __init__(self, space: str) -> None:
        super().__init__()
        self._space = space

    def __missing__(self, tag: Any) -> str | None:
        name = tag.removeprefix(self._space) if isinstance(tag, str) and tag.startswith(self._space) else None
        self[tag] = None if name is None or "{" in name else name
        return self[tag]


class _Reader:
    """Texts at paths of local names below an element, which is walked through once; not below what is in _APART."""

    def __init__(self, element: Any, names: _Names) -> None:
        self._names = names
        self._found: dict[str, list[Any]] = {}
        self._walk(element, "")

    def _walk(self, element: Any, path: str) -> None:
        for child in element:
            name = self._names[child.tag]
            if name is None:
                continue
            self._found.setdefault(path + name, []).append(child)
            if len(child) and name not in _APART:
                self._walk(child, f"{path}{name}/")

    def all(self, path: str) -> list[Any]:
        return self._found.get(path, [])

    def find(self, path: str) -> Any:
        found = self._found.get(path)
        return None if found is None else found[0]

    def each(self, path: str) -> Iterator["_Reader"]:
        for found in self.all(path):
            yield _Reader(found, self._names)

    def text(self, *paths: str) -> str | None:
        """The first of the paths that has a text."""
        for path in paths:
            found = self.find(path)
            if found is not None and found.text and found.text.strip():
                return clean(found.text)
        return None


class _Entry(_Reader):
    """One entry (Ntry): a movement, or a batch with its movements."""

    def __init__(self, element: Any, names: _Names, before: int) -> None:
        super().__init__(element, names)
        self.before = before

    @property
    def booked(self) -> bool:
        """Whether the bank has booked it: PDNG and INFO are no movements yet."""
        return (self.text("Sts/Cd", "Sts") or "BOOK") == "BOOK"

    def items(self) -> list[Item]:
        if not self.booked:
            return []
        where = f"Entry {self.before + 1}"
        sign = _sign(self, where)
        amount, currency = _amount(self, "Amt", where)
        booked_on = _day(self, "BookgDt", where) or _day(self, "ValDt", where)
        if booked_on is None:
            raise BadInput("camt_field", f"{where}: there is neither a booking date nor a value date.")
        details = list(self.each("NtryDtls/TxDtls"))
        parts, charges = self._parts(details, sign * amount, currency, where)
        reversal = (self.text("RvslInd") or "").lower() in ("true", "1")
        value_on = _day(self, "ValDt", where)
        reference = self.text("AcctSvcrRef")
        made = []
        for place, (detail, part) in enumerate(parts, start=1):
            own = detail.text("Refs/AcctSvcrRef") or reference
            if own is not None and own == reference and len(parts) > 1:
                own = f"{own}/{place}"
            made.append(
                Item(
                    place=self.before + place,
                    booked_on=booked_on,
                    amount=part,
                    currency=currency,
                    value_on=value_on,
                    reference=own and own[:100],
                    reversal=reversal,
                    **_said(detail, self, incoming=part > 0),
                )
            )
        if charges:
            own = reference and f"{reference}/{len(parts) + 1}"[:100]
            made.append(
                Item(self.before + len(made) + 1, booked_on, -charges, currency, value_on, message="Poplatek banky",
                     reference=own, reversal=reversal)
            )  # fmt: skip
        return made

    def _parts(
        self, details: list[_Reader], amount: Decimal, currency: str, where: str
    ) -> tuple[list[tuple[_Reader, Decimal]], Decimal]:
        """The movements of a batch with their amounts, and what the bank took off for itself.

        The entry itself where it is one movement. Charges count only where the amounts say so: an entry of 95 whose
        transaction is of 100 with charges of 5 is a payment of 100 and a charge.
        """
        charges = sum((_charges(each, currency, where) for each in (self, *details)), Decimal(0))
        if len(details) < 2 and not charges:
            return [(details[0] if details else self, amount)], charges
        nothing = Decimal(0)
        parts: list[tuple[_Reader, Decimal]] = []
        for detail in details:
            path = next((path for path in ("Amt", "AmtDtls/TxAmt/Amt") if detail.find(path) is not None), None)
            if path is None:
                return [(detail if len(details) == 1 else self, amount)], nothing
            part, other = _amount(detail, path, where)
            if other != currency:
                return [(detail if len(details) == 1 else self, amount)], nothing
            own = detail.text("CdtDbtInd")
            parts.append((detail, part * (1 if own == "CRDT" else -1) if own else part * (1 if amount > 0 else -1)))
        total = sum((part for _, part in parts), nothing)
        if parts and charges and total - charges == amount:
            return parts, charges
        if len(parts) < 2:
            return [(details[0] if details else self, amount)], nothing
        if total != amount:
            raise BadInput(
                "statement_sum",
                f"{where} does not add up: its {len(parts)} movements make {total}, and its amount is "
                f"{amount}. Nothing was booked; ask the bank for a whole file.",
            )
        return parts, nothing


def _charges(reader: _Reader, currency: str, where: str) -> Decimal:
    """What the bank took off: Chrgs/Amt of version 02, Chrgs/Rcrd/Amt of version 08; a credit gives back."""
    total = Decimal(0)
    for record in (*reader.each("Chrgs"), *reader.each("Chrgs/Rcrd")):
        if record.find("Amt") is None:
            continue
        amount, unit = _amount(record, "Amt", f"{where}, charges")
        if unit == currency:
            total += -amount if record.text("CdtDbtInd") == "CRDT" else amount
    return total


def _said(detail: _Reader, entry: _Reader, *, incoming: bool) -> dict[str, Any]:
    side = "Dbtr" if incoming else "Cdtr"
    account = detail.text(
        f"RltdPties/{side}Acct/Id/IBAN", f"RltdPties/{side}Acct/Id/Othr/Id", f"RltdPties/{side}Acct/Id/PrtryAcct/Id"
    )
    bank = detail.text(f"RltdAgts/{side}Agt/FinInstnId/Othr/Id", f"RltdAgts/{side}Agt/FinInstnId/ClrSysMmbId/MmbId")
    message = " ".join(clean(found.text) for found in detail.all("RmtInf/Ustrd")) or (
        detail.text("AddtlTxInf") or entry.text("AddtlNtryInf") or ""
    )
    structured = " ".join(reader.text("CdtrRefInf/Ref") or "" for reader in detail.each("RmtInf/Strd"))
    told = " ".join((structured, detail.text("Refs/EndToEndId") or "", message)).upper()
    symbols: dict[str, str] = {}
    for kind, digits in _SYMBOLS.findall(told):
        symbols.setdefault(kind, digits)
    return {
        "counter_account": _account(account, bank),
        "counter_name": (detail.text(f"RltdPties/{side}/Nm", f"RltdPties/{side}/Pty/Nm") or "")[:140],
        "variable_symbol": symbol(symbols.get("VS")),
        "specific_symbol": symbol(symbols.get("SS")),
        "constant_symbol": symbol(symbols.get("KS")),
        "message": message[:1000],
    }


def _account(account: str | None, bank: str | None) -> str | None:
    if account is None:
        return None
    try:
        return parse_iban(account).iban
    except AccountError:
        told = f"{account}/{bank}" if bank and "/" not in account else account
        domestic = _DOMESTIC.fullmatch(told.replace(" ", ""))
        return told[:60] if domestic is None else iban_of_bban(_bban(**domestic.groupdict("")))


def _bban(prefix: str, number: str, whole: str, bank: str) -> str:
    return bank + (whole or f"{prefix:0>6}{number:0>10}")


def _statement(element: Any, names: _Names, items: list[Item]) -> Statement:
    reader = _Reader(element, names)
    number = reader.text("LglSeqNb", "ElctrncSeqNb", "Id") or ""
    where = f"Statement {number}"
    account = reader.text("Acct/Id/IBAN", "Acct/Id/Othr/Id", "Acct/Id/PrtryAcct/Id")
    if account is None:
        raise BadInput("camt_field", f"{where} names no account (Acct/Id).")
    balances: dict[str, list[tuple[Decimal, str, date | None]]] = {}
    for balance in reader.each("Bal"):
        amount, unit = _amount(balance, "Amt", f"{where}, balance")
        kind = balance.text("Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry") or ""
        signed = amount * _sign(balance, f"{where}, balance")
        balances.setdefault(kind, []).append((signed, unit, _day(balance, "Dt", where)))
    opening = next((balances[kind][0] for kind in _OPENING if kind in balances), None)
    closing = next((balances[kind][-1] for kind in _CLOSING if kind in balances), None)
    if opening is None or closing is None:
        raise BadInput("camt_field", f"{where} of {account} lacks its opening (OPBD) or closing (CLBD) balance.")
    last_day = closing[2] or _day(reader, "FrToDt/ToDtTm", where) or _day(reader, "CreDtTm", where)
    if last_day is None:
        raise BadInput("camt_field", f"{where} of {account} names no day of its closing balance.")
    return Statement(
        form="camt053",
        account=account.replace(" ", "").upper()[:40],
        number=number[:60],
        first_day=_day(reader, "FrToDt/FrDtTm", where) or opening[2],
        last_day=last_day,
        currency=reader.text("Acct/Ccy") or closing[1],
        old_balance=opening[0],
        new_balance=closing[0],
        debit=_sum(reader, "TxsSummry/TtlDbtNtries/Sum", where),
        credit=_sum(reader, "TxsSummry/TtlCdtNtries/Sum", where),
        items=items,
    )


def _sum(reader: _Reader, path: str, where: str) -> Decimal | None:
    text = reader.text(path)
    return None if text is None else _decimal(text, f"{where}, {path}")


def _sign(reader: _Reader, where: str) -> int:
    match reader.text("CdtDbtInd"):
        case "CRDT":
            return 1
        case "DBIT":
            return -1
        case other:
            raise BadInput("camt_field", f"{where}: CdtDbtInd is {other!r}; it must be CRDT or DBIT.")


def _amount(reader: _Reader, path: str, where: str) -> tuple[Decimal, str]:
    found = reader.find(path)
    if found is None:
        raise BadInput("camt_field", f"{where} has no amount ({path}).")
    currency = clean(found.get("Ccy"))
    if len(currency) != 3 or not (currency.isascii() and currency.isalpha() and currency.isupper()):
        raise BadInput("camt_field", f"{where}: the amount's currency is {currency!r}; a code such as CZK is expected.")
    return _decimal(found.text or "", where), currency


def _decimal(text: str, where: str) -> Decimal:
    try:
        value = Decimal(text.strip())
        if not value.is_finite() or not 0 <= value < MOST_AMOUNT or value != round(value, 2):
            raise ValueError(text)
    except (ValueError, InvalidOperation):
        raise BadInput(
            "camt_field", f"{where}: the amount is {clean(text)!r}; 0 to 999999999999.99 with two decimals is expected."
        ) from None
    return round(value, 2)


def _day(reader: _Reader, path: str, where: str) -> date | None:
    """A day given as Dt or DtTm below the path, or as the path's own text; the day as the bank wrote it."""
    text = reader.text(f"{path}/Dt", f"{path}/DtTm", path)
    if text is None:
        return None
    try:
        day = date.fromisoformat(text[:10]) if len(text) == 10 else datetime.fromisoformat(text).date()
        if not 2000 <= day.year <= 2999:
            raise ValueError(text)
    except ValueError:
        raise BadInput("camt_field", f"{where}: {path} is {text!r}; a date such as 2026-03-01 is expected.") from None
    return day
