"""Points of type C: states of several kinds, exchange, rollover, split, and the lock once a run is approved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from central.platform.database import transaction
from central.readings.registers.boundary import month_ends
from central.readings.vee.work import enqueue
from central.settlement.evidence import Wanted, read_states
from central.settlement.registry import read_channels
from tests.system.billing.site import CLERK, NOW, BilledSite
from tests.system.billing.test_pins_and_states import approve, first_point, quantities, quantities_or_none
from tests.system.billing.test_pins_and_states import settle as settle_validated

FIRST = datetime(2026, 2, 28, 23, tzinfo=UTC)
LAST = datetime(2026, 3, 31, 22, tzinfo=UTC)
"""Borders of March, local time."""
HALF = datetime(2026, 3, 15, 10, tzinfo=UTC)


def settle(site: BilledSite, points: list[int]) -> int:
    """Settlement waits for the validation of what was entered."""
    site.validate()
    return settle_validated(site, points)


@dataclass(frozen=True)
class Registered:
    """A point of one register whose remote states are gone, so that people read it."""

    site: BilledSite
    client: TestClient
    point: int
    channel: int
    evidence_channel: int
    meter: str
    register: str

    def enter(self, at: datetime, value: int, kind: str = "own", **more: Any) -> Any:
        body = {"meter": self.meter, "register": self.register, "kind": kind, "at": at.isoformat(), "value": value}
        return self.client.post("/v1/meter-states", json={**body, **more})

    def entered(self, at: datetime, value: int, kind: str = "own", **more: Any) -> dict[str, Any]:
        answer = self.enter(at, value, kind, **more)
        assert answer.status_code == 201, answer.text
        stored: dict[str, Any] = answer.json()
        return stored

    def version(self, digits: int, register: str | None = None) -> None:
        body = {
            "meter": self.meter,
            "register": register or self.register,
            "digits": digits,
            "since": "2025-01-01T00:00Z",
        }
        answer = self.client.post("/v1/register-versions", json=body)
        assert answer.status_code == 201, answer.text

    def energy_mwh(self) -> Decimal:
        return Decimal(quantities(self.site, settle(self.site, [self.point]), self.point)["energy_mwh"])

    def reason(self) -> str:
        run = settle(self.site, [self.point])
        assert quantities_or_none(self.site, run) is None
        found: str = self.site.one("SELECT reason FROM settlement_omission WHERE run = :run", run=run)
        return found


@pytest.fixture
def read_by_people(site: BilledSite) -> Iterator[Registered]:
    with site.client() as client:
        yield fed_by_a_new_meter(site, client, first_point(site, "JT", "state"), "JT")


NEW_METER = """
    WITH fed AS (
        SELECT m.id AS mapping, c.id AS channel, e.* FROM channel c JOIN channel_mapping m ON m.channel = c.id
          JOIN evidence_channel e ON e.id = m.evidence_channel
         WHERE c.supply_point = :point AND c.direction = :direction AND c.kind = 'state'),
    bought AS (
        INSERT INTO meter (id, serial, model, commodity, concentrator)
        SELECT 'M-' || channel, 'S-' || channel, 'm', 'electricity', concentrator FROM fed RETURNING id),
    register AS (
        INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms)
        SELECT fed.concentrator, bought.id, '1-0:1.8.0', unit, exponent, 'state', 0 FROM fed, bought
        RETURNING id, device)
    UPDATE channel_mapping m SET evidence_channel = register.id FROM fed, register WHERE m.id = fed.mapping
    RETURNING fed.channel, register.id AS evidence_channel, register.device
"""


def fed_by_a_new_meter(site: BilledSite, client: TestClient, point: int, direction: str) -> Registered:
    """The point's channel is fed by a register that has no states yet."""
    with transaction(site.engine) as connection:
        row = connection.execute(text(NEW_METER), {"point": point, "direction": direction}).one()
    return Registered(site, client, point, row.channel, row.evidence_channel, row.device, "1-0:1.8.0")


