"""Certificates: whose they are, whether a signer is who we expect, and which run out soon.

The chain is built by `cryptography.x509.verification` to configured anchors, with the rules of the web's PKI for
authorities; certificates of seals and of mail carry other extended uses than servers' do, so what the signer's own
certificate is for is asked here. Revoked is what a configured file (CRL) lists or the settings name (`refused`): no
call outside from here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from central.market.channels.revocation import RevocationList, is_revoked, lists_of
from central.market.errors import InboundError
from central.platform.errors import BadInput

MOST_EMBEDDED: Final = 20
"""Certificates that a message may bring along."""
MAIL_USES: Final = frozenset(
    each.dotted_string for each in (ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
)
SERVICE_USES: Final = MAIL_USES | {ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string}
"""Assumed: which extended uses the market operator's certificates carry is not published."""
UNREADABLE: Final = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion)
"""What a certificate's fields raise when they are asked for and are not well formed."""


@dataclass(frozen=True, slots=True)
class Counterparty:
    """The other end: its code, whom its signatures lead to, and the certificates we encrypt for.

    A signer's certificate stands in `anchors` itself (it is pinned), or leads to one of them and is bound to the
    counterparty: by attributes of its `subject`, or by its number (`serials`). `issuer` names attributes of who issued
    it. `refused` are fingerprints that are not trusted any more; where there are `lists` of revoked certificates, one
    must be of the signer's issuer. `uses` are extended uses (OIDs) that are taken beside the usual ones.
    """

    code: str
    anchors: Sequence[x509.Certificate] = ()
    intermediates: Sequence[x509.Certificate] = ()
    subject: Mapping[str, str] = field(default_factory=dict)
    encrypt_for: Sequence[x509.Certificate] = ()
    refused: frozenset[str] = frozenset()
    issuer: Mapping[str, str] = field(default_factory=dict)
    serials: frozenset[int] = frozenset()
    lists: Sequence[RevocationList] = ()
    uses: frozenset[str] = frozenset()

    def names_nobody(self) -> bool:
        """Whether anybody for whom one of the anchors issues could sign in its name."""
        return not self.subject and not self.serials and any(is_authority(each) for each in self.anchors)


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


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may issue others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        # of the first version of certificates all could
        return certificate.version is x509.Version.v1


def require_signer(
    signer: x509.Certificate,
    embedded: Iterable[x509.Certificate],
    sender: Counterparty,
    at: datetime,
    uses: frozenset[str],
) -> None:
    """InboundError unless the certificate is one by which that counterparty may sign at that time.

    `uses`: the extended uses of which it must have one, if it says any (`MAIL_USES`, `SERVICE_USES`).
    """
    name = name_of(signer)
    try:
        others = [*list(embedded)[:MOST_EMBEDDED], *sender.intermediates]
        _require(signer, others, sender, at, uses | sender.uses)
    except BadInput as error:
        raise InboundError(
            "revocation_unknown", f"Whether {name} is revoked cannot be found out: {error.message}"
        ) from None
    except UNREADABLE as error:
        raise InboundError("certificate_unreadable", f"The certificate {name} cannot be read: {error}.") from None


