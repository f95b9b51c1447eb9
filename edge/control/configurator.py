"""Takes pushed configurations: signature, number, whole check; then on disk, then on the lines. A refused one is told
to central with the reason, and the old one goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from edge.config import EdgeConfig
from edge.control.events import Events
from edge.control.pushed import parse_pushed
from edge.control.store import SETTLED_S, ConfigurationStore
from edge.errors import ConfigError
from edge.plant import Prepared
from shared.clock import Clock
from shared.control.messages import ConfigurationResult, ControlError, open_configuration
from shared.control.signing import SignatureError


class Host(Protocol):
    """The agent, as far as a configuration changes it."""

    @property
    def config(self) -> EdgeConfig:
        """What runs now."""

    def prepare(self, config: EdgeConfig) -> Prepared:
        """Make what `config` brings, or raise `ConfigError` and change nothing."""

    async def change(self, prepared: Prepared) -> None:
        """Run it."""


class Configurator:
    """One configuration at a time; `answer` sends a result to central."""

    def __init__(
        self,
        local: EdgeConfig,
        central: bytes,
        store: ConfigurationStore,
        host: Host,
        events: Events,
        clock: Clock,
        answer: Callable[[ConfigurationResult], None],
        settle: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(SETTLED_S),
    ) -> None:
        self._local = local
        self._central = central
        self._store = store
        self._host = host
        self._events = events
        self._clock = clock
        self._answer = answer
        self._settle = settle
        self._refused: dict[bytes, tuple[int, str]] = {}
        self._log = structlog.get_logger("edge.control")

    async def settle(self) -> None:
        """Call the running configuration good when it has lived long enough; begun anew after each change."""
        await self._settle()
        try:
            self._store.settled()
        except OSError as error:
            self._log.error("configuration not called good", reason=error.strerror)

    async def take(self, message: bytes) -> bool:
        """A message of the config topic; tells whether another configuration runs now."""
        if not message:
            return False  # central took its configuration back: what runs goes on
        if self._store.is_current(message, self._host.config.number):
            self._tell(self._host.config.number, "")
            return False
        known = self._refused.get(message)
        if known is not None:
            self._tell(*known)
            return False
        number = 0
        try:
            configuration = open_configuration(message, self._central)
            number = configuration.number
            prepared = self._prepared(self._checked(message, number))
            self._store.accept(message, runs_pushed=self._host.config.number > self._local.number)
        except (SignatureError, ControlError, ConfigError) as error:
            await self._refuse(message, number, str(error))
            return False
        except OSError as error:
            await self._refuse(message, number, f"The configuration {number} cannot be kept: {error.strerror}.")
            self._refused.clear()  # the disk may recover: the next delivery tries again
            return False
        before = self._host.config.number
        await self._host.change(prepared)
        self._log.info("configuration runs", number=number, before=before)
        await self._events.note("configuration-runs", data={"number": number, "before": before})
        self._tell(number, "")
        return True

    async def passed_over(self, number: int, reason: str) -> None:
        """The agent did not start with configuration `number`."""
        self._log.error("configuration refused", number=number, runs=self._host.config.number, reason=reason)
        self._tell(number, reason)
        await self._events.note("configuration-refused", data={"number": number, "reason": reason})

    def _checked(self, message: bytes, number: int) -> EdgeConfig:
        runs = self._host.config.number
        if number <= runs:
            raise ConfigError(f"The configuration {number} is not newer than {runs}, which runs here.")
        failure = self._store.failure(message)
        if failure:
            raise ConfigError(failure)
        return parse_pushed(open_configuration(message, self._central), self._local)

    def _prepared(self, config: EdgeConfig) -> Prepared:
        try:
            return self._host.prepare(config)
        except (ConfigError, OSError):
            raise
        except Exception as error:
            # Whatever a configuration does to a driver of ours: central must hear why it does not run.
            raise ConfigError(f"The configuration {config.number} cannot be put on the lines: {error!r}.") from None

    async def _refuse(self, message: bytes, number: int, reason: str) -> None:
        self._refused = {message: (number, reason)}
        await self.passed_over(number, reason)

    def _tell(self, number: int, reason: str) -> None:
        runs = self._host.config.number
        self._answer(ConfigurationResult(number=number, runs=runs, at=self._clock.now_ms(), reason=reason))
