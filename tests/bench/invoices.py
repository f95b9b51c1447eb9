"""What invoicing costs: documents with PDF/A and ISDOC from approved bases in one act; payments matched.

`make bench ONLY=invoices`; for developing `python -m tests.bench.invoices --documents 500`, which writes no file.
The documents are read back: numbers without holes, sums of the bases, both files. Method: README.md.
"""

import argparse
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import Connection, text

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where `tests` lies, when this file itself is run

from central.invoicing.isdoc import problems_of
from central.invoicing.issue import issue_invoices
from central.invoicing.selection import Selection
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM, Person
from central.platform.migrations import upgrade
from central.workflow.load_site import load_site
from central.workflow.prepare import prepare
from deploy.sites.generate import generate
from deploy.stack import process
from deploy.stack.local import LocalStack, home_folder
from tests.bench import harness
from tests.bench.harness import Figure
from tests.bench.parts.approved_bases import AT, LINES, put_approved

DOCUMENTS: Final = 10_000
CLERK: Final = Person("Bench", frozenset({"invoice"}))
PAYMENTS: Final = "tests.bench.invoices_payments"
"""Its part of the figures: `measure(stack)`."""


def measure(stack: LocalStack, documents: int = DOCUMENTS) -> dict[str, Figure]:
    """Issue so many documents; the payments' part where it is there."""
    url = stack.create_database("bench_invoices")
    upgrade(url)
    engine = make_engine(url)
    with transaction(engine) as connection:
        load_site(connection, generate(documents * 2), SYSTEM, get_clock().now())
        prepare(connection, CLERK, AT)
        run = put_approved(connection, documents)
    with psycopg.connect(url, autocommit=True) as raw:
        raw.execute("VACUUM ANALYZE")
    begun, burnt = time.perf_counter(), _cpu_s()
    with workers_watched() as highest, transaction(engine) as connection:
        numbers = issue_invoices(connection, Selection(run=run), CLERK, AT).numbers
    seconds, burnt = time.perf_counter() - begun, _cpu_s() - burnt
    with transaction(engine) as connection:
        _require_whole(connection, numbers, run)
    engine.dispose()
    print(f"{len(numbers)} documents in {seconds:.1f} s, {burnt:.1f} s of processors", flush=True)
    figures = {
        "invoices_10k_s": Figure(round(seconds * DOCUMENTS / len(numbers), 1), "s"),
        "rss_mb": Figure(round(_own_mb() + sum(highest.values())), "MB"),
    }
    if find_spec(PAYMENTS) is not None:
        part = __import__(PAYMENTS, fromlist=["measure"]).measure(stack)
        figures |= part
        figures["rss_mb"] = Figure(round(max(figures["rss_mb"].value, _own_mb())), "MB")
    return figures


def _cpu_s() -> float:
    """What this process and its ended workers have used of the processors, without the database."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _own_mb() -> float:
    """This process at its highest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def workers_watched() -> Iterator[dict[int, float]]:
    """MB of every process that this one has begun, at its highest so far, by process; looked at ten times a second.

    Not RUSAGE_CHILDREN: a process takes over the highest mark of the one that began it (fork, then exec), so that every
    worker seems to be as large as this process was.
    """
    highest: dict[int, float] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            for path in Path("/proc/self/task").glob("*/children"):
                for number in map(int, _read(path).split()):
                    marks = [
                        line.split()[1]
                        for line in _read(Path(f"/proc/{number}/status")).splitlines()
                        if "VmHWM" in line
                    ]
                    highest[number] = max([highest.get(number, 0.0), *(int(mark) / 1024 for mark in marks)])

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield highest
    finally:
        done.set()
        thread.join()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the thread or process is gone
        return ""


def _require_whole(connection: Connection, numbers: list[str], run: int) -> None:
    expected = [f"26{number:08d}" for number in range(1, len(numbers) + 1)]
    if numbers != expected:
        raise RuntimeError(f"The numbers {numbers[0]} to {numbers[-1]} have holes.")
    row = connection.execute(
        text("""
            SELECT (SELECT sum(net) FROM invoice) AS net,
                   (SELECT sum(amount) FROM billing_basis WHERE run = :run) AS amount,
                   (SELECT count(*) FROM invoice_file) AS files, (SELECT count(*) FROM invoice_line) AS lines,
                   (SELECT content FROM invoice_file WHERE kind = 'isdoc' LIMIT 1) AS isdoc,
                   (SELECT avg(length(content)) FROM invoice_file WHERE kind = 'pdf') AS pdf
        """),
        {"run": run},
    ).one()
    whole = (row.net, row.files, row.lines) == (row.amount, 2 * len(numbers), (LINES + 1) * len(numbers))
    if not whole or problems_of(row.isdoc):
        raise RuntimeError(f"The documents are not whole: {row[:4]}, {problems_of(row.isdoc)[:2]}.")
    print(f"a PDF has {row.pdf / 1000:.0f} kB", flush=True)


def main() -> int:
    """Measure and write the result; with --documents only measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, help="another number of documents; writes nothing")
    options = parser.parse_args()
    stack = LocalStack(home_folder(), instance=f"bench-{os.getpid()}", owner=process.this_process())
    try:
        stack.up()
        if options.documents:
            figures = measure(stack, options.documents)
            print({name: (figure.value, figure.unit) for name, figure in figures.items()})
        else:
            print(harness.write("invoices", measure(stack)).read_text())
    finally:
        stack.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
