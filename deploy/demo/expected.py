"""What must be in evidence after a period: read from the simulators' memory and from their log of true states."""

import json
from datetime import date, datetime
from typing import Final

from deploy.demo.compare import Instant
from deploy.demo.plant import Plant
from deploy.demo.render import commodity_of, evidence_of
from deploy.demo.site import Metering, Point
from firmware_sims.scenario import parse_scenario
from firmware_sims.truth import Truth
from firmware_sims.truth_log import read_truth_log
from shared.clock import EPOCH
from shared.metering_day import STEP, MeteringDay, day_of
from shared.quantities import Commodity

SDM630_REGISTER: Final = {"import": "1-0:1.8.0"}
"""Names on the wire of the registers in the log of true states."""


def values_of(plant: Plant, first: date, last: date) -> dict[Instant, int]:
    """Every value that the meters of the plant hold of the metering days from `first` up to, not including, `last`.

    Intervals of meters with a memory, those of electricity also of a day after that was running when the clock stood;
    their states at the beginnings of months at which the clock stood; of meters
    without one what the simulator logged as true at each held quarter-hour.
    """
    truth = Truth(parse_scenario(json.dumps(plant.scenario).encode()))
    expected: dict[Instant, int] = {}
    for point in plant.site.points:
        if point.metering is not Metering.SINGLE_TARIFF:
            expected.update(_intervals(truth, point, first, last, plant.now))
            expected.update(_month_states(truth, point, plant.held))
    devices = {point.meter for point in plant.site.points}
    for line in read_truth_log(plant.truth_log):
        if line.meter in devices:
            place = Instant(line.meter, SDM630_REGISTER[line.register], "state", _ms(line.instant))
            expected[place] = line.value
    return expected


def _intervals(truth: Truth, point: Point, first: date, last: date, now: datetime) -> dict[Instant, int]:
    commodity = commodity_of(point)
    start, end = MeteringDay(commodity, first).start, MeteringDay(commodity, last).start
    if commodity is Commodity.ELECTRICITY:
        end = max(end, now - (now - EPOCH) % STEP[commodity])
    step = 3_600_000 if commodity is Commodity.GAS else 900_000
    begin = int(start.timestamp()) * 1000
    return {
        Instant(point.meter, register, "interval", begin + n * step): value
        for _, register, _, _, kind in evidence_of(point)
        if kind == "interval"
        for n, value in enumerate(truth.interval_values(point.meter, register, start, end))
    }


def _month_states(truth: Truth, point: Point, held: set[datetime]) -> dict[Instant, int]:
    commodity = commodity_of(point)
    starts = [at for at in held if (day := day_of(commodity, at)).date.day == 1 and day.start == at]
    return {
        Instant(point.meter, register, "state", int(at.timestamp()) * 1000): truth.state_at(point.meter, register, at)
        for _, register, _, _, kind in evidence_of(point)
        if kind == "state"
        for at in starts
    }


def _ms(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp() * 1000)
