"""Registry facts of points for a period: the parts it falls into, and who has the contract and pays in each.

Pure; `registry.py` reads them, `spans.py` makes the parts. Validity alone cannot say what was *known* when a run was
made, so the run keeps a canonical document (`document.py`) of every tenure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from central.readings.gas.terms import GasTerms
from central.readings.sharing.allocated import NOT_SHARED, SharedOfPoint
from central.settlement.cuts import Held
from central.settlement.model import TariffPoint
from central.settlement.own import NOTHING, OwnFacts
from central.settlement.prices import PriceBook
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

SUPPLIED = frozenset({"connected", "suspended"})
"""States of a supply point in which its network services are billed."""
FRAMEWORK = "framework"
"""Kind of contract by which the supplier pays for its customers' points (rámcová smlouva, sdružené služby)."""
PURCHASE = "purchase"
"""Kind of contract by which the superior distributor bills an entry of the network: settled and never invoiced."""
NO_CONTRACT = "contract"
"""Component of the problem of a point that is supplied and that no contract has."""
RESERVED_OUTPUT = "reserved_output_kw"
"""The agreed value that makes a low-voltage point's quarter-hours of delivery count, month by month."""


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """A settled channel of a point: direction, kind, unit x 10^exponent, and the registers that feed it."""

    id: int
    direction: str
    kind: str
    unit: str
    exponent: int
    mappings: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A party by its id and code."""

    id: int
    code: str


@dataclass(frozen=True, slots=True)
class PointVersion:
    """What holds of a supply point at a time."""

    name: str
    object: str
    address: tuple[str, str, str]
    level: str | None
    metering_type: str | None
    category: str
    load_profile_class: str | None
    operator: Named
    supplier: Named | None
    state: str

    def deciding(self, supplier_pays: bool) -> tuple[Any, ...]:
        """What of it decides a price or a payer; a new name or address cuts no period."""
        supplier = self.supplier if supplier_pays else None
        return self.level, self.metering_type, self.operator, self.state in SUPPLIED, supplier


@dataclass(frozen=True, slots=True)
class ContractItem:
    """An item of a contract for network services: what decides its prices.

    `seller` is who bills it where that is not the point's operator: the superior distributor, of a network's entry.
    """

    id: int
    contract: int
    contract_number: str
    contract_kind: str
    since: date | None
    until: date | None
    prices: str
    rate: str | None
    breaker_phases: int | None
    breaker_amps: int | None
    annual_mwh: Decimal | None
    gas_daily_capacity_m3: Decimal | None
    gas_category: str | None
    seller: int | None = None
    unmetered_w: Decimal | None = None
    unmetered_flat: bool = False

    @property
    def is_unmetered(self) -> bool:
        """Whether it is for a take without a meter: billed by its installed power, or flat."""
        return self.unmetered_flat or self.unmetered_w is not None


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """Who takes the service by a contract and who pays, at a time."""

    customer: Named
    payer: Named


@dataclass(frozen=True, slots=True)
class PointRecord:
    """All that the registry holds of one point over a period, as it was read; timelines are in the order of time.

    `supplies` are items of contracts for supply alone; network services come under `items`.

    `agreed` has a timeline for each agreed value by its name in `QUANTITIES`. `settled`: by contract item the days that
    an approved run holds already. `own`: conditions, services and price lists; `others`: the channels of other points
    that an item is settled from. What decides a price or a payer and what is settled are known for whole months;
    `statement_type` is the one that is settled. `shared`: energy allocated to the point by sharing.
    """

    id: int
    ean: str
    commodity: Commodity
    versions: Sequence[Held[PointVersion]]
    items: Sequence[Held[ContractItem]]
    terms: Mapping[int, Sequence[Held[ContractTerms]]]
    agreed: Mapping[str, Sequence[Held[Decimal]]]
    channels: tuple[ChannelFacts, ...]
    settled: Mapping[int, Sequence[Held[str]]] = field(default_factory=dict)
    gas: Mapping[int, GasTerms] = field(default_factory=dict)
    own: OwnFacts = NOTHING
    supplies: Sequence[Held[ContractItem]] = ()
    others: Mapping[int, ChannelFacts] = field(default_factory=dict)
    statement_type: int = 0
    shared: SharedOfPoint = NOT_SHARED


@dataclass(frozen=True, slots=True)
class Span:
    """One part of a point's period: days [first, end) in which nothing changes that decides a price or a payer.

    `billed`: an approved run holds the network services; only supply is left to be settled.
    """

    first: date
    end: date
    version: PointVersion
    item: ContractItem
    customer: Named
    payer: Named
    tariff: TariffPoint
    agreed: Mapping[str, Decimal]
    book: PriceBook
    supply: tuple[ContractItem, Named, Named] | None = None
    """The item of a contract for supply alone, its customer and payer; None also where a run holds it."""
    billed: bool = False

    @property
    def contracts(self) -> tuple[int, ...]:
        """The contracts under which something of the part is left to be settled."""
        network = () if self.billed else (self.item.contract,)
        return network if self.supply is None else (*network, self.supply[0].contract)

    @property
    def owner(self) -> tuple[Named, Named, Named]:
        """Who owes whom for it: customer, payer, operator."""
        return self.customer, self.payer, self.version.operator


@dataclass(frozen=True, slots=True)
class Tenure:
    """Neighbouring parts of one contract item with one customer and one payer: one input of a run.

    `owner` numbers who owes, from 0 within the point.
    """

    owner: int

    spans: tuple[Span, ...]

    @property
    def first(self) -> date:
        return self.spans[0].first

    @property
    def end(self) -> date:
        return self.spans[-1].end

    @property
    def last(self) -> Span:
        """The part whose facts stand for the whole where only one can: its last."""
        return self.spans[-1]

    def covers(self, day: date) -> bool:
        return self.first <= day < self.end


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a point cannot be settled: the component, a sentence, and the day where there is one."""

    component: str
    reason: str
    day: date | None = None


