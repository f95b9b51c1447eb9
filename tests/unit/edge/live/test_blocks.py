"""Cuts become blocks without gaps, and records for what is not in them."""

from edge.config import StateRegister
from edge.live.blocks import Holes, live_blocks
from edge.live.rows import integer_row, integer_rows
from shared.quantities import Kind, Unit
from shared.wire import MARK_REREAD, Key, Record, pack_batch, unpack_batch
from tests.unit.edge.live.examples import NOON, Bench

S = 1000
ROWS = integer_rows(
    [
        StateRegister(item="a", unit=Unit.W, register="power"),
        StateRegister(item="b", unit=Unit.V, exponent=-1, register="voltage"),
    ]
)
NONE = 2**40
"""What the wire cannot carry."""


def bench_of(*samples: tuple[int, int, int]) -> Bench:
    """Samples (second after NOON, power, voltage), then a cut."""
    bench = Bench(rows=ROWS, block_s=100)
    bench.series.begin(NOON, None)
    for second, power, voltage in samples:
        bench.series.take(NOON + second * S, integer_row([power, voltage]))
    bench.series.cut()
    return bench


def test_a_block_for_each_register_and_run() -> None:
    bench = bench_of((0, 1, 10), (1, 2, 20), (4, 3, 30))
    blocks, records = live_blocks(bench.cuts[0], Holes())
    found = [(b.key.register, b.start_ms - NOON, b.step_ms, list(b.values), b.marks) for b in blocks]
    assert found == [
        ("power", 0, S, [1, 2], 0),
        ("power", 4 * S, S, [3], 0),
        ("voltage", 0, S, [10, 20], 0),
        ("voltage", 4 * S, S, [30], 0),
    ]
    assert blocks[2].key == Key("EA-9", "voltage", "V", -1, Kind.INTERVAL)
    data = {"schedule": "live 1000 ms", "until": NOON + 3 * S, "count": 2}
    assert records == [Record("gap", "EA-9", NOON + 2 * S, data)]
    assert len(unpack_batch(pack_batch(blocks, records))[0]) == 4


def test_a_value_that_the_meter_has_not_ends_the_blocks_of_its_register_only() -> None:
    bench = bench_of((0, 1, 10), (1, NONE, 20), (2, 3, 30))
    holes = Holes()
    blocks, records = live_blocks(bench.cuts[0], holes)
    assert [(b.key.register, b.start_ms - NOON, list(b.values)) for b in blocks] == [
        ("power", 0, [1]),
        ("power", 2 * S, [3]),
        ("voltage", 0, [10, 20, 30]),
    ]
    data = {"schedule": "live 1000 ms", "until": NOON + S, "count": 1, "registers": "power"}
    assert records == [Record("hole", "EA-9", NOON + S, data)]
    assert holes.open == {}


def test_a_register_without_values_for_long_is_told_once() -> None:
    holes = Holes()
    bench = Bench(rows=ROWS, block_s=2)
    bench.series.begin(NOON, None)
    told = []
    for second in range(10):
        bench.series.take(NOON + second * S, integer_row([NONE if second < 7 else 5, 1]))
    for cut in bench.cuts:
        told += live_blocks(cut, holes)[1]
    data = {"schedule": "live 1000 ms", "until": NOON + 6 * S, "count": 7, "registers": "power"}
    assert told == [Record("hole", "EA-9", NOON, data)]


def test_a_clock_that_went_back() -> None:
    bench = Bench(rows=ROWS, block_s=2)
    bench.series.begin(NOON, None)
    for second in (0, 1, 0, 1):
        bench.series.take(NOON + second * S, integer_row([1, 2]))
    marks = [block.marks for cut in bench.cuts for block in live_blocks(cut, Holes())[0]]
    assert marks == [0, 0, MARK_REREAD, MARK_REREAD]
