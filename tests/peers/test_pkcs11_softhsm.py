"""A key that never leaves its token signs and decrypts: SoftHSM by its PKCS#11 library."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from central.market.channels import cms
from deploy.peers_softhsm import SoftHsm
from tests.unit.central.market.channels.pki import world

PIN = "12345678"
CLIENT = Path(__file__).parent / "clients/use_token.py"


@pytest.fixture
def token(softhsm: SoftHsm, tmp_path: Path) -> Path:
    """A folder with a token, the settings of the key in it, and the key's certificate."""
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nlog.level = ERROR\n")
    key = world().ours
    (tmp_path / "key.pem").write_bytes(key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "certificate.pem").write_bytes(key.certificate.public_bytes(Encoding.PEM))
    for words in (
        ["--init-token", "--free", "--label", "rozvodna", "--so-pin", "87654321"],
        ["--import", str(tmp_path / "key.pem"), "--token", "rozvodna", "--label", "seal", "--id", "A1"],
    ):
        command = [str(softhsm.util), "--module", str(softhsm.module), *words, "--pin", PIN]
        done = run(softhsm, command, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "key.pem").unlink()
    (tmp_path / "pin").write_text(PIN)
    source = {
        "name": "seal", "roles": ["sign"], "certificate": "certificate.pem", "secret_file": "pin",
        "pkcs11": {"module": str(softhsm.module), "token": "rozvodna", "label": "seal"},
    }  # fmt: skip
    (tmp_path / "key.json").write_text(json.dumps(source))
    return tmp_path


def run(softhsm: SoftHsm, command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = softhsm.environment(folder / "softhsm2.conf")
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def use(softhsm: SoftHsm, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "content").write_bytes(b"<CDSDATA/>")
    (folder / "encrypted").write_bytes(cms.encrypt(b"<RESPONSE/>", [world().ours.certificate]))
    files = [str(folder / name) for name in ("content", "signed", "encrypted", "decrypted")]
    return run(softhsm, [*softhsm.python(), str(CLIENT), str(folder), *files], folder)


def test_the_token_signs_and_decrypts(softhsm: SoftHsm, token: Path) -> None:
    done = use(softhsm, token)
    assert done.returncode == 0, done.stderr
    signed = cms.verify((token / "signed").read_bytes())
    assert (signed.content, signed.signer) == (b"<CDSDATA/>", world().ours.certificate)
    assert (token / "decrypted").read_bytes() == b"<RESPONSE/>"


def test_a_wrong_pin_is_said_and_not_shown(softhsm: SoftHsm, token: Path) -> None:
    (token / "pin").write_text("00000000")
    done = use(softhsm, token)
    assert done.returncode != 0
    assert "check module, token, label and PIN" in done.stderr
    assert "00000000" not in done.stderr