def unit_mwh(point: Registered) -> Decimal:
    """One unit of the register in MWh."""
    exponent: int = point.site.one("SELECT exponent FROM evidence_channel WHERE id = :id", id=point.evidence_channel)
    return Decimal(1).scaleb(exponent - 6)


def test_a_month_between_two_readings_is_split_and_what_was_billed_is_locked(read_by_people: Registered) -> None:
    point = read_by_people
    point.version(8)
    before = point.entered(FIRST - timedelta(days=10), 5_000, "initial", note="montáž")
    after = point.entered(LAST + timedelta(hours=7), 9_100, "own", document="photo/17.jpg", pz_date="2026-02-19")
    assert (before["period_start"], after["period_start"], after["entered_by"]) == (None, before["at"], CLERK.name)
    # 10 days of February, 31 of March, 7 hours of April: 4,100 units by days
    by_days = Decimal(31) / (10 + 31 + Decimal(7) / 24) * 4_100
    run = settle(point.site, [point.point])
    energy = Decimal(quantities(point.site, run, point.point)["energy_mwh"])
    assert abs(energy - by_days * unit_mwh(point)) <= unit_mwh(point)
    source = point.site.one("SELECT readings #> '{0,periods,0}' FROM settlement_input WHERE run = :run", run=run)
    assert [source[side]["kind"] for side in ("from", "to")] == ["split", "split"]
    assert source["from"]["split"]["method"] == "days"
    assert sum(part["units"] for part in source["from"]["split"]["parts"]) == 4_100
    assert [source[side]["at"] for side in ("from", "to")] == [FIRST.isoformat(), LAST.isoformat()]

    assert point.client.post(f"/v1/meter-states/{after['id']}/revoke", json={"reason": "překlep"}).status_code == 200
    after = point.entered(LAST + timedelta(hours=7), 9_100, "customer")
    run = settle(point.site, [point.point])
    approve(point.site, run)
    number = point.site.one("SELECT number FROM settlement_run WHERE id = :run", run=run)
    refused = point.client.post(f"/v1/meter-states/{before['id']}/revoke", json={"reason": "překlep"})
    assert (refused.status_code, refused.json()["code"]) == (409, "state_locked")
    assert number in refused.json()["message"]
    with pytest.raises(Exception, match="UPDATE is refused"):
        point.site.do("UPDATE meter_state SET value = 1 WHERE id = :id", id=before["id"])
    kept = [
        row for row in point.client.get(f"/v1/meter-states?meter={point.meter}").json() if row["kind"] == "estimate"
    ]
    assert [(row["at"], row["locked_by"]) for row in kept] == [
        (at.isoformat().replace("+00:00", "Z"), number) for at in (LAST, FIRST)
    ]
    # whatever is entered later, what was billed up to the end of March is where April begins
    point.entered(LAST - timedelta(days=3), kept[1]["value"] + 1)
    at = LAST.isoformat().replace("+", "%2B")
    (state,) = point.client.get(f"/v1/readings/states?at={at}&channel={point.channel}").json()
    assert (state["value"], state["locked_by"]) == (kept[0]["value"], number)


def test_a_run_does_not_stand_on_a_state_that_was_revoked_since(read_by_people: Registered) -> None:
    point = read_by_people
    point.entered(FIRST, 100, "initial")
    last = point.entered(LAST, 300)
    run = settle(point.site, [point.point])
    assert Decimal(quantities(point.site, run, point.point)["energy_mwh"]) == 200 * unit_mwh(point)
    point.client.post(f"/v1/meter-states/{last['id']}/revoke", json={"reason": "jiné místo"})
    with pytest.raises(Exception, match="revoked since; make a new run"):
        approve(point.site, run)
    assert "chybí stav k 2026-03-31T22" in point.reason()


