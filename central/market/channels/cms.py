"""Cryptographic messages (CMS, RFC 5652): signed, enveloped and back. Octets to octets, pure.

Written with SHA-256 and AES-256-CBC; read with what `SIGNATURE_HASHES` and `CIPHERS` list (assumed: the market
operator's own choice is not published).
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from central.market.channels.certificates import MOST_EMBEDDED, fingerprint
from central.market.channels.keys import OwnKey
from central.market.errors import InboundError, OutboundError

SIGNATURE_HASHES: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
"""Assumed. MD5 and SHA-1 can be forged and are refused."""
CIPHERS: Final[dict[str, type[Any]]] = {
    "aes128_cbc": algorithms.AES,
    "aes192_cbc": algorithms.AES,
    "aes256_cbc": algorithms.AES,
    "tripledes_3key": TripleDES,
}
"""Assumed. TripleDES is read, never written: old mail programs still use it."""
MOST_RECIPIENTS: Final = 200
MOST_TRIES: Final = 20
_KEY_BYTES: Final = {"aes128_cbc": 16, "aes192_cbc": 24, "aes256_cbc": 32, "tripledes_3key": 24}
_MALFORMED: Final = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    OverflowError,
    RecursionError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
)
"""What readers of ASN.1 raise at octets that are none."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a SignedData says, its digest and signature checked; whether to trust `signer` is another question."""

    content: bytes
    signer: x509.Certificate
    embedded: tuple[x509.Certificate, ...]
    signing_time: datetime | None


def sign(content: bytes, key: OwnKey) -> bytes:
    """SignedData (DER) with the content, the certificate and its chain in it."""
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
    builder = builder.add_signer(key.certificate, key.private, hashes.SHA256())
    for certificate in key.chain:
        builder = builder.add_certificate(certificate)
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def encrypt(content: bytes, recipients: Sequence[x509.Certificate]) -> bytes:
    """EnvelopedData (DER) that each of the recipients can open; OutboundError without a usable one."""
    if not recipients:
        raise OutboundError("no_recipient", "There is no valid certificate of the other end to encrypt for; add one.")
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(content)
    for certificate in recipients:
        try:
            builder = builder.add_recipient(certificate)
        except TypeError:
            raise OutboundError(
                "recipient_key",
                f"The certificate {fingerprint(certificate)} has no RSA key: it cannot be encrypted for.",
            ) from None
    builder = builder.set_content_encryption_algorithm(algorithms.AES256)
    return builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def recipient_name(certificate: x509.Certificate) -> tuple[bytes, int]:
    """Issuer (DER) and serial number, by which an EnvelopedData of ours names a recipient."""
    return certificate.issuer.public_bytes(), certificate.serial_number


def recipients_of(envelope: bytes) -> set[tuple[bytes, int]]:
    """Whom an EnvelopedData of ours was made for; InboundError."""
    try:
        infos = _content(envelope, "enveloped_data", "not_encrypted")["recipient_infos"]
        names = [info.chosen["rid"].chosen for info in infos]
        return {(name["issuer"].dump(), name["serial_number"].native) for name in names}
    except _MALFORMED as error:
        raise _malformed(error) from None


def decrypt(envelope: bytes, keys: Sequence[OwnKey]) -> bytes:
    """The content of EnvelopedData, by whichever of our keys opens it; InboundError."""
    try:
        data = _content(envelope, "enveloped_data", "not_encrypted")
        info = data["encrypted_content_info"]
        cipher_name = info["content_encryption_algorithm"].encryption_cipher
        algorithm = info["content_encryption_algorithm"]["algorithm"].native
        name = algorithm if algorithm in CIPHERS else f"{cipher_name}"
        encrypted = info["encrypted_content"].native
        if name not in CIPHERS or encrypted is None:
            raise InboundError("cipher", f"The message is encrypted by {str(algorithm)[:60]}, which is not taken.")
        initial = info["content_encryption_algorithm"].encryption_iv
        # each costs a private key's act: a stranger could name us a thousand times
        wrapped = list(islice(_wrapped_keys(data, keys), MOST_TRIES))
    except _MALFORMED as error:
        raise _malformed(error) from None
    for key, octets, scheme in wrapped:
        try:
            content_key = key.private.decrypt(octets, scheme)
        except ValueError:
            continue
        if len(content_key) != _KEY_BYTES[name]:
            continue
        try:
            return _deciphered(CIPHERS[name](content_key), initial, encrypted)
        except _MALFORMED:
            continue
    known = ", ".join(key.name for key in keys) or "none"
    raise InboundError("not_for_us", f"None of our keys ({known}) opens the message: it was encrypted for another one.")


def verify(signed: bytes, detached: bytes | None = None) -> Signed:
    """What was signed and by which certificate, if digest and signature are right; InboundError."""
    try:
        data = _content(signed, "signed_data", "not_signed")
        content = detached if detached is not None else data["encap_content_info"]["content"].native
        infos = list(data["signer_infos"])
        embedded = [
            x509.load_der_x509_certificate(choice.chosen.dump())
            for choice in list(data["certificates"] or ())[:MOST_EMBEDDED]
            if choice.name == "certificate"
        ]
        if not isinstance(content, bytes) or not infos:
            raise InboundError("not_signed", "The message's SignedData has no content or no signature.")
        if len(infos) > 1:
            raise InboundError("several_signers", f"The message has {len(infos)} signatures, expected one.")
        signer = _signer(infos[0], embedded)
        time = _check(infos[0], signer, content, data["encap_content_info"]["content_type"].native)
    except _MALFORMED as error:
        raise _malformed(error) from None
    return Signed(content, signer, tuple(embedded), time)


