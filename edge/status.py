"""The status file: what the agent says of itself to whoever looks (operator, demo, tests). JSON beside the outbox."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from edge.bus.owner import Bus
from edge.config import EdgeConfig
from edge.device_state import DeviceState, round_reached
from edge.outbox.model import Counts
from edge.uplink.uplink import UplinkStatus
from shared.clock import Clock

NAME: Final = "status.json"
LOOK_S: Final = 0.1
"""A change is in the file after so long, or later on a large plant:"""
MOST_SHARE: Final = 0.01
"""no more of the processor than this goes into the status."""


def status_path(outbox: Path | str) -> Path:
    """Where the status of the agent with this outbox is."""
    return Path(outbox).with_name(NAME)


def _owes_sample(device: DeviceState) -> bool:
    if device.config.states is None:
        return False
    return device.progress.sample is None or device.due.sample is not None


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant is not None else None


def compose(
    config: EdgeConfig,
    epoch: int,
    now: datetime,
    devices: Mapping[str, DeviceState],
    buses: Mapping[str, Bus],
    counts: Counts,
    uplink: UplinkStatus,
    *,
    has_room: bool,
) -> dict[str, Any]:
    """The status as plain data.

    `rounds`: by schedule, the last instant that all its devices have dealt with (sampled, or noted as a gap) and the
    last that all have sampled, on disk. `due`: what the meters still hold and we have not read.
    """
    for device in devices.values():
        device.refresh_if_stale(now)
    schedules = sorted({d.config.states.at for d in devices.values() if d.config.states is not None})
    rounds = {}
    for schedule in schedules:
        handled, sampled = round_reached(devices, schedule)
        rounds[schedule] = {"handled": _iso(handled), "sampled": _iso(sampled)}
    return {
        "edge": config.edge,
        "epoch": f"{epoch:016x}",
        "config_number": config.number,
        "clock": now.isoformat(),
        "outbox": {
            "pending": counts.pending,
            "numbered_unacked": counts.unacked + counts.reoffered,
            "acked": counts.acked,
            "refused": counts.refused,
            "dropped": {worth.name.lower(): count for worth, count in counts.dropped.items()},
            "has_room": has_room,
        },
        "uplink": msgspec.to_builtins(uplink),
        "rounds": rounds,
        "due": {
            "profile_days": sum(device.days_left for device in devices.values()),
            "live_rows": sum(device.due.rows is not None for device in devices.values()),
            "samples": sum(_owes_sample(device) for device in devices.values()),
        },
        "buses": {
            name: {"state": bus.state, **msgspec.to_builtins(bus.counters), "last_error": bus.last_error}
            for name, bus in buses.items()
        },
        "devices": {
            name: {
                "bus": device.bus.name,
                "last_success": _iso(device.last_success),
                "failures": device.failures,
                "failures_in_a_row": device.health.failures,
                "last_error": device.last_error,
                "mismatch": device.mismatch,
                "clock_drift_s": device.clock_drift_s,
            }
            for name, device in devices.items()
        },
    }


async def keep_status(path: Path, clock: Clock, current: Callable[[], dict[str, Any]]) -> None:
    """Write `current()` to `path` whenever it changed, and at least once a second; for ever."""
    written: dict[str, Any] = {}
    written_at = 0.0
    while True:
        begun = clock.monotonic()
        status = current()
        same = {**status, "clock": None} == {**written, "clock": None}
        if not same or clock.monotonic() - written_at >= 1.0:
            write_status(path, status)
            written, written_at = status, clock.monotonic()
        took = clock.monotonic() - begun
        await asyncio.sleep(max(LOOK_S, min(took / MOST_SHARE, 1.0)))


def write_status(path: Path, status: dict[str, Any]) -> None:
    """Replace the file at once: a reader sees the old or the new one, never half."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(status), indent=1))
    fresh.replace(path)
