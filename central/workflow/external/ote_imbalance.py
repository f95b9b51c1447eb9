"""Settlement of imbalances of electricity: hours to 30 June 2024, quarter-hours from 1 July on; three versions.

Documented: GetImbalanceSettlementE and GetImbalanceSettlementPeriodE. Series `ote.imbalance.<version>.<resolution>`
with the version daily, monthly or final, key `<day>/<index>`; prices in CZK/MWh, volumes in MWh.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Final, Literal

import msgspec

from central.platform.external.values import Value
from central.workflow.external.adapter import Adapter, Days, Part, UnreadableError
from central.workflow.external.ote_soap import ADDRESSES, HOURS, QUARTERS, Item, begins, by_days, read_answer
from central.workflow.external.records import each_once, keep

PERIODS_SINCE: Final = date(2024, 7, 1)
"""The first day that is settled in quarter-hours."""
HOURLY: Final = "GetImbalanceSettlementE"
BY_PERIOD: Final = "GetImbalanceSettlementPeriodE"
VERSIONS: Final = {0: "daily", 1: "monthly", 2: "final"}
_NUMBERS: Final = {
    "SystemImbalance": "system_imbalance",
    "Sum": "sum",
    "PositiveImbalance": "positive_imbalance",
    "NegativeImbalance": "negative_imbalance",
    "RoundedImbalance": "rounded_imbalance",
    "ReCost": "regulation_cost",
    "ImbalanceCost": "imbalance_cost",
    "SettlImbalancePrice": "price",
    "SettlCounterImbalancePrice": "counter_price",
    "PriceWARE": "price_ware",
    "PriceRE": "price_re",
    "PriceWAIM": "price_waim",
    "PriceCurve": "price_curve",
}


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The version of settlement (0 daily, 1 monthly, 2 final monthly), and days before today."""

    version: Literal[0, 1, 2] = 0
    days_back: Annotated[int, msgspec.Meta(ge=0, le=400)] = 7


def parts(settings: Settings, days: Days, today: date) -> Sequence[Part]:
    """Calls of the one service up to the switch, of the other from it on."""
    first, last = days.within(today, settings.days_back, 0)
    version = {"Version": str(settings.version)}
    return [
        *by_days(HOURLY, first, min(last, PERIODS_SINCE - timedelta(days=1)), version, {}),
        *by_days(BY_PERIOD, max(first, PERIODS_SINCE), last, version, {}),
    ]


def read(octets: bytes, _: Settings) -> Sequence[Value]:
    """The settlement of an answer of either service."""
    operation, items = read_answer(octets)
    if operation not in (HOURLY, BY_PERIOD):
        raise UnreadableError(f"The answer is to {operation}, not about the settlement of imbalances.")
    return each_once(_value(operation, item) for item in items)


def _value(operation: str, item: Item) -> Value:
    version = VERSIONS.get(item.whole("Version"))
    if version is None:
        raise UnreadableError(f"The version of settlement {item.text('Version')[:20]!r} is none of 0, 1, 2.")
    day = item.day()
    if operation == HOURLY:
        resolution, index = HOURS, item.whole("Hour")
    else:
        resolution, index = item.fields.get("PeriodResolution") or QUARTERS, item.whole("PeriodIndex")
    given = {ours: item.number(theirs) for theirs, ours in _NUMBERS.items()}
    content = {name: value for name, value in given.items() if value is not None or name == "price"}
    at = begins(day, index, resolution)
    return Value(
        f"ote.imbalance.{version}.{resolution}",
        f"{day}/{index:03}",
        {**content, "emergency": item.flag("Emerg", "EmergencyState")},
        at,
    )


ADAPTER: Final = Adapter(
    name="ote-imbalance",
    title="Settlement prices and volumes of imbalances of electricity (odchylky)",
    mark="documented",
    addresses=ADDRESSES,
    settings=Settings,
    parameters=Days,
    parts=parts,
    read=read,
    store=keep,
)
