"""The values that the ingest benchmark sends: seeded, so that whoever checks makes the same ones again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from shared.quantities import Kind
from shared.wire import Batch, BlockColumns, Key, encode_batch

EDGES: Final = 8
CHANNELS: Final = 20_000
PER_EDGE: Final = CHANNELS // EDGES
STEP_MS: Final = 900_000
DAY_MS: Final = 86_400_000
FIRST_MS: Final = 1_767_222_000_000
"""2026-01-01 00:00 in Prague; the days up to the clock change in March have 96 quarter-hours."""
EPOCH: Final = 0xB15C_0000_0000_0001


def edge_id(edge: int) -> str:
    """Name of the n-th concentrator."""
    return f"BENCH-{edge}"


def device_id(channel: int) -> str:
    """Name of the meter of a channel, 0 to CHANNELS - 1."""
    return f"LU-{48_000_000 + channel}"


@dataclass(frozen=True, slots=True)
class Workload:
    """`rounds` blocks of `length` values of each channel, `per_message` blocks in a message."""

    length: int
    per_message: int
    rounds: int
    seed: int

    @property
    def values_count(self) -> int:
        """All values of the run."""
        return CHANNELS * self.rounds * self.length

    def values(self) -> NDArray[np.int32]:
        """[channel, round, place in the block]."""
        generator = np.random.default_rng(self.seed)
        return generator.integers(0, 5_000, (CHANNELS, self.rounds, self.length), dtype=np.int32)

    def start_ms(self, rounds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Beginning of the blocks of these rounds."""
        return FIRST_MS + rounds * (self.length * STEP_MS)

    def bodies(self, edge: int, values: NDArray[np.int32]) -> Iterator[bytes]:
        """The batches of one concentrator: round by round, in each the channels in their order."""
        own = values[edge * PER_EDGE : (edge + 1) * PER_EDGE]
        blocks = PER_EDGE * self.rounds
        for first in range(0, blocks, self.per_message):
            number = np.arange(first, min(first + self.per_message, blocks))
            rounds, channels = np.divmod(number, PER_EDGE)
            keys = [
                Key(device_id(edge * PER_EDGE + channel), "1-0:1.29.0", "Wh", 0, Kind.INTERVAL)
                for channel in channels.tolist()
            ]
            count = len(number)
            columns = BlockColumns(
                key=np.arange(count, dtype="<i4").tobytes(),
                start=self.start_ms(rounds).astype("<i8").tobytes(),
                step=np.full(count, STEP_MS, "<i4").tobytes(),
                count=np.full(count, self.length, "<i4").tobytes(),
                marks=bytes(count),
                values=own[channels, rounds].astype("<i4").tobytes(),
            )
            yield encode_batch(Batch(keys, columns))


BLOCKS_OF_96: Final = Workload(length=96, per_message=64, rounds=16, seed=1)
"""30.7 million values in 5,000 messages."""
BLOCKS_OF_1: Final = Workload(length=1, per_message=100, rounds=150, seed=2)
"""3 million values in 30,000 messages."""


def create_registry(url: str) -> None:
    """Concentrators, meters and evidence channels of the workload."""
    with psycopg.connect(url) as connection:
        names = [edge_id(edge) for edge in range(EDGES)]
        devices = [device_id(channel) for channel in range(CHANNELS)]
        owners = [edge_id(channel // PER_EDGE) for channel in range(CHANNELS)]
        connection.execute(
            "INSERT INTO concentrator (id, name, place) SELECT n, n, '' FROM unnest(%s::text[]) AS n", [names]
        )
        connection.execute(
            "INSERT INTO meter (id, serial, model, commodity, concentrator) "
            "SELECT m, m, 'dlms', 'electricity', c FROM unnest(%s::text[], %s::text[]) AS new (m, c)",
            [devices, owners],
        )
        connection.execute(
            "INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms, min_value, "
            "max_value) SELECT concentrator, id, '1-0:1.29.0', 'Wh', 0, 'interval', %s, 0, 1000000 "
            "FROM meter ORDER BY id",
            [STEP_MS],
        )


def channel_numbers(url: str) -> dict[int, int]:
    """Evidence channel's id to the channel's number in the workload."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT id, device FROM evidence_channel").fetchall()
    return {number: int(device.removeprefix("LU-")) - 48_000_000 for number, device in rows}