ALIKE = """
    SELECT i.supply_point FROM contract_item i JOIN contract_item mine ON mine.supply_point = :point
     WHERE i.supply_point <> :point AND i.rate = mine.rate ORDER BY i.supply_point LIMIT 1
"""
FROM_ONE = """
    INSERT INTO settled_from (contract_item, direction, channel, valid)
    SELECT id, 'JT', :channel, '[2026-01-01,)' FROM contract_item WHERE supply_point = :other
"""


def test_two_items_that_are_settled_from_one_register_are_each_billed_by_it_once(read_by_people: Registered) -> None:
    point = read_by_people
    point.entered(FIRST, 100, "initial")
    point.entered(HALF, 220)
    point.entered(LAST, 300)
    other = point.site.one(ALIKE, point=point.point)
    point.site.do(FROM_ONE, channel=point.channel, other=other)
    run = settle(point.site, [point.point, other])
    energy = [Decimal(quantities(point.site, run, each)["energy_mwh"]) for each in (point.point, other)]
    assert energy == [200 * unit_mwh(point)] * 2
    with transaction(point.site.engine) as connection:
        channel = read_channels(connection, [point.channel], FIRST, LAST)[point.channel]
        wanted = [Wanted(channel, FIRST, until) for until in (LAST, HALF, LAST)]
        found = read_states(connection, wanted, {})
    assert {key: [period.end and period.end.value for period in periods] for key, periods in found.items()} == {
        (point.channel, FIRST, LAST): [300],
        (point.channel, FIRST, HALF): [220],
    }


def test_a_register_of_eight_digits_rolls_over(read_by_people: Registered) -> None:
    """The published example: 123 after 99999678 is 445."""
    point = read_by_people
    point.entered(FIRST, 99_999_678, "contractual_initial")
    unknown = point.enter(LAST, 123)
    assert (unknown.status_code, unknown.json()["code"]) == (409, "state_fell")
    assert "99999678 (contractual_initial" in unknown.json()["message"]
    point.version(8)
    unconfirmed = point.enter(LAST, 123)
    assert unconfirmed.status_code == 409
    assert "confirm that the register of 8 digits rolled over" in unconfirmed.json()["message"]
    assert point.entered(LAST, 123, rollover=True)["rolled_over"] is True
    assert point.energy_mwh() == 445 * unit_mwh(point)
    history = point.client.get(
        "/v1/readings/states/history",
        params={"channel": point.channel, "from": FIRST.isoformat(), "to": LAST.isoformat()},
    ).json()
    assert [(row["kind"], row["value"]) for row in history] == [("contractual_initial", 99_999_678), ("own", 123)]


def test_remote_states_of_a_register_that_rolled_over_settle_by_themselves(read_by_people: Registered) -> None:
    point = read_by_people
    put_remote(point, FIRST, 999_900)
    put_remote(point, LAST, 50)
    assert "stav klesl z 999900" in point.reason()
    point.version(6)
    assert point.energy_mwh() == 150 * unit_mwh(point)


def put_remote(point: Registered, at: datetime, value: int, evidence_channel: int | None = None) -> None:
    point.site.do(
        "INSERT INTO register_reading (at, batch_id, value, evidence_channel, quality, marks) SELECT :at, min(id), "
        ":value, :register, 0, 0 FROM batch",
        at=at,
        value=value,
        register=evidence_channel or point.evidence_channel,
    )


