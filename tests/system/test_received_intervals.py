"""Interval data and states that others send of our points: beside the meters', never instead of them."""

from __future__ import annotations

from datetime import date

from sqlalchemy import insert, select

from central.ingest.tables import register_reading
from central.market.cdsdata import IntervalData, Location, Profile, ProfileDay, write_interval_data
from central.network.tables import channel
from central.platform.database import transaction
from central.readings.tables import day_profile
from central.readings.testing import make_profiles
from central.registry.tables import supply_point
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
from tests.system.market_desk import NOW, PACKAGE, Desk, message, open_desk
from tests.unit.central.market.content_examples import OPERATOR, OTHER, PAYLOADS, POINT
from tests.unit.central.market.examples import envelope

DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 1))
MEASURED = list(range(96))
QUERY = {"point": POINT, "first": "2026-02-28", "stop": "2026-03-04"}


def interval_data(message_id: str, values: list[int], point: str = POINT) -> bytes:
    profile = Profile("A+", "Wh", 0, [ProfileDay(DAY, values)])
    sent = IntervalData(envelope(message_id, OPERATOR), [Location(point, 1, [profile])])
    return write_interval_data(PACKAGE, sent)


def measured(desk: Desk) -> None:
    with transaction(desk.engine) as db:
        number = db.execute(
            insert(channel)
            .values(
                supply_point=select(supply_point.c.id).where(supply_point.c.ean == POINT).scalar_subquery(),
                point="M1", direction="A+", commodity="electricity", unit="Wh", exponent=0, kind="interval",
                step_ms=900_000,
            )
            .returning(channel.c.id)
        ).scalar_one()  # fmt: skip
        db.execute(
            insert(day_profile).values(
                channel=number, day=DAY.date, version=1, values=MEASURED, step_ms=900_000, made_at=NOW,
                made_by="test", missing=0, batches=[1], digest=b"1",
            )
        )  # fmt: skip


def test_values_of_others_stand_beside_what_was_measured(database_url: str) -> None:
    with open_desk(database_url) as desk:
        measured(desk)
        assert desk.bring(interval_data("IN-1", [*MEASURED[:-1], 1000])) == "applied"
        (day,) = desk.call("GET", "/received-intervals", params=QUERY)
        assert (day["source"], day["direction"], day["day"], day["intervals"], day["differ"]) == (
            f"cdsdata-{OPERATOR}", "A+", "2026-03-01", 96, 1,
        )  # fmt: skip
        assert (day["received"] - day["measured"], day["version"]) == ((1000 - 95) * 10 ** -day["exponent"], 1)
        make_profiles(desk.engine, desk.clock)
        with transaction(desk.engine) as db:
            kept = db.execute(select(day_profile.c.version, day_profile.c["values"])).all()
        assert [(row.version, list(row.values)) for row in kept] == [(1, MEASURED)], "what was measured stays"
        assert desk.bring(interval_data("IN-2", MEASURED)) == "applied", "their correction"
        (day,) = desk.call("GET", "/received-intervals", params=QUERY)
        assert (day["differ"], day["received"] == day["measured"]) == (0, True)
        assert desk.call("GET", "/received-intervals", params=QUERY | {"only_different": True}) == []
        assert desk.bring(interval_data("IN-3", MEASURED, OTHER)) == "kept", "not ours"
        assert desk.bring(interval_data("IN-4", [10**9] * 96)) == "kept"
        told = desk.get("/received", outcome="kept")[-1]["why"]
        assert "within the register's limits" in told, told
        assert desk.bring(message("122", PAYLOADS["122"], "IN-5")) == "applied"
        with transaction(desk.engine) as db:
            states = db.execute(select(register_reading.c.value)).scalars().all()
        assert states, "states stand in registers of the source"