def _content(octets: bytes, kind: str, code: str) -> Any:
    info = cms.ContentInfo.load(octets)
    found = info["content_type"].native
    if found != kind:
        raise InboundError(code, f"The message is {str(found)[:60]}, expected {kind} there.")
    return info["content"]


def _wrapped_keys(data: Any, keys: Sequence[OwnKey]) -> Any:
    """(key of ours, wrapped content key, padding) of every recipient that one of our certificates is."""
    for recipient in list(data["recipient_infos"])[:MOST_RECIPIENTS]:
        if recipient.name != "ktri":
            continue
        transport = recipient.chosen
        scheme = _transport_padding(transport["key_encryption_algorithm"])
        for key in keys:
            if scheme is not None and _is_same(transport["rid"], key.certificate):
                yield key, transport["encrypted_key"].native, scheme


def _transport_padding(algorithm: Any) -> padding.AsymmetricPadding | None:
    name = algorithm["algorithm"].native
    if name in {"rsa", "rsaes_pkcs1v15"}:
        return padding.PKCS1v15()
    if name == "rsaes_oaep":
        parameters = algorithm["parameters"]
        digest = _oaep_hash(parameters["hash_algorithm"]["algorithm"].native)
        mask = _oaep_hash(parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native)
        return padding.OAEP(padding.MGF1(mask), digest, None)
    return None


def _oaep_hash(name: str) -> hashes.HashAlgorithm:
    # SHA-1 is the default of OAEP and not weak there: nobody has to find collisions
    return hashes.SHA1() if name == "sha1" else SIGNATURE_HASHES[name]()  # noqa: S303 - see above


def _is_same(identifier: Any, certificate: x509.Certificate) -> bool:
    if identifier.name == "issuer_and_serial_number":
        chosen = identifier.chosen
        return bool(
            chosen["serial_number"].native == certificate.serial_number
            and chosen["issuer"].dump() == certificate.issuer.public_bytes()
        )
    try:
        known = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return False
    return bool(identifier.chosen.native == known)


def _deciphered(algorithm: Any, initial: bytes, encrypted: bytes) -> bytes:
    decryptor = Cipher(algorithm, modes.CBC(initial)).decryptor()
    padded = decryptor.update(encrypted) + decryptor.finalize()
    unpadder = PKCS7(algorithm.block_size).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def _signer(info: Any, embedded: Sequence[x509.Certificate]) -> x509.Certificate:
    for certificate in embedded:
        if _is_same(info["sid"], certificate):
            return certificate
    raise InboundError("no_certificate", "The message does not bring the certificate that it was signed by.")


def _check(info: Any, signer: x509.Certificate, content: bytes, content_type: str) -> datetime | None:
    """Digest and signature of one signer; the time that the signer claims."""
    digest_name = info["digest_algorithm"]["algorithm"].native
    if digest_name not in SIGNATURE_HASHES:
        raise InboundError("weak_digest", f"The message is signed over a digest {digest_name}, which is not taken.")
    attributes = {each["type"].native: each["values"] for each in info["signed_attrs"] or ()}
    if not {"content_type", "message_digest"} <= attributes.keys() or any(
        len(attributes[name]) != 1 for name in ("content_type", "message_digest")
    ):
        raise InboundError("no_signed_attributes", "The message's signature has no signed type and digest of content.")
    digest = hashlib.new(digest_name, content).digest()
    if attributes["content_type"][0].native != content_type or not hmac.compare_digest(
        attributes["message_digest"][0].native, digest
    ):
        raise InboundError("wrong_digest", "The message was changed after it was signed: its digest does not agree.")
    signed = info["signed_attrs"].untag().dump()
    try:
        _verify_raw(signer, info["signature_algorithm"], info["signature"].native, signed, digest_name)
    except InvalidSignature:
        raise InboundError("wrong_signature", "The message's signature does not agree with its certificate.") from None
    times = attributes.get("signing_time")
    time = times[0].native if times else None
    return time if isinstance(time, datetime) else None


def _verify_raw(signer: x509.Certificate, algorithm: Any, signature: bytes, signed: bytes, digest_name: str) -> None:
    public = signer.public_key()
    kind = algorithm.signature_algo
    hash_name = digest_name if algorithm["algorithm"].native == "rsassa_pkcs1v15" else algorithm.hash_algo
    if hash_name not in SIGNATURE_HASHES:
        raise InboundError("weak_digest", f"The message is signed by a digest {hash_name}, which is not taken.")
    digest = SIGNATURE_HASHES[hash_name]()
    if kind == "rsassa_pkcs1v15" and isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, signed, padding.PKCS1v15(), digest)
    elif kind == "rsassa_pss" and isinstance(public, rsa.RSAPublicKey):
        length = algorithm["parameters"]["salt_length"].native
        mask = SIGNATURE_HASHES[algorithm["parameters"]["mask_gen_algorithm"]["parameters"]["algorithm"].native]()
        public.verify(signature, signed, padding.PSS(padding.MGF1(mask), length), digest)
    elif kind == "ecdsa" and isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, signed, ec.ECDSA(digest))
    else:
        raise InboundError("signature_algorithm", f"The message is signed by {str(kind)[:60]}, which is not taken.")


def _malformed(error: BaseException) -> InboundError:
    return InboundError("cms_malformed", f"The message is no readable CMS ({type(error).__name__}).")
