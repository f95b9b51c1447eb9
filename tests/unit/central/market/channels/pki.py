"""A small world of certificates: two authorities, ours and the market operator's keys, made once a process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from central.market.channels.certificates import Counterparty
from central.market.channels.keys import OwnKey, Role

AT = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)
FROM, TO = datetime(2025, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
OPERATOR = "8591824000007"


@dataclass(frozen=True)
class Authority:
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


@cache
def _key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _name(text: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CZ"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, text),
        ]
    )


def _usage(*, signs: bool = False, authority: bool = False, enciphers: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=signs,
        key_encipherment=enciphers,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(name: str, above: Authority | None = None) -> Authority:
    key = _key(name)
    subject = _name(name, "Test")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if above is not None:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(above.key.public_key()), critical=False
        )
    return Authority(builder.sign((above or Authority(None, key)).key, hashes.SHA256()), key)  # type: ignore[arg-type]


def issue(
    name: str,
    above: Authority,
    *,
    start: datetime = FROM,
    end: datetime = TO,
    signs: bool = True,
    enciphers: bool = True,
    organisation: str = "OTE, a.s.",
    key: rsa.RSAPrivateKey | None = None,
    names: tuple[x509.GeneralName, ...] = (),
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name, organisation))
        .issuer_name(above.certificate.subject)
        .public_key((key or _key(name)).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(_usage(signs=signs, enciphers=enciphers), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key((key or _key(name)).public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(above.key, hashes.SHA256())


@dataclass(frozen=True)
class World:
    """`root` above `between` issues for the operator and us; `stranger` is an authority that nobody trusts."""

    root: Authority
    between: Authority
    stranger: Authority
    ours: OwnKey
    ours_old: OwnKey
    theirs: OwnKey

    @property
    def operator(self) -> Counterparty:
        """The operator as we know it."""
        return Counterparty(
            OPERATOR,
            (self.root.certificate,),
            (self.between.certificate,),
            subject={"organizationName": "OTE, a.s."},
            encrypt_for=(self.theirs.certificate,),
        )

    @property
    def us(self) -> Counterparty:
        """We as the operator knows us."""
        return Counterparty(
            "8591824900017",
            (self.root.certificate,),
            (self.between.certificate,),
            subject={"organizationName": "LDS Sever"},
            encrypt_for=(self.ours.certificate,),
        )


def own(name: str, above: Authority, *roles: Role, start: datetime = FROM, end: datetime = TO, **more: str) -> OwnKey:
    certificate = issue(name, above, start=start, end=end, **more)  # type: ignore[arg-type]
    return OwnKey(name, roles or ("sign", "decrypt"), certificate, (above.certificate,), _key(name))


@cache
def world() -> World:
    root = _authority("Test Root")
    between = _authority("Test Issuing", root)
    return World(
        root,
        between,
        _authority("Stranger Root"),
        own("ours", between, organisation="LDS Sever"),
        own("ours-old", between, end=AT - timedelta(days=30), organisation="LDS Sever"),
        own("theirs", between),
    )
