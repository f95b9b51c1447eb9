"""Takes in what came by a channel, each once: archived, and given to whoever reads messages, in one transaction.

What waits is taken by sets; one that stumbles makes its set be taken one by one. A channel offers a message again until
it is confirmed, and it is confirmed only after that transaction: who dies in between sees it again and finds it in the
archive. What came before under another wrapping, or something else under the identity of what came before, is recorded
and not read.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from central.market.channels import archive, quota
from central.market.channels.port import Channel, Direction, Exchanged, Incoming, UndeliveredError, Verdict
from central.platform.database import transaction

Read = Callable[[Connection, Sequence[Incoming], datetime], None]
"""Reads the contents of what was opened, in their order, in the transaction that archives them."""

AT_ONCE: Final = 100
OCTETS_AT_ONCE: Final = 4_000_000
"""A set ends when it has so many messages, or so many octets."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Received:
    """What one look at a channel brought; `failed` says why it broke off, if it did."""

    opened: int = 0
    duplicates: int = 0
    refused: int = 0
    aside: int = 0
    dropped: int = 0
    """Of strangers, or brought again by whomever, over the quota: counted, not kept."""
    again: int = 0
    """Offered once more because it was not confirmed."""
    left: int = 0
    """Could not be read for a fault of ours: nothing of it is kept here, and it is offered again."""
    failed: str | None = None
    numbers: list[int] = field(default_factory=list)
    """Numbers in the archive."""


def receive_all(engine: Engine, channel: Channel, now: Callable[[], datetime], read: Read) -> Received:
    """Everything that waits at the channel's other end. A database that is away raises DBAPIError."""
    report = Received()
    try:
        for incomings in _sets(channel.receive()):
            committed = []
            for incoming, taken in _take_each(engine, incomings, now, read):
                if taken is None:
                    report.left += 1
                    continue
                _count(report, taken)
                committed.append(incoming)
            channel.confirm_all(committed)
    except UndeliveredError as error:
        report.failed = str(error)
        _log.warning("market channel is away", channel=channel.destination.name, error=str(error))
    return report


def _sets(incomings: Iterable[Incoming]) -> Iterator[list[Incoming]]:
    """What comes, by sets; what came before the other end went away is a set, too."""
    gathered: list[Incoming] = []
    octets = 0
    try:
        for incoming in incomings:
            gathered.append(incoming)
            octets += len(incoming.octets)
            if len(gathered) == AT_ONCE or octets >= OCTETS_AT_ONCE:
                yield gathered
                gathered, octets = [], 0
    except UndeliveredError:
        if gathered:
            yield gathered
        raise
    if gathered:
        yield gathered


def _take_each(
    engine: Engine, incomings: Sequence[Incoming], now: Callable[[], datetime], read: Read
) -> Iterator[tuple[Incoming, "Taken | None"]]:
    """What became of each, committed; None: left, and offered again."""
    try:
        with transaction(engine) as connection:
            taken = take_set(connection, incomings, now(), read)
    except Exception as error:
        if isinstance(error, DBAPIError) and not _is_of_data(error):
            raise
        if len(incomings) == 1:
            _log.exception("a received message is left", channel=incomings[0].channel, identity=incomings[0].identity)
            yield incomings[0], None
            return
        # one message that we stumble over must not keep all that came beside and behind it
        for incoming in incomings:
            yield from _take_each(engine, [incoming], now, read)
        return
    yield from zip(incomings, taken, strict=True)


def _is_of_data(error: DBAPIError) -> bool:
    """Whether the database refuses what it was given (classes of SQLSTATE), rather than being away or in a conflict."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return state[:2] in {"22", "23", "54"}


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one: its verdict (None: kept aside), its number in the archive, and why it was not read.

    Without a number: over the strangers' quota, counted and not kept.
    """

    verdict: Verdict | None
    number: int | None
    why: str | None = None
    is_again: bool = False


