"""What the energy of a gas channel stands on in a period: its conversions, and the calorific values of its areas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection

from central.readings.gas.calorific import Calorific, read_calorific
from central.readings.gas.coefficient import Conversion
from central.readings.gas.conversions import read_conversions


@dataclass(frozen=True, slots=True)
class GasTerms:
    """Conversions of one channel, and by area and gas day the calorific values that were known when it was read."""

    conversions: Sequence[Conversion]
    values: Mapping[str, Mapping[date, Calorific]]

    def conversion(self, day: date) -> Conversion | None:
        """The conversion that is valid on a gas day."""
        return next((conversion for conversion in self.conversions if conversion.covers(day)), None)

    def calorific(self, day: date) -> Calorific | None:
        """The calorific value of a gas day in the area that the channel has then."""
        conversion = self.conversion(day)
        return None if conversion is None else self.values.get(conversion.area, {}).get(day)

    def coefficient_of(self, day: date) -> Fraction | None:
        """k of a gas day, for `energy`."""
        conversion = self.conversion(day)
        return None if conversion is None else conversion.k

    def calorific_of(self, day: date) -> Decimal | None:
        """Hs of a gas day, for `energy`."""
        value = self.calorific(day)
        return None if value is None else value.value

    @property
    def has_values(self) -> bool:
        """Whether any gas day has a calorific value."""
        return any(self.values.get(conversion.area) for conversion in self.conversions)

    def document(self) -> dict[str, Any]:
        """As run documents hold it: what was known, with versions."""
        areas = sorted({conversion.area for conversion in self.conversions})
        return {
            "conversions": [conversion.document() for conversion in self.conversions],
            "calorific_values": {
                area: {day.isoformat(): value.document() for day, value in sorted(self.values.get(area, {}).items())}
                for area in areas
            },
        }


def read_terms(connection: Connection, channels: Sequence[int], first: date, end: date) -> dict[int, GasTerms]:
    """By channel, the terms of the gas days from `first` to before `end`; channels without a conversion are left out.

    Two queries, whatever the number of channels.
    """
    conversions = read_conversions(connection, channels, first, end) if channels else {}
    areas = {one.area for several in conversions.values() for one in several}
    values = read_calorific(connection, sorted(areas), first, end) if areas else {}
    return {channel: GasTerms(several, values) for channel, several in conversions.items()}
