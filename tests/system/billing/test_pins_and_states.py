"""What an approved run holds fast while evidence goes on, and which register states a bill stands on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from central.invoicing.issue import issue_invoices
from central.platform.database import transaction
from central.platform.errors import Refused
from central.readings.consolidate import consolidate_once
from central.readings.testing import make_profiles
from central.settlement.runs import approve_run
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, POINTS, BilledSite, Skipped, settle_march

FIRST_POINT = """
    SELECT min(c.supply_point) FROM channel c JOIN supply_point sp ON sp.id = c.supply_point
     WHERE c.direction = :direction AND c.kind = :kind AND sp.point_type = 'consumption'
"""
A_LATER_BLOCK = """
    WITH late AS (
        INSERT INTO batch (edge, epoch, seq, received_at, evidence_channels, first_start, last_end)
        SELECT edge, 8, 1, :now, ARRAY[b.evidence_channel], b.start, b.start + interval '1 day'
          FROM block b JOIN batch ON batch.id = b.batch_id
          JOIN channel_mapping m ON m.evidence_channel = b.evidence_channel
          JOIN channel c ON c.id = m.channel
         WHERE c.supply_point = :point AND c.direction = 'A+' AND c.kind = 'interval'
           AND b.start = '2026-03-16 23:00Z' RETURNING id, evidence_channels[1] AS evidence_channel)
    INSERT INTO block (start, batch_id, evidence_channel, step, marks, values)
    SELECT b.start, late.id, b.evidence_channel, b.step, 1, array_fill(:value, ARRAY[96])
      FROM block b JOIN late USING (evidence_channel) WHERE b.start = '2026-03-16 23:00Z'
