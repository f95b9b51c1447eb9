"""What a run of all standard checks over a month costs, with its results stored, and setting the period active.

`make bench ONLY=checks`; for developing `python -m tests.bench.checks --points 1000`, which writes no result file. The
run is a process of its own, whose memory is measured. Method: README.md.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where `tests` lies, when this file itself is run

from central.checks.bases import Scope
from central.checks.run import run_checks
from central.checks.shown import refresh_objects
from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM
from central.platform.migrations import upgrade
from central.workflow.prepare import prepare
from deploy.stack import process
from deploy.stack.local import LocalStack, home_folder
from tests.bench import harness
from tests.bench.harness import Figure
from tests.bench.parts.month_of_bases import BASES_OF_POINT, MONTH, NOW, store_bases

SMALL: Final = 10_000
LARGE: Final = 100_000


def run_once(url: str) -> dict[str, Any]:
    """Run all checks over the month, then set its period active; seconds, and the most memory of this process in MB."""
    engine = make_engine(url, name="bench", pool_size=1)
    begun = time.perf_counter()
    with transaction(engine) as connection:
        server = int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        before = time.process_time(), _processor_seconds(server)
        made = run_checks(connection, Scope(month=MONTH), "manual", SYSTEM, NOW)
        own = time.process_time() - before[0]
    checked = time.perf_counter()
    database = _processor_seconds(server) - before[1]
    with transaction(engine) as connection:
        connection.execute(text("UPDATE processing_period SET active_for_checks = true"))
        refresh_objects(connection, None)
    activated = time.perf_counter()
    engine.dispose()
    failed = {number: part["failed"] for number, part in made.parts.items() if part["failed"]}
    if failed or not made.results["error"] or not made.results["ok"]:
        raise RuntimeError(f"The checks found {made.results}; these failed: {failed}.")
    return {
        "run_s": checked - begun,
        "processor_s": round(own + database, 1),
        "of_that_database_s": round(database, 1),
        "activate_s": activated - checked,
        "bases": made.bases,
        "checks": {number: round(part["seconds"], 2) for number, part in made.parts.items()},
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _processor_seconds(server: int) -> float:
    """Processor time of a server process so far, and of all those beside it that have ended: the run's second
    connection, workers that help a query, but the server's own upkeep, too. 0 where no /proc tells it."""
    with suppress(OSError):
        own = _fields(server)
        parent = _fields(int(own[1]))
        ticks = sum(map(int, (*own[11:13], *parent[13:15])))
        return ticks / os.sysconf("SC_CLK_TCK")
    return 0.0


def _fields(process: int) -> list[str]:
    """What /proc says of a process after its name: state, parent, ..."""
    return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()


def measure(stack: LocalStack, sizes: tuple[int, ...] = (SMALL, LARGE)) -> dict[str, Figure]:
    """Seconds for a million bases and for setting the period active, memory, and how the cost of a basis grows."""
    results = {points: _size(stack, points) for points in sizes}
    for points, result in results.items():
        print(f"{points * BASES_OF_POINT} bases: {json.dumps(result)}", flush=True)
    figures = {"rss_mb": Figure(round(max(result["rss_mb"] for result in results.values())), "MB")}
    if LARGE in results:
        figures["bases_1m_s"] = Figure(round(results[LARGE]["run_s"], 1), "s")
        figures["activate_period_s"] = Figure(round(results[LARGE]["activate_s"], 1), "s")
    if LARGE in results and SMALL in results:
        growth = (results[LARGE]["run_s"] / LARGE) / (results[SMALL]["run_s"] / SMALL)
        figures["growth_1m"] = Figure(round(growth, 2), "times")
    return figures


def _size(stack: LocalStack, points: int) -> dict[str, Any]:
    name = f"bench_checks_{points}"
    url = stack.create_database(name)
    upgrade(url)
    begun = time.perf_counter()
    store_bases(url, points)
    engine = make_engine(url, name="bench")
    with transaction(engine) as connection:
        prepare(connection, SYSTEM, NOW)
        connection.execute(text("UPDATE check_definition SET active = true"))
    engine.dispose()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(b"VACUUM ANALYZE")
    print(f"{points} points stored in {time.perf_counter() - begun:.1f} s", flush=True)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--run", url], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    stack.drop_database(name)
    return result


def main() -> int:
    """Measure and write the result; with --points only measure one size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, help="of this size alone; writes nothing")
    parser.add_argument("--run", metavar="URL", help="check the month that stands in this database, and tell")
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run_once(options.run)))
        return 0
    stack = LocalStack(home_folder(), instance=f"bench-{os.getpid()}", owner=process.this_process())
    try:
        stack.up()
        if options.points:
            figures = measure(stack, (options.points,))
            print({name: (figure.value, figure.unit) for name, figure in figures.items()})
        else:
            print(harness.write("checks", measure(stack)).read_text())
    finally:
        stack.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
