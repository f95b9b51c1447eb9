"""The usual layout, to compare with: a hypertable row per value with a primary key, filled by the same service.

Everything but the rows is the product's own: subscriber, look-up, checks, batch numbers, acknowledgements, transaction
size. `python -m tests.bench.parts.usual_layout` runs it like `python -m central ingest`.
"""

import asyncio
import signal
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from central.ingest.columns import Blocks
from central.ingest.committer import Committer, Preparer
from central.ingest.pack import PackedRows, pg_microseconds
from central.ingest.service import Ingest
from central.platform.log import set_up_logging
from central.platform.settings import get_settings
from shared.clock import SystemClock

TABLE: Final = "usual_value"
COPY: Final = f"COPY {TABLE} (channel, ts, value) FROM STDIN (FORMAT binary)"

_ROW: Final = np.dtype(
    [
        ("fields", ">i2"),
        ("channel_length", ">i4"),
        ("channel", ">i4"),
        ("ts_length", ">i4"),
        ("ts", ">i8"),
        ("value_length", ">i4"),
        ("value", ">i4"),
    ]
)


class ValueRows(PackedRows):
    """Rows without a batch id."""

    def take(self, batch_ids: NDArray[np.int64]) -> NDArray[Any]:
        return self.rows[batch_ids[self.message] > 0]


def create_table(url: str) -> None:
    """The hypertable, chunks of a week as the product's."""
    with psycopg.connect(url) as connection:
        connection.execute(
            f"CREATE TABLE {TABLE} (channel integer NOT NULL, ts timestamptz NOT NULL, value integer NOT NULL, "
            "PRIMARY KEY (channel, ts))".encode()
        )
        connection.execute(
            f"SELECT create_hypertable('{TABLE}', by_range('ts', INTERVAL '7 days'), "
            "create_default_indexes => false)".encode()
        )


def pack_values(blocks: Blocks, good: NDArray[np.bool_], evidence_channel: NDArray[np.int32]) -> list[PackedRows]:
    """A row per value of the good blocks."""
    count = blocks.count[good]
    place = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    rows = np.empty(len(place), _ROW)
    rows["fields"] = 3
    rows["channel_length"], rows["channel"] = 4, np.repeat(evidence_channel[good], count)
    instants = np.repeat(blocks.start[good], count) + place * np.repeat(blocks.step[good], count)
    rows["ts_length"], rows["ts"] = 8, pg_microseconds(instants)
    rows["value_length"], rows["value"] = 4, blocks.values[np.repeat(blocks.first[good], count) + place]
    return [ValueRows(rows, np.repeat(blocks.message[good], count), 1)]


async def _serve() -> None:
    settings, clock = get_settings(), SystemClock()
    ingest = Ingest(
        settings,
        clock,
        Preparer(settings.database_url, clock, pack=pack_values),
        Committer(settings.database_url, clock, copy_block=COPY),
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ingest.stop)
    await ingest.run()


if __name__ == "__main__":
    set_up_logging()
    asyncio.run(_serve())
