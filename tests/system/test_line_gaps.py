"""The simulated line sees a master that does not keep the silent gap, at any speed, and never blames one that does."""

import os
import select
import struct
import time
import tty
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pymodbus.framer import FramerRTU

from tests.system.edge_rig import Rig

EXCHANGES = 20
REQUEST = b"\x05" + struct.pack(">BHH", 4, 72, 2)
FRAME = REQUEST + FramerRTU.compute_CRC(REQUEST).to_bytes(2, "big")
ANSWER_LENGTH = 9


def exchange(port: int, patience_s: float) -> None:
    """Ask, take the answer, and look at the clock (not asleep, which may last longer) until `patience_s` is over."""
    os.write(port, FRAME)
    heard = b""
    while len(heard) < ANSWER_LENGTH:
        assert select.select([port], [], [], 5.0)[0], "no answer"
        heard += os.read(port, 100)
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        pass


@pytest.mark.parametrize(("baud", "gap_s"), [(9600, 0.00401), (19_200, 0.00201), (38_400, 0.00175)])
def test_gaps(tmp_path: Path, baud: int, gap_s: float) -> None:
    rig = Rig(tmp_path, datetime(2026, 3, 4, 23, 0, tzinfo=UTC))
    load = {"kind": "constant", "mean_w": 3000}
    meter = {"id": "NN-5", "model": "sdm630", "unit": 5, "channels": [{"register": "import", "load": load}]}
    line: dict[str, Any] = {
        "name": "rtu",
        "kind": "pty",
        "link": str(tmp_path / "rtu"),
        "protocol": "modbus-rtu",
        "baud": baud,
        "bits_per_character": 11,
        "turnaround_ms": 2,
        "meters": [meter],
    }
    statistics = tmp_path / "statistics.json"
    scenario = {"seed": 1, "origin": "2026-01-01T00:00:00+01:00", "statistics": str(statistics), "lines": [line]}
    found = []
    try:
        for patience_s in (gap_s + 0.0005, gap_s / 4):
            rig.start_simulators(scenario)
            port = os.open(tmp_path / "rtu", os.O_RDWR | os.O_NOCTTY)
            tty.setraw(port)
            for _ in range(EXCHANGES):
                exchange(port, patience_s)
            os.close(port)
            assert rig.stop("simulators") == 0
            found.append(msgspec.json.decode(statistics.read_bytes())["lines"][0])
    finally:
        rig.close()
    patient, hasty = found
    assert (patient["answers"], patient["short_gaps"], patient["collisions"]) == (EXCHANGES, 0, 0)
    assert patient["least_gap_s"] >= gap_s
    # A busy machine sees some of them late, and takes these for longer than they were.
    assert hasty["answers"] == EXCHANGES
    assert hasty["short_gaps"] > 0
    assert hasty["least_gap_s"] < gap_s
