"""Virtual meters over a period: newest inputs out of the database, formulas evaluated stretch by stretch."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
from sqlalchemy import Connection, select

from central.network.tables import channel as channel_table
from central.readings.calendar import Ints
from central.readings.formulas.compile import Matrix
from central.readings.formulas.evaluate import Formula, evaluate
from central.readings.formulas.exact import QUALITY_OF_RANK, RANK_OF_QUALITY, WORST, Codes, Reason
from central.readings.formulas.store import StoredFormula, coefficients_of, load, virtual_channels
from central.readings.open_profile import fill_open
from central.readings.profiles import Profiles, commodity_of, read_newest
from shared.quantities import MISSING_VALUE, Quality


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Profiles of virtual channels and of all that they need, ascending by channel.

    `versions` of virtual channels are 0: nothing of what is stored of them was used. `reasons` says by virtual channel
    why a value is missing (codes of Reason).
    """

    profiles: Profiles
    formulas: Sequence[StoredFormula]
    reasons: dict[int, Codes]

    def row(self, channel: int) -> int:
        """The channel's row."""
        return list(self.profiles.channels).index(channel)


def compute(
    connection: Connection,
    channels: Collection[int],
    first: date,
    end: date,
    *,
    open_days: bool = True,
    instead: Sequence[StoredFormula] = (),
) -> Evaluated:
    """Virtual channels over the days from `first` to before `end`, whatever is stored of them.

    With `open_days` inputs without a version are read from blocks. `instead` are formulas that are not stored, taken
    for those of their channels.
    """
    replaced = {each.channel for each in instead}
    needed = {*channels, *(used for each in instead for used in each.inputs.values())}
    formulas = [*instead, *(each for each in load(connection, needed, first, end) if each.channel not in replaced)]
    involved = sorted(needed | {used for each in formulas for used in (each.channel, *each.inputs.values())})
    profiles = read_newest(connection, commodity_of(connection, involved), involved, first, end)
    virtual = virtual_channels(connection, involved) | replaced
    rows = {channel: row for row, channel in enumerate(involved)}
    for channel in virtual:
        profiles.versions[rows[channel]] = 0
    leaves = np.array([rows[channel] for channel in involved if channel not in virtual], np.int64)
    if open_days and len(leaves):
        _fill_leaves(connection, profiles, leaves)
    profiles.quality[[rows[channel] for channel in virtual]] = Quality.MISSING
    reasons = _evaluate_all(connection, profiles, formulas, virtual, rows)
    return Evaluated(profiles, formulas, reasons)


def _fill_leaves(connection: Connection, profiles: Profiles, leaves: Ints) -> None:
    part = Profiles(
        [profiles.channels[row] for row in leaves.tolist()],
        profiles.days,
        profiles.offset,
        profiles.values[leaves],
        profiles.quality[leaves],
        profiles.versions[leaves],
    )
    fill_open(connection, part)
    profiles.values[leaves], profiles.quality[leaves] = part.values, part.quality


def _evaluate_all(
    connection: Connection,
    profiles: Profiles,
    formulas: Sequence[StoredFormula],
    virtual: set[int],
    rows: dict[int, int],
) -> dict[int, Codes]:
    rank = RANK_OF_QUALITY[profiles.quality]
    values = np.where(rank == WORST, 0, profiles.values)
    reasons = {channel: np.full(values.shape[1], Reason.FORMULA, np.uint8) for channel in virtual}
    exponents = _exponents(connection, profiles.channels)
    first = profiles.days[0].date
    end = profiles.days[-1].next.date
    named = coefficients_of(connection, {name for each in formulas for name in each.coefficients}, first, end)
    bounds = {first, end, *(d for each in formulas for d in (each.first, each.end))}
    bounds |= {day for *_, since, until in named for day in (since, until)}
    cuts = sorted(day for day in bounds if first <= day <= end)
    for since, until in pairwise(cuts):
        columns = slice(int(profiles.offset[(since - first).days]), int(profiles.offset[(until - first).days]))
        known = {name: value for name, value, begin, stop in named if begin <= since < stop}
        holding = [each for each in formulas if each.first <= since < each.end]
        complete = [each for each in holding if all(name in known for name in each.coefficients)]
        for each in holding:
            if each not in complete:
                reasons[each.channel][columns] = Reason.COEFFICIENT
        part = Matrix(values[:, columns], rank[:, columns])
        found = evaluate(
            [Formula(each.channel, each.node, each.inputs) for each in complete], exponents, rows, part, known
        )
        for channel, codes in found.items():
            reasons[channel][columns] = codes
    places = [rows[channel] for channel in virtual]
    profiles.values[places] = np.where(rank[places] == WORST, MISSING_VALUE, values[places])
    profiles.quality[places] = QUALITY_OF_RANK[rank[places]]
    return reasons


def _exponents(connection: Connection, channels: Sequence[int]) -> dict[int, int]:
    table = channel_table.c
    rows = connection.execute(select(table.id, table.exponent).where(table.id.in_(channels)))
    return {row.id: row.exponent for row in rows}
