"""Negotiation of information field and window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dlms.errors import DecodeError
from shared.dlms.hdlc_parameters import HdlcParameters, decode_parameters

GOLDEN_DEFAULTS = bytes.fromhex("818012050180060180070400000001080400000001")

sizes = st.integers(8, 2030)
windows = st.integers(1, 7)
parameters = st.builds(HdlcParameters, sizes, sizes, windows, windows)


def test_defaults_are_the_golden_field() -> None:
    assert HdlcParameters().encode() == GOLDEN_DEFAULTS
    assert decode_parameters(GOLDEN_DEFAULTS) == HdlcParameters()


def test_nothing_said_means_the_defaults() -> None:
    assert decode_parameters(b"") == HdlcParameters(128, 128, 1, 1)
    assert decode_parameters(bytes.fromhex("818000")) == HdlcParameters(128, 128, 1, 1)


def test_large_fields_take_two_octets() -> None:
    assert HdlcParameters(512, 2030).encode().hex() == "81801405020200060207ee070400000001080400000001"


@given(parameters)
def test_round_trip(stated: HdlcParameters) -> None:
    assert decode_parameters(stated.encode()) == stated


@given(parameters, parameters)
def test_both_sides_agree_crosswise(one: HdlcParameters, other: HdlcParameters) -> None:
    here, there = one.agreed_with(other), other.agreed_with(one)
    assert here.send_information == there.receive_information
    assert here.receive_information == there.send_information
    assert (here.send_window, here.receive_window) == (there.receive_window, there.send_window)
    assert here.send_information <= min(one.send_information, other.receive_information)


def test_more_than_the_standard_means_its_most() -> None:
    assert decode_parameters(bytes.fromhex("81800805021000070200ff")).send_information == 2030


@pytest.mark.parametrize("field", ["00", "8180", "828000", "8180030502", "81800205ff"])
def test_broken_fields(field: str) -> None:
    with pytest.raises(DecodeError):
        decode_parameters(bytes.fromhex(field))


@given(st.binary(max_size=40))
def test_no_octets_raise_anything_else(field: bytes) -> None:
    try:
        found = decode_parameters(field)
    except DecodeError:
        return
    assert 8 <= found.receive_information <= 2030


@pytest.mark.parametrize("wrong", [{"send_information": 7}, {"receive_information": 2031}, {"send_window": 8}])
def test_own_limits_are_checked(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="HDLC"):
        HdlcParameters(**wrong)
