"""Who may sign as the market operator: bound by subject, number or pin, for the purpose, at that time, not revoked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from central.market.channels.certificates import MAIL_USES, SERVICE_USES, Counterparty, require_signer
from central.market.channels.revocation import RevocationList
from central.market.channels.watch import list_days_left, metrics
from central.market.errors import InboundError
from central.platform.errors import BadInput

from . import test_config
from .pki import AT, OPERATOR, Authority, _authority, _key, _name, _usage, issue, world

OPERATORS = {"organizationName": "OTE, a.s."}


def party(**more: Any) -> Counterparty:
    usual: dict[str, Any] = {"anchors": (world().root.certificate,), "intermediates": (world().between.certificate,)}
    return Counterparty(OPERATOR, **{**usual, "subject": OPERATORS, **more})


def judge(signer: x509.Certificate, sender: Counterparty, uses: frozenset[str] = MAIL_USES) -> str:
    """`taken`, or why not."""
    try:
        require_signer(signer, (), sender, AT, uses)
    except InboundError as error:
        return error.code
    return "taken"


def with_uses(*uses: x509.ObjectIdentifier, above: Authority | None = None, subject: x509.Name | None = None) -> Any:
    above, key = above or world().between, _key("uses")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject or _name("uses", "OTE, a.s."))
        .issuer_name(above.certificate.subject)
        .public_key(key.public_key())
        .serial_number(0xABC123)
        .not_valid_before(AT - timedelta(days=1))
        .not_valid_after(AT + timedelta(days=100))
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.key.public_key()), critical=False)
    )
    if uses:
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=True)
    return builder.sign(above.key, hashes.SHA256())


THEIRS = world().theirs.certificate


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "taken"),
        ({"subject": {"organizationName": "OTE, a.s.", "commonName": "theirs"}}, "taken"),
        ({"subject": {"commonName": "somebody"}}, "unexpected_sender"),
        ({"subject": {"serialNumber": "1"}}, "unexpected_sender"),
        ({"subject": {}}, "nobody_named"),
        ({"subject": {}, "serials": frozenset({THEIRS.serial_number})}, "taken"),
        ({"subject": {}, "serials": frozenset({1, 2})}, "unexpected_sender"),
        ({"serials": frozenset({1})}, "unexpected_sender"),
        ({"issuer": {"commonName": "Test Issuing"}}, "taken"),
        ({"issuer": {"commonName": "Other Issuing"}}, "unexpected_sender"),
        ({"subject": {}, "anchors": (THEIRS,)}, "taken"),
        ({"subject": {}, "anchors": (world().ours.certificate,)}, "untrusted_certificate"),
        ({"anchors": (world().stranger.certificate,)}, "untrusted_certificate"),
        ({"anchors": ()}, "no_anchor"),
    ],
)
def test_whose_certificate_it_is(more: dict[str, Any], expected: str) -> None:
    assert judge(THEIRS, party(**more)) == expected


def test_a_second_attribute_of_the_same_kind_is_nobodys() -> None:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, text) for text in ("Evil, s.r.o.", "OTE, a.s.")]
    assert judge(with_uses(subject=x509.Name(names)), party()) == "unexpected_sender"


@pytest.mark.parametrize(
    ("uses", "mail", "service"),
    [
        ((), "taken", "taken"),
        ((ExtendedKeyUsageOID.EMAIL_PROTECTION,), "taken", "taken"),
        ((ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), "taken", "taken"),
        ((ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION), "taken", "taken"),
        ((ExtendedKeyUsageOID.CLIENT_AUTH,), "certificate_usage", "taken"),
        ((ExtendedKeyUsageOID.SERVER_AUTH,), "certificate_usage", "certificate_usage"),
        ((ExtendedKeyUsageOID.CODE_SIGNING,), "certificate_usage", "certificate_usage"),
    ],
)
def test_what_it_is_for(uses: Sequence[x509.ObjectIdentifier], mail: str, service: str) -> None:
    certificate = with_uses(*uses)
    assert (judge(certificate, party()), judge(certificate, party(), SERVICE_USES)) == (mail, service)
    named = party(uses=frozenset(each.dotted_string for each in uses))
    assert judge(certificate, named) == "taken", "the settings may name another use"


def test_a_pinned_certificate_must_be_valid_and_for_signing_too() -> None:
    old = issue("old-pin", world().between, end=AT - timedelta(days=1))
    mute = issue("mute-pin", world().between, signs=False)
    early = issue("early-pin", world().between, start=AT + timedelta(days=1))
    found = [judge(each, party(anchors=(each,), subject={})) for each in (old, mute, early)]
    assert found == ["certificate_not_valid", "certificate_usage", "certificate_not_valid"]


def write_list(path: Path, authority: Authority, *serials: int, until: int = 10, since: int = 1) -> RevocationList:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(AT - timedelta(days=20))
        .next_update(AT + timedelta(days=until))
    )
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(AT - timedelta(days=since))
        builder = builder.add_revoked_certificate(entry.build())
    path.write_bytes(builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return RevocationList(path)


def test_a_revoked_certificate_signs_nothing(tmp_path: Path) -> None:
    between, root = world().between, world().root
    mine, other = THEIRS.serial_number, world().ours.certificate.serial_number
    path = tmp_path / "ca.crl"
    revoked = write_list(path, between, mine)
    assert judge(THEIRS, party(lists=[revoked])) == "certificate_revoked"
    assert judge(THEIRS, party(lists=[revoked], anchors=(THEIRS, between.certificate))) == "certificate_revoked"
    assert judge(THEIRS, party(lists=[write_list(path, between, other)])) == "taken"
    assert judge(THEIRS, party(lists=[write_list(path, between, mine, since=-1)])) == "taken", "not yet"
    late = write_list(path, between, mine, until=-1)
    assert judge(THEIRS, party(lists=[late])) == "certificate_revoked", "an old list still counts"
    assert late.is_stale(AT) and not revoked.is_stale(AT - timedelta(days=2))

    forged = replace(between, key=world().stranger.key)
    assert judge(THEIRS, party(lists=[write_list(path, forged, other)])) == "revocation_unknown"
    assert judge(THEIRS, party(lists=[write_list(path, root)])) == "revocation_unknown", "of another authority"
    upper = write_list(tmp_path / "root.crl", root, between.certificate.serial_number)
    both = party(lists=[write_list(path, between), upper])
    assert judge(THEIRS, both) == "certificate_revoked", "its authority is revoked"


def test_a_list_is_read_anew_when_its_file_changed(tmp_path: Path) -> None:
    path = tmp_path / "ca.crl"
    sender = party(lists=[write_list(path, world().between)])
    assert judge(THEIRS, sender) == "taken"
    write_list(path, world().between, THEIRS.serial_number)
    os.utime(path, ns=(1, 1))
    assert judge(THEIRS, sender) == "certificate_revoked"
    path.write_bytes(b"broken")
    assert judge(THEIRS, sender) == "revocation_unknown"
    path.unlink()
    assert judge(THEIRS, sender) == "revocation_unknown"


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (ExtendedKeyUsageOID.EMAIL_PROTECTION, "taken"),
        (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, "taken"),
        (ExtendedKeyUsageOID.SERVER_AUTH, "untrusted_certificate"),
    ],
)
def test_an_authority_may_be_bound_to_uses_too(use: x509.ObjectIdentifier, expected: str) -> None:
    above = _authority("Bound Root")
    bound = Authority(
        x509.CertificateBuilder()
        .subject_name(_name("Bound", "Test"))
        .issuer_name(above.certificate.subject)
        .public_key(_key("Bound").public_key())
        .serial_number(7)
        .not_valid_before(AT - timedelta(days=1))
        .not_valid_after(AT + timedelta(days=100))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(_key("Bound").public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.key.public_key()), critical=False)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        .sign(above.key, hashes.SHA256()),
        _key("Bound"),
    )
    certificate = with_uses(ExtendedKeyUsageOID.EMAIL_PROTECTION, above=bound)
    sender = party(anchors=(above.certificate,), intermediates=(bound.certificate,))
    assert judge(certificate, sender) == expected


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"subject": {}}, "does not say which of its certificates"),
        ({"issuer": {"colour": "red"}}, "'colour' is not known"),
        ({"serials": ["xyz"]}, "not in the expected form"),
        ({"revocation_lists": ["none.crl"]}, r"none\.crl cannot be read"),
        ({"revocation_lists": ["root.pem"]}, "no list of revoked certificates"),
    ],
)
def test_settings_that_bind_nobody_are_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    data = test_config.usual(tmp_path)
    data["counterparties"][0] |= change
    with pytest.raises(BadInput, match=says):
        test_config.read(tmp_path, data)


def test_settings_that_bind(tmp_path: Path) -> None:
    data = test_config.usual(tmp_path)
    write_list(tmp_path / "ca.crl", world().between, THEIRS.serial_number)
    serial = f"{THEIRS.serial_number:X}"
    data["counterparties"][0] |= {"subject": {}, "serials": [serial], "revocation_lists": ["ca.crl"]}
    found = test_config.read(tmp_path, data).counterparties[OPERATOR]
    assert judge(THEIRS, replace(found, intermediates=(world().between.certificate,))) == "certificate_revoked"
    data["counterparties"][0] |= {"anchors": ["theirs.pem"], "serials": [], "revocation_lists": []}
    assert judge(THEIRS, test_config.read(tmp_path, data).counterparties[OPERATOR]) == "taken", "pinned"


def test_lists_that_grow_old_are_seen(tmp_path: Path) -> None:
    data = test_config.usual(tmp_path)
    write_list(tmp_path / "ca.crl", world().between)
    data["counterparties"][0] |= {"revocation_lists": ["ca.crl"]}
    settings = test_config.read(tmp_path, data)
    days = list_days_left(settings, AT + timedelta(days=3))
    assert days == {str(tmp_path / "ca.crl"): 7}
    assert f'{{file="{tmp_path / "ca.crl"}"}} 7.0' in metrics([], days).decode()
    (tmp_path / "ca.crl").unlink()
    assert list_days_left(settings, AT) == {str(tmp_path / "ca.crl"): -1}
