"""How external sources are, for Prometheus: last success, failures in a row, breaker, runs that wait."""

from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import RowMapping

from central.platform.external.breaker import State

_BREAKER: Final = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}


def metrics(rows: Sequence[RowMapping]) -> bytes:
    """Gauges of the active sources as `sources.find_sources` gives them; a time that never was is left out."""
    registry = CollectorRegistry()
    labels = ["source", "adapter"]

    def gauge(name: str, text: str) -> Gauge:
        return Gauge(f"rozvodna_external_{name}", text, labels, registry=registry)

    succeeded = gauge("last_success_timestamp_seconds", "When a run of the external source went well the last time")
    failed = gauge("last_failure_timestamp_seconds", "When a run of the external source failed the last time")
    failures = gauge("failures_in_a_row", "Failed runs of the external source since the last one that went well")
    breaker = gauge("breaker_state", "Circuit breaker of the external source: 0 closed, 1 half open, 2 open")
    waiting = gauge("waiting_runs", "Runs of the external source that wait")
    for row in rows:
        if not row["active"]:
            continue
        named = (row["code"], row["adapter"])
        for each, at in ((succeeded, row["succeeded_at"]), (failed, row["failed_at"])):
            if at is not None:
                each.labels(*named).set(at.timestamp())
        failures.labels(*named).set(row["failures"])
        breaker.labels(*named).set(_BREAKER[State(row["breaker"])])
        waiting.labels(*named).set(row["waiting"])
    return generate_latest(registry)
