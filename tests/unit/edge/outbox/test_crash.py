"""Killed between any two statements, the outbox loses and doubles nothing; against a model of central."""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.outbox.model import Address, Deposit, Lane, RegisterStretch
from edge.outbox.store import OutboxStore
from edge.timeline import Known, Stretch
from edge.uplink.link import Message
from edge.uplink.testing import CentralModel
from shared.wire import Ack, data_topic, decode_message, user_properties
from tests.unit.edge.examples import interval_block

EDGE = "CONC-1"
REGISTER = "1-0:1.29.0"


class KilledError(Exception):
    """The process is gone."""


class MortalStore(OutboxStore):
    """Dies before or after its n-th statement."""

    steps_left: int | None = None

    def _step(self) -> None:
        if self.steps_left is not None:
            if self.steps_left == 0:
                raise KilledError
            self.steps_left -= 1

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        self._step()
        cursor = super()._execute(sql, parameters)
        self._step()
        return cursor

    def _executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self._step()
        super()._executemany(sql, rows)
        self._step()


class World:
    """One concentrator, the way to central, and central."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "outbox.sqlite"
        self.central = CentralModel()
        self.epochs = itertools.count(100)
        self.days = itertools.count()
        self.sure: set[int] = set()
        self.maybe: set[int] = set()
        self.known_incarnation = ""
        self.store = self.open()

    def open(self) -> MortalStore:
        self.epoch = next(self.epochs)
        store = MortalStore(self.path)
        store._execute("PRAGMA synchronous = OFF")  # a killed process, not a power cut: the kernel lives on
        return store

    @contextmanager
    def dying_after(self, steps: int | None) -> Iterator[None]:
        self.store.steps_left = steps
        try:
            yield
        except KilledError:
            self.store.steps_left = None
            self.store.close()
            self.store = self.open()
        finally:
            self.store.steps_left = None

    def deposit(self, count: int, steps: int | None) -> None:
        numbers = [next(self.days) for _ in range(count)]
        self.maybe.update(numbers)
        with self.dying_after(steps):
            self.store.deposit([deposit_of(n) for n in numbers])
            self.sure.update(numbers)

    def number(self, blocks: int, steps: int | None, arrives: bool) -> None:
        with self.dying_after(steps):
            batch = self.store.number(self.epoch, blocks, 10_000)
            if batch is not None and arrives:
                self.publish(batch.address)

    def publish(self, address: Address) -> Ack | None:
        body = self.store.body(address)
        if body is None:
            return None
        properties = user_properties(EDGE, address.epoch, address.seq)
        (answer,) = self.central.hear(Message(data_topic(EDGE), body, properties))
        ack = decode_message(answer.payload)
        assert isinstance(ack, Ack)
        return ack

    def resend(self, place: int, steps: int | None, ack_arrives: bool) -> None:
        with self.dying_after(steps):
            held = self.store.held()
            if held:
                ack = self.publish(held[place % len(held)])
                if ack is not None and ack_arrives:
                    self.acknowledge(ack)

    def acknowledge(self, ack: Ack) -> None:
        if ack.incarnation != self.known_incarnation:
            self.store.offer_again(ack.incarnation)
            self.known_incarnation = ack.incarnation
        self.store.acknowledge(ack.epoch, ack.upto, ack.beyond, ack.refused, 0)

    def restore(self, draw: random.Random) -> None:
        """Central's database comes back from a backup that lacks some of the last batches."""
        addresses = sorted(self.central.committed)
        for address in draw.sample(addresses, len(addresses) // 2):
            del self.central.committed[address]
        self.central.incarnation += "'"

    def deliver_all(self) -> None:
        for _ in range(500):
            self.store.number(self.epoch, 64, 10_000)
            held = self.store.held()
            if not held and not self.store.counts.pending:
                if self.known_incarnation == self.central.incarnation:
                    return
                # central says its incarnation in the answer to the next birth
                self.store.offer_again(self.central.incarnation)
                self.known_incarnation = self.central.incarnation
            for address in held:
                ack = self.publish(address)
                assert ack is not None
                self.acknowledge(ack)
        raise AssertionError("the outbox never empties")

    def check(self) -> None:
        values = [block.values[0] for block in self.central.blocks(EDGE)]
        assert len(values) == len(set(values)), "doubled"
        assert self.sure <= set(values), f"lost {sorted(self.sure - set(values))}"
        assert set(values) <= self.sure | self.maybe
        read = {
            each.start_ms // 86_400_000
            for each in self.store.progress()["LU-1"].registers[REGISTER]
            if each.known is Known.READ
        }
        assert read == set(values), "progress and evidence differ"
        assert self.store.counts.pending == 0
        assert self.store.counts.unacked == 0


def deposit_of(n: int) -> Deposit:
    return Deposit(
        [interval_block("LU-1", n * 86_400_000, [n])],
        [],
        Lane.LIVE if n % 3 else Lane.BACKFILL,
        [RegisterStretch("LU-1", REGISTER, Stretch(n * 86_400_000, n * 86_400_000 + 900_000, Known.READ))],
    )


def test_killed_at_every_statement_of_every_verb() -> None:
    survived = 0
    for verb in ("deposit", "number", "resend", "offer again", "closed"):
        for steps in itertools.count():
            with TemporaryDirectory() as folder:
                world = World(Path(folder))
                world.deposit(3, None)
                world.number(2, None, arrives=False)
                died = world.store
                if verb == "deposit":
                    world.deposit(2, steps)
                elif verb == "number":
                    world.number(1, steps, arrives=True)
                elif verb == "resend":
                    world.resend(0, steps, ack_arrives=True)
                elif verb == "closed":
                    # central closes nothing that is held; the agent must bear it all the same
                    with world.dying_after(steps):
                        world.store.closed([(world.epoch, 9, 9)])
                else:
                    world.resend(0, None, ack_arrives=True)
                    world.restore(random.Random(1))
                    with world.dying_after(steps):
                        world.store.offer_again(world.central.incarnation)
                        world.known_incarnation = world.central.incarnation
                whole = world.store is died
                world.deliver_all()
                world.check()
                world.store.close()
            survived += 1
            if whole:
                break
    assert survived > 40


STEPS = st.one_of(st.none(), st.integers(0, 25))
ACTIONS = st.one_of(
    st.tuples(st.just("deposit"), st.integers(1, 4), STEPS),
    st.tuples(st.just("number"), st.integers(1, 3), STEPS, st.booleans()),
    st.tuples(st.just("resend"), st.integers(0, 9), STEPS, st.booleans()),
    st.tuples(st.just("restore"), st.integers(0, 9)),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTIONS, min_size=3, max_size=25))
def test_any_order_of_faults(actions: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.deposit(1, None)
        for name, *arguments in actions:
            if name == "deposit":
                world.deposit(*arguments)
            elif name == "number":
                world.number(*arguments)
            elif name == "resend":
                world.resend(*arguments)
            else:
                world.restore(random.Random(arguments[0]))
        world.deliver_all()
        world.check()
        world.store.close()
