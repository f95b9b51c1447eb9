"""How fast values get from the first publish into a commit, through mosquitto, ingest and TimescaleDB; and how big.

`make bench ONLY=ingest`, or `python -m tests.bench.ingest [--runs N] [--part 96|usual|1]` for a part while developing
(which writes no result file). Method and what bounds the figures: README.md.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where `tests` lies, when this file itself is run

from central.ingest.service import STATUS_EVERY_S
from central.platform.copy_binary import unpack_rows
from central.platform.migrations import upgrade
from deploy.stack import process
from deploy.stack.local import LocalStack, home_folder
from tests.bench import harness
from tests.bench.harness import Figure
from tests.bench.parts import usual_layout, workload
from tests.bench.parts.mqtt_publisher import Concentrator, publish_all, publish_packet
from tests.bench.parts.workload import BLOCKS_OF_1, BLOCKS_OF_96, EDGES, Workload

LONGEST_S: Final = 600.0
MOST_RSS_MB: Final = 300


@dataclass(slots=True)
class Memory:
    """Resident memory of a process over a run, MB."""

    samples: list[float] = field(default_factory=list)
    transactions: int = 0

    @property
    def most(self) -> float:
        return max(self.samples)

    @property
    def growth(self) -> float:
        """Greatest of the last quarter against greatest of the second."""
        quarter = max(len(self.samples) // 4, 1)
        return max(self.samples[-quarter:]) / max(self.samples[quarter : 2 * quarter] or self.samples)


@contextmanager
def ingest_process(module: list[str], url: str, stack: LocalStack) -> Iterator[Memory]:
    """An ingest process, its memory sampled; ended in order."""
    state = stack.read_state()
    assert state is not None
    environment = {
        **os.environ,
        "ROZVODNA_DATABASE_URL": url,
        "ROZVODNA_MQTT_URL": state.mqtt_url,
        "ROZVODNA_LOG_LEVEL": "warning",
        "ROZVODNA_HOME": str(stack.home),
    }
    child = subprocess.Popen([sys.executable, "-m", *module], env=environment, cwd=harness.ROOT)
    status = stack.home / "status" / f"ingest-{child.pid}.json"
    memory, watched, over = Memory(), psutil.Process(child.pid), threading.Event()

    def sample() -> None:
        while not over.wait(0.1):
            memory.samples.append(watched.memory_info().rss / 2**20)

    sampler = threading.Thread(target=sample)
    try:
        begun = time.monotonic()
        while not (status.exists() and '"broker_connected": true' in status.read_text()):
            if child.poll() is not None or time.monotonic() - begun > 30:
                raise RuntimeError("The ingest process did not connect within 30 s.")
            time.sleep(0.05)
        sampler.start()
        yield memory
        time.sleep(STATUS_EVERY_S)
        memory.transactions = int(json.loads(status.read_text())["transactions"])
    finally:
        over.set()
        if sampler.ident:
            sampler.join()
        child.send_signal(signal.SIGTERM)
        child.wait(30)


def send(stack: LocalStack, load: Workload, values: Any) -> float:
    """Publish the workload; seconds until the last acknowledgement."""
    state = stack.read_state()
    assert state is not None
    passwords = stack.add_edges([workload.edge_id(edge) for edge in range(EDGES)])
    concentrators = []
    for edge in range(EDGES):
        name = workload.edge_id(edge)
        packets = [
            publish_packet(name, workload.EPOCH, number, body)
            for number, body in enumerate(load.bodies(edge, values), 1)
        ]
        concentrators.append(Concentrator(name, passwords[name], packets))
    return _in_child(lambda: publish_all(state.mqtt_host, state.mqtt_port, concentrators, LONGEST_S))


def _in_child(work: Any) -> float:
    """Run the publisher in a forked process, so that its packets are shared and its work is not ours."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.write(sending, repr(work()).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(sending)
    with os.fdopen(receiving) as file:
        answer = file.read()
    os.waitpid(child, 0)
    if not answer:
        raise RuntimeError("The publisher failed; its message stands above.")
    return float(answer)


