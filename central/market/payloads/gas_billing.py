"""CDSGASPOF GP6: billing data of gas distribution (podklady pro fakturaci distribuce plynu), sent to the supplier.

Documented (a public consumer of the message): the elements from `invoice` down to the containers, all attributes, the
segments, the reasons of a correction and the formulas of the lines. Inferred: units. Assumed: the names of the elements
that hold the records within a container (any name is read), one commodity line for all days of A/B, and that a
cancelling may repeat the amounts of what it cancels with either sign.

Periods are instants, half-open. A body has the variant of metering C and CM (`distributed`, `meters_c`, `agreed_c`) or
that of A and B (`daily`, `meters`, `agreed`).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import pairwise
from typing import Final, Literal, Protocol

import msgspec

from central.market.payloads.billing_data import CorrectionReason, Segment
from central.market.payloads.exact import EXACT, product_fits, sums_fit
from shared.metering_day import day_of
from shared.quantities import Commodity

FORMAT: Final = "CDSGASPOF"
_CENT: Final = Decimal("0.01")
_NOT_IN_A_ROW: Final[frozenset[Segment]] = frozenset({"correction", "cancel", "historic"})


class DistributedEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """C: energy of a sub-period in kWh, price of distribution and of the market operator in CZK/kWh."""

    start: datetime
    end: datetime
    energy_kwh: Decimal
    unit_price: Decimal
    operator_price: Decimal


class ConvertedVolume(msgspec.Struct, frozen=True, kw_only=True):
    """C: volume in m3 x conversion factor (přepočtový koeficient) x calorific value (spalné teplo, kWh/m3) = energy."""

    start: datetime
    end: datetime
    volume_m3: Decimal
    factor: Decimal
    calorific_value: Decimal
    energy_mwh: Decimal


class GasMeterC(msgspec.Struct, frozen=True, kw_only=True):
    """C: a gas meter (plynoměr) with its state in m3 at the first reading; the list of reading types is not known."""

    start: datetime
    end: datetime
    meter: str
    first_state: Decimal
    first_reading: datetime | None = None
    last_reading: datetime | None = None
    reading_type: str | None = None
    volumes: list[ConvertedVolume] = []


class CapacityC(msgspec.Struct, frozen=True, kw_only=True):
    """C: payment for capacity: m3/day, CZK per 1000 m3 and year, part of a year."""

    volume: Decimal
    price: Decimal
    effect: Decimal


class FixedPayment(msgspec.Struct, frozen=True, kw_only=True):
    """C: fixed payment (stálý plat) in CZK and its part."""

    rent: Decimal
    effect: Decimal


class AgreedC(msgspec.Struct, frozen=True, kw_only=True):
    """C: what is paid for a sub-period whatever is taken."""

    start: datetime
    end: datetime
    capacity: CapacityC | None = None
    payment: FixedPayment | None = None


class GasDayEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """A/B: energy of a gas day in kWh; the day is given by its begin, 6:00."""

    day: datetime
    energy_kwh: Decimal


class DailyEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """A/B: energies by gas days with the prices of distribution and of the market operator in CZK/kWh."""

    unit_price: Decimal
    operator_price: Decimal
    days: list[GasDayEnergy] = []


class MeteredGasDay(msgspec.Struct, frozen=True, kw_only=True):
    """A/B: converted volume in m3 x calorific value in kWh/m3 = energy in kWh."""

    day: datetime
    volume_m3: Decimal
    calorific_value: Decimal
    energy_kwh: Decimal


class GasMeter(msgspec.Struct, frozen=True, kw_only=True):
    """A/B: a gas meter and its days."""

    start: datetime
    end: datetime
    meter: str
    first_state: Decimal
    days: list[MeteredGasDay] = []


class Overrun(msgspec.Struct, frozen=True, kw_only=True):
    """A/B: exceeding of the reserved daily capacity: m3, CZK per 1000 m3, factor of the month."""

    size: Decimal
    unit_price: Decimal
    month_factor: Decimal


class AgreedCapacity(msgspec.Struct, frozen=True, kw_only=True):
    """A/B: reserved daily capacity: m3/day, CZK per 1000 m3 and year, part of a year (and the same in percent)."""

    size: Decimal
    price: Decimal
    effect: Decimal
    effect_percent: Decimal | None = None
    start: datetime | None = None
    end: datetime | None = None
    overruns: list[Overrun] = []


class GasBilling(msgspec.Struct, frozen=True, kw_only=True):
    """A document (`invoice`) of one supply point; `concerns` is the number of what it cancels or corrects (SCNumber).

    `net` and `gross` are CZK without and with VAT, `yearly_kwh` the recalculated annual consumption. `cancelled` stands
    (as True) in a document that has been cancelled, and nowhere else.
    """

    net: Decimal
    start: datetime
    end: datetime
    segment: Segment
    opm: str
    document: str | None = None
    version: str | None = None
    gross: Decimal | None = None
    cancelled: Literal[True] | None = None
    yearly_kwh: Decimal | None = None
    number: str | None = None
    further_number: str | None = None
    correction_reason: CorrectionReason | None = None
    claim: str | None = None
    concerns: str | None = None
    distributed: list[DistributedEnergy] = []
    meters_c: list[GasMeterC] = []
    agreed_c: list[AgreedC] = []
    daily: DailyEnergy | None = None
    meters: list[GasMeter] = []
    agreed: list[AgreedCapacity] = []


class GasBillings(msgspec.Struct, frozen=True, kw_only=True):
    """The payload."""

    documents: list[GasBilling]


def problems(data: GasBillings) -> list[str]:
    """What the supplier would refuse, one sentence each."""
    numbers = [document.number for document in data.documents if document.number is not None]
    found = [
        f"The gas document {number} stands {numbers.count(number)} times."
        for number in sorted(set(numbers))
        if numbers.count(number) > 1
    ]
    with localcontext(EXACT):
        found += [sentence for document in data.documents for sentence in _of_document(document)]
    return found + list(_of_rows(data.documents))


def follows(before: GasBilling, document: GasBilling) -> bool:
    """Whether the document begins where the one before it ends; corrections, cancellings and history need not."""
    return not _in_a_row(document) or before.end == document.start


def lines_of(document: GasBilling) -> list[Decimal]:
    """Amounts of the document's lines in CZK, each rounded to cents half up, by the documented formulas."""
    return [*_agreed_lines(document), *_energy_lines(document, [_whole(document.daily)])]


