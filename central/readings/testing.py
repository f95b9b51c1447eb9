"""Evidence for tests: batches with blocks and states as ingest would have stored them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, insert, select

from central.ingest.tables import batch, block, register_reading
from central.network.tables import channel, channel_mapping, concentrator, evidence_channel, meter
from central.readings.consolidate import consolidate_once
from central.readings.vee.stage import validate_once
from shared.clock import Clock

QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)


def make_profiles(engine: Engine, clock: Clock) -> None:
    """Consolidate and validate until there is nothing left to do, as the service does."""
    while consolidate_once(engine, clock).worked:
        pass
    while validate_once(engine, clock).worked:
        pass


@dataclass(frozen=True)
class GivenBlock:
    """A block as delivered: values of `step` from `start` on, with the meter's flags or None."""

    evidence_channel: int
    start: datetime
    values: Sequence[int]
    step: timedelta = QUARTER
    flags: Sequence[int] | None = None
    marks: int = 0


@dataclass
class Evidence:
    """Stores batches of one concentrator, numbered from 1."""

    connection: Connection
    edge: str = "K1"
    seq: int = field(default=0)

    def batch(self, *blocks: GivenBlock, states: Mapping[int, datetime] | None = None) -> int:
        """One batch with these blocks, and room for a state of each of these registers; returns its id."""
        self.seq += 1
        read = states or {}
        first = min([*(each.start for each in blocks), *read.values()], default=None)
        last = max([*(each.start + len(each.values) * each.step for each in blocks), *read.values()], default=None)
        statement = (
            insert(batch)
            .values(
                edge=self.edge,
                epoch=1,
                seq=self.seq,
                received_at=last or datetime.fromisoformat("2026-03-01T00:00:00+00:00"),
                evidence_channels=sorted({*(each.evidence_channel for each in blocks), *read}),
                first_start=first,
                last_end=last,
            )
            .returning(batch.c.id)
        )
        number: int = self.connection.execute(statement).scalar_one()
        for each in blocks:
            self.connection.execute(
                insert(block).values(
                    start=each.start,
                    batch_id=number,
                    evidence_channel=each.evidence_channel,
                    step=each.step // timedelta(milliseconds=1),
                    marks=each.marks,
                    values=list(each.values),
                    quality=None if each.flags is None else list(each.flags),
                )
            )
        return number

    def state(self, register: int, at: datetime, value: int, quality: int = 0) -> int:
        """One batch with one register state; returns the batch's id."""
        number = self.batch(states={register: at})
        self.connection.execute(
            insert(register_reading).values(
                at=at, batch_id=number, value=value, evidence_channel=register, quality=quality, marks=0
            )
        )
        return number


def make_meter(
    connection: Connection, name: str, *, commodity: str = "electricity", kind: str = "interval", exponent: int = 0
) -> int:
    """A meter of concentrator K1 with one register; returns the evidence channel's id."""
    if connection.execute(select(concentrator.c.id).where(concentrator.c.id == "K1")).first() is None:
        connection.execute(insert(concentrator).values(id="K1", name="K1", place="test"))
    connection.execute(insert(meter).values(id=name, serial=name, model="test", commodity=commodity, concentrator="K1"))
    row = {
        "concentrator": "K1",
        "device": name,
        "register": "r",
        "unit": _unit(commodity),
        "exponent": exponent,
        "kind": kind,
        "step_ms": _step_ms(commodity, kind),
    }
    number: int = connection.execute(insert(evidence_channel).values(row).returning(evidence_channel.c.id)).scalar_one()
    return number


def make_channel(
    connection: Connection, point: str, *, commodity: str = "electricity", kind: str = "interval", exponent: int = 0
) -> int:
    """A channel without a supply point; returns its id."""
    row = {
        "point": point,
        "direction": {"gas": "V", "electricity": "A+"}[commodity] if kind == "interval" else "JT",
        "commodity": commodity,
        "unit": _unit(commodity),
        "exponent": exponent,
        "kind": kind,
        "step_ms": _step_ms(commodity, kind),
    }
    number: int = connection.execute(insert(channel).values(row).returning(channel.c.id)).scalar_one()
    return number


def map_channel(
    connection: Connection, register: int, target: int, valid: object, multiplier: int = 1, sign: int = 1
) -> None:
    """Let a register feed a channel; `valid` is a tstzrange (SQLAlchemy's Range or its text)."""
    connection.execute(
        insert(channel_mapping).values(
            evidence_channel=register, channel=target, multiplier=multiplier, sign=sign, valid=valid
        )
    )


def _unit(commodity: str) -> str:
    return {"electricity": "Wh", "gas": "m3"}[commodity]


def _step_ms(commodity: str, kind: str) -> int:
    if kind == "state":
        return 0
    return {"electricity": QUARTER, "gas": HOUR}[commodity] // timedelta(milliseconds=1)
