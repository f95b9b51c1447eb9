"""A DLMS meter with a load profile of 4 channels on an HDLC line at 9600 Bd, 8N1, turnaround 20 ms."""

from typing import Any, Final

from firmware_sims.truth import Truth
from shared.metering_day import MeteringDay

BAUD: Final = 9600
BITS: Final = 10
CHARACTER_S: Final = BITS / BAUD
TURNAROUND_S: Final = 0.02
METER: Final = "LU-1"
CHANNELS: Final = {"1-0:1.29.0": "Wh", "1-0:2.29.0": "Wh", "1-0:3.29.0": "varh", "1-0:4.29.0": "varh"}


def line() -> dict[str, Any]:
    """The line of the scenario, called hdlc; its meter takes frames and windows as large as they are offered."""
    active = {"kind": "shift", "mean_w": 42_000, "seed": 1}
    loads = {
        "1-0:1.29.0": active,
        "1-0:2.29.0": {"kind": "constant", "mean_w": 3000},
        "1-0:3.29.0": {"kind": "inductive", "of": "1-0:1.29.0", "power_factor_permille": 970, "seed": 1},
        "1-0:4.29.0": {"kind": "capacitive", "of": "1-0:1.29.0", "share_permille": 50},
    }
    meter = {
        "id": METER,
        "model": "dlms",
        "address": {"server": 1},
        "max_information": 2030,
        "max_window": 7,
        "channels": [{"register": register, "load": load} for register, load in loads.items()],
    }
    return {
        "name": "hdlc",
        "kind": "pty",
        "protocol": "hdlc",
        "baud": BAUD,
        "bits_per_character": BITS,
        "turnaround_ms": 1000 * TURNAROUND_S,
        "meters": [meter],
    }


def device(information: int) -> dict[str, Any]:
    """The meter as the agent's configuration has it, with frames of `information` octets offered."""
    return {
        "id": METER,
        "model": "dlms",
        "address": {"client": 16, "server": 1},
        "information": information,
        "window": 1,
        "profile": {
            "obis": "1-0:99.1.0",
            "step_s": 900,
            "since": "2026-03-01T00:00:00+01:00",
            "registers": [{"obis": obis, "register": obis, "unit": unit} for obis, unit in CHANNELS.items()],
        },
    }


def truth(known: Truth, day: MeteringDay) -> dict[str, list[int]]:
    """What the profile of `day` must be, by channel."""
    return {register: known.interval_values(METER, register, day.start, day.end) for register in CHANNELS}
