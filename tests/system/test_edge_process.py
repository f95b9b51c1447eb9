"""The agent's process: what it loads, how it stops, what it says when it cannot start."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deploy.stack.ports import find_free_port
from edge import inspect

pytestmark = pytest.mark.own_parts

FORBIDDEN = ("numpy", "typer", "rich")


@pytest.fixture
def config(tmp_path: Path, free_port: int) -> dict[str, Any]:
    """A concentrator whose broker and line are not there."""
    return {
        "number": 1,
        "edge": "CONC-9",
        "mqtt": {"host": "127.0.0.1", "port": free_port},
        "outbox": {"path": str(tmp_path / "outbox.sqlite")},
        "buses": [
            {
                "name": "rtu-1",
                "protocol": "modbus-rtu",
                "link": {"kind": "serial", "path": str(tmp_path / "no-port"), "baud": 9600},
                "devices": [
                    {
                        "id": "EA-1",
                        "model": "sdm630",
                        "address": {"unit": 1},
                        "states": {
                            "at": "quarter-hour",
                            "registers": [{"item": "import", "unit": "Wh", "exponent": 1, "register": "1-0:1.8.0"}],
                        },
                    }
                ],
            }
        ],
    }


def start(folder: Path, config: dict[str, Any], **more: str) -> "subprocess.Popen[bytes]":
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    environment = {name: value for name, value in os.environ.items() if name != "ROZVODNA_CLOCK"} | more
    return subprocess.Popen([sys.executable, "-m", "edge", str(path)], stderr=subprocess.PIPE, env=environment)


def wait_for_status(folder: Path) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (folder / "status.json").exists():
            found: dict[str, Any] = json.loads((folder / "status.json").read_bytes())
            return found
        time.sleep(0.05)
    raise AssertionError("no status file")


def test_without_broker_and_line_it_waits_small_and_idle_and_stops_in_order(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    process = start(tmp_path, config)
    status = wait_for_status(tmp_path)
    assert status["edge"] == "CONC-9"
    time.sleep(1.0)
    watched = psutil.Process(process.pid)
    loaded = {Path(m.path).name for m in watched.memory_maps()}
    assert not [name for name in loaded if "multiarray" in name], "numpy"
    before = sum(watched.cpu_times()[:2])
    time.sleep(2.0)
    assert sum(watched.cpu_times()[:2]) - before < 0.3, "share of a core while idle"
    assert watched.memory_info().rss < 80e6
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    events = [json.loads(line) for line in errors.splitlines()]
    assert [event["event"] for event in events][-1] == "agent stopped"
    reasons = " ".join(str(event.get("reason")) for event in events)
    assert "no-port cannot be opened" in reasons
    assert "cannot be used" in reasons
    assert {event["edge"] for event in events} == {"CONC-9"}


def test_it_is_seen_from_outside(tmp_path: Path, config: dict[str, Any]) -> None:
    port = find_free_port()
    config["page"] = {"port": port}
    page = f"http://127.0.0.1:{port}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        process = start(tmp_path, config, NOTIFY_SOCKET=str(tmp_path / "notify"))
        try:
            assert manager.recv(200) == b"READY=1"
            assert manager.recv(200).startswith(b"WATCHDOG=1\nSTATUS=")
            deadline = time.monotonic() + 60
            while not (events := inspect.committed_records(tmp_path / "outbox.sqlite"))[1:]:
                assert time.monotonic() < deadline, events
                time.sleep(0.1)
            metrics = httpx.get(f"{page}/metrics", trust_env=False).text
            shown = subprocess.run(
                [sys.executable, "-m", "deploy.cli", "edge", "status", page, "--once"],
                capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            while (said := manager.recv(200)).startswith(b"WATCHDOG=1"):
                pass
        finally:
            process.kill()
            process.communicate()
    assert [event.kind for event in events[:2]] == ["agent-started", "line-down"]
    assert 'rozvodna_edge_bus_up{bus="rtu-1"} 0.0' in metrics
    assert "CONC-9" in shown and "rtu-1" in shown and "EA-1" in shown
    assert said == b"STOPPING=1"


def test_it_loads_nothing_big() -> None:
    program = (
        "import sys, edge.__main__;"
        f"print([name for name in {FORBIDDEN!r} if sys.modules.get(name) is not None], flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_wrong_configuration_is_told_in_a_sentence(tmp_path: Path, config: dict[str, Any]) -> None:
    config["buses"][0]["devices"][0]["address"] = {"unit": 0}
    process = start(tmp_path, config)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.decode().count("\n") == 1
    assert "buses[0].devices[0].address" in errors.decode()


def test_a_second_agent_on_the_same_outbox_is_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    first = start(tmp_path, config)
    try:
        wait_for_status(tmp_path)
        second = start(tmp_path, config)
        _, errors = second.communicate(timeout=60)
        assert second.returncode == 2
        assert "in use by another agent" in errors.decode()
    finally:
        first.kill()
        first.communicate()
