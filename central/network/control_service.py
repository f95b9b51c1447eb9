"""The control service: publishes configurations and commands, signed, and takes what concentrators answer.

It keeps nothing: what is to be said is in the database, and is said again until it is answered; so it may be killed,
and broker or database may go, at any moment. Two of them at once only say everything twice.

| | |
|---|---|
| at each connection to the broker | all newest configurations, retained: the broker may have lost its own |
| a managed concentrator for which time or a new key changed something | a new configuration from the registry |
| a command | is marked as sent, committed, and then sent; again after 2 s, doubling to 60 s, until it is answered |
| a command without a last word at its expiry | asked for every 5 minutes for 7 days |
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import aiomqtt
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import DBAPIError

from central.network import commands, configurations, generated
from central.network.command_states import State
from central.network.keys import signing_key
from central.network.meter_keys import KeyStore
from central.platform.broker import parse_mqtt_url
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings
from shared.clock import Clock
from shared.control.keys import key_id, signing_public
from shared.control.messages import (
    CommandResult,
    Configuration,
    ControlError,
    decode_result,
    sign_command,
    sign_configuration,
)
from shared.wire import (
    WireError,
    command_topic,
    config_topic,
    decode_birth,
    edge_of_topic,
    result_topic,
)

log = structlog.get_logger("central.control")

STATE_FILTER: Final = "rzv/1/+/state"
RESULT_FILTER: Final = "rzv/1/+/result"
POLL_S: Final = 0.5
AGAIN_FIRST_S: Final = 2.0
AGAIN_MOST_S: Final = 60.0
UNKNOWN_AGAIN_S: Final = 300.0
FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 10.0
HIGHEST_NUMBER: Final = 2_000_000_000
OF_A_MESSAGE: Final = ("22", "23", "42")
"""Classes of errors that the next try would give again: data, integrity, syntax and access."""
UNDEFINED_TABLE: Final = "42P01"

T = TypeVar("T")


@dataclass(slots=True)
class _Pace:
    """When a command is said again, monotonic seconds."""

    due: float = 0.0
    wait_s: float = AGAIN_FIRST_S

    def said(self, now: float, state: str) -> None:
        self.due = now + (UNKNOWN_AGAIN_S if state == State.UNKNOWN else self.wait_s)
        self.wait_s = min(2 * self.wait_s, AGAIN_MOST_S)


class Control:
    """One control process."""

    def __init__(self, settings: Settings, clock: Clock, private: bytes) -> None:
        self._address = parse_mqtt_url(settings.mqtt_url)
        self._engine = make_engine(settings.database_url, name="rozvodna-control", pool_size=2)
        self._clock = clock
        self._private = private
        self._store = KeyStore(settings.store_key_path)
        self._published: dict[str, int] = {}
        self._paces: dict[str, _Pace] = {}
        self._awake = asyncio.Event()
        self._pool = ThreadPoolExecutor(1, "control")

    async def run(self) -> None:
        """Until cancelled; connects again, with longer waits, whenever the broker is gone."""
        wait = FIRST_WAIT_S
        try:
            while True:
                begun = self._clock.monotonic()
                try:
                    await self._session()
                except (aiomqtt.MqttError, OSError, ValueError) as error:
                    log.warning("broker.lost", host=self._address.host, port=self._address.port, error=str(error))
                if self._clock.monotonic() - begun > LONGEST_WAIT_S:
                    wait = FIRST_WAIT_S
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_S)
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._engine.dispose()

    async def _session(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no annotations here
        properties.SessionExpiryInterval = 0
        client = aiomqtt.Client(
            self._address.host,
            self._address.port,
            username=self._address.username,
            password=self._address.password,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,
            properties=properties,
        )
        async with client:
            await client.subscribe(STATE_FILTER, qos=1)
            await client.subscribe(RESULT_FILTER, qos=1)
            log.info("broker.connected", host=self._address.host, port=self._address.port)
            self._published.clear()
            self._paces.clear()
            tasks = [asyncio.create_task(self._listen(client)), asyncio.create_task(self._say(client))]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                done.pop().result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    # -- saying

    async def _say(self, client: aiomqtt.Client) -> None:
        while True:
            self._awake.clear()
            stale = await self._database(self._stale_configurations)
            for row in stale:
                await self._publish_configuration(client, row)
            waiting = await self._database(self._commands_to_send)
            self._paces = {row["id"]: self._paces.get(row["id"], _Pace()) for row in waiting}
            for row in waiting:
                if self._clock.monotonic() >= self._paces[row["id"]].due:
                    await self._publish_command_alone(client, row)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._awake.wait()

    def _stale_configurations(self, connection: Connection) -> list[RowMapping]:
        for refused in generated.regenerate_due(connection, self._store, self._clock.now()):
            log.warning("configuration.not_generated", reason=refused)
        numbers = configurations.newest_numbers(connection)
        stale = {edge: number for edge, number in numbers.items() if self._published.get(edge) != number}
        return [configurations.require(connection, edge, number) for edge, number in stale.items()]

    def _commands_to_send(self, connection: Connection) -> list[RowMapping]:
        now = self._clock.now()
        commands.expire(connection, now)
        return list(commands.find_to_send(connection, now))

    async def _publish_configuration(self, client: aiomqtt.Client, row: RowMapping) -> None:
        edge, number = row["concentrator"], row["number"]
        body = sign_configuration(Configuration(edge=edge, number=number, body=row["body"].encode()), self._private)
        await client.publish(config_topic(edge), body, qos=1, retain=True)
        self._published[edge] = number
        log.info("configuration.published", concentrator=edge, number=number)

    async def _publish_command_alone(self, client: aiomqtt.Client, row: RowMapping) -> None:
        try:
            await self._publish_command(client, row)
        except aiomqtt.MqttError:
            raise
        except Exception as error:  # one that cannot be said must not silence the others
            log.error("command.not_published", id=row["id"], error=repr(error))
            self._paces[row["id"]].said(self._clock.monotonic(), row["state"])

    async def _publish_command(self, client: aiomqtt.Client, row: RowMapping) -> None:
        identifier, edge = row["id"], row["concentrator"]
        wanted = await self._database(lambda each: commands.mark_sent(each, identifier, self._clock.now()))
        self._paces[identifier].said(self._clock.monotonic(), row["state"])
        if not wanted:
            return
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no annotations here
        properties.ResponseTopic = result_topic(edge)
        properties.CorrelationData = identifier.encode()
        body = sign_command(commands.message_of(row), self._private)
        await client.publish(command_topic(edge), body, qos=1, properties=properties)
        log.info("command.published", concentrator=edge, id=identifier, act=row["act"], state=row["state"])

    # -- hearing

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            topic, body = message.topic.value, bytes(message.payload)
            try:
                await self._hear(edge_of_topic(topic), topic, body)
            except (WireError, ControlError) as error:
                if body:  # an empty body clears a retained birth
                    log.warning("control.unreadable", topic=topic, error=str(error))
            except Exception as error:  # whatever one message did must not end the service
                log.error("control.not_taken", topic=topic, error=repr(error))

    async def _hear(self, edge: str, topic: str, body: bytes) -> None:
        now = self._clock.now()
        if topic.endswith("/state"):
            birth = decode_birth(body)
            _require_number(birth.config_number)
            await self._database(
                lambda each: configurations.heard_birth(
                    each, edge, online=birth.online, agent=birth.agent, runs=birth.config_number, now=now
                )
            )
            if birth.online:
                # What was said while it was away is said again now.
                self._paces.clear()
                self._awake.set()
            return
        result = decode_result(body)
        if isinstance(result, CommandResult):
            taken = await self._database(lambda each: commands.record_answer(each, edge, result, now))
            if taken:
                log.info("command.answered", concentrator=edge, id=result.id, outcome=result.outcome)
            return
        _require_number(result.number)
        _require_number(result.runs)
        await self._database(
            lambda each: configurations.heard_answer(
                each, edge, number=result.number, runs=result.runs, reason=result.reason, now=now
            )
        )
        if result.reason:
            log.warning("configuration.refused", concentrator=edge, number=result.number, reason=result.reason)

    # -- database

    async def _database(self, work: Callable[[Connection], T]) -> T:
        """Do it in one transaction; while the database is away, try again."""
        wait = FIRST_WAIT_S
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._pool, self._in_transaction, work)
            except DBAPIError as error:
                if not _is_outage(error):
                    raise
                log.warning("control.database_lost", error=str(error.orig).strip(), again_in_s=wait)
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_S)

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        with transaction(self._engine) as connection:
            return work(connection)


def _require_number(number: int) -> None:
    """A number that no configuration has would keep central from giving the next one."""
    if not 0 <= number <= HIGHEST_NUMBER:
        raise ControlError(f"The configuration number {number} must be from 0 to {HIGHEST_NUMBER}.")


def _is_outage(error: DBAPIError) -> bool:
    """Whether to try again: server or connection gone, full, busy, or a database that is not migrated yet."""
    state: Any = getattr(error.orig, "sqlstate", None)
    return state is None or state == UNDEFINED_TABLE or state[:2] not in OF_A_MESSAGE


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; makes central's key where there is none."""
    private = signing_key(settings.control_key_path)
    log.info("control.started", key=key_id(signing_public(private)), path=str(settings.control_key_path))

    async def serve() -> None:
        control = asyncio.create_task(Control(settings, get_clock(), private).run())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, control.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await control

    asyncio.run(serve())
