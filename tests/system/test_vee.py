"""Validation on the real database: work, findings that a re-run keeps, closed days."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Engine, text

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings, TokenSetting
from central.readings.closing import close_days
from central.readings.consolidate import consolidate_once
from central.readings.testing import Evidence, GivenBlock, make_channel, make_meter, make_profiles, map_channel
from central.readings.vee.stage import validate_once
from central.readings.vee.work import (
    BUCKET_BITS,
    BucketBusyError,
    count_work,
    enqueue,
    hold_buckets,
    take_work,
    unvalidated,
)
from shared.metering_day import MeteringDay
from shared.quantities import Commodity, Flag
from shared.testing import ManualClock

DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 2))
CLOCK = ManualClock(DAY.end + timedelta(hours=20))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def api(engine: Engine, database_url: str) -> Iterator[TestClient]:
    token = TokenSetting(token=SecretStr("validation-token"), name="Operátor", rights=frozenset({"read", "operate"}))
    app = create_app(Settings(database_url=database_url, tokens=(token,)))
    app.dependency_overrides[get_clock] = lambda: CLOCK
    with TestClient(app, headers={"Authorization": "Bearer validation-token"}) as client:
        yield client


def site(engine: Engine) -> tuple[int, int]:
    """A meter with one register and the channel that it feeds."""
    with transaction(engine) as connection:
        register, channel = make_meter(connection, "E1"), make_channel(connection, "P1")
        map_channel(connection, register, channel, "[2020-01-01,)")
    return register, channel


def deliver(engine: Engine, register: int, *values: int, day: MeteringDay = DAY, seq: int = 0) -> None:
    with transaction(engine) as connection:
        Evidence(connection, seq=seq).batch(GivenBlock(register, day.start, values))
    consolidate_once(engine, CLOCK)


def test_a_new_version_is_work_until_it_is_validated(engine: Engine) -> None:
    register, channel = site(engine)
    deliver(engine, register, *[7] * 96)
    first, end = DAY.date, DAY.date + timedelta(days=1)
    with engine.connect() as connection:
        assert unvalidated(connection, [channel], first, end) == {channel: DAY.date}
        assert unvalidated(connection, [channel], end, end + timedelta(days=9)) == {}
        assert unvalidated(connection, [channel + 1], first, end) == {}
    assert validate_once(engine, CLOCK).work == 1
    assert not validate_once(engine, CLOCK).worked
    with engine.connect() as connection:
        assert unvalidated(connection, [channel], first, end) == {}


def test_work_of_a_bucket_is_taken_together_and_long_work_in_parts(engine: Engine) -> None:
    first = date(2026, 1, 1)
    far = 1 << BUCKET_BITS
    with transaction(engine) as connection:
        enqueue(connection, [1, 2, far], first, first + timedelta(days=9), "test")
        enqueue(connection, [2, 3], first + timedelta(days=10), first + timedelta(days=59), "test")
        work = take_work(connection, most_days=20)
        assert work is not None and work.channels.tolist() == [1, 2, 3]
        assert work.first == first and work.end == first + timedelta(days=20)
        assert work.days.sum(axis=1).tolist() == [10, 20, 10]
    with engine.connect() as holder, holder.begin():
        assert take_work(holder) is not None  # the first bucket is held: another process gets the second
        with engine.connect() as other, other.begin():
            work = take_work(other)
            assert work is not None and work.channels.tolist() == [far]
            assert take_work(other) is not None  # a process may take what it holds itself
    while validate_once(engine, CLOCK, most_days=20).worked:
        pass
    with engine.connect() as connection:
        assert count_work(connection) == 0


def test_two_processes_never_wait_for_each_others_buckets(engine: Engine) -> None:
    low, high = np.array([1]), np.array([1 << BUCKET_BITS])
    with engine.connect() as upper, engine.connect() as lower:
        hold_buckets(upper, high)
        hold_buckets(lower, low)
        # who holds the higher one gives up at once, instead of waiting for one who may come to wait for it
        with pytest.raises(BucketBusyError, match=r"Bucket 0 is another's, and bucket 1 is held"):
            hold_buckets(upper, low)
        upper.rollback()
        hold_buckets(lower, high)


def test_a_version_after_the_day_was_closed_is_late(engine: Engine) -> None:
    register, channel = site(engine)
    deliver(engine, register, *[7] * 96)
    with transaction(engine) as connection:
        close_days(connection, "settlement_run/1", [channel], date(2026, 3, 1), date(2026, 4, 1), CLOCK.now())
    deliver(engine, register, *[8] * 96, seq=1)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT version, late, total, peak, base_digest FROM day_profile ORDER BY version")
        ).all()
    assert [tuple(row) for row in rows] == [(1, False, 7 * 96, 7, None), (2, True, 8 * 96, 8, None)]


def findings(api: TestClient, **filters: Any) -> list[dict[str, Any]]:
    answer = api.get("/v1/findings", params={"sort": "rule", **filters})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


USUAL = [100 + (place * 7) % 13 for place in range(96)]


def test_a_rerun_keeps_findings_closes_what_is_gone_and_leaves_what_was_overruled(
    engine: Engine, api: TestClient
) -> None:
    register, channel = site(engine)
    values = [*USUAL]
    values[10], values[40] = -5, 9_000
    deliver(engine, register, *values)
    make_profiles(engine, CLOCK)
    first = findings(api)
    assert [(each["rule"], each["state"], each["first_index"]) for each in first] == [
        ("jump", "open", 40),
        ("negative", "open", 10),
        ("spike", "open", 40),
    ]
    assert first[1]["evidence"] == {"count": 1, "lowest": -5} and first[1]["point"] == "P1"
    jump, negative, spike = (each["id"] for each in first)
    assert api.post(f"/v1/findings/{spike}/overrule", json={}).status_code == 422
    assert (
        api.post(f"/v1/findings/{spike}/overrule", json={"reason": "zkouška čerpadla"}).json()["state"] == "overruled"
    )
    assert api.post(f"/v1/findings/{negative}/confirm", json={}).json()["decided_by"] == "Operátor"
    assert api.post(f"/v1/findings/{negative}/confirm", json={}).status_code == 409
    asked = {"channels": [channel], "from": "2026-03-01", "to": "2026-04-01"}
    assert api.post("/v1/validation", json=asked).json() == {"waiting": 1}
    make_profiles(engine, CLOCK)
    again = findings(api)
    assert [(each["id"], each["state"]) for each in again] == [
        (jump, "open"),
        (negative, "confirmed"),
        (spike, "overruled"),
    ]
    deliver(engine, register, *USUAL, seq=1)
    make_profiles(engine, CLOCK)
    mended = {each["rule"]: each for each in findings(api)}
    # Both values were measured: which one is right is for a person to say.
    assert mended["conflict"]["evidence"] == {"intervals": 2, "kept": USUAL[10], "values": [-5, USUAL[10]]}
    assert {rule: each["state"] for rule, each in mended.items()} == {
        "conflict": "open",
        "jump": "gone",
        "negative": "gone",
        "spike": "overruled",
    }
    assert api.post(f"/v1/findings/{jump}/confirm", json={}).status_code == 409
    counts = api.get("/v1/findings/counts", params={"from": "2026-03-01", "to": "2026-04-01"}).json()
    assert {"rule": "jump", "severity": 2, "state": "gone", "count": 1} in counts
    with engine.connect() as connection:
        acts = list(connection.execute(text("SELECT act FROM audit ORDER BY id")).scalars())
    assert acts == ["finding.overruled", "finding.confirmed", "vee.revalidate"]
    deliver(engine, register, *values, seq=2)
    make_profiles(engine, CLOCK)
    assert {each["rule"]: (each["id"], each["state"]) for each in findings(api, rule="!conflict")} == {
        "jump": (jump, "open"),
        "negative": (negative, "open"),
        "spike": (spike, "overruled"),
    }


def test_parameters_of_a_class_and_exemptions_change_what_is_found(engine: Engine, api: TestClient) -> None:
    register, channel = site(engine)
    deliver(engine, register, *[0] * 96)
    setting = {
        "class": "electricity/A+/*/*",
        "rule": "zero",
        "parameters": {"days": 1},
        "reason": "provoz bez přestávek",
    }
    assert api.put("/v1/validation/parameters", json=setting).status_code == 204
    make_profiles(engine, CLOCK)
    assert [each["rule"] for each in findings(api, state="open")] == ["zero"]
    own = [each for each in api.get("/v1/validation/parameters").json() if each["origin"] == "operator"]
    assert own == [
        {**{key: setting[key] for key in ("class", "rule", "parameters")}, "origin": "operator", "status": "set"}
    ]
    idle = {"channel": channel, "kind": "idle", "from": "2026-03-01", "to": "2026-03-09", "reason": "odstávka"}
    made = api.post("/v1/validation/exemptions", json=idle)
    assert made.status_code == 201, made.text
    assert api.post("/v1/validation/exemptions", json=idle).status_code == 409
    make_profiles(engine, CLOCK)
    assert findings(api, state="open") == []
    assert api.delete(f"/v1/validation/exemptions/{made.json()['id']}").status_code == 204
    make_profiles(engine, CLOCK)
    assert [each["rule"] for each in findings(api, state="open")] == ["zero"]
    named = {"class": "electricity/A+/*/*", "rule": "zero"}
    assert api.delete("/v1/validation/parameters", params=named).status_code == 204
    assert api.delete("/v1/validation/parameters", params=named).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/validation", {"channels": [99], "from": "2026-03-01", "to": "2026-03-02"}, 404),
        ("/v1/validation", {"channels": [], "from": "2026-03-01", "to": "2026-03-02"}, 422),
        ("/v1/validation", {"channels": [1], "from": "2026-03-02", "to": "2026-03-02"}, 422),
        ("/v1/validation", {"channels": [1], "from": "0001-03-02", "to": "9999-12-31"}, 422),
        ("/v1/findings/99/confirm", {}, 404),
        ("/v1/findings/99/overrule", {"reason": "bez důvodu"}, 404),
        ("/v1/findings/99999999999999999999/confirm", {}, 422),
        ("/v1/validation/exemptions", {"channel": 99, "kind": "idle", "from": "2026-03-01", "to": "2026-03-02",
                                       "reason": "abc"}, 404),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_a_sentence(api: TestClient, path: str, body: dict[str, Any], status: int) -> None:
    answer = api.post(path, json=body)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"class": "electricity", "rule": "zero", "parameters": {"days": 1}, "reason": "abc"},
        {"class": "a/b/c/d", "rule": "zero", "parameters": {"weeks": 1}, "reason": "abc"},
        {"class": "a/b/c/d", "rule": "conflict", "parameters": {"enabled": 1}, "reason": "abc"},
        {"class": "a/b/c/d", "rule": "zero", "parameters": {}, "reason": "abc"},
    ],
)
def test_parameters_that_no_rule_has_are_refused(api: TestClient, body: dict[str, Any]) -> None:
    assert api.put("/v1/validation/parameters", json=body).status_code in (404, 422)


def test_what_the_meter_says_of_its_values_is_found(engine: Engine, api: TestClient) -> None:
    register, _ = site(engine)
    with transaction(engine) as connection:
        flags = [0] * 8 + [int(Flag.CLOCK_INVALID)] * 4 + [int(Flag.POWER_DOWN)] + [0] * 83
        Evidence(connection).batch(GivenBlock(register, DAY.start, USUAL, flags=flags))
    make_profiles(engine, CLOCK)
    clock, power = findings(api, state="open")
    assert (clock["rule"], clock["severity"], clock["first_index"], clock["last_index"]) == ("clock", 3, 8, 11)
    assert (power["rule"], power["severity"], power["evidence"]) == (
        "meter_flag",
        1,
        {"flags": ["POWER_DOWN"], "intervals": 1},
    )
