"""What holds of a point and its contract items beside the regulated, as it was read. Pure.

Conditions of the point decide regulated prices; own services and own price lists give lines of their own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from central.settlement.cuts import Held, fact_on


@dataclass(frozen=True, slots=True)
class Condition:
    """What changes the price of a point: the percent of losses, the kind of storage, what it stands on."""

    percent: Decimal | None
    choice: str | None
    source: str


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """A price that the operator set, without VAT, and what it stands on."""

    price: Decimal
    source: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the operator's catalogue with its prices."""

    code: str
    rate: int
    name: str
    name_en: str
    unit: str
    vat_percent: Decimal
    prices: Sequence[Held[OwnPrice]]


@dataclass(frozen=True, slots=True)
class Attached:
    """A service under a contract item; `quantity` says which of the other fields hold."""

    id: int
    service: Service
    quantity: str
    fixed: Decimal | None = None
    area_m2: Decimal | None = None
    channel: int | None = None
    formula: str | None = None
    collection: int | None = None
    node: str | None = None
    share: str | None = None
    percent: Decimal | None = None

    def document(self) -> dict[str, Any]:
        """As pinned facts hold it: only what holds."""
        given = {
            "quantity": self.quantity,
            "fixed": _spelled(self.fixed),
            "area_m2": _spelled(self.area_m2),
            "channel": self.channel,
            "formula": self.formula,
            "collection": self.collection,
            "node": self.node,
            "share": self.share,
            "percent": _spelled(self.percent),
        }
        return {"service": self.service.code} | {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class PriceList:
    """An own price list: prices by component and distribution rate ("": any rate without a price of its own)."""

    code: str
    name: str
    prices: Mapping[tuple[str, str], Sequence[Held[OwnPrice]]]

    def find_price(self, component: str, rate: str | None, day: date) -> OwnPrice | None:
        """The price of a component on a day: that of the rate, else that of any."""
        own = fact_on(self.prices.get((component, rate or ""), ()), day)
        return own if own is not None else fact_on(self.prices.get((component, ""), ()), day)


@dataclass(frozen=True, slots=True)
class OwnFacts:
    """Of one point: its conditions by kind, and by contract item its services, price lists and other channels."""

    conditions: Mapping[str, Sequence[Held[Condition]]] = field(default_factory=dict)
    services: Mapping[int, Sequence[Held[Attached]]] = field(default_factory=dict)
    lists: Mapping[int, Sequence[Held[PriceList]]] = field(default_factory=dict)
    channels: Mapping[int, Mapping[str, Sequence[Held[int]]]] = field(default_factory=dict)

    def timelines(self) -> Iterator[Sequence[Held[object]]]:
        """All that cuts the point's period: services do not, their lines have days of their own."""
        yield from self.conditions.values()
        for lists in self.lists.values():
            yield lists
            for held in lists:
                yield from held.fact.prices.values()
        for by_direction in self.channels.values():
            yield from by_direction.values()

    def condition(self, kind: str, day: date) -> Condition | None:
        """The condition of a kind that holds on a day."""
        return fact_on(self.conditions.get(kind, ()), day)

    def price_list(self, item: int, day: date) -> PriceList | None:
        """The list by which energy is sold under an item on a day."""
        return fact_on(self.lists.get(item, ()), day)

    def channel(self, item: int, direction: str, day: date) -> int | None:
        """The channel that an item is settled from instead of the point's own."""
        return fact_on(self.channels.get(item, {}).get(direction, ()), day)

    def others(self) -> set[int]:
        """The channels of other points that items are settled from."""
        return {held.fact for by in self.channels.values() for timeline in by.values() for held in timeline}

    def document(self, item: int, first: date, end: date) -> dict[str, Any]:
        """What of it held under an item in [first, end), as pinned facts hold it; empty where nothing did."""
        told: dict[str, Any] = {}
        conditions = [
            {
                "kind": kind,
                "percent": _spelled(each.percent),
                "choice": each.choice,
                "source": each.source,
                "valid": days,
            }
            for kind, held in sorted(self.conditions.items())
            for each, days in _within(held, first, end)
        ]
        services = [
            {**each.document(), "valid": days} for each, days in _within(self.services.get(item, ()), first, end)
        ]
        lists = [{"code": each.code, "valid": days} for each, days in _within(self.lists.get(item, ()), first, end)]
        channels = [
            {"direction": direction, "channel": each, "valid": days}
            for direction, held in sorted(self.channels.get(item, {}).items())
            for each, days in _within(held, first, end)
        ]
        for name, found in (
            ("conditions", conditions), ("services", services), ("price_lists", lists), ("settled_from", channels)
        ):  # fmt: skip
            if found:
                told[name] = found
        return told


NOTHING = OwnFacts()


def _within(held: Sequence[Held[Any]], first: date, end: date) -> Iterator[tuple[Any, list[str | None]]]:
    for each in held:
        if (each.since is None or each.since < end) and (each.until is None or first < each.until):
            yield each.fact, [None if day is None else day.isoformat() for day in (each.since, each.until)]


def _spelled(value: Decimal | None) -> str | None:
    return None if value is None else format(value.normalize() + 0, "f")
