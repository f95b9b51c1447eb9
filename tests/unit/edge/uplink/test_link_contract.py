"""What every broker link does: the one in memory here, the real one in tests/system/test_edge_link.py."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from edge.uplink.link import BrokerLink, Message
from edge.uplink.testing import FakeBroker
from tests.unit.edge.uplink.link_contract import LinkContract


class TestFakeBroker(LinkContract):
    """The broker in memory."""

    @pytest.fixture(autouse=True)
    async def parts(self) -> AsyncIterator[None]:
        self.broker = FakeBroker()
        yield
        await asyncio.sleep(0)

    def link(self, edge: str) -> BrokerLink:
        return self.broker

    async def break_connections(self) -> None:
        self.broker.break_connections()

    async def refuse(self, edge: str) -> Message:
        self.broker.refuse = lambda message: 0x87 if message.topic.startswith("rzv/1/OTHER/") else 0
        return Message("rzv/1/OTHER/data", b"x")
