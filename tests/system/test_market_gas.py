"""Meter data of gas wait and can be exported; an APERAK is refused with a sentence while its schema is not there."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, insert, select, text, update

from central.api.app import create_app
from central.market import format_package
from central.market.answers import Brought
from central.market.duties.overview import month_state
from central.market.errors import InboundError
from central.market.format_package import load_package
from central.market.gas.closed import find_states
from central.market.incoming import take_message
from central.market.response import read_response
from central.market.send import send_due
from central.market.tables import market_message
from central.market.testing import FakeChannel
from central.network.tables import channel
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings
from central.readings.consolidate import consolidate_once
from central.readings.testing import HOUR, Evidence, GivenBlock, make_channel, make_meter, map_channel
from central.registry.tables import party, supply_point
from central.workflow.telling.tell import tell
from deploy import market_command
from shared.metering_day import days_between
from shared.quantities import Commodity
from shared.testing import ManualClock
from tests.unit.central.market.edigas_examples import NAME, take_in
from tests.unit.central.market.test_edigas import APERAK

EICS = ("27ZG600Z0012345N", "27ZG600Z0067890H")
TOKEN = "token-of-anna-0123"
MISSING_HOURS = 743 - 71


@pytest.fixture
def engine(database_url: str) -> Engine:
    """Two gas points with a channel each; the first has three gas days of March, 2 m3 an hour, one of 23 hours."""
    made = make_engine(database_url)
    with transaction(made) as connection:
        operator = connection.execute(
            insert(party)
            .values(
                code="LDS", name="LDS", street="", city="", postal_code="", ean13="8591824556207", roles=["operator"]
            )
            .returning(party.c.id)
        ).scalar_one()
        for number, eic in enumerate(EICS):
            point = connection.execute(
                insert(supply_point)
                .values(
                    ean=eic,
                    name=f"Kotelna {number}",
                    object="A",
                    street="",
                    city="",
                    postal_code="",
                    commodity="gas",
                    metering_type="A",
                    operator=operator,
                )
                .returning(supply_point.c.id)
            ).scalar_one()
            target = make_channel(connection, f"PG{number}", commodity="gas", exponent=-3)
            connection.execute(update(channel).where(channel.c.id == target).values(supply_point=point))
            if number == 0:
                register = make_meter(connection, "G1", commodity="gas", exponent=-3)
                map_channel(connection, register, target, "[2025-01-01 00:00+00,)")
                evidence = Evidence(connection)
                for day in days_between(Commodity.GAS, date(2026, 3, 27), date(2026, 3, 30)):
                    evidence.batch(GivenBlock(register, day.start, [2_000] * day.length, HOUR))
    consolidate_once(made, ManualClock(datetime(2026, 4, 2, tzinfo=UTC)))
    return made


@pytest.fixture
async def client(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps([{"token": TOKEN, "name": "Anna", "rights": ["read", "market"]}]))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    app = create_app(Settings())
    app.dependency_overrides[get_clock] = lambda: ManualClock(datetime(2026, 4, 2, tzinfo=UTC))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://central", headers=headers) as opened:
        yield opened
    app.state.engine.dispose()


async def test_gas_data_wait_and_are_exported(
    client: httpx.AsyncClient, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "/v1/market/gas/waiting"
    told = (await client.get(f"{path}?month=2026-03")).json()
    assert "wait here" in told["why"]
    found = [(one["eic"], one["days"], one["missing"], Decimal(one["volume_m3"])) for one in told["channels"]]
    assert found == [(EICS[0], 3, MISSING_HOURS, Decimal(142)), (EICS[1], 0, 743, Decimal(0))]
    pages = [(await client.get(f"{path}?month=2026-03&limit=1&after={after}")).json() for after in ("", *EICS)]
    assert [[one["eic"] for one in page["channels"]] for page in pages] == [[EICS[0]], [EICS[1]], []]

    answer = await client.get(f"{path}/csv?month=2026-03")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert (len(rows), sum(Decimal(row["volume_m3"]) for row in rows)) == (71, 142)
    assert {row["eic"] for row in rows} == {EICS[0]}
    assert rows[0]["period_from"] == "2026-03-27T06:00:00+01:00"
    assert rows[-1]["period_to"] == "2026-03-30T06:00:00+02:00"
    assert (rows[0]["quality"], rows[0]["version"], rows[0]["gas_day"]) == ("MEASURED", "1", "2026-03-27")

    assert market_command.main(["gas-export", "2026-03", str(tmp_path / "gas.csv"), "--hand-over"]) == 0
    assert (tmp_path / "gas.csv").read_bytes() == answer.content
    said = capsys.readouterr().out
    assert "EDIGAS" in said
    assert "duties handed over by it: 0" in said
    engine.dispose()


def duties(engine: Engine) -> list[tuple[str, str, str, str | None, str]]:
    """Why, EIC, state, who handed over, problem."""
    query = text("""
        SELECT why, subject, state, handed_over_by, coalesce(problem, '') AS problem FROM market_duty
         WHERE message_code = 'XGE' ORDER BY why, subject, period
    """)
    with engine.connect() as connection:
        return [(row.why, row.subject, row.state, row.handed_over_by, row.problem) for row in connection.execute(query)]


async def test_closed_gas_data_are_duties_that_wait_until_they_are_handed_over(
    client: httpx.AsyncClient, engine: Engine
) -> None:
    clock = ManualClock(datetime(2026, 4, 2, tzinfo=UTC))
    with transaction(engine) as connection:
        number = connection.execute(select(supply_point.c.id).where(supply_point.c.ean == EICS[1])).scalar_one()
        connection.execute(update(supply_point).where(supply_point.c.id == number).values(metering_type="C4"))
        register = make_meter(connection, "G2", commodity="gas", kind="state", exponent=-3)
        states = make_channel(connection, "PS", commodity="gas", kind="state", exponent=-3)
        connection.execute(update(channel).where(channel.c.id == states).values(supply_point=number))
        map_channel(connection, register, states, "[2025-01-01 00:00+00,)")
        for at in ("2026-03-01 06:00+01", "2026-03-20 09:00+01", "2026-04-01 06:00+02"):
            connection.execute(
                text("""
                    INSERT INTO meter_state (evidence_channel, at, value, kind, entered_at, entered_by)
                    VALUES (:register, CAST(:at AS timestamptz), 10233400, 'own', now(), 'Jana')
                """),
                {"register": register, "at": at},
            )
        tell(connection, date(2026, 3, 27), clock, "test")
        first = tell(connection, date(2026, 3, 1), clock, "test")
    found = duties(engine)
    days = [each for each in found if each[0] == "gas_day"]
    assert len(days) == 31, "April's first gas day is over at six o'clock on the second"
    whole = [each for each in days if "waits here" in each[4] or "wait here" in each[4]]
    assert (len(whole), {each[2] for each in days}) == (3, {"open"})
    assert sum("1 days and 0 hours are missing" in each[4] for each in days) == 28
    (read,) = [each for each in found if each[0] == "gas_states"]
    assert (read[1], read[2]) == (EICS[1], "open")
    assert "wait here" in read[4]
    assert first.made == 0

    path = "/v1/market/gas/waiting/csv?month=2026-03"
    before = await client.get(path)
    assert {each[3] for each in duties(engine)} == {None}, "looking marks nothing"
    answer = await client.post(path)
    assert (answer.status_code, answer.headers["X-Handed-Over"]) == (200, "4")
    assert answer.content == before.content
    rows = [row for row in csv.DictReader(io.StringIO(answer.text)) if row["meter"]]
    assert [(row["eic"], row["period_to"], row["state_m3"], row["quality"]) for row in rows] == [
        (EICS[1], "2026-03-20T09:00:00+01:00", "10233.400", "own"),
        (EICS[1], "2026-04-01T06:00:00+02:00", "10233.400", "own"),
    ]
    marked = [each for each in duties(engine) if each[2] == "done"]
    assert ([each[0] for each in marked], {each[3] for each in marked}) == (["gas_day"] * 3 + ["gas_states"], {"Anna"})
    with transaction(engine) as connection:
        assert tell(connection, date(2026, 3, 1), clock, "test").changed == 0
        (state,) = [each for each in month_state(connection, date(2026, 3, 1), clock.now()) if each.by_hand]
        assert (state.message_code, state.by_hand, state.accepted, state.open) == ("XGE", 4, 0, 28)
        # Another state makes it open again.
        connection.execute(text("UPDATE meter_state SET value = value + 1 WHERE at = '2026-03-20 09:00+01'"))
        assert tell(connection, date(2026, 3, 1), clock, "test").changed == 1
    (read,) = [each for each in duties(engine) if each[0] == "gas_states"]
    assert (read[2], read[3]) == ("open", None)
    assert (await client.post(path)).headers["X-Handed-Over"] == "1"
    # A point that ended within the month tells what was shown until then.
    this = supply_point.c.id == number
    with transaction(engine) as connection:
        connection.execute(update(supply_point).where(this).values(since=date(2026, 3, 25)))
        connection.execute(
            text("""
                INSERT INTO supply_point_past (supply_point, commodity, valid, name, object, street, city, postal_code,
                       metering_type, category, operator, state)
                SELECT id, commodity, daterange(NULL, '2026-03-25'), name, object, street, city, postal_code,
                       metering_type, category, operator, state
                  FROM supply_point WHERE id = :point
            """),
            {"point": number},
        )
        connection.execute(update(supply_point).where(this).values(state="ended"))
        (shown,) = find_states(connection, date(2026, 3, 1))
    assert shown.at == datetime(2026, 3, 20, 8, tzinfo=UTC)
    engine.dispose()


async def test_by_an_imported_schema_the_data_leave_and_an_aperak_answers(
    client: httpx.AsyncClient, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(datetime(2026, 4, 2, tzinfo=UTC))
    monkeypatch.setattr(format_package, "_FOLDERS", {})
    folder = format_package.look_into(tmp_path)
    with transaction(engine) as connection:
        tell(connection, date(2026, 3, 27), clock, "test")
    assert {each[2] for each in duties(engine)} == {"open"}
    take_in(folder)
    with transaction(engine) as connection:
        told = tell(connection, date(2026, 3, 27), clock, "test")
    assert told.made == 3
    assert [each[2] for each in duties(engine)].count("told") == 3
    with engine.connect() as connection:
        rows = connection.execute(select(market_message).order_by(market_message.c.period)).mappings().all()
    assert {row["format_package"] for row in rows} == {NAME}
    assert rows[0]["xml"].count(b"<Quantity") == 24
    assert rows[1]["xml"].count(b"<Quantity") == 23, "summer time begins on the morning of the 29th"
    assert b'<Quantity pos="1" v="2" status="M"/>' in bytes(rows[0]["xml"])
    send_due(engine, FakeChannel(), clock, "test")
    with transaction(engine) as connection:
        taken = [
            take_message(connection, Brought(aperak(row["message_id"], number, kind)), clock.now(), "test")
            for number, (row, kind) in enumerate(zip(rows, ("01G", "01G", "02G"), strict=True))
        ]
        assert [each.outcome for each in taken] == ["applied"] * 3
        again = take_message(connection, Brought(aperak(rows[0]["message_id"], 0, "01G")), clock.now(), "test")
        assert again.outcome == "duplicate"
        stranger = take_message(connection, Brought(aperak("XGE-NEVER", 9, "01G")), clock.now(), "test")
        assert stranger.outcome == "unknown_reference"
    states = [(each[2], each[3]) for each in duties(engine) if each[0] == "gas_day"]
    assert states.count(("done", None)) == 2
    assert sum("A02 0200 ok" in each[4] for each in duties(engine)) == 1
    engine.dispose()


def aperak(reference: str, number: int, kind: str) -> bytes:
    content = APERAK.format(kind=kind).replace("XGE-1", reference).replace("AP-1", f"AP-{number}")
    return content.encode()


@pytest.mark.parametrize("month", ["2026-13", "9999-12", "0001-01", "x"])
async def test_a_month_without_data_is_refused(client: httpx.AsyncClient, month: str) -> None:
    for path in ("", "/csv"):
        answer = await client.get(f"/v1/market/gas/waiting{path}?month={month}")
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_month")
    handed = await client.post(f"/v1/market/gas/waiting/csv?month={month}")
    assert (handed.status_code, handed.json()["code"]) == (422, "bad_month")
    assert market_command.main(["gas-export", month, "never.csv"]) == 2
    assert not Path("never.csv").exists()


def test_an_aperak_waits_for_its_schema() -> None:
    with pytest.raises(InboundError, match=r"The message is APERAK, of which .* has no schema") as refused:
        read_response(load_package("sandbox-2026"), b"<APERAK/>")
    assert refused.value.code == "no_schema"
