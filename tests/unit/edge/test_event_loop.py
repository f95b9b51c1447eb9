"""uvloop where it is installed and wanted, and no line needs finer timers."""

import asyncio
import sys

import pytest

from edge.config import EdgeConfig
from edge.event_loop import loop_factory
from shared.event_loop import precise_event_loop
from tests.unit.edge.examples import config_data, edge_config


def only(*buses: str) -> EdgeConfig:
    """The example with these buses."""
    data = config_data()
    data["buses"] = [bus for bus in data["buses"] if bus["name"] in buses]
    return edge_config(data)


def test_it_can_be_switched_off() -> None:
    assert loop_factory(only("tcp-1"), {"ROZVODNA_UVLOOP": "0"}) is asyncio.new_event_loop


def test_without_it_asyncio_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loop_factory(only("tcp-1"), {}) is asyncio.new_event_loop


def test_it_is_used_where_it_is_installed() -> None:
    pytest.importorskip("uvloop")
    loop = loop_factory(only("tcp-1"), {})()
    loop.close()
    assert type(loop).__module__.startswith("uvloop")


def test_silent_intervals_need_precise_timers() -> None:
    assert loop_factory(only("rtu-1", "tcp-1"), {}) is precise_event_loop
