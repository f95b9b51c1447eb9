"""GP6: what must hold in the documents beyond the schema."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Final

from central.market.payloads.billing_data import Segment
from central.market.payloads.exact import EXACT, product_fits, sums_fit
from central.market.payloads.gas_billing import GasBilling, GasBillings
from central.market.payloads.gas_lines import Period, lines_by_day, lines_of_whole, sum_of
from shared.metering_day import day_of
from shared.quantities import Commodity

_NOT_IN_A_ROW: Final[frozenset[Segment]] = frozenset({"correction", "cancel", "historic"})


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
    return not in_a_row(document) or before.end == document.start


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
    # The consumer rounds each record; whether one is a day or all days of a reading, its source does not say.
    sums = [sum_of(lines_of_whole(document)), sum_of(lines_by_day(document))]
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


def _of_parts(what: str, parts: Sequence[Period], whole: Period) -> Iterator[str]:
    for part in parts:
        yield from _outside(what, part, whole)
    for before, after in pairwise(sorted(parts, key=lambda part: part.start)):
        if after.start < before.end:
            yield f"{what} from {after.start.isoformat()} overlaps the one from {before.start.isoformat()}."


def _outside(what: str, part: Period, whole: Period) -> Iterator[str]:
    if part.end <= part.start:
        yield f"{what} ends at {part.end.isoformat()}, not after its begin at {part.start.isoformat()}."
    if part.start < whole.start or part.end > whole.end:
        yield (
            f"{what} ({part.start.isoformat()} to {part.end.isoformat()}) reaches beyond {whole.start.isoformat()} to "
            f"{whole.end.isoformat()}."
        )


def _of_days(what: str, days: Sequence[datetime], whole: Period) -> Iterator[str]:
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


def in_a_row(document: GasBilling) -> bool:
    """Whether the document must begin where the one before it ends."""
    return document.segment not in _NOT_IN_A_ROW and document.correction_reason is None and document.cancelled is None


def _of_rows(documents: Sequence[GasBilling]) -> Iterator[str]:
    for opm in sorted({document.opm for document in documents}):
        row = [document for document in documents if document.opm == opm and in_a_row(document)]
        for before, after in pairwise(sorted(row, key=lambda document: document.start)):
            if not follows(before, after):
                yield (
                    f"The gas documents of {opm} do not follow each other: one ends at {before.end.isoformat()}, the "
                    f"next begins at {after.start.isoformat()}."
                )


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
