"""Prices of the day-ahead market: hours to 30 September 2025, quarter-hours (or hours) from 1 October on.

Documented: GetDamPriceE and GetDamPricePeriodE. Series `ote.day-ahead.<resolution>.<currency>`, key `<day>/<index>`;
prices per MWh, volumes in MWh; a period of an emergency state has no price.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Final, Literal

import msgspec

from central.platform.external.values import Value
from central.workflow.external.adapter import Adapter, Days, Part, UnreadableError
from central.workflow.external.ote_soap import ADDRESSES, HOURS, QUARTERS, Item, begins, by_days, read_answer
from central.workflow.external.records import each_once, keep

QUARTERS_SINCE: Final = date(2025, 10, 1)
"""The first day of delivery that is traded in quarter-hours."""
HOURLY: Final = "GetDamPriceE"
BY_PERIOD: Final = "GetDamPricePeriodE"


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Resolution from October 2025 on, currency before it (later ones are in EUR only), days around today."""

    resolution: Literal["PT15M", "PT60M"] = "PT15M"
    currency_before: Literal["CZK", "EUR"] = "EUR"
    days_back: Annotated[int, msgspec.Meta(ge=0, le=31)] = 1
    days_ahead: Annotated[int, msgspec.Meta(ge=0, le=2)] = 1


def parts(settings: Settings, days: Days, today: date) -> Sequence[Part]:
    """Calls of the one service up to the switch, of the other from it on."""
    first, last = days.within(today, settings.days_back, settings.days_ahead)
    in_eur = {"InEur": "true" if settings.currency_before == "EUR" else "false"}
    return [
        *by_days(HOURLY, first, min(last, QUARTERS_SINCE - timedelta(days=1)), {}, in_eur),
        *by_days(BY_PERIOD, max(first, QUARTERS_SINCE), last, {}, {"PeriodResolution": settings.resolution}),
    ]


def read(octets: bytes, settings: Settings) -> Sequence[Value]:
    """The prices of an answer of either service."""
    operation, items = read_answer(octets)
    if operation not in (HOURLY, BY_PERIOD):
        raise UnreadableError(f"The answer is to {operation}, not about prices of the day-ahead market.")
    return each_once(_value(operation, item, settings) for item in items)


def _value(operation: str, item: Item, settings: Settings) -> Value:
    day = item.day()
    if operation == HOURLY:
        resolution, index, currency = HOURS, item.whole("Hour"), settings.currency_before
    else:
        resolution, index, currency = item.text("PeriodResolution"), item.whole("PeriodIndex"), "EUR"
    price = item.number("Price") if resolution == QUARTERS else item.number("HourlyPrice", "Price")
    content = {
        "price": price,
        "volume": item.number("VolumeTotal", "Volume"),
        "emergency": item.flag("EmergencyState", "Emerg"),
    }
    if resolution == QUARTERS and (hourly := item.number("HourlyPrice")) is not None:
        content["hourly_price"] = hourly
    at = begins(day, index, resolution)
    return Value(f"ote.day-ahead.{resolution}.{currency}", f"{day}/{index:03}", content, at)


ADAPTER: Final = Adapter(
    name="ote-day-ahead",
    title="Prices of the day-ahead market for electricity (denní trh)",
    mark="documented",
    addresses=ADDRESSES,
    settings=Settings,
    parameters=Days,
    parts=parts,
    read=read,
    store=keep,
)