@dataclass(frozen=True, slots=True)
class PointFacts:
    """One point for a period: its parts in the order of days, or the problem that leaves it out.

    What approved runs hold already is not among the parts. `uncovered` are days on which the point is supplied and no
    contract has it: nobody is billed for them. `beside` are parts of the same calendar months whose network services
    approved runs hold, `goes_on` the months with supplied days after the parts that none holds.
    """

    record: PointRecord
    spans: tuple[Span, ...]
    problem: Problem | None = None
    uncovered: tuple[tuple[date, date], ...] = ()
    beside: tuple[Span, ...] = ()
    goes_on: frozenset[date] = frozenset()

    @property
    def supply_point(self) -> int:
        return self.record.id

    @property
    def ean(self) -> str:
        return self.record.ean

    @property
    def commodity(self) -> Commodity:
        return self.record.commodity

    @property
    def is_without_contract(self) -> bool:
        """Whether the point is left out because no contract has it on any of its days."""
        return self.problem is not None and self.problem.component == NO_CONTRACT

    @property
    def channels(self) -> tuple[ChannelFacts, ...]:
        """The point's own channels, and others that an item of it is settled from."""
        return (*self.record.channels, *self.record.others.values())

    @property
    def contracts(self) -> set[int]:
        """The contracts under which something is left to be settled."""
        return {contract for span in self.spans for contract in span.contracts}

    def tenures(self) -> list[Tenure]:
        """The parts by item, customer and payer, as far as they follow one another without a gap."""
        return _tenures([span for span in self.spans if not span.billed], 0)

    def supply_tenures(self) -> list[Tenure]:
        """The parts that are supplied under a contract for supply alone, as parts of its item; owners are others."""
        spans = [
            replace(span, item=item, customer=customer, payer=payer)
            for span in self.spans
            if span.supply is not None
            for item, customer, payer in [span.supply]
        ]
        return _tenures(spans, len(self.spans))

    def channel_of(self, span: Span, direction: str, kind: str) -> ChannelFacts | None:
        """The channel that a part is settled from: what its item says, else the point's own."""
        other = self.record.own.channel(span.item.id, direction, span.first)
        return self.channel(direction, kind) if other is None else self.record.others.get(other)

    def channel(self, direction: str, kind: str) -> ChannelFacts | None:
        """The point's channel of a direction ("A+", "VT", ...) and kind ("interval", "state")."""
        for channel in self.record.channels:
            if channel.direction == direction and channel.kind == kind:
                return channel
        return None

    def instant(self, day: date) -> datetime:
        """When a day of the point's commodity begins."""
        return MeteringDay(self.commodity, day).start


def _tenures(spans: Sequence[Span], base: int) -> list[Tenure]:
    """Spans by item, customer and payer; owners are numbered from `base`."""
    owners: dict[tuple[Named, Named, Named], int] = {}
    grouped: list[list[Span]] = []
    for span in spans:
        owners.setdefault(span.owner, base + len(owners))
        last = grouped[-1][-1] if grouped else None
        if last is not None and (last.end, last.item.id, last.owner) == (span.first, span.item.id, span.owner):
            grouped[-1].append(span)
        else:
            grouped.append([span])
    return [Tenure(owners[each[0].owner], tuple(each)) for each in grouped]
