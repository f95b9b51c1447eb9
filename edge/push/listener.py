"""Listens for pushed messages: TCP, DLMS wrapper. What cannot be understood is counted and logged; nothing ends it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from edge.config import EdgeConfig, PushConfig
from edge.drivers.dlms import convention_of
from edge.drivers.keyring import KeyReader, key_reader
from edge.errors import ConfigError, OutboxError
from edge.outbox.model import Deposit
from edge.outbox.outbox import Outbox
from edge.push.content import pushed_record
from edge.push.senders import Opened, Senders, UnknownSenderError, senders_of
from shared.clock import Clock
from shared.dlms.errors import CipherError, DecodeError
from shared.dlms.notification import decode_data_notification
from shared.dlms.wrapper import WrapperParser

LOOK_S: Final = 1.0
"""How often it is looked whether another configuration says something else, or a port can be had by now."""
IDLE_S: Final = 60.0
"""A connection that brings nothing for so long is closed."""
CONNECTIONS_MOST: Final = 200
READ_SIZE: Final = 4096
_log = structlog.get_logger("edge.push")


@dataclass(slots=True)
class PushCounts:
    """Messages since the agent's start."""

    taken: int = 0
    unknown: int = 0
    undecodable: int = 0
    repeated: int = 0
    refused: int = 0
    """Connections beyond the limit."""


class PushListener:
    """`run()` is its task; it never returns. A port that cannot be had is tried again: meters are read meanwhile."""

    def __init__(
        self,
        config: Callable[[], EdgeConfig],
        outbox: Outbox,
        clock: Clock,
        read_key: Callable[[EdgeConfig], KeyReader] = key_reader,
    ) -> None:
        self.counts = PushCounts()
        self.port = 0
        """Where it listens; 0 when it does not."""
        self.failures = 0
        """Times in a row that the port could not be had."""
        self._config = config
        self._outbox = outbox
        self._clock = clock
        self._read_key = read_key
        self._writers: set[asyncio.StreamWriter] = set()
        self._senders: tuple[EdgeConfig, Senders] | None = None
        self._taking = asyncio.Lock()

    async def run(self) -> None:
        """Listen as the configuration says, until cancelled."""
        while True:
            settings = self._config().push
            if settings is not None:
                try:
                    await self._listen(settings)
                except OSError as error:
                    self.failures += 1
                    if self.failures == 1:
                        _log.error("no push listener", host=settings.host, port=settings.port, reason=str(error))
            await asyncio.sleep(LOOK_S)

    async def _listen(self, settings: PushConfig) -> None:
        """Until the configuration says something else. Raises OSError where the port cannot be had."""
        server = await asyncio.start_server(self._serve, settings.host, settings.port, limit=READ_SIZE)
        self.port, self.failures = server.sockets[0].getsockname()[1], 0
        _log.info("push listener", host=settings.host, port=self.port)
        try:
            while self._config().push == settings:
                await asyncio.sleep(LOOK_S)
        finally:
            self.port = 0
            server.close()
            for writer in self._writers:
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("peername")[0]
        if len(self._writers) >= CONNECTIONS_MOST:
            self.counts.refused += 1
            writer.close()
            return
        self._writers.add(writer)
        parser = WrapperParser()
        try:
            while data := await asyncio.wait_for(reader.read(READ_SIZE), IDLE_S):
                for frame in parser.feed(data):
                    await self._take(frame.payload, address)
        except (TimeoutError, OSError):
            pass
        except OutboxError as error:
            # The meter repeats what it has no confirmation of; of an unconfirmed push there is nothing to be done.
            _log.error("push not stored", address=address, reason=str(error))
        finally:
            self._writers.discard(writer)
            if parser.discarded or parser.pending:
                self.counts.undecodable += 1
            writer.close()

    async def _take(self, apdu: bytes, address: str) -> None:
        try:
            opened = self._known_senders().open(apdu, address)
            notification = decode_data_notification(opened.plain)
            device = opened.sender.device
            record = pushed_record(
                device.id, opened.sender.push, notification, convention_of(device.conventions), self._clock.now()
            )
        except UnknownSenderError as error:
            self.counts.unknown += 1
            _log.warning("push of an unknown sender", address=address, reason=str(error))
            return
        except (DecodeError, CipherError, ConfigError) as error:
            self.counts.undecodable += 1
            _log.warning("push not understood", address=address, reason=str(error))
            return
        key = f"push {device.id}"
        # One at a time: the same message over two connections must not find the same mark.
        async with self._taking:
            if not _is_new(opened, await self._outbox.meta(key)):
                self.counts.repeated += 1
                _log.warning("push repeated", device=device.id, counter=opened.counter)
                return
            remember = {key: str(opened.counter)} if opened.counter is not None else {}
            await self._outbox.deposit(Deposit(records=[record], remember=remember))
        self.counts.taken += 1

    def _known_senders(self) -> Senders:
        config = self._config()
        if self._senders is None or self._senders[0] is not config:
            self._senders = config, senders_of(config, self._read_key(config))
        return self._senders[1]


def _is_new(opened: Opened, mark: str | None) -> bool:
    """Whether a ciphered message is newer than the last one: who records and replays it gains nothing."""
    return opened.counter is None or mark is None or opened.counter > int(mark)
