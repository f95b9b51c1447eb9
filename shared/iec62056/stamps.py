"""Time stamps of load profiles and clocks: `[s]YYMMDDhhmm[ss]`, s 0 standard time, 1 summer time, 2 UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Final

from shared.iec62056.errors import DecodeError
from shared.metering_day import PRAGUE

_STAMP: Final = re.compile(r"([012]?)(\d{10}(?:\d\d)?)")
_SEASONS: Final = {"0": timezone(timedelta(hours=1)), "1": timezone(timedelta(hours=2)), "2": UTC}
_STANDARD: Final = _SEASONS["0"]


class MeterTime(StrEnum):
    """What a meter's clock keeps, and so what its stamps mean."""

    SEASON = "season"
    """The season digit decides; without one as `LOCAL`."""
    LOCAL = "local"
    """Local time, whatever the season digit says; the doubled hour in autumn is told apart by the order of rows."""
    STANDARD = "standard"
    """Standard time (CET) all year, whatever the season digit says."""
    UTC = "utc"


@dataclass(frozen=True, slots=True)
class Stamp:
    """A stamp as the meter writes it."""

    season: str
    """"0", "1", "2", or "" where the meter writes none."""
    wall: datetime
    """Naive: what the meter's clock showed."""

    def instant(self, kept: MeterTime, after: datetime | None = None) -> datetime:
        """The stamp in UTC; `after`: an instant it cannot lie before, which tells a doubled hour's second pass."""
        if kept is MeterTime.UTC:
            return self.wall.replace(tzinfo=UTC)
        if kept is MeterTime.STANDARD:
            return self.wall.replace(tzinfo=_STANDARD).astimezone(UTC)
        if kept is MeterTime.SEASON and self.season:
            return self.wall.replace(tzinfo=_SEASONS[self.season]).astimezone(UTC)
        first = self.wall.replace(tzinfo=PRAGUE, fold=0).astimezone(UTC)
        if after is not None and first < after:
            return self.wall.replace(tzinfo=PRAGUE, fold=1).astimezone(UTC)
        return first


class StampForm(StrEnum):
    """How stamps are written in a request for a range."""

    SEASON_MINUTES = "sYYMMDDhhmm"
    SEASON_SECONDS = "sYYMMDDhhmmss"
    MINUTES = "YYMMDDhhmm"
    SECONDS = "YYMMDDhhmmss"


def decode_stamp(text: str) -> Stamp:
    """Raises `DecodeError`."""
    # An odd number of digits has a season digit in front.
    match = _STAMP.fullmatch(text) if len(text) in (10, 11, 12, 13) else None
    if match is None or bool(match[1]) != (len(text) % 2 == 1):
        raise DecodeError(f"{text[:40]!r} is no time stamp; expected [s]YYMMDDhhmm[ss].")
    digits = match[2].ljust(12, "0")
    try:
        # A day that ends is written as 24:00 by some.
        over = digits[6:] == "240000"
        wall = datetime.strptime(digits[:6] + ("000000" if over else digits[6:]), "%y%m%d%H%M%S")  # noqa: DTZ007 - local time: the stamp says which
        return Stamp(match[1], wall + timedelta(days=1) if over else wall)
    except (ValueError, OverflowError):
        raise DecodeError(f"The time stamp {text} is no date and time.") from None


def season_of(instant: datetime, kept: MeterTime) -> str:
    """The season digit of a meter that keeps `kept`."""
    if kept is MeterTime.UTC:
        return "2"
    if kept is MeterTime.STANDARD:
        return "0"
    return "1" if instant.astimezone(PRAGUE).dst() else "0"


def encode_stamp(instant: datetime, kept: MeterTime, form: StampForm = StampForm.SEASON_SECONDS) -> str:
    """An aware instant as a meter that keeps `kept` writes it."""
    zone = {MeterTime.UTC: UTC, MeterTime.STANDARD: _STANDARD}.get(kept, PRAGUE)
    seconds = "%S" if form in (StampForm.SECONDS, StampForm.SEASON_SECONDS) else ""
    season = season_of(instant, kept) if form.startswith("s") else ""
    return season + instant.astimezone(zone).strftime(f"%y%m%d%H%M{seconds}")
