"""Keys from files and tokens, which one is in force, and the watch over certificates."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import OAEP, PKCS1v15
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from central.market.channels import cms, wss
from central.market.channels.certificates import Watched, judge_expiry, read_certificates
from central.market.channels.keys import KeySource, OwnKey, TokenSource, in_force, load_key, with_role
from central.market.channels.token_keys import TokenKey
from central.market.channels.watch import metrics, shown
from central.platform.errors import BadInput, Refused

from .pki import AT, own, world

PASSWORD = "tajné heslo"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    key = world().ours
    (tmp_path / "c.pem").write_bytes(key.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "chain.pem").write_bytes(world().between.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "c.der").write_bytes(key.certificate.public_bytes(Encoding.DER))
    secret = BestAvailableEncryption(PASSWORD.encode())
    (tmp_path / "k.pem").write_bytes(key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "locked.pem").write_bytes(key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    (tmp_path / "other.pem").write_bytes(
        world().theirs.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (tmp_path / "both.p12").write_bytes(
        pkcs12.serialize_key_and_certificates(b"x", key.private, key.certificate, [world().between.certificate], secret)
    )
    (tmp_path / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    (tmp_path / "wrong").write_text("wrong secret", encoding="utf-8")
    return tmp_path


def source(**places: Any) -> KeySource:
    return KeySource(name="seal", roles=["sign"], **places)


@pytest.mark.parametrize(
    "places",
    [
        {"certificate": "c.pem", "key": "k.pem", "chain": "chain.pem"},
        {"certificate": "c.der", "key": "k.pem", "chain": "chain.pem"},
        {"certificate": "c.pem", "key": "locked.pem", "chain": "chain.pem", "secret_file": "password"},
        {"pkcs12": "both.p12", "secret_file": "password"},
        {"pkcs12": "both.p12", "secret_env": "TEST_MARKET_SECRET"},
    ],
)
def test_keys_of_files(folder: Path, places: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_MARKET_SECRET", PASSWORD)
    key = load_key(source(**places), folder)
    assert (key.certificate, key.chain) == (world().ours.certificate, (world().between.certificate,))
    assert cms.verify(cms.sign(b"x", key)).signer == world().ours.certificate
    assert PASSWORD not in repr(key)


@pytest.mark.parametrize(
    ("places", "says"),
    [
        ({}, "neither certificate nor pkcs12"),
        ({"certificate": "c.pem"}, "a certificate and no key"),
        ({"certificate": "c.pem", "key": "other.pem"}, "does not belong to the certificate"),
        ({"certificate": "c.pem", "key": "missing.pem"}, r"missing\.pem cannot be read"),
        ({"certificate": "c.pem", "key": "c.pem"}, "is no private key"),
        ({"certificate": "k.pem", "key": "k.pem"}, "holds no certificate"),
        ({"certificate": "c.pem", "key": "locked.pem"}, "its password is wrong or missing"),
        ({"pkcs12": "both.p12", "secret_file": "wrong"}, "its password is wrong or missing"),
        ({"pkcs12": "c.pem", "secret_file": "password"}, "is no PKCS#12"),
        ({"pkcs12": "both.p12", "secret_env": "TEST_NOT_SET"}, "TEST_NOT_SET with its password is not set"),
    ],
)
def test_what_is_wrong_with_a_key_is_said_without_its_secret(folder: Path, places: dict[str, str], says: str) -> None:
    with pytest.raises(BadInput, match=says) as error:
        load_key(source(**places), folder)
    assert "wrong secret" not in error.value.message and PASSWORD not in error.value.message


def test_a_token_without_the_library_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    token = TokenSource(module="/nowhere.so", token="t", label="l")
    with pytest.raises(BadInput, match=r"install rozvodna\[pkcs11\]"):
        load_key(source(certificate="c.pem", pkcs11=token), folder)


def test_a_token_that_is_not_there_is_said(folder: Path) -> None:
    token = TokenSource(module="/nowhere.so", token="t", label="l")
    with pytest.raises(BadInput, match="cannot be opened") as error:
        load_key(source(certificate="c.pem", pkcs11=token, secret_file="password"), folder)
    assert PASSWORD not in error.value.message


class Token:
    """Stands for a key of python-pkcs11: the same two calls, done by a key in memory."""

    SHA256_RSA_PKCS, RSA_PKCS = "SHA256_RSA_PKCS", "RSA_PKCS"

    def sign(self, data: bytes, mechanism: str) -> bytes:
        assert mechanism == "SHA256_RSA_PKCS"
        return world().ours.private.sign(data, PKCS1v15(), hashes.SHA256())

    def decrypt(self, data: bytes, mechanism: str) -> bytes:
        assert mechanism == "RSA_PKCS"
        return world().ours.private.decrypt(data, PKCS1v15())


def test_a_key_in_a_token_does_all_that_a_key_of_a_file_does() -> None:
    certificate = world().ours.certificate
    private = TokenKey(Token(), world().ours.private.public_key(), Token)
    key = OwnKey("token", ("sign", "decrypt"), certificate, (), private)
    assert cms.verify(cms.sign(b"content", key)).content == b"content"
    assert cms.decrypt(cms.encrypt(b"content", [certificate]), [key]) == b"content"
    envelope = wss.seal_envelope(b"<a id='1'/>", key, AT)
    assert wss.open_envelope(envelope, world().us, AT).payload == b'<a id="1"></a>'
    with pytest.raises(TypeError, match="does not leave it"):
        private.private_numbers()
    with pytest.raises(ValueError, match="PKCS#1"):
        private.decrypt(b"x", OAEP.__new__(OAEP))


class PulledOut:
    """Stands for a key of a token that is not there."""

    SHA256_RSA_PKCS = "SHA256_RSA_PKCS"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def sign(self, data: bytes, mechanism: str) -> bytes:
        raise self.error


class SessionClosed(Exception):  # noqa: N818 - the name that python-pkcs11 gives it
    """Stands for an error of python-pkcs11."""


def test_a_token_that_went_away_is_asked_once_more_and_then_said() -> None:
    public = world().ours.private.public_key()
    back = TokenKey(PulledOut(SessionClosed()), public, Token, Token)
    assert back.sign(b"x", PKCS1v15(), hashes.SHA256())
    for error in (SessionClosed("gone"), RuntimeError("general error")):
        gone = TokenKey(PulledOut(error), public, Token, lambda error=error: PulledOut(error))
        with pytest.raises(Refused, match=f"does not sign: {type(error).__name__}"):
            gone.sign(b"x", PKCS1v15(), hashes.SHA256())


def test_the_first_valid_key_is_in_force_and_all_of_a_role_are_tried() -> None:
    old, new = world().ours_old, world().ours
    assert in_force([old, new], "sign", AT) is new
    assert in_force([old, new], "sign", AT - timedelta(days=60)) is old
    assert in_force([new, old], "sign", AT - timedelta(days=60)) is new
    assert with_role([old, new], "decrypt") == [old, new]
    with pytest.raises(Refused, match=r"No key of ours serves to tls .* \(there are: none\)"):
        in_force([old, new], "tls", AT)


def test_what_runs_out_and_what_takes_its_place() -> None:
    soon = own("soon", world().between, "sign", end=AT + timedelta(days=10))
    later = own("later", world().between, "sign", start=AT + timedelta(days=5), end=AT + timedelta(days=400))
    gap = own("gap", world().between, "sign", start=AT + timedelta(days=20), end=AT + timedelta(days=400))

    def states(*keys: OwnKey) -> list[tuple[str, str, int, bool]]:
        watched = [Watched("ours", key.name, tuple(key.roles), key.certificate) for key in keys]
        return [(e.watched.name, e.state, e.days_left, e.replaced) for e in judge_expiry(watched, AT, 30)]

    assert states(soon) == [("soon", "expiring", 10, False)]
    assert states(later, soon)[0] == ("soon", "expiring", 10, True)
    assert states(soon, gap)[0] == ("soon", "expiring", 10, False), "a hole between them"
    assert states(world().ours_old) == [("ours-old", "expired", -30, False)]
    assert [state for _, state, _, _ in states(soon, later, gap)] == ["expiring", "future", "future"]
    theirs = Watched("8591824000007", "x", ("sign",), later.certificate)
    ours = Watched("ours", "soon", ("sign",), soon.certificate)
    assert not judge_expiry([ours, theirs], AT, 30)[0].replaced, "another holder's does not count"
    text = metrics(judge_expiry([ours], AT, 30)).decode()
    assert 'holder="ours",name="soon",role="sign"} 10.0' in text
    assert shown(judge_expiry([ours], AT, 30)[0])["state"] == "expiring"


def test_files_without_a_certificate() -> None:
    for octets in (b"", b"x", b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"):
        with pytest.raises(BadInput, match=r"The file a\.pem holds no certificate"):
            read_certificates(octets, "a.pem")
