"""Messages of interval data written by worker processes are those that this process writes."""

from datetime import date

import numpy as np
import pytest

from central.market import interval_writer
from central.market.cdsdata import Series
from central.market.errors import OutboundError
from central.market.interval_writer import Sheet
from tests.unit.central.market.examples import POINT, envelope


def sheets(count: int) -> list[Sheet]:
    days = date(2026, 3, 29), date(2026, 3, 30)
    values = [np.arange(92, dtype=np.int32) + place for place in range(count)]
    found = [
        Sheet("sandbox-2026", envelope(f"121-{place}"), POINT, 1, [Series("A+", "Wh", 0, *days, each)])
        for place, each in enumerate(values)
    ]
    found[1] = Sheet("sandbox-2026", envelope("121-1"), "859182400900000010", 1, found[1].series)
    return found


def test_workers_write_the_same_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    given = sheets(3 * interval_writer.BATCH + 1)
    with interval_writer.interval_writer(len(given)) as writer:
        alone = list(writer.write(given))
    monkeypatch.setattr(interval_writer, "POOL_FROM", 1)
    taken: list[Sheet] = []
    with interval_writer.interval_writer(len(given)) as writer:
        together = list(writer.write(each for each in given if not taken.append(each)))  # type: ignore[func-returns-value]  # counts what was taken
    assert [str(each) for each in together] == [str(each) for each in alone]
    assert isinstance(together[1], OutboundError) and together[1].code == "bad_ean"
    assert len(taken) == len(given) == len(together)