def test_an_exchange_within_the_month_counts_both_registers_by_their_own_constants(read_by_people: Registered) -> None:
    """E = (R_end_old - R_prev) x k_old + (R_new - R_start_new) x k_new."""
    point = read_by_people
    post = point.client.post
    fresh = {"id": "M-NEW", "serial": "NEW-1", "model": "m", "commodity": "electricity"}
    place = {"id": point.evidence_channel}
    concentrator = point.site.one("SELECT concentrator FROM evidence_channel WHERE id = :id", **place)
    assert post("/v1/meters", json={**fresh, "concentrator": concentrator}).status_code == 201
    exponent = point.site.one("SELECT exponent FROM evidence_channel WHERE id = :id", **place)
    register = {"meter": "M-NEW", "register": "1-0:1.8.0", "unit": "Wh", "exponent": exponent, "kind": "state"}
    assert post("/v1/evidence-channels", json=register).status_code == 201
    point.site.do(
        "UPDATE channel_mapping SET valid = tstzrange(lower(valid), :half), multiplier = 20 WHERE channel = :channel",
        half=HALF,
        channel=point.channel,
    )
    name = point.site.one("SELECT point FROM channel WHERE id = :channel", channel=point.channel)
    mapping = {"point": name, "direction": "JT", "kind": "state", "since": HALF.isoformat(), "multiplier": 30}
    assert post("/v1/mappings", json={**mapping, "meter": "M-NEW", "register": "1-0:1.8.0"}).status_code == 201
    put_remote(point, FIRST, 4_000)
    point.entered(HALF, 4_100, "removal", document="protokol/5")
    new = Registered(point.site, point.client, point.point, point.channel, 0, "M-NEW", "1-0:1.8.0")
    assert "chybí stav k 2026-03-15" in point.reason()
    new.entered(HALF, 7, "initial")
    put_remote(point, LAST, 17, point.site.one("SELECT id FROM evidence_channel WHERE device = 'M-NEW'"))
    assert point.energy_mwh() == ((4_100 - 4_000) * 20 + (17 - 7) * 30) * unit_mwh(point)


def test_a_state_that_contradicts_its_neighbours_is_refused_with_both_named(read_by_people: Registered) -> None:
    point = read_by_people
    point.version(6)
    point.entered(FIRST, 5_000, "initial")
    point.entered(LAST, 6_000)
    fell = point.enter(HALF, 4_999)
    assert (fell.status_code, fell.json()["code"]) == (409, "state_fell")
    assert "5000 (initial" in fell.json()["message"] and "was the meter exchanged?" in fell.json()["message"]
    rose = point.enter(HALF, 6_001)
    assert (rose.status_code, rose.json()["code"]) == (409, "state_rose")
    assert "6000 (own" in rose.json()["message"]
    repeated = point.enter(LAST, 6_000)
    assert (repeated.status_code, repeated.json()["code"]) == (409, "exists")
    assert point.entered(HALF, 5_500, "change_of_supplier")["period_start"] == FIRST.isoformat().replace("+00:00", "Z")


BAD: list[tuple[dict[str, Any], int, str | None]] = [
    ({"value": -1}, 422, "value"),
    ({"value": 10**30}, 422, "value"),
    ({"value": 1_000_000}, 422, "digits"),
    ({"kind": "remote"}, 422, "input"),
    ({"at": "2027-01-01T00:00:00Z"}, 422, "at"),
    ({"at": "1900-01-01T00:00:00Z"}, 422, "at"),
    ({"at": "2026-03-15T10:00:00"}, 422, "input"),
    ({"period_start": "2026-03-15T10:00:00Z"}, 422, "period_start"),
    ({"pz_date": "2026-03-16"}, 422, "pz_date"),
    ({"meter": "nothing"}, 404, "evidence_channel_not_found"),
    ({"note": "a\x00b"}, 422, None),
]


def test_what_cannot_be_entered(read_by_people: Registered) -> None:
    point = read_by_people
    point.version(6)
    for change, status, code in BAD:
        body = {"meter": point.meter, "register": point.register, "kind": "own", "at": HALF.isoformat(), "value": 1}
        answer = point.client.post("/v1/meter-states", json={**body, **change})
        assert answer.status_code == status, answer.text
        assert code in (None, answer.json()["code"]), change
    assert point.client.get("/v1/meter-states").json() == []
    assert point.client.get("/v1/meter-states/77").status_code == 404
    path = "/v1/readings/states/history"
    period = {"from": FIRST.isoformat(), "to": LAST.isoformat()}
    assert point.client.get(path, params=period).json()["code"] == "channel"
    assert point.client.get(path, params={**period, "to": period["from"], "channel": 1}).json()["code"] == "period"


