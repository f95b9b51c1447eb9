"""Prices of the intra-day market for gas with the index OTE.

Documented: GetImPriceG, whose index is spelled IndexOTE in the description and IndexOte in its sample: both are taken.
Series `ote.gas`, key and time the gas day; prices in EUR/MWh, volume in MWh.
"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final

import msgspec

from central.platform.external.values import Value
from central.workflow.external.adapter import Adapter, Days, Part, UnreadableError
from central.workflow.external.ote_soap import ADDRESSES, Item, by_days, read_answer
from central.workflow.external.records import each_once, keep
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

OPERATION: Final = "GetImPriceG"


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Gas days before today."""

    days_back: Annotated[int, msgspec.Meta(ge=0, le=400)] = 7


def parts(settings: Settings, days: Days, today: date) -> Sequence[Part]:
    """Calls for the gas days."""
    return list(by_days(OPERATION, *days.within(today, settings.days_back, 0), {}, {}))


def read(octets: bytes, _: Settings) -> Sequence[Value]:
    """The gas days of an answer."""
    operation, items = read_answer(octets)
    if operation != OPERATION:
        raise UnreadableError(f"The answer is to {operation}, not about prices of gas.")
    return each_once(_value(item) for item in items)


def _value(item: Item) -> Value:
    day = item.day()
    content = {
        "price": item.number("Price"),
        "volume": item.number("Volume"),
        "lowest_price": item.number("MinPrice"),
        "highest_price": item.number("MaxPrice"),
        "index": item.number("IndexOTE", "IndexOte"),
    }
    return Value("ote.gas", day.isoformat(), content, MeteringDay(Commodity.GAS, day).start)


ADAPTER: Final = Adapter(
    name="ote-gas",
    title="Prices of the intra-day market for gas, index OTE",
    mark="documented",
    addresses=ADDRESSES,
    settings=Settings,
    parameters=Days,
    parts=parts,
    read=read,
    store=keep,
)
