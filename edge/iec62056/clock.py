"""A meter's clock as texts: 0.9.1 time, 0.9.2 date, or both at once in C003. Pure."""

from datetime import datetime

from shared.iec62056.errors import DecodeError
from shared.iec62056.stamps import MeterTime, StampForm, decode_stamp, encode_stamp

TIME_CODE = "0.9.1"
DATE_CODE = "0.9.2"
BOTH_CODE = "C003"


def clock_instant(date: str, time: str, kept: MeterTime) -> datetime:
    """From the values of date (`YYMMDD`) and time (`hhmmss`), with or without separators and season digit."""
    days, seconds = ("".join(character for character in text if character.isdigit()) for text in (date, time))
    if len(days) not in (6, 7) or len(seconds) not in (6, 7):
        raise DecodeError(f"The clock shows {date[:20]!r} and {time[:20]!r}; expected YYMMDD and hhmmss.")
    season = seconds[:-6] or days[:-6]
    return decode_stamp(season + days[-6:] + seconds[-6:]).instant(kept)


def clock_texts(at: datetime, kept: MeterTime, *, both: bool) -> list[str]:
    """Data sets to be written, in order; `both`: as one, so that no midnight can come between."""
    if both:
        return [f"{BOTH_CODE}({encode_stamp(at, kept, StampForm.SECONDS)})"]
    digits = encode_stamp(at, kept, StampForm.SECONDS)
    return [f"{DATE_CODE}({digits[:6]})", f"{TIME_CODE}({digits[6:]})"]
