"""How much of a core the agent takes to bring live series from poll to central's commit.

50 Modbus TCP devices x 20 values at 50 ms and at 10 ms, through an agent started as in production, mosquitto, ingest
and TimescaleDB: the part `live` of edge.py. Method and what bounds the figures: README.md, section edge.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psutil
import psycopg

from central.platform.migrations import upgrade
from deploy.stack import process
from deploy.stack.local import LocalStack, home_folder
from edge.modbus.plan import block_reads
from firmware_sims.swarm import VALUES, WRAP, first_eighth, read_log
from shared.modbus.maps import find_map
from tests.bench import harness
from tests.bench.ingest import ingest_process

DEVICES: Final = 50
EDGE: Final = "BENCH-LIVE"
SETTLE_S: Final = 7.0
"""From the agent's start to the measured window: connections, first blocks, caches."""
SECONDS: Final = 20.0
DELIVERED_LEAST: Final = 0.98
"""Of the values that were due: below, somebody else had the cores, and the run says nothing."""
TRIES: Final = 3
MOST_RSS_MB: Final = 80.0
MOST_GROWTH: Final = 1.05
LOOPS: Final = ("asyncio", "uvloop")
EXPONENT: Final = -3
THOUSANDTHS: Final = 125
"""Of an eighth, in which the simulator counts."""
FORBIDDEN: Final = ("numpy", "typer", "rich", "pandas")


def device_id(number: int) -> str:
    return f"SDM-{number:02d}"


def registers() -> list[dict[str, Any]]:
    """The first 20 quantities of an SDM630: 40 registers, one request."""
    device_map = find_map("sdm630")
    items = sorted((item for item in device_map.items if item.address < 2 * VALUES), key=lambda item: item.address)
    assert len(items) == VALUES and [read.count for read in block_reads(device_map, items)] == [2 * VALUES]
    return [{"item": item.name, "unit": item.unit.value, "exponent": EXPONENT, "register": item.name} for item in items]


def configuration(folder: Path, stack: LocalStack, ports: range, period_ms: int, **more: Any) -> dict[str, Any]:
    """An agent with a meter on each port; `more` goes into its live series."""
    state = stack.read_state()
    assert state is not None
    password = folder / "password"
    password.write_text(stack.add_edge(EDGE))
    live = {"period_ms": period_ms, "registers": registers(), **more}
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


def create_registry(url: str, period_ms: int, devices: int = DEVICES) -> None:
    """Concentrator, meters and evidence channels."""
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO concentrator (id, name, place) VALUES (%s, %s, '')", [EDGE, EDGE])
        for number in range(devices):
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
def child(command: list[str], log: Path, ready: str = "", **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """`python -m COMMAND`, its log in `log`, ended in order."""
    started = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        stderr=log.open("ab"),
        text=True,
        cwd=harness.ROOT,
        env={**os.environ, **environment},
    )
    try:
        if ready:
            assert started.stdout is not None
            said = started.stdout.readline().strip()
            if said != ready:
                raise RuntimeError(f"{command[0]} said {said!r}, not {ready!r}: {log.read_text()[-1000:]}")
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


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, user and system, of all its threads; 0 when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def used_s(before: dict[int, float]) -> float:
    """Processor time since `before` of those that still run."""
    return sum(max(cpu_s(pid) - used, 0.0) for pid, used in before.items())


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
        values, begun = committed(connection), time.monotonic()
        before = {name: {pid: cpu_s(pid) for pid in pids} for name, pids in {"agent": agents, **parts}.items()}
        sampler.start()
        time.sleep(seconds)
        took = time.monotonic() - begun
        shares = {name: used_s(used) / took for name, used in before.items()}
        counted = time.monotonic()
        values = committed(connection) - values
    over.set()
    sampler.join()
    half = len(samples) // 2
    growth = max(samples[half:]) / max(samples[:half])
    return Window(values / (counted - begun), shares.pop("agent"), max(samples), growth, shares)


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


def stored_samples(url: str, answers: list["array[float]"], period_ms: int) -> list[dict[int, int]]:
    """By meter: which of the simulator's answers is stored at which slot (ms UTC). Raises RuntimeError unless every
    stored value is one that the simulator gave, within its interval, and only once.
    """
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            'SELECT e.device, e.register, (extract(epoch FROM b.start) * 1000)::bigint, b."values", b.step '
            "FROM block b JOIN evidence_channel e ON e.id = b.evidence_channel ORDER BY b.start"
        ).fetchall()
    places = {register["register"]: place for place, register in enumerate(registers())}
    stored: list[dict[int, int]] = []
    for number, times in enumerate(answers):
        answer_of = {first_eighth(number, answer): answer for answer in range(len(times))}
        slots: dict[int, list[int]] = {}
        for device, register, start, values, step in rows:
            if device != device_id(number):
                continue
            if step != period_ms:
                raise RuntimeError(f"A block of {device} has the step {step}.")
            for place, value in enumerate(values):
                eighth, rest = divmod(value, THOUSANDTHS)
                answer = answer_of.get((eighth - places[register]) % WRAP)
                if rest or answer is None:
                    raise RuntimeError(f"{device} {register} has {value}, which the simulator never sent.")
                slots.setdefault(start + place * period_ms, []).append(answer)
        samples: dict[int, int] = {}
        for slot, found in slots.items():
            answer = samples[slot] = found[0]
            if len(found) != VALUES or len(set(found)) != 1:
                raise RuntimeError(
                    f"{device_id(number)} has {len(found)} values of the answers {set(found)} at {slot}."
                )
            if not slot <= times[answer] < slot + period_ms:
                raise RuntimeError(f"{device_id(number)}: the value at {slot} was given at {times[answer]}.")
        taken = list(samples.values())
        if len(set(taken)) != len(taken) or taken != sorted(taken):
            raise RuntimeError(f"{device_id(number)} has an answer twice, or out of order.")
        stored.append(samples)
    return stored