def take(connection: Connection, incoming: Incoming, at: datetime, read: Read) -> Taken:
    """Archive and read one in the caller's transaction."""
    return take_set(connection, [incoming], at, read)[0]


def take_set(connection: Connection, incomings: Sequence[Incoming], at: datetime, read: Read) -> list[Taken]:
    """Archive all and read those that may be read, in the caller's transaction."""
    archive.lock(connection, incomings)
    taken = [_archive(connection, incoming, at) for incoming in incomings]
    if again := sum(each.is_again for each in taken):
        quota.record_repeats(connection, incomings[0].channel, again, at)
    opened = [incoming for incoming, each in zip(incomings, taken, strict=True) if each.verdict is Verdict.OPENED]
    if opened:
        read(connection, opened, at)
    return taken


def _archive(connection: Connection, incoming: Incoming, at: datetime) -> Taken:
    """Judge one and keep it with its verdict."""
    if incoming.is_aside:
        return _put_aside(connection, incoming, at)
    if (before := archive.same_delivery(connection, incoming)) is not None:
        number, judged = before
        # what was refused for a setting of ours that is mended meanwhile is read when it is offered again
        if judged is not Verdict.REFUSED or incoming.refusal is not None:
            return Taken(Verdict.DUPLICATE, number, f"It came already as number {number}.", is_again=True)
    verdict, why = _judge(connection, incoming)
    # who has not proven to be known counts against the strangers' quota, and who wraps anew what somebody else signed
    is_unproven = (incoming.refusal is not None and incoming.certificate is None) or (
        verdict is Verdict.DUPLICATE and archive.is_signature_known(connection, incoming)
    )
    if is_unproven and not quota.admit(connection, incoming.channel, "refused", len(incoming.octets), at):
        return Taken(verdict, None, why)
    number = archive.keep(
        connection,
        Exchanged(
            Direction.IN,
            incoming.channel,
            incoming.environment,
            at,
            incoming.peer,
            incoming.identity,
            incoming.octets,
            verdict,
            incoming.signed,
            incoming.content,
            incoming.certificate,
            why=why,
        ),
    )
    return Taken(verdict, number, why)


def _put_aside(connection: Connection, incoming: Incoming, at: datetime) -> Taken:
    why = incoming.refusal[1] if incoming.refusal else "neither signed nor encrypted"
    if archive.is_aside_already(connection, incoming):
        return Taken(None, None, why, is_again=True)
    octets = min(len(incoming.octets), archive.KEPT_ASIDE)
    if not quota.admit(connection, incoming.channel, "aside", octets, at):
        return Taken(Verdict.REFUSED, None, why)
    archive.keep_aside(connection, incoming, why, at)
    return Taken(None, None, why)


def _judge(connection: Connection, incoming: Incoming) -> tuple[Verdict, str | None]:
    if incoming.refusal is not None:
        code, sentence = incoming.refusal
        return Verdict.REFUSED, f"{code}: {sentence}"
    if incoming.content is None:
        return Verdict.REFUSED, "empty: There is nothing in it to read."
    if (number := archive.earlier(connection, incoming)) is not None:
        return Verdict.DUPLICATE, f"The same content came already as number {number}."
    if (number := archive.identity_taken(connection, incoming)) is not None:
        return Verdict.REFUSED, f"identity_used_twice: Number {number} came under the same identity with other content."
    return Verdict.OPENED, None


def _count(report: Received, taken: Taken) -> None:
    if taken.is_again:
        report.again += 1
        return
    if taken.number is not None:
        report.numbers.append(taken.number)
    elif taken.verdict is not None:
        report.dropped += 1
        return
    if taken.verdict is None:
        report.aside += 1
    elif taken.verdict is Verdict.OPENED:
        report.opened += 1
    elif taken.verdict is Verdict.DUPLICATE:
        report.duplicates += 1
    else:
        report.refused += 1
