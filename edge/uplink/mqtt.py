"""The broker link over aiomqtt 2.5 (paho-mqtt): MQTT 5, QoS 1, clean start."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.config import MqttConfig
from edge.errors import BrokerDownError, ConfigError
from edge.uplink.link import BrokerSession, Message

RECEIVE_MAXIMUM: Final = 100
INFLIGHT: Final = 20
"""Publishes on the way at a time: what brokers announce by default; fewer if the broker announces less."""
PUBLISH_TIMEOUT_S: Final = 20.0
CONNECT_TIMEOUT_S: Final = 10.0


class _Client(aiomqtt.Client):
    """aiomqtt's client keeps neither the reason code of a PUBACK nor the broker's Receive Maximum; this one does."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.receive_maximum = INFLIGHT
        self._answers: dict[int, asyncio.Future[int]] = {}

    def _on_connect(
        self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Properties | None = None
    ) -> None:
        announced = getattr(properties, "ReceiveMaximum", None)
        if announced:
            self.receive_maximum = min(int(announced), INFLIGHT)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Properties) -> None:
        code = int(getattr(reason_code, "value", 0) or 0)
        answer = self._answers.pop(mid, None)
        if answer is not None and not answer.done():
            answer.set_result(code)
        super()._on_publish(client, userdata, mid, reason_code, properties)

    async def publish_for_code(self, message: Message) -> int:
        """Publish and give the PUBACK's reason code."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types here
        if message.properties:
            properties.UserProperty = list(message.properties)
        if message.response_topic:
            properties.ResponseTopic = message.response_topic
        if message.correlation:
            properties.CorrelationData = message.correlation
        info = self._client.publish(message.topic, message.payload, 1, message.retain, properties)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise BrokerDownError(f"The broker connection is gone: {paho.error_string(info.rc)}")
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answers[info.mid] = answer
        done, _ = await asyncio.wait(
            (answer, self._disconnected), timeout=PUBLISH_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        self._answers.pop(info.mid, None)
        if answer in done:
            return answer.result()
        answer.cancel()
        if done:
            raise BrokerDownError("The broker connection broke before the broker acknowledged.")
        raise BrokerDownError(f"The broker did not acknowledge within {PUBLISH_TIMEOUT_S:.0f} s.")


class _Session:
    """One connected session."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._messages = client.messages
        self._slots = asyncio.Semaphore(client.receive_maximum)

    async def publish(self, message: Message) -> int:
        async with self._slots:
            return await self._client.publish_for_code(message)

    async def receive(self) -> Message:
        try:
            found = await anext(self._messages)
        except aiomqtt.MqttError as error:
            raise BrokerDownError(f"The broker connection broke: {error}.") from None
        payload = found.payload if isinstance(found.payload, bytes) else str(found.payload).encode()
        pairs = getattr(found.properties, "UserProperty", None) or []
        return Message(
            str(found.topic),
            payload,
            [(name, value) for name, value in pairs],
            bool(found.retain),
            getattr(found.properties, "ResponseTopic", ""),
            getattr(found.properties, "CorrelationData", b""),
        )


class MqttLink:
    """Sessions with the broker of `config`, under the client id `identifier`."""

    def __init__(self, config: MqttConfig, identifier: str) -> None:
        self._config = config
        self._identifier = identifier
        logger = logging.getLogger("edge.mqtt")
        logger.setLevel(logging.ERROR)
        self._logger = logger

    @asynccontextmanager
    async def session(self, will: Message, topics: Sequence[str]) -> AsyncIterator[BrokerSession]:
        """See `BrokerLink.session`."""
        connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
        connect.ReceiveMaximum = RECEIVE_MAXIMUM
        client = _Client(
            self._config.host,
            self._config.port,
            username=self._config.username,
            password=read_password(self._config),
            identifier=self._identifier,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,
            keepalive=self._config.keepalive_s,
            will=aiomqtt.Will(will.topic, will.payload, 1, will.retain),
            max_inflight_messages=INFLIGHT,
            timeout=CONNECT_TIMEOUT_S,
            properties=connect,
            logger=self._logger,
        )
        client.pending_calls_threshold = math.inf  # type: ignore[assignment]  # aiomqtt says int, and only compares
        try:
            async with client:
                for topic in topics:
                    await client.subscribe(topic, qos=1)
                yield _Session(client)
        except aiomqtt.MqttError as error:
            raise BrokerDownError(
                f"The broker {self._config.host}:{self._config.port} cannot be used: {error}."
            ) from None


def read_password(config: MqttConfig) -> str | None:
    """The account's password, from its file; raises `ConfigError`."""
    if config.password_file is None:
        return None
    try:
        return Path(config.password_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(
            f"The broker's password file {config.password_file} cannot be read: {error.strerror}."
        ) from None
