"""Gauges of external sources for Prometheus."""

from datetime import UTC, datetime
from typing import Any

from central.platform.external.breaker import State
from central.workflow.external.metrics import metrics

AT = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)


def row(code: str, **given: Any) -> Any:
    plain = {"adapter": "cnb-rates", "active": True, "succeeded_at": AT, "failed_at": None, "failures": 0, "waiting": 0}
    return {"code": code, "breaker": State.CLOSED.value, **plain, **given}


def test_each_active_source_with_what_is_known_of_it() -> None:
    rows = [
        row("cnb"),
        row("ote", succeeded_at=None, failed_at=AT, failures=5, breaker=State.OPEN.value, waiting=2),
        row("old", active=False),
    ]
    lines = [line for line in metrics(rows).decode().splitlines() if not line.startswith("#")]
    told = {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}
    prefix, cnb, ote = "rozvodna_external_", '{adapter="cnb-rates",source="cnb"}', '{adapter="cnb-rates",source="ote"}'
    assert told == {
        f"{prefix}last_success_timestamp_seconds{cnb}": AT.timestamp(),
        f"{prefix}failures_in_a_row{cnb}": 0,
        f"{prefix}breaker_state{cnb}": 0,
        f"{prefix}waiting_runs{cnb}": 0,
        f"{prefix}last_failure_timestamp_seconds{ote}": AT.timestamp(),
        f"{prefix}failures_in_a_row{ote}": 5,
        f"{prefix}breaker_state{ote}": 2,
        f"{prefix}waiting_runs{ote}": 2,
    }
