"""Ciphering: published examples byte for byte, and that nothing but what was sent comes out again."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.dlms.ciphering import (
    AUTHENTICATED,
    ENCRYPTED,
    TAG_SIZE,
    CipheredApdu,
    Keys,
    decode_ciphered,
    encode_ciphered,
    gmac,
    protect,
    unprotect,
)
from shared.dlms.errors import CipherError, DecodeError

VECTORS: Final[dict[str, Any]] = json.loads((Path(__file__).parent / "data/ciphering-vectors.json").read_bytes())
KEYS: Final = Keys(bytes.fromhex(VECTORS["encryption_key"]), bytes.fromhex(VECTORS["authentication_key"]))
TITLE: Final = bytes.fromhex(VECTORS["messages_system_title"])
COUNTER: Final = int(VECTORS["messages_invocation_counter"], 16)
BOTH: Final = AUTHENTICATED | ENCRYPTED
messages = pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["meaning"])


@pytest.mark.parametrize("vector", VECTORS["gmac"], ids=lambda vector: vector["by"])
def test_published_proofs(vector: dict[str, str]) -> None:
    title, counter = bytes.fromhex(vector["system_title"]), int(vector["invocation_counter"], 16)
    assert gmac(0, title, counter, KEYS, vector["challenge_ascii"].encode()).hex().upper() == vector["answer"]


@messages
def test_published_messages(vector: dict[str, str]) -> None:
    octets, plain = bytes.fromhex(vector["apdu"]), bytes.fromhex(vector["plain"])
    apdu = decode_ciphered(octets)
    assert apdu is not None
    assert (apdu.tag, apdu.dedicated, apdu.title) == (plain[0], False, None)
    opened = unprotect(apdu.body, TITLE, KEYS, suite=0, demanded=0)
    assert (opened.counter, opened.plain) == (COUNTER, plain)
    assert encode_ciphered(apdu._replace(body=protect(opened.control, TITLE, COUNTER, KEYS, plain))) == octets


@messages
def test_every_changed_octet_is_refused(vector: dict[str, str]) -> None:
    """Of what is authenticated; what is only encrypted proves nothing, and is refused where proof is demanded."""
    octets = bytes.fromhex(vector["apdu"])
    for place in range(len(octets)):
        for change in (0x01, 0x10, 0x20, 0x80, 0xFF):
            changed = octets[:place] + bytes((octets[place] ^ change,)) + octets[place + 1 :]
            try:
                apdu = decode_ciphered(changed)
                if apdu is not None and place:
                    unprotect(apdu.body, TITLE, KEYS, suite=0, demanded=AUTHENTICATED)
            except DecodeError:
                continue
            assert place == 0  # the tag itself: whoever opens it compares it with the content
            assert apdu is None or apdu.tag != bytes.fromhex(vector["plain"])[0] or apdu.dedicated


@given(
    st.sampled_from([0, AUTHENTICATED, ENCRYPTED, BOTH]),
    st.sampled_from([0, 1]),
    st.binary(min_size=8, max_size=8),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=300),
)
def test_what_is_protected_comes_out_again(
    protection: int, suite: int, title: bytes, counter: int, plain: bytes
) -> None:
    octets = protect(protection | suite, title, counter, KEYS, plain)
    assert unprotect(octets, title, KEYS, suite=suite, demanded=protection) == (protection | suite, counter, plain)
    assert (plain in octets) or protection & ENCRYPTED or not plain


@settings(max_examples=200)
@given(st.sampled_from([AUTHENTICATED, BOTH]), st.binary(max_size=60), st.data())
def test_flipped_bits_and_other_keys_are_refused(protection: int, plain: bytes, data: st.DataObject) -> None:
    octets = bytearray(protect(protection, TITLE, 7, KEYS, plain))
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(CipherError):
        unprotect(bytes(octets), TITLE, KEYS, suite=0, demanded=protection)


@pytest.mark.parametrize(
    ("title", "keys"),
    [
        (bytes(8), KEYS),
        (TITLE, Keys(bytes(16), KEYS.authentication)),
        (TITLE, Keys(KEYS.encryption, bytes(16))),
    ],
)
@pytest.mark.parametrize("protection", [AUTHENTICATED, BOTH])
def test_another_sender_or_key(protection: int, title: bytes, keys: Keys) -> None:
    octets = protect(protection, TITLE, 7, KEYS, b"plain")
    with pytest.raises(CipherError, match="tag is wrong"):
        unprotect(octets, title, keys, suite=0, demanded=protection)


@pytest.mark.parametrize(
    ("control", "demanded", "words"),
    [
        (0x00, BOTH, "protects less than 30"),
        (0x10, BOTH, "protects less than 30"),
        (0x20, BOTH, "protects less than 30"),
        (0x31, BOTH, "must be of suite 0"),
        (0x70, BOTH, "unicast"),
        (0xB0, BOTH, "not compressed"),
    ],
)
def test_less_protection_than_agreed(control: int, demanded: int, words: str) -> None:
    octets = protect(control, TITLE, 7, KEYS, b"plain")
    with pytest.raises(CipherError, match=words):
        unprotect(octets, TITLE, KEYS, suite=0, demanded=demanded)


@pytest.mark.parametrize("size", range(5 + TAG_SIZE))
def test_cut_off(size: int) -> None:
    octets = protect(BOTH, TITLE, 7, KEYS, b"")
    with pytest.raises(CipherError, match=r"cut off"):
        unprotect(octets[:size], TITLE, KEYS, suite=0, demanded=BOTH)


@pytest.mark.parametrize(
    ("apdu", "first"),
    [
        (CipheredApdu(0xC0, False, None, b"body"), "c804"),
        (CipheredApdu(0xC7, False, None, b"body"), "cf04"),
        (CipheredApdu(0xC0, True, None, b"body"), "d004"),
        (CipheredApdu(0xC7, True, None, b"body"), "d704"),
        (CipheredApdu(None, False, TITLE, b"body"), "db08" + TITLE.hex() + "04"),
        (CipheredApdu(None, True, TITLE, b"body"), "dc08" + TITLE.hex() + "04"),
        (CipheredApdu(0xC4, False, None, bytes(300)), "cc82012c"),
    ],
)
def test_forms(apdu: CipheredApdu, first: str) -> None:
    octets = encode_ciphered(apdu)
    assert octets.hex().startswith(first)
    assert decode_ciphered(octets) == apdu
    for place in range(1, len(octets)):
        with pytest.raises(DecodeError, match="cut off"):
            decode_ciphered(octets[:place])
    with pytest.raises(DecodeError, match="follow"):
        decode_ciphered(octets + b"\x00")


@settings(max_examples=300)
@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda tail: b"\xdb" + tail))
def test_foreign_octets(octets: bytes) -> None:
    try:
        apdu = decode_ciphered(octets)
        if apdu is not None:
            unprotect(apdu.body, TITLE, KEYS, suite=0, demanded=AUTHENTICATED)
            raise AssertionError("octets of chance cannot be authentic")
    except DecodeError as error:
        assert str(error)


def test_keys_are_checked_and_not_shown() -> None:
    assert "d0d1" not in repr(KEYS).lower()
    assert "\\xd0" not in repr(KEYS)
    with pytest.raises(ValueError, match="authentication key of suites 0 and 1 has 16 octets, not 5"):
        Keys(bytes(16), b"short")
