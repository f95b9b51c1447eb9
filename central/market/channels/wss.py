"""SOAP 1.1 envelopes with WS-Security: an X.509 token, a Timestamp and a signature over both Timestamp and Body. Pure.

All of it is assumed (the operator's WSDL is not readable by us) but that WS-Security is used and that signatures are to
be verified; so names and algorithms stand together in `Rules`. What is read is what was signed: the payload is taken
from the signature's own view of the Body, the Body must be the envelope's, and no two elements may share an Id.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from central.market.channels.certificates import MOST_EMBEDDED, SERVICE_USES, Counterparty, require_signer
from central.market.channels.keys import OwnKey
from central.market.channels.port import LARGEST
from central.market.envelope import parse_instant, utc_text
from central.market.errors import InboundError
from central.market.xml import MOST_ATTRIBUTES, XmlLimits, parse_untrusted

SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
_PROFILE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0"
_BASE64: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_NAMES: Final[Mapping[str, str]] = {"soapenv": SOAP, "wsse": WSSE, "wsu": WSU}
_ID: Final = f"{{{WSU}}}Id"
_UNVERIFIABLE: Final = (
    SignXMLException,
    UnsupportedAlgorithm,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    etree.LxmlError,
)
"""What the library raises at signatures that are none."""
_LIMITS: Final = XmlLimits(size_bytes=LARGEST, depth=18)
"""The largest market message with the levels of an envelope and its signature around it."""
_MOST_IDS: Final = 100
_MOST_REFERENCES: Final = 10


@dataclass(frozen=True, slots=True)
class Rules:
    """Algorithms and times; every default is assumed."""

    signature_methods: frozenset[SignatureMethod] = frozenset(
        {
            SignatureMethod.RSA_SHA256,
            SignatureMethod.RSA_SHA384,
            SignatureMethod.RSA_SHA512,
            SignatureMethod.ECDSA_SHA256,
            SignatureMethod.ECDSA_SHA384,
        }
    )
    digests: frozenset[DigestAlgorithm] = frozenset(
        {DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}
    )
    oldest: timedelta = timedelta(minutes=5)
    """How old a Timestamp may be; within this time repeats are told by their identity."""
    ahead: timedelta = timedelta(minutes=1)
    """How far the other end's clock may be ahead of ours."""
    lifetime: timedelta = timedelta(minutes=5)
    """Expires of what we sign."""


USUAL_RULES: Final = Rules()


