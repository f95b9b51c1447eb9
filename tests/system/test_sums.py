"""Sums of channels by month over a real database: tariffs by schedules, maxima, a day of 92 quarter-hours."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Engine

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings, TokenSetting
from central.readings.consolidate import consolidate_once
from central.readings.testing import Evidence, GivenBlock, make_channel, make_meter, map_channel
from shared.metering_day import MeteringDay, days_between
from shared.quantities import Commodity
from shared.testing import ManualClock

DAYS: list[MeteringDay] = days_between(Commodity.ELECTRICITY, date(2026, 3, 29), date(2026, 4, 2))
CLOCK = ManualClock(DAYS[-1].end + timedelta(hours=20))
PERIOD = {"from": "2026-03-29", "to": "2026-04-03"}


@pytest.fixture
def api(database_url: str) -> Iterator[TestClient]:
    token = TokenSetting(
        token=SecretStr("sums-token-of-operator"), name="Operátor", rights=frozenset({"read", "operate"})
    )
    app = create_app(Settings(database_url=database_url, tokens=(token,)))
    app.dependency_overrides[get_clock] = lambda: CLOCK
    with TestClient(app, headers={"Authorization": "Bearer sums-token-of-operator"}) as client:
        yield client


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


def sums(api: TestClient, status: int = 200, **asked: Any) -> Any:
    answer = api.get("/v1/sums", params={**PERIOD, **asked})
    assert answer.status_code == status, answer.text
    return answer.json()


def test_months_of_two_channels_by_hand(engine: Engine, api: TestClient) -> None:
    """10 in every quarter-hour, 77 at the end of the first hour of 31 March; the second channel has no schedule."""
    with transaction(engine) as connection:
        channels = []
        for name in ("P1", "P2"):
            register, channel = make_meter(connection, name), make_channel(connection, name)
            map_channel(connection, register, channel, "[2020-01-01,)")
            channels.append(channel)
            values = {day.date: [10] * day.length for day in DAYS}
            values[date(2026, 3, 31)][3] = 77
            Evidence(connection, seq=10 * channel).batch(
                *(GivenBlock(register, day.start, values[day.date]) for day in DAYS)
            )
    consolidate_once(engine, CLOCK)
    assert api.post("/v1/tariff-schedules", json={"code": "A1B8", "name": "osm hodin"}).status_code == 201
    times = {"day_kinds": [1, 2, 3, 4, 5, 6, 7], "low": [[0, 480]], "since": "2026-01-01"}
    answer = api.post("/v1/tariff-schedules/A1B8/times", json=times)
    assert answer.status_code == 201, answer.text
    answer = api.post("/v1/tariff-schedules/A1B8/points", json={"point": "P1", "since": "2026-01-01"})
    assert answer.status_code == 201, answer.text
    march, april, plain, _ = sums(api, channel=channels)
    # The night of the change has seven hours of low tariff.
    assert (march["first"], march["end"]) == ("2026-03-29", "2026-04-01")
    assert (march["total"], march["low"]) == (10 * (92 + 96 + 96) + 67, 10 * (28 + 32 + 32) + 67)
    assert march["high"] + march["low"] == march["total"]
    assert (march["maximum"], march["maximum_at"]) == (77, "2026-03-30T22:45:00Z")
    assert (april["channel"], april["total"], april["missing"]) == (channels[0], 960, 96)
    assert (plain["channel"], plain["total"], plain["high"], plain["low"]) == (channels[1], march["total"], None, None)


def test_what_has_no_sums(engine: Engine, api: TestClient) -> None:
    with transaction(engine) as connection:
        states = make_channel(connection, "P1", kind="state")
        power, gas = make_channel(connection, "P1"), make_channel(connection, "G1", commodity="gas")
    assert sums(api, 422) and sums(api, 422, channel=[power], supply_point=1)
    assert sums(api, 422, channel=[states]) and sums(api, 422, channel=[power, gas])
    assert sums(api, 404, channel=[power + 100])
    assert sums(api, 422, channel=[power], to="2026-03-29")
    assert sums(api, supply_point=99) == []
    (month, _) = sums(api, channel=[power])
    assert (month["total"], month["maximum"], month["missing"]) == (0, None, 92 + 96 + 96)
