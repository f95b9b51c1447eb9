"""Tests that each implementation of `BrokerLink` must pass; subclasses give the parts."""

import asyncio

import pytest

from edge.errors import BrokerDownError
from edge.uplink.link import FAILURE_FROM, NOT_AUTHORIZED, BrokerLink, Message

EDGE = "LINK-1"
STATE, ACK = f"rzv/1/{EDGE}/state", f"rzv/1/{EDGE}/ack"
WILL = Message(STATE, b"gone", retain=True)


class LinkContract:
    """`link` makes a link for an edge's account."""

    def link(self, edge: str) -> BrokerLink:
        raise NotImplementedError

    async def break_connections(self) -> None:
        raise NotImplementedError

    async def refuse(self, edge: str) -> Message:
        """A message that the broker refuses this edge."""
        raise NotImplementedError

    async def test_messages_come_with_their_properties(self) -> None:
        properties = [("edge", EDGE), ("seq", "1")]
        async with self.link(EDGE).session(WILL, [ACK]) as session:
            assert await session.publish(Message(ACK, b"\x00\xff", properties)) < FAILURE_FROM
            async with asyncio.timeout(5):
                found = await session.receive()
        assert (found.topic, found.payload, list(found.properties)) == (ACK, b"\x00\xff", properties)

    async def test_a_question_comes_with_where_to_answer(self) -> None:
        question = Message(ACK, b"x", response_topic=f"rzv/1/{EDGE}/result", correlation=b"\x00c-1")
        async with self.link(EDGE).session(WILL, [ACK]) as session:
            assert await session.publish(question) < FAILURE_FROM
            async with asyncio.timeout(5):
                found = await session.receive()
        assert (found.response_topic, found.correlation) == (question.response_topic, question.correlation)

    async def test_many_publishes_at_once(self) -> None:
        async with self.link(EDGE).session(WILL, [ACK]) as session:
            codes = await asyncio.gather(*(session.publish(Message(ACK, bytes([n]))) for n in range(200)))
            assert all(code < FAILURE_FROM for code in codes)
            async with asyncio.timeout(10):
                found = [(await session.receive()).payload[0] for _ in range(200)]
        assert sorted(found) == list(range(200))

    async def test_an_orderly_end_leaves_no_will(self) -> None:
        async with self.link(EDGE).session(WILL, []) as session:
            await session.publish(Message(STATE, b"bye", retain=True))
        async with self.link(EDGE).session(WILL, [STATE]) as session, asyncio.timeout(5):
            found = await session.receive()
        assert found.payload == b"bye"
        assert found.retain

    async def test_a_refused_publish_gives_the_code_and_the_connection_stands(self) -> None:
        refused = await self.refuse(EDGE)
        async with self.link(EDGE).session(WILL, [ACK]) as session:
            assert await session.publish(refused) == NOT_AUTHORIZED
            assert await session.publish(Message(ACK, b"still here")) < FAILURE_FROM

    async def test_a_broken_connection_is_heard_by_who_waits_and_who_publishes(self) -> None:
        async with self.link(EDGE).session(WILL, [ACK]) as session:
            waiting = asyncio.create_task(session.receive())
            await asyncio.sleep(0.01)
            await self.break_connections()
            with pytest.raises(BrokerDownError):
                async with asyncio.timeout(5):
                    await waiting
            with pytest.raises(BrokerDownError):
                await session.publish(Message(ACK, b"x"))
