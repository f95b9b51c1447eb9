"""What is counted, as plain data."""

import msgspec
import pytest

from edge.bus.counters import BOUNDS_S, BusCounters, Fault, Latencies, fault_of
from edge.errors import (
    CollisionError,
    DeviceGarbledError,
    DeviceRefusedError,
    DeviceSilentError,
    LineAmbiguousError,
    LineDownError,
)


@pytest.mark.parametrize(
    ("error", "heard", "fault"),
    [
        (DeviceSilentError("x"), False, Fault.TIMEOUT),
        (DeviceSilentError("x"), True, Fault.CRC),
        (DeviceRefusedError("x"), True, Fault.REFUSED),
        (DeviceGarbledError("x"), True, Fault.GARBLED),
        (CollisionError("x"), True, Fault.COLLISION),
        (LineAmbiguousError("x", 1.0), False, Fault.AMBIGUOUS),
        (LineDownError("x"), False, Fault.LINE_DOWN),
        (ZeroDivisionError("x"), True, Fault.GARBLED),
    ],
)
def test_kinds_of_faults(error: Exception, heard: bool, fault: Fault) -> None:
    assert fault_of(error, heard=heard) is fault


def test_quantiles_are_bounds_of_classes() -> None:
    latencies = Latencies()
    assert latencies.quantile_s(0.5) is None
    for seconds in [0.021] * 98 + [0.6, 9.0]:
        latencies.add(seconds)
    assert (latencies.quantile_s(0.5), latencies.quantile_s(0.99)) == (0.03, 0.75)
    assert latencies.quantile_s(1.0) == float("inf")
    assert (latencies.count, sum(latencies.classes)) == (100, 100)
    assert latencies.sum_s == pytest.approx(98 * 0.021 + 9.6)


def test_a_bound_belongs_to_its_class() -> None:
    latencies = Latencies()
    for bound in BOUNDS_S:
        latencies.add(bound)
    assert latencies.classes == [1] * len(BOUNDS_S) + [0]


def test_they_are_plain_data() -> None:
    counters = BusCounters()
    counters.count_failure(Fault.CRC)
    plain = msgspec.to_builtins(counters)
    assert (plain["failed"], plain["faults"], plain["latency"]["count"]) == (1, {"crc": 1}, 0)