"""


def settle(site: BilledSite, points: list[int] | None = None) -> int:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        return settle_march(connection, site.clock, points).id


def approve(site: BilledSite, run: int) -> None:
    with transaction(site.engine) as connection:
        approve_run(connection, run, CLERK, NOW)


def first_point(site: BilledSite, direction: str, kind: str) -> int:
    found: int = site.one(FIRST_POINT, direction=direction, kind=kind)
    return found


def quantities(site: BilledSite, run: int, point: int) -> dict[str, Any]:
    found: dict[str, Any] = site.one(
        "SELECT quantities FROM settlement_input WHERE run = :run AND supply_point = :point", run=run, point=point
    )
    return found


def quantities_or_none(site: BilledSite, run: int) -> dict[str, Any] | None:
    found: dict[str, Any] | None = site.one(
        "SELECT max(quantities::text) FROM settlement_input WHERE run = :run", run=run
    )
    return found


def test_a_later_block_does_not_touch_what_was_approved(site: BilledSite) -> None:
    point = first_point(site, "A+", "interval")
    run = settle(site, [point])
    approve(site, run)
    before = quantities(site, run, point)
    site.do(A_LATER_BLOCK, now=NOW, point=point, value=777)
    make_profiles(site.engine, site.clock)
    assert site.one("SELECT count(*) FROM day_profile WHERE version = 2 AND late") == 1
    assert site.one("SELECT count(*) FROM day_profile WHERE version > 2 OR version = 1 AND late") == 0
    with transaction(site.engine) as connection:
        (number,) = issue_invoices(connection, run, CLERK, NOW).numbers
    billed = site.one("SELECT quantity FROM invoice_line WHERE rate = 7")
    assert billed == round(Decimal(before["energy_mwh"]), 3)
    with site.client() as client:
        late = client.get(f"/v1/settlement/runs/{run}").json()["late"]
        (entry,) = late
        assert (entry["day"], entry["direction"]) == ("2026-03-17", "A+")
        assert (entry["pinned_version"], entry["newest_version"]) == (1, 2)
        lines = client.get(f"/v1/invoices/{number}").json()["lines"]
        place = next(line["line_no"] for line in lines if line["rate"] == 7)
        trace = client.get(f"/v1/invoices/{number}/lines/{place}/trace").json()
    (measurement,) = trace["measurements"]
    versions = {day["day"]: (day["version"], day["newest_version"]) for day in measurement["days"]}
    assert versions.pop("2026-03-17") == (1, 2)
    assert set(versions.values()) == {(1, 1)}
    (day,) = [day for day in measurement["days"] if day["day"] == "2026-03-17"]
    first_batch = site.one("SELECT min(batch_id) FROM block WHERE evidence_channel = :channel",
                           channel=day["blocks"][0]["evidence_channel"])  # fmt: skip
    assert [block["batch"] for block in day["blocks"]] == [first_batch]
    assert quantities(site, run, point) == before


def test_a_draft_keeps_the_versions_it_was_made_from(site: BilledSite) -> None:
    point = first_point(site, "A+", "interval")
    draft = settle(site, [point])
    site.do(A_LATER_BLOCK, now=NOW, point=point, value=777)
    consolidate_once(site.engine, site.clock)
    left_out = "SELECT component || ' ' || day FROM settlement_omission WHERE run = :run"
    assert site.one(left_out, run=settle(site, [point])) == "validation 2026-03-17"
    make_profiles(site.engine, site.clock)
    newer = settle(site, [point])
    energies = [Decimal(quantities(site, run, point)["energy_mwh"]) for run in (draft, newer)]
    assert energies[0] != energies[1]
    pinned = "SELECT profiles #>> '{0,versions,16}' FROM settlement_input WHERE run = :run"
    assert (site.one(pinned, run=draft), site.one(pinned, run=newer)) == ("1", "2")


def test_the_invoice_goes_to_the_payer_that_the_run_pinned(site: BilledSite) -> None:
    point = first_point(site, "JT", "state")
    run = settle(site, [point])
    approve(site, run)
    payer = site.one("SELECT (facts #>> '{contract,payer,id}')::bigint FROM settlement_input WHERE run = :run", run=run)
    site.do("UPDATE contract SET payer = (SELECT id FROM party WHERE code = 'OTE')")
    with transaction(site.engine) as connection:
        issue_invoices(connection, run, CLERK, NOW)
    assert site.one("SELECT payer FROM invoice") == payer


def test_two_issuers_of_two_runs_share_one_series(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        rows = connection.execute(text("SELECT id FROM supply_point WHERE point_type = 'consumption' ORDER BY id"))
        points = [row.id for row in rows]
    runs = [settle(site, points[::2]), settle(site, points[1::2])]
    for run in runs:
        approve(site, run)
    numbers: list[list[str]] = []

    def issue(run: int) -> None:
        with transaction(site.engine) as connection:
            numbers.append(issue_invoices(connection, run, CLERK, NOW).numbers)

    threads = [threading.Thread(target=issue, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for given in numbers for number in given) == [f"26{n:08d}" for n in range(1, POINTS + 1)]


def single_register(site: BilledSite) -> tuple[int, int, int]:
    """A point of one register that counts in 10 Wh: the point, its channel, its evidence channel."""
    point = first_point(site, "JT", "state")
    channel = site.one("SELECT id FROM channel WHERE supply_point = :point AND direction = 'JT'", point=point)
    register = site.one("SELECT evidence_channel FROM channel_mapping WHERE channel = :channel", channel=channel)
    assert site.one("SELECT exponent FROM evidence_channel WHERE id = :register", register=register) == 1
    return point, channel, register


def test_a_register_may_count_in_a_larger_unit_than_its_channel(site: BilledSite) -> None:
    point, channel, register = single_register(site)
    before = Decimal(quantities(site, settle(site, [point]), point)["energy_mwh"])
    site.do("UPDATE channel SET exponent = 0 WHERE id = :channel", channel=channel)
    run = settle(site, [point])
    assert Decimal(quantities(site, run, point)["energy_mwh"]) == before > 0
    period = site.one("SELECT readings #> '{0,periods,0}' FROM settlement_input WHERE run = :run", run=run)
    assert period["factor"] == 10
    site.do("UPDATE channel_mapping SET multiplier = 40 WHERE channel = :channel", channel=channel)
    assert Decimal(quantities(site, settle(site, [point]), point)["energy_mwh"]) == before * 40
    assert register == period["from"]["evidence_channel"]


@pytest.mark.parametrize(
    ("late_s", "settled"),
    [(14 * 60 + 59, POINTS), (15 * 60, POINTS - 40)],
    ids=["a late sample stands for its boundary", "the next boundary's own sample does not"],
)
def test_how_late_a_state_may_be(site_without: Callable[[Skipped], BilledSite], late_s: int, settled: int) -> None:
    site = site_without(Skipped(late_s=late_s))
    run = settle(site)
    assert site.one("SELECT count(*) FROM settlement_input WHERE run = :run", run=run) == settled
    reasons = "SELECT count(*) FROM settlement_omission WHERE run = :run AND reason LIKE '%chybí stav k 2026-02-28T23%'"
    assert site.one(reasons, run=run) == POINTS - settled


def test_an_unusable_state_is_passed_over_for_the_next(site_without: Callable[[Skipped], BilledSite]) -> None:
    site = site_without(Skipped(last_state=True))
    point = first_point(site, "VT", "state")
    assert quantities_or_none(site, settle(site, [point])) is None
    good = """
        INSERT INTO register_reading (at, batch_id, value, evidence_channel, quality, marks)
        SELECT at + interval '1 minute', batch_id, value + 5000, evidence_channel, 0, 0 FROM register_reading
         WHERE quality = 8
    """
    site.do(good)
    run = settle(site, [point])
    (state,) = site.one(
        "SELECT array_agg(reading #> '{periods,0,to}') FROM settlement_input, jsonb_array_elements(readings) reading"
        " WHERE run = :run AND reading ->> 'direction' = 'VT'",
        run=run,
    )
    assert (state["at"], state["quality"]) == ("2026-03-31T22:01:00+00:00", 0)


def test_nothing_is_approved_twice_for_a_point(site: BilledSite) -> None:
    point = first_point(site, "JT", "state")
    first, second = settle(site, [point]), settle(site, [point])
    approve(site, first)
    with pytest.raises(Refused, match="settled for the month in an approved run"):
        approve(site, second)
