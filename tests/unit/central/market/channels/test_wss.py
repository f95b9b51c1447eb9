"""SOAP envelopes signed and opened, and every way to make us read what was not signed."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from central.market.channels import wss
from central.market.channels.allowed import Environment
from central.market.channels.callback import CallbackSetting, answer
from central.market.channels.certificates import Counterparty
from central.market.channels.port import Incoming, Verdict
from central.market.channels.receive import Taken
from central.market.errors import InboundError

from .pki import AT, OPERATOR, own, world

NAMESPACE = "http://www.ote-cr.cz/schema/response"
PAYLOAD = f"<n0:RESPONSE xmlns:n0='{NAMESPACE}' id='R-1'><n0:Reason>přijato</n0:Reason></n0:RESPONSE>".encode()
EVIL = f"<n0:RESPONSE xmlns:n0='{NAMESPACE}' id='EVIL'/>"
Change = Callable[[etree._Element], object]


def seal(payload: bytes = PAYLOAD, at: datetime = AT) -> bytes:
    return wss.seal_envelope(payload, world().theirs, at)


SEALED = seal()


def refusal(octets: bytes, at: datetime = AT, sender: Counterparty | None = None) -> str:
    with pytest.raises(InboundError) as error:
        wss.open_envelope(octets, sender or world().operator, at)
    return error.value.code


def changed(change: Change) -> bytes:
    root = etree.fromstring(SEALED)
    change(root)
    return etree.tostring(root)


def with_text(path: str, text: str) -> Change:
    return lambda root: setattr(find(root, path), "text", text)


def with_attribute(path: str, name: str, value: str) -> Change:
    return lambda root: find(root, path).set(name, value)


def find(root: etree._Element, path: str) -> etree._Element:
    names = {"s": wss.SOAP, "w": wss.WSSE, "u": wss.WSU, "d": wss.DS}
    (found,) = root.xpath(path, namespaces=names)
    assert isinstance(found, etree._Element)
    return found


def test_what_was_signed_is_what_is_read() -> None:
    found = wss.open_envelope(SEALED, world().operator, AT)
    root = etree.fromstring(found.payload)
    assert root.get("id") == "R-1"
    assert root[0].text == "přijato"
    assert found.signer == world().theirs.certificate
    assert found.created == AT
    assert wss.open_envelope(SEALED, world().operator, AT).identity == found.identity
    assert wss.open_envelope(seal(), world().operator, AT).identity != found.identity, "another envelope"


def test_prefixes_and_white_space_around_do_not_matter() -> None:
    rewritten = SEALED.replace(b"soapenv:", b"S:").replace(b"xmlns:soapenv=", b"xmlns:S=")
    assert refusal(rewritten) == "wrong_signature", "exclusive C14N keeps prefixes: a rewritten Body is another one"
    indented = SEALED.replace(b"</soapenv:Header>", b"\n  </soapenv:Header>\n  ")
    assert wss.open_envelope(indented, world().operator, AT).payload


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda root: find(root, "//*[@id]").set("id", "R-2"), "wrong_signature"),
        (lambda root: setattr(find(root, "//u:Created"), "text", "2026-04-01T06:00:01Z"), "wrong_signature"),
        (lambda root: root.remove(root[0]), "soap_malformed"),
        (lambda root: root.append(etree.fromstring(etree.tostring(root[1]))), "soap_malformed"),
        (lambda root: root[0].append(copy.deepcopy(root[0][0])), "not_signed"),
        (lambda root: root[0][0].append(copy.deepcopy(find(root, "//u:Timestamp"))), "not_signed"),
        (lambda root: root[0][0].append(copy.deepcopy(find(root, "//d:Signature"))), "not_signed"),
        (lambda root: root[0][0].remove(find(root, "//d:Signature")), "not_signed"),
        (lambda root: root[0][0].remove(find(root, "//u:Timestamp")), "not_signed"),
        (lambda root: root[0][0].remove(find(root, "//w:BinarySecurityToken")), "no_certificate"),
        (with_text("//w:BinarySecurityToken", "AAAA"), "no_certificate"),
        (with_text("//d:SignatureValue", base64.b64encode(b"x" * 256).decode()), "wrong_signature"),
        (with_text("//d:SignatureValue", "***"), "wrong_signature"),
        (with_attribute("//d:SignatureMethod", "Algorithm", f"{wss.DS}rsa-sha1"), "wrong_signature"),
        (with_attribute("//d:SignatureMethod", "Algorithm", f"{wss.DS}hmac-sha1"), "wrong_signature"),
        (with_attribute("(//d:DigestMethod)[1]", "Algorithm", f"{wss.DS}sha1"), "wrong_signature"),
        (with_attribute("(//d:Transform)[1]", "Algorithm", "http://www.w3.org/TR/xslt"), "wrapped_signature"),
        (with_attribute("(//d:Reference)[2]", "URI", ""), "wrapped_signature"),
        (with_attribute("(//d:Reference)[2]", "URI", "http://evil.example/x"), "wrapped_signature"),
        (lambda root: root[1].append(etree.fromstring(EVIL)), "wrong_signature"),
    ],
)
def test_changed_envelopes_are_refused(change: Change, code: str) -> None:
    assert refusal(changed(change)) == code


def wrap_in_header(root: etree._Element) -> None:
    """The signed Body goes into a header element, another Body with another Id takes its place."""
    body = root[1]
    keeper = etree.SubElement(root[0], "Keeper")
    keeper.append(body)
    forged = etree.SubElement(root, f"{{{wss.SOAP}}}Body", {f"{{{wss.WSU}}}Id": "forged"})
    forged.append(etree.fromstring(EVIL))


def wrap_with_the_same_id(root: etree._Element) -> None:
    """As above, the new Body with the Id of the old one."""
    wrap_in_header(root)
    root[1].set(f"{{{wss.WSU}}}Id", str(find(root, "//Keeper/s:Body").get(f"{{{wss.WSU}}}Id")))


def wrap_without_an_id(root: etree._Element) -> None:
    """As above, the new Body without any Id."""
    wrap_in_header(root)
    del root[1].attrib[f"{{{wss.WSU}}}Id"]


def wrap_in_the_body(root: etree._Element) -> None:
    """The signed Body lies within the new Body."""
    body = root[1]
    root.remove(body)
    forged = etree.SubElement(root, f"{{{wss.SOAP}}}Body", {f"{{{wss.WSU}}}Id": "forged"})
    forged.append(etree.fromstring(EVIL))
    forged.append(body)


def wrap_by_another_id_attribute(root: etree._Element) -> None:
    """An attribute Id of no namespace with the value of the Body's."""
    keeper = etree.SubElement(root[0], "Keeper")
    keeper.set("Id", str(root[1].get(f"{{{wss.WSU}}}Id")))


