"""Event logs of a meter: what its data tell, and what happens to it while it is simulated."""

from datetime import UTC, datetime
from typing import Final, NamedTuple

from firmware_sims.dlms.meter import EVENT_LOG, EventRow, MeterData
from shared.identifiers import Obis

CLOCK_SET_OLD: Final = 4
"""Clock adjusted, row with the old time."""
CLOCK_SET_NEW: Final = 5
"""Clock adjusted, row with the new time."""
REMOTE_DISCONNECTION: Final = 62
REMOTE_CONNECTION: Final = 63
READY_FOR_RECONNECTION: Final = 59
"""Codes as IDIS has them."""
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Happened(NamedTuple):
    truth: datetime
    row: EventRow


class MeterLogs:
    """Rows in the order of their recording, which is not that of their stamps where the clock was set back."""

    def __init__(self, data: MeterData) -> None:
        self._data = data
        self._happened: dict[Obis, list[_Happened]] = {}

    def add(self, log: Obis, truth: datetime, stamp: datetime, code: int) -> None:
        """Something happened at `truth`; the meter's clock showed `stamp`."""
        self._happened.setdefault(log, []).append(_Happened(truth, EventRow(stamp, code)))

    def rows(self, log: Obis) -> list[EventRow]:
        """All rows so far."""
        happened = self._happened.get(log, [])
        if log == EVENT_LOG:
            told = [_Happened(row.at, row) for row in self._data.events(_BEGINNING, self._data.now())]
            happened = sorted([*told, *happened], key=lambda each: each.truth)
        return [each.row for each in happened]
