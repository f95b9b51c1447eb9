"""The exposition is read back by Prometheus' own parser: names, labels, values."""

from prometheus_client.parser import text_string_to_metric_families

from edge.page.metrics import exposition
from tests.unit.edge.page.status_example import status


def samples() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(exposition(status()).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_buses_and_meters_are_labelled() -> None:
    found = samples()
    assert found["rozvodna_edge_bus_up", (("bus", "rtu-1"),)] == 1
    assert found["rozvodna_edge_bus_up", (("bus", 'hdlc "A"'),)] == 0
    assert found["rozvodna_edge_bus_busy_seconds_total", (("bus", "rtu-1"),)] == 31.5
    assert found["rozvodna_edge_meter_failures_total", (("bus", 'hdlc "A"'), ("meter", "LU-1"))] == 9
    assert found["rozvodna_edge_meter_age_seconds", (("bus", "rtu-1"), ("meter", "EA-1"))] == 90


def test_errors_by_kind_and_latency_in_classes() -> None:
    found = samples()
    assert found["rozvodna_edge_bus_errors_total", (("bus", "rtu-1"), ("kind", "timeout"))] == 2
    name = "rozvodna_edge_bus_latency_seconds"
    within = {limit: found[f"{name}_bucket", (("bus", "rtu-1"), ("le", limit))] for limit in ("0.005", "0.05", "+Inf")}
    assert within == {"0.005": 1, "0.05": 2, "+Inf": 3}
    assert found[f"{name}_count", (("bus", "rtu-1"),)] == 3
    assert found[f"{name}_sum", (("bus", "rtu-1"),)] == 60.044


def test_a_meter_never_read_has_no_age() -> None:
    assert ("rozvodna_edge_meter_age_seconds", (("bus", 'hdlc "A"'), ("meter", "LU-1"))) not in samples()


def test_outbox_and_uplink() -> None:
    found = samples()
    assert found["rozvodna_edge_outbox_pending", ()] == 12
    assert found["rozvodna_edge_outbox_has_room", ()] == 1
    assert found["rozvodna_edge_outbox_dropped_total", (("worth", "measurement"),)] == 8
    assert found["rozvodna_edge_uplink_connected", ()] == 0
    assert found["rozvodna_edge_uplink_published_total", ()] == 43
    assert found["rozvodna_edge_due_profile_days", ()] == 5
    assert found["rozvodna_edge_info", (("config_number", "7"), ("edge", "CONC-1"), ("epoch", "00000000000000ff"))] == 1
