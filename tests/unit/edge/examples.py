"""A configuration and its devices, as the tests of the agent share them."""

import json
from datetime import UTC, datetime
from typing import Any

from edge.config import DeviceConfig, EdgeConfig, parse_config
from shared.quantities import Kind
from shared.wire import Block, Key

MARCH = datetime(2026, 2, 28, 23, 0, tzinfo=UTC)
"""1 March 2026, 00:00 in Prague."""


def config_data() -> dict[str, Any]:
    """One DLMS meter on HDLC, two SDM630 on RTU, one gas meter over TCP."""
    return {
        "number": 1,
        "edge": "CONC-1",
        "mqtt": {"host": "127.0.0.1", "port": 1883, "username": "CONC-1"},
        "outbox": {"path": "outbox.sqlite"},
        "buses": [
            {
                "name": "hdlc-1",
                "link": {"kind": "serial", "path": "hdlc", "baud": 115200},
                "protocol": "hdlc",
                "devices": [
                    {
                        "id": "LU-1",
                        "model": "dlms",
                        "address": {"client": 16, "server": 1, "physical": 17},
                        "profile": {
                            "obis": "1-0:99.1.0",
                            "step_s": 900,
                            "registers": [
                                {"obis": "1-0:1.29.0", "unit": "Wh", "register": "1-0:1.29.0"},
                                {"obis": "1-0:3.29.0", "unit": "varh", "register": "1-0:3.29.0"},
                            ],
                            "since": "2026-03-01T00:00:00+01:00",
                        },
                        "states": {
                            "at": "month",
                            "registers": [{"obis": "1-0:1.8.0", "unit": "Wh", "register": "1-0:1.8.0"}],
                        },
                    }
                ],
            },
            {
                "name": "rtu-1",
                "link": {"kind": "serial", "path": "rtu", "baud": 19200},
                "protocol": "modbus-rtu",
                "devices": [sdm630("EA-1", 1), sdm630("EA-2", 2)],
            },
            {
                "name": "tcp-1",
                "link": {"kind": "tcp", "host": "127.0.0.1", "port": 4059},
                "protocol": "dlms-wrapper",
                "devices": [
                    {
                        "id": "GA-1",
                        "model": "dlms",
                        "address": {"server": 3},
                        "profile": {
                            "obis": "7-0:99.99.3",
                            "step_s": 3600,
                            "commodity": "gas",
                            "registers": [
                                {"obis": "7-0:13.29.0", "unit": "m3", "exponent": -3, "register": "7-0:13.29.0"}
                            ],
                            "since": "2026-03-01T06:00:00+01:00",
                        },
                    }
                ],
            },
        ],
    }


def sdm630(name: str, unit: int) -> dict[str, Any]:
    register = {"item": "import", "unit": "Wh", "exponent": 1, "register": "1-0:1.8.0"}
    return {
        "id": name,
        "model": "sdm630",
        "address": {"unit": unit},
        "states": {"at": "quarter-hour", "registers": [register]},
    }


def edge_config(data: dict[str, Any] | None = None) -> EdgeConfig:
    return parse_config(json.dumps(data or config_data()).encode(), "test.json")


def device(name: str) -> DeviceConfig:
    return next(device for _, device in edge_config().devices() if device.id == name)


def state_block(device_id: str, value: int, at_ms: int) -> Block:
    return Block(Key(device_id, "1-0:1.8.0", "Wh", 1, Kind.STATE), at_ms, 0, [value])


def interval_block(device_id: str, start_ms: int, values: list[int], register: str = "1-0:1.29.0") -> Block:
    return Block(Key(device_id, register, "Wh", 0, Kind.INTERVAL), start_ms, 900_000, values, None, 2)
