"""What would cost a parser or a key too much is refused before it does: mail, CMS and envelopes of strangers."""

from __future__ import annotations

import re

import pytest
from asn1crypto import cms as asn1
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from central.market.channels import cms, smime, wss
from central.market.channels.modest import LARGEST_HEAD, LARGEST_PART_HEAD, head_of, require_modest
from central.market.contents import read_any
from central.market.errors import InboundError
from central.market.format_package import load_package
from central.market.mapping import read
from central.market.xml import XmlLimits, parse_untrusted

from .pki import AT, world
from .test_smime import sealed

HEAD = b"From: a@example.com\r\nSubject: 813 - x\r\nMessage-ID: <x@y>\r\n"
SMIME = b"Content-Type: application/pkcs7-mime"
MIXED = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (HEAD + SMIME + b";a=b" * 600 + b"\r\n\r\nxx", "a field of its head of more than 2000"),
        (HEAD + SMIME + b";\r\n a=b" * 400 + b"\r\n\r\nxx", "a field of its head of more than 2000"),
        (HEAD + SMIME + b";a=b" * 300_000 + b"\r\n\r\nxx", "a head of more than 65536"),
        (HEAD + b"X: y\r\n" * 300_000 + b"\r\nxx", "a head of more than 65536"),
        (HEAD + b"X: y\r\n" + b" z\r\n" * 300_000 + b"\r\nxx", "a head of more than 65536"),
        (MIXED + b"--b\r\n\r\n" * 300_000, "more than 200 lines"),
        ((MIXED + b"--b\r\n\r\n" * 300).replace(b"\r\n", b"\r"), "more than 200 lines"),
        ((MIXED + b"--b\r\n\r\n" * 300).replace(b"\r\n", b"\n"), "more than 200 lines"),
        (MIXED + b"--b\r\n" + b"X: y\r\n" * 2000 + b"\r\nxx\r\n--b--", "a head of more than 8192"),
        (MIXED + b"--b\r\n--b\r\n" + b"X: y\r\n" * 2000 + b"\r\nxx\r\n--b--", "a head of more than 8192"),
    ],
)
def test_immodest_mail_is_refused_before_it_is_parsed(octets: bytes, says: str) -> None:
    with pytest.raises(InboundError, match=says):
        smime.read_letter(octets)


@pytest.mark.parametrize(
    "part",
    [
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n",
        b"--b\r\nContent-type:\r\n MESSAGE/rfc822\r\n\r\n",
        b"--b\r\nContent-Type: multipart/digest; boundary=c\r\n\r\n--c\r\n\r\n",
    ],
)
def test_a_mail_that_came_back_is_put_aside(part: bytes) -> None:
    """Our own mail in it is not for us, and its head hides from whoever looks at heads."""
    hidden = SMIME + b";a=b" * 300_000 + b"\r\n\r\nxx\r\n--b--"
    letter = smime.read_letter(MIXED + b"--b\r\n\r\nsorry\r\n" + part + hidden)
    assert (letter.identity, letter.enveloped, letter.is_signed_only) == ("<x@y>", None, False)
    with pytest.raises(InboundError, match="holds another mail"):
        require_modest(MIXED + part + hidden)


def test_what_is_encrypted_is_looked_at_too() -> None:
    """Whoever has our certificate can encrypt for us."""
    for inner in (b"Content-Type: message/rfc822\r\n\r\n" + SMIME, SMIME + b";a=b" * 600 + b"\r\n\r\nxx"):
        mail = HEAD + smime._smime_part(cms.encrypt(inner, [world().ours.certificate]), "enveloped-data")
        with pytest.raises(InboundError, match=r"holds another mail|of more than 2000"):
            smime.open_letter(smime.read_letter(mail), [world().ours], world().operator, AT)


@given(st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b"--b", b"--", b"a: b", b" ", b"x" * 9000]), max_size=30))
def test_no_head_behind_a_boundary_is_overlooked(pieces: list[bytes]) -> None:
    """Held to a plain reading of the lines, as a parser of mail does."""
    octets = b"".join(pieces)
    lines = re.split(rb"\r\n|\r|\n", octets)
    longest, begins = 0, True
    for number in range(len(lines)):
        if begins or (lines[number - 1].startswith(b"--") and not lines[number - 1].rstrip().endswith(b"--")):
            rest = lines[number:]
            size = sum(len(each) for each in rest[: rest.index(b"") if b"" in rest else len(rest)])
            longest = max(longest, 0 if begins else size)
        begins = False
    if longest > LARGEST_PART_HEAD:
        with pytest.raises(InboundError):
            require_modest(octets)
    assert len(head_of(octets)) <= LARGEST_HEAD + 4


def test_a_mail_of_ours_is_modest() -> None:
    require_modest(sealed())


