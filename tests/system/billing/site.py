"""The model site with a month of evidence put straight into the database, for tests of what comes after readings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, insert, select, text

from central.api.app import create_app
from central.ingest.tables import batch, block, register_reading
from central.network.tables import evidence_channel, meter
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.identity import Person
from central.platform.settings import Settings, TokenSetting
from central.readings.testing import make_profiles
from central.readings.vee.stage import validate_once
from central.settlement.scope import Scope
from central.settlement.write import RunMade
from central.workflow.load_site import load_site
from central.workflow.prepare import prepare
from central.workflow.settle_month import Period, settle
from deploy.demo import render
from deploy.demo.scenario import render_scenario
from deploy.demo.site import build_site
from firmware_sims.scenario import parse_scenario
from firmware_sims.truth import Truth
from shared.clock import Clock
from shared.metering_day import month_bounds, month_days
from shared.quantities import Commodity, Flag
from shared.testing import ManualClock

MONTH = date(2026, 3, 1)
NOW = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)
RIGHTS = frozenset({"read", "operate", "settle", "invoice", "pay", "market", "admin"})
CLERK = Person("Fakturantka", RIGHTS)
TOKEN = "clerk-token-0123456789"
READER_TOKEN = "reader-token-0123456789"
SETTLER_TOKEN = "settler-token-0123456789"
"""Of a person who may do everything but issue invoices."""
POINTS = 47
"""Supply points of the model site that are billed."""


def settle_march(connection: Connection, clock: Clock, points: Sequence[int] | None = None) -> RunMade:
    """A regular run of the month, of all supply points or of these."""
    return settle(connection, Period.of_month(MONTH), "regular", Scope(points), clock, CLERK)


@dataclass(frozen=True)
class BilledSite:
    """A database with the model site and its March in evidence, and a clock standing at 1 April."""

    engine: Engine
    clock: ManualClock
    url: str

    def one(self, statement: str, **parameters: Any) -> Any:
        """One value of the database."""
        with transaction(self.engine) as connection:
            return connection.execute(text(statement), parameters).scalar_one()

    def do(self, statement: str, **parameters: Any) -> None:
        """A change behind the product's back, as a test's cause."""
        with transaction(self.engine) as connection:
            connection.execute(text(statement), parameters)

    def validate(self) -> None:
        """Work off what waits for the validation: nothing is settled before."""
        while validate_once(self.engine, self.clock).worked:
            pass

    @contextmanager
    def client(self, token: str = TOKEN) -> Iterator[TestClient]:
        """The API over this database and clock, as the person of a token."""
        tokens = (
            TokenSetting(token=SecretStr(TOKEN), name=CLERK.name, rights=RIGHTS),
            TokenSetting(token=SecretStr(READER_TOKEN), name="Čtenář", rights=frozenset({"read"})),
            TokenSetting(token=SecretStr(SETTLER_TOKEN), name="Zúčtovatelka", rights=RIGHTS - {"invoice"}),
        )
        app = create_app(Settings(database_url=self.url, tokens=tokens))
        app.dependency_overrides[get_clock] = lambda: self.clock
        with TestClient(app, headers={"Authorization": f"Bearer {token}"}) as client:
            yield client


@contextmanager
def billed_site(url: str) -> Iterator[BilledSite]:
    """A database that was filled already."""
    engine = make_engine(url)
    try:
        yield BilledSite(engine, ManualClock(NOW), url)
    finally:
        engine.dispose()


def fill(url: str, skipped: Skipped | None = None, truth: Truth | None = None) -> None:
    """Load the model site, put a month of evidence in, make day profiles.

    With `truth` the evidence is what the simulated meters have measured, else it is made up.
    """
    engine = make_engine(url)
    with transaction(engine) as connection:
        load_site(connection, render.central_site(build_site()), CLERK, NOW)
        put_evidence(connection, skipped or Skipped(), truth)
    make_profiles(engine, ManualClock(NOW))
    engine.dispose()


def settle_with_rows(url: str) -> None:
    """Settle March in a filled database, and give each contract a row of the payment calendar for it."""
    with billed_site(url) as built:
        with transaction(built.engine) as connection:
            prepare(connection, CLERK, NOW)
            settle_march(connection, built.clock)
        built.do("""
            INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due)
            SELECT DISTINCT contract, daterange('2026-03-01', '2026-04-01'), false, true, false FROM billing_basis
        """)


@dataclass(frozen=True)
class Skipped:
    """What the evidence lacks: a day of the first high-voltage point, the last state of the first two-tariff point.

    `late_s` moves every state behind its boundary.
    """

    day: date | None = None
    last_state: bool = False
    late_s: int = 0


def true_month() -> Truth:
    """What the simulated meters of the model site have measured; their lines are not opened."""
    links: dict[str, dict[str, Any]] = {
        name: {"kind": "serial", "path": f"lines/{name}", "baud": 19_200} for name in ("hdlc-1", "hdlc-2", "rtu-1")
    }
    links |= {
        name: {"kind": "tcp", "host": "127.0.0.1", "port": n} for n, name in enumerate(("dlms-tcp", "modbus-tcp"), 1)
    }
    scenario = render_scenario(build_site(), links, Path("truth.jsonl"))
    return Truth(parse_scenario(json.dumps(scenario).encode()))


def put_evidence(connection: Connection, skipped: Skipped, truth: Truth | None = None) -> None:
    """One batch a register: 31 blocks of intervals, or both states; deterministic."""
    first_profile, first_register = connection.execute(text(FIRST_OF_EACH)).one()
    query = select(
        evidence_channel.c.id,
        evidence_channel.c.concentrator,
        evidence_channel.c.device,
        evidence_channel.c.register,
        evidence_channel.c.kind,
        evidence_channel.c.exponent,
        meter.c.commodity,
        meter.c.model,
    ).join(meter, meter.c.id == evidence_channel.c.device)
    for number, row in enumerate(connection.execute(query.order_by(evidence_channel.c.id)).all(), start=1):
        commodity = Commodity(row.commodity)
        start, end = month_bounds(commodity, MONTH.year, MONTH.month)
        identifier = connection.execute(
            insert(batch)
            .values(
                edge=row.concentrator,
                epoch=7,
                seq=number,
                received_at=NOW,
                evidence_channels=[row.id],
                first_start=start if row.kind == "interval" else None,
                last_end=end if row.kind == "interval" else None,
            )
            .returning(batch.c.id)
        ).scalar_one()
        if row.kind == "interval":
            without = skipped.day if row.id == first_profile else None
            connection.execute(insert(block), list(_blocks(row, identifier, commodity, without, truth)))
        else:
            first = 1_000_000 + row.id * 1000
            used = (150_000 + row.id * 1111) // 10**row.exponent
            late = timedelta(seconds=skipped.late_s)
            flags = int(Flag.DATA_INVALID) if skipped.last_state and row.id == first_register else 0
            last = first + used
            if truth is not None:
                register = "import" if row.model == "SDM630" else row.register
                first, last = (truth.state_at(row.device, register, at) for at in (start, end))
            values = ((start + late, first, 0), (end + late, last, flags))
            connection.execute(
                insert(register_reading),
                [
                    {
                        "at": at,
                        "batch_id": identifier,
                        "value": value,
                        "evidence_channel": row.id,
                        "quality": quality,
                        "marks": 0,
                    }
                    for at, value, quality in values
                ],
            )


FIRST_OF_EACH = """
    SELECT min(m.evidence_channel) FILTER (WHERE c.direction = 'A+' AND c.kind = 'interval'),
           min(m.evidence_channel) FILTER (WHERE c.direction = 'VT')
      FROM channel c
      JOIN channel_mapping m ON m.channel = c.id
      JOIN supply_point sp ON sp.id = c.supply_point AND sp.point_type = 'consumption'
"""


def _blocks(
    row: Any, identifier: int, commodity: Commodity, without: date | None, truth: Truth | None
) -> Iterator[dict[str, Any]]:
    random = np.random.default_rng(row.id)
    mean = {"1-0:1.29.0": 30_000, "1-0:2.29.0": 50, "1-0:3.29.0": 6_000, "1-0:4.29.0": 40}.get(row.register, 9_000)
    for day in month_days(commodity, MONTH.year, MONTH.month):
        if day.date == without:
            continue
        yield {
            "start": day.start,
            "batch_id": identifier,
            "evidence_channel": row.id,
            "step": int(day.step.total_seconds() * 1000),
            "marks": 0,
            "values": random.integers(mean // 2, mean * 3 // 2, day.length).tolist()
            if truth is None
            else truth.interval_values(row.device, row.register, day.start, day.end),
        }
