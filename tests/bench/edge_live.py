"""How much of a core the agent takes to bring live series from poll to central's commit.

50 Modbus TCP devices x 20 values at 50 ms and at 10 ms, through an agent started as in production, mosquitto, ingest
and TimescaleDB. `python -m tests.bench.edge_live [--period 10] [--loop asyncio|uvloop] [--seconds 20]` measures a part
and writes no file. Method and what bounds the figures: README.md, section edge.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import psutil
import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where `tests` lies, when this file itself is run

from central.platform.migrations import upgrade
from deploy.stack import process
from deploy.stack.local import LocalStack, home_folder
from edge.modbus.maps import find_map
from edge.modbus.plan import block_reads
from firmware_sims.swarm import VALUES, WRAP, first_eighth, read_log
from tests.bench import harness
from tests.bench.ingest import ingest_process

DEVICES: Final = 50
EDGE: Final = "BENCH-LIVE"
SETTLE_S: Final = 8.0
"""From the agent's start to the measured window: connections, first blocks, caches."""
SECONDS: Final = 24.0
EXPONENT: Final = -3
FORBIDDEN: Final = ("numpy", "typer", "rich", "pandas")


def device_id(number: int) -> str:
    return f"SDM-{number:02d}"


def registers() -> list[dict[str, Any]]:
    """The first 20 quantities of an SDM630: 40 registers, one request."""
    device_map = find_map("sdm630")
    items = sorted((item for item in device_map.items if item.address < 2 * VALUES), key=lambda item: item.address)
    assert len(items) == VALUES and [read.count for read in block_reads(device_map, items)] == [2 * VALUES]
    return [{"item": item.name, "unit": item.unit.value, "exponent": EXPONENT, "register": item.name} for item in items]


def configuration(folder: Path, stack: LocalStack, ports: range, period_ms: int) -> dict[str, Any]:
    state = stack.read_state()
    assert state is not None
    password = folder / "password"
    password.write_text(stack.add_edge(EDGE))
    live = {"period_ms": period_ms, "registers": registers()}
    return {
        "number": 1,
        "edge": EDGE,
        "mqtt": {"host": state.mqtt_host, "port": state.mqtt_port, "username": EDGE, "password_file": str(password)},
        "outbox": {"path": str(folder / "agent" / "outbox.sqlite")},
        "buses": [
            {
                "name": f"tcp-{number}",
                "protocol": "modbus-tcp",
                "link": {"kind": "tcp", "host": "127.0.0.1", "port": port},
                "devices": [{"id": device_id(number), "model": "sdm630", "address": {"unit": 1}, "live": live}],
            }
            for number, port in enumerate(ports)
        ],
    }


def create_registry(url: str, period_ms: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO concentrator (id, name, place) VALUES (%s, %s, '')", [EDGE, EDGE])
        for number in range(DEVICES):
            name = device_id(number)
            connection.execute(
                "INSERT INTO meter (id, serial, model, commodity, concentrator) "
                "VALUES (%s, %s, 'sdm630', 'electricity', %s)",
                [name, name, EDGE],
            )
            for register in registers():
                connection.execute(
                    "INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms) "
                    "VALUES (%s, %s, %s, %s, %s, 'interval', %s)",
                    [EDGE, name, register["register"], register["unit"], EXPONENT, period_ms],
                )


def free_ports(count: int) -> range:
    """`count` free ports in a row."""
    for first in range(21_000, 60_000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return range(first, first + count)
    raise RuntimeError(f"There are no {count} free ports in a row.")


@contextmanager
def child(command: list[str], ready: str = "", **environment: str) -> Iterator["subprocess.Popen[str]"]:
    started = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        text=True,
        cwd=harness.ROOT,
        env={**os.environ, **environment},
    )
    try:
        if ready:
            assert started.stdout is not None
            said = started.stdout.readline().strip()
            if said != ready:
                raise RuntimeError(f"{command[0]} said {said!r}, not {ready!r}.")
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGTERM)
        started.wait(30)


