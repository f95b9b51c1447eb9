"""Tells systemd how the agent is: ready, alive, stopping. Source: sd_notify(3).

Without NOTIFY_SOCKET (no systemd) nothing is sent.
"""

import os
import socket
from collections.abc import Mapping
from typing import Final

import structlog

MICROSECONDS: Final = 1_000_000
_log = structlog.get_logger("edge.notify")


class Notifier:
    """One agent's way to its service manager. Sending never fails: the agent must run without it too."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):  # the abstract name space is written so in the environment
            self._address = "\0" + self._address[1:]
        limit = environment.get("WATCHDOG_USEC", "")
        self.watchdog_s = int(limit) / MICROSECONDS if limit.isdigit() else None
        """The service manager restarts us after so many seconds without `alive`; None if it does not watch."""

    def ready(self) -> None:
        """The agent has started: configuration and outbox are good."""
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """The event loop and the outbox's thread work; `status` is what `systemctl status` shows."""
        self._send(f"WATCHDOG=1\nSTATUS={status}")

    def stopping(self) -> None:
        """An orderly stop has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), self._address)
        except OSError as error:
            _log.warning("service manager not told", message=message.partition("\n")[0], reason=str(error))
