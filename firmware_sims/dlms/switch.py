"""The disconnector of a meter (disconnect control, class 70)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from firmware_sims.dlms.logs import READY_FOR_RECONNECTION, REMOTE_CONNECTION, REMOTE_DISCONNECTION, MeterLogs
from shared.identifiers import Obis

DISCONNECTOR: Final = Obis(0, 0, 96, 3, 10)
DISCONNECTOR_LOG: Final = Obis(0, 0, 99, 98, 2)
DISCONNECTED, CONNECTED, READY = range(3)
"""Control states."""
_DIRECTLY: Final = (2, 4)
"""Control modes in which a remote reconnection closes the contacts; in others somebody must press the button."""


class Disconnector:
    """Contacts and control state. `now` gives truth and what the clock shows. Mode 0 cannot be moved at all."""

    def __init__(self, mode: int, now: Callable[[], tuple[datetime, datetime]], logs: MeterLogs) -> None:
        self.mode = mode
        self.control = CONNECTED
        self._now = now
        self._logs = logs

    @property
    def connected(self) -> bool:
        """Whether current can flow."""
        return self.control == CONNECTED

    def disconnect(self, parameter: Any) -> None:
        """Method 1. Raises ValueError where the mode does not allow it."""
        self._check(parameter)
        self._become(DISCONNECTED, REMOTE_DISCONNECTION)

    def reconnect(self, parameter: Any) -> None:
        """Method 2. Raises ValueError where the mode does not allow it."""
        self._check(parameter)
        if self.control == CONNECTED:
            return
        if self.mode in _DIRECTLY:
            self._become(CONNECTED, REMOTE_CONNECTION)
        else:
            self._become(READY, READY_FOR_RECONNECTION)

    def _check(self, parameter: Any) -> None:
        if self.mode == 0 or type(parameter) is not int:
            raise ValueError(f"In mode {self.mode} the disconnector is not moved by {parameter!r}.")

    def _become(self, control: int, code: int) -> None:
        if self.control != control:
            self._logs.add(DISCONNECTOR_LOG, *self._now(), code)
        self.control = control
