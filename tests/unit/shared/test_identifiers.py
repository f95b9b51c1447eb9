"""Check digits: examples read in public sources (domain notes on OTE), OBIS texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.identifiers import (
    IdentifierError,
    Obis,
    make_ean18,
    make_eic,
    parse_ean13,
    parse_ean18,
    parse_edge_id,
    parse_eic,
)

EAN18 = ["859182400211637793", "859182400211958560", "859182400221784180", "859182400204460056", "859182400611332328"]
EAN13 = ["8591824000007", "8591824001905", "8591824009802", "8591824071502", "8591824003008", "8591824048108"]
EIC = ["27ZG300Z0227838S", "27XG-CENTROPOL-P", "27XCEZ-INTRA---M", "24X-OT-SK------V", "10YCZ-CEPS-----N"]


@pytest.mark.parametrize("text", EAN18)
def test_known_supply_points(text: str) -> None:
    assert parse_ean18(text) == text
    assert make_ean18(text[:-1]) == text


@pytest.mark.parametrize("text", EAN13)
def test_known_participants(text: str) -> None:
    assert parse_ean13(text) == text


@pytest.mark.parametrize("text", EIC)
def test_known_eic(text: str) -> None:
    assert parse_eic(text) == text
    assert make_eic(text[:-1]) == text


@given(st.sampled_from(EAN18), st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_is_found(text: str, place: int, by: int) -> None:
    wrong = text[:place] + str((int(text[place]) + by) % 10) + text[place + 1 :]
    with pytest.raises(IdentifierError):
        parse_ean18(wrong)


def test_the_sentence_says_what_was_expected() -> None:
    with pytest.raises(IdentifierError, match="check digit 9, expected 4"):
        parse_ean13("8591824522009")


@pytest.mark.parametrize(
    "text", ["85918240021163779", "8591824002116377933", "85918240021163779x", "", "８５９182400211637793"]
)
def test_other_lengths_and_letters_are_refused(text: str) -> None:
    with pytest.raises(IdentifierError, match="18 digits"):
        parse_ean18(text)


@pytest.mark.parametrize("text", ["27ZG300Z0227838T", "27ZG300Z0227838", "27zg300Z0227838S "])
def test_wrong_eic(text: str) -> None:
    with pytest.raises(IdentifierError, match="check character"):
        parse_eic(text)


def test_obis() -> None:
    code = Obis.parse("1-0:1.8.0")
    assert code.bytes == bytes([1, 0, 1, 8, 0, 255])
    assert str(code) == "1-0:1.8.0"
    assert Obis.from_bytes(code.bytes) == code == Obis.parse("1-0:1.8.0.255") == Obis.parse("1-0:1.8.0*255")
    assert str(Obis.parse("1-0:98.1.0.3")) == "1-0:98.1.0.3"


@pytest.mark.parametrize("text", ["1.8.0", "1-0:1.8", "1-0:1.8.0.256", "1-0:1.8.x", ""])
def test_wrong_obis(text: str) -> None:
    with pytest.raises(IdentifierError, match="OBIS"):
        Obis.parse(text)


@pytest.mark.parametrize("text", ["", "a/b", "a+b", "#", "-a", "x" * 65, "ž"])
def test_an_edge_id_fits_one_topic_level(text: str) -> None:
    with pytest.raises(IdentifierError, match="concentrator id"):
        parse_edge_id(text)
