"""The real broker link keeps the same contract as the one in memory."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.config import MqttConfig
from edge.errors import BrokerDownError
from edge.uplink.link import BrokerLink, Message
from edge.uplink.mqtt import MqttLink
from tests.system.conftest import BrokerAccess
from tests.unit.edge.uplink.link_contract import WILL, LinkContract

pytestmark = pytest.mark.own_parts


class TestMqttLink(LinkContract):
    """aiomqtt on mosquitto with its password file and ACL."""

    @pytest.fixture(autouse=True)
    async def parts(self, broker: BrokerAccess, tmp_path: Path) -> AsyncIterator[None]:
        self.broker = broker
        self.folder = tmp_path
        yield
        await asyncio.sleep(0)

    def link(self, edge: str) -> BrokerLink:
        password = self.folder / f"{edge}.password"
        password.write_text(self.broker.add_edge(edge))
        config = MqttConfig(host=self.broker.host, port=self.broker.port, username=edge, password_file=str(password))
        return MqttLink(config, f"edge-{edge}")

    async def break_connections(self) -> None:
        await asyncio.to_thread(self.broker.stack.kill_broker)
        await asyncio.to_thread(self.broker.stack.start_broker)

    async def refuse(self, edge: str) -> Message:
        return Message("rzv/1/OTHER/data", b"x")

    async def test_a_wrong_password_is_a_broker_that_cannot_be_used(self) -> None:
        password = self.folder / "wrong"
        password.write_text("wrong")
        config = MqttConfig(
            host=self.broker.host, port=self.broker.port, username="LINK-1", password_file=str(password)
        )
        with pytest.raises(BrokerDownError, match="cannot be used"):
            async with MqttLink(config, "edge-LINK-1").session(WILL, []):
                raise AssertionError("connected")

    async def test_no_broker(self, free_port: int) -> None:
        with pytest.raises(BrokerDownError, match="cannot be used"):
            async with MqttLink(MqttConfig(host="127.0.0.1", port=free_port), "x").session(WILL, []):
                raise AssertionError("connected")
