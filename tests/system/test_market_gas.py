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
from sqlalchemy import Engine, insert, update

from central.api.app import create_app
from central.market.errors import InboundError
from central.market.format_package import load_package
from central.market.response import read_response
from central.network.tables import channel
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings
from central.readings.consolidate import consolidate_once
from central.readings.testing import HOUR, Evidence, GivenBlock, make_channel, make_meter, map_channel
from central.registry.tables import party, supply_point
from deploy import market_command
from shared.metering_day import days_between
from shared.quantities import Commodity
from shared.testing import ManualClock

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
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps([{"token": TOKEN, "name": "Anna", "rights": ["read"]}]))
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

    assert market_command.main(["gas-export", "2026-03", str(tmp_path / "gas.csv")]) == 0
    assert (tmp_path / "gas.csv").read_bytes() == answer.content
    assert "EDIGAS" in capsys.readouterr().out
    engine.dispose()


@pytest.mark.parametrize("month", ["2026-13", "9999-12", "0001-01", "x"])
async def test_a_month_without_data_is_refused(client: httpx.AsyncClient, month: str) -> None:
    for path in ("", "/csv"):
        answer = await client.get(f"/v1/market/gas/waiting{path}?month={month}")
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_month")
    assert market_command.main(["gas-export", month, "never.csv"]) == 2
    assert not Path("never.csv").exists()


def test_an_aperak_waits_for_its_schema() -> None:
    with pytest.raises(InboundError, match=r"The message is APERAK, of which .* has no schema") as refused:
        read_response(load_package("sandbox-2026"), b"<APERAK/>")
    assert refused.value.code == "no_schema"
