"""A day of two concentrators on which everything goes wrong that may, from one seed: broker, network, meters, lines and
processes. Every reading that the meters hold arrives once, and what nobody could sample is a gap, never made up.

The one clock steps by quarter-hours and stands on each: only so have meters without memory a truth to compare with.
Whoever is there samples before it goes on, so that it is known which samples may be missing.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine, text

from central.platform.database import make_engine
from deploy.demo import expected
from deploy.demo.compare import compare, read_committed, read_stored
from deploy.demo.plant import Plant
from deploy.demo.site import CONC_SUBSTATION, Metering, Site, build_site
from deploy.stack.local import LocalStack
from edge.inspect import sample_marks
from firmware_sims.truth_log import read_truth_log
from shared.clock import EPOCH
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
from tests.system.bad_network import BadNetwork

pytestmark = pytest.mark.own_parts

SEED = 2403
DAY = date(2026, 3, 31)
"""The last of a month, so that states at the beginning of a month are read at its end, and hourly gas values after."""
NEXT = DAY + timedelta(days=1)
START = MeteringDay(Commodity.ELECTRICITY, DAY).start
QUARTER = timedelta(minutes=15)
QUARTERS = 96
PATIENCE_S = 120.0
QUIET_S, FAULT_S = 0.15, 0.5
"""So long at least the clock stands on a quarter-hour, and on one with a fault."""

_INCOMPLETE = text(
    "SELECT channel, version, missing FROM (SELECT DISTINCT ON (channel) * FROM day_profile WHERE day = :day "
    "ORDER BY channel, version DESC) newest WHERE quality IS NOT NULL"
)

SERIAL_FAULTS = {
    "noise_before": 8,
    "noise_inside": 8,
    "noise_after": 8,
    "truncated": 6,
    "lost": 6,
    "doubled": 8,
    "slow": 8,
    "slow_ms": 80,
    "late": 6,
    "late_ms": 800,
}
LINE_FAULTS: dict[str, dict[str, int]] = {
    "hdlc-1": SERIAL_FAULTS,
    "hdlc-2": SERIAL_FAULTS,
    "rtu-1": SERIAL_FAULTS,
    # Over TCP answers have no checksum of their own: what is wrong inside cannot be noticed.
    "modbus-tcp": {"lost": 6, "doubled": 8, "slow": 8, "slow_ms": 80, "late": 6, "late_ms": 800},
    "dlms-tcp": {"lost": 20, "slow": 50, "slow_ms": 80},
}


class Fault(NamedTuple):
    """What goes wrong for a few quarter-hours."""

    what: str
    begin: Callable[[], object]
    end: Callable[[], object] = lambda: None
    away: str = ""
    """The concentrator that samples nothing meanwhile."""


class Outage(NamedTuple):
    """A meter that is dead from quarter-hour `begin` up to, not including, `end` of the day."""

    meter: str
    begin: int
    end: int


def small_site() -> Site:
    """Interval meters on two HDLC buses, gas, two meters of two tariffs on TCP, three Modbus meters of each kind."""
    site = build_site()
    single = site.of(Metering.SINGLE_TARIFF)
    site.points[:] = [
        *site.of(Metering.PROFILE)[2:5],
        *site.of(Metering.GAS),
        *site.of(Metering.TWO_TARIFF)[:2],
        *single[:3],
        *single[10:13],
    ]
    return site


def quarter(n: int) -> datetime:
    return START + n * QUARTER


def ms(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(milliseconds=1)


class Day:
    """The day's course; knows afterwards who can have missed what."""

    def __init__(self, plant: Plant, stack: LocalStack, network: BadNetwork, draw: random.Random) -> None:
        self.plant, self.stack, self.network, self.draw = plant, stack, network, draw
        self.samplers = {
            concentrator: [
                point.meter for point in plant.site.of(Metering.SINGLE_TARIFF) if point.bus.concentrator == concentrator
            ]
            for concentrator in plant.concentrators
        }
        """Meters without memory, by concentrator."""
        interval, sampler = plant.site.of(Metering.PROFILE)[0].meter, draw.choice(self.samplers[CONC_SUBSTATION])
        self.outages = [
            Outage(interval, (first := draw.randrange(8, 20)), first + 10),
            Outage(sampler, (first := draw.randrange(20, 32)), first + 6),
        ]
        self.missed: set[tuple[str, int]] = set()
        """Meter and instant (ms UTC): nobody was there to sample it."""
        self.perhaps: set[tuple[str, int]] = set()
        """Somebody may have been."""
        self.done: Counter[str] = Counter()
        """Faults that were made."""

    def faults(self) -> list[Fault]:
        plant, stack, network = self.plant, self.stack, self.network
        found = [
            Fault("broker killed", stack.kill_broker, stack.start_broker),
            Fault("broker killed", stack.kill_broker, stack.start_broker),
            Fault("database killed", stack.kill_database, stack.start_database),
            self.of_network("cut", network.cut, network.heal, lambda: network.counts.refused),
            self.of_network("stalled", network.stall, network.heal, lambda: network.counts.held),
            self.of_network("lossy", network.stall, network.swallow, lambda: network.counts.held),
            self.of_network("slow", network.slow, network.heal, lambda: network.counts.slowed),
        ]
        for name in ("ingest-1", "consolidate"):
            child = plant.children[name]
            found.append(Fault(f"{name} killed", child.kill, child.start))
        for name in plant.concentrators:
            child = plant.children[name]
            found.append(Fault(f"{name} killed", lambda name=name: plant.restart(name)))
            found.append(Fault(f"{name} away", child.kill, child.start, away=name))
        return self.draw.sample(found, len(found))

    def of_network(
        self, what: str, begin: Callable[[], None], end: Callable[[], None], hits: Callable[[], int]
    ) -> Fault:
        """A fault that begins when somebody is connected, and ends when it has been noticed."""
        plant, network = self.plant, self.network
        hit_before = 0

        def begin_when_connected() -> None:
            nonlocal hit_before
            plant.wait_for("a connection", network.is_in_use, PATIENCE_S)
            hit_before = hits()
            begin()

        def end_when_noticed() -> None:
            plant.wait_for(f"network {what} to hit", lambda: hits() > hit_before, PATIENCE_S)
            end()

        return Fault(f"network {what}", begin_when_connected, end_when_noticed)

    def files_with_faults(self) -> None:
        """Change what the plant has written: faults of lines and meters, the network between, shorter time-outs."""
        plant = self.plant
        for n, line in enumerate(plant.scenario["lines"]):
            meters = {meter["id"] for meter in line["meters"]}
            line["faults"] = LINE_FAULTS[line["name"]] | {
                "seed": SEED + n,
                "dead": [
                    {"meter": meter, "begin": quarter(begin).isoformat(), "end": quarter(end).isoformat()}
                    for meter, begin, end in self.outages
                    if meter in meters
                ],
            }
        (plant.folder / "scenario.json").write_text(json.dumps(plant.scenario))
        for concentrator in plant.concentrators:
            path = plant.folder / concentrator / "config.json"
            config: dict[str, Any] = json.loads(path.read_bytes())
            for bus in config["buses"]:
                for device in bus["devices"]:
                    device |= {"timeout_s": 0.6, "timeout_min_s": 0.2}
            if concentrator == CONC_SUBSTATION:
                config["mqtt"] |= {"host": "127.0.0.1", "port": self.network.port}
            config["uplink"] = {"reconnect_most_s": 2.0}
            path.write_text(json.dumps(config))

    def live(self) -> None:
        """The day from its first quarter-hour to the beginning of the next day, with all faults begun and ended."""
        faults = self.faults()
        each = QUARTERS // len(faults)
        beginning: dict[int, Fault] = {}
        ending: dict[int, Fault] = {}
        for n, fault in enumerate(faults):
            first = 1 + n * each + self.draw.randrange(each - 4)
            beginning[first] = ending[first + self.draw.randint(1, 4)] = fault
        away, at_least_s = "", QUIET_S
        dead: set[str] = set()
        for n in range(1, QUARTERS + 1):
            self.plant.set_clock(quarter(n))
            self.wait_for_truth(quarter(n))
            if n in ending:
                ending[n].end()
                away, at_least_s = "", QUIET_S
            fault = beginning.get(n)
            if fault is not None:
                at_least_s = FAULT_S
            until = time.monotonic() + at_least_s
            if fault is not None:
                time.sleep(self.draw.uniform(0.0, 0.3))
                fault.begin()
                self.done[fault.what] += 1
                away = fault.away
            dead |= {meter for meter, begin, _ in self.outages if begin == n}
            self.wait_for_samples(n, away, dead)
            time.sleep(max(0.0, until - time.monotonic()))
            for concentrator, meters in self.samplers.items():
                for meter in meters:
                    if away == concentrator:
                        (self.perhaps if fault is not None else self.missed).add((meter, ms(quarter(n))))
                    elif meter in dead:
                        self.look_at_dead(n, concentrator, meter, dead)

    def look_at_dead(self, n: int, concentrator: str, meter: str, dead: set[str]) -> None:
        """Nobody waits for a meter that was dead until it has been sampled."""
        if any(outage.meter == meter and outage.begin <= n < outage.end for outage in self.outages):
            self.missed.add((meter, ms(quarter(n))))
        elif self.sampled(concentrator, [meter], quarter(n)):
            dead.discard(meter)
        else:
            self.perhaps.add((meter, ms(quarter(n))))

    def sampled(self, concentrator: str, meters: list[str], instant: datetime) -> bool:
        marks = sample_marks(self.plant.outbox(concentrator))
        return all(meter in marks and marks[meter].sampled == instant for meter in meters)

    def wait_for_samples(self, n: int, away: str, dead: set[str]) -> None:
        for concentrator, meters in self.samplers.items():
            if concentrator != away:
                living = [meter for meter in meters if meter not in dead]
                self.plant.wait_for(
                    f"samples of {concentrator} at {quarter(n)}",
                    lambda concentrator=concentrator, living=living: self.sampled(concentrator, living, quarter(n)),
                    PATIENCE_S,
                )

    def wait_for_truth(self, instant: datetime) -> None:
        """Wait until the simulators have seen the clock stand on `instant`."""
        told = instant.isoformat()
        self.plant.wait_for(
            f"the truth of {instant}",
            lambda: any(line.instant == told for line in read_truth_log(self.plant.truth_log)),
            PATIENCE_S,
        )