@dataclass(frozen=True, slots=True)
class OpenedEnvelope:
    """What was signed: the one payload element of the Body as octets (exclusive C14N), by whom and when.

    `identity` is the digest of what was signed: a repeated envelope has the same one, however it is written.
    """

    payload: bytes
    signer: x509.Certificate
    created: datetime
    identity: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault: `code` is the local name (Client, Server, ...)."""

    code: str
    text: str

    @property
    def is_final(self) -> bool:
        """The message itself is at fault: repeating it is of no use."""
        return self.code == "Client"


def seal_envelope(payload: bytes, key: OwnKey, at: datetime, rules: Rules = USUAL_RULES) -> bytes:
    """The envelope around a payload, signed."""
    mark = secrets.token_hex(8)
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap=dict(_NAMES))
    header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
    security = etree.SubElement(header, f"{{{WSSE}}}Security", {f"{{{SOAP}}}mustUnderstand": "1"})
    token = etree.SubElement(
        security,
        f"{{{WSSE}}}BinarySecurityToken",
        {_ID: f"X509-{mark}", "EncodingType": _BASE64, "ValueType": f"{_PROFILE}#X509v3"},
    )
    token.text = base64.b64encode(key.certificate.public_bytes(Encoding.DER)).decode()
    timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp", {_ID: f"TS-{mark}"})
    etree.SubElement(timestamp, f"{{{WSU}}}Created").text = utc_text(at.replace(microsecond=0))
    etree.SubElement(timestamp, f"{{{WSU}}}Expires").text = utc_text(at.replace(microsecond=0) + rules.lifetime)
    body = etree.SubElement(envelope, f"{{{SOAP}}}Body", {_ID: f"Body-{mark}"})
    body.append(parse_untrusted(payload))
    signer = XMLSigner(
        method=SignatureConstructionMethod.detached,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    key_info = etree.Element(f"{{{DS}}}KeyInfo", nsmap={"ds": DS, "wsse": WSSE})
    reference = etree.SubElement(key_info, f"{{{WSSE}}}SecurityTokenReference")
    etree.SubElement(reference, f"{{{WSSE}}}Reference", {"URI": f"#X509-{mark}", "ValueType": f"{_PROFILE}#X509v3"})
    signature = signer.sign(
        envelope,
        key=key.private,
        key_info=key_info,
        reference_uri=[f"#TS-{mark}", f"#Body-{mark}"],
        id_attribute="Id",
    )
    security.append(signature)
    return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)


def plain_envelope(payload: bytes) -> bytes:
    """An envelope without any header, for services that ask for none."""
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soapenv": SOAP})
    etree.SubElement(envelope, f"{{{SOAP}}}Header")
    etree.SubElement(envelope, f"{{{SOAP}}}Body").append(parse_untrusted(payload))
    return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)


def fault_envelope(fault: Fault) -> bytes:
    """A SOAP 1.1 fault that nobody signed."""
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soapenv": SOAP})
    etree.SubElement(envelope, f"{{{SOAP}}}Body").append(_fault_element(fault))
    return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)


def seal_fault(fault: Fault, key: OwnKey, at: datetime, rules: Rules = USUAL_RULES) -> bytes:
    """A SOAP 1.1 fault, signed: only such a one decides what becomes of a message."""
    return seal_envelope(etree.tostring(_fault_element(fault)), key, at, rules)


def _fault_element(fault: Fault) -> etree._Element:
    found = etree.Element(f"{{{SOAP}}}Fault", nsmap={"soapenv": SOAP})
    etree.SubElement(found, "faultcode").text = f"soapenv:{fault.code}"
    etree.SubElement(found, "faultstring").text = "".join(
        letter if letter.isprintable() else " " for letter in fault.text
    )
    return found


def fault_of(payload: bytes) -> Fault | None:
    """The fault that a signed payload is, if it is one."""
    return _fault(parse_untrusted(payload, _LIMITS))


def read_fault(octets: bytes) -> Fault | None:
    """The fault in an envelope, if it is one; who wrote it is not known."""
    try:
        root = parse_untrusted(octets, _LIMITS)
    except InboundError:
        return None
    found = root.find(f"{{{SOAP}}}Body/{{{SOAP}}}Fault")
    if etree.QName(root).text != f"{{{SOAP}}}Envelope" or found is None:
        return None
    return _fault(found)


def _fault(found: etree._Element) -> Fault | None:
    if etree.QName(found).text != f"{{{SOAP}}}Fault":
        return None
    code = (found.findtext("faultcode") or "Server").strip().rpartition(":")[2]
    return Fault(code[:100], (found.findtext("faultstring") or "").strip()[:1000])


def open_envelope(octets: bytes, sender: Counterparty, at: datetime, rules: Rules = USUAL_RULES) -> OpenedEnvelope:
    """What that counterparty signed, if it did, now and not for another place; InboundError."""
    root = parse_untrusted(octets, _LIMITS)
    _refuse_costly(root)
    body, security = _parts(root)
    timestamp = _only(security, f"{{{WSU}}}Timestamp", "Timestamp")
    signature = _only(security, f"{{{DS}}}Signature", "Signature")
    _refuse_shared_ids(root)
    uris = _require_references(signature, {"Timestamp": timestamp, "Body": body}, root)
    certificate, others = _token_certificates(security, signature)
    views = dict(zip(uris, _verified(root, certificate, at, rules), strict=True))
    signed_body, signed_time = views[f"#{body.get(_ID)}"], views[f"#{timestamp.get(_ID)}"]
    require_signer(certificate, others, sender, at, SERVICE_USES)
    created = _require_time(signed_time[1], at, rules)
    payloads = list(signed_body[1])
    if len(payloads) != 1:
        raise InboundError("soap_payload", f"The Body holds {len(payloads)} elements, expected exactly one.")
    payload = etree.tostring(payloads[0], method="c14n", exclusive=True)
    identity = hashlib.sha256(
        hashlib.sha256(signed_body[0]).digest() + hashlib.sha256(signed_time[0]).digest()
    ).hexdigest()
    return OpenedEnvelope(payload, certificate, created, identity)


def _refuse_costly(root: etree._Element) -> None:
    """Canonical XML sorts the attributes of an element, which takes time with the square of their number."""
    if root.xpath(f"boolean(//*[count(@*) > {MOST_ATTRIBUTES}])"):
        raise InboundError("soap_malformed", f"An element has more than {MOST_ATTRIBUTES} attributes.")


def _parts(root: etree._Element) -> tuple[etree._Element, etree._Element]:
    """The envelope's Body and its Security header, one of each and where they belong."""
    names = [etree.QName(child).text for child in root]
    if etree.QName(root).text != f"{{{SOAP}}}Envelope" or names != [f"{{{SOAP}}}Header", f"{{{SOAP}}}Body"]:
        raise InboundError("soap_malformed", "The request is no SOAP 1.1 envelope of one Header and one Body.")
    everywhere = sum(1 for _ in root.iter(f"{{{WSSE}}}Security"))
    found = root[0].findall(f"{{{WSSE}}}Security")
    if len(found) != 1 or everywhere != 1:
        raise InboundError(
            "not_signed", f"The envelope has {everywhere} Security elements, expected one in its Header."
        )
    return root[1], found[0]


