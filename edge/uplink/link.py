"""Port to the broker: one connected session at a time. Two implementations, mqtt.py and testing.py, one contract
(tests/unit/edge/uplink/test_link_contract.py).
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

SUCCESS: Final = 0x00
NO_MATCHING_SUBSCRIBERS: Final = 0x10
NOT_AUTHORIZED: Final = 0x87
FAILURE_FROM: Final = 0x80
"""Reason codes from here on are refusals."""


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT application message."""

    topic: str
    payload: bytes
    properties: Sequence[tuple[str, str]] = ()
    """MQTT 5 user properties."""
    retain: bool = False
    response_topic: str = ""
    correlation: bytes = b""
    """MQTT 5 correlation data."""


class BrokerSession(Protocol):
    """A connection that stands. When it breaks, everything raises `BrokerDownError`."""

    async def publish(self, message: Message) -> int:
        """Publish with QoS 1; gives the reason code of the broker's acknowledgement."""

    async def receive(self) -> Message:
        """The next message of a subscribed topic; waits for it."""


class BrokerLink(Protocol):
    """Makes sessions with one broker under one account."""

    def session(self, will: Message, topics: Sequence[str]) -> AbstractAsyncContextManager[BrokerSession]:
        """Connects (clean start, `will` set) and subscribes on entry, disconnects in order on exit (the will is not
        sent then). Raises `BrokerDownError`.
        """
