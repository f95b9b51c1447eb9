"""Price one supply point for one whole month."""

from datetime import date

from central.settlement.model import Part, Priced, Quantities, TariffPoint
from central.settlement.price_parts import price_parts as price_parts
from central.settlement.prices import PriceBook
from shared.metering_day import next_month


def price_month(point: TariffPoint, quantities: Quantities, day: date, prices: PriceBook) -> Priced:
    """The lines of a point for the whole month that `day` lies in; see `price_parts`."""
    return price_parts([Part(day.replace(day=1), next_month(day.year, day.month), 0, point, {}, quantities, prices)])
