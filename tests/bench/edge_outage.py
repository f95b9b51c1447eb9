"""How long live data wait while the backlog of a day goes out: the part `outage` of edge.py.

A day of model time passes without a broker; then the broker is back, and live data keep coming at their pace. Method
and what bounds the figure: README.md, section edge, Outage.
"""

import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psycopg

from central.platform.migrations import upgrade
from deploy.stack import process
from deploy.stack.local import LocalStack, home_folder
from edge import inspect
from firmware_sims.scenario import load_scenario
from firmware_sims.swarm import VALUES as SWARM_VALUES
from firmware_sims.swarm import WRAP, first_eighth
from firmware_sims.truth import Truth
from shared.clock import ENVIRONMENT_VARIABLE, EPOCH, SharedClock, SharedClockControl
from tests.bench.edge_live import THOUSANDTHS, child, free_ports
from tests.bench.ingest import ingest_process
from tests.bench.parts import outage_plant as plant
from tests.bench.parts.outage_plant import milliseconds

BEFORE: Final = plant.DAY - timedelta(minutes=2)
LAST_READ_MS: Final = 5_000
"""After the end of the day, and after the backlog is drained, it is watched so much longer."""
BACK: Final = plant.NEXT_DAY - timedelta(seconds=14)
"""The agent starts again, and soon after the broker: so the end of the day comes while the backlog goes out."""
MOMENT: Final = timedelta(seconds=1)
LOOK_S: Final = 0.05
"""How often it is looked what central has committed: a delay is at most so much too long."""
LONGEST_S: Final = 120.0
LEFT: Final = 100
"""With fewer blocks and batches left the backlog is drained: what is under way of live data."""


class Watch:
    """What central commits from `since` on (model time, ms), and how long after the instant it belongs to."""

    def __init__(self, url: str, clock: SharedClock) -> None:
        self.delays: dict[tuple[int, int, int], float] = {}
        """By evidence channel, instant (ms) and step (ms): seconds from the oldest value's instant to the commit."""
        self.since = 0
        self._over = threading.Event()
        self._clock = clock
        self._url = url
        self._thread = threading.Thread(target=self._run)

    def start(self, since: int) -> None:
        self.since = since
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread.ident:
            self._thread.join()

    def _run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            channels = connection.execute("SELECT array_agg(id) FROM evidence_channel").fetchone()
            assert channels is not None
            while not self._over.wait(LOOK_S):
                # An interval of a load profile is there when it is over, a live value when it begins.
                rows = connection.execute(
                    "SELECT evidence_channel, (extract(epoch FROM start) * 1000)::bigint "
                    "+ CASE WHEN step = %(quarter)s THEN step ELSE 0 END, step "
                    "FROM block WHERE evidence_channel = ANY(%(channels)s) AND start >= %(start)s "
                    "UNION ALL SELECT evidence_channel, (extract(epoch FROM at) * 1000)::bigint, 0 "
                    "FROM register_reading WHERE evidence_channel = ANY(%(channels)s) AND at >= %(start)s",
                    {
                        "channels": channels[0],
                        "start": plant.NEXT_DAY - plant.QUARTER,
                        "quarter": plant.PROFILE_STEP_MS,
                    },
                ).fetchall()
                now = self._clock.now_ms()
                for key in rows:
                    if key[1] >= self.since and key not in self.delays:
                        self.delays[key] = (now - key[1]) / 1000


def outage(number: int) -> Mapping[str, float]:
    """One run: greatest delay of live data from the broker's return until the backlog is drained. Raises RuntimeError
    if anything is lost, doubled or changed.
    """
    stack = LocalStack(home_folder(), instance=f"bench-{os.getpid()}", owner=process.this_process())
    try:
        stack.up()
        return run(stack)
    finally:
        stack.destroy()