def _require(
    signer: x509.Certificate,
    others: Sequence[x509.Certificate],
    sender: Counterparty,
    at: datetime,
    uses: frozenset[str],
) -> None:
    name = name_of(signer)
    if fingerprint(signer) in sender.refused:
        raise InboundError("certificate_refused", f"The certificate {name} is on the list of those not trusted.")
    if not is_valid(signer, at):
        raise InboundError(
            "certificate_not_valid",
            f"The certificate {name} is valid from {signer.not_valid_before_utc.isoformat()} to "
            f"{signer.not_valid_after_utc.isoformat()}, not on {at.isoformat()}.",
        )
    _require_usage(signer, name)
    _require_use(signer, uses, name)
    if not sender.anchors:
        raise InboundError("no_anchor", f"No trusted certificate is set for {sender.code}: nothing of it is taken.")
    chain = [signer] if signer in sender.anchors else _require_chain(signer, others, sender, at, uses)
    if signer not in sender.anchors and not sender.subject and not sender.serials:
        raise InboundError(
            "nobody_named",
            f"The certificate {name} leads to a trusted authority, and nothing says which of its certificates are "
            f"those of {sender.code}: name `subject` or `serials`.",
        )
    _require_attributes(signer.subject, sender.subject, sender, name)
    _require_attributes(signer.issuer, sender.issuer, sender, name)
    if sender.serials and signer.serial_number not in sender.serials:
        raise _unexpected(sender, name, f"its number {signer.serial_number:x} is not one of those set")
    _require_not_revoked(chain, [*chain, *others, *sender.anchors], sender, at)


def _require_usage(signer: x509.Certificate, name: str) -> None:
    try:
        usage = signer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not (usage.digital_signature or usage.content_commitment):
        raise InboundError("certificate_usage", f"The certificate {name} is not for signing (keyUsage).")


def _require_use(signer: x509.Certificate, uses: frozenset[str], name: str) -> None:
    try:
        said = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    found = {each.dotted_string for each in said}
    if not found & uses:
        raise InboundError(
            "certificate_usage",
            f"The certificate {name} is for {', '.join(sorted(found))} (extendedKeyUsage), not for signing messages; "
            f"if it is the right one, name one of these in `uses`.",
        )


def _require_not_revoked(
    chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate], sender: Counterparty, at: datetime
) -> None:
    if not sender.lists:
        return
    for number, certificate in enumerate(chain):
        lists = lists_of(certificate, sender.lists, authorities)
        if number == 0 and not lists:
            raise InboundError(
                "revocation_unknown",
                f"None of the lists of revoked certificates is of the issuer of {name_of(certificate)}: add its list.",
            )
        if is_revoked(certificate, lists, at):
            raise InboundError("certificate_revoked", f"The certificate {name_of(certificate)} is revoked.")


def _require_chain(
    signer: x509.Certificate,
    others: Sequence[x509.Certificate],
    sender: Counterparty,
    at: datetime,
    uses: frozenset[str],
) -> list[x509.Certificate]:
    def may_issue(_: object, __: x509.Certificate, said: x509.ExtendedKeyUsage | None) -> None:
        # the web's rules would ask for TLS here
        if said is not None and not {each.dotted_string for each in said} & uses:
            raise ValueError("An authority above it does not issue for signing messages (extendedKeyUsage).")

    authorities = ExtensionPolicy.webpki_defaults_ca()
    authorities = authorities.may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, may_issue)
    policy = PolicyBuilder().store(Store(list(sender.anchors))).time(at)
    policy = policy.extension_policies(ca_policy=authorities, ee_policy=ExtensionPolicy.permit_all())
    try:
        return policy.build_client_verifier().verify(signer, list(others)).chain
    except (VerificationError, *UNREADABLE) as error:
        raise InboundError(
            "untrusted_certificate",
            f"The certificate {name_of(signer)} does not lead to an authority trusted for {sender.code}: "
            f"{str(error) or type(error).__name__}.",
        ) from None


def _require_attributes(found: x509.Name, wanted: Mapping[str, str], sender: Counterparty, name: str) -> None:
    """Each attribute once, with that value: a second one could be anybody's."""
    for attribute, value in wanted.items():
        held = [str(each.value) for each in found.get_attributes_for_oid(oid_of(attribute))]
        if held != [value]:
            raise _unexpected(sender, name, f"{attribute} {value!r} was expected in it, found {held or 'none'}")


def _unexpected(sender: Counterparty, name: str, why: str) -> InboundError:
    return InboundError("unexpected_sender", f"The certificate {name} is not one of {sender.code}: {why[:300]}.")


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
