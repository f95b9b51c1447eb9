"""Seals: signed by a trusted key, by another one, changed afterwards, or not at all."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from central.tariffs.load import PackageInvalidError, checksum_of, load_content, load_octets, shipped_files
from central.tariffs.seal import PRODUCT_KEYS, require_signer, seal
from shared.control.keys import key_id, key_text, signing_public

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
NAMED = key_id(signing_public(KEY))
TRUSTED = {NAMED: key_text(signing_public(KEY))}


def _content() -> dict[str, Any]:
    path = next(path for path in shipped_files() if path.stem == "cz-gas-2017-example")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _signer(content: dict[str, Any], keys: Mapping[str, str] = TRUSTED) -> str | None:
    return require_signer(load_content(content, "x"), keys)


def test_a_trusted_key_is_named_and_sealing_again_gives_the_same() -> None:
    sealed = seal(_content(), KEY)
    assert _signer(sealed) == NAMED
    assert seal(sealed, KEY) == sealed
    assert seal(_content(), None)["signature"] is None
    assert _signer(seal(_content(), None)) is None


def test_the_order_of_fields_does_not_matter() -> None:
    sealed = seal(_content(), KEY)
    assert _signer(dict(reversed(sealed.items()))) == NAMED


def test_a_price_changed_with_its_checksum_is_a_bad_signature() -> None:
    content = seal(_content(), KEY)
    content["tables"][0]["rows"][0][-1] = "1"
    content["checksum"] = checksum_of(content)
    with pytest.raises(PackageInvalidError, match=rf"is bad: its content is not what the owner of the key {NAMED}"):
        _signer(content)


@pytest.mark.parametrize(
    ("signature", "sentence"),
    [
        ("nonsense", "64 octets> is expected"),
        (f"ed25519:{NAMED}:AAAA", "64 octets> is expected"),
        (f"rsa:{NAMED}:" + "A" * 86 + "==", "64 octets> is expected"),
        (f"ed25519:{NAMED}:" + "A" * 86 + "==", "is bad"),
        (f"ed25519:{'0' * 16}:" + "A" * 86 + "==", "not trusted here"),
    ],
)
def test_a_wrong_signature_is_a_sentence(signature: str, sentence: str) -> None:
    with pytest.raises(PackageInvalidError, match=sentence):
        _signer({**seal(_content(), KEY), "signature": signature})


def test_another_key_is_not_trusted_until_it_is_added() -> None:
    sealed = seal(_content(), OTHER)
    with pytest.raises(PackageInvalidError, match="which is not trusted here"):
        _signer(sealed)
    with pytest.raises(PackageInvalidError, match="not trusted here"):
        _signer(sealed, PRODUCT_KEYS)
    public = key_text(signing_public(OTHER))
    assert _signer(sealed, {**TRUSTED, key_id(signing_public(OTHER)): public}) is not None


@pytest.mark.parametrize(
    ("octets", "sentence"),
    [
        (b"[1]", "must be one JSON object"),
        (b"{", "cannot be read as JSON"),
        (b"\xff\xfe", "cannot be read as JSON"),
        (b'{"vat": 0.21}', "write it as a decimal string"),
        (b'{"vat": NaN}', "cannot be read as JSON"),
        (b'{"vat": "\\ud800"}', "half of a character"),
        (b'{"vat": "\\u0000"}', r"U\+0000"),
        (b"[" * 100_000, "cannot be read as JSON"),
    ],
)
def test_what_is_no_package_is_a_sentence(octets: bytes, sentence: str) -> None:
    with pytest.raises(PackageInvalidError, match=sentence):
        load_octets(octets, "x")
