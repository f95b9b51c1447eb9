"""A live series through the real parts: what is stored is what the meter gave; a kill costs seconds, which are told."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.stack.local import LocalStack
from firmware_sims.swarm import read_log
from tests.bench import edge_live
from tests.bench.ingest import ingest_process

pytestmark = pytest.mark.own_parts

PERIOD_MS = 200
BLOCK_S = 1.0
METERS = 2
SAMPLES = 16
MAY_LOSE = int(BLOCK_S * 1000 / PERIOD_MS) + 2


def status(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "agent" / "status.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def wait_for_samples(folder: Path, count: int) -> None:
    """Until the agent that runs has taken so many of each meter."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        live = status(folder).get("live", {})
        if len(live) == METERS and all(one["samples"] >= count for one in live.values()):
            return
        time.sleep(0.05)
    raise AssertionError(f"no {count} samples within 30 s: {status(folder)}")


def drained(folder: Path) -> bool:
    outbox = status(folder).get("outbox", {"pending": 1})
    return not any(outbox.get(name) for name in ("pending", "numbered_unacked"))


def test_what_is_stored_is_what_the_meter_gave_and_a_kill_leaves_a_counted_gap(
    stack: LocalStack, database_url: str, tmp_path: Path
) -> None:
    edge_live.create_registry(database_url, PERIOD_MS, METERS)
    ports = edge_live.free_ports(METERS)
    config = tmp_path / "edge.json"
    config.write_text(json.dumps(edge_live.configuration(tmp_path, stack, ports, PERIOD_MS, block_s=BLOCK_S)))
    log = tmp_path / "answers"
    swarm = ["firmware_sims.swarm", "--ports", f"{ports[0]}-{ports[-1]}", "--log", str(log)]
    stack.start_broker()
    with ingest_process(["central", "ingest"], database_url, stack):
        with edge_live.child(swarm, tmp_path / "log", "ready"):
            with edge_live.child(["edge", str(config)], tmp_path / "log") as agent:
                wait_for_samples(tmp_path, SAMPLES)
                agent.send_signal(signal.SIGKILL)
            (tmp_path / "agent" / "status.json").unlink()
            with edge_live.child(["edge", str(config)], tmp_path / "log"):
                wait_for_samples(tmp_path, SAMPLES)
        quiet = {**json.loads(config.read_text()), "buses": []}
        config.write_text(json.dumps(quiet))
        with edge_live.child(["edge", str(config)], tmp_path / "log"):
            deadline = time.monotonic() + 60
            while not drained(tmp_path):
                assert time.monotonic() < deadline, status(tmp_path)
                time.sleep(0.1)
    stored = edge_live.stored_samples(database_url, read_log(log), PERIOD_MS)
    with psycopg.connect(database_url) as connection:
        gaps = connection.execute(
            "SELECT device, (extract(epoch FROM at) * 1000)::bigint, (data->>'until')::bigint, (data->>'count')::int "
            "FROM edge_event WHERE kind = 'gap' ORDER BY at"
        ).fetchall()
    for number, samples in enumerate(stored):
        slots = sorted(samples)
        holes = set(range(slots[0], slots[-1], PERIOD_MS)) - set(slots)
        told = [gap for gap in gaps if gap[0] == edge_live.device_id(number) and gap[2] > slots[0]]
        assert len(samples) >= 2 * SAMPLES - MAY_LOSE
        assert sum(count for *_, count in told) >= len(holes), "what is missing was counted"
        assert all(any(first <= slot <= last for _, first, last, _ in told) for slot in holes)
        lost = [moment for moment in read_log(log)[number] if not any(s <= moment < s + PERIOD_MS for s in slots)]
        assert len(lost) <= MAY_LOSE, "no more than what waited for its block, and two greetings"
