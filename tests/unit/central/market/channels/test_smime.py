"""Mail sealed and opened: by us, by the openssl command both ways, and everything that must be refused."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from central.market.channels import cms, smime
from central.market.channels.certificates import Counterparty, fingerprint
from central.market.channels.keys import OwnKey
from central.market.channels.port import Outgoing
from central.market.errors import InboundError, OutboundError

from .pki import AT, issue, own, world

XML = (
    b"<?xml version='1.0' encoding='UTF-8'?>\n<CDSDATA text='p\xc5\x99\xc3\xadli\xc5\xa1'>"
    + b"x" * 3000
    + b"\n</CDSDATA>\n"
)
MESSAGE = Outgoing("121-1", "121", "sandbox-2026", XML)
ADDRESSES = ("LDS <lds@example.com>", "ote@example.com")


def sealed(message: Outgoing = MESSAGE) -> bytes:
    """Our mail to the operator."""
    recipients = [world().theirs.certificate, world().ours.certificate]
    return smime.seal(message, world().ours, recipients, ADDRESSES, AT).octets


def opened(
    octets: bytes, keys: list[OwnKey] | None = None, sender: Counterparty | None = None, days: int = 0
) -> smime.Opened:
    return smime.open_letter(
        smime.read_letter(octets),
        [world().theirs] if keys is None else keys,
        sender or world().us,
        AT + timedelta(days),
    )


def refusal(octets: bytes, **arguments: object) -> str:
    with pytest.raises(InboundError) as error:
        opened(octets, **arguments)  # type: ignore[arg-type]
    return error.value.code


def test_a_mail_is_opened_by_whom_it_was_sealed_for_and_proves_who_sealed_it() -> None:
    found = opened(sealed())
    assert found.content == XML
    assert fingerprint(found.signer) == fingerprint(world().ours.certificate)
    assert cms.verify(found.signed).signer == found.signer, "the archived part proves it alone"
    assert opened(sealed(), keys=[world().ours]).content == XML, "every recipient can open it"


def test_the_mail_looks_as_documented() -> None:
    letter = message_from_bytes(sealed(), policy=policy.default)
    assert letter["Subject"] == "121 - 121-1"
    assert letter.get_content_type() == "application/pkcs7-mime"
    assert letter.get_param("smime-type") == "enveloped-data"
    assert letter["Message-ID"].startswith("<121-1.")
    assert max(len(line) for line in sealed().split(b"\r\n")) <= 998


def test_an_old_certificate_of_ours_still_opens_what_was_encrypted_for_it() -> None:
    octets = _sealed_by_them([world().ours_old.certificate], at=AT - timedelta(days=60))
    assert opened(octets, keys=[world().ours, world().ours_old], sender=world().operator).content == XML


@pytest.mark.parametrize("size", [1, 56, 57, 58, 113, 114, 115, 5000])
def test_octets_of_any_length_are_written_in_lines_of_mail(size: int) -> None:
    xml = b"<a>" + b"x" * size + b"</a>"
    octets = sealed(Outgoing("121-1", "121", "sandbox-2026", xml))
    assert opened(octets).content == xml
    assert max(len(line) for line in octets.partition(b"\r\n\r\n")[2].split(b"\r\n")) <= 76


def _sealed_by_them(recipients: list[object], at: object = AT, key: OwnKey | None = None, xml: bytes = XML) -> bytes:
    message = Outgoing("R-1", "813", "sandbox-2026", xml)
    return smime.seal(message, key or world().theirs, recipients, ADDRESSES, at).octets  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "7bit", "8bit"])
@pytest.mark.parametrize("content_type", ["application/xml", "text/xml", "application/octet-stream", "text/plain"])
def test_the_xml_comes_in_any_usual_encoding(encoding: str, content_type: str) -> None:
    xml = b"<RESPONSE text='a=b'>\r\n line\r\n</RESPONSE>"
    body = xml
    if encoding == "quoted-printable":
        body = xml.replace(b"=", b"=3D").replace(b"line", b"li=\r\nne")
    elif encoding == "base64":
        import base64

        body = base64.encodebytes(xml)
    part = (
        f"Content-Type: {content_type}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body
    )
    octets = _wrap(cms.encrypt(_part(cms.sign(part, world().theirs)), [world().ours.certificate]))
    assert opened(octets, keys=[world().ours], sender=world().operator).content == xml


def _part(octets: bytes, content_type: str = "pkcs7-mime") -> bytes:
    part = EmailMessage(policy=policy.SMTP)
    part.set_content(octets, "application", content_type, cte="base64")
    return part.as_bytes()


def _wrap(enveloped: bytes, content_type: str = "pkcs7-mime") -> bytes:
    head = b"From: ote@example.com\r\nTo: lds@example.com\r\nSubject: 813 - x\r\nMessage-ID: <x@ote>\r\n"
    return head + _part(enveloped, content_type)


def test_bare_cms_inside_and_the_older_name_of_the_type_are_taken() -> None:
    signed = cms.sign(b"Content-Type: application/xml\r\n\r\n" + XML, world().theirs)
    octets = _wrap(cms.encrypt(signed, [world().ours.certificate]), "x-pkcs7-mime")
    assert opened(octets, keys=[world().ours], sender=world().operator).content == XML


def _flipped(octets: bytes, needle: bytes) -> bytes:
    place = octets.index(needle)
    return octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]


def test_what_was_changed_after_signing_is_refused() -> None:
    inner = b"Content-Type: application/xml\r\n\r\n<RESPONSE/>"
    changed = _flipped(cms.sign(inner, world().theirs), b"RESPONSE")
    octets = _wrap(cms.encrypt(_part(changed), [world().ours.certificate]))
    assert refusal(octets, keys=[world().ours], sender=world().operator) == "wrong_digest"


def test_a_signature_by_another_key_is_refused() -> None:
    inner = b"Content-Type: application/xml\r\n\r\n<RESPONSE/>"
    forger = replace(world().ours, certificate=world().theirs.certificate)
    octets = _wrap(cms.encrypt(_part(cms.sign(inner, forger)), [world().ours.certificate]))
    assert refusal(octets, keys=[world().ours], sender=world().operator) == "wrong_signature"


def test_signers_that_are_refused() -> None:
    world_ = world()
    strange = own("theirs-strange", world_.stranger)
    other = own("another-firm", world_.between, organisation="Jiná, s.r.o.")
    late = own("theirs-late", world_.between, start=AT + timedelta(days=1))
    not_signing = replace(world_.theirs, certificate=issue("theirs", world_.between, signs=False))

    def code(key: OwnKey, sender: Counterparty = world_.operator) -> str:
        octets = _sealed_by_them([world_.ours.certificate], key=key)
        return refusal(octets, keys=[world_.ours], sender=sender)

    assert code(strange) == "untrusted_certificate"
    assert code(other) == "unexpected_sender"
    assert code(late) == "certificate_not_valid"
    assert code(not_signing) == "certificate_usage"
    gone = replace(world_.operator, refused=frozenset({fingerprint(world_.theirs.certificate)}))
    assert code(world_.theirs, gone) == "certificate_refused"
    assert code(world_.theirs, replace(world_.operator, anchors=())) == "no_anchor"
    pinned = replace(world_.operator, anchors=(strange.certificate,))
    assert code(world_.theirs, pinned) == "untrusted_certificate"
    octets = _sealed_by_them([world_.ours.certificate], key=strange)
    assert opened(octets, keys=[world_.ours], sender=pinned).content == XML


def test_what_is_not_for_us_not_encrypted_or_not_signed_is_refused() -> None:
    ours, them = world().ours, world().operator
    assert refusal(sealed(), keys=[world().ours_old]) == "not_for_us"
    assert refusal(sealed(), keys=[]) == "not_for_us"
    signed_only = _wrap(cms.sign(b"Content-Type: application/xml\r\n\r\n<a/>", world().theirs))
    assert refusal(signed_only, keys=[ours], sender=them) == "not_encrypted"
    unsigned = _wrap(cms.encrypt(b"Content-Type: application/xml\r\n\r\n<a/>", [ours.certificate]))
    assert refusal(unsigned, keys=[ours], sender=them) == "not_signed"
    twice = cms.encrypt(_part(cms.encrypt(b"x", [ours.certificate])), [ours.certificate])
    assert refusal(_wrap(twice), keys=[ours], sender=them) == "not_signed"
    nothing = _wrap(
        cms.encrypt(_part(cms.sign(b"Content-Type: image/png\r\n\r\nx", world().theirs)), [ours.certificate])
    )
    assert refusal(nothing, keys=[ours], sender=them) == "no_xml"


def test_a_mail_without_smime_is_told_apart() -> None:
    letter = smime.read_letter(b"From: a@b.cz\r\nSubject: 121 - spam\r\n\r\n<CDSDATA/>")
    assert letter.enveloped is None and not letter.is_signed_only
    assert letter.identity.startswith("sha256:")


@pytest.mark.parametrize(
    ("subject", "code"),
    [("813 - R-1", "813"), ("APERAK - x", "APERAK"), ("Re: 813 - x", None), ("81 - x", None), ("", None)],
)
def test_the_code_that_a_subject_names(subject: str, code: str | None) -> None:
    assert smime.code_of(subject) == code


def test_there_must_be_somebody_to_encrypt_for() -> None:
    with pytest.raises(OutboundError, match="no valid certificate of the other end"):
        smime.seal(MESSAGE, world().ours, [world().ours_old.certificate], ADDRESSES, AT)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_changed_in_a_mail_it_is_opened_as_it_was_or_refused(data: st.DataObject) -> None:
    octets = bytearray(SEALED)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(octets) - 1))
        octets[place] = data.draw(st.integers(0, 255))
    try:
        assert opened(bytes(octets)).content == XML
    except InboundError as error:
        assert error.message.endswith(".")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_are_refused_and_never_more(octets: bytes) -> None:
    for read in (lambda: cms.verify(octets), lambda: cms.decrypt(octets, [world().ours]), lambda: opened(octets)):
        with pytest.raises(InboundError):
            read()


def test_deep_and_many_parts_are_refused_quickly() -> None:
    deep = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(3000)
    )
    with pytest.raises(InboundError, match="more than 200 lines that could begin a part"):
        smime.read_letter(deep)


SEALED = sealed()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and certificates as files for the openssl command."""
    folder = tmp_path_factory.mktemp("openssl")
    for key in (world().ours, world().theirs):
        (folder / f"{key.name}.pem").write_bytes(key.certificate.public_bytes(Encoding.PEM))
        private = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{key.name}.key").write_bytes(private)
    (folder / "root.pem").write_bytes(world().root.certificate.public_bytes(Encoding.PEM))
    (folder / "between.pem").write_bytes(world().between.certificate.public_bytes(Encoding.PEM))
    return folder


