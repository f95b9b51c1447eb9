"""Data notifications: octets by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dlms.errors import DecodeError
from shared.dlms.notification import DataNotification, decode_data_notification

STAMP = bytes.fromhex("07ea0302010f000000ffc400")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        ("0f" + "00000001" + "00" + "1105", DataNotification(1, b"", bytes.fromhex("1105"))),
        (
            "0f" + "c0000102" + "0c" + STAMP.hex() + "02011105",
            DataNotification(0xC0000102, STAMP, bytes.fromhex("02011105")),
        ),
    ],
)
def test_octets(octets: str, expected: DataNotification) -> None:
    assert decode_data_notification(bytes.fromhex(octets)) == expected
    assert expected.encode().hex() == octets
    assert expected.number == expected.invoke & 0xFFFFFF


@pytest.mark.parametrize("octets", ["", "0f", "0f00000001", "0f0000000100", "0f00000001050102030405" + "11", "c401"])
def test_what_is_none(octets: str) -> None:
    with pytest.raises(DecodeError):
        decode_data_notification(bytes.fromhex(octets))


@given(st.binary(max_size=40))
def test_no_octets_raise_anything_else(octets: bytes) -> None:
    try:
        decode_data_notification(b"\x0f" + octets)
    except DecodeError:
        return
