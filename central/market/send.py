"""Sends what is due, repeats what got no receipt or no answer, and stops waiting for answers that do not come.

A message is marked sent and committed *before* its bytes leave: whatever dies afterwards, it is repeated under the same
id, and the other end takes a repeated id only once. Waiting is paced by the database's own wall clock (`due_at`), which
all processes share; the instants that people see (`sent_at`, events) come from the business clock.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from datetime import timedelta
from threading import Condition
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, func, literal_column, or_, select, update

from central.market.channels.port import (
    Channel,
    LeftToPersonError,
    NotSealedError,
    Outgoing,
    RefusedByChannelError,
    UndeliveredError,
)
from central.market.conversation.outages import outage_until
from central.market.errors import MarketError
from central.market.messages import move
from central.market.states import Act, State, TransitionError
from central.market.tables import market_message
from central.platform.database import transaction
from shared.clock import Clock

_NOW: Final[ColumnElement[Any]] = func.clock_timestamp()
_NEVER: Final[ColumnElement[Any]] = literal_column("'infinity'::timestamptz")


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the sender is, in wall time."""

    lease: timedelta = timedelta(minutes=5)
    """A delivery that has not reported within this time has died: the message is repeated. Longer than any channel's
    time-outs together, so that a slow delivery is not made twice."""
    answer: timedelta = timedelta(minutes=5)
    """How long to wait for an answer after the receipt."""
    first_pause: timedelta = timedelta(seconds=2)
    longest_pause: timedelta = timedelta(minutes=15)
    for_person: timedelta = timedelta(days=1)
    """Pause of a message that a person has to look at; it is tried again then, or when the person says so."""
    most_attempts: int = 20
    """After so many deliveries a message that got no answer waits for a person."""
    give_up_round_after: int = 3
    """So many deliveries in a row without a receipt end the round: the other end is down."""

    def pause(self, attempts: int) -> timedelta:
        """Pause after the given number of attempts: doubling up to the longest."""
        doublings: int = min(max(attempts - 1, 0), 30)
        return min(self.first_pause * (1 << doublings), self.longest_pause)


USUAL_PACE: Final = Pace()


@dataclass(frozen=True, slots=True)
class Carried:
    """Message codes that go by a channel: these only, or (None) all but those that go by others."""

    only: frozenset[str] | None = None
    others: frozenset[str] = frozenset()

    def condition(self) -> ColumnElement[bool]:
        """Of messages that the channel carries."""
        code = market_message.c.message_code
        return code.not_in(sorted(self.others)) if self.only is None else code.in_(sorted(self.only))

    def carries(self, code: str) -> bool:
        """Whether messages of the code go by the channel."""
        return code not in self.others if self.only is None else code in self.only


EVERYTHING: Final = Carried()


@dataclass(slots=True)
class SendReport:
    """What a round did; the database's ids of messages."""

    sent: list[int] = field(default_factory=list)
    undelivered: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    held_back: list[int] = field(default_factory=list)
    """Messages of a sandbox format that must not go to this address."""
    timed_out: list[int] = field(default_factory=list)

    def add(self, other: "SendReport") -> None:
        """Take in what another channel's round did."""
        for each in fields(self):
            getattr(self, each.name).extend(getattr(other, each.name))


def send_due(
    engine: Engine,
    channel: Channel,
    clock: Clock,
    person: str,
    pace: Pace = USUAL_PACE,
    carried: Carried = EVERYTHING,
    stopped: Callable[[], bool] = lambda: False,
) -> SendReport:
    """Send all due messages that the channel carries, one transaction before and one after each delivery.

    During a planned outage nothing is sent and nothing expires; deadlines stay. The round ends early when `stopped`.
    """
    return _Round(engine, channel, clock, person, pace, carried, stopped).run()


def expire(
    engine: Engine, clock: Clock, person: str, pace: Pace = USUAL_PACE, carried: Carried = EVERYTHING
) -> list[int]:
    """Carried messages whose answer did not come in time are timed out, and due for a repeat unless tried too often."""
    table = market_message
    with transaction(engine) as connection:
        found = connection.execute(
            select(table.c.id, table.c.attempts)
            .where(
                table.c.state == State.SENT,
                table.c.receipt.is_not(None),
                table.c.due_at <= _NOW,
                carried.condition(),
            )
            .with_for_update(skip_locked=True)
        ).all()
        for number, attempts in found:
            again = attempts < pace.most_attempts
            why = "no answer in time; " + ("to be repeated" if again else f"sent {attempts} times: left to you")
            move(connection, number, Act.EXPIRE, clock.now(), person, why, due_at=_NOW if again else _NEVER)
    return [number for number, _ in found]


