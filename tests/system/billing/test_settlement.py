"""A month of the model site from evidence to approved billing bases, on a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from central.platform.database import transaction
from central.platform.errors import Refused
from central.readings.consolidate import DEADLINE, consolidate_once
from central.readings.estimation.pending import try_all_again
from central.readings.silence import expect_days
from central.readings.vee.stage import validate_once
from central.settlement.runs import approve_run
from central.tariffs.load import shipped_files
from central.workflow.prepare import prepare
from shared.testing import ManualClock
from tests.system.billing.site import CLERK, NOW, POINTS, READER_TOKEN, BilledSite, Skipped, settle_march


def settle(site: BilledSite, points: list[int] | None = None) -> int:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        return settle_march(connection, site.clock, points).id


def approve(site: BilledSite, run: int) -> int:
    with transaction(site.engine) as connection:
        return approve_run(connection, run, CLERK, NOW)


def test_every_consumption_point_is_settled_and_nothing_else(site: BilledSite) -> None:
    run = settle(site)
    assert site.one("SELECT count(*) FROM settlement_omission WHERE run = :run", run=run) == 0
    assert site.one("SELECT count(*) FROM settlement_input WHERE run = :run", run=run) == POINTS
    kinds = (
        "SELECT array_agg(DISTINCT sp.point_type) FROM billing_basis b JOIN supply_point sp ON sp.id = b.supply_point"
    )
    assert site.one(kinds) == ["consumption"]
    assert site.one("SELECT count(*) FROM billing_basis WHERE unit_price = 0 OR rate = 8") == 0
    assert site.one("SELECT count(*) FROM settlement_input WHERE information @> '[{\"rate\": 8}]'") == POINTS - 1
    assert site.one("SELECT count(DISTINCT statement_type) FROM billing_basis") == 1


def test_amounts_follow_from_profiles_and_states(site: BilledSite) -> None:
    settle(site)
    profile_wh = site.one("""
        SELECT sum(v) FROM day_profile p
          JOIN channel c ON c.id = p.channel JOIN supply_point sp ON sp.id = c.supply_point
          CROSS JOIN LATERAL unnest(p.values) v
         WHERE c.direction = 'A+' AND sp.point_type = 'consumption' AND sp.voltage_level = 'VN'
    """)
    billed_mwh = site.one("""
        SELECT sum(b.quantity) FROM billing_basis b WHERE b.component = 'use_of_networks'
    """)
    assert abs(billed_mwh - Decimal(profile_wh).scaleb(-6)) <= 6 * Decimal("0.0005")
    highest_wh = site.one("""
        SELECT max(v) FROM day_profile p JOIN channel c ON c.id = p.channel
          JOIN billing_basis b ON b.supply_point = c.supply_point AND b.component = 'use_of_networks'
          CROSS JOIN LATERAL unnest(p.values) v WHERE c.direction = 'A+'
    """)
    pinned_kw = site.one("SELECT max((quantities ->> 'max_quarter_hour_kw')::numeric) FROM settlement_input")
    assert pinned_kw == Decimal(highest_wh) * 4 / 1000
    low_wh = site.one("""
        SELECT sum((last.value - first.value) * 10 ^ e.exponent)::bigint
          FROM evidence_channel e
          JOIN channel_mapping m ON m.evidence_channel = e.id
          JOIN channel c ON c.id = m.channel
          JOIN supply_point sp ON sp.id = c.supply_point AND sp.voltage_level = 'NN'
          JOIN register_reading first ON first.evidence_channel = e.id
          JOIN register_reading last ON last.evidence_channel = e.id AND last.at > first.at
         WHERE c.direction IN ('VT', 'NT', 'JT')
    """)
    billed = site.one("SELECT sum(quantity) FROM billing_basis WHERE component LIKE 'energy_%'")
    assert abs(billed - Decimal(low_wh).scaleb(-6)) <= 60 * Decimal("0.0005")
    assert site.one("SELECT count(*) FROM billing_basis WHERE round(quantity * unit_price, 2) <> amount") == 0


def test_a_run_with_the_same_pins_is_the_same(site: BilledSite) -> None:
    first, second = settle(site), settle(site)
    digest = "SELECT digest FROM settlement_run WHERE id = :run"
    assert site.one(digest, run=first) == site.one(digest, run=second)
    rows = """
        SELECT string_agg(rate || ':' || quantity || ':' || amount, ',' ORDER BY supply_point, rate, id)
          FROM billing_basis WHERE run = :run
    """
    assert site.one(rows, run=first) == site.one(rows, run=second)


def test_an_incomplete_month_and_a_missing_state_leave_out_only_their_points(
    site_without: Callable[[Skipped], BilledSite],
) -> None:
    site = site_without(Skipped(day=date(2026, 3, 17), last_state=True))
    run = settle(site)
    assert site.one("SELECT count(*) FROM settlement_input WHERE run = :run", run=run) == POINTS - 2
    reasons = "SELECT array_agg(reason ORDER BY day) FROM settlement_omission WHERE run = :run"
    first, second = site.one(reasons, run=run)
    assert "chybí 96 hodnot, první dne 2026-03-17" in first
    assert "registr VT: chybí stav k 2026-03-31" in second
    assert approve(site, run) > 0
    # a new reading mends one of them; it is settled by itself
    site.do("""
        INSERT INTO register_reading (at, batch_id, value, evidence_channel, quality, marks)
        SELECT at + interval '1 second', batch_id, value, evidence_channel, 0, 1 FROM register_reading WHERE quality = 8
    """)
    again = settle(site)
    assert site.one("SELECT count(*) FROM settlement_input WHERE run = :run", run=again) == 1
    assert site.one("SELECT count(*) FROM settlement_omission WHERE run = :run", run=again) == 1


def test_a_day_that_may_not_be_estimated_blocks_the_bill_until_it_may(
    site_without: Callable[[Skipped], BilledSite],
) -> None:
    site = site_without(Skipped(day=date(2026, 3, 17)))
    left_out = "SELECT count(*) FROM settlement_omission WHERE run = :run"
    assert site.one(left_out, run=settle(site)) == 1  # and installs the packages with the order of estimation
    site.do("UPDATE estimation_order SET most_estimated_days = 0")
    with transaction(site.engine) as connection:
        expect_days(connection, date(2026, 3, 31), DEADLINE, days=31)
    while consolidate_once(site.engine, site.clock).worked or validate_once(site.engine, site.clock).worked:
        pass
    assert site.one("SELECT array_agg(reason || ' ' || day) FROM estimation_pending") == ["too_many_days 2026-03-17"]
    assert site.one(left_out, run=settle(site)) == 1
    # profiles and states of this evidence are made up apart from one another: they disagree
    site.do("""
        UPDATE estimation_order SET most_estimated_days = 10, steps = jsonb_set(steps, '{scale_to_states}', 'false')
    """)
    with transaction(site.engine) as connection:
        try_all_again(connection)
    site.validate()
    assert site.one("SELECT array_agg(reason || detail) FROM estimation_pending") is None
    run = settle(site)
    assert site.one(left_out, run=run) == 0
    assert site.one("SELECT count(*) FROM settlement_input WHERE run = :run", run=run) == POINTS


def test_a_sampled_state_a_little_late_still_stands_for_the_boundary(
    site_without: Callable[[Skipped], BilledSite],
) -> None:
    site = site_without(Skipped(late_s=40))
    assert site.one("SELECT count(*) FROM settlement_input WHERE run = :run", run=settle(site)) == POINTS


def test_a_meter_exchange_adds_both_meters(site: BilledSite) -> None:
    row = """
        SELECT m.{column} FROM channel c JOIN channel_mapping m ON m.channel = c.id
         WHERE c.direction = 'JT' ORDER BY c.id LIMIT 1
    """
    register, channel = site.one(row.format(column="evidence_channel")), site.one(row.format(column="channel"))
    before = site.one("SELECT quantities FROM settlement_input si JOIN channel c ON c.supply_point = si.supply_point"
                      " WHERE si.run = :run AND c.id = :channel", run=settle(site), channel=channel)  # fmt: skip
    site.do(
        """
        WITH new_meter AS (
            INSERT INTO meter (id, serial, model, commodity, concentrator)
            SELECT id || '-N', serial || '-N', model, commodity, concentrator FROM meter
             WHERE id = (SELECT device FROM evidence_channel WHERE id = :register) RETURNING id, concentrator),
        new_register AS (
            INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms)
            SELECT n.concentrator, n.id, e.register, e.unit, e.exponent, e.kind, e.step_ms
              FROM new_meter n, evidence_channel e WHERE e.id = :register RETURNING id),
        ended AS (
            UPDATE channel_mapping SET valid = tstzrange(lower(valid), '2026-03-10 12:00Z')
             WHERE evidence_channel = :register RETURNING channel),
        readings AS (
            INSERT INTO register_reading (at, batch_id, value, evidence_channel, quality, marks)
            SELECT at, (SELECT min(id) FROM batch), value, id, 0, 0 FROM new_register
             CROSS JOIN (VALUES ('2026-03-10 12:00Z'::timestamptz, 5), ('2026-03-31 22:00Z', 12)) AS v (at, value))
        INSERT INTO channel_mapping (evidence_channel, channel, valid)
        SELECT n.id, e.channel, tstzrange('2026-03-10 12:00Z', NULL) FROM new_register n, ended e
        """,
        register=register,
    )
    site.do(
        """
        INSERT INTO register_reading (at, batch_id, value, evidence_channel, quality, marks)
        SELECT '2026-03-10 12:00Z', batch_id, value + 3, evidence_channel, 0, 0 FROM register_reading
         WHERE evidence_channel = :register ORDER BY at LIMIT 1
        """,
        register=register,
    )
    after = site.one("SELECT quantities FROM settlement_input si JOIN channel c ON c.supply_point = si.supply_point"
                     " WHERE si.run = :run AND c.id = :channel", run=settle(site), channel=channel)  # fmt: skip
    exponent = site.one("SELECT exponent FROM evidence_channel WHERE id = :register", register=register)
    assert Decimal(after["energy_mwh"]) == Decimal(3 + 7).scaleb(exponent - 6)
    assert Decimal(before["energy_mwh"]) > Decimal(after["energy_mwh"])


def test_an_exchange_by_its_act_adds_both_meters(site: BilledSite) -> None:
    meter, register, point, channel = site.one("""
        SELECT ARRAY[e.device, e.register, c.point, c.id::text] FROM channel c
          JOIN channel_mapping m ON m.channel = c.id JOIN evidence_channel e ON e.id = m.evidence_channel
         WHERE c.direction = 'JT' ORDER BY c.id LIMIT 1
    """)
    state = "SELECT min(value) FROM register_reading r JOIN evidence_channel e ON e.id = r.evidence_channel" \
            " WHERE e.device = :meter"  # fmt: skip
    first = site.one(state, meter=meter)
    at = "2026-03-10T12:00:00Z"
    with site.client() as client:
        old = client.get(f"/v1/meters/{meter}").json()
        new = {**old, "id": f"{meter}-N", "serial": f"{meter}-N"}
        assert client.post("/v1/meters", json=new).status_code == 201
        exchange = {
            "at": at,
            "reason": "cejch",
            "removed": {"meter": meter, "states": [{"register": register, "value": first + 3}]},
            "mounted": {"meter": new["id"], "template": "sdm630", "states": [{"register": register, "value": 5}]},
        }
        early = {**exchange, "at": "2026-02-10T12:00:00Z"}
        assert client.post(f"/v1/measuring-points/{point}/exchange", json=early).status_code == 409
        answer = client.post(f"/v1/measuring-points/{point}/exchange", json=exchange)
        assert answer.status_code == 201, answer.text
    site.do(
        """
        INSERT INTO register_reading (at, batch_id, value, evidence_channel, quality, marks)
        SELECT '2026-03-31 22:00Z', (SELECT min(id) FROM batch), 12, id, 0, 0 FROM evidence_channel
         WHERE device = :meter AND kind = 'state'
        """,
        meter=new["id"],
    )
    site.validate()
    after = site.one("SELECT quantities FROM settlement_input si JOIN channel c ON c.supply_point = si.supply_point"
                     " WHERE si.run = :run AND c.id = :channel", run=settle(site), channel=int(channel))  # fmt: skip
    exponent = site.one("SELECT exponent FROM channel WHERE id = :channel", channel=int(channel))
    assert Decimal(after["energy_mwh"]) == Decimal(3 + 7).scaleb(exponent - 6)


def test_a_meter_is_not_exchanged_before_what_is_billed(site: BilledSite) -> None:
    meter, point = site.one("""
        SELECT ARRAY[o.meter, p.name] FROM channel c JOIN measuring_point p ON p.name = c.point
          JOIN mounting o ON o.measuring_point = p.id WHERE c.direction = 'JT' ORDER BY c.id LIMIT 1
    """)
    run = settle(site)
    approve(site, run)
    number = site.one("SELECT number FROM settlement_run WHERE id = :run", run=run)
    act = {
        "at": "2026-03-10T12:00:00Z",
        "reason": "cejch",
        "removed": {"meter": meter},
        "mounted": {"meter": "NOVÝ", "template": "sdm630"},
    }
    with site.client() as client:
        told = client.get("/v1/meter-acts/consequences", params={"measuring_point": point, "at": act["at"]}).json()
        assert {"settlement"} <= {each["room"] for each in told["touched"]}
        assert f"Settlement run {number}" in told["refused"][0]
        answer = client.post(f"/v1/measuring-points/{point}/exchange", json=act)
        assert answer.status_code == 409, answer.text
        assert f"Settlement run {number} has billing bases" in answer.json()["message"]
        assert f"mounting of {meter} at {point} cannot end on 2026-03-10" in answer.json()["message"]
    assert site.one("SELECT count(*) FROM mounting WHERE meter = :meter AND upper_inf(valid)", meter=meter) == 1


def test_a_month_that_is_not_over_leaves_everything_out(site: BilledSite) -> None:
    early = ManualClock(NOW.replace(month=3, day=20))
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        made = settle_march(connection, early)
    assert (made.settled, made.omitted) == (0, POINTS)
    with pytest.raises(Refused, match="settled no supply point"):
        approve(site, made.id)


def test_two_runs_of_one_month_cannot_both_be_approved(site: BilledSite) -> None:
    first, second = settle(site), settle(site)
    assert approve(site, first) > 0
    with pytest.raises(Refused, match="settled for the month in an approved run"):
        approve(site, second)
    with pytest.raises(Refused, match="was approved by Fakturantka"):
        approve(site, first)
    with pytest.raises(Refused, match="no supply point left to settle"):
        settle(site)


def test_a_missing_contract_and_an_unknown_price_list_are_reasons(site: BilledSite) -> None:
    site.do(
        "UPDATE contract_item SET prices = 'NOBODY' WHERE id = (SELECT min(id) FROM contract_item WHERE rate = 'D02d')"
    )
    site.do("DELETE FROM contract_item WHERE id = (SELECT max(id) FROM contract_item)")
    run = settle(site)
    reasons = " ".join(
        site.one("SELECT array_agg(component || ' ' || reason) FROM settlement_omission WHERE run = :run", run=run)
    )
    assert "pro ceník NOBODY (electricity) není dne 2026-03-01 platný balíček" in reasons
    assert "nemá od 2026-03-01 v období platnou položku smlouvy" in reasons


def test_without_a_package_nothing_is_written(site: BilledSite) -> None:
    with pytest.raises(Refused, match="No legislative package"), transaction(site.engine) as connection:
        settle_march(connection, site.clock)
    assert site.one("SELECT count(*) FROM settlement_run") == 0


def test_preparing_twice_installs_once_and_respects_the_operators_package(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        assert {"cz-electricity-2026 2026.4", "cz-gas-2017-example 2017.4"} <= set(prepare(connection, CLERK, NOW))
    installed = site.one("SELECT count(*) FROM package")
    site.do("UPDATE package SET version = 'own', checksum = 'own' WHERE scope = 'cz-gas'")
    with transaction(site.engine) as connection:
        assert prepare(connection, CLERK, NOW) == []
    assert site.one("SELECT count(*) FROM package") == installed == len(shipped_files())


def test_the_interface(site: BilledSite) -> None:
    with site.client() as client:
        made = client.post("/v1/settlement/runs", json={"month": "2026-03"})
        assert made.status_code == 201
        assert (made.json()["settled"], made.json()["omitted"]) == (POINTS, 0)
        run = made.json()["id"]
        found = client.get(f"/v1/settlement/runs/{run}").json()
        assert (found["state"], found["settled"], found["omissions"]) == ("draft", POINTS, [])
        approved = client.post(f"/v1/settlement/runs/{run}/approve", json={}).json()
        assert approved == {"id": run, "state": "approved", "billing_bases": made.json()["billing_bases"]}
        bases = client.get("/v1/bases", params={"run": run, "limit": 1_000}).json()
        assert len(bases) == made.json()["billing_bases"]
        assert all(Decimal(basis["amount"]) >= 0 and basis["state"] == "approved" for basis in bases)
        assert client.get("/v1/settlement/runs").json()[0]["net"] == str(
            sum(Decimal(basis["amount"]) for basis in bases)
        )
        packages = client.get("/v1/packages").json()
        assert {"cz-electricity-2026", "cz-gas-2017-example"} <= {package["name"] for package in packages}
        price = client.get(
            "/v1/packages/cz-electricity-2026/2026.4/price",
            params={"component": "use_of_networks", "day": "2026-03-01", "operator": "CEZ", "level": "VN"},
        ).json()
        assert (price["value"], price["mark"]) == ("106.22", "documented")
        assert client.post("/v1/settlement/runs", json={"month": "2026-13"}).status_code == 422
        assert client.get("/v1/settlement/runs/999").status_code == 404
        acts = site.one("SELECT array_agg(DISTINCT act || ' ' || person) FROM audit WHERE act LIKE 'settlement%'")
        assert sorted(acts) == ["settlement.approve Fakturantka", "settlement.run Fakturantka"]
    with site.client(READER_TOKEN) as reader:
        assert reader.post("/v1/settlement/runs", json={"month": "2026-03"}).status_code == 403
        assert reader.post(f"/v1/settlement/runs/{run}/approve", json={}).status_code == 403
