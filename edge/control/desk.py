"""Where messages of central's arrive: configurations one after the other, commands at once."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from edge.control.commands import Commands
from edge.control.configurator import Configurator
from edge.uplink.link import Message
from shared.wire import command_topic, config_topic

COMMANDS_MOST: Final = 200
"""Commands that wait to be looked at; central sends again what is dropped."""


class Desk:
    """`topics` says what is to be subscribed, and who takes it; `run` works on what came."""

    def __init__(self, edge: str) -> None:
        self._edge = edge
        self._configuration: bytes | None = None
        self._letters: asyncio.Queue[Message] = asyncio.Queue(COMMANDS_MOST)
        self._came = asyncio.Event()
        self._log = structlog.get_logger("edge.control")

    @property
    def topics(self) -> Mapping[str, Callable[[Message], None]]:
        """Handlers by topic; they never wait."""
        return {config_topic(self._edge): self._take_configuration, command_topic(self._edge): self._take_command}

    def _take_configuration(self, message: Message) -> None:
        self._configuration = message.payload  # only the last one counts
        self._came.set()

    def _take_command(self, message: Message) -> None:
        try:
            self._letters.put_nowait(message)
        except asyncio.QueueFull:
            self._log.warning("command dropped", waiting=COMMANDS_MOST)

    async def run(self, configurator: Configurator, commands: Commands) -> None:
        """For ever; acts under way are cancelled with it."""
        tasks = [
            asyncio.create_task(self._obey(commands)),
            asyncio.create_task(self._reconfigure(configurator)),
            asyncio.create_task(commands.finish_begun()),
        ]
        try:
            done, _ = await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, commands.stop(), return_exceptions=True)

    async def _obey(self, commands: Commands) -> None:
        while True:
            await commands.take(await self._letters.get())

    async def _reconfigure(self, configurator: Configurator) -> None:
        settling = asyncio.create_task(configurator.settle())
        try:
            while True:
                await self._came.wait()
                self._came.clear()
                message, self._configuration = self._configuration, None
                if message is not None and await configurator.take(message):
                    settling.cancel()
                    settling = asyncio.create_task(configurator.settle())
        finally:
            settling.cancel()
