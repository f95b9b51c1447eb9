"""What the timetable fires: one device's live series on its bus, and what its jobs there come to."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from edge.bus.owner import Priority, Turn
from edge.device_state import DeviceState
from edge.errors import DeviceError, DeviceMismatchError, LineDownError
from edge.live.series import LiveSeries

T = TypeVar("T")

_log = structlog.get_logger("edge.live")


class Target(Protocol):
    """A series that can be sampled."""

    series: LiveSeries
    device: DeviceState

    def poll(self, slot: int) -> None:
        """Take a sample for `slot`, if nothing is in the way. Returns at once and never raises."""


async def do_job(device: DeviceState, work: Callable[[Turn], Awaitable[T]]) -> T | None:
    """Do `work` when the device's turn on its bus has come; None if that failed, which is noted."""
    try:
        return await device.bus.submit(device.config.id, Priority.LIVE, work)
    except LineDownError as error:
        device.last_error = str(error)
    except DeviceError as error:
        note_failure(device, error)
    except Exception as error:
        # A fault of ours with one meter must not end the series of the others.
        _log.error("live job failed", device=device.config.id, exc_info=error)
        note_failure(device, error)
    return None


def note_success(device: DeviceState) -> None:
    """It answered."""
    device.last_error = device.mismatch = ""


def note_failure(device: DeviceState, error: Exception) -> None:
    """It did not."""
    device.failures += 1
    device.last_error = str(error)
    if isinstance(error, DeviceMismatchError):
        device.mismatch = device.last_error
    failures = device.health.failures
    _log.warning("live sample failed", device=device.config.id, reason=str(error), failures=failures)