def test_a_split_is_shown_before_it_is_billed_by_load_profile_and_switching_times(read_by_people: Registered) -> None:
    """A two-tariff register between two readings: TDD of class 5, low tariff at night."""
    point = read_by_people
    two = first_point(point.site, "VT", "state")
    night = fed_by_a_new_meter(point.site, point.client, two, "NT")
    name = point.site.one("SELECT point FROM channel WHERE id = :channel", channel=night.channel)
    first, last = FIRST - timedelta(days=1), FIRST + timedelta(days=1)
    night.entered(first, 1_000, "initial")
    night.entered(last, 1_100)
    days = [
        {"class": "5", "day": "2026-02-28", "values": [1] * 6 + [100] * 18},
        {"class": "5", "day": "2026-03-01", "values": [3] * 6 + [900] * 18},
    ]
    series = {"commodity": "electricity", "kind": "recomputed", "source": "test", "mark": "assumed", "days": days}
    assert night.client.post("/v1/load-profiles", json=series).status_code == 201
    ask = {"channel": night.channel, "cut": FIRST.isoformat(), "profile_class": "5"}
    unmasked = night.client.get("/v1/readings/states/split", params=ask).json()
    assert (unmasked["method"], unmasked["masked"]) == ("load_profile", False)
    assert [part["units"] for part in unmasked["parts"]] == [10, 90]
    assert unmasked["assumed"] == ["the switching times are not known: split without them"]
    post = night.client.post
    assert post("/v1/tariff-schedules", json={"code": "EVV1", "name": "EVV1"}).status_code == 201
    times = {"day_kinds": list(range(1, 8)), "low": [[0, 360]], "since": "2020-01-01"}
    assert post("/v1/tariff-schedules/EVV1/times", json=times).status_code == 201
    assert post("/v1/tariff-schedules/EVV1/times", json=times).json()["code"] == "overlap"
    assert post("/v1/tariff-schedules/X/times", json=times).status_code == 404
    wrong = {**times, "low": [[300, 200]], "day_kinds": [8]}
    assert post("/v1/tariff-schedules/EVV1/times", json=wrong).json()["code"] == "low"
    assigned = post("/v1/tariff-schedules/EVV1/points", json={"point": name, "since": "2020-01-01"})
    assert (assigned.status_code, night.channel in assigned.json()) == (201, True)
    masked = night.client.get("/v1/readings/states/split", params=ask).json()
    assert (masked["masked"], masked["assumed"]) == (True, [])
    assert [part["units"] for part in masked["parts"]] == [25, 75]
    assert masked["text"].startswith("Rozdíl stavů je rozdělen podle typového diagramu třídy 5 (přepočtený)")
    by_days = night.client.get("/v1/readings/states/split", params={**ask, "profile_class": "9"}).json()
    assert [part["units"] for part in by_days["parts"]] == [50, 50]
    nothing = night.client.get("/v1/readings/states/split", params={**ask, "cut": last.isoformat()})
    assert (nothing.status_code, nothing.json()["code"]) == (409, "states_missing")
    (schedule,) = night.client.get("/v1/tariff-schedules").json()
    assert (schedule["code"], len(schedule["times"])) == ("EVV1", 7)
    acts = {act["act"] for act in night.client.get("/v1/audit?subject=tariff_schedule/EVV1").json()}
    assert acts == {"tariff_schedule.create", "tariff_schedule.times", "tariff_schedule.assign"}


FOUND = """
    SELECT coalesce(jsonb_agg(jsonb_build_array(day, severity, evidence) ORDER BY day), '[]') FROM finding
     WHERE rule = :rule AND channel = :channel AND state <> 'gone'
"""
MARCH = (date(2026, 3, 1), date(2026, 3, 31))


