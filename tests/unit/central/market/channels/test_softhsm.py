"""A key in a real PKCS#11 token (SoftHSM), where there is one: installed, or its library and tool by variables."""

from __future__ import annotations

import gc
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from central.market.channels import cms, smime, token_keys, wss
from central.market.channels.keys import KeySource, OwnKey, TokenSource, load_key
from central.market.channels.port import Outgoing
from central.platform.errors import BadInput

from .pki import AT, world

LIBRARY = Path(os.environ.get("TEST_SOFTHSM", "/usr/lib/softhsm/libsofthsm2.so"))
TOOL = os.environ.get("TEST_SOFTHSM_TOOL", "/usr/bin/softhsm2-util")
PIN, OFFICER = "1234", "123456"

pytestmark = pytest.mark.skipif(
    not (LIBRARY.exists() and Path(TOOL).exists()), reason=f"there is no SoftHSM at {LIBRARY}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token `rozvodna` with our key under the label `seal`, and the certificate beside it."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    key = folder / "key.pem"
    ours = world().ours
    key.write_bytes(ours.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    token = ("--module", str(LIBRARY), "--pin", PIN)
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
    token = TokenSource(module=str(LIBRARY), token="rozvodna", label=label)
    source = KeySource(name="seal", roles=["sign", "decrypt"], certificate="ours.pem", pkcs11=token, secret_file=pin)
    return load_key(source, folder)


def test_mail_and_envelopes_are_sealed_and_opened_in_the_token(folder: Path) -> None:
    key = load(folder)
    message = Outgoing("121-1", "121", "sandbox-2026", b"<CDSDATA></CDSDATA>")
    theirs, us = world().theirs, world().us
    mail = smime.seal(message, key, [theirs.certificate], ("lds@example.com", "ote@example.com"), AT)
    assert smime.open_letter(smime.read_letter(mail.octets), [theirs], us, AT).content == message.xml
    assert cms.decrypt(cms.encrypt(b"content", [key.certificate]), [key]) == b"content"
    assert wss.open_envelope(wss.seal_envelope(b"<a/>", key, AT), us, AT + timedelta(seconds=1)).payload == b"<a></a>"


def test_what_the_token_cannot_open_is_an_error_like_any_other(folder: Path) -> None:
    private = load(folder).private
    with pytest.raises(ValueError, match="token did not decrypt"):
        private.decrypt(b"\0" * 256, PKCS1v15())
    signature = private.sign(b"data", PKCS1v15(), hashes.SHA512())
    world().ours.private.public_key().verify(signature, b"data", PKCS1v15(), hashes.SHA512())


@pytest.mark.parametrize(("label", "pin"), [("other", "pin"), ("seal", "wrong")])
def test_a_wrong_label_or_pin_is_said(folder: Path, label: str, pin: str) -> None:
    with pytest.raises(BadInput, match="cannot be opened") as error:
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
