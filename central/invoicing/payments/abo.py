"""Statements in the form ABO (GPC): records 074 and 075 of 128 octets, with messages in 076, 078 and 079.

The layout is the one that Czech banks publish for their exports: 074 is a statement (account, name, old balance, new
balance, turnovers, number, day), 075 a movement (counter account, document number, amount, accounting code, symbols,
bank, value day, name, currency, day). Amounts are in hellers; accounting codes are 1 debit, 2 credit, 4 and 5 their
reversals (a reversed debit comes back in, a reversed credit goes out). Text is in windows-1250, CP852 or UTF-8: which
one is told by the letters it gives. Assumed (no file of a bank was at hand): where a record has no currency it is the
account's own, and the number of the account stands in its printed order (prefix, number).
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Final

from central.invoicing.account import iban_of_bban
from central.invoicing.payments.statement import Item, Statement, clean, symbol
from central.platform.errors import BadInput

CURRENCIES: Final = {
    "203": "CZK", "978": "EUR", "840": "USD", "826": "GBP", "756": "CHF", "985": "PLN", "348": "HUF", "946": "RON",
    "208": "DKK", "752": "SEK", "578": "NOK",
}  # fmt: skip
"""ISO 4217 numeric codes; any other one is "XXX", which nothing is kept in."""

_SIGNS: Final = {"1": -1, "2": 1, "4": 1, "5": -1}
_REVERSALS: Final = frozenset("45")
_CZECH: Final = frozenset("áčďéěíňóřšťúůýžÁČĎÉĚÍŇÓŘŠŤÚŮÝŽ")
_CENTS: Final = Decimal("0.01")


def looks_like_abo(content: bytes) -> bool:
    """Whether the first record is a statement's."""
    return content.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n ")[:3] == b"074"


def read_abo(content: bytes) -> list[Statement]:
    """All statements of the file, in their order. BadInput names the line and the field that cannot be read."""
    statements: list[Statement] = []
    for number, line in enumerate(_decode(content).split("\n"), start=1):
        record = line.rstrip("\r\x1a")
        match record[:3]:
            case "074":
                statements.append(_statement(record.ljust(128), number))
            case "075" if statements:
                current = statements[-1]
                current.items.append(_item(record.ljust(128), number, len(current.items) + 1))
            case "076" | "078" | "079" if statements and statements[-1].items:
                said = record[35:] if record[:3] == "076" else record[3:]
                items = statements[-1].items
                items[-1] = replace(items[-1], message=clean(f"{items[-1].message} {said}")[:1000])
            case _ if record.strip():
                raise BadInput(
                    "abo_record",
                    f"Line {number} begins with {clean(record[:3])!r}; an ABO file has records 074, then 075 to 079.",
                )
    if not statements:
        raise BadInput("abo_record", "The file has no record 074: it is no statement in the form ABO (GPC).")
    return statements


def _statement(record: str, line: int) -> Statement:
    old_day = _day(record[39:45], line, "day of the old balance", missing=True)
    last_day = _day(record[108:114], line, "day of the statement", missing=False)
    assert last_day is not None
    return Statement(
        form="abo",
        account=_digits(record[3:19], line, "account"),
        number=clean(record[105:108]).lstrip("0") or "0",
        first_day=old_day,
        last_day=last_day,
        currency=None,
        old_balance=_signed(record[45:59], record[59], line, "old balance"),
        new_balance=_signed(record[60:74], record[74], line, "new balance"),
        debit=_signed(record[75:89], record[89], line, "debit turnover"),
        credit=_signed(record[90:104], record[104], line, "credit turnover"),
        items=[],
    )


def _item(record: str, line: int, place: int) -> Item:
    code = record[60]
    if code not in _SIGNS:
        raise BadInput("abo_field", f"Line {line}: the accounting code is {code!r}; it must be 1, 2, 4 or 5.")
    counter, bank = record[19:35].strip(), record[73:77].strip()
    value_on = _day(record[91:97], line, "value day", missing=True)
    booked_on = _day(record[122:128], line, "day", missing=True) or value_on
    if booked_on is None:
        raise BadInput("abo_field", f"Line {line}: the movement has neither a day nor a value day (DDMMYY).")
    numeric = record[118:122].strip().lstrip("0")
    return Item(
        place=place,
        booked_on=booked_on,
        amount=_SIGNS[code] * int(_digits(record[48:60], line, "amount")) * _CENTS,
        currency=CURRENCIES.get(numeric, "XXX") if numeric else None,
        value_on=value_on,
        counter_account=_counter(counter, bank),
        counter_name=clean(record[97:117]),
        variable_symbol=symbol(record[61:71]),
        constant_symbol=symbol(record[77:81]),
        specific_symbol=symbol(record[81:91]),
        reference=clean(record[35:48]).lstrip("0") or None,
        reversal=code in _REVERSALS,
    )


def _counter(account: str, bank: str) -> str | None:
    if not account.strip("0"):
        return None
    if len(account) == 16 and len(bank) == 4 and (account + bank).isascii() and (account + bank).isdigit():
        return iban_of_bban(bank + account)
    return clean(f"{account}/{bank}")


def _digits(text: str, line: int, field: str) -> str:
    digits = text.strip()
    if not digits.isascii() or not digits.isdigit():
        raise BadInput("abo_field", f"Line {line}: the {field} is {clean(text)!r}; {len(text)} digits are expected.")
    return digits.zfill(len(text))


def _signed(text: str, sign: str, line: int, field: str) -> Decimal:
    if sign not in "0+- ":
        raise BadInput("abo_field", f"Line {line}: the sign of the {field} is {clean(sign)!r}; it must be + or -.")
    value = int(_digits(text, line, field)) * _CENTS
    return -value if sign == "-" else value


def _day(text: str, line: int, field: str, *, missing: bool) -> date | None:
    if missing and not text.strip().strip("0"):
        return None
    try:
        if not (text.isascii() and text.isdigit()):
            raise ValueError(text)
        return date(2000 + int(text[4:6]), int(text[2:4]), int(text[:2]))
    except ValueError:
        raise BadInput("abo_field", f"Line {line}: the {field} is {clean(text)!r}; DDMMYY is expected.") from None


def _decode(content: bytes) -> str:
    """UTF-8 where the octets are; else the one of windows-1250 and CP852 that gives more Czech letters."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        readings = [content.decode(encoding, "replace") for encoding in ("cp1250", "cp852")]
        return max(readings, key=lambda text: sum(text.count(letter) for letter in _CZECH))
