"""Commands: who may order what, once.

| a command that | gets |
|---|---|
| is forged, for another, too late, or senseless | refused, an event; nothing is done |
| is at work | accepted |
| has a result | that result |
| was begun before the agent died, and switches or sets a clock | unknown, with what the meter shows |
| is new, or may be done again | accepted, then done, failed or refused |
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final

import structlog

from edge.control.acts import Acts, Begin
from edge.control.events import Events
from edge.control.journal import Entry, Journal, JournalError
from edge.control.judge import RefusedError, authentic, require_in_time
from edge.errors import DeviceError, EdgeError, LineDownError
from edge.uplink.link import Message
from shared.clock import Clock
from shared.control.messages import (
    Command,
    CommandResult,
    Disconnect,
    Outcome,
    Reconnect,
    SetClock,
    encode_result,
)
from shared.wire import result_topic

ONCE: Final = (Disconnect, Reconnect, SetClock)
"""Acts that are not begun a second time when the first may have been done."""
AT_WORK_MOST: Final = 16
EVENT_EVERY_S: Final = 10.0
"""Forged messages in a flood make one event in so long: they must not fill the outbox."""
READ_BACK_EVERY_S: Final = 30.0
READ_BACK_TRIES: Final = 10


class Commands:
    """`take` each message of the command topic; results go out through `tell`."""

    def __init__(
        self,
        edge: str,
        central: bytes,
        journal: Journal,
        acts: Acts,
        events: Events,
        clock: Clock,
        tell: Callable[[Message], None],
    ) -> None:
        self._edge = edge
        self._own_topic = result_topic(edge)
        self._central = central
        self._journal = journal
        self._acts = acts
        self._events = events
        self._clock = clock
        self._tell = tell
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._forged = 0
        self._forged_told_at = float("-inf")
        self._log = structlog.get_logger("edge.control")

    async def take(self, message: Message) -> None:
        """Judge one message and begin what it orders. Never raises on it."""
        try:
            command = authentic(message.payload, self._central, self._edge)
            await self._take_authentic(command, message)
        except RefusedError as refused:
            await self._refuse(refused, message)
        except JournalError as error:
            # Not answered: central sends it again, and the disk may be better then.
            self._log.error("command not taken", reason=str(error))

    async def _take_authentic(self, command: Command, message: Message) -> None:
        if command.id in self._at_work:
            self._answer(message, self._result(command.id, "accepted"))
            return
        entry = await self._journal.find(command.id)
        if entry is not None:
            if entry.message != message.payload:
                raise RefusedError(command.id, f"The id {command.id} was used for another command; give it a new one.")
            if entry.result is not None:
                self._answer(message, entry.result)
                return
            if isinstance(command.work, ONCE):
                self._start(command, message, self._find_out(command))
                return
            if self._clock.now_ms() >= command.expires:
                self._start(command, message, self._give_up(command))
                return
        require_in_time(command, self._clock.now_ms())
        if len(self._at_work) >= AT_WORK_MOST:
            self._log.warning("command left for later", id=command.id, at_work=AT_WORK_MOST)
            return
        self._answer(message, self._result(command.id, "accepted"))
        self._start(command, message, self._perform(command, message.payload, begun=entry is not None))

    async def finish_begun(self) -> None:
        """At the start: find out what became of acts that an earlier life of this agent had begun."""
        try:
            unfinished = await self._journal.unfinished()
        except JournalError as error:
            self._log.error("begun commands not known", reason=str(error))
            return
        for entry in unfinished:
            command = self._command_of(entry)
            if command is not None and isinstance(command.work, ONCE) and command.id not in self._at_work:
                reply = Message(self._own_topic, entry.message, correlation=entry.id.encode())
                self._start(command, reply, self._find_out(command))

    async def stop(self) -> None:
        """Cancel what is under way; what was begun is found out at the next start."""
        for task in self._at_work.values():
            task.cancel()
        await asyncio.gather(*self._at_work.values(), return_exceptions=True)

    def _command_of(self, entry: Entry) -> Command | None:
        try:
            return authentic(entry.message, self._central, self._edge)
        except RefusedError as error:  # the key was changed meanwhile: nobody may be answered any more
            self._log.error("begun command not understood", id=entry.id, reason=str(error))
            return None

    def _start(self, command: Command, message: Message, work: Coroutine[object, object, CommandResult]) -> None:
        if command.id in self._at_work:  # begun meanwhile by who looks after an earlier life's commands
            work.close()
            return

        async def guarded() -> None:
            try:
                self._answer(message, await work)
            except JournalError as error:
                self._log.error("result not kept", id=command.id, reason=str(error))
            except Exception as error:
                self._log.error("command failed", id=command.id, exc_info=error)
            finally:
                self._at_work.pop(command.id, None)

        self._at_work[command.id] = asyncio.create_task(guarded(), name=f"command {command.id}")

    # -- acts

    async def _perform(self, command: Command, payload: bytes, *, begun: bool) -> CommandResult:
        """Do it; the journal has it before the act, and the result after."""
        is_begun = begun

        async def begin() -> None:
            nonlocal is_begun
            if not is_begun:
                require_in_time(command, self._clock.now_ms())
                await self._journal.begin(command.id, payload, command.expires, self._clock.now_ms())
                is_begun = True

        outcome, reason, data = await self._outcome(command, begin)
        if not is_begun:
            # Nothing was done.
            result = self._result(command.id, "failed" if outcome == "unknown" else outcome, reason)
            if isinstance(command.work, ONCE):
                # Central takes this for the last word: a copy that is still on its way must not do it after all.
                await self._journal.begin(command.id, payload, command.expires, self._clock.now_ms())
                await self._journal.end(result)
            await self._note(command, result.outcome, reason)
            return result
        if outcome == "unknown":
            return await self._find_out(command, reason)
        result = self._result(command.id, outcome, reason, data)
        await self._journal.end(result)
        await self._note(command, outcome, reason)
        return result

    async def _outcome(self, command: Command, begin: Begin) -> tuple[Outcome, str, dict[str, object]]:
        try:
            return "done", "", await self._acts.do(command, begin)
        except RefusedError as error:
            return "refused", str(error), {}
        except JournalError:
            raise
        except (DeviceError, LineDownError) as error:
            # A switch or a clock that did not answer may have obeyed all the same.
            once = isinstance(command.work, ONCE)
            return ("unknown" if once and not self._acts.certain(error) else "failed"), str(error), {}
        except EdgeError as error:
            return "failed", str(error), {}

    async def _give_up(self, command: Command) -> CommandResult:
        """It was begun in an earlier life and its time has passed: what can be done again is not done any more."""
        reason = "The agent ended while the command was at work, and its time passed."
        result = self._result(command.id, "failed", reason)
        await self._journal.end(result)
        await self._note(command, "failed", reason)
        return result

    async def _find_out(self, command: Command, reason: str = "") -> CommandResult:
        """The act may have been done: the meter says what is the case, and that is all that can be said."""
        why = reason or "The agent ended while the command was at work."
        shown: dict[str, object] = {}
        for attempt in range(READ_BACK_TRIES):
            try:
                shown = await self._acts.read_back(command)
                break
            except (EdgeError, RefusedError) as error:
                shown = {"read_back": f"The meter could not be asked: {error}"}
            if attempt + 1 < READ_BACK_TRIES:
                await asyncio.sleep(READ_BACK_EVERY_S)
        result = self._result(command.id, "unknown", why, shown)
        await self._journal.end(result)
        await self._note(command, "unknown", why)
        return result

    # -- answers

    def _result(
        self, identifier: str, outcome: Outcome, reason: str = "", data: dict[str, object] | None = None
    ) -> CommandResult:
        return CommandResult(id=identifier, outcome=outcome, at=self._clock.now_ms(), reason=reason, data=data or {})

    def _answer(self, message: Message, result: CommandResult) -> None:
        # Below our own id, and none of the topics that mean something else there.
        own = message.response_topic.startswith(self._own_topic)
        topic = message.response_topic if own else self._own_topic
        self._tell(Message(topic, encode_result(result), correlation=message.correlation))

    async def _note(self, command: Command, outcome: str, reason: str) -> None:
        act = command.work.__struct_config__.tag
        device = getattr(command.work, "device", "")
        self._log.info("command", id=command.id, act=act, device=device, outcome=outcome, reason=reason)
        data = {"id": command.id, "act": str(act), "outcome": outcome, "reason": reason}
        await self._events.note("command", device, data)

    async def _refuse(self, refused: RefusedError, message: Message) -> None:
        self._answer(message, self._result(refused.id, "refused", str(refused)))
        self._forged += 1
        now = self._clock.monotonic()
        if now - self._forged_told_at < EVENT_EVERY_S:
            return
        self._log.error("command refused", id=refused.id, reason=str(refused), count=self._forged)
        data: dict[str, str | int | float | None] = {
            "id": refused.id, "reason": str(refused), "count": self._forged
        }  # fmt: skip
        self._forged, self._forged_told_at = 0, now
        await self._events.note("command-refused", data=data)
