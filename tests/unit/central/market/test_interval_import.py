"""A CDSDATA message as a file of readings: the market's own reader brings series to the imports."""

from datetime import time
from decimal import Decimal
from typing import Any

import pytest

from central.market.cdsdata import write_interval_data
from central.market.format_package import load_package
from central.market.interval_import import install_reader
from central.platform.errors import BadInput
from central.readings.calendar import from_ms
from central.readings.transfer.mapping import mapping_of
from central.readings.transfer.readers import read_file
from shared.metering_day import PRAGUE, MeteringDay
from shared.quantities import Flag, Kind
from tests.unit.central.market.content_examples import PAYLOADS
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


def test_states_become_series_by_point_meter_and_register() -> None:
    install_reader()
    content = (load_package("sandbox-2026").folder / "sandbox" / "samples" / "122.xml").read_bytes()
    parsed = read_file(content, MAPPING)
    given: Any = PAYLOADS["122"]
    states = [state for location in given.locations for state in location.meters]
    assert len(parsed) == len(states)
    for place, state in enumerate(states):
        number = int(parsed.key[place])
        assert parsed.keys[number].split("/")[1:] == [state.meter, state.register]
        assert parsed.facts[number].kind is Kind.STATE
        told = Decimal(int(parsed.whole[place])) + Decimal(int(parsed.nano[place])).scaleb(-9)
        assert told == state.state
        begin = from_ms(int(parsed.at_ms[place])).astimezone(PRAGUE)
        assert (begin.date(), begin.time()) == (state.day, time())
