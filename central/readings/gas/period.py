"""The energy of gas channels over gas days, from the newest profiles and what is known of k and Hs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, text

from central.platform.errors import BadInput, Refused
from central.readings.gas.energy import GasEnergy, MissingTermError, energy
from central.readings.gas.terms import GasTerms, read_terms
from central.readings.profiles import Profiles, commodity_of, read_newest
from shared.quantities import MISSING_VALUE, Commodity


def day_volumes(profiles: Profiles, row: int) -> dict[date, int]:
    """A channel's volume by gas day, in the channel's integers; `row` is its place in the profiles.

    Raises MissingTermError for the first day with a missing value.
    """
    volumes: dict[date, int] = {}
    for place, day in enumerate(profiles.days):
        values = profiles.values[row, profiles.offset[place] : profiles.offset[place + 1]]
        if (values == MISSING_VALUE).any():
            raise MissingTermError(day.date, f"A volume of channel {profiles.channels[row]}")
        volumes[day.date] = int(values.sum(dtype="int64"))
    return volumes


def period_energy(connection: Connection, channel: int, first: date, end: date) -> tuple[GasEnergy, GasTerms]:
    """The energy of a gas channel from the gas day `first` to before `end`, with what it stands on.

    Refused where a volume, a coefficient or a calorific value of a day is missing; the sentence names the day.
    """
    if commodity_of(connection, [channel]) is not Commodity.GAS:
        raise BadInput("channel_kind", f"Channel {channel} is not one of gas.")
    exponent: int = connection.execute(
        text("SELECT exponent FROM channel WHERE id = :id"), {"id": channel}
    ).scalar_one()
    terms = read_terms(connection, [channel], first, end).get(channel, GasTerms((), {}))
    profiles = read_newest(connection, Commodity.GAS, [channel], first, end)
    try:
        whole = energy(day_volumes(profiles, 0), exponent, terms.coefficient_of, terms.calorific_of)
    except MissingTermError as error:
        raise Refused(
            "gas_term_missing", f"The energy of channel {channel} cannot be computed: {error} Enter it and ask again."
        ) from error
    return whole, terms


@dataclass(frozen=True, slots=True)
class AreaEnergies:
    """Energies of an area's channels; those left out because some volume or value is missing, or because they lie in
    the area for a part of the period only."""

    parts: list[GasEnergy]
    incomplete: list[int]
    partly: list[int]


def area_channels(connection: Connection, area: str, first: date, end: date) -> tuple[list[int], list[int]]:
    """The gas channels with profiles that lie in an area on every day of the period, by one conversion after another,
    and those that lie in it on some days only."""
    query = text("""
        SELECT c.id, range_agg(g.valid) @> daterange(:first, :end) AS throughout
        FROM channel c JOIN gas_conversion g ON g.channel = c.id
        WHERE g.area = :area AND g.valid && daterange(:first, :end) AND c.kind = 'interval'
        GROUP BY c.id ORDER BY c.id
    """)
    rows = connection.execute(query, {"area": area, "first": first, "end": end}).all()
    return [row.id for row in rows if row.throughout], [row.id for row in rows if not row.throughout]


def area_energies(connection: Connection, area: str, first: date, end: date) -> AreaEnergies:
    """Energies of the channels that lie in an area throughout the period, with all that was left out."""
    channels, partly = area_channels(connection, area, first, end)
    if not channels:
        return AreaEnergies([], [], partly)
    exponents = _exponents(connection, channels)
    terms = read_terms(connection, channels, first, end)
    profiles = read_newest(connection, Commodity.GAS, channels, first, end)
    parts: list[GasEnergy] = []
    incomplete: list[int] = []
    for row, channel in enumerate(channels):
        known = terms[channel]
        try:
            volumes = day_volumes(profiles, row)
            parts.append(energy(volumes, exponents[channel], known.coefficient_of, known.calorific_of))
        except MissingTermError:
            incomplete.append(channel)
    return AreaEnergies(parts, incomplete, partly)


def _exponents(connection: Connection, channels: Sequence[int]) -> dict[int, int]:
    query = text("SELECT id, exponent FROM channel WHERE id = ANY(:ids)")
    return {row.id: row.exponent for row in connection.execute(query, {"ids": list(channels)})}
