"""Lists of revoked certificates (CRL) from files that somebody else keeps up to date.

They are not fetched: that would be a call outside while a message is processed. A file is read anew when it changed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from central.platform.errors import BadInput

_Stamp = tuple[int, int, int]
UNVERIFIABLE = (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature)


@dataclass
class RevocationList:
    """One file, PEM or DER; whose list it is says the list."""

    path: Path
    _read: tuple[_Stamp, x509.CertificateRevocationList] | None = field(default=None, repr=False)

    def current(self) -> x509.CertificateRevocationList:
        """The list as the file has it now; BadInput where it cannot be read."""
        try:
            stat = self.path.stat()
            stamp = stat.st_mtime_ns, stat.st_size, stat.st_ino
            if self._read is None or self._read[0] != stamp:
                self._read = stamp, _load(self.path.read_bytes())
        except OSError as error:
            raise BadInput("revocation_list", f"The file {self.path} cannot be read: {error.strerror}.") from None
        except ValueError:
            raise BadInput(
                "revocation_list", f"The file {self.path} is no list of revoked certificates (PEM or DER)."
            ) from None
        return self._read[1]

    def is_stale(self, at: datetime) -> bool:
        """Whether its authority has promised a newer one by now."""
        until = self.current().next_update_utc
        return until is not None and until < at


def _load(octets: bytes) -> x509.CertificateRevocationList:
    if b"-----BEGIN" in octets:
        return x509.load_pem_x509_crl(octets)
    return x509.load_der_x509_crl(octets)


def lists_of(
    certificate: x509.Certificate, lists: Iterable[RevocationList], authorities: Sequence[x509.Certificate]
) -> list[x509.CertificateRevocationList]:
    """The lists that the certificate's issuer has signed itself; `authorities` are where it may be found. BadInput."""
    found = []
    for each in lists:
        crl = each.current()
        issuers = [other for other in authorities if other.subject == crl.issuer]
        if crl.issuer == certificate.issuer and any(_has_signed(issuer, crl) for issuer in issuers):
            found.append(crl)
    return found


def is_revoked(certificate: x509.Certificate, lists: Iterable[x509.CertificateRevocationList], at: datetime) -> bool:
    """Whether a list names the certificate by then; one that is only held back counts as well."""
    for crl in lists:
        entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None and entry.revocation_date_utc <= at:
            return True
    return False


def _has_signed(issuer: x509.Certificate, crl: x509.CertificateRevocationList) -> bool:
    try:
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type] # other kinds raise TypeError
    except UNVERIFIABLE:
        return False