def compare(url: str, answers: list["array[float]"], missed: int, period_ms: int) -> str:
    """Nothing is stored but what was given, once; what is not stored was counted as missed. Raises RuntimeError."""
    stored = sum(map(len, stored_samples(url, answers, period_ms)))
    given = sum(map(len, answers))
    if given - stored > missed:
        raise RuntimeError(f"{given} answers were given, {stored} are stored, only {missed} samples counted as missed.")
    return f"{stored * VALUES:,} values compared, {given - stored} answers to greetings or too late for their interval"


def run(stack: LocalStack, period_ms: int, loop: str, seconds: float = SECONDS) -> Window:
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
        swarm_alone = parts.enter_context(ExitStack())
        swarm = swarm_alone.enter_context(child(swarm_command, folder / "log", "ready"))
        parts.enter_context(ingest_process(["central", "ingest"], url, stack))
        ingest = [one.pid for one in psutil.Process().children() if "ingest" in " ".join(one.cmdline())]
        uvloop = "1" if loop == "uvloop" else "0"
        with child(["edge", str(config)], folder / "log", ROZVODNA_UVLOOP=uvloop) as agent:
            time.sleep(SETTLE_S)
            require_lean(agent.pid)
            groups = {
                "simulator": [swarm.pid],
                "ingest": ingest,
                "broker": family(state.broker_process.pid),
                "database": family(state.database_process.pid),
            }
            window = measure_window(url, family(agent.pid), groups, seconds)
            agent.send_signal(signal.SIGTERM)
            agent.wait(30)
        swarm_alone.close()
        status = json.loads((folder / "agent" / "status.json").read_bytes())
        left = status["outbox"]["pending"] + status["outbox"]["numbered_unacked"]
        live = status["live"].values()
        missed = sum(one["missed"] for one in live)
        samples = sum(one["samples"] for one in live)
        # What the agent had not delivered when it stopped goes out at its next start.
        config.write_text(json.dumps({**json.loads(config.read_text()), "buses": []}))
        with child(["edge", str(config)], folder / "log", ROZVODNA_UVLOOP=uvloop):
            deadline = time.monotonic() + 30
            while left and time.monotonic() < deadline:
                time.sleep(0.5)
                found = json.loads((folder / "agent" / "status.json").read_bytes())["outbox"]
                left = found["pending"] + found["numbered_unacked"]
        said = compare(url, read_log(log), missed, period_ms)
    stack.drop_database(name)
    print(
        f"{period_ms} ms, {loop}: {window.values_per_s:,.0f} values/s delivered at {window.core_share:.1%} of a core, "
        f"memory {window.rss_mb:.1f} MB (x{window.growth:.3f}), samples {samples:,} taken, {missed:,} missed; {said}; "
        "other parts " + ", ".join(f"{part} {share:.0%}" for part, share in window.others.items()),
        flush=True,
    )
    return window


def live(number: int) -> dict[str, float]:
    """One run of everything: the figures of the issue (with uvloop where it is installed, as the agent starts by
    itself) and the others beside them. Raises RuntimeError where what is promised of them does not hold.
    """
    loops = LOOPS if find_spec("uvloop") else LOOPS[:1]
    stack = LocalStack(home_folder(), instance=f"bench-{os.getpid()}", owner=process.this_process())
    figures: dict[str, float] = {}
    worst = 0.0
    try:
        stack.up()
        for period, rate in ((50, "20k"), (10, "100k")):
            for loop in loops:
                window = _undisturbed(stack, period, loop)
                if window.rss_mb > MOST_RSS_MB or window.growth > MOST_GROWTH:
                    raise RuntimeError(f"The agent's memory is not flat below {MOST_RSS_MB:.0f} MB: {window}.")
                worst = max(worst, window.rss_mb)
                figures[f"core_share_{rate}_{loop}"] = figures[f"core_share_{rate}"] = window.core_share
                figures[f"values_per_s_{rate}_{loop}"] = window.values_per_s
    finally:
        stack.destroy()
    return {**figures, "rss_mb": worst}


def _undisturbed(stack: LocalStack, period_ms: int, loop: str) -> Window:
    due = DEVICES * VALUES * 1000 / period_ms
    for _ in range(TRIES):
        window = run(stack, period_ms, loop)
        if window.values_per_s >= DELIVERED_LEAST * due:
            return window
    raise RuntimeError(
        f"Of {due:,.0f} values/s {window.values_per_s:,.0f} were delivered, {TRIES} times over: something else had the "
        f"cores (agent {window.core_share:.0%} of one; {window.others}). Run it alone."
    )
