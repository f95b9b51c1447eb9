"""Acts at gas points become CDSGASMASTERDATA, done when GASRESPONSE accepts; master data received wait as proposals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects.postgresql import Range

from central.market.contents import read_any
from central.market.envelope import Envelope, Participant
from central.market.payloads.gas_master_data import (
    GasConsumption,
    GasMasterData,
    GasMetering,
    GasNetwork,
    GasPointData,
)
from central.market.payloads.master_data import PointParty
from central.market.response import Reason, Response, write_response
from central.market.tables import market_message
from central.network.tables import channel
from central.platform.database import transaction
from central.readings.testing import make_channel, make_meter, map_channel
from central.registry.tables import contract, contract_item, supply_point
from tests.system.market_desk import NEW_SUPPLIER, NOW, PACKAGE, Desk, message, open_desk
from tests.unit.central.market.content_examples import OPERATOR, US
from tests.unit.central.market.gas_examples import GAS_OTHER, GAS_POINT

MARCH = date(2026, 3, 1)


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """A gas point with a meter whose state can be read, connected on 2 March."""
    with open_desk(database_url) as opened:
        with transaction(opened.engine) as db:
            like = db.execute(select(supply_point)).mappings().one()
            kept = ("object", "street", "city", "postal_code", "operator", "supplier")
            point = db.execute(
                insert(supply_point)
                .values(
                    **{name: like[name] for name in kept}, ean=GAS_POINT, name="Kotelna", commodity="gas",
                    metering_type="C4", load_profile_class="5", pressure_level="low", gas_group="2",
                    since=date(2026, 3, 2),
                )
                .returning(supply_point.c.id)
            ).scalar_one()  # fmt: skip
            # Another one that is not told before its category is known.
            db.execute(
                insert(supply_point).values(
                    **{name: like[name] for name in kept}, ean=GAS_OTHER, name="Hala", commodity="gas",
                    metering_type="A", since=date(2026, 3, 3),
                )
            )  # fmt: skip
            db.execute(
                insert(contract_item).values(
                    contract=select(contract.c.id).scalar_subquery(), supply_point=point, prices="GASNET",
                    gas_category="low", annual_mwh=48, valid=Range(date(2025, 1, 1), None), kind="distribution",
                )
            )  # fmt: skip
            register = make_meter(db, "G1", commodity="gas", kind="state", exponent=-3)
            states = make_channel(db, "PG", commodity="gas", kind="state", exponent=-3)
            db.execute(update(channel).where(channel.c.id == states).values(supply_point=point))
            map_channel(db, register, states, "[2025-01-01 00:00+00,)")
            db.execute(
                text("""
                    INSERT INTO meter_state (evidence_channel, at, value, kind, entered_at, entered_by)
                    VALUES (:register, '2026-03-20 09:00+01', 10233400, 'own', :at, 'Jana')
                """),
                {"register": register, "at": datetime(2026, 3, 20, 9, tzinfo=UTC)},
            )
        opened.client.app.state.settings.market_since = MARCH  # type: ignore[attr-defined]  # the stubs miss the app
        yield opened


def answer(desk: Desk, kind: str) -> None:
    """GASRESPONSE to everything of gas that was sent."""
    desk.send()
    with transaction(desk.engine) as db:
        waiting = select(market_message.c.message_id).where(
            market_message.c.message_code == "XG1", market_message.c.state == "sent"
        )
        for sent in db.execute(waiting).scalars().all():
            envelope = Envelope(
                f"A-{sent}"[:35], "XG2", NOW, Participant(OPERATOR), Participant(US), (sent,), None, "CS", "1", "1"
            )
            content = write_response(PACKAGE, Response(envelope, [Reason(kind, "0200", "")]))
            assert b"GASRESPONSE" in content
            assert desk.bring(content) == "applied"


def duties(desk: Desk) -> dict[str, str]:
    found = desk.get("/duties", message_code="XG1", limit=1000)
    return {each["why"]: each["state"] for each in found if each["subject"] == GAS_POINT}


def test_acts_at_a_gas_point_are_told_and_done_when_accepted(desk: Desk) -> None:
    told = desk.post("/tell", {})
    (open_one,) = desk.get("/duties", message_code="XG1", state="open")
    assert open_one["subject"] == GAS_OTHER
    assert "has no category" in open_one["problem"]
    assert told["made"] == 1
    (duty,) = desk.get("/duties", message_code="XG1", state="told")
    assert (duty["why"], duty["subject"], duty["first_day"]) == ("gas_registration", GAS_POINT, "2026-03-02")
    assert datetime.fromisoformat(duty["deadline"]) == datetime(2026, 3, 9, 23, tzinfo=UTC)
    (process,) = desk.get("/processes", subject=GAS_POINT)
    assert (process["scenario"], process["state"]) == ("registration", "sent")
    answer(desk, "A02")
    assert duties(desk) == {"gas_registration": "open"}
    desk.clock.set(desk.clock.now() + timedelta(minutes=5))
    desk.post("/tell?again=true", {})
    answer(desk, "A01")
    assert duties(desk) == {"gas_registration": "done"}
    assert desk.get("/processes", subject=GAS_POINT)[0]["state"] == "done"

    # Suspended on 20 March, with another capacity from the 25th on.
    with transaction(desk.engine) as db:
        ours = supply_point.c.ean == GAS_POINT
        number = db.execute(select(supply_point.c.id).where(ours)).scalar_one()
        db.execute(update(supply_point).where(ours).values(since=date(2026, 3, 20)))
        db.execute(
            text("""
                INSERT INTO supply_point_past (supply_point, commodity, valid, name, object, street, city, postal_code,
                       metering_type, category, load_profile_class, pressure_level, gas_group, operator, supplier,
                       state)
                SELECT id, commodity, daterange('2026-03-02', '2026-03-20'), name, object, street, city, postal_code,
                       metering_type, category, load_profile_class, pressure_level, gas_group, operator, supplier, state
                  FROM supply_point WHERE id = :point
            """),
            {"point": number},
        )
        db.execute(update(supply_point).where(ours).values(state="suspended"))
        db.execute(
            text("INSERT INTO gas_capacity (supply_point, kind, m3_a_day, valid)"
                 " VALUES (:point, 'sliding', 30, daterange('2026-03-25', '2026-03-30'))"),
            {"point": number},
        )  # fmt: skip
    desk.clock.set(desk.clock.now() + timedelta(minutes=5))
    desk.post("/tell", {})
    answer(desk, "A01")
    assert duties(desk) == {"gas_registration": "done", "gas_suspension": "done", "gas_change_of_capacity": "done"}
    with transaction(desk.engine) as db:
        rows = db.execute(
            select(market_message.c.xml)
            .where(market_message.c.message_code == "XG1", market_message.c.state == "accepted")
            .order_by(market_message.c.period, market_message.c.id)
        ).scalars()
        points = [read_any(PACKAGE, bytes(content)).payload.points[0] for content in rows]
    registered, stopped, more, less = points
    assert (registered.action, registered.metering.kind, registered.consumption.category) == ("register", "C", "MO")
    assert registered.consumption.planned_annual_kwh == 48_000
    assert (registered.network.pressure, registered.group) == ("low", "2")
    assert (stopped.action, str(stopped.suspensions[0].reading_m3)) == ("suspend", "10233.4")
    assert stopped.consumption.planned_annual_kwh == 0
    assert (more.first_day, more.consumption.reserved_daily_m3) == (date(2026, 3, 25), 30)
    assert (less.first_day, less.consumption.reserved_daily_m3) == (date(2026, 3, 30), None)

    # The capacity was a mistake: both of its days are told as they were after all.
    with transaction(desk.engine) as db:
        db.execute(text("DELETE FROM gas_capacity"))
    desk.clock.set(desk.clock.now() + timedelta(minutes=5))
    assert desk.post("/tell", {})["made"] == 2
    with transaction(desk.engine) as db:
        rows = db.execute(
            select(market_message.c.xml).where(
                market_message.c.message_code == "XG1", market_message.c.state == "saved"
            )
        ).scalars()
        points = [read_any(PACKAGE, bytes(content)).payload.points[0] for content in rows]
    assert {(point.action, point.first_day, point.consumption.reserved_daily_m3) for point in points} == {
        ("change", date(2026, 3, 25), None),
        ("change", date(2026, 3, 30), None),
    }


def test_master_data_of_a_gas_point_wait_and_are_taken(desk: Desk) -> None:
    data = GasMasterData(
        points=[
            GasPointData(
                opm=GAS_POINT, action="change", first_day=date(2026, 4, 1), metering=GasMetering(kind="CM"),
                network=GasNetwork(operator=US, pressure="medium"), group="2",
                consumption=GasConsumption(category="MO", tdd_class="7", planned_annual_kwh=48_000),
                parties=[PointParty(role="supplier", id=NEW_SUPPLIER, first_day=date(2026, 4, 1))],
            )
        ]
    )  # fmt: skip
    assert desk.bring(message("XG3", data)) == "proposed"
    (proposal,) = desk.get("/proposals")
    assert sorted(proposal["proposed"]["changes"]) == [
        "load_profile_class",
        "planned_mwh",
        "pressure_level",
        "supplier_ean",
    ]
    desk.post(f"/proposals/{proposal['id']}/take?confirmed=true", {"why": "souhlasí"})
    with transaction(desk.engine) as db:
        row = db.execute(select(supply_point).where(supply_point.c.ean == GAS_POINT)).mappings().one()
    assert (row["since"], row["load_profile_class"], row["metering_type"]) == (date(2026, 4, 1), "7", "C4")
    assert (row["pressure_level"], row["gas_group"]) == ("medium", "2")