def _only(security: etree._Element, name: str, shown: str) -> etree._Element:
    found = security.findall(name)
    if len(found) != 1:
        raise InboundError("not_signed", f"The Security header has {len(found)} elements {shown}, expected one.")
    return found[0]


def _refuse_shared_ids(root: etree._Element) -> None:
    """An Id that stands twice could make the signature's element another one than that which is read."""
    seen: set[str] = set()
    if root.xpath(f"count(//@*[local-name() = 'Id']) > {_MOST_IDS}"):
        raise InboundError("soap_malformed", f"The envelope has more than {_MOST_IDS} attributes Id.")
    values = root.xpath("//@*[local-name() = 'Id']")
    for value in values if isinstance(values, list) else []:
        if str(value) in seen:
            raise _wrong(f"The Id {str(value)[:60]!r} stands twice")
        seen.add(str(value))


def _require_references(
    signature: etree._Element, wanted: Mapping[str, etree._Element], root: etree._Element
) -> list[str]:
    """The signature refers to the very Timestamp and Body that are read, and changes nothing but their writing; what it
    refers to, in its order."""
    for other in root.iter(f"{{{DS}}}Signature"):
        if other is not signature and next(other.iterancestors(f"{{{SOAP}}}Body"), None) is None:
            raise _wrong("A second signature stands outside the Body")
    references = signature.findall(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
    if len(references) > _MOST_REFERENCES:
        raise InboundError("soap_malformed", f"The signature has more than {_MOST_REFERENCES} references.")
    uris = [reference.get("URI", "") for reference in references]
    for shown, element in wanted.items():
        identifier = element.get(_ID)
        if not identifier or f"#{identifier}" not in uris:
            raise _wrong(f"The signature does not cover the envelope's {shown}")
    for reference in references:
        transforms = [each.get("Algorithm") for each in reference.iter(f"{{{DS}}}Transform")]
        if transforms != [_EXCLUSIVE]:
            raise _wrong("A signed element is transformed by more than exclusive C14N")
    return uris


def _token_certificates(
    security: etree._Element, signature: etree._Element
) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """The certificate that the signature names, and those that the header brings beside it."""
    reference = signature.find(f"{{{DS}}}KeyInfo/{{{WSSE}}}SecurityTokenReference/{{{WSSE}}}Reference")
    uri = "" if reference is None else reference.get("URI", "")
    signer, others = None, []
    for token in security.findall(f"{{{WSSE}}}BinarySecurityToken")[:MOST_EMBEDDED]:
        try:
            certificate = x509.load_der_x509_certificate(base64.b64decode(token.text or "", validate=False))
        except (ValueError, binascii.Error, x509.InvalidVersion):
            raise InboundError("no_certificate", "The BinarySecurityToken is no certificate.") from None
        if uri and uri == f"#{token.get(_ID)}":
            signer = certificate
        else:
            others.append(certificate)
    if signer is None:
        raise InboundError("no_certificate", "The signature's KeyInfo refers to no BinarySecurityToken of the header.")
    return signer, others


def _verified(
    root: etree._Element, certificate: x509.Certificate, at: datetime, rules: Rules
) -> list[tuple[bytes, etree._Element]]:
    """The octets that were signed and their XML, in the order of the signature's references."""
    expected = SignatureConfiguration(
        location=f"./{{{SOAP}}}Header/{{{WSSE}}}Security/",
        expect_references=False,
        signature_methods=rules.signature_methods,
        digest_algorithms=rules.digests,
        ignore_ambiguous_key_info=False,
        verification_time=at,
    )
    try:
        found = XMLVerifier().verify(root, x509_cert=certificate, id_attribute="Id", expect_config=expected)
    except _UNVERIFIABLE as error:
        raise InboundError(
            "wrong_signature", f"The envelope's signature is not right: {type(error).__name__} {str(error)[:200]}."
        ) from None
    results = found if isinstance(found, list) else [found]
    views = [(result.signed_data, result.signed_xml) for result in results if result.signed_xml is not None]
    if len(views) != len(results):
        raise _wrong("The signature covers something that is no element")
    return views


def _require_time(timestamp: etree._Element, at: datetime, rules: Rules) -> datetime:
    try:
        created = parse_instant(timestamp.findtext(f"{{{WSU}}}Created") or "")
        expires_text = timestamp.findtext(f"{{{WSU}}}Expires")
        expires = None if expires_text is None else parse_instant(expires_text)
    except InboundError as error:
        raise InboundError("timestamp", f"The Timestamp cannot be read: {error.message}") from None
    if not at - rules.oldest <= created <= at + rules.ahead or (expires is not None and expires < at):
        raise InboundError(
            "timestamp", f"The envelope was signed at {created.isoformat()} and is not taken at {at.isoformat()}."
        )
    return created.astimezone(UTC)


def _wrong(why: str) -> InboundError:
    return InboundError("wrapped_signature", f"{why}: what was signed is not what would be read.")
