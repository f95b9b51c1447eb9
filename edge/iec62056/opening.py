"""Opening of an HDLC meter by IEC 62056-21 mode E: the line goes to HDLC's speed for a session, and back after it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from edge.bus.line import Line
from edge.config import DeviceConfig, Iec62056Config
from edge.errors import DeviceSilentError
from edge.iec62056.reader import CHARACTER_BITS, Iec62056Reader
from edge.iec62056.settings import MeterSettings

FALLBACK_BAUD: Final = 9600


@dataclass(frozen=True, slots=True)
class ModeEOpening:
    """How one meter is woken. `or_hdlc`: one that does not answer may listen to HDLC already."""

    settings: MeterSettings
    or_hdlc: bool


def mode_e_opening(device: DeviceConfig) -> ModeEOpening | None:
    """The opening that `device` needs before HDLC; None if it needs none."""
    if device.opening == "hdlc":
        return None
    habits = device.iec62056 or Iec62056Config()
    settings = MeterSettings(
        address=device.address.device or "",
        software_parity=habits.software_parity,
        opening_baud=habits.opening_baud,
        baud=habits.baud,
        timeout_s=device.timeout_s,
        retries=device.retries,
    )
    return ModeEOpening(settings, device.opening == "mode-e-or-hdlc")


@asynccontextmanager
async def opened(line: Line, opening: ModeEOpening | None) -> AsyncIterator[None]:
    """The line, ready for SNRM. No effect without `opening`. Raises `DeviceError`, `LineDownError`."""
    if opening is None:
        yield
        return
    character_s = line.timing.character_s
    try:
        await _open(line, opening)
        yield
    finally:
        if character_s:
            await line.set_speed(round(CHARACTER_BITS / character_s))


async def _open(line: Line, opening: ModeEOpening) -> None:
    try:
        await Iec62056Reader(line, opening.settings).binary()
    except DeviceSilentError:
        if not opening.or_hdlc:
            raise
        await line.set_speed(opening.settings.baud or FALLBACK_BAUD)
