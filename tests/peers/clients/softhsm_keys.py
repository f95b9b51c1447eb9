"""Keys in a real PKCS#11 token: what `test_pkcs11_softhsm` runs in a process that can load SoftHSM's library.

The library, its tool and the file of its settings are named by the environment.
"""

from __future__ import annotations

import gc
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto.cms import ContentInfo
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from central.market.channels import cms, smime, token_keys, wss
from central.market.channels.keys import KeySource, OwnKey, TokenSource, load_key
from central.market.channels.port import Outgoing
from central.market.errors import InboundError
from central.platform.errors import BadInput
from tests.unit.central.market.channels.pki import AT, world

LIBRARY, TOOL = os.environ["TEST_SOFTHSM"], os.environ["TEST_SOFTHSM_TOOL"]
PIN, OFFICER = "1234", "123456"


@pytest.fixture(scope="module")
def folder() -> Path:
    """A token `rozvodna` with our key under the label `seal`, and the certificate beside it."""
    settings = Path(os.environ["SOFTHSM2_CONF"])
    folder = settings.parent
    (folder / "tokens").mkdir()
    settings.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    key = folder / "key.pem"
    ours = world().ours
    key.write_bytes(ours.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    token = ("--module", LIBRARY, "--pin", PIN)
    for act in (
        ("--init-token", "--free", "--label", "rozvodna", "--so-pin", OFFICER, *token),
        ("--import", str(key), "--token", "rozvodna", "--label", "seal", "--id", "01", *token),
    ):
        subprocess.run([TOOL, *act], check=True, capture_output=True, timeout=60)
    key.unlink()
    (folder / "ours.pem").write_bytes(ours.certificate.public_bytes(Encoding.PEM))
    (folder / "pin").write_text(PIN + "\n")
    (folder / "wrong").write_text("9999\n")
    return folder


def load(folder: Path, label: str = "seal", pin: str = "pin") -> OwnKey:
    token = TokenSource(module=LIBRARY, token="rozvodna", label=label)
    source = KeySource(name="seal", roles=["sign", "decrypt"], certificate="ours.pem", pkcs11=token, secret_file=pin)
    return load_key(source, folder)


def test_mail_and_envelopes_are_sealed_and_opened_in_the_token(folder: Path) -> None:
    key = load(folder)
    message = Outgoing("121-1", "121", "sandbox-2026", b"<CDSDATA></CDSDATA>")
    theirs, us = world().theirs, world().us
    mail = smime.seal(message, key, [theirs.certificate], ("lds@example.com", "ote@example.com"), AT)
    assert smime.open_letter(smime.read_letter(mail.octets), [theirs], us, AT).content == message.xml
    signed = cms.verify(cms.sign(message.xml, key))
    assert (signed.content, signed.signer) == (message.xml, key.certificate)
    assert cms.decrypt(cms.encrypt(b"content", [key.certificate]), [key]) == b"content"
    assert wss.open_envelope(wss.seal_envelope(b"<a/>", key, AT), us, AT + timedelta(seconds=1)).payload == b"<a></a>"


def test_what_the_token_cannot_open_is_an_error_like_any_other(folder: Path) -> None:
    key = load(folder)
    private = key.private
    with pytest.raises(ValueError, match="token did not decrypt"):
        private.decrypt(b"\0" * 255, PKCS1v15())
    # of the right length it may give anything instead of an error (implicit rejection of newer OpenSSLs)
    envelope = cms.encrypt(b"content", [key.certificate])
    (recipient,) = ContentInfo.load(envelope)["content"]["recipient_infos"]
    wrapped = recipient.chosen["encrypted_key"].native
    with pytest.raises(InboundError) as refused:
        cms.decrypt(envelope.replace(wrapped, b"\0" * len(wrapped)), [key])
    assert refused.value.code == "not_for_us"
    signature = private.sign(b"data", PKCS1v15(), hashes.SHA512())
    world().ours.private.public_key().verify(signature, b"data", PKCS1v15(), hashes.SHA512())


@pytest.mark.parametrize(("label", "pin"), [("other", "pin"), ("seal", "wrong")])
def test_a_wrong_label_or_pin_is_said(folder: Path, label: str, pin: str) -> None:
    with pytest.raises(BadInput, match=r"cannot be opened .* check module, token, label and PIN") as error:
        load(folder, label, pin)
    assert "9999" not in error.value.message and PIN not in error.value.message


def test_many_keys_of_one_token_serve_many_threads(folder: Path) -> None:
    """Two keys of one token, the settings read anew, calls at the same time."""
    keys = [load(folder) for _ in range(3)]
    del keys[0]
    gc.collect()
    public = world().ours.private.public_key()

    def work(number: int) -> bytes:
        key, data = keys[number % 2], b"%d" % number
        public.verify(key.private.sign(data, PKCS1v15(), hashes.SHA256()), data, PKCS1v15(), hashes.SHA256())
        return key.private.decrypt(public.encrypt(data, PKCS1v15()), PKCS1v15())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(64))) == [b"%d" % number for number in range(64)]


def test_a_session_that_ended_is_opened_again(folder: Path) -> None:
    first, second = load(folder).private, load(folder).private
    for _ in range(2):
        for _, session in token_keys._SESSIONS.values():
            session.close()
        for private in (first, second):
            assert private.sign(b"data", PKCS1v15(), hashes.SHA256())
    (folder / "tokens").rename(folder / "pulled-out")
    for _, session in token_keys._SESSIONS.values():
        session.close()
    (folder / "pulled-out").rename(folder / "tokens")
    assert first.sign(b"data", PKCS1v15(), hashes.SHA256())
