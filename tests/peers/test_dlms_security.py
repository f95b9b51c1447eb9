"""gurux-dlms and dlms-cosem associate with HLS-GMAC and read ciphered; gurux-dlms reads compact arrays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from firmware_sims.dlms.meter import BufferCoding
from firmware_sims.testing import value_at
from shared.metering_day import MeteringDay
from tests.peers.dlms_site import DAY
from tests.peers.dlms_task import CLIENTS, PeerError, run_client
from tests.peers.secured_meter import NOON, REGISTER, Listeners, plain_task, secured, task


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    listeners = Listeners()
    yield listeners
    listeners.close()


def rows_of(day: MeteringDay) -> list[list[Any]]:
    ends = [day.instant(n) + day.step for n in range(day.length)]
    return [[end, 0, *(value_at(channel, end) for channel in range(4))] for end in ends]


def told(rows: list[list[Any]]) -> list[list[Any]]:
    return [[datetime.fromisoformat(row[0]), *row[1:]] for row in rows]


@pytest.mark.parametrize("dedicated", [False, True])
@pytest.mark.parametrize("suite", [0, 1])
@pytest.mark.parametrize("client", CLIENTS)
def test_ciphered_reading(listeners: Listeners, dlms_python: Path, client: str, suite: int, dedicated: bool) -> None:
    port = listeners.add(**secured(suite))
    found = run_client(dlms_python, client, task(port, suite, 1, dedicated))
    # gurux multiplies by the scaler itself, dlms-cosem leaves that to its caller.
    assert found["register"] == [REGISTER * 10 if client == "gurux" else REGISTER, 10, 30]
    assert datetime.fromisoformat(found["clock"]) == NOON
    assert told(found["rows"]) == rows_of(DAY)
    again = run_client(dlms_python, client, task(port, suite, 1000, dedicated))
    assert again["rows"] == found["rows"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_counter_is_taken_once(listeners: Listeners, dlms_python: Path, client: str) -> None:
    port = listeners.add(**secured(0))
    run_client(dlms_python, client, task(port, 0, 500, False))
    with pytest.raises(PeerError, match=r"(?i)counter"):
        run_client(dlms_python, client, task(port, 0, 500, False))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("key", ["encryption_key", "authentication_key"])
def test_a_wrong_key_opens_nothing(listeners: Listeners, dlms_python: Path, client: str, key: str) -> None:
    port = listeners.add(**secured(0))
    with pytest.raises(PeerError):
        run_client(dlms_python, client, task(port, 0, 1, False, **{key: bytes(16).hex()}))


@pytest.mark.parametrize("coding", [BufferCoding.FULL, BufferCoding.COMPACT])
def test_gurux_reads_compact_arrays(listeners: Listeners, dlms_python: Path, coding: BufferCoding) -> None:
    found = run_client(dlms_python, "gurux", plain_task(listeners.add(coding=coding)))
    assert told(found["rows"]) == rows_of(DAY)


def test_gurux_reads_null_data_for_what_follows_from_the_period(listeners: Listeners, dlms_python: Path) -> None:
    found = run_client(dlms_python, "gurux", plain_task(listeners.add(coding=BufferCoding.NULL)))
    assert [[end, *values] for end, _, *values in told(found["rows"])] == [
        [end, *values] for end, _, *values in rows_of(DAY)
    ]
