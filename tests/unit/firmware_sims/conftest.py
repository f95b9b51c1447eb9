"""A small site: an entry meter over a plant, a flat with two tariffs, a shop without memory, photovoltaics, gas."""

import json
from datetime import datetime
from typing import Any

import pytest

from firmware_sims.scenario import parse_scenario
from firmware_sims.scenario_model import Scenario
from firmware_sims.truth import Truth


def plant_channels(seed: int) -> list[dict[str, Any]]:
    return [
        {
            "register": "1-0:1.29.0",
            "state": "1-0:1.8.0",
            "load": {"kind": "shift", "mean_w": 42000, "seed": seed},
            "initial": 123_456,
        },
        {"register": "1-0:2.29.0", "state": "1-0:2.8.0", "load": {"kind": "constant", "mean_w": 0}},
        {
            "register": "1-0:3.29.0",
            "state": "1-0:3.8.0",
            "load": {"kind": "inductive", "of": "1-0:1.29.0", "power_factor_permille": 970, "seed": seed},
        },
        {"register": "1-0:4.29.0", "load": {"kind": "capacitive", "of": "1-0:1.29.0", "share_permille": 50}},
    ]


@pytest.fixture
def site() -> dict[str, Any]:
    """The scenario as a JSON object, free to be changed."""
    behind = ["LU-1", "LU-2", "FVE-1", "NN-5"]
    return {
        "seed": 20260301,
        "origin": "2026-01-01T00:00:00+01:00",
        "lines": [
            {
                "name": "hdlc-1",
                "kind": "pty",
                "link": "/nowhere/hdlc-1",
                "baud": 115200,
                "protocol": "hdlc",
                "meters": [
                    {
                        "id": "LU-1",
                        "model": "dlms",
                        "address": {"server": 1, "physical": 17},
                        "channels": plant_channels(1),
                    },
                    {
                        "id": "LU-2",
                        "model": "dlms",
                        "address": {"server": 1, "physical": 18},
                        "tariff": {"nt_hours": ["22:00", "06:00", "13:15", "15:00"], "initial_nt": 400},
                        "channels": [
                            {
                                "register": "1-0:1.29.0",
                                "state": "1-0:1.8.0",
                                "load": {"kind": "household", "mean_w": 450, "seed": 2},
                                "initial": 1000,
                            }
                        ],
                    },
                ],
            },
            {
                "name": "wrapper",
                "kind": "tcp",
                "port": 14059,
                "protocol": "dlms-wrapper",
                "meters": [
                    {
                        "id": "FVE-1",
                        "model": "dlms",
                        "address": {"wport": 1},
                        "channels": [
                            {
                                "register": "1-0:2.29.0",
                                "state": "1-0:2.8.0",
                                "load": {"kind": "pv", "peak_w": 400_000, "seed": 3},
                            }
                        ],
                    },
                    {
                        "id": "PM-1",
                        "model": "dlms",
                        "address": {"wport": 2},
                        "commodity": "gas",
                        "channels": [
                            {
                                "register": "7-0:13.29.0",
                                "state": "7-0:13.2.0",
                                "load": {"kind": "heating", "mean_dm3_h": 20_000, "seed": 4},
                                "initial": 5_000_000,
                            }
                        ],
                    },
                    {
                        "id": "VST-1",
                        "model": "dlms",
                        "address": {"wport": 3},
                        "channels": [
                            {
                                "register": "1-0:1.29.0",
                                "state": "1-0:1.8.0",
                                "load": {"kind": "sum", "of": behind, "loss_permille": 20},
                            },
                            {
                                "register": "1-0:2.29.0",
                                "load": {"kind": "sum", "of": behind, "side": "export", "loss_permille": 20},
                            },
                        ],
                    },
                ],
            },
            {
                "name": "rtu-1",
                "kind": "pty",
                "link": "/nowhere/rtu-1",
                "baud": 19200,
                "protocol": "modbus-rtu",
                "meters": [
                    {
                        "id": "NN-5",
                        "model": "sdm630",
                        "unit": 5,
                        "channels": [
                            {
                                "register": "import",
                                "load": {"kind": "retail", "mean_w": 3000, "seed": 5},
                                "initial": 1_234_567,
                            }
                        ],
                    }
                ],
            },
        ],
    }


@pytest.fixture
def scenario(site: dict[str, Any]) -> Scenario:
    return parse_scenario(json.dumps(site).encode())


@pytest.fixture
def truth(scenario: Scenario) -> Truth:
    return Truth(scenario)


@pytest.fixture
def march() -> tuple[datetime, datetime]:
    """March 2026 in local time: 743 hours."""
    return datetime.fromisoformat("2026-03-01T00:00:00+01:00"), datetime.fromisoformat("2026-04-01T00:00:00+02:00")
