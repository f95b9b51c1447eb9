"""xmlsec1 verifies the envelopes that we sign, and signs envelopes that we open."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

from central.market.channels import wss
from deploy.peers import PeerProgram
from tests.unit.central.market.channels.pki import AT, world

PAYLOAD = (
    "<n0:CDSDATA xmlns:n0='urn:x' id='121-1'><n0:Text>příliš žluťoučký</n0:Text>\n <n0:Empty/></n0:CDSDATA>".encode()
)
IDS = ("--id-attr:Id", f"{wss.SOAP}:Body", "--id-attr:Id", f"{wss.WSU}:Timestamp")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for key in (world().ours, world().theirs):
        (tmp_path / f"{key.name}.pem").write_bytes(key.certificate.public_bytes(Encoding.PEM))
        private = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / f"{key.name}.key").write_bytes(private)
    return tmp_path


def run(xmlsec: PeerProgram, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(xmlsec.path), *words],
        cwd=folder,
        env=xmlsec.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_xmlsec_verifies_our_signature(xmlsec: PeerProgram, folder: Path) -> None:
    octets = wss.seal_envelope(PAYLOAD, world().ours, AT)
    (folder / "envelope.xml").write_bytes(octets)
    words = ("--verify", "--pubkey-cert-pem", "ours.pem", *IDS)
    done = run(xmlsec, folder, *words, "envelope.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "changed.xml").write_bytes(octets.replace(b"121-1", b"121-2"))
    assert run(xmlsec, folder, *words, "changed.xml").returncode != 0
    (folder / "late.xml").write_bytes(octets.replace(b"T06:00:00Z", b"T07:00:00Z"))
    assert run(xmlsec, folder, *words, "late.xml").returncode != 0


def test_we_open_what_xmlsec_signed(xmlsec: PeerProgram, folder: Path) -> None:
    template = etree.fromstring(wss.seal_envelope(PAYLOAD, world().theirs, AT))
    for name in ("DigestValue", "SignatureValue"):
        for element in template.iter(f"{{{wss.DS}}}{name}"):
            element.text = None
    (folder / "template.xml").write_bytes(etree.tostring(template, encoding="UTF-8", xml_declaration=True))
    words = ("--sign", "--privkey-pem", "theirs.key", *IDS, "--output", "signed.xml")
    done = run(xmlsec, folder, *words, "template.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    found = wss.open_envelope((folder / "signed.xml").read_bytes(), world().operator, AT)
    assert etree.fromstring(found.payload)[0].text == "příliš žluťoučký"
    assert found.signer == world().theirs.certificate
