"""Certificates: whose they are, whether a signer is who we expect, and which run out soon. Pure.

The chain is built by `cryptography.x509.verification` to configured anchors, with the rules of the web's PKI for
authorities; certificates of seals and of mail carry other extended uses than servers' do, so of the signer's own
certificate its key usage is asked for. Lists of revoked certificates (CRL, OCSP) are not asked: no call outside from
here; a certificate that must not be trusted any more is named in the settings (`refused`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from central.market.errors import InboundError
from central.platform.errors import BadInput

MOST_EMBEDDED: Final = 20
"""Certificates that a message may bring along."""
UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion)
"""What a certificate's fields raise when they are asked for and are not well formed."""


@dataclass(frozen=True, slots=True)
class Counterparty:
    """The other end: its code, whom its signatures lead to, and the certificates we encrypt for.

    A signer's certificate must lead to one of `anchors` (a pinned certificate may stand there itself) and, if `subject`
    names attributes, carry them all in its subject. `refused` are fingerprints that are not trusted any more.
    """

    code: str
    anchors: Sequence[x509.Certificate] = ()
    intermediates: Sequence[x509.Certificate] = ()
    subject: Mapping[str, str] = field(default_factory=dict)
    encrypt_for: Sequence[x509.Certificate] = ()
    refused: frozenset[str] = frozenset()


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def name_of(certificate: x509.Certificate) -> str:
    """The subject for people."""
    try:
        return certificate.subject.rfc4514_string()
    except UNREADABLE:
        return f"certificate {fingerprint(certificate)}"


def is_valid(certificate: x509.Certificate, at: datetime) -> bool:
    """Whether `at` is within the certificate's validity."""
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def read_certificates(octets: bytes, name: str) -> list[x509.Certificate]:
    """The certificates of a PEM or DER file; BadInput."""
    try:
        if b"-----BEGIN" in octets:
            return x509.load_pem_x509_certificates(octets)
        return [x509.load_der_x509_certificate(octets)]
    except ValueError as error:
        raise BadInput(
            "certificate_file", f"The file {name} holds no certificate (PEM or DER expected): {error}."
        ) from None


def require_signer(
    signer: x509.Certificate, embedded: Iterable[x509.Certificate], sender: Counterparty, at: datetime
) -> None:
    """InboundError unless the certificate is one by which that counterparty may sign at that time."""
    name = name_of(signer)
    try:
        _require(signer, [*embedded, *sender.intermediates], sender, at, name)
    except UNREADABLE as error:
        raise InboundError("certificate_unreadable", f"The certificate {name} cannot be read: {error}.") from None


def _require(
    signer: x509.Certificate, others: Sequence[x509.Certificate], sender: Counterparty, at: datetime, name: str
) -> None:
    if fingerprint(signer) in sender.refused:
        raise InboundError("certificate_refused", f"The certificate {name} is on the list of those not trusted.")
    if not is_valid(signer, at):
        raise InboundError(
            "certificate_not_valid",
            f"The certificate {name} is valid from {signer.not_valid_before_utc.isoformat()} to "
            f"{signer.not_valid_after_utc.isoformat()}, not on {at.isoformat()}.",
        )
    _require_usage(signer, name)
    if not sender.anchors:
        raise InboundError("no_anchor", f"No trusted certificate is set for {sender.code}: nothing of it is taken.")
    if signer not in sender.anchors:
        _require_chain(signer, others, sender, at)
    _require_subject(signer, sender, name)


def _require_usage(signer: x509.Certificate, name: str) -> None:
    try:
        usage = signer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not (usage.digital_signature or usage.content_commitment):
        raise InboundError("certificate_usage", f"The certificate {name} is not for signing (keyUsage).")


def _require_chain(
    signer: x509.Certificate, others: Sequence[x509.Certificate], sender: Counterparty, at: datetime
) -> None:
    policy = PolicyBuilder().store(Store(list(sender.anchors))).time(at)
    policy = policy.extension_policies(
        ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all()
    )
    try:
        policy.build_client_verifier().verify(signer, list(others)[:MOST_EMBEDDED])
    except (VerificationError, *UNREADABLE) as error:
        raise InboundError(
            "untrusted_certificate",
            f"The certificate {name_of(signer)} does not lead to an authority trusted for {sender.code}: "
            f"{str(error) or type(error).__name__}.",
        ) from None


def _require_subject(signer: x509.Certificate, sender: Counterparty, name: str) -> None:
    found = {(attribute.oid.dotted_string, str(attribute.value)) for attribute in signer.subject}
    for attribute, value in sender.subject.items():
        if (oid_of(attribute).dotted_string, value) not in found:
            raise InboundError(
                "unexpected_sender",
                f"The certificate {name} is not one of {sender.code}: {attribute} {value!r} was expected in it.",
            )


_OIDS: Final = {
    "commonName": x509.NameOID.COMMON_NAME,
    "organizationName": x509.NameOID.ORGANIZATION_NAME,
    "organizationIdentifier": x509.NameOID.ORGANIZATION_IDENTIFIER,
    "serialNumber": x509.NameOID.SERIAL_NUMBER,
    "countryName": x509.NameOID.COUNTRY_NAME,
}


def oid_of(attribute: str) -> x509.ObjectIdentifier:
    """The OID of a subject's attribute by its name; BadInput."""
    if attribute not in _OIDS:
        raise BadInput(
            "subject_attribute", f"The subject's attribute {attribute!r} is not known; expected {', '.join(_OIDS)}."
        )
    return _OIDS[attribute]


@dataclass(frozen=True, slots=True)
class Watched:
    """A certificate on watch: whose (`ours` or the counterparty's code), what for, and until when."""

    holder: str
    name: str
    roles: tuple[str, ...]
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Expiry:
    """How a certificate stands: `state` is valid, expiring, expired or future; `replaced`: another takes its place."""

    watched: Watched
    state: str
    days_left: int
    replaced: bool


def judge_expiry(watched: Sequence[Watched], at: datetime, warn_days: int) -> list[Expiry]:
    """Every certificate, the one that runs out first in front.

    One that runs out is replaced if another of the same holder serves each of its roles longer than the warning.
    """
    found = []
    for each in watched:
        certificate = each.certificate
        left = certificate.not_valid_after_utc - at
        if at < certificate.not_valid_before_utc:
            state = "future"
        elif left < timedelta(0):
            state = "expired"
        else:
            state = "expiring" if left < timedelta(days=warn_days) else "valid"
        replaced = all(
            any(
                other.holder == each.holder
                and role in other.roles
                and other.certificate.not_valid_before_utc <= certificate.not_valid_after_utc
                and other.certificate.not_valid_after_utc >= at + timedelta(days=warn_days)
                for other in watched
                if other is not each
            )
            for role in each.roles
        )
        found.append(Expiry(each, state, left.days, replaced))
    return sorted(found, key=lambda expiry: expiry.watched.certificate.not_valid_after_utc)
