"""Texts and numbers as tables from outside write them: encodings, Czech days, decimal commas."""

import re
from datetime import date
from decimal import Decimal
from typing import Final

from central.workflow.external.adapter import UnreadableError

_NUMBER: Final = re.compile(r"-?[0-9]{1,15}([.,][0-9]{1,12})?")
_CZECH_DAY: Final = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})")
_ISO_DAY: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})|(\d{1,2})[./]\s?(\d{4})")
_YEARS: Final = range(1990, 2100)
_GAPS: Final = str.maketrans("", "", " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}")


def text_of(octets: bytes) -> str:
    """UTF-8 with or without its mark, else windows-1250; UnreadableError for other kinds of file."""
    if b"\0" in octets:
        raise UnreadableError("The answer is no text: it has octets 0.")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return octets.decode("windows-1250")
    except UnicodeDecodeError:
        raise UnreadableError("The answer is no text in UTF-8 nor in windows-1250.") from None


def refuse_page(text: str) -> None:
    """UnreadableError where a page came instead of data, as servers send with status 200 too."""
    if re.match(r"\s*<(!doctype|html|\?xml)", text[:200], re.IGNORECASE):
        raise UnreadableError("The answer is a page, not the data that were asked for.")


def number_of(written: str) -> Decimal | None:
    """A number with a decimal comma or point, gaps between thousands left out; None for anything else."""
    plain = written.strip().translate(_GAPS)
    return Decimal(plain.replace(",", ".")) if _NUMBER.fullmatch(plain) and plain.isascii() else None


def day_of(written: str) -> date | None:
    """A day as 3.1.2025, 03.01.2025 or 2025-01-03; None for anything else."""
    written = written.strip().removesuffix("T00:00:00")
    if (found := _CZECH_DAY.fullmatch(written)) is not None:
        return _day(found[3], found[2], found[1])
    if (found := _ISO_DAY.fullmatch(written)) is not None:
        return _day(found[1], found[2], found[3])
    return None


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day)) if int(year) in _YEARS else None
    except ValueError:
        return None


def month_of(written: str) -> date | None:
    """The first day of a month as 2025-01, 1/2025 or 01.2025; None for anything else."""
    found = _MONTH.fullmatch(written.strip())
    return None if found is None else _day(found[1] or found[4], found[2] or found[3], "1")
