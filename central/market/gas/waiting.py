"""Meter data of gas that wait: they are told by EDIGAS messages, whose official schemas we do not have.

Nothing is copied: what waits are the newest day profiles of the gas points, of type C the states read. They can be
handed over as CSV, see `by_hand`.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, text

from central.market.gas.closed import GasState, find_states
from central.readings.profiles import Profiles, read_newest
from shared.metering_day import PRAGUE, next_month
from shared.quantities import MISSING_VALUE, Commodity, Quality

WHY: Final = (
    "Meter data of gas are told by EDIGAS messages. No format package has the operator's official schemas of them, so "
    "the data wait here; export them as CSV."
)
HEADER: Final = (
    "eic", "metering_type", "channel", "gas_day", "period_from", "period_to", "volume_m3", "quality", "version",
    "meter", "register", "state_m3",
)  # fmt: skip
NO_STATE: Final = ("", "", "")
CHANNELS_AT_ONCE: Final = 50
"""Channels whose profiles are in memory together: 50 x 744 hours."""


@dataclass(frozen=True, slots=True)
class GasChannel:
    """An interval channel of a gas point; a value is 10^`exponent` m3."""

    eic: str
    metering_type: str | None
    channel: int
    exponent: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits of a channel's month: days with a version, hours without a value, volume in m3 of the others."""

    eic: str
    metering_type: str | None
    channel: int
    days: int
    missing: int
    volume_m3: Decimal


_CHANNELS: Final = text("""
    -- interval channels of the gas points, as these stand at the end of the month
    SELECT point.ean, point.metering_type, channel.id, channel.exponent FROM (
        SELECT DISTINCT ON (sp.id) sp.id, sp.ean, sp.metering_type
          FROM supply_point_valid sp
         WHERE sp.commodity = 'gas' AND sp.valid && daterange(:first, :end) AND sp.state IN ('connected', 'suspended')
         ORDER BY sp.id, lower(sp.valid) DESC NULLS LAST) point
      JOIN channel ON channel.supply_point = point.id AND channel.commodity = 'gas' AND channel.kind = 'interval'
     WHERE point.ean > :after
     ORDER BY point.ean, channel.id
""")


def find_channels(connection: Connection, month: date, after: str = "") -> list[GasChannel]:
    """Channels of the gas points of a month (its first day), in the order of EIC, beginning behind `after`."""
    period = {"first": month, "end": next_month(month.year, month.month), "after": after}
    return [GasChannel(*row) for row in connection.execute(_CHANNELS, period)]


def find_waiting(connection: Connection, month: date, after: str = "", limit: int = 100) -> list[Waiting]:
    """What waits of the first `limit` channels behind the EIC `after`, with all channels of the last point."""
    channels = find_channels(connection, month, after)
    end = min(limit, len(channels))
    # The database orders by its own collation: a comparison here could differ from it.
    while 0 < end < len(channels) and channels[end].eic == channels[end - 1].eic:
        end += 1
    chosen = channels[:end]
    return [
        _waiting(item, profiles, row)
        for some, profiles in _profiles(connection, chosen, month)
        for row, item in enumerate(some)
    ]


def csv_pieces(connection: Connection, month: date) -> Iterator[bytes]:
    """The month as a CSV file, a row an hour; days without a version are left out, a missing value is empty.

    States of points of type C follow, a row a state: `period_to` is the instant of it, `quality` how it was read.
    """
    yield _csv([HEADER])
    for some, profiles in _profiles(connection, find_channels(connection, month), month):
        for row, item in enumerate(some):
            yield _csv(_rows(item, profiles, row))
    yield _csv([_state_row(state) for state in find_states(connection, month)])


def _profiles(
    connection: Connection, channels: Sequence[GasChannel], month: date
) -> Iterator[tuple[Sequence[GasChannel], Profiles]]:
    end = next_month(month.year, month.month)
    for first in range(0, len(channels), CHANNELS_AT_ONCE):
        some = channels[first : first + CHANNELS_AT_ONCE]
        yield some, read_newest(connection, Commodity.GAS, [item.channel for item in some], month, end)


def _waiting(item: GasChannel, profiles: Profiles, row: int) -> Waiting:
    values = profiles.values[row]
    there = values != MISSING_VALUE
    volume = Decimal(int(values[there].sum(dtype="int64"))).scaleb(item.exponent)
    return Waiting(
        item.eic, item.metering_type, item.channel, int((profiles.versions[row] > 0).sum()), int((~there).sum()), volume
    )


def _rows(item: GasChannel, profiles: Profiles, row: int) -> Iterator[Sequence[object]]:
    for place, day in enumerate(profiles.days):
        version = int(profiles.versions[row, place])
        if version == 0:
            continue
        columns = slice(int(profiles.offset[place]), int(profiles.offset[place + 1]))
        told = zip(profiles.values[row, columns].tolist(), profiles.quality[row, columns].tolist(), strict=True)
        step = (day.end - day.start) / day.length
        for hour, (value, quality) in enumerate(told):
            begin = day.start + hour * step
            yield (
                item.eic,
                item.metering_type or "",
                item.channel,
                day.date.isoformat(),
                begin.astimezone(PRAGUE).isoformat(),
                (begin + step).astimezone(PRAGUE).isoformat(),
                "" if value == MISSING_VALUE else f"{Decimal(value).scaleb(item.exponent):f}",
                Quality(quality).name,
                version,
                *NO_STATE,
            )


def _state_row(state: GasState) -> Sequence[object]:
    at = state.at.astimezone(PRAGUE).isoformat()
    told = state.meter, state.register, f"{state.state_m3:f}"
    return state.eic, state.metering_type, state.channel, "", "", at, "", state.kind, "", *told


def _csv(rows: Iterator[Sequence[object]] | Sequence[Sequence[object]]) -> bytes:
    target = io.StringIO()
    csv.writer(target, lineterminator="\n").writerows(rows)
    return target.getvalue().encode()