def _agreed_lines(document: GasBilling) -> Iterator[Decimal]:
    for part in document.agreed_c:
        if part.capacity is not None:
            yield _cents(part.capacity.price * part.capacity.volume.scaleb(-3) * part.capacity.effect)
        if part.payment is not None:
            yield _cents(part.payment.rent * part.payment.effect)
    for agreed in document.agreed:
        yield _cents(agreed.price * agreed.size.scaleb(-3) * agreed.effect)
        for overrun in agreed.overruns:
            yield _cents(overrun.unit_price * overrun.size.scaleb(-3) * overrun.month_factor)


def _energy_lines(document: GasBilling, daily: Sequence[Decimal]) -> Iterator[Decimal]:
    for part in document.distributed:
        yield _cents(part.energy_kwh * part.unit_price)
        yield _cents(part.energy_kwh * part.operator_price)
    if document.daily is not None:
        for energy in daily:
            yield _cents(energy * document.daily.unit_price)
            yield _cents(energy * document.daily.operator_price)


def _whole(daily: DailyEnergy | None) -> Decimal:
    return sum((day.energy_kwh for day in daily.days), Decimal(0)) if daily is not None else Decimal(0)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


class _Period(Protocol):
    @property
    def start(self) -> datetime: ...
    @property
    def end(self) -> datetime: ...


def _of_document(document: GasBilling) -> Iterator[str]:
    name = document.number or document.document or f"from {document.start.isoformat()}"
    what = f"The gas document {name} of {document.opm}"
    if document.end <= document.start:
        yield f"{what} ends at {document.end.isoformat()}, not after its begin at {document.start.isoformat()}."
    needs = document.segment in {"cancel", "correction"} or document.correction_reason is not None
    if needs and document.concerns is None:
        yield f"{what} cancels or corrects another one and does not say which (SCNumber)."
    if document.concerns is not None and document.concerns == document.number:
        yield f"{what} cancels or corrects itself."
    is_c = bool(document.distributed or document.meters_c or document.agreed_c)
    is_ab = bool(document.daily or document.meters or document.agreed)
    if is_c and is_ab:
        yield f"{what} has a body of metering C and one of A or B; one of them is expected."
    if not is_c and not is_ab and document.segment != "cancel":
        yield f"{what} has no body."
    yield from _of_totals(what, document, is_empty=not is_c and not is_ab)
    yield from _of_c(what, document)
    yield from _of_ab(what, document)


def _of_totals(what: str, document: GasBilling, *, is_empty: bool) -> Iterator[str]:
    if document.gross is not None and abs(document.gross) < abs(document.net):
        yield f"{what} has {document.gross} CZK with VAT, less than {document.net} CZK without."
    if is_empty:
        return
    agreed = sum(_agreed_lines(document), Decimal(0))
    by_day = [day.energy_kwh for day in document.daily.days] if document.daily is not None else []
    # The consumer rounds each record; whether one is a day or all days of a reading, its source does not say.
    sums = [agreed + sum(_energy_lines(document, one), Decimal(0)) for one in ([_whole(document.daily)], by_day)]
    said = document.net
    if document.segment == "cancel":
        sums, said = [abs(one) for one in sums], abs(said)
    if said not in sums:
        yield f"{what} has lines of {sums[0]} CZK in all, its total (priceTotal) says {document.net}."


