"""The states of a bill as billing data tell them, worked by hand."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from central.market.contents import write_any
from central.market.envelope import Envelope, Participant
from central.market.format_package import load_package
from central.market.payloads import billing_data as duf
from central.workflow.telling.bill_meters import Days, meters_of
from central.workflow.telling.bill_records import billing_data
from tests.unit.central.market.examples import AT
from tests.unit.central.workflow.test_telling_bills import BILL

MARCH = Days(date(2026, 3, 1), date(2026, 3, 31))
BEGIN, MIDDLE, END = "2026-02-28T23:00:00+00:00", "2026-03-10T09:30:00+00:00", "2026-03-31T22:00:00+00:00"
FACTS = {
    "channels": [
        {
            "mappings": [
                {"evidence_channel": 7, "serial": "4410021", "multiplier": 20},
                {"evidence_channel": 8, "serial": "5520033", "multiplier": 20},
            ]
        }
    ]
}


def period(first: str, last: str, start: int, end: int, channel: int = 7, factor: int = 20) -> dict[str, Any]:
    def state(at: str, value: int) -> dict[str, Any]:
        return {"evidence_channel": channel, "at": at, "value": value, "exponent": 0, "batch": 1}

    return {"factor": factor, "from": state(first, start), "to": state(last, end)}


def reading(direction: str, *periods: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "state", "direction": direction, "unit": "Wh", "exponent": 0, "periods": list(periods)}


@pytest.mark.parametrize(("changed", "reason"), [(True, "change_of_supplier"), (False, "periodic")])
def test_the_states_and_why_they_were_read(changed: bool, reason: str) -> None:
    readings = [
        reading("VT", period(BEGIN, END, 1_200_500, 1_260_750)),
        reading("A-", period(BEGIN, END, 1, 2)),
    ]
    (told,) = meters_of(readings, FACTS, MARCH, changed=changed)
    # 60.25 kWh on the register times 20
    assert (told.meter, told.register, told.consumption, told.unit) == ("4410021", "high", Decimal(1205), "KWH")
    assert (told.first_state, told.last_state, told.multiplier) == (Decimal("1200.5"), Decimal("1260.75"), Decimal(20))
    assert (told.first_day, told.last_day, told.reason) == (date(2026, 3, 1), date(2026, 3, 31), reason)


def test_an_exchange_within_the_days_gives_each_meter_its_own() -> None:
    readings = [reading("JT", period(BEGIN, MIDDLE, 100_000, 110_000), period(MIDDLE, END, 0, 5_000, channel=8))]
    told = meters_of(readings, FACTS, MARCH, changed=True)
    assert [(each.meter, each.first_day.day, each.last_day.day, each.reason) for each in told] == [
        ("4410021", 1, 10, "exchange"),
        ("5520033", 10, 31, "change_of_supplier"),
    ]
    assert [each.consumption for each in told] == [Decimal(200), Decimal(100)]


def test_states_that_do_not_give_the_consumption_are_not_told() -> None:
    changed_constant = [reading("JT", period(BEGIN, END, 100_000, 110_000, factor=15))]
    assert meters_of(changed_constant, FACTS, MARCH, changed=False) == []


def test_the_message_has_the_states_and_a_cancelling_none() -> None:
    meters = meters_of([reading("VT", period(BEGIN, END, 1_200_500, 1_260_750))], FACTS, MARCH, changed=True)
    data = billing_data(replace(BILL, meters=meters))
    assert duf.problems(data) == []
    envelope = Envelope("T1", "XD1", AT, Participant("8591824900017"), Participant("8591824000007"))
    content = write_any(load_package("sandbox-2026"), envelope, data)
    assert b'reading-reason="CHS"' in content
    cancelling = replace(BILL, kind="cancelling", original="2600000000", meters=meters)
    assert billing_data(cancelling).documents[0].meters == []
