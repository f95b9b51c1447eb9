"""What the registry costs: overviews of 100,000 supply points through the interface, an import of 10,000.

`make bench ONLY=registry`; for developing `python -m tests.bench.registry --points 10000`, which writes no result file.
Every answer is compared with what the made-up site says. Method: README.md.
"""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import httpx
import psycopg
from pydantic import SecretStr
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where `tests` lies, when this file itself is run

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM
from central.platform.migrations import upgrade
from central.platform.settings import Settings, TokenSetting
from central.workflow.load_site import load_site
from central.workflow.registry_import.mapping import SHIPPED
from central.workflow.registry_import.writing import write_records
from deploy.sites.command import TABLES
from deploy.sites.generate import generate
from deploy.sites.tables import records
from deploy.stack import process
from deploy.stack.local import LocalStack, home_folder
from tests.bench import harness
from tests.bench.harness import Figure
from tests.bench.parts.registry_queries import CASES, ORDERS, WORK, Query, Truth, truths, work_truths

POINTS: Final = 100_000
IMPORTED: Final = 10_000
REPEATS: Final = 30
"""Of each query, all in turn."""
TOKEN: Final = "token-of-the-benchmark"


def measure(stack: LocalStack, points: int = POINTS, imported: int = IMPORTED) -> dict[str, Figure]:
    """All figures of the issue."""
    return asyncio.run(_measure(stack, points, imported))


async def _measure(stack: LocalStack, points: int, imported: int) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    url = _database(stack, "bench_registry")
    site = generate(points)
    begun = time.perf_counter()
    engine = make_engine(url)
    with transaction(engine) as connection:
        load_site(connection, site, SYSTEM, get_clock().now())
        for statement in WORK:
            connection.execute(text(statement), _sizes(statement, points))
    engine.dispose()
    figures["load_site_s"] = Figure(round(time.perf_counter() - begun, 1), "s")
    print(f"load_site_s {figures['load_site_s'].value}", flush=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    orders, cases = min(ORDERS, points), min(CASES, points)
    async with _client(url) as client:
        figures |= await _overviews(client, [*truths(site), *work_truths(orders, cases)])
    url = _database(stack, "bench_registry_import")
    async with _client(url) as client:
        figures |= await _imports(client, imported)
    return figures


def _sizes(statement: str, points: int) -> dict[str, int]:
    sizes = {"orders": min(ORDERS, points), "cases": min(CASES, points)}
    return {name: size for name, size in sizes.items() if f":{name}" in statement}


async def _overviews(client: httpx.AsyncClient, overviews: list[Truth]) -> dict[str, Figure]:
    taken: dict[str, list[float]] = {}
    by_query: dict[str, list[float]] = {}
    queries = [query for overview in overviews for query in overview.queries]
    for repeat in range(REPEATS + 1):
        for query in queries:
            begun = time.perf_counter()
            answer = await client.get(query.path, params=query.asked)
            ms = (time.perf_counter() - begun) * 1000
            if not repeat:  # the first time plans and pages are made ready
                _check(query, answer)
                continue
            taken.setdefault(query.path, []).append(ms)
            by_query.setdefault(f"{query.path} {query.asked}", []).append(ms)
    worst = 0.0
    for path, times in taken.items():
        p95 = quantiles(times, n=20)[18]
        worst = max(worst, p95)
        print(f"{path:26} p50 {quantiles(times, n=2)[0]:6.1f} ms  p95 {p95:6.1f} ms  ({len(times)} requests)")
    slowest = sorted(by_query.items(), key=lambda each: -quantiles(each[1], n=2)[0])[:8]
    for name, times in slowest:
        print(f"  slow: p50 {quantiles(times, n=2)[0]:6.1f} ms  {name}", flush=True)
    return {"overview_p95_ms": Figure(round(worst, 1), "ms")}


def _check(query: Query, answer: httpx.Response) -> None:
    if answer.status_code != 200:
        raise RuntimeError(f"{query.path} {query.asked} was answered with {answer.status_code}: {answer.text[:500]}")
    page = tuple(row[query.shown] for row in answer.json())
    total = int(answer.headers["X-Total-Count"])
    if total != query.total or page != query.page:
        raise RuntimeError(
            f"{query.path} {query.asked} gave {total} rows, the page {page[:3]}...{page[-1:]}; expected {query.total}, "
            f"{query.page[:3]}...{query.page[-1:]}."
        )


async def _imports(client: httpx.AsyncClient, points: int) -> dict[str, Figure]:
    """A site by its three tables, through the interface; all of it must be there."""
    site = generate(points, seed=2)
    whole = 0.0
    for name in TABLES:
        content = write_records(records(site, SHIPPED[name].content), SHIPPED[name])
        begun = time.perf_counter()
        answer = await client.post(f"/v1/registry-imports?mapping={name}&name={name}", content=content)
        seconds = time.perf_counter() - begun
        whole += seconds
        if answer.status_code != 201:
            raise RuntimeError(f"The import of {name} was answered with {answer.status_code}: {answer.text[:500]}")
        print(f"import of {name}: {seconds:.1f} s, {answer.json()['counts']}", flush=True)
        expected = {"customers": ("parties", len(site.parties)), "meters": ("mappings", len(site.mappings))}
        section, number = expected.get(name, ("supply_points", points))
        inserted = answer.json()["counts"][section]["inserted"]
        if inserted != number:
            raise RuntimeError(f"The import of {name} brought {inserted} {section}, expected {number}.")
    return {"import_10k_s": Figure(round(whole, 1), "s")}


def _client(url: str) -> httpx.AsyncClient:
    token = TokenSetting(token=SecretStr(TOKEN), name="Bench", rights=frozenset({"read", "operate"}))
    app = create_app(Settings(database_url=url, tokens=(token,), log_level="warning"))
    headers: dict[str, Any] = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://central", headers=headers, timeout=600)


def _database(stack: LocalStack, name: str) -> str:
    url = stack.create_database(name)
    upgrade(url)
    return url


def main() -> int:
    """Measure and write the result; with --points only measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, help="of another size; writes nothing")
    options = parser.parse_args()
    stack = LocalStack(home_folder(), instance=f"bench-{os.getpid()}", owner=process.this_process())
    try:
        stack.up()
        if options.points:
            figures = measure(stack, options.points, min(options.points, IMPORTED))
            print({name: (figure.value, figure.unit) for name, figure in figures.items()})
        else:
            print(harness.write("registry", measure(stack)).read_text())
    finally:
        stack.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
