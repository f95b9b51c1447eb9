"""A CDSDATA message as a file of readings: the market's own reader brings series to the imports."""

import pytest

from central.market.cdsdata import write_interval_data
from central.market.format_package import load_package
from central.market.interval_import import install_reader
from central.platform.errors import BadInput
from central.readings.calendar import from_ms
from central.readings.transfer.mapping import mapping_of
from central.readings.transfer.readers import read_file
from shared.metering_day import MeteringDay
from shared.quantities import Flag
from tests.unit.central.market.examples import AUTUMN, ORDINARY, POINT, SPRING, message

MAPPING = mapping_of({"format": "cdsdata"})


@pytest.mark.parametrize("day", [SPRING, ORDINARY, AUTUMN])
def test_a_message_becomes_series_by_point_and_direction(day: MeteringDay) -> None:
    install_reader()
    install_reader()  # whoever runs imports may ask for it
    sent = message(day)
    parsed = read_file(write_interval_data(load_package("sandbox-2026"), sent), MAPPING)
    first = sent.locations[0].profiles[0]
    assert parsed.keys[0] == f"{POINT}/{first.direction}"
    ours = parsed.key == 0
    assert [from_ms(at) for at in parsed.at_ms[ours].tolist()] == [day.instant(n) for n in range(day.length)]
    power = parsed.facts[0].exponent - first.exponent
    assert [value * 10**power for value in parsed.whole[ours].tolist()] == list(first.days[0].values)
    assert (parsed.facts[0].unit, parsed.facts[0].step_ms) == ("Wh", 900_000)
    assert set(parsed.flags.tolist()) == {0, int(Flag.SUBSTITUTED)}


@pytest.mark.parametrize("content", [b"", b"<x/>", b"<!DOCTYPE x><x/>", b"\0"])
def test_what_is_no_message_says_so(content: bytes) -> None:
    install_reader()
    with pytest.raises(BadInput):
        read_file(content, MAPPING)
