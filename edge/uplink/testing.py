"""A broker in memory that fits the port, and a model of what central keeps: for tests of the uplink and of others."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from edge.errors import BrokerDownError
from edge.outbox.model import Address, ranges_of
from edge.timeline import Known, Stretch, Timeline, paint
from edge.uplink.link import NO_MATCHING_SUBSCRIBERS, SUCCESS, BrokerSession, Message
from shared.wire import (
    Ack,
    Birth,
    Block,
    Evidence,
    Record,
    Welcome,
    ack_topic,
    data_topic,
    decode_batch,
    decode_birth,
    encode_message,
    parse_properties,
    state_topic,
    unpack_batch,
)


class _FakeSession:
    def __init__(self, broker: "FakeBroker", will: Message, topics: Sequence[str]) -> None:
        self.broker = broker
        self.will = will
        self.topics = topics
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.broken = asyncio.Event()

    async def publish(self, message: Message) -> int:
        await asyncio.sleep(0)
        self._check()
        code = self.broker.accept(message)
        await asyncio.sleep(0)
        self._check()  # the broker may have it although we never hear so
        return code

    async def receive(self) -> Message:
        taken = asyncio.ensure_future(self.incoming.get())
        broken = asyncio.ensure_future(self.broken.wait())
        try:
            await asyncio.wait((taken, broken), return_when=asyncio.FIRST_COMPLETED)
            if taken.done():
                return taken.result()
        finally:
            taken.cancel()
            broken.cancel()
        raise BrokerDownError("The connection to the broker in memory broke.")

    def _check(self) -> None:
        if self.broken.is_set():
            raise BrokerDownError("The connection to the broker in memory broke.")


class FakeBroker:
    """Delivers at once to whoever is connected. `refuse` gives a reason code for a publish, 0 to take it."""

    def __init__(self) -> None:
        self.up = True
        self.refuse: Callable[[Message], int] = lambda message: SUCCESS
        self.retained: dict[str, Message] = {}
        self.accepted: list[Message] = []
        self.listeners: list[Callable[[Message], None]] = []
        self._sessions: list[_FakeSession] = []

    def accept(self, message: Message) -> int:
        """What the broker does with a publish; gives the reason code."""
        code = self.refuse(message)
        if code:
            return code
        self.accepted.append(message)
        if message.retain:
            self.retained[message.topic] = message
        for listener in list(self.listeners):
            listener(message)
        matched = bool(self.listeners)
        for session in self._sessions:
            if message.topic in session.topics:
                session.incoming.put_nowait(message)
                matched = True
        return SUCCESS if matched else NO_MATCHING_SUBSCRIBERS

    def break_connections(self) -> None:
        """All connections break; the broker publishes the wills."""
        sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.broken.set()
        for session in sessions:
            self.accept(session.will)

    @asynccontextmanager
    async def session(self, will: Message, topics: Sequence[str]) -> AsyncIterator[BrokerSession]:
        """A `BrokerLink`: the broker itself is one."""
        await asyncio.sleep(0)
        if not self.up:
            raise BrokerDownError("The broker in memory is down.")
        session = _FakeSession(self, will, topics)
        self._sessions.append(session)
        for message in list(self.retained.values()):
            if message.topic in topics:
                session.incoming.put_nowait(message)
        try:
            yield session
        finally:
            if session in self._sessions:
                self._sessions.remove(session)


@dataclass
class CentralModel:
    """What central keeps of concentrators: committed numbers with their bodies, each once. Answers as the wire
    contract says.
    """

    incarnation: str = "one"
    committed: dict[tuple[str, Address], bytes] = field(default_factory=dict)
    closed: set[tuple[str, Address]] = field(default_factory=set)
    refuse: Callable[[Block], str | None] = lambda block: None
    births: list[Birth] = field(default_factory=list)
    repeated: int = 0

    def hear(self, message: Message) -> list[Message]:
        """Take a message of the broker; gives the answers to be published."""
        edge = message.topic.split("/")[2]
        if message.topic == data_topic(edge):
            found = parse_properties(message.properties)
            address = Address(found.epoch, found.seq)
            if (edge, address) in self.committed or (edge, address) in self.closed:
                self.repeated += 1
            else:
                self.committed[edge, address] = message.payload
            return [Message(ack_topic(edge), encode_message(self.ack(edge, found.epoch)))]
        if message.topic == state_topic(edge):
            birth = decode_birth(message.payload)
            self.births.append(birth)
            if birth.online:
                answers: list[Welcome | Evidence] = [self.welcome(edge, birth), *self.evidence(edge, birth)]
                return [Message(ack_topic(edge), encode_message(answer)) for answer in answers]
        return []

    def numbers(self, edge: str, epoch: int) -> set[int]:
        """Numbers of an epoch that are committed or closed."""
        return {a.seq for e, a in [*self.committed, *self.closed] if e == edge and a.epoch == epoch}

    def ack(self, edge: str, epoch: int) -> Ack:
        """The acknowledgement of an epoch, from what is committed."""
        numbers = self.numbers(edge, epoch)
        upto = 0
        while upto + 1 in numbers:
            upto += 1
        beyond = [(low, high) for _, low, high in ranges_of(Address(epoch, n) for n in numbers if n > upto)]
        refused = []
        for (e, address), body in self.committed.items():
            if e == edge and address.epoch == epoch:
                blocks, _ = unpack_batch(decode_batch(body))
                refused += [(address.seq, n, why) for n, block in enumerate(blocks) if (why := self.refuse(block))]
        return Ack(epoch, upto, beyond, refused, self.incarnation)

    def welcome(self, edge: str, birth: Birth) -> Welcome:
        """The answer to a birth; closes what nobody holds, if the concentrator knows of this incarnation. What is
        closed is told every time: the answer that told it first may not have arrived.
        """
        marks: dict[tuple[str, str], int] = {}
        for block in self.blocks(edge):
            key = block.key.device, block.key.register
            marks[key] = max(marks.get(key, 0), block.start_ms + block.step_ms * len(block.values))
        if birth.incarnation in ("", self.incarnation):
            holes = [
                Address(epoch, seq)
                for epoch in {a.epoch for e, a in self.committed if e == edge}
                for seq in range(1, max(self.numbers(edge, epoch)))
                if seq not in self.numbers(edge, epoch)
                and not any(h == epoch and low <= seq <= high for h, low, high in birth.held)
            ]
            self.closed.update((edge, address) for address in holes)
        closed = ranges_of(address for e, address in self.closed if e == edge)
        return Welcome(self.incarnation, [(d, r, at) for (d, r), at in marks.items()], closed)

    def evidence(self, edge: str, birth: Birth) -> list[Evidence]:
        """What is in evidence of intervals, a page for each register; none if the birth does not ask."""
        if not birth.ask:
            return []
        timelines: dict[tuple[str, str], Timeline] = {}
        for block in self.blocks(edge):
            if block.step_ms:
                end = block.start_ms + block.step_ms * len(block.values)
                key = block.key.device, block.key.register
                timelines[key] = paint(timelines.get(key, []), Stretch(block.start_ms, end, Known.READ))
        found = [
            [
                (
                    *key,
                    [
                        at
                        for each in line
                        if each.end_ms > birth.ask
                        for at in (max(each.start_ms, birth.ask), each.end_ms)
                    ],
                )
            ]
            for key, line in timelines.items()
        ] or [[]]
        return [
            Evidence(self.incarnation, birth.ask, birth.at, n, len(found), registers)
            for n, registers in enumerate(found, 1)
        ]

    def blocks(self, edge: str) -> list[Block]:
        """All blocks in evidence, refused ones left out."""
        found = []
        for (e, _), body in self.committed.items():
            if e == edge:
                found += [block for block in unpack_batch(decode_batch(body))[0] if not self.refuse(block)]
        return found

    def records(self, edge: str) -> list[Record]:
        """All records in evidence."""
        return [r for (e, _), body in self.committed.items() if e == edge for r in unpack_batch(decode_batch(body))[1]]

    def attach(self, broker: FakeBroker) -> Callable[[Message], None]:
        """Listen to a broker in memory and answer through it; gives the listener, to be removed by who wants it."""

        def listen(message: Message) -> None:
            if message.topic.endswith(("/data", "/state")):
                for answer in self.hear(message):
                    broker.accept(answer)

        broker.listeners.append(listen)
        return listen
