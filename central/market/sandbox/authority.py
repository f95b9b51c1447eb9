"""Throw-away certificates of a sandbox: an authority of its own, the operator's keys and those of the participant.

Made once in a folder and used again. They are worth nothing: whoever can read the folder has all the keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from central.market.channels.certificates import Counterparty
from central.market.channels.keys import KeySource, OwnKey, Role, load_key

OPERATOR_NAME: Final = "Sandbox of OTE"
PARTICIPANT_NAME: Final = "Participant of the sandbox"
_BITS: Final = 2048
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Authority:
    """The files of a sandbox's certificates, all in one folder."""

    folder: Path

    @property
    def ca_file(self) -> Path:
        """The authority's certificate."""
        return self.folder / "ca.pem"

    def key(self, name: str, *roles: Role) -> OwnKey:
        """One of the keys with its files."""
        source = KeySource(name=name, roles=list(roles), certificate=f"{name}.pem", key=f"{name}.key")
        return load_key(source, self.folder)

    def party(self, code: str, name: str, certificate: str) -> Counterparty:
        """Whoever signs with a certificate of this authority in that name; we encrypt for `certificate`."""
        (root,) = x509.load_pem_x509_certificates(self.ca_file.read_bytes())
        (encrypt_for,) = x509.load_pem_x509_certificates((self.folder / f"{certificate}.pem").read_bytes())
        return Counterparty(code, (root,), subject={"organizationName": name}, encrypt_for=(encrypt_for,))


def make_authority(folder: Path, hosts: Sequence[str], at: datetime) -> Authority:
    """The certificates in the folder, made if they are not there: `operator`, `operator-tls`, `ours`, `ours-tls`.

    Valid from a year before to ten years behind both `at` (a training's clock may stand anywhere) and the machine's
    own time, by which TLS goes. Those for TLS are for `hosts`, names or addresses. Those that are there and are not for
    all of these are made anew.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = Authority(folder)
    wall = datetime.now(UTC)  # TLS is judged by the machine's own time, whatever our clock says
    ready = folder / "ready"
    if ready.exists() and _serves(authority, hosts, (at, wall)):
        return authority
    ready.unlink(missing_ok=True)
    valid = min(at, wall) - 365 * _DAY, max(at, wall) + 3650 * _DAY
    root = _name("Throw-away authority", OPERATOR_NAME)
    root_key = generate_private_key(65537, _BITS)
    certificate = (
        _builder(root, root, root_key, root_key, valid)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    authority.ca_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    names = [_general_name(host) for host in hosts]
    for name, organisation, for_tls in (
        ("operator", OPERATOR_NAME, False),
        ("operator-tls", OPERATOR_NAME, True),
        ("ours", PARTICIPANT_NAME, False),
        ("ours-tls", PARTICIPANT_NAME, True),
    ):
        key = generate_private_key(65537, _BITS)
        builder = _builder(_name(name, organisation), root, key, root_key, valid)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(is_authority=False), critical=True)
        if for_tls:
            uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        made = builder.sign(root_key, hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
        _write_key(folder / f"{name}.key", key)
    ready.touch()
    return authority


def _serves(authority: Authority, hosts: Sequence[str], instants: Sequence[datetime]) -> bool:
    """Whether the certificates are for all these hosts and instants; whatever cannot be read is for none."""
    try:
        certificate = x509.load_pem_x509_certificate((authority.folder / "operator-tls.pem").read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return {_general_name(host) for host in hosts} <= set(names) and all(first <= each <= last for each in instants)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: RSAPrivateKey,
    issuer_key: RSAPrivateKey,
    valid: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _name(common: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CZ"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=not is_authority,
        key_encipherment=not is_authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: RSAPrivateKey) -> None:
    octets = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.touch(mode=0o600)
    path.write_bytes(octets)
