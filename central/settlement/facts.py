"""Registry facts of points for a period: the parts it falls into, and who has the contract and pays in each.

Pure; `registry.py` reads what is put together here. A period is cut wherever anything changes that decides a price or
a payer. Validity alone cannot say what was *known* when a run was made, so the run keeps a canonical document
(`document.py`) of every tenure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from central.readings.gas.terms import GasTerms
from central.settlement.books import BookInForce, find_book, price_borders
from central.settlement.cuts import Held, cut, fact_on, merged, month_borders
from central.settlement.model import TariffPoint
from central.settlement.own import NOTHING, OwnFacts
from central.settlement.prices import PriceBook
from shared.metering_day import MeteringDay, next_month
from shared.quantities import Commodity

SUPPLIED = frozenset({"connected", "suspended"})
"""States of a supply point in which its network services are billed."""
FRAMEWORK = "framework"
"""Kind of contract by which the supplier pays for its customers' points (rámcová smlouva, sdružené služby)."""
PURCHASE = "purchase"
"""Kind of contract by which the superior distributor bills an entry of the network: settled and never invoiced."""
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
    `statement_type` is the one that is settled.
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


class _UnsettledError(Exception):
    """The point cannot be settled."""

    def __init__(self, component: str, reason: str, day: date | None = None) -> None:
        super().__init__(reason)
        self.problem = Problem(component, reason, day)


def facts_of(record: PointRecord, first: date, end: date, books: Sequence[BookInForce]) -> PointFacts | None:
    """The parts of a point's period [first, end); what cannot be said of one of them leaves the whole point out.

    None where there is nothing to settle: not supplied in the period, or approved runs hold it.
    """
    spans: list[Span] = []
    around: list[tuple[date, date, PointVersion, ContractItem, ContractTerms, bool]] = []
    uncovered: list[tuple[date, date]] = []
    held = False
    try:
        for begin, until in _stretches(record, *whole_months_of(first, end), books, at=(first, end)):
            # a new name within the part cuts nothing: the newest is told
            version = fact_on(record.versions, until - timedelta(days=1))
            if version is None or version.state not in SUPPLIED:
                continue
            inside = first <= begin < end
            item = fact_on(record.items, begin)
            terms = None if item is None else fact_on(record.terms.get(item.contract, ()), begin)
            if item is None or terms is None:
                if inside:
                    _add(uncovered, begin, until)
                continue
            settled = fact_on(record.settled.get(item.id, ()), begin) is not None
            supply = _supply(record, begin) if inside else None
            if inside and (not settled or supply is not None):
                spans.append(_span(record, begin, until, version, item, terms, books, supply, billed=settled))
            held = held or (inside and settled)
            if settled or not inside:
                around.append((begin, until, version, item, terms, settled))
    except _UnsettledError as error:
        return PointFacts(record, (), error.problem)
    if spans:
        beside, goes_on = _beside(record, spans, around, books)
        return PointFacts(record, tuple(spans), None, tuple(uncovered), beside, goes_on)
    if held or not uncovered:
        return None
    day = uncovered[0][0]
    reason = f"Odběrné místo {record.ean} nemá od {day} v období platnou položku smlouvy."
    return PointFacts(record, (), Problem("contract", reason, day))


def whole_months_of(first: date, end: date) -> tuple[date, date]:
    """The days of all calendar months that [first, end) touches, half-open."""
    last = end - timedelta(days=1)
    return first.replace(day=1), next_month(last.year, last.month)


def _beside(
    record: PointRecord,
    spans: Sequence[Span],
    around: Sequence[tuple[date, date, PointVersion, ContractItem, ContractTerms, bool]],
    books: Sequence[BookInForce],
) -> tuple[tuple[Span, ...], frozenset[date]]:
    """What is settled already of the months of the network services to be settled, and the months that go on."""
    own = [span for span in spans if not span.billed]
    if not own or not around:
        return (), frozenset()
    months = {span.first.replace(day=1) for span in own}
    beside: list[Span] = []
    goes_on: set[date] = set()
    for begin, until, version, item, terms, settled in around:
        if begin.replace(day=1) not in months:
            continue
        if not settled:
            goes_on.update({begin.replace(day=1)} if begin >= own[-1].end else ())
            continue
        try:
            beside.append(_span(record, begin, until, version, item, terms, books, None, billed=True))
        except _UnsettledError:  # what was settled before and could not be today is for a correction
            continue
    return tuple(beside), frozenset(goes_on)


