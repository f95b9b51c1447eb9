"""A status as edge.status.compose gives it, with one bus down and one meter silent."""

from typing import Any

import msgspec

from edge.bus.counters import BusCounters, Fault

CLOCK = "2026-03-02T10:00:00+00:00"


def status() -> dict[str, Any]:
    return {
        "edge": "CONC-1",
        "epoch": "00000000000000ff",
        "config_number": 7,
        "clock": CLOCK,
        "outbox": {
            "pending": 12,
            "numbered_unacked": 3,
            "acked": 40,
            "refused": 1,
            "dropped": {"measurement": 8},
            "has_room": True,
        },
        "uplink": {
            "connected": False,
            "sessions": 2,
            "published": 43,
            "publish_refused": 1,
            "acknowledgements": 40,
            "blocks_refused": 1,
            "welcomes": 2,
            "incarnation": "a1",
            "last_error": "The broker 10.0.0.1 <does not answer>.",
        },
        "rounds": {},
        "due": {"profile_days": 5, "samples": 1},
        "buses": {
            "rtu-1": _bus("up", jobs=100, failed=2, busy_s=31.5),
            'hdlc "A"': _bus("down", jobs=7, failed=7, last_error="The serial port hdlc cannot be opened."),
        },
        "devices": {
            "EA-1": _device("rtu-1", last_success="2026-03-02T09:58:30+00:00"),
            "LU-1": _device('hdlc "A"', failures=9, failures_in_a_row=4, last_error="The meter did not answer."),
        },
    }


def _bus(state: str, **found: Any) -> dict[str, Any]:
    counters = BusCounters(connections=1)
    counters.latency.add(0.004)
    counters.latency.add(0.04)
    counters.latency.add(60.0)
    counters.faults[Fault.TIMEOUT] = 2
    return {"state": state, **msgspec.to_builtins(counters), "last_error": "", **found}


def _device(bus: str, **found: Any) -> dict[str, Any]:
    return {
        "bus": bus, "last_success": None, "failures": 0, "failures_in_a_row": 0, "last_error": "",
        "mismatch": "", **found,
    }  # fmt: skip