def test_registers_versions_removal_and_check_meter_are_validated(site: BilledSite) -> None:
    point = first_point(site, "A+", "interval")
    with transaction(site.engine) as connection:
        row = connection.execute(
            text("""
                SELECT c.id, c.point, e.id AS evidence_channel, e.device, e.register, e.concentrator, e.exponent
                  FROM channel c JOIN channel_mapping m ON m.channel = c.id
                  JOIN evidence_channel e ON e.id = m.evidence_channel
                 WHERE c.supply_point = :point AND c.direction = 'A+' AND c.kind = 'interval'
            """),
            {"point": point},
        ).one()
        other = connection.execute(
            text("SELECT min(id) FROM channel WHERE kind = 'interval' AND direction = 'A+' AND id <> :id"),
            {"id": row.id},
        ).scalar_one()
        connection.execute(
            text(
                "INSERT INTO check_channel (channel, check_channel, valid) VALUES (:id, :other, tstzrange(NULL, NULL))"
            ),
            {"id": row.id, "other": other},
        )
    with site.client() as client:
        version = {"meter": row.device, "register": row.register, "digits": 8, "multiplier": 40}
        since = "2026-03-30T00:00:00+02:00"
        assert client.post("/v1/register-versions", json={**version, "since": since}).status_code == 201
        state_channel, register, name, first, last = site.one(
            """
            SELECT jsonb_build_array(c.id, e.id, e.register, min(r.value), max(r.value))
              FROM channel c JOIN channel_mapping m ON m.channel = c.id
              JOIN evidence_channel e ON e.id = m.evidence_channel
              JOIN register_reading r ON r.evidence_channel = e.id
             WHERE c.point = :point AND c.direction = 'A+' AND c.kind = 'state' GROUP BY c.id, e.id
            """,
            point=row.point,
        )
        removal = {"meter": row.device, "register": name, "kind": "removal", "at": "2026-03-29T22:30:00Z"}
        assert client.post("/v1/meter-states", json={**removal, "value": first + 1}).status_code == 201
    with transaction(site.engine) as connection:
        enqueue(connection, [row.id, state_channel], *MARCH, "test")
    site.validate()

    def found(rule: str, channel: int = row.id) -> Any:
        return site.one(FOUND, rule=rule, channel=channel)

    ((day, severity, evidence),) = found("register_sum")
    assert (day, severity, evidence["counted_by_registers"]) == ("2026-03-31", 3, last - first)
    total = site.one(
        "SELECT sum(v) FROM day_profile p, unnest(p.values) v WHERE p.channel = :id AND p.day < '2026-04-01'", id=row.id
    )
    assert evidence["sum_of_profile"] == total
    assert [each[0] for each in found("unit_multiplier")] == ["2026-03-30", "2026-03-31"]
    assert [each[0] for each in found("removed")] == ["2026-03-31"]
    assert len(found("check_meter")) > 20
    assert found("register", state_channel) == []
    # the state falls, and the register's digits do not explain it
    at = datetime(2026, 3, 30, 22, tzinfo=UTC)
    read = Registered(site, client, point, state_channel, register, row.device, name)
    put_remote(read, at, last + 99)
    with transaction(site.engine) as connection:
        enqueue(connection, [state_channel], date(2026, 3, 31), date(2026, 3, 31), "test")
    site.validate()
    ((day, severity, evidence),) = found("register", state_channel)
    assert (day, severity, evidence["before"], evidence["after"]) == ("2026-03-31", 3, last + 99, last)


def test_month_ends_between_two_instants() -> None:
    assert month_ends(FIRST, LAST) == []
    assert month_ends(FIRST - timedelta(microseconds=1), LAST) == [FIRST]
    assert month_ends(datetime(2025, 12, 31, 12, tzinfo=UTC), NOW) == [
        datetime(2025, 12, 31, 23, tzinfo=UTC),
        datetime(2026, 1, 31, 23, tzinfo=UTC),
        FIRST,
        LAST,
    ]