def processor_seconds(stack: LocalStack) -> dict[str, float]:
    """Processor time used so far by the parts: which one bounds the figure."""
    state = stack.read_state()
    assert state is not None and state.database_process is not None and state.broker_process is not None
    own = psutil.Process()
    groups = {
        "database": _family(state.database_process.pid),
        "broker": _family(state.broker_process.pid),
        "ingest": own.children(),
    }
    used = {name: sum(sum(one.cpu_times()[:2]) for one in group) for name, group in groups.items()}
    return {**used, "publisher": sum(own.cpu_times()[2:4])}


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def compare_blocks(url: str, load: Workload, values: Any) -> None:
    """Every value that was put in stands in the database once, and nothing else. Raises RuntimeError."""
    numbers = workload.channel_numbers(url)
    seen = np.zeros((workload.CHANNELS, load.rounds), np.int64)
    for start, columns in _read_out(url, 'SELECT evidence_channel, start, "values" FROM block', "start", load):
        channel = np.vectorize(numbers.__getitem__, otypes=[np.int64])(columns[0])
        rounds = (start(columns[1]) - workload.FIRST_MS) // (load.length * workload.STEP_MS)
        np.add.at(seen, (channel, rounds), 1)
        if not np.array_equal(values[channel, rounds], columns[2]):
            raise RuntimeError("Values in the database differ from what was put in.")
    if not (seen == 1).all():
        raise RuntimeError(f"{int((seen == 0).sum())} blocks are lost, {int((seen > 1).sum())} doubled.")


def compare_usual(url: str, load: Workload, values: Any) -> None:
    """The same for a row per value."""
    numbers = workload.channel_numbers(url)
    table = np.zeros(max(numbers) + 1, np.int64)
    table[list(numbers)] = list(numbers.values())
    flat = values.reshape(workload.CHANNELS, -1)
    seen = np.zeros(flat.shape, np.int8)
    for start, columns in _read_out(url, f"SELECT channel, ts, value FROM {usual_layout.TABLE}", "ts", load):
        channel, place = table[columns[0]], (start(columns[1]) - workload.FIRST_MS) // workload.STEP_MS
        np.add.at(seen, (channel, place), 1)
        if not np.array_equal(flat[channel, place], columns[2]):
            raise RuntimeError("Values in the usual layout differ from what was put in.")
    if not (seen == 1).all():
        raise RuntimeError(f"{int((seen == 0).sum())} values are lost, {int((seen > 1).sum())} doubled.")


def _read_out(url: str, query: str, instant: str, load: Workload) -> Iterator[tuple[Any, list[Any]]]:
    """Rows of a table as columns, a day at a time."""

    def milliseconds(microseconds: Any) -> Any:
        return microseconds // 1000 + 946_684_800_000

    last = int(load.start_ms(np.array([load.rounds]))[0])
    kinds = ["int4", "timestamptz", "int4[]" if "block" in query else "int4"]
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for first in range(workload.FIRST_MS, last, workload.DAY_MS):
            day = f"{instant} >= to_timestamp({first // 1000}) AND {instant} < to_timestamp({first // 1000 + 86400})"
            with cursor.copy(f"COPY ({query} WHERE {day}) TO STDOUT (FORMAT binary)".encode()) as copy:
                data = b"".join(bytes(part) for part in copy)
            for columns in unpack_rows(data, kinds):
                yield milliseconds, columns


