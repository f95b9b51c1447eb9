"""Gas points and their data with the sandbox of OTE as a process: rejected, put right by themselves, accepted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text

from central.market import format_package
from central.market.tables import market_message
from central.network.tables import channel
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings
from central.readings.gas.tables import calorific_value, gas_area
from central.readings.tables import day_profile
from central.registry.tables import party, supply_point
from shared.metering_day import days_between
from shared.quantities import Commodity
from shared.testing import ManualClock
from tests.system.test_market import SENDER, TOKENS, House, make_app, serve, wait_for
from tests.unit.central.market.edigas_examples import take_in, with_energies

NOW = datetime(2026, 4, 1, 8, tzinfo=UTC)
GOOD, BAD = "27ZG600Z0012345N", "27ZG600Z0067890H"
DAYS = days_between(Commodity.GAS, date(2026, 3, 30), date(2026, 4, 1))


@pytest.fixture
def house(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Two points of type A from 30 March on with two gas days of values; the operator's gas schemas are taken in."""
    monkeypatch.setenv("ROZVODNA_HOME", str(tmp_path))
    monkeypatch.setattr(format_package, "_FOLDERS", {})
    change, mappings = with_energies()
    take_in(format_package.look_into(tmp_path), change, given=mappings)
    with ExitStack() as stack:
        engine = make_engine(database_url)
        stack.callback(engine.dispose)
        settings = Settings(database_url=database_url, tokens=TOKENS, home=tmp_path, market_since=date(2026, 3, 1))
        house = House(engine, settings, tmp_path, ManualClock(NOW), stack)
        place = {"street": "Dlouhá 1", "city": "Brno", "postal_code": "60200"}
        with transaction(engine) as db:
            db.execute(insert(gas_area).values(id="A", name="A", source="test"))
            for day in DAYS:
                heat(db, day.date, 1, "10.5")
            operator = db.execute(
                insert(party)
                .values(code="LDS", name="Areál s.r.o.", roles=["operator"], ean13=SENDER, **place)
                .returning(party.c.id)
            ).scalar_one()
            for eic in (GOOD, BAD):
                point = db.execute(
                    insert(supply_point)
                    .values(
                        ean=eic, name=f"Kotelna {eic[-2]}", object="Areál", commodity="gas", metering_type="A",
                        operator=operator, category="household", since=date(2026, 3, 30), **place,
                    )
                    .returning(supply_point.c.id)
                ).scalar_one()  # fmt: skip
                db.execute(
                    text("""
                        INSERT INTO gas_capacity (supply_point, kind, m3_a_day, valid)
                        VALUES (:point, 'sliding', 30, '[2026-03-30,2027-01-01)')
                    """),
                    {"point": point},
                )
                volumes = db.execute(
                    insert(channel)
                    .values(
                        supply_point=point, point=f"P{point}", direction="A+", commodity="gas", unit="m3", exponent=-3,
                        kind="interval", step_ms=3_600_000,
                    )
                    .returning(channel.c.id)
                ).scalar_one()  # fmt: skip
                db.execute(
                    text("""
                        INSERT INTO gas_conversion (channel, area, kind, coefficient, valid, source)
                        VALUES (:channel, 'A', 'fixed', 0.98, '[2026-03-01,)', 'test')
                    """),
                    {"channel": volumes},
                )
                for day in DAYS:
                    measure(db, volumes, day.date, 1, [2_000] * day.length)
        house.url = serve(make_app(house), stack)
        stack.callback(house.kill_sandbox)
        yield house


def measure(db: Connection, number: int, day: date, version: int, values: list[int]) -> None:
    db.execute(
        insert(day_profile).values(
            channel=number, day=day, version=version, values=values, step_ms=3_600_000, made_at=NOW, made_by="test",
            missing=0, batches=[1], digest=bytes([version]),
        )
    )  # fmt: skip


def heat(db: Connection, day: date, version: int, value: str) -> None:
    db.execute(
        insert(calorific_value).values(
            area="A", period="day", first=day, version=version, value=value, kind="entered", source="test", reason="",
            made_at=NOW, made_by="test",
        )
    )  # fmt: skip


def exchange(house: House) -> dict[str, int]:
    """Tell, send, and wait for the answers; states of all messages."""
    reply = house.call("POST", "/tell")
    assert reply.status_code == 200, reply.text
    house.send()
    wait_for(lambda: not {"sent", "saved", "generated"} & set(house.states()))
    return house.states()