def hide_in_a_signature_object(root: etree._Element) -> None:
    """The signed Body in an Object of the signature."""
    body = root[1]
    signature = find(root, "//d:Signature")
    etree.SubElement(signature, f"{{{wss.DS}}}Object").append(body)
    forged = etree.SubElement(root, f"{{{wss.SOAP}}}Body", {f"{{{wss.WSU}}}Id": "forged"})
    forged.append(etree.fromstring(EVIL))


def move_timestamp(root: etree._Element) -> None:
    """The signed Timestamp of an old envelope goes aside, a fresh one takes its place."""
    old = find(root, "//u:Timestamp")
    etree.SubElement(root[0], "Keeper").append(old)
    fresh = etree.SubElement(find(root, "//w:Security"), f"{{{wss.WSU}}}Timestamp", {f"{{{wss.WSU}}}Id": "fresh"})
    etree.SubElement(fresh, f"{{{wss.WSU}}}Created").text = "2026-04-01T06:00:00Z"


@pytest.mark.parametrize(
    "wrap",
    [
        wrap_in_header,
        wrap_with_the_same_id,
        wrap_without_an_id,
        wrap_in_the_body,
        wrap_by_another_id_attribute,
        hide_in_a_signature_object,
        move_timestamp,
    ],
)
def test_wrapping_attacks_are_refused(wrap: Change) -> None:
    octets = changed(wrap)
    assert refusal(octets) in {"wrapped_signature", "not_signed", "soap_malformed"}


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (b"<soapenv:Envelope", b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><soapenv:Envelope", "xml_dtd"),
        (
            b"<soapenv:Envelope",
            b"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]><soapenv:Envelope",
            "xml_dtd",
        ),
        (b"<soapenv:Header>", b"<soapenv:Header>" + b"<a>" * 40 + b"</a>" * 40, "xml_too_deep"),
        (b"<soapenv:Envelope", b"<soapenv:Envelope>", "xml_malformed"),
    ],
)
def test_entities_and_depth_are_refused_before_anything_is_read(before: bytes, after: bytes, code: str) -> None:
    assert refusal(SEALED.replace(before, after, 1)) == code


