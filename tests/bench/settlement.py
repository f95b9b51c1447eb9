"""What a month's settlement costs: from profiles and states in the database to approved billing bases.

`make bench ONLY=settlement`; for developing `python -m tests.bench.settlement --points 1000`, which writes no result
file. The settlement runs in a process of its own, whose memory is measured. Method: README.md.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where `tests` lies, when this file itself is run

from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM
from central.platform.migrations import upgrade
from central.settlement.runs import approve_run
from central.settlement.scope import Scope, points_in
from central.workflow.prepare import prepare
from central.workflow.settle_month import Period, settle
from central.workflow.update_bases import update_bases
from deploy.stack import process
from deploy.stack.local import LocalStack, home_folder
from shared.testing import ManualClock
from tests.bench import harness
from tests.bench.harness import Figure
from tests.bench.parts.month_of_points import END, FIRST, NOW, store_points

SMALL: Final = 1_000
POINTS: Final = 10_000
LARGE: Final = 50_000
WARMING: Final = 40
_CHANGE: Final = text("UPDATE reserved_capacity SET kw = kw + 1 WHERE supply_point % 20 = 1")
REPEATS: Final = 3
REPEATS_OF_LARGE: Final = 2
"""The first run over what was just stored is among them for every size; of two the dearer one counts."""


def settle_once(url: str) -> dict[str, float]:
    """Settle and approve the month; seconds of both, and the most memory that this process held, in MB."""
    engine = make_engine(url, name="bench", pool_size=1)
    clock = ManualClock(NOW)
    # a process of the operator has settled before: what is made ready once is not counted for each point
    with engine.connect() as connection:
        few = points_in(connection, Scope(), FIRST, END)[:WARMING]
        settle(connection, Period.of_month(FIRST), "regular", Scope(few), clock, SYSTEM)
        connection.rollback()
    begun = time.perf_counter()
    with transaction(engine) as connection:
        made = settle(connection, Period.of_month(FIRST), "regular", Scope(), clock, SYSTEM)
    settled = time.perf_counter()
    with transaction(engine) as connection:
        bases = approve_run(connection, made.id, SYSTEM, clock.now())
    approved = time.perf_counter()
    engine.dispose()
    if made.omitted or bases != made.bases:
        raise RuntimeError(f"{made.omitted} points were left out; {bases} of {made.bases} bases were approved.")
    return {
        "settle_s": settled - begun,
        "approve_s": approved - settled,
        "points": made.settled,
        "bases": bases,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def update_once(url: str) -> dict[str, float]:
    """Update the approved month after the capacity of every tenth high-voltage point has changed; seconds, memory."""
    engine = make_engine(url, name="bench", pool_size=1)
    with transaction(engine) as connection:
        changed = connection.execute(_CHANGE).rowcount
    begun = time.perf_counter()
    with transaction(engine) as connection:
        done = update_bases(
            connection, Period.of_month(FIRST), "regular", Scope(), "bench", ManualClock(NOW), SYSTEM
        ).updated
    seconds = time.perf_counter() - begun
    engine.dispose()
    if done.replaced < changed or done.left_out or done.added or done.removed:
        raise RuntimeError(f"{changed} points changed, {done.replaced} lines were replaced: {done}.")
    return {
        "update_s": seconds,
        "kept": done.kept,
        "replaced": done.replaced,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure(stack: LocalStack, sizes: tuple[int, ...] = (SMALL, POINTS, LARGE)) -> dict[str, Figure]:
    """Seconds for 10,000 points and for updating their bases, memory, and how the cost of a point grows."""
    results = {points: _size(stack, points) for points in sizes}
    for points, result in results.items():
        cost = (result["settle_s"] + result["approve_s"]) / points * 1000
        print(f"{points} points: {cost:.3f} ms each, {json.dumps(result)}", flush=True)
    seconds = {points: result["settle_s"] + result["approve_s"] for points, result in results.items()}
    figures = {"rss_mb": Figure(round(max(result["rss_mb"] for result in results.values())), "MB")}
    if POINTS in seconds:
        figures["month_10k_s"] = Figure(round(seconds[POINTS], 1), "s")
    updates = {points: result["update_s"] for points, result in results.items() if "update_s" in result}
    if POINTS in updates:
        figures["update_10k_s"] = Figure(round(updates[POINTS], 1), "s")
    if LARGE in seconds and SMALL in seconds:
        growth = (seconds[LARGE] / LARGE) / (seconds[SMALL] / SMALL)
        figures["growth_50k"] = Figure(round(growth, 2), "times")
    return figures


def _size(stack: LocalStack, points: int) -> dict[str, float]:
    name = f"bench_settlement_{points}"
    url = stack.create_database(name)
    upgrade(url)
    begun = time.perf_counter()
    store_points(url, points)
    engine = make_engine(url, name="bench")
    with transaction(engine) as connection:
        prepare(connection, SYSTEM, NOW)
    engine.dispose()
    _rest(url)
    print(f"{points} points stored in {time.perf_counter() - begun:.1f} s", flush=True)
    runs = []
    for repeat in range(REPEATS if points < LARGE else REPEATS_OF_LARGE):
        if repeat:
            _forget(url)
        runs.append(_in_a_process("--settle", url))
    median = sorted(runs, key=lambda run: run["settle_s"] + run["approve_s"])[len(runs) // 2]
    if points < LARGE:
        updated = _in_a_process("--update", url)
        print(f"{points} points updated: {json.dumps(updated)}", flush=True)
        median["update_s"] = updated["update_s"]
    stack.drop_database(name)
    return median


def _forget(url: str) -> None:
    """Take the run away, so that the same month is settled again."""
    tables = "billing_basis, settlement_input, settlement_omission, settlement_run, closed_period"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {tables} CASCADE".encode())
    _rest(url)


def _rest(url: str) -> None:
    """As a database is that was left alone for a while: without it the larger size is settled beside autovacuum."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(b"VACUUM ANALYZE")


def _in_a_process(what: str, url: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), what, url], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> int:
    """Measure and write the result; with --points only measure one size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, help="of this size alone; writes nothing")
    parser.add_argument("--settle", metavar="URL", help="settle the month that stands in this database, and tell")
    parser.add_argument("--update", metavar="URL", help="update the approved month of this database, and tell")
    options = parser.parse_args()
    if options.update:
        print(json.dumps(update_once(options.update)))
        return 0
    if options.settle:
        print(json.dumps(settle_once(options.settle)))
        return 0
    stack = LocalStack(home_folder(), instance=f"bench-{os.getpid()}", owner=process.this_process())
    try:
        stack.up()
        if options.points:
            figures = measure(stack, (options.points,))
            print({name: (figure.value, figure.unit) for name, figure in figures.items()})
        else:
            print(harness.write("settlement", measure(stack)).read_text())
    finally:
        stack.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