def test_a_key_is_not_asked_a_thousand_times() -> None:
    certificate = world().ours.certificate
    info = asn1.ContentInfo.load(cms.encrypt(b"content", [certificate]))
    right = info["content"]["recipient_infos"][0]
    wrong = right.copy()
    wrong.chosen["encrypted_key"] = b"\1" * 256
    asked = []

    class Counting:
        def decrypt(self, octets: bytes, _: object) -> bytes:
            asked.append(octets)
            raise ValueError

    for others, expected in ((0, 1), (5, 6), (1000, cms.MOST_TRIES)):
        info["content"]["recipient_infos"] = asn1.RecipientInfos([wrong] * others + [right])
        asked.clear()
        key: object = type("Key", (), {"certificate": certificate, "private": Counting(), "name": "ours"})
        with pytest.raises(InboundError):
            cms.decrypt(info.dump(force=True), [key])  # type: ignore[list-item] # stands for a key
        assert len(asked) == expected


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"<a>", b"<a " + b" ".join(b'a%d="x"' % number for number in range(201)) + b">", "more than 200 attributes"),
        (
            b"<a>",
            b"<a>" + b"".join(b'<b Id="%d"></b>' % number for number in range(200)),
            "more than 100 attributes Id",
        ),
    ],
)
def test_a_costly_envelope_is_refused(old: bytes, new: bytes, says: str) -> None:
    octets = wss.seal_envelope(b"<a>x</a>", world().theirs, AT)
    assert old in octets
    with pytest.raises(InboundError, match=says):
        wss.open_envelope(octets.replace(old, new), world().operator, AT)


def test_an_envelope_with_many_references_is_refused() -> None:
    octets = wss.seal_envelope(b"<a>x</a>", world().theirs, AT)
    found = re.search(rb"<ds:Reference .*?</ds:Reference>", octets, re.DOTALL)
    assert found is not None
    with pytest.raises(InboundError, match="more than 10 references"):
        wss.open_envelope(octets.replace(found[0], found[0] * 11), world().operator, AT)


def test_many_short_elements_are_a_large_message() -> None:
    with pytest.raises(InboundError, match="has 12 tags; at most 11"):
        parse_untrusted(b"<a>" + b"<b/>" * 10 + b"</a>", XmlLimits(tags=11))


@pytest.mark.parametrize(("depth", "code"), [(1, "not_signed"), (8, "not_signed")])
def test_what_is_encrypted_twice_is_not_opened_further(depth: int, code: str) -> None:
    certificate = world().ours.certificate
    octets = smime._smime_part(cms.sign(smime._part(b"<a/>", "text/xml", "a.xml"), world().theirs), "signed-data")
    for _ in range(depth + 1):
        octets = smime._smime_part(cms.encrypt(octets, [certificate]), "enveloped-data")
    with pytest.raises(InboundError) as error:
        smime.open_letter(smime.read_letter(HEAD + octets), [world().ours], world().operator, AT)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        (smime._smime_part(cms.sign(b"<a/>", world().theirs), "signed-data"), "no_xml"),
        (smime._part(b"PK\3\4" + b"\0" * 1000, "application/zip", "a.zip"), "no_xml"),
        (smime._part(b"<a/>", "text/html", "a.html"), "no_xml"),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n"
         b"--b\r\nContent-Type: text/xml\r\n\r\n<b/>\r\n--b--\r\n", "no_xml"),
    ],
)  # fmt: skip
def test_of_what_is_signed_only_one_part_of_xml_is_read(inner: bytes, code: str) -> None:
    """Nothing is unpacked, and no signature in a signature is looked into."""
    signed = smime._smime_part(cms.sign(inner, world().theirs), "signed-data")
    mail = HEAD + smime._smime_part(cms.encrypt(signed, [world().ours.certificate]), "enveloped-data")
    with pytest.raises(InboundError) as error:
        smime.open_letter(smime.read_letter(mail), [world().ours], world().operator, AT)
    assert error.value.code == code


@pytest.mark.parametrize("path", ["", "Opm"])
def test_a_message_with_a_thousand_attributes_is_not_read(path: str) -> None:
    package = load_package("sandbox-2026")
    content = (package.folder / str(package.message("111").sample)).read_bytes()
    root = parse_untrusted(content)
    element = root if not path else next(each for each in root if etree.QName(each).localname == path)
    for number in range(201):
        element.set(f"a{number}", "x")
    with pytest.raises(InboundError, match="has more than 200 attributes"):
        read_any(package, etree.tostring(root))


def test_of_many_unknown_elements_the_first_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    package = load_package("sandbox-2026")
    root = parse_untrusted((package.folder / str(package.message("111").sample)).read_bytes())
    for number in range(5000):
        etree.SubElement(root, "Other", {"number": str(number)})
    written: list[object] = []
    monkeypatch.setattr(read.etree, "tostring", lambda element, **_: written.append(element) or "<Other/>")
    _, unknown = read.read_fields(package, root, "CDSMASTERDATA")
    assert (len(written), len(unknown)) == (1, 1)