def test_the_size_is_limited() -> None:
    assert refusal(SEALED + b" " * 30_000_001) == "xml_too_large"


@pytest.mark.parametrize(
    ("age", "is_taken"),
    [(-120, False), (-60, True), (0, True), (290, True), (301, False), (86_400, False)],
)
def test_the_window_of_the_timestamp(age: int, is_taken: bool) -> None:
    at = AT + timedelta(seconds=age)
    if is_taken:
        assert wss.open_envelope(SEALED, world().operator, at).created == AT
    else:
        assert refusal(SEALED, at) == "timestamp"


def test_signers_that_are_refused() -> None:
    stranger = own("theirs-strange", world().stranger)
    assert refusal(wss.seal_envelope(PAYLOAD, stranger, AT)) == "untrusted_certificate"
    assert refusal(wss.seal_envelope(PAYLOAD, world().ours, AT)) == "unexpected_sender"
    old = world().ours_old
    assert refusal(wss.seal_envelope(PAYLOAD, old, AT), sender=world().us) in {
        "wrong_signature",
        "certificate_not_valid",
    }
    forger = replace(world().ours, certificate=world().theirs.certificate)
    assert refusal(wss.seal_envelope(PAYLOAD, forger, AT)) == "wrong_signature"
    assert refusal(SEALED, sender=Counterparty(OPERATOR)) == "no_anchor"


def test_the_header_may_bring_the_authority_in_between() -> None:
    bare = replace(world().operator, intermediates=())
    assert refusal(SEALED, sender=bare) == "untrusted_certificate"

    def bring(root: etree._Element) -> None:
        token = etree.SubElement(root[0][0], f"{{{wss.WSSE}}}BinarySecurityToken")
        token.text = base64.b64encode(world().between.certificate.public_bytes(Encoding.DER)).decode()

    assert wss.open_envelope(changed(bring), bare, AT).signer == world().theirs.certificate


def test_faults_are_written_and_read() -> None:
    octets = wss.fault_envelope(wss.Fault("Client", "Špatná\x00 zpráva <a>"))
    assert wss.read_fault(octets) == wss.Fault("Client", "Špatná  zpráva <a>")
    assert wss.Fault("Client", "").is_final and not wss.Fault("Server", "").is_final
    assert wss.read_fault(SEALED) is None
    assert wss.read_fault(b"no xml") is None


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_whatever_is_changed_the_payload_is_the_signed_one_or_refused(data: st.DataObject) -> None:
    octets = bytearray(SEALED)
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = wss.open_envelope(bytes(octets), world().operator, AT)
    except InboundError:
        return
    assert found.payload == wss.open_envelope(SEALED, world().operator, AT).payload


def test_a_refusal_is_told_signed_or_if_there_is_no_key_unsigned() -> None:
    incoming = Incoming("soap", Environment.SANDBOX, "i", "?", b"x", "", refusal=("timestamp", "It is old."))
    taken = Taken(Verdict.REFUSED, 1, "timestamp: It is old.")
    for keys in ([world().ours], [world().ours_old], []):
        setting = CallbackSetting("soap", Environment.SANDBOX, keys, world().operator)
        octets, status = answer(incoming, taken, setting, AT)
        fault = wss.read_fault(octets)
        assert fault is not None and (status, fault.code, fault.text) == (500, "Server", "timestamp: It is old.")
        if keys == [world().ours]:
            assert wss.fault_of(wss.open_envelope(octets, world().us, AT).payload) == fault
        else:
            assert refusal(octets) != ""