def told(house: House, code: str) -> list[tuple[str, int, int, str]]:
    """Of the messages of a code: EIC, day of March, version, state."""
    with transaction(house.engine) as db:
        rows = db.execute(select(market_message).where(market_message.c.message_code == code)).mappings()
        return sorted((row["subject"], row["period"].lower.day, row["version"], row["state"]) for row in rows)


def rejected_for(house: House, eic: str) -> set[str]:
    """Codes of the reasons why data of a point are rejected."""
    with transaction(house.engine) as db:
        kinds = market_message.c
        query = select(kinds.reasons).where(kinds.message_code == "XGE", kinds.subject == eic)
        return {reason["code"] for reasons in db.execute(query).scalars() for reason in reasons or []}


def test_gas_points_and_their_data_are_rejected_put_right_and_accepted(house: House) -> None:
    reject = {"answer": "reject", "nth": 1}
    house.start_sandbox(
        senders=[SENDER],
        strict=True,
        rules=[
            {"code": "XG1", "opm": BAD, "element": "/CDSGASMASTERDATA/OPM/@name", "text": "název nesouhlasí", **reject},
            {"code": "XGE", "opm": GOOD, "text": "den se prověřuje", "reason": "S120", **reject},
        ],
    )
    assert exchange(house) == {"accepted": 2, "rejected": 4}
    assert told(house, "XG1") == [(GOOD, 30, 1, "accepted"), (BAD, 30, 1, "rejected")]
    assert told(house, "XGE") == [
        (GOOD, 30, 1, "rejected"), (GOOD, 31, 1, "accepted"), (BAD, 30, 1, "rejected"), (BAD, 31, 1, "rejected"),
    ]  # fmt: skip
    assert (rejected_for(house, GOOD), rejected_for(house, BAD)) == ({"0200", "S120"}, {"S111"}), (
        "BAD is not registered"
    )

    # Nothing is told again while the data are the same.
    assert exchange(house) == {"accepted": 2, "rejected": 4}
    house.clock.set(NOW + timedelta(minutes=10))
    with transaction(house.engine) as db:
        db.execute(text("UPDATE supply_point SET name = 'Kotelna u vrat' WHERE ean = :eic"), {"eic": BAD})
        number = db.execute(
            text("SELECT c.id FROM channel c JOIN supply_point p ON p.id = c.supply_point WHERE p.ean = :eic"),
            {"eic": GOOD},
        ).scalar_one()
        measure(db, number, date(2026, 3, 30), 2, [3_000] * 24)
    assert exchange(house) == {"accepted": 4, "rejected": 2, "repaired": 2}
    assert told(house, "XG1")[1:] == [(BAD, 30, 1, "repaired"), (BAD, 30, 2, "accepted")]
    with transaction(house.engine) as db:
        kinds = market_message.c
        content = db.execute(select(kinds.xml).where(kinds.message_code == "XGE", kinds.version == 2)).scalar_one()
    assert b'<Version v="2"/>' in content
    # 3 m3 x 0.98 x 10.5 kWh/m3
    assert content.count(b'v="3" status="M" kwh="30.87" hs="10.5"') == 24

    # Its data are what they were: a person says that they go again, now that the point is registered.
    house.clock.set(NOW + timedelta(minutes=20))
    assert house.call("POST", "/tell", params={"again": True}).json()["made"] == 2
    assert exchange(house) == {"accepted": 6, "repaired": 4}
    assert {entry["code"] for entry in house.received()} == {"XG1", "XGE"}
    duties = house.call("GET", "/duties", params={"limit": 100}).json()
    assert {each["state"] for each in duties if each["message_code"] in ("XG1", "XGE")} == {"done"}

    # Another calorific value is another energy: the day is told anew of both points.
    house.clock.set(NOW + timedelta(minutes=30))
    with transaction(house.engine) as db:
        heat(db, date(2026, 3, 31), 2, "10.75")
    assert exchange(house) == {"accepted": 8, "repaired": 4}
    with transaction(house.engine) as db:
        query = select(kinds.xml).where(kinds.message_code == "XGE").order_by(kinds.id.desc()).limit(2)
        assert all(b'kwh="21.07" hs="10.75"' in content for content in db.execute(query).scalars())
