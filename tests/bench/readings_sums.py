"""A month of 10,000 meters x 2 channels from the database to tariff sums, maxima and a balance, by us and by others.

Part of the benchmark `readings`; alone: `python -c "from tests.bench.readings_sums import main; main()"`. Method and
figures: README.md.
"""

import gc
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from central.platform.database import make_engine
from central.platform.migrations import upgrade
from central.readings.aggregates import PeriodSums, sum_period
from central.readings.balance import Link, NodeSums
from central.readings.profiles import read_chunks
from deploy.stack import process
from deploy.stack.local import LocalStack, home_folder
from shared.metering_day import next_month
from shared.quantities import Commodity
from tests.bench import harness
from tests.bench.harness import Figure
from tests.bench.parts import month_by_duckdb, month_by_pandas, month_of_meters
from tests.bench.parts.month_of_meters import FIRST, Month
from tests.bench.parts.month_result import Result, require_equal

METERS: Final = 10_000


def sum_month(url: str, month: Month) -> Result:
    """Ours, from the database to the sums: one connection."""
    channels = range(1, month.channels + 1)
    links = [Link(int(node), 2 * meter + 1) for meter, node in enumerate(month.parent) if node >= 0]
    engine = make_engine(url, name="bench", pool_size=1)
    parts, nodes = [], None
    with engine.connect() as connection:
        end = next_month(FIRST.year, FIRST.month)
        for chunk in read_chunks(connection, Commodity.ELECTRICITY, channels, FIRST, end):
            if nodes is None:
                nodes = NodeSums([2 * node + 1 for node in range(month.nodes)], links, chunk.days, chunk.offset)
            nodes.add(chunk)
            parts.append(sum_period(chunk, month.low, month.schedule[np.asarray(chunk.channels) - 1]))
    engine.dispose()
    sums = PeriodSums.join(parts)
    assert nodes is not None
    balance = nodes.balance()
    return Result(
        sums.low,
        sums.high,
        sums.maximum * 4,
        sums.maximum_at,
        sums.missing,
        balance.parent.sum(axis=1),
        balance.children.sum(axis=1),
        balance.negative.sum(axis=1),
    )


def measure(stack: LocalStack, meters: int = METERS) -> dict[str, Figure]:
    """Seconds of ours, and how many times longer the others take; all results are compared."""
    name = "bench_sums"
    url = stack.create_database(name)
    with tempfile.TemporaryDirectory(dir=stack.home) as folder:
        path = Path(folder) / "month.parquet"
        month = month_of_meters.make_month(meters)
        upgrade(url)
        _said("stored as profiles", lambda: month_of_meters.store_profiles(url, month))
        _said("stored in rows", lambda: month_of_meters.store_narrow(url, month))
        _said("written as Parquet", lambda: month_by_duckdb.write_parquet(path, month))
        figures = harness.medians(lambda _: _run(url, path, month))
    stack.drop_database(name)
    return {
        "sums_month_10k_s": Figure(round(figures["ours"], 2), "s"),
        "ratio_pandas": Figure(round(figures["pandas"] / figures["ours"], 1), "times"),
        "ratio_duckdb": Figure(round(figures["duckdb"] / figures["ours"], 1), "times"),
    }


def _run(url: str, path: Path, month: Month) -> dict[str, float]:
    ways: dict[str, Callable[[], Result]] = {
        "ours": lambda: sum_month(url, month),
        "duckdb": lambda: month_by_duckdb.sum_month(path, month),
        "pandas": lambda: month_by_pandas.sum_month(url, month),
    }
    took, first = {}, None
    for name, way in ways.items():
        gc.collect()
        result, took[name] = _timed(way)
        if first is None:
            first = result
            _require_truth(first, month)
        else:
            require_equal(first, result, name)
        del result
    print(", ".join(f"{name} {seconds:.2f} s" for name, seconds in took.items()), flush=True)
    return took


def _require_truth(result: Result, month: Month) -> None:
    """The sums over both tariffs are those of the values that were put in."""
    values = month.values.reshape(month.channels, -1)
    totals = np.array([np.where(row == month_of_meters.MISSING_VALUE, 0, row).sum(dtype=np.int64) for row in values])
    if not np.array_equal(result.low + result.high, totals):
        raise RuntimeError("The sums are not those of the values that were stored.")


def _timed(way: Callable[[], Result]) -> tuple[Result, float]:
    began = time.perf_counter()
    result = way()
    return result, time.perf_counter() - began


def _said(what: str, act: Callable[[], None]) -> None:
    began = time.perf_counter()
    act()
    print(f"{what} in {time.perf_counter() - began:.1f} s", flush=True)


def main(meters: int = METERS) -> None:
    """Measure this part alone; writes no file."""
    stack = LocalStack(home_folder(), instance=f"bench-{process.this_process().pid}", owner=process.this_process())
    try:
        stack.up()
        for name, figure in measure(stack, meters).items():
            print(f"{name}: {figure.value} {figure.unit}", file=sys.stderr)
    finally:
        stack.destroy()
