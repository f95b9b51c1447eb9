"""Status octet of a load-profile row and the quality mask."""

import pytest

from shared.dlms.amr_status import FLAGS, status_of
from shared.dlms.units import unit_text
from shared.quantities import Flag


@pytest.mark.parametrize(
    ("status", "flags"),
    [
        (0x00, Flag(0)),
        (0x01, Flag.CRITICAL),
        (0x02, Flag.CLOCK_INVALID),
        (0x04, Flag.DATA_INVALID),
        (0x08, Flag.DST),
        (0x20, Flag.CLOCK_ADJUSTED),
        (0x80, Flag.POWER_DOWN),
        (0xA4, Flag.POWER_DOWN | Flag.CLOCK_ADJUSTED | Flag.DATA_INVALID),
        (0x50, Flag(0)),  # reserved bits
    ],
)
def test_meaning(status: int, flags: Flag) -> None:
    assert FLAGS[status] == flags


def test_a_mask_goes_back_to_its_status() -> None:
    for status in range(256):
        assert FLAGS[status_of(FLAGS[status])] == FLAGS[status]
    assert status_of(Flag.LATE | Flag.INCOMPLETE) == 0


def test_units() -> None:
    assert [unit_text(code) for code in (30, 32, 13, 14, 255, 99)] == ["Wh", "varh", "m3", "m3", "1", "unit-99"]
