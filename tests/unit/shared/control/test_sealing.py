"""Sealed secrets: golden octets, the context binds, every octet counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.control.keys import sealing_public
from shared.control.sealing import OVERHEAD, SealError, seal, unseal

PRIVATE = bytes(range(64, 96))
EPHEMERAL = bytes(range(1, 33))
SECRET = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
WHERE = {"edge": "CONC-1", "field": "LU-1/encryption_key"}


def golden() -> bytes:
    return bytes.fromhex(GOLDEN)


def test_a_sealed_secret_is_these_octets() -> None:
    made = seal(SECRET, sealing_public(PRIVATE), number=4, ephemeral=EPHEMERAL, **WHERE)
    assert made.hex() == GOLDEN
    assert len(made) == len(SECRET) + OVERHEAD
    assert unseal(golden(), PRIVATE, number=4, **WHERE) == SECRET


def test_a_later_configuration_may_carry_it_on_and_an_earlier_one_not() -> None:
    assert unseal(golden(), PRIVATE, number=9, **WHERE) == SECRET
    with pytest.raises(SealError, match="sealed for configuration 4; this one is 3"):
        unseal(golden(), PRIVATE, number=3, **WHERE)


@pytest.mark.parametrize(
    ("edge", "field"), [("CONC-2", "LU-1/encryption_key"), ("CONC-1", "LU-2/encryption_key"), ("CONC-1", "")]
)
def test_it_opens_only_where_it_belongs(edge: str, field: str) -> None:
    with pytest.raises(SealError, match="was not sealed for"):
        unseal(golden(), PRIVATE, edge=edge, number=4, field=field)


def test_it_opens_only_with_its_key() -> None:
    with pytest.raises(SealError, match="seal it anew"):
        unseal(golden(), EPHEMERAL, number=4, **WHERE)


def test_a_change_of_any_bit_is_refused() -> None:
    for place in range(len(golden())):
        for bit in range(8):
            changed = bytearray(golden())
            changed[place] ^= 1 << bit
            with pytest.raises(SealError):
                unseal(bytes(changed), PRIVATE, number=2**63, **WHERE)


def test_what_is_too_short_or_sealed_for_no_point_is_refused() -> None:
    with pytest.raises(SealError, match="none of version 1"):
        unseal(golden()[: OVERHEAD - 1], PRIVATE, number=4, **WHERE)
    with pytest.raises(SealError, match="no point"):
        seal(SECRET, bytes(32), number=1, **WHERE)


@given(secret=st.binary(max_size=64), field=st.text(max_size=20), number=st.integers(0, 2**40))
def test_what_was_sealed_is_what_comes_out(secret: bytes, field: str, number: int) -> None:
    sealed = seal(secret, sealing_public(PRIVATE), edge="E", number=number, field=field)
    assert unseal(sealed, PRIVATE, edge="E", number=number, field=field) == secret


GOLDEN = (
    "01000000000000000407a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c301051006c012ae793772d8cb778ed"
    "237f8195ed0a54aa29da6593b0f983c806"
)
