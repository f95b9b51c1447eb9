"""Meter data of gas (EDIGAS by an imported schema) as the sandbox judges them: points, days, hours, versions. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from central.market.gas.edigas import CODE, GasMeterData, GasSeries
from central.market.response import Reason
from central.market.sandbox.memory import Fact
from shared.identifiers import IdentifierError, parse_eic
from shared.metering_day import day_of
from shared.quantities import Commodity

_HOUR: Final = timedelta(hours=1)


def reasons_of(data: GasMeterData) -> Iterator[Reason]:
    """What speaks against the document by itself."""
    for series in data.series:
        try:
            parse_eic(series.opm)
        except IdentifierError as error:
            yield Reason("A02", "S110", str(error))
            continue
        yield from _of_series(series)


def _of_series(series: GasSeries) -> Iterator[Reason]:
    what = f"{series.opm} from {series.first}"
    if not series.values and not series.states:
        yield Reason("A02", "S150", f"{what}: neither a value nor a state")
    if series.first is None or series.stop is None:
        return
    if not (_is_border(series.first) and _is_border(series.stop) and series.first < series.stop):
        yield Reason("A04", "S120", f"{what} to {series.stop}: not whole gas days, which begin at 6:00")
        return
    places = [value.place for value in series.values]
    hours = (series.stop - series.first) // _HOUR
    if places and places != list(range(1, hours + 1)) and None not in places:
        yield Reason("A02", "S121", f"{what}: {len(places)} hours, expected 1 to {hours} in order")
    yield from (
        Reason("A04", "S120", f"{what}: the meter {state.meter} was read at {state.at}, not within these days")
        for state in series.states
        if state.at is not None and not series.first <= state.at <= series.stop
    )


def _is_border(instant: datetime) -> bool:
    try:
        return day_of(Commodity.GAS, instant).start == instant
    except OverflowError:
        return False


def facts_of(data: GasMeterData) -> Iterator[Fact]:
    """What a later document is measured by."""
    for series in data.series:
        yield Fact("needs", series.opm)
        yield Fact("version", f"{CODE} {series.opm} {series.first}", data.version)
