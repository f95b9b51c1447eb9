"""The parts that a point's period falls into: cut wherever anything changes that decides a price or a payer. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

from central.settlement.books import BookInForce, find_book, price_borders
from central.settlement.cuts import Held, cut, fact_on, merged, month_borders
from central.settlement.facts import (
    FRAMEWORK,
    NO_CONTRACT,
    PURCHASE,
    RESERVED_OUTPUT,
    SUPPLIED,
    ContractItem,
    ContractTerms,
    Named,
    PointFacts,
    PointRecord,
    PointVersion,
    Problem,
    Span,
)
from central.settlement.model import TariffPoint
from shared.metering_day import next_month
from shared.quantities import Commodity


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
    return PointFacts(record, (), Problem(NO_CONTRACT, reason, day))


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