def openssl(folder: Path, *words: str, given: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", "cms", *words], cwd=folder, input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_openssl_opens_and_verifies_our_mail(files: Path) -> None:
    inner = openssl(files, "-decrypt", "-recip", "theirs.pem", "-inkey", "theirs.key", given=sealed())
    when = str(int(AT.timestamp()))
    part = openssl(files, "-verify", "-CAfile", "root.pem", "-purpose", "any", "-attime", when, given=inner)
    assert part.endswith(b"\r\n") and b"Content-Type: application/xml" in part
    assert message_from_bytes(part, policy=policy.default).get_content() == XML


OAEP = ("-keyopt", "rsa_padding_mode:oaep")


@pytest.mark.parametrize(
    ("signing", "cipher", "transport"),
    [
        (("-nodetach",), "-aes-256-cbc", ()),
        (("-nodetach", "-stream"), "-aes-256-cbc", ()),
        (("-nodetach", "-md", "sha512"), "-aes-128-cbc", ()),
        (("-nodetach", "-keyid"), "-aes-192-cbc", OAEP),
        ((), "-aes-256-cbc", OAEP),
        ((), "-des3", ()),
    ],
)
def test_we_open_and_verify_the_mail_of_openssl(
    files: Path, signing: tuple[str, ...], cipher: str, transport: tuple[str, ...]
) -> None:
    part = b"Content-Type: application/xml; charset=utf-8\r\n\r\n" + XML
    signer = ("-signer", "theirs.pem", "-inkey", "theirs.key", "-certfile", "between.pem")
    signed = openssl(files, "-sign", "-binary", *signing, *signer, given=part)
    headers = ("-subject", "813 - R-1", "-from", "ote@example.com")
    octets = openssl(files, "-encrypt", "-binary", cipher, *headers, "-recip", "ours.pem", *transport, given=signed)
    found = opened(octets, keys=[world().ours], sender=world().operator)
    assert found.content == XML
    assert found.signer == world().theirs.certificate
