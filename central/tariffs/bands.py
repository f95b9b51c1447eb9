"""Which band a breaker or an annual consumption falls into. Pure functions on the bands of a package."""

from collections.abc import Iterable
from decimal import Decimal

from central.tariffs.model import Band, ConsumptionBand


def breaker_band(bands: Iterable[Band], phases: int, amperes: Decimal) -> Band | None:
    """The band of a main breaker with `phases` x `amperes`, among the bands that the rate has a price for.

    The smallest band whose upper limit is at least the rated current; a one-phase breaker up to 25 A takes the first
    band, a larger one is priced by the ampere, and so is a three-phase breaker above the last band
    (bands documented in price decision 14/2025, the choice inferred from them). None: no band fits.
    """
    available = list(bands)
    flat = sorted((band for band in available if not band.per_ampere), key=lambda band: Decimal(band.up_to or 0))
    for band in flat:
        limit = band.up_to if phases == band.phases else band.single_phase_up_to if phases == 1 else None
        if limit is not None and amperes <= Decimal(limit):
            return band
    for band in available:
        if band.per_ampere and band.phases == phases and amperes > Decimal(band.over):
            return band
    return None


def consumption_band(bands: Iterable[ConsumptionBand], annual_mwh: Decimal) -> ConsumptionBand | None:
    """The band "over - up to and including" of a converted annual consumption in MWh; zero belongs to the first one."""
    for band in bands:
        over, up_to = Decimal(band.over), None if band.up_to is None else Decimal(band.up_to)
        if (annual_mwh > over or annual_mwh == over == 0) and (up_to is None or annual_mwh <= up_to):
            return band
    return None
