"""The broker as ingest needs it: a stream of messages that are confirmed only when they are committed.

aiomqtt's (2.5) API changes with 3.x; this port is the only place that knows it.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast

import aiomqtt
import paho.mqtt.client as paho
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from central.ingest.message import Message
from central.platform.broker import BrokerAddress

log = structlog.get_logger("central.ingest")

DATA_FILTER: Final = "$share/ingest/rzv/1/+/data"
STATE_FILTER: Final = "rzv/1/+/state"
RECEIVE_MAXIMUM: Final = 1_000
"""Messages that may be under way unconfirmed: they bound the memory of ingest, and two transactions must fit in."""
FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 10.0


class _Deliver(asyncio.Queue[aiomqtt.Message]):
    """Hands messages over as they arrive instead of queueing them: a task per message costs more than its bytes."""

    def __init__(self, deliver: Callable[[aiomqtt.Message], None]) -> None:
        super().__init__()
        self._deliver = deliver

    def put_nowait(self, item: aiomqtt.Message) -> None:
        self._deliver(item)


class Subscriber:
    """Keeps connected to the broker; hands data and births to callbacks, which run in the event loop and never block.

    Data messages carry a token; `confirm` acknowledges them to the broker if their connection still stands. Others
    come again, from the edge.
    """

    def __init__(
        self,
        address: BrokerAddress,
        on_data: Callable[[Message], None],
        on_birth: Callable[[str, bytes], None],
        on_connected: Callable[[], None] = lambda: None,
        receive_maximum: int = RECEIVE_MAXIMUM,
    ) -> None:
        self._address = address
        self._on_data = on_data
        self._on_birth = on_birth
        self._on_connected = on_connected
        self._receive_maximum = receive_maximum
        self._client: aiomqtt.Client | None = None
        self._acknowledger: paho.Client | None = None
        self._generation = 0
        self.connections = 0
        """How often it connected."""

    @property
    def connected(self) -> bool:
        """Whether it is subscribed now."""
        return self._client is not None

    async def run(self) -> None:
        """Receive until cancelled; connects again, with longer waits, whenever the broker is gone."""
        wait = FIRST_WAIT_S
        while True:
            try:
                await self._receive()
            except (aiomqtt.MqttError, OSError, ValueError) as error:
                if self._client is not None:
                    wait = FIRST_WAIT_S
                self._client = None
                log.warning("broker.lost", host=self._address.host, port=self._address.port, error=str(error))
            finally:
                self._client = None
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)

    async def _receive(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no annotations here
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = self._receive_maximum
        inbox = _Deliver(self._deliver)
        client = aiomqtt.Client(
            self._address.host,
            self._address.port,
            username=self._address.username,
            password=self._address.password,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,
            properties=properties,
            max_inflight_messages=1_000,
            # Small packets both ways: with Nagle's algorithm, each would wait for the other side's delayed ACK.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            queue_type=cast(Any, lambda maxsize: inbox),
        )
        client.pending_calls_threshold = 1_000  # it warns of more publishes at once; acknowledgements come in bursts
        # aiomqtt acknowledges on arrival and has no other way yet; paho beneath it has.
        self._acknowledger = client._client
        self._acknowledger.manual_ack_set(True)
        self._generation += 1
        async with client:
            await client.subscribe(STATE_FILTER, qos=1)
            await client.subscribe(DATA_FILTER, qos=1)
            self._client = client
            self.connections += 1
            self._on_connected()
            log.info("broker.connected", host=self._address.host, port=self._address.port)
            async for _ in client.messages:  # ends only with the connection: `_Deliver` keeps the queue empty
                pass

    def _deliver(self, received: aiomqtt.Message) -> None:
        topic, body = received.topic.value, bytes(received.payload)
        if topic.endswith("/state"):
            self._confirm_one((self._generation, received.mid))
            self._on_birth(topic, body)
            return
        properties: Sequence[tuple[str, str]] = getattr(received.properties, "UserProperty", ())
        self._on_data(Message(topic, body, list(properties), (self._generation, received.mid)))

    def confirm(self, messages: Iterable[Message]) -> None:
        """Tell the broker that these messages are done with, in the order in which they came."""
        try:
            for message in messages:
                self._confirm_one(message.token)
        except (OSError, ValueError) as error:  # the connection ended this moment: its messages come again
            log.info("broker.not_confirmed", error=str(error))

    def _confirm_one(self, token: tuple[int, int]) -> None:
        generation, mid = token
        # The client is known here a moment before `connected` says so: births come with the subscription.
        if generation == self._generation and self._acknowledger is not None and mid:
            self._acknowledger.ack(mid, 1)

    async def publish(self, topic: str, body: bytes) -> bool:
        """Publish with QoS 1; False if the broker is not there or does not answer."""
        client = self._client
        if client is None:
            return False
        try:
            await client.publish(topic, body, qos=1)
        except (aiomqtt.MqttError, ValueError) as error:
            log.warning("broker.publish_failed", topic=topic, error=str(error))
            return False
        return True