def _stretches(
    record: PointRecord, first: date, end: date, books: Sequence[BookInForce], at: Sequence[date]
) -> Iterator[tuple[date, date]]:
    """Cut where anything changes and `at` these days; at borders of months where a month's highest interval counts."""
    contracts = {held.fact.contract for held in (*record.items, *record.supplies)}
    suppliers = any(held.fact.contract_kind == FRAMEWORK for held in record.items)
    timelines: list[Iterable[Held[object]]] = [
        merged(record.versions, lambda version: version.deciding(suppliers)),
        record.items,
        record.supplies,
        *(record.terms.get(contract, ()) for contract in contracts),
        *record.agreed.values(),
        *record.settled.values(),
        *record.own.timelines(),
    ]
    for begin, until in cut(first, end, *timelines, at=(*price_borders(books, record.commodity), *at)):
        monthly = record.commodity is Commodity.GAS or _counts_maxima(record, begin)
        yield from cut(begin, until, at=month_borders(begin, until) if monthly else ())


def _counts_maxima(record: PointRecord, day: date) -> bool:
    """Whether quarter-hours decide a price: above low voltage always, else of what is given under a reserved output."""
    version = fact_on(record.versions, day)
    if version is None or version.level != "NN":
        return version is not None
    if fact_on(record.agreed.get(RESERVED_OUTPUT, ()), day) is None:
        return False
    return any(
        (channel.direction, channel.kind) == ("A-", "interval")
        for channel in (*record.channels, *record.others.values())
    )


def _add(stretches: list[tuple[date, date]], begin: date, until: date) -> None:
    if stretches and stretches[-1][1] == begin:
        stretches[-1] = (stretches[-1][0], until)
    else:
        stretches.append((begin, until))


def _span(
    record: PointRecord,
    first: date,
    end: date,
    version: PointVersion,
    item: ContractItem,
    terms: ContractTerms,
    books: Sequence[BookInForce],
    supply: tuple[ContractItem, Named, Named] | None,
    *,
    billed: bool,
) -> Span:
    book = find_book(books, record.commodity, item.prices, first)
    if book is None:
        raise _UnsettledError(
            "package",
            f"Místo {record.ean}: pro ceník {item.prices} ({record.commodity}) není dne {first} platný balíček.",
            first,
        )
    agreed = {name: value for name, held in record.agreed.items() if (value := fact_on(held, first)) is not None}
    if item.gas_daily_capacity_m3 is not None:
        agreed["daily_capacity_thousand_m3"] = item.gas_daily_capacity_m3 / 1000
    if item.unmetered_w is not None:
        agreed["unmetered_w"] = item.unmetered_w
    storage, loss = (record.own.condition(kind, first) for kind in ("storage", "loss"))
    return Span(
        first=first,
        end=end,
        version=version,
        item=item,
        customer=terms.customer,
        payer=_payer(record, first, version, item, terms),
        tariff=TariffPoint(
            operator=item.prices,
            level=version.level,
            rate=item.rate,
            breaker_phases=item.breaker_phases,
            breaker_amperes=None if item.breaker_amps is None else Decimal(item.breaker_amps),
            annual_mwh=item.annual_mwh,
            tariff_choice=_choice(record, item, first),
            capacity_exempt=record.own.condition("capacity_exempt", first) is not None,
            network_entry=item.contract_kind == PURCHASE,
            storage=None if storage is None else storage.choice,
            loss_coefficient=None if loss is None or loss.percent is None else 1 + loss.percent / 100,
        ),
        agreed=agreed,
        book=book,
        supply=supply,
        billed=billed,
    )


def _choice(record: PointRecord, item: ContractItem, day: date) -> str | None:
    """What was chosen where the law leaves a choice; a level knows only one of them."""
    if item.unmetered_flat:
        return "unmetered_flat"
    return "single_component" if record.own.condition("single_component", day) else None


def _supply(record: PointRecord, day: date) -> tuple[ContractItem, Named, Named] | None:
    """The item of a contract for supply alone on a day, unless an approved run holds it."""
    item = fact_on(record.supplies, day)
    if item is None or fact_on(record.settled.get(item.id, ()), day) is not None:
        return None
    terms = fact_on(record.terms.get(item.contract, ()), day)
    return None if terms is None else (item, terms.customer, terms.payer)


def _payer(record: PointRecord, day: date, version: PointVersion, item: ContractItem, terms: ContractTerms) -> Named:
    """The contract's payer; under a framework contract the supplier of the day, who must be the contract's party."""
    if item.contract_kind != FRAMEWORK:
        return terms.payer
    if version.supplier is None or version.supplier.id != terms.customer.id:
        supplier = "žádného dodavatele" if version.supplier is None else f"dodavatele {version.supplier.code}"
        raise _UnsettledError(
            "supplier",
            f"Místo {record.ean} má dne {day} {supplier}, rámcová smlouva {item.contract_number} je však "
            f"s {terms.customer.code}; opravte dodavatele místa nebo položku smlouvy a zúčtujte znovu.",
            day,
        )
    return version.supplier
