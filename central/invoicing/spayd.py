"""QR payment: the Short Payment Descriptor (SPAYD 1.0), as Czech banks read it from a QR code."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from urllib.parse import quote

MOST = Decimal("9999999999.99")
"""A larger amount no payment code carries."""
_SYMBOL = re.compile(r"\d{1,10}")


class SpaydError(ValueError):
    """A payment that SPAYD cannot carry."""


def spayd(
    iban: str,
    *,
    alternatives: Sequence[str] = (),
    amount: Decimal | None = None,
    currency: str | None = None,
    due: date | None = None,
    variable_symbol: str | None = None,
    recipient: str | None = None,
    message: str | None = None,
) -> str:
    """The payment as text for a QR code.

    `amount` at most 10 digits before and 2 behind the point; symbols at most 10 digits; recipient is cut to 35 and
    message to 60 characters, both without diacritics, which many banks refuse. Raises SpaydError.
    """
    fields: list[tuple[str, str]] = [("ACC", iban)]
    if alternatives:
        fields.append(("ALT-ACC", ",".join(alternatives)))
    if amount is not None:
        fields.append(("AM", _amount(amount)))
    if currency is not None:
        fields.append(("CC", currency))
    if due is not None:
        fields.append(("DT", f"{due:%Y%m%d}"))
    if recipient is not None:
        fields.append(("RN", escape(plain(recipient)[:35].rstrip())))
    if message is not None:
        fields.append(("MSG", escape(plain(message)[:60].rstrip())))
    if variable_symbol is not None:
        if not _SYMBOL.fullmatch(variable_symbol):
            raise SpaydError(f"The variable symbol {variable_symbol} must have 1 to 10 digits.")
        fields.append(("X-VS", variable_symbol))
    return "SPD*1.0*" + "*".join(f"{key}:{value}" for key, value in fields)


def escape(text: str) -> str:
    """Escape what the format reserves (* + %) and what is not ASCII, as %XX of UTF-8."""
    return "".join(quote(letter, safe="") if letter in "*+%" or not letter.isascii() else letter for letter in text)


def plain(text: str) -> str:
    """Text without diacritics, in capitals, as bank forms have it."""
    return "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter)).upper()


def _amount(amount: Decimal) -> str:
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or amount < 0 or exponent < -2 or amount > MOST:
        raise SpaydError(f"The amount {amount} must be between 0 and {MOST} with at most two decimals.")
    return format(amount, "f")
