"""A concentrator's plant for the outage: load profiles, quarter-hour states, live series; and what a day of it is.

Load profiles and states come from simulated meters through the agent itself. Live series of a whole day cannot (their
samples are taken in real time): what a day of them leaves is put into the outbox in the agent's own format.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg

from edge.config import StateRegister
from edge.live.blocks import live_key
from edge.outbox.model import Deposit, Lane, Worth
from edge.outbox.store import OutboxStore
from firmware_sims.truth import Truth
from shared.clock import EPOCH
from shared.modbus.maps import find_map
from shared.wire import Block

EDGE: Final = "BENCH-OUTAGE"
DAY: Final = datetime.fromisoformat("2026-03-10T00:00:00+01:00")
NEXT_DAY: Final = DAY + timedelta(days=1)
QUARTER: Final = timedelta(minutes=15)
PROFILE_STEP_MS: Final = 900_000
INSTANTS: Final = 96

PROFILE_GATEWAYS: Final = 2
STATE_GATEWAYS: Final = 4
METERS_A_GATEWAY: Final = 10
INTERVALS: Final = ("1-0:1.29.0", "1-0:2.29.0")
STATES: Final = {"import": "1-0:1.8.0", "export": "1-0:2.8.0"}
LIVE_METERS: Final = 2
LIVE_VALUES: Final = 4
LIVE_PERIOD_MS: Final = 1000
LIVE_BLOCK_S: Final = 2.0
LIVE_EXPONENT: Final = -3
DEPOSIT_BLOCKS: Final = 4_000

Series = tuple[str, str]
"""Device and register."""


def milliseconds(instant: datetime) -> int:
    """Ms UTC."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


def profile_id(gateway: int, place: int) -> str:
    return f"41{gateway:02d}{place:02d}"


def state_id(gateway: int, place: int) -> str:
    return f"52{gateway:02d}{place:02d}"


def live_id(number: int) -> str:
    return f"LIVE-{number}"


def profile_meters() -> list[str]:
    """Meters with load profiles."""
    return [profile_id(line, place) for line in range(PROFILE_GATEWAYS) for place in range(METERS_A_GATEWAY)]


def state_meters() -> list[str]:
    """Meters with quarter-hour states."""
    return [state_id(line, place) for line in range(STATE_GATEWAYS) for place in range(METERS_A_GATEWAY)]


def live_registers() -> list[dict[str, Any]]:
    """The first quantities of an SDM630, as the swarm shows them."""
    items = sorted(find_map("sdm630").items, key=lambda item: item.address)[:LIVE_VALUES]
    return [
        {"item": item.name, "unit": item.unit.value, "exponent": LIVE_EXPONENT, "register": item.name} for item in items
    ]


def live_series() -> list[Series]:
    return [(live_id(number), each["register"]) for number in range(LIVE_METERS) for each in live_registers()]


def scenario(ports: range) -> dict[str, Any]:
    """Gateways with meters behind them, one on each port."""

    def channel(register: str, seed: int, **more: str) -> dict[str, Any]:
        return {
            "register": register,
            "load": {"kind": "household", "mean_w": 700, "seed": seed},
            "initial": 1_000 * seed,
            **more,
        }

    def profile_line(line: int) -> list[dict[str, Any]]:
        return [
            {
                "id": profile_id(line, place),
                "model": "dlms",
                "address": {"wport": place + 1},
                "channels": [channel(name, 7 * line + 3 * place + n) for n, name in enumerate(INTERVALS)],
            }
            for place in range(METERS_A_GATEWAY)
        ]

    def state_line(line: int) -> list[dict[str, Any]]:
        return [
            {
                "id": state_id(line, place),
                "model": "sdm630",
                "unit": place + 1,
                "channels": [channel(name, 11 * line + 5 * place + n) for n, name in enumerate(STATES)],
            }
            for place in range(METERS_A_GATEWAY)
        ]

    protocols = ["dlms-wrapper"] * PROFILE_GATEWAYS + ["modbus-tcp"] * STATE_GATEWAYS
    meters = [*map(profile_line, range(PROFILE_GATEWAYS)), *map(state_line, range(STATE_GATEWAYS))]
    lines = [
        {"name": f"gateway-{port}", "kind": "tcp", "port": port, "protocol": protocol, "meters": behind}
        for port, protocol, behind in zip(ports, protocols, meters, strict=True)
    ]
    return {"seed": 1, "origin": "2026-01-01T00:00:00+01:00", "lines": lines}