def retire_overtaken(engine: Engine, clock: Clock, person: str, carried: Carried = EVERYTHING) -> list[int]:
    """Carried messages that would be repeated although a later version is there are repaired: the last accepted holds.

    One that the other end has and has not answered yet stays: its answer is waited for.
    """
    table, later = market_message, market_message.alias("later")
    died = and_(table.c.state == State.SENT, table.c.receipt.is_(None), table.c.due_at <= _NOW)
    with transaction(engine) as connection:
        found = connection.execute(
            select(table.c.id, table.c.state)
            .where(
                or_(table.c.state.in_([State.SAVED, State.TIMED_OUT]), died),
                table.c.direction == "out",
                carried.condition(),
                exists().where(
                    later.c.message_code == table.c.message_code,
                    later.c.subject_kind == table.c.subject_kind,
                    later.c.subject == table.c.subject,
                    later.c.period == table.c.period,
                    later.c.version > table.c.version,
                ),
            )
            .order_by(table.c.id)
            .with_for_update(of=table, skip_locked=True)
        ).all()
        for number, state in found:
            if state == State.SENT:
                move(connection, number, Act.UNDELIVERED, clock.now(), person, "the delivery did not report")
            why = "a later version is there: this one is not repeated"
            move(connection, number, Act.REPLACE, clock.now(), person, why, due_at=None)
    return [number for number, _ in found]


@dataclass(frozen=True, slots=True)
class _Claimed:
    number: int
    attempts: int
    about: tuple[str, str]
    """Kind and code of its subject; of all that concerns a supply point: the point."""
    outgoing: Outgoing
    may_leave: bool