@dataclass(slots=True)
class Window:
    """What was measured."""

    values_per_s: float
    core_share: float
    rss_mb: float
    growth: float
    """Greatest RSS of the last half against greatest of the first."""
    others: dict[str, float]
    """Processor share of the other parts: who competes for the cores."""


def cpu_s(pids: list[int]) -> float:
    """Processor time of processes so far, user and system, of all their threads."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    return [pid, *(one.pid for one in psutil.Process(pid).children(recursive=True))]


def committed(connection: "psycopg.Connection[Any]") -> int:
    row = connection.execute('SELECT coalesce(sum(cardinality("values")), 0) FROM block').fetchone()
    assert row is not None
    return int(row[0])


def measure_window(url: str, agents: list[int], parts: dict[str, list[int]], seconds: float) -> Window:
    samples: list[float] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(0.2):
            samples.append(sum(psutil.Process(pid).memory_info().rss for pid in agents) / 1e6)

    sampler = threading.Thread(target=sample)
    with psycopg.connect(url, autocommit=True) as connection:
        committed(connection)
        values, used, begun = committed(connection), cpu_s(agents), time.monotonic()
        before = {name: cpu_s(pids) for name, pids in parts.items()}
        sampler.start()
        time.sleep(seconds)
        used, took = cpu_s(agents) - used, time.monotonic() - begun
        others = {name: (cpu_s(pids) - before[name]) / took for name, pids in parts.items()}
        counted = time.monotonic()
        values = committed(connection) - values
    over.set()
    sampler.join()
    half = len(samples) // 2
    growth = max(samples[half:]) / max(samples[:half])
    return Window(values / (counted - begun), used / took, max(samples), growth, others)


def require_lean(pid: int) -> None:
    """The agent has loaded nothing big. Raises RuntimeError."""
    loaded = {Path(mapped.path).name for mapped in psutil.Process(pid).memory_maps()}
    if any("multiarray" in name for name in loaded):
        raise RuntimeError("The agent has loaded numpy.")
    program = f"import sys, edge.__main__;print([name for name in {FORBIDDEN!r} if sys.modules.get(name) is not None])"
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=harness.ROOT
    ).stdout.strip()
    if said != "[]":
        raise RuntimeError(f"The agent loads {said}.")


def compare(url: str, answers: list[Any], missed: int, period_ms: int) -> str:
    """Every stored value is one that the simulator gave, at its time, once; what is not stored was counted as missed.
    Raises RuntimeError.
    """
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            'SELECT e.device, e.register, (extract(epoch FROM b.start) * 1000)::bigint, b."values", b.step '
            "FROM block b JOIN evidence_channel e ON e.id = b.evidence_channel ORDER BY b.start"
        ).fetchall()
    places = {register["register"]: place for place, register in enumerate(registers())}
    stored = given = 0
    for number in range(DEVICES):
        times = np.array(answers[number])
        eighths = np.array([first_eighth(number, answer) for answer in range(len(times))])
        answer_of = dict(zip(eighths.tolist(), range(len(times)), strict=True))
        slots: dict[int, list[int]] = {}
        for device, register, start, values, step in rows:
            if device != device_id(number):
                continue
            if step != period_ms:
                raise RuntimeError(f"A block of {device} has the step {step}.")
            column = np.array(values, np.int64)
            if (column % 125).any():
                raise RuntimeError(f"A block of {device} {register} holds what the simulator never sent.")
            begin = (column // 125 - places[register]) % WRAP
            for place, eighth in enumerate(begin.tolist()):
                slots.setdefault(start + place * period_ms, []).append(answer_of[eighth])
        for slot, found in slots.items():
            if len(found) != VALUES or len(set(found)) != 1:
                raise RuntimeError(f"{device_id(number)} has {len(found)} values of {set(found)} at {slot}.")
            if not slot <= times[found[0]] + 1 and times[found[0]] < slot + period_ms:
                raise RuntimeError(f"{device_id(number)}: the value at {slot} was given at {times[found[0]]}.")
        taken = [found[0] for found in slots.values()]
        if len(set(taken)) != len(taken) or taken != sorted(taken):
            raise RuntimeError(f"{device_id(number)} has an answer twice, or out of order.")
        stored += len(taken)
        given += len(times)
    if given - stored > missed:
        raise RuntimeError(f"{given} answers were given, {stored} are stored, only {missed} samples counted as missed.")
    return f"{stored * VALUES:,} values compared, {given - stored} answers too late for their interval"


def run(stack: LocalStack, period_ms: int, loop: str, seconds: float = SECONDS, profile: str = "") -> Window:
    """One run in a fresh database."""
    name = f"bench_live_{period_ms}_{loop}_{time.monotonic_ns()}"
    url = stack.create_database(name)
    upgrade(url)
    create_registry(url, period_ms)
    state = stack.read_state()
    assert state is not None and state.database_process is not None and state.broker_process is not None
    with TemporaryDirectory(prefix="edge-live-") as text, ExitStack() as parts:
        folder = Path(text)
        ports = free_ports(DEVICES)
        log = folder / "answers"
        config = folder / "edge.json"
        config.write_text(json.dumps(configuration(folder, stack, ports, period_ms)))
        swarm_command = ["firmware_sims.swarm", "--ports", f"{ports[0]}-{ports[-1]}", "--log", str(log)]
        swarm_context = child(swarm_command, "ready")
        swarm = swarm_context.__enter__()
        parts.enter_context(ingest_process(["central", "ingest"], url, stack))
        ingest = [one.pid for one in psutil.Process().children() if "ingest" in " ".join(one.cmdline())]
        uvloop = "1" if loop == "uvloop" else "0"
        with child(["edge", str(config)], ROZVODNA_UVLOOP=uvloop) as agent:
            time.sleep(SETTLE_S)
            require_lean(agent.pid)
            groups = {
                "simulator": [swarm.pid],
                "ingest": ingest,
                "broker": family(state.broker_process.pid),
                "database": family(state.database_process.pid),
            }
            if profile:
                subprocess.Popen(
                    [
                        "py-spy",
                        "record",
                        "-p",
                        str(agent.pid),
                        "-d",
                        str(int(seconds)),
                        "-r",
                        "200",
                        "-f",
                        "raw",
                        "-o",
                        profile,
                    ]
                )
            window = measure_window(url, family(agent.pid), groups, seconds)
            agent.send_signal(signal.SIGTERM)
            agent.wait(30)
        swarm_context.__exit__(None, None, None)
        status = json.loads((folder / "agent" / "status.json").read_bytes())
        left = status["outbox"]["pending"] + status["outbox"]["numbered_unacked"]
        live = status["live"].values()
        missed = sum(one["missed"] for one in live)
        samples = sum(one["samples"] for one in live)
        # What the agent had not delivered when it stopped goes out at its next start.
        config.write_text(json.dumps({**json.loads(config.read_text()), "buses": []}))
        with child(["edge", str(config)], ROZVODNA_UVLOOP=uvloop):
            deadline = time.monotonic() + 30
            while left and time.monotonic() < deadline:
                time.sleep(0.5)
                found = json.loads((folder / "agent" / "status.json").read_bytes())["outbox"]
                left = found["pending"] + found["numbered_unacked"]
        said = compare(url, list(read_log(log)), missed, period_ms)
    stack.drop_database(name)
    print(
        f"{period_ms} ms, {loop}: {window.values_per_s:,.0f} values/s delivered at {window.core_share:.1%} of a core, "
        f"memory {window.rss_mb:.1f} MB (x{window.growth:.3f}), samples {samples:,} taken, {missed:,} missed; {said}; "
        "other parts " + ", ".join(f"{part} {share:.0%}" for part, share in window.others.items()),
        flush=True,
    )
    return window


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--period", type=int, choices=(10, 50), action="append", help="only this period, ms")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), action="append", help="only this event loop")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--profile", default="", help="py-spy's raw output goes to this file")
    options = parser.parse_args()
    stack = LocalStack(home_folder(), instance=f"bench-{os.getpid()}", owner=process.this_process())
    try:
        stack.up()
        for period in options.period or (50, 10):
            for loop in options.loop or ("asyncio", "uvloop"):
                run(stack, period, loop, options.seconds, options.profile)
    finally:
        stack.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
