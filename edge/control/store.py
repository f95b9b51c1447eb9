"""The pushed configurations that this concentrator keeps: the one it runs and the one before, in one file beside the
outbox, and how often the running one did not live to be called good.

| at a start | it runs |
|---|---|
| nothing was pushed, or the local file has a higher number | the local file |
| the last pushed one did not settle `STARTS_MOST` times in a row | the one before, for good; or the local file |
| it cannot be used any more (key, local file, files it names) | the one before, or the local file, this time |
| else | the last pushed one |
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from edge.config import EdgeConfig
from edge.control.pushed import parse_pushed
from edge.errors import ConfigError, OutboxError
from shared.control.messages import ControlError, open_configuration
from shared.control.signing import SignatureError

NAME: Final = "configuration.msgpack"
STARTS_MOST: Final = 3
SETTLED_S: Final = 20.0
"""An agent that lived so long with a configuration, or was stopped in order, was not ended by it."""


class _Kept(msgspec.Struct):
    current: bytes = b""
    """Signed, as it came; empty: none."""
    previous: bytes = b""
    starts: int = 0
    """Starts with `current` that have not settled."""
    failed: dict[str, str] = {}
    """By digest: configurations that ended the agent, and the sentence about it."""


@dataclass(slots=True)
class Chosen:
    """What an agent runs from its start on."""

    config: EdgeConfig
    notes: list[tuple[int, str]] = field(default_factory=list)
    """Numbers of configurations that are passed over, and why."""


def store_path(outbox: Path | str) -> Path:
    """Where the configurations of the agent with this outbox are."""
    return Path(outbox).with_name(NAME)


def digest(message: bytes) -> str:
    """A message's name in `failed`."""
    return hashlib.sha256(message).hexdigest()


class ConfigurationStore:
    """One file; every change is on disk when the verb returns. Verbs raise OSError where the disk fails, or what they
    say.
    """

    def __init__(self, path: Path | str, central: bytes) -> None:
        self.path = Path(path)
        self._central = central
        self._kept = self._read()

    def choose(self, local: EdgeConfig, usable: Callable[[EdgeConfig], None] = lambda config: None) -> Chosen:
        """The configuration to start with. `usable` raises `ConfigError` where it cannot run."""
        kept, notes = self._kept, []
        if kept.current and kept.starts >= STARTS_MOST:
            number = self._number(kept.current)
            reason = (
                f"The configuration {number} ended the agent {kept.starts} times within {SETTLED_S:.0f} s of its "
                "start; the one before runs again. Correct it and send it with a new number."
            )
            kept.failed = {digest(kept.current): reason}
            kept.current, kept.previous, kept.starts = kept.previous, b"", 0
            self._write()
            notes.append((number, reason))
        for message in (kept.current, kept.previous):
            if not message:
                continue
            try:
                config = parse_pushed(open_configuration(message, self._central), local)
                usable(config)
            except (SignatureError, ControlError, ConfigError) as error:
                notes.append((self._number(message), str(error)))
                continue
            if config.number <= local.number:
                break
            return Chosen(config, notes)
        return Chosen(local, notes)

    def started(self, number: int) -> None:
        """An agent begins with configuration `number`; called when it has its outbox, so that it is the only one.

        Raises `OutboxError` where the disk fails: an agent that cannot count its starts could not keep readings either.
        """
        if self._kept.current and self._number(self._kept.current) == number:
            self._kept.starts += 1
            try:
                self._write()
            except OSError as error:
                raise OutboxError(f"The configurations in {self.path} cannot be kept: {error.strerror}.") from None

    def failure(self, message: bytes) -> str:
        """Why this configuration must not run, if it ended the agent before; else nothing."""
        return self._kept.failed.get(digest(message), "")

    def is_current(self, message: bytes, number: int) -> bool:
        """Whether this very message was accepted last, and `number`, which runs, is its number."""
        return message == self._kept.current and number == self._number(message)

    def accept(self, message: bytes, *, runs_pushed: bool) -> None:
        """`message` is to run; `runs_pushed`: the one before it is the current one, and not the local file."""
        kept = self._kept
        before = msgspec.structs.replace(kept)
        if message != kept.current:
            kept.current, kept.previous = message, kept.current if runs_pushed else b""
        kept.starts = 1
        try:
            self._write()
        except OSError:
            self._kept = before
            raise

    def settled(self) -> None:
        """The agent lives with the current one."""
        if self._kept.starts:
            self._kept.starts = 0
            self._write()

    def _number(self, message: bytes) -> int:
        try:
            return open_configuration(message, self._central).number
        except (SignatureError, ControlError):
            return 0

    def _read(self) -> _Kept:
        try:
            return msgspec.msgpack.decode(self.path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return _Kept()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            # Unreadable is as good as none: the local file starts, and central sends its configuration again.
            return _Kept()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.msgpack.encode(self._kept))
            file.flush()
            os.fsync(descriptor)
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