def run(stack: LocalStack) -> Mapping[str, float]:
    """The same on a stack that runs."""
    url = stack.create_database(f"bench_outage_{time.monotonic_ns()}")
    upgrade(url)
    plant.create_registry(url)
    with TemporaryDirectory(prefix="edge-outage-") as text, ExitStack() as parts:
        rig = _Rig(Path(text), stack)
        ports = free_ports(plant.PROFILE_GATEWAYS + plant.STATE_GATEWAYS + plant.LIVE_METERS)
        meters, live = ports[: -plant.LIVE_METERS], ports[-plant.LIVE_METERS :]
        scenario = rig.folder / "scenario.json"
        scenario.write_text(json.dumps(plant.scenario(meters)))
        parts.enter_context(rig.child(["firmware_sims", str(scenario)], "ready"))
        swarm = ["firmware_sims.swarm", "--ports", f"{live[0]}-{live[-1]}", "--log", str(rig.folder / "answers")]
        parts.enter_context(rig.child(swarm, "ready"))
        parts.enter_context(ingest_process(["central", "ingest"], url, stack))

        begun = time.monotonic()
        with rig.agent(plant.buses(meters)):
            rig.wait("the first acquaintance", lambda: rig.status().get("uplink", {}).get("welcomes", 0) > 0)
            rig.wait("an empty outbox", lambda: rig.left() == 0)
            stack.stop_broker()
            _let_a_day_pass(rig)
        read_s = time.monotonic() - begun
        plant.fill_live_day(rig.outbox, BACK)
        backlog = inspect.counts(rig.outbox)
        waiting = backlog.pending + backlog.unacked
        values = _values_waiting()

        rig.clock.set(BACK, 1.0)
        clock = SharedClock(rig.clock.path)
        watch = Watch(url, clock)
        with rig.agent([*plant.buses(meters), *plant.live_buses(live)]):
            rig.wait("live samples", lambda: bool(rig.status().get("live")))
            stack.start_broker()
            rig.wait("the broker", lambda: bool(rig.status()["uplink"]["connected"]))
            rig.wait("central", lambda: ingest_connected(stack))
            connected, since = time.monotonic(), clock.now_ms()
            watch.start(since)
            try:
                rig.wait("the backlog to drain", lambda: rig.left() < LEFT)
                drain_s, until = time.monotonic() - connected, clock.now_ms()
                last = max(milliseconds(plant.NEXT_DAY), until) + LAST_READ_MS
                rig.wait("the end of the day", lambda: clock.now_ms() > last)
            finally:
                watch.stop()
        with rig.agent([]):
            rig.wait("the rest", lambda: rig.left() == 0)
        compared = _compare(url, Truth(load_scenario(scenario)), since)
    delays = [delay for (_, instant, _), delay in watch.delays.items() if instant <= until]
    if len(delays) < 2 * plant.LIVE_METERS * plant.LIVE_VALUES:
        raise RuntimeError(f"Only {len(delays)} live blocks came while the backlog went out: it was too small.")
    quarter = [delay for (_, _, step), delay in watch.delays.items() if step == plant.PROFILE_STEP_MS]
    print(
        f"a day of {waiting:,} blocks, {values:,} values (read in {read_s:.0f} s), drained in {drain_s:.1f} s, "
        f"{waiting / drain_s:,.0f} blocks/s; meanwhile {len(delays)} live blocks; {len(quarter)} rows of load profiles "
        f"after at most {max(quarter, default=0.0):.2f} s; {compared}",
        flush=True,
    )
    return {
        "outage_live_delay_s": max(delays),
        "outage_live_delay_median_s": statistics.median(delays),
        "outage_blocks": waiting,
        "outage_drain_s": drain_s,
    }


