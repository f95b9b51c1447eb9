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


def test_a_meter_never_read_has_no_age() -> None:
    assert ("rozvodna_edge_meter_age_seconds", (("bus", 'hdlc "A"'), ("meter", "LU-1"))) not in samples()


def test_outbox_and_uplink() -> None:
    found = samples()
    assert found["rozvodna_edge_outbox_pending", ()] == 12
    assert found["rozvodna_edge_outbox_has_room", ()] == 1
    assert found["rozvodna_edge_uplink_connected", ()] == 0
    assert found["rozvodna_edge_uplink_published_total", ()] == 43
    assert found["rozvodna_edge_due_profile_days", ()] == 5
    assert found["rozvodna_edge_info", (("config_number", "7"), ("edge", "CONC-1"), ("epoch", "00000000000000ff"))] == 1
