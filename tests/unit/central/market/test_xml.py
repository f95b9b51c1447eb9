"""Bad XML is refused with a sentence before anything is done with it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from central.market.cdsdata import write_interval_data
from central.market.errors import InboundError
from central.market.format_package import load_package
from central.market.xml import XmlLimits, own_errors, parse_untrusted, schema_errors
from tests.unit.central.market.examples import message

BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<RESPONSE>&c;</RESPONSE>"""
EXTERNAL = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><RESPONSE>&x;</RESPONSE>"""
PARAMETER = b"""<!DOCTYPE r SYSTEM "http://127.0.0.1:9/evil.dtd"><RESPONSE/>"""


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (BOMB, "xml_dtd"),
        (EXTERNAL, "xml_dtd"),
        (PARAMETER, "xml_dtd"),
        (BOMB.decode().encode("utf-16"), "xml_malformed"),
        (BOMB.decode().encode("utf-16-le"), "xml_malformed"),
        (BOMB.decode().encode("utf-32-be"), "xml_malformed"),
        (b'<?xml version="1.0" encoding="UTF-7"?>+ADwhDOCTYPE', "xml_encoding"),
        (b"<?xml version='1.0' encoding='utf-16'?><RESPONSE/>", "xml_encoding"),
        (BOMB.decode().replace('version="1.0"', 'version="1.0" encoding="cp037"').encode("cp037"), "xml_malformed"),
        (b"<a>" * 20 + b"</a>" * 20, "xml_too_deep"),
        (b"<a>" * 5000 + b"</a>" * 5000, "xml_too_deep"),
        (b"<RESPONSE>" + b" " * 2000 + b"</RESPONSE>", "xml_too_large"),
        (b"<RESPONSE>&unknown;</RESPONSE>", "xml_malformed"),
        (b"<RESPONSE", "xml_malformed"),
        (b"<RESPONSE/><RESPONSE/>", "xml_malformed"),
        (b"<RESPONSE a='1' a='2'/>", "xml_malformed"),
        (b"\x00\x01\x02", "xml_malformed"),
        (b"", "xml_malformed"),
        (b"{}", "xml_malformed"),
    ],
)
def test_bad_xml_is_refused(content: bytes, code: str) -> None:
    limits = XmlLimits(size_bytes=100_000 if code != "xml_too_large" else 1000)
    with pytest.raises(InboundError) as refusal:
        parse_untrusted(content, limits)
    assert refusal.value.code == code
    assert refusal.value.message.startswith("The message")
    assert refusal.value.status == 422


def test_depth_is_counted_exactly() -> None:
    assert parse_untrusted(b"<a><a><a/></a></a>", XmlLimits(depth=3)).tag == "a"
    with pytest.raises(InboundError, match="deeper than 2 levels"):
        parse_untrusted(b"<a><a><a/></a></a>", XmlLimits(depth=2))


def test_comments_processing_instructions_and_a_byte_mark_do_no_harm() -> None:
    root = parse_untrusted(b"\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?><!-- hm --><?do it?><a><!-- hm -->x</a>")
    assert root.text == "x"
    assert len(root) == 0


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-2", "windows-1250"])
def test_czech_encodings_are_read(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><a>zpráva úspěšně přijata</a>'
    assert parse_untrusted(text.encode(encoding)).text == "zpráva úspěšně přijata"


PACKAGE = load_package("sandbox-2026")
OWN = write_interval_data(PACKAGE, message())
PIECES = (
    b"", b"<", b">", b"/>", b'"', b"'", b"&", b"&amp;", b"&#48;", b"&a;", b"\0", b"\xe1", b"\n", b"x", b"0", b"-", b".",
    b"1e5", b" ", b"000000", b' value="1"', b' period="1"', b' status="S"', b' status="ST"', b' a="1"', b"<!-- -->",
    b"<?a?>", b"<![CDATA[ ]]>", b"<![CDATA[x]]>", b"<Data/>", b'<Data period="1" value="1"/>', b"</Profile>",
    b"</Data>", b"<Profile>", b' xmlns="a"', b' xmlns:a="a"', b' a:value="1"', b"<Location/>", b"<Meter/>", b"Data",
    b"PT15M", b'<a xmlns=""/>', b' xsi:type="Whole" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
    b' xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
    b' xsi:schemaLocation="a b" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
)  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, len(OWN)), st.integers(0, 12), st.sampled_from(PIECES)), max_size=3))
@settings(max_examples=300)
def test_what_is_checked_while_it_is_read_is_checked_as_its_tree_is(
    changes: list[tuple[int, int, bytes]],
) -> None:
    content = OWN
    for at, length, piece in changes:
        content = content[:at] + piece + content[at + length :]
    schema = PACKAGE.schema("CDSDATA")
    try:
        expected = schema_errors(schema, etree.fromstring(content))
    except etree.XMLSyntaxError:
        with pytest.raises(etree.XMLSyntaxError):
            own_errors(schema, content)
    else:
        assert own_errors(schema, content) == expected