class _Rig:
    """An agent and simulators that share one clock, below `folder`."""

    def __init__(self, folder: Path, stack: LocalStack) -> None:
        self.folder = folder
        self.outbox = folder / "agent" / "outbox.sqlite"
        self.clock = SharedClockControl(folder / "clock")
        self.clock.set(BEFORE)
        state = stack.read_state()
        assert state is not None
        password = folder / "password"
        password.write_text(stack.add_edge(plant.EDGE))
        self._configuration = {
            "number": 1,
            "edge": plant.EDGE,
            "mqtt": {
                "host": state.mqtt_host,
                "port": state.mqtt_port,
                "username": plant.EDGE,
                "password_file": str(password),
            },
            "outbox": {"path": str(self.outbox)},
        }

    def child(self, command: list[str], ready: str = "") -> Any:
        """See `edge_live.child`."""
        return child(command, self.folder / "log", ready, **{ENVIRONMENT_VARIABLE: str(self.clock.path)})

    def agent(self, buses: list[dict[str, Any]]) -> Any:
        """An agent that has just started and has not written its status yet."""
        path = self.folder / "edge.json"
        path.write_text(json.dumps({**self._configuration, "buses": buses}))
        (self.folder / "agent" / "status.json").unlink(missing_ok=True)
        return self.child(["edge", str(path)])

    def status(self) -> dict[str, Any]:
        """What the agent says of itself; nothing yet soon after its start."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "agent" / "status.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def left(self) -> int:
        """Blocks and batches that central has not acknowledged."""
        outbox = self.status().get("outbox", {"pending": LEFT, "numbered_unacked": LEFT})
        return int(outbox["pending"]) + int(outbox["numbered_unacked"])

    def wait(self, what: str, holds: Callable[[], bool]) -> None:
        """Until it holds. Raises RuntimeError after `LONGEST_S`."""
        deadline = time.monotonic() + LONGEST_S
        while not holds():
            if time.monotonic() > deadline:
                log = (self.folder / "log").read_text()[-2000:]
                raise RuntimeError(f"Waited {LONGEST_S:.0f} s for {what}: {self.status()}\n{log}")
            time.sleep(0.02)


def _let_a_day_pass(rig: _Rig) -> None:
    """Quarter-hour by quarter-hour; the clock stands still until all meters are read."""
    for place in range(plant.INSTANTS):
        instant = plant.DAY + place * plant.QUARTER
        rig.clock.set(instant)
        rig.wait(f"the meters at {instant.isoformat()}", partial(_read, rig, instant))


def _read(rig: _Rig, instant: datetime) -> bool:
    status = rig.status()
    if not status or datetime.fromisoformat(status["clock"]) < instant:
        return False
    sampled = status["rounds"]["quarter-hour"]["sampled"]
    return sampled is not None and datetime.fromisoformat(sampled) == instant and status["due"]["live_rows"] == 0


def ingest_connected(stack: LocalStack) -> bool:
    """Whether central hears the broker."""
    return any('"broker_connected": true' in each.read_text() for each in (stack.home / "status").glob("ingest-*.json"))


def _values_waiting() -> int:
    profiles = len(plant.profile_meters()) * len(plant.INTERVALS) * (plant.INSTANTS - 1)
    states = len(plant.state_meters()) * len(plant.STATES) * plant.INSTANTS
    live = len(plant.live_series()) * int((BACK - plant.DAY).total_seconds() * 1000 / plant.LIVE_PERIOD_MS)
    return profiles + states + live


def _compare(url: str, truth: Truth, since: int) -> str:
    """All values of the day are in evidence once, as they were measured; and all live samples after it, in the order in
    which the meter gave them. Raises RuntimeError.
    """
    expected = plant.expected_day(truth, BACK)
    live: dict[plant.Series, dict[int, int]] = {series: {} for series in plant.live_series()}
    items = {register: item for item, register in plant.STATES.items()}
    last_states: set[plant.Series] = set()
    seen: set[tuple[str, str, int]] = set()
    with psycopg.connect(url) as connection, connection.cursor("evidence") as cursor:
        cursor.itersize = 50_000
        cursor.execute(
            'SELECT e.device, e.register, (extract(epoch FROM b.start) * 1000)::bigint, b.step, b."values" '
            "FROM block b JOIN evidence_channel e ON e.id = b.evidence_channel "
            "UNION ALL SELECT e.device, e.register, (extract(epoch FROM r.at) * 1000)::bigint, 0, ARRAY[r.value::int] "
            "FROM register_reading r JOIN evidence_channel e ON e.id = r.evidence_channel"
        )
        for device, register, start, step, values in cursor:
            for place, value in enumerate(values):
                key = device, register, start + place * step
                if key in seen:
                    raise RuntimeError(f"{key} is in evidence twice.")
                seen.add(key)
                if key in expected:
                    if value != expected[key]:
                        raise RuntimeError(f"{key} is {value} in evidence and was {expected[key]}.")
                elif (device, register) in live:
                    live[device, register][key[2]] = value
                elif register in items and key[2] >= milliseconds(plant.NEXT_DAY):
                    _require_state(truth, device, items[register], key[2], value)
                    last_states.add((device, register))
                else:
                    raise RuntimeError(f"{key} is in evidence and nobody measured it.")
    if missing := expected.keys() - seen:
        raise RuntimeError(f"{len(missing)} values are not in evidence, such as {min(missing)}.")
    if len(last_states) != len(plant.state_meters()) * len(plant.STATES):
        raise RuntimeError(f"At the end of the day {len(last_states)} states were sampled.")
    for (device, register), samples in live.items():
        _require_in_order(device, register, samples, since)
    return f"{len(seen):,} values compared"


def _require_state(truth: Truth, device: str, item: str, at: int, value: int) -> None:
    """The clock runs: the meter was asked a moment before the instant that the state bears, or after."""
    instant = EPOCH + timedelta(milliseconds=at)
    first, last = (truth.state_at(device, item, instant + sign * MOMENT) for sign in (-1, 1))
    if not first <= value <= last:
        raise RuntimeError(f"{device} {item} is {value} at {instant.isoformat()} and was {first} to {last}.")


def _require_in_order(device: str, register: str, samples: dict[int, int], since: int) -> None:
    slots = sorted(samples)
    after = [slot for slot in slots if slot >= since]
    if not after or after != list(range(after[0], after[-1] + 1, plant.LIVE_PERIOD_MS)):
        raise RuntimeError(f"{device} {register} has a hole after the broker's return, or nothing: {after}.")
    number = int(device.rpartition("-")[2])
    place = [each["register"] for each in plant.live_registers()].index(register)
    answers = []
    for slot in slots:
        answer, rest = divmod((samples[slot] // THOUSANDTHS - place - first_eighth(number, 0)) % WRAP, SWARM_VALUES)
        if rest or samples[slot] % THOUSANDTHS:
            raise RuntimeError(f"{device} {register} has {samples[slot]} at {slot}, which the meter never sent.")
        answers.append(answer)
    if answers != sorted(set(answers)):
        raise RuntimeError(f"{device} {register} has an answer twice, or out of order: {answers}.")