def _of_c(what: str, document: GasBilling) -> Iterator[str]:
    yield from _of_parts(f"Distributed energy of {_lower(what)}", document.distributed, document)
    volumes = [volume for meter in document.meters_c for volume in meter.volumes]
    for meter in document.meters_c:
        this = f"The gas meter {meter.meter} in {_lower(what)}"
        yield from _outside(this, meter, document)
        yield from _of_parts(f"A volume of {_lower(this)}", meter.volumes, meter)
        for volume in meter.volumes:
            factors = (volume.volume_m3, volume.factor, volume.calorific_value, Decimal("0.001"))
            if not product_fits(volume.energy_mwh, *factors, exact=1):
                yield (
                    f"{this}: {volume.volume_m3} m3 x {volume.factor} x {volume.calorific_value} kWh/m3 is not "
                    f"{volume.energy_mwh} MWh (distribVolume)."
                )
    if volumes and document.distributed:
        distributed = [part.energy_kwh for part in document.distributed]
        if not sums_fit(distributed, [volume.energy_mwh.scaleb(3) for volume in volumes]):
            yield (
                f"{what} distributes {sum(distributed)} kWh, its meters show "
                f"{sum(volume.energy_mwh for volume in volumes)} MWh."
            )
    for part in document.agreed_c:
        yield from _outside(f"A payment of {_lower(what)}", part, document)


def _of_ab(what: str, document: GasBilling) -> Iterator[str]:
    days = document.daily.days if document.daily is not None else []
    yield from _of_days(f"The reading of {_lower(what)}", [day.day for day in days], document)
    metered: dict[datetime, list[Decimal]] = {}
    for meter in document.meters:
        this = f"The gas meter {meter.meter} in {_lower(what)}"
        yield from _outside(this, meter, document)
        yield from _of_days(this, [day.day for day in meter.days], meter)
        for day in meter.days:
            metered.setdefault(day.day, []).append(day.energy_kwh)
            if not product_fits(day.energy_kwh, day.volume_m3, day.calorific_value):
                yield (
                    f"{this} on {day.day.isoformat()}: {day.volume_m3} m3 x {day.calorific_value} kWh/m3 is not "
                    f"{day.energy_kwh} kWh (sumGas)."
                )
    for said in days:
        shown = metered.get(said.day)
        if shown is not None and not sums_fit([said.energy_kwh], shown):
            yield f"{what} has {said.energy_kwh} kWh on {said.day.isoformat()}, its meters show {sum(shown)} kWh."
    for agreed in document.agreed:
        percent = agreed.effect_percent
        if percent is not None and not product_fits(percent, agreed.effect, Decimal(100), exact=1):
            yield f"{what} has a capacity for {agreed.effect} of a year, which is not {percent} %."


def _of_parts(what: str, parts: Sequence[_Period], whole: _Period) -> Iterator[str]:
    for part in parts:
        yield from _outside(what, part, whole)
    for before, after in pairwise(sorted(parts, key=lambda part: part.start)):
        if after.start < before.end:
            yield f"{what} from {after.start.isoformat()} overlaps the one from {before.start.isoformat()}."


def _outside(what: str, part: _Period, whole: _Period) -> Iterator[str]:
    if part.end <= part.start:
        yield f"{what} ends at {part.end.isoformat()}, not after its begin at {part.start.isoformat()}."
    if part.start < whole.start or part.end > whole.end:
        yield (
            f"{what} ({part.start.isoformat()} to {part.end.isoformat()}) reaches beyond {whole.start.isoformat()} to "
            f"{whole.end.isoformat()}."
        )


def _of_days(what: str, days: Sequence[datetime], whole: _Period) -> Iterator[str]:
    if len(set(days)) != len(days):
        yield f"{what} has the same gas day twice."
    for day in days:
        if not _begins_gas_day(day):
            yield f"{what} has the day {day.isoformat()}, which is not the begin of a gas day (6:00 in Prague)."
        if not whole.start <= day < whole.end:
            yield f"{what} has the day {day.isoformat()} outside {whole.start.isoformat()} to {whole.end.isoformat()}."


def _begins_gas_day(instant: datetime) -> bool:
    try:
        return day_of(Commodity.GAS, instant).start == instant
    except (OverflowError, ValueError):
        return False


def _in_a_row(document: GasBilling) -> bool:
    return document.segment not in _NOT_IN_A_ROW and document.correction_reason is None and document.cancelled is None


def _of_rows(documents: Sequence[GasBilling]) -> Iterator[str]:
    for opm in sorted({document.opm for document in documents}):
        row = [document for document in documents if document.opm == opm and _in_a_row(document)]
        for before, after in pairwise(sorted(row, key=lambda document: document.start)):
            if not follows(before, after):
                yield (
                    f"The gas documents of {opm} do not follow each other: one ends at {before.end.isoformat()}, the "
                    f"next begins at {after.start.isoformat()}."
                )


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
