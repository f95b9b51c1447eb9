"""Simulated meters that demand HLS-GMAC and ciphered messages, or write their profile in short forms."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

from firmware_sims.dlms.link import WrapperLine
from firmware_sims.dlms.meter import MeterSecurity
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.tcp import TcpListener
from firmware_sims.testing import ENERGY, MemoryMeterData, meter_spec
from shared.dlms.ciphering import Keys

NOON = datetime(2026, 3, 30, 10, 0, tzinfo=UTC)
REGISTER = 4711
KEYS = Keys(bytes(range(16)), bytes(range(16, 32)))
CLIENT = 1


class Listeners:
    """Meters on a loop of their own, because foreign clients block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._open: list[TcpListener] = []

    def add(self, **changes: Any) -> int:
        """The port of a new meter; `changes` to its specification."""
        spec = meter_spec(**changes)
        data = MemoryMeterData(spec, NOON)
        data.registers = {ENERGY.obis: REGISTER}
        meter = CosemMeter(spec, data)
        listener = TcpListener("127.0.0.1", 0, lambda: WrapperLine({1: meter}))
        asyncio.run_coroutine_threadsafe(listener.open(), self._loop).result(5)
        self._open.append(listener)
        return listener.port

    def close(self) -> None:
        """Close all."""
        for listener in self._open:
            asyncio.run_coroutine_threadsafe(listener.close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


def secured(suite: int) -> dict[str, Any]:
    """Changes to a specification: what the meter demands of `CLIENT`."""
    return {"security": {CLIENT: MeterSecurity(KEYS, suite=suite)}}


def task(port: int, suite: int, counter: int, dedicated: bool, **changes: str) -> dict[str, Any]:
    """How a foreign client is to associate."""
    security = {
        "suite": suite,
        "title": b"RZVTEST1".hex(),
        "encryption_key": KEYS.encryption.hex(),
        "authentication_key": KEYS.authentication.hex(),
        "counter": counter,
        "dedicated_key": bytes(range(0xA0, 0xB0)).hex() if dedicated else None,
        **changes,
    }
    return plain_task(port) | {"client": CLIENT, "authentication": "gmac", "security": security}


def plain_task(port: int) -> dict[str, Any]:
    """How a foreign client reaches the meter at `port`."""
    return {"protocol": "wrapper", "host": "127.0.0.1", "port": port, "client": 16, "server": 1}
