"""Consolidation and validation of a month, from blocks in the database to profiles and findings in the database.

Part (a) and (c) of `make bench ONLY=readings`; alone: `python -m tests.bench.readings --part vee --meters 1000`.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import psutil
import psycopg
from numpy.typing import NDArray

from central.platform.migrations import upgrade
from deploy.stack.local import LocalStack
from tests.bench import harness
from tests.bench.harness import Figure
from tests.bench.parts import month_of_evidence
from tests.bench.parts.month_of_evidence import Month

METERS: Final = 10_000
FEW: Final = 1_000
MANY: Final = 50_000
PROCESSES: Final = 2
LONGEST_S: Final = 3_600.0
MOST_RSS_MB: Final = 1_536

# Exactly what was seeded: other faults do not lead to these findings.
_EXACT: Final = ("missing", "negative", "frozen", "conflict", "clock", "zero")
_LEFT = """
    SELECT (SELECT count(*) FROM batch WHERE consolidated_at IS NULL)
         + (SELECT count(*) FROM vee_work) + (SELECT count(*) FROM open_day)
"""


@dataclass(slots=True)
class Watched:
    """Resident memory of the service's processes together, and the processor time they and the database took."""

    rss_mb: float = 0.0
    service_s: float = 0.0
    database_s: float = 0.0
    samples: list[float] = field(default_factory=list)


@contextmanager
def services(url: str, stack: LocalStack, count: int = PROCESSES) -> Iterator[Watched]:
    """The consolidation service, `count` processes, as it runs in an installation."""
    state = stack.read_state()
    assert state is not None and state.database_process is not None
    environment = {
        **os.environ,
        "ROZVODNA_DATABASE_URL": url,
        "ROZVODNA_LOG_LEVEL": "warning",
        "ROZVODNA_HOME": str(stack.home),
    }
    command = [sys.executable, "-m", "central", "consolidate"]
    database = psutil.Process(state.database_process.pid)
    before = _processor_s(database)
    children = [subprocess.Popen(command, env=environment, cwd=harness.ROOT) for _ in range(count)]
    family = [psutil.Process(child.pid) for child in children]
    watched, over = Watched(), threading.Event()

    def sample() -> None:
        while not over.wait(0.1):
            if any(child.poll() is not None for child in children):
                return
            watched.samples.append(sum(one.memory_info().rss for one in family) / 2**20)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield watched
        if any(child.poll() is not None for child in children):
            raise RuntimeError("A process of the service ended by itself; its message stands above.")
        watched.service_s = sum(_processor_s(one) for one in family)
        watched.database_s = _processor_s(database) - before
    finally:
        over.set()
        sampler.join()
        watched.rss_mb = max(watched.samples, default=0.0)
        for child in children:
            child.send_signal(signal.SIGTERM)
        for child in children:
            child.wait(60)


def _processor_s(parent: psutil.Process) -> float:
    own = sum(parent.cpu_times()[:2])
    times = parent.cpu_times()
    ended = times.children_user + times.children_system
    return own + ended + sum(sum(one.cpu_times()[:2]) for one in parent.children(recursive=True))


def wait_until_done(url: str) -> None:
    """Until no batch, no day and no validation waits."""
    begun = time.monotonic()
    with psycopg.connect(url, autocommit=True) as connection:
        while _one(connection, _LEFT):
            if time.monotonic() - begun > LONGEST_S:
                raise RuntimeError(f"The month was not done within {LONGEST_S:.0f} s.")
            time.sleep(0.1)


def run(stack: LocalStack, meters: int, number: int = 0) -> dict[str, float]:
    """One month in a fresh database: seconds, memory. Everything that came out is compared."""
    month = Month(meters)
    name = f"bench_vee_{meters}_{number}"
    url = stack.create_database(name)
    upgrade(url)
    sums = month_of_evidence.store(url, month)
    with services(url, stack) as watched:
        begun = time.perf_counter()
        wait_until_done(url)
        seconds = time.perf_counter() - begun
    found = compare(url, month, sums)
    stack.drop_database(name)
    print(
        f"{meters:>6} meters, {month.values_count:,} values: {seconds:.2f} s, {seconds / meters * 1000:.3f} ms each, "
        f"memory {watched.rss_mb:.0f} MB, {found:,} findings, processor seconds: service {watched.service_s:.1f}, "
        f"database {watched.database_s:.1f}",
        flush=True,
    )
    return {"seconds": seconds, "rss_mb": watched.rss_mb}


def compare(url: str, month: Month, sums: NDArray[np.int64]) -> int:
    """Profiles hold what was put in and findings what was seeded, or RuntimeError; the number of findings."""
    first = f"DATE '{month_of_evidence.FIRST}'"
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            f"SELECT channel, day - {first}, total FROM day_profile WHERE version = 1 AND day >= {first}"
        ).fetchall()
        table = np.array(rows, np.int64)
        if len(table) != sums.size or len(np.unique(table[:, 0] * 1000 + table[:, 1])) != sums.size:
            raise RuntimeError(f"There are {len(table)} first versions for {sums.size} days of channels.")
        if not np.array_equal(sums[table[:, 0] - 1, table[:, 1]], table[:, 2]):
            raise RuntimeError("Sums of the profiles are not those of the values that were put in.")
        for rule, seeded in month_of_evidence.expected_findings(month):
            query = f"SELECT channel, day - {first} FROM finding WHERE rule = %s AND state = 'open'"
            found = set(connection.execute(query, [rule]).fetchall())
            if not seeded <= found or (rule in _EXACT and seeded != found):
                raise RuntimeError(
                    f"The rule {rule} found {len(found)} days where {len(seeded)} were seeded, "
                    f"{len(seeded - found)} of them not."
                )
        return _one(connection, "SELECT count(*) FROM finding WHERE state = 'open'")


def _one(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def measure(stack: LocalStack, meters: int | None = None) -> dict[str, Figure]:
    """(a) the month of 10,000 meters, median of three; (c) how the cost of a meter grows to 50,000, measured once.

    With `meters` only one run of so many, for developing.
    """
    if meters is not None:
        alone = run(stack, meters)
        return {"seconds": Figure(alone["seconds"], "s"), "rss_mb": Figure(alone["rss_mb"], "MB")}
    usual = harness.medians(lambda number: run(stack, METERS, number))
    if usual["rss_mb"] > MOST_RSS_MB:
        raise RuntimeError(f"The processes took {usual['rss_mb']:.0f} MB; {MOST_RSS_MB} are allowed.")
    few = harness.medians(lambda number: run(stack, FEW, number))
    many = run(stack, MANY)
    growth = (many["seconds"] / MANY) / (few["seconds"] / FEW)
    return {
        "vee_month_10k_s": Figure(round(usual["seconds"], 2), "s"),
        "vee_rss_mb": Figure(round(usual["rss_mb"], 1), "MB"),
        "growth_50k": Figure(round(growth, 3), "times"),
        "vee_month_1k_s": Figure(round(few["seconds"], 2), "s"),
        "vee_month_50k_s": Figure(round(many["seconds"], 2), "s"),
    }