@dataclass
class _Round:
    engine: Engine
    channel: Channel
    clock: Clock
    person: str
    pace: Pace
    carried: Carried
    stopped: Callable[[], bool]
    report: SendReport = field(default_factory=SendReport)
    turn: Condition = field(default_factory=Condition)
    under_way: dict[int, tuple[str, str]] = field(default_factory=dict)
    """What they are about, of the messages that were claimed and are not delivered yet."""
    last: int = 0
    """Number of the message that was claimed last."""
    in_a_row: int = 0
    """Deliveries without a receipt since the last one that had one."""

    def run(self) -> SendReport:
        with transaction(self.engine) as connection:
            if self._is_out(connection):
                return self.report
        self.report.timed_out = expire(self.engine, self.clock, self.person, self.pace, self.carried)
        retire_overtaken(self.engine, self.clock, self.person, self.carried)
        if self.channel.at_once == 1:
            self._work()
        else:
            with ThreadPoolExecutor(self.channel.at_once, "send") as pool:
                for each in [pool.submit(self._work) for _ in range(self.channel.at_once)]:
                    each.result()
        return self.report

    def _work(self) -> None:
        """Deliver one after another what nobody else has claimed, until nothing is due or the other end is down."""
        while True:
            with self.turn:
                if self.in_a_row >= self.pace.give_up_round_after or self.stopped():
                    return
                claimed = self._claim_after(self.last)
                if claimed is None:
                    return
                self.last = claimed.number
                if not claimed.may_leave:
                    self.report.held_back.append(claimed.number)
                    continue
                self.under_way[claimed.number] = claimed.about
                # what concerns the same leaves in its order: a cancellation never overtakes its registration
                has_waited = False
                while self._is_behind(claimed):
                    has_waited = True
                    self.turn.wait()
            there: bool | None = False  # None: nobody asked whether the other end is
            try:
                there = None if has_waited and not self._lease_anew(claimed) else self._deliver(claimed)
            finally:
                with self.turn:
                    if there is not None:
                        self.in_a_row = 0 if there else self.in_a_row + 1
                    del self.under_way[claimed.number]
                    self.turn.notify_all()

    def _is_out(self, connection: Connection) -> bool:
        """Whether an outage is on, also one that began while the round was under way."""
        return outage_until(connection, self.channel.destination.name, self.clock.now()) is not None

    def _is_behind(self, claimed: _Claimed) -> bool:
        return any(number < claimed.number and about == claimed.about for number, about in self.under_way.items())

    def _claim_after(self, last: int) -> _Claimed | None:
        """The next due message behind `last`; marked sent and leased if it may leave for the channel's address."""
        table = market_message
        with transaction(self.engine) as connection:
            if self._is_out(connection):
                return None
            row = connection.execute(
                select(
                    table.c.id,
                    table.c.attempts,
                    table.c.message_id,
                    table.c.message_code,
                    table.c.subject_kind,
                    table.c.subject,
                    table.c.supply_point,
                    table.c.format_package,
                    table.c.format_digest,
                    table.c.xml,
                )
                .where(_due(), self.carried.condition(), table.c.id > last, table.c.direction == "out")
                .order_by(table.c.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if row is None:
                return None
            outgoing = Outgoing(row.message_id, row.message_code, row.format_package, bytes(row.xml), row.format_digest)
            point = row.supply_point
            about = (row.subject_kind, row.subject) if point is None else ("supply_point", str(point))
            try:
                self.channel.require_may_leave(outgoing)
            except MarketError:
                # A format package that is broken or missing holds back its own messages only.
                return _Claimed(row.id, row.attempts, about, outgoing, may_leave=False)
            move(
                connection,
                row.id,
                Act.SEND,
                self.clock.now(),
                self.person,
                f"attempt {row.attempts + 1} to {self.channel.destination.address}",
                sent_at=self.clock.now(),
                receipt=None,
                environment=self.channel.destination.environment,
                attempts=row.attempts + 1,
                due_at=_NOW + self.pace.lease,
            )
            return _Claimed(row.id, row.attempts + 1, about, outgoing, may_leave=True)

    def _lease_anew(self, claimed: _Claimed) -> bool:
        """Whether the message is still ours after it waited for those before it; its delivery has a whole lease then.

        When its lease ran out meanwhile, another process sends it, or it was answered or put off.
        """
        table = market_message
        with transaction(self.engine) as connection:
            changed = connection.execute(
                update(table)
                .where(table.c.id == claimed.number, *_is_delivery(claimed), table.c.receipt.is_(None))
                .values(due_at=_NOW + self.pace.lease)
            )
        return changed.rowcount == 1

    def _deliver(self, claimed: _Claimed) -> bool:
        """Hand over and write down what came of it; whether the other end is there."""
        try:
            receipt = self.channel.send(claimed.outgoing)
        except UndeliveredError as error:
            self.report.undelivered.append(claimed.number)
            is_left = isinstance(error, LeftToPersonError)
            pause = self.pace.for_person if is_left else self.pace.pause(claimed.attempts)
            why = f"{error} It is left to you; send it again when that is mended." if is_left else str(error)
            self._move(claimed, Act.UNDELIVERED, why, due_at=_NOW + pause)
            # What could not be sealed never reached the other end: those behind it are tried all the same.
            return isinstance(error, NotSealedError)
        except RefusedByChannelError as error:
            self.report.refused.append(claimed.number)
            reasons = [{"type": "A02", "code": "HTTP", "text": str(error)}]
            self._move(claimed, Act.REFUSE, str(error), reasons=reasons, answered_at=self.clock.now(), due_at=None)
            return True
        self.report.sent.append(claimed.number)
        with transaction(self.engine) as connection:
            # No change of state; and none at all if the answer was faster than its receipt.
            connection.execute(
                update(market_message)
                .where(market_message.c.id == claimed.number, market_message.c.state == State.SENT)
                .values(receipt=receipt.id, due_at=_NOW + self.pace.answer)
            )
        return True

    def _move(self, claimed: _Claimed, act: Act, why: str, **columns: Any) -> None:
        table = market_message
        with transaction(self.engine) as connection:
            ours = select(table.c.id).where(table.c.id == claimed.number, *_is_delivery(claimed)).with_for_update()
            if act is Act.UNDELIVERED and connection.execute(ours).first() is None:
                # The lease ran out, and a later delivery is under way: what comes of that one counts.
                return
            try:
                move(connection, claimed.number, act, self.clock.now(), self.person, why, **columns)
            except TransitionError:
                # The answer overtook the receipt that was lost: nothing is left to repeat.
                return


def _is_delivery(claimed: _Claimed) -> tuple[ColumnElement[bool], ...]:
    """Of a message: that it is on its way by the delivery that was claimed, not by a later one."""
    return market_message.c.state == State.SENT, market_message.c.attempts == claimed.attempts


def _due() -> ColumnElement[bool]:
    table = market_message
    died = and_(table.c.state == State.SENT, table.c.receipt.is_(None))
    return and_(or_(table.c.state.in_([State.SAVED, State.TIMED_OUT]), died), table.c.due_at <= _NOW)