def size(url: str, tables: list[str]) -> int:
    """Octets of tables with their chunks, indexes and TOAST, after a CHECKPOINT."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        total = 0
        for table in tables:
            row = connection.execute(
                "SELECT pg_total_relation_size(%(table)s::text::regclass) + coalesce((SELECT sum("
                "pg_total_relation_size(format('%%I.%%I', chunk_schema, chunk_name)::regclass)) "
                "FROM timescaledb_information.chunks "
                "WHERE hypertable_name = %(table)s::text), 0)::bigint",
                {"table": table},
            ).fetchone()
            assert row is not None
            total += int(row[0])
        return total


def require_safe_settings(url: str) -> None:
    """The figures only count with a database that keeps what it commits."""
    with psycopg.connect(url) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
            if row is None or row[0] != "on":
                raise RuntimeError(f"{name} is {row and row[0]}; the benchmark is valid only with it on.")
        row = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u'"
        ).fetchone()
        if row is None or row[0]:
            raise RuntimeError("There are unlogged tables; the benchmark is valid only without.")


def run_part(stack: LocalStack, part: str, number: int) -> dict[str, float]:
    """One run of one layout in a fresh database: seconds, values/s, bytes/value, memory."""
    load = BLOCKS_OF_1 if part == "1" else BLOCKS_OF_96
    name = f"bench_{part}_{number}"
    url = stack.create_database(name)
    upgrade(url)
    workload.create_registry(url)
    usual_layout.create_table(url)
    require_safe_settings(url)
    values = load.values()
    module = ["tests.bench.parts.usual_layout"] if part == "usual" else ["central", "ingest"]
    with ingest_process(module, url, stack) as memory:
        before = processor_seconds(stack)
        seconds = send(stack, load, values)
        processor = {name: after - before.get(name, 0.0) for name, after in processor_seconds(stack).items()}
    tables = [usual_layout.TABLE if part == "usual" else "block", "batch"]
    octets = size(url, tables)
    (compare_usual if part == "usual" else compare_blocks)(url, load, values)
    stack.drop_database(name)
    result = {
        "seconds": seconds,
        "values_per_s": load.values_count / seconds,
        "bytes_per_value": octets / load.values_count,
        "rss_mb": memory.most,
        "growth": memory.growth,
    }
    print(
        f"{part:>5} run {number + 1}: {load.values_count:,} values in {seconds:.2f} s, "
        f"{result['values_per_s']:,.0f} values/s, {result['bytes_per_value']:.2f} bytes/value, "
        f"{memory.transactions} transactions, memory {memory.most:.0f} MB (x{memory.growth:.2f}), processor seconds "
        + ", ".join(f"{name} {used:.1f}" for name, used in processor.items()),
        flush=True,
    )
    return result


def measure(stack: LocalStack) -> dict[str, Figure]:
    """All figures of the issue, medians of three."""
    of_96 = harness.medians(lambda number: run_part(stack, "96", number))
    usual = harness.medians(lambda number: run_part(stack, "usual", number))
    of_1 = harness.medians(lambda number: run_part(stack, "1", number))
    rss = max(of_96["rss_mb"], of_1["rss_mb"])
    if rss > MOST_RSS_MB or max(of_96["growth"], of_1["growth"]) > 1.25:
        raise RuntimeError(f"The memory of ingest is not flat under {MOST_RSS_MB} MB: {rss:.0f} MB.")
    return {
        "values_per_s_96": Figure(round(of_96["values_per_s"]), "values/s"),
        "ratio_to_usual_96": Figure(round(of_96["values_per_s"] / usual["values_per_s"], 2), "times"),
        "values_per_s_1": Figure(round(of_1["values_per_s"]), "values/s"),
        "bytes_per_value": Figure(round(of_96["bytes_per_value"], 3), "bytes/value"),
        "ingest_rss_mb": Figure(round(rss, 1), "MB"),
        "usual_values_per_s_96": Figure(round(usual["values_per_s"]), "values/s"),
        "usual_bytes_per_value": Figure(round(usual["bytes_per_value"], 3), "bytes/value"),
    }


def main() -> int:
    """Measure and write the result, or only run a part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("96", "usual", "1"), help="run only this and write nothing")
    parser.add_argument("--runs", type=int, default=1, help="runs of the part")
    options = parser.parse_args()
    stack = LocalStack(home_folder(), instance=f"bench-{os.getpid()}", owner=process.this_process())
    try:
        stack.up()
        if options.part:
            for number in range(options.runs):
                run_part(stack, options.part, number)
        else:
            print(harness.write("ingest", measure(stack)).read_text())
    finally:
        stack.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