def buses(ports: range) -> list[dict[str, Any]]:
    """The configuration of the same meters."""

    def profile_device(line: int, place: int) -> dict[str, Any]:
        return {
            "id": profile_id(line, place),
            "model": "dlms",
            "address": {"client": 16, "server": place + 1},
            "profile": {
                "obis": "1-0:99.1.0",
                "step_s": 900,
                "since": DAY.isoformat(),
                "registers": [{"obis": name, "unit": "Wh", "register": name} for name in INTERVALS],
            },
        }

    def state_device(line: int, place: int) -> dict[str, Any]:
        registers = [{"item": item, "unit": "Wh", "exponent": 1, "register": name} for item, name in STATES.items()]
        return {
            "id": state_id(line, place),
            "model": "sdm630",
            "address": {"unit": place + 1},
            "states": {"at": "quarter-hour", "registers": registers},
        }

    def bus(port: int, protocol: str, devices: list[dict[str, Any]]) -> dict[str, Any]:
        link = {"kind": "tcp", "host": "127.0.0.1", "port": port}
        return {"name": f"gateway-{port}", "protocol": protocol, "link": link, "devices": devices}

    places = range(METERS_A_GATEWAY)
    return [
        bus(port, "dlms-wrapper", [profile_device(line, place) for place in places])
        for line, port in enumerate(ports[:PROFILE_GATEWAYS])
    ] + [
        bus(port, "modbus-tcp", [state_device(line, place) for place in places])
        for line, port in enumerate(ports[PROFILE_GATEWAYS:])
    ]


def live_buses(ports: range) -> list[dict[str, Any]]:
    """Meters of the swarm with their live series."""
    live = {"period_ms": LIVE_PERIOD_MS, "block_s": LIVE_BLOCK_S, "registers": live_registers()}
    return [
        {
            "name": f"live-{port}",
            "protocol": "modbus-tcp",
            "link": {"kind": "tcp", "host": "127.0.0.1", "port": port},
            "devices": [{"id": live_id(number), "model": "sdm630", "address": {"unit": 1}, "live": live}],
        }
        for number, port in enumerate(ports)
    ]


def create_registry(url: str) -> None:
    """Concentrator, meters and evidence channels."""
    channels = [(meter, name, "Wh", 0, "interval", PROFILE_STEP_MS) for meter in profile_meters() for name in INTERVALS]
    channels += [(meter, name, "Wh", 1, "state", 0) for meter in state_meters() for name in STATES.values()]
    channels += [
        (live_id(number), each["register"], each["unit"], LIVE_EXPONENT, "interval", LIVE_PERIOD_MS)
        for number in range(LIVE_METERS)
        for each in live_registers()
    ]
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO concentrator (id, name, place) VALUES (%s, %s, '')", [EDGE, EDGE])
        cursor.executemany(
            "INSERT INTO meter (id, serial, model, commodity, concentrator) VALUES (%s, %s, 'any', 'electricity', %s)",
            [(name, name, EDGE) for name in dict.fromkeys(channel[0] for channel in channels)],
        )
        cursor.executemany(
            "INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [(EDGE, *channel) for channel in channels],
        )


def made_up_value(series: int, slot: int) -> int:
    """What the live series number `series` measured at `slot` (ms UTC) of the day."""
    return (slot // LIVE_PERIOD_MS * 7 + series * 1_000_003) % 400_000_000


def fill_live_day(outbox: Path, until: datetime) -> int:
    """What the live series leave from `DAY` until `until` while central cannot be reached; gives the blocks."""
    length = int(LIVE_BLOCK_S * 1000)
    keys = [
        live_key(live_id(number), StateRegister(**_register(each)))
        for number in range(LIVE_METERS)
        for each in live_registers()
    ]

    def blocks() -> Iterator[Block]:
        for start in range(milliseconds(DAY), milliseconds(until), length):
            slots = range(start, start + length, LIVE_PERIOD_MS)
            for number, key in enumerate(keys):
                yield Block(key, start, LIVE_PERIOD_MS, [made_up_value(number, slot) for slot in slots])

    made = list(blocks())
    marks = [(live_id(number), milliseconds(until)) for number in range(LIVE_METERS)]
    with closing(OutboxStore(outbox)) as store:
        for first in range(0, len(made), DEPOSIT_BLOCKS):
            part = made[first : first + DEPOSIT_BLOCKS]
            store.deposit([Deposit(part, [], Lane.BACKFILL, live=marks, worth=Worth.MEASUREMENT)])
    return len(made)


def _register(fields: dict[str, Any]) -> dict[str, Any]:
    unit = next(item.unit for item in find_map("sdm630").items if item.name == fields["item"])
    return {**fields, "unit": unit}


def expected_day(truth: Truth, live_until: datetime) -> dict[tuple[str, str, int], int]:
    """Every value of the day, by device, register and ms UTC: load profiles, states at all its instants but the last
    (which is sampled by a clock that runs), live series up to `live_until`.
    """
    expected: dict[tuple[str, str, int], int] = {}
    day = milliseconds(DAY)
    for meter in profile_meters():
        for register in INTERVALS:
            for place, value in enumerate(truth.interval_values(meter, register, DAY, NEXT_DAY)):
                expected[meter, register, day + place * PROFILE_STEP_MS] = value
    for meter in state_meters():
        for item, register in STATES.items():
            for place in range(INSTANTS):
                instant = DAY + place * QUARTER
                expected[meter, register, milliseconds(instant)] = truth.state_at(meter, item, instant)
    for number, (device, register) in enumerate(live_series()):
        for slot in range(day, milliseconds(live_until), LIVE_PERIOD_MS):
            expected[device, register, slot] = made_up_value(number, slot)
    return expected
