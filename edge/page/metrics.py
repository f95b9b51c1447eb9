"""The agent's status as Prometheus metrics. Made when they are asked for: nothing is counted twice on a hot path.

Names follow prometheus.io/docs/practices/naming: base units, `_total` for counters.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from edge.bus.counters import BOUNDS_S

BUS_COUNTERS: Final = {
    "jobs": ("jobs", "Jobs done on the bus."),
    "failed": ("failed_jobs", "Jobs that failed."),
    "connections": ("connections", "Connections made to the line."),
    "busy_s": ("busy_seconds", "Time in which the bus was held by a job; its rate is the utilisation."),
    "probes": ("probes", "Jobs with meters that had failed before."),
    "probes_s": ("probes_seconds", "Time that went to probes that failed again: what dead meters cost."),
}
"""Field of `edge.bus.owner.BusCounters`: name of the metric and help."""
OUTBOX_GAUGES: Final = {
    "pending": "Blocks and records without a number.",
    "numbered_unacked": "Numbered batches that central has not acknowledged.",
    "acked": "Acknowledged batches that are still kept.",
    "refused": "Blocks that central refused and keeps in quarantine.",
}
UPLINK_COUNTERS: Final = {
    "sessions": "Sessions with the broker.",
    "published": "Batches that the broker took.",
    "publish_refused": "Batches that the broker refused.",
    "acknowledgements": "Acknowledgements heard.",
    "blocks_refused": "Blocks that central refused.",
}


class _Families(Collector):
    def __init__(self, status: Mapping[str, Any]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        status = self._status
        info = GaugeMetricFamily(
            "rozvodna_edge_info", "Always 1; which concentrator runs what.", labels=["edge", "config_number", "epoch"]
        )
        info.add_metric([status["edge"], str(status["config_number"]), status["epoch"]], 1)
        yield info
        yield from _outbox(status)
        yield from _buses(status["buses"])
        yield from _devices(status["devices"], status["clock"])


def _outbox(status: Mapping[str, Any]) -> Iterator[Metric]:
    outbox, uplink, due = status["outbox"], status["uplink"], status["due"]
    for name, text in OUTBOX_GAUGES.items():
        yield GaugeMetricFamily(f"rozvodna_edge_outbox_{name}", text, value=outbox[name])
    dropped = CounterMetricFamily(
        "rozvodna_edge_outbox_dropped", "Blocks and records that the disk budget cost.", labels=["worth"]
    )
    for worth, count in outbox["dropped"].items():
        dropped.add_metric([worth], count)
    yield dropped
    yield GaugeMetricFamily(
        "rozvodna_edge_outbox_has_room", "1 while meters are read; 0: full of unacknowledged data.", outbox["has_room"]
    )
    yield GaugeMetricFamily("rozvodna_edge_uplink_connected", "1 while there is a broker.", uplink["connected"])
    for name, text in UPLINK_COUNTERS.items():
        yield CounterMetricFamily(f"rozvodna_edge_uplink_{name}", text, value=uplink[name])
    yield GaugeMetricFamily(
        "rozvodna_edge_due_profile_days", "Days that meters hold and nobody has read.", due["profile_days"]
    )
    yield GaugeMetricFamily("rozvodna_edge_due_samples", "Meters whose states are to be sampled now.", due["samples"])


def _buses(buses: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    up = GaugeMetricFamily("rozvodna_edge_bus_up", "1 while the line is up.", labels=["bus"])
    for name, bus in buses.items():
        up.add_metric([name], bus["state"] == "up")
    yield up
    for key, (name, text) in BUS_COUNTERS.items():
        family = CounterMetricFamily(f"rozvodna_edge_bus_{name}", text, labels=["bus"])
        for bus_name, bus in buses.items():
            family.add_metric([bus_name], bus[key])
        yield family
    faults = CounterMetricFamily("rozvodna_edge_bus_errors", "Failed jobs by kind of error.", labels=["bus", "kind"])
    latency = HistogramMetricFamily(
        "rozvodna_edge_bus_latency_seconds", "From the end of a request to its answer.", labels=["bus"]
    )
    for name, bus in buses.items():
        for kind, count in bus["faults"].items():
            faults.add_metric([name, kind], count)
        latency.add_metric([name], list(_cumulative(bus["latency"]["classes"])), bus["latency"]["sum_s"])
    yield from (faults, latency)


def _cumulative(classes: Sequence[int]) -> Iterator[tuple[str, float]]:
    passed = 0
    for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), classes, strict=True):
        passed += count
        yield bound, passed


def _devices(devices: Mapping[str, Mapping[str, Any]], clock: str) -> Iterator[Metric]:
    failures = CounterMetricFamily("rozvodna_edge_meter_failures", "Failed conversations.", labels=["bus", "meter"])
    row = GaugeMetricFamily(
        "rozvodna_edge_meter_failures_in_a_row",
        "Failures since the last good reading.",
        labels=["bus", "meter"],
    )
    success = GaugeMetricFamily(
        "rozvodna_edge_meter_last_success_seconds", "When it was last read, Unix time.", labels=["bus", "meter"]
    )
    age = GaugeMetricFamily(
        "rozvodna_edge_meter_age_seconds", "Time since it was last read, by the agent's clock.", labels=["bus", "meter"]
    )
    drift = GaugeMetricFamily(
        "rozvodna_edge_meter_clock_drift_seconds", "Meter's clock minus the agent's.", labels=["bus", "meter"]
    )
    now = datetime.fromisoformat(clock)
    for name, device in devices.items():
        labels = [device["bus"], name]
        failures.add_metric(labels, device["failures"])
        row.add_metric(labels, device["failures_in_a_row"])
        if device["last_success"] is not None:
            read = datetime.fromisoformat(device["last_success"])
            success.add_metric(labels, read.timestamp())
            age.add_metric(labels, (now - read).total_seconds())
        if device.get("clock_drift_s") is not None:
            drift.add_metric(labels, device["clock_drift_s"])
    yield from (failures, row, success, age, drift)


def exposition(status: Mapping[str, Any]) -> bytes:
    """The metrics of a status (edge.status.compose) in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(status))
    return generate_latest(registry)