def gaps_in_evidence(engine: Engine) -> Iterator[tuple[str, int]]:
    """Every meter and quarter-hour (ms UTC) of which evidence says that nobody sampled it."""
    step = QUARTER // timedelta(milliseconds=1)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT device, at, data FROM edge_event WHERE kind = 'gap'")).all()
    for device, at, data in rows:
        assert data["schedule"] == "quarter-hour", (device, at, data)
        instants = range(ms(at), data["until"] + 1, step)
        assert len(instants) == data["count"]
        yield from ((device, instant) for instant in instants)


def test_a_day_of_faults(stack: LocalStack, database_url: str, tmp_path: Path) -> None:
    state = stack.start_broker()
    plant = Plant(small_site(), tmp_path / "plant", stack, database_url, first=DAY)
    engine = make_engine(database_url)
    end = MeteringDay(Commodity.GAS, NEXT).start
    try:
        with BadNetwork(state.mqtt_host, state.mqtt_port) as network:
            day = Day(plant, stack, network, random.Random(SEED))
            plant.set_clock(START)
            plant.load()
            day.files_with_faults()
            plant.start("simulators", "ingest-1", "consolidate", *plant.concentrators)
            plant.wait_for_round(PATIENCE_S)
            day.live()
            # States at the beginning of the month, and who was dead is well again.
            plant.wait_for_round(PATIENCE_S)
            # The gas day ends six hours later, and nobody saw the quarter-hours between.
            plant.set_clock(end)
            plant.wait_for_round(PATIENCE_S)
            plant.wait_until_delivered(PATIENCE_S)
            plant.wait_until_consolidated(engine, PATIENCE_S)
        gaps = list(gaps_in_evidence(engine))
        missing = set(gaps)
        wanted = expected.values_of(plant, DAY, NEXT)
        stored = read_stored(engine)
        result = compare(
            {place: value for place, value in wanted.items() if (place.device, place.at_ms) not in missing},
            stored,
            read_committed(plant.outbox(concentrator) for concentrator in plant.concentrators),
        )
        with engine.connect() as connection:
            quarantined = connection.execute(text("SELECT count(*) FROM quarantine")).scalar_one()
            incomplete = connection.execute(_INCOMPLETE, {"day": DAY}).all()
            holes = connection.execute(text("SELECT count(*) FROM edge_event WHERE kind = 'hole'")).scalar_one()
        plant.children["simulators"].stop()
        lines = {line["name"]: line for line in json.loads((plant.folder / "lines.json").read_bytes())["lines"]}
    finally:
        plant.stop()
        engine.dispose()
        stack.start_database()
        stack.start_broker()

    # Everything arrived, once, and as the meters hold it.
    assert result.holds, (result, result.examples)
    interval_registers, volumes = 3 * 4, 1
    assert result.expected > interval_registers * (QUARTERS + 24) + volumes * 24
    assert (quarantined, holes) == (0, 0)
    assert incomplete == [], "a day profile with a missing or doubtful value although every block arrived"

    # Of meters without memory each quarter-hour is a sample or a gap, and a gap only where nobody was there to sample.
    samplers = {meter for meters in day.samplers.values() for meter in meters}
    sampled = {(place.device, place.at_ms) for place, _, _ in stored if place.device in samplers}
    quarters = range(ms(START), ms(end) + 1, QUARTER // timedelta(milliseconds=1))
    assert Counter([*sampled, *gaps]) == Counter((meter, instant) for meter in samplers for instant in quarters)
    unseen = {(meter, ms(quarter(n))) for meter in samplers for n in range(QUARTERS + 1, QUARTERS + 24)}
    assert day.missed | unseen <= missing <= day.missed | unseen | day.perhaps
    assert day.missed

    # All of it did go wrong.
    assert set(day.done) == {fault.what for fault in day.faults()}
    counts = network.counts
    assert all((counts.refused, counts.cut, counts.held, counts.swallowed, counts.slowed)), counts
    for name, kinds in LINE_FAULTS.items():
        assert sum(lines[name]["faults"][kind] for kind in kinds if not kind.endswith("_ms")) > 0, lines[name]
    for line in plant.scenario["lines"]:
        if line["faults"]["dead"]:
            assert lines[line["name"]]["faults"]["dead"] > 0, lines[line["name"]]
