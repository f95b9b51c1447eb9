"""Daily exchange rates of the Czech National Bank (ČNB, kurzy devizového trhu).

Documented: a text whose first line is the day and the number of the list ("03.01.2025 #2"), the second the header
země|měna|množství|kód|kurz, then a line for each currency with a decimal comma. The list says of which day it is: asked
on a day without one, the bank gives the last before. Series `cnb.rate`, key `<code>/<day>`.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Final

import msgspec

from central.platform.external.values import Value
from central.workflow.external.adapter import Adapter, Days, Part, UnreadableError
from central.workflow.external.records import each_once, keep
from central.workflow.external.written import day_of, number_of, refuse_page, text_of
from shared.metering_day import PRAGUE

ADDRESS: Final = (
    "https://www.cnb.cz/cs/financni-trhy/devizovy-trh/kurzy-devizoveho-trhu/kurzy-devizoveho-trhu/denni_kurz.txt"
)
COLUMNS: Final = ("země", "měna", "množství", "kód", "kurz")
_HEAD: Final = re.compile(r"(\d{1,2}\.\d{1,2}\.\d{4})\s+#(\d{1,4})")
_CODE: Final = re.compile(r"[A-Z]{3}")


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Days before today; currencies by code, none means all."""

    days_back: Annotated[int, msgspec.Meta(ge=0, le=31)] = 3
    currencies: tuple[Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")], ...] = ()


def parts(settings: Settings, days: Days, today: date) -> Sequence[Part]:
    """A list for each working day; with none of them, the latest one."""
    first, last = days.within(today, settings.days_back, 0)
    count = (last - first).days + 1
    asked = [day for day in (first + timedelta(days=n) for n in range(count)) if day.isoweekday() <= 5]
    return [Part(day.isoformat(), append=f"?date={day:%d.%m.%Y}") for day in asked or [last]]


def read(octets: bytes, settings: Settings) -> Sequence[Value]:
    """The rates of one list; anything that is not one wholly is unreadable."""
    text = text_of(octets)
    refuse_page(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    head = _HEAD.fullmatch(lines[0]) if lines else None
    day = day_of(head[1]) if head else None
    if head is None or day is None:
        raise UnreadableError(f"The list begins with {(lines or [''])[0][:60]!r}; a day and a number are expected.")
    names = tuple(name.strip().lower() for name in lines[1].split("|")) if len(lines) > 1 else ()
    if names != COLUMNS:
        raise UnreadableError(f"The list has the columns {'|'.join(names)[:100]}; expected are {'|'.join(COLUMNS)}.")
    values = each_once(_values(lines[2:], day, int(head[2])))
    if not values:
        raise UnreadableError(f"The list of {day} has no rates.")
    return [each for each in values if not settings.currencies or each.content["currency"] in settings.currencies]


def _values(lines: Sequence[str], day: date, number: int) -> Iterator[Value]:
    for line in lines:
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != len(COLUMNS):
            raise UnreadableError(f"The line {line[:80]!r} of the list of {day} has not {len(COLUMNS)} fields.")
        country, name, amount, code, written = fields
        rate = number_of(written)
        if not (amount.isascii() and amount.isdigit() and 0 < int(amount) <= 1_000_000):
            raise UnreadableError(f"The amount {amount[:20]!r} of {code[:10]} in the list of {day} is no whole number.")
        if not _CODE.fullmatch(code) or rate is None or rate <= 0:
            raise UnreadableError(f"The line {line[:80]!r} of the list of {day} has no code or no rate.")
        content = {
            "currency": code,
            "country": country,
            "name": name,
            "amount": int(amount),
            "rate": rate,
            "list": number,
        }
        begins = datetime.combine(day, time(), PRAGUE)
        yield Value("cnb.rate", f"{code}/{day}", content, begins)


ADAPTER: Final = Adapter(
    name="cnb-rates",
    title="Daily exchange rates of the Czech National Bank",
    mark="documented",
    addresses=(ADDRESS,),
    settings=Settings,
    parameters=Days,
    parts=parts,
    read=read,
    store=keep,
)
