"""Every trick by which the address of production could pass as a sandbox's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.market.channels.addresses import read_host, read_mail, read_url, require_sandbox
from central.market.channels.allowed import Environment
from central.market.channels.config import read_settings
from central.market.channels.mail import MailChannel
from central.market.channels.plain_http import HttpChannel
from central.market.channels.port import Destination
from central.market.channels.soap import Service, SoapChannel
from central.market.errors import OutboundError
from central.market.testing import AT, FakeArchive
from central.platform.errors import BadInput, DomainError

from . import test_config
from .test_odd_mail import SETTING as MAIL
from .test_odd_mail import WHERE

SCHEMES = ("http", "https")


def refusal_of_url(url: str) -> str:
    with pytest.raises(OutboundError) as error:
        require_sandbox(read_url(url, SCHEMES).host, ["sand.lds.cz"])
    return error.value.code


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://ote-cr.cz/", "operator_is_no_sandbox"),
        ("https://www.ote-cr.cz/", "operator_is_no_sandbox"),
        ("https://PORTAL.Sand.OTE-CR.CZ:8443/x", "operator_is_no_sandbox"),
        ("https://ote-cr.cz./", "operator_is_no_sandbox"),
        ("https://ote-cr.cz../", "bad_address"),
        ("https://127.0.0.1@ote-cr.cz/", "bad_address"),
        ("https://ote-cr.cz@127.0.0.1/", "bad_address"),
        ("https://user:word@sand.lds.cz/", "bad_address"),
        ("https://127.0.0.1\\@ote-cr.cz/", "bad_address"),
        ("https://127.0.0.1#@ote-cr.cz/", "bad_address"),
        ("https://127.0.0.1/@ote-cr.cz", "bad_address"),
        ("https://ote%2dcr.cz/", "bad_address"),
        ("https://ote-cr%2ecz/", "bad_address"),
        ("https://ote\u2010cr.cz/", "bad_address"),
        ("https://\uff4f\uff54\uff45-cr.cz/", "bad_address"),
        ("https://ote-cr\u3002cz/", "bad_address"),
        ("https://ote-cr.cz\t/", "bad_address"),
        (" https://127.0.0.1/", "bad_address"),
        ("https://127.0.0.1/\r\nHost: ote-cr.cz", "bad_address"),
        ("https:ote-cr.cz", "bad_address"),
        ("https:///ote-cr.cz", "bad_address"),
        ("//ote-cr.cz/", "bad_address"),
        ("ftp://127.0.0.1/", "bad_address"),
        ("https://127.0.0.1:0/", "bad_address"),
        ("https://127.0.0.1:65536/", "bad_address"),
        ("https://127.0.0.1:80:443/", "bad_address"),
        ("https://[::1/", "bad_address"),
        ("https://1534563843/", "bad_address"),
        ("https://0x5b77f103/", "bad_address"),
        ("https://91.119.1/", "bad_address"),
        ("https://091.119.001.003/", "bad_address"),
        ("https://91.119.1.3/", "undeclared_sandbox"),
        ("https://[::ffff:91.119.1.3]/", "undeclared_sandbox"),
        ("https://[::ffff:5b77:103]/", "undeclared_sandbox"),
        ("https://[2a00::1]/", "undeclared_sandbox"),
        ("https://xn--te-cr-0ta.cz/", "undeclared_sandbox"),
        ("https://ote-cr.cz.evil.cz/", "undeclared_sandbox"),
        ("https://other.sand.lds.cz/", "undeclared_sandbox"),
        ("https://notexample.com/", "undeclared_sandbox"),
    ],
)
def test_urls_that_are_no_sandbox(url: str, code: str) -> None:
    assert refusal_of_url(url) == code


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8099/messages",
        "http://localhost./",
        "https://[::1]:8443/",
        "https://[::ffff:10.0.0.1]/",
        "http://ote_sandbox:8099/messages?a=1",
        "https://10.1.2.3/",
        "https://sand.example.com/x",
        "https://SAND.lds.cz:8443/x",
        "https://training.internal/",
    ],
)
def test_urls_that_may_be_a_sandbox(url: str) -> None:
    require_sandbox(read_url(url, SCHEMES).host, ["Sand.LDS.cz."])


def test_the_operator_cannot_be_declared() -> None:
    with pytest.raises(OutboundError, match="belongs to the market operator"):
        require_sandbox("www.ote-cr.cz", ["www.ote-cr.cz"])


@given(st.text(st.characters(max_codepoint=0x3100), max_size=12), st.text("ote-cr.z@:/?#%\\127", max_size=12))
def test_whoever_opens_a_url_finds_the_host_that_was_judged(before: str, after: str) -> None:
    for text in (f"https://{before}{after}", f"https://{after}{before}/", f"https://127.0.0.1{after}{before}"):
        try:
            url = read_url(text, SCHEMES)
        except OutboundError:
            continue
        assert read_host(httpx.URL(text).host) == url.host


@pytest.mark.parametrize(
    ("mail", "code"),
    [
        ("cds@ote-cr.cz", "operator_is_no_sandbox"),
        ("CDS@OTE-CR.CZ", "operator_is_no_sandbox"),
        ("cds@ote-cr.cz.", "operator_is_no_sandbox"),
        ("Training <cds@mail.ote-cr.cz>", "operator_is_no_sandbox"),
        ('"o@example.com" <cds@ote-cr.cz>', "bad_address"),
        ('"x"@ote-cr.cz', "bad_address"),
        ('"x"@ote-cr.cz (comment)', "bad_address"),
        ("cds@ote-cr.cz (o@example.com)", "bad_address"),
        ("cds@(o@example.com)ote-cr.cz", "bad_address"),
        ("cds@ote-cr.cz, o@example.com", "bad_address"),
        ("<cds@ote-cr.cz> o@example.com", "bad_address"),
        ("cds@ote-cr.cz o@example.com", "bad_address"),
        ("<@example.com:cds@ote-cr.cz>", "bad_address"),
        ("cds%ote-cr.cz@example.com", "bad_address"),
        ("ote-cr.cz!cds@example.com", "bad_address"),
        ("cds@ote-cr.cz@example.com", "bad_address"),
        ("Group: cds@ote-cr.cz;", "bad_address"),
        ("cds@[91.119.1.3]", "bad_address"),
        ("cds@91.119.1.3", "bad_address"),
        ("cds@\uff4fte-cr.cz", "bad_address"),
        ("cds@ote-cr.cz>", "bad_address"),
        ("<cds@ote-cr.cz", "bad_address"),
        ("o@example.com\r\nBcc: cds@ote-cr.cz", "bad_address"),
        ("x\r\nBcc: y <o@example.com>", "bad_address"),
        ("the address that OTE gave you", "bad_address"),
        ("@example.com", "bad_address"),
        ("o@.example.com", "bad_address"),
        ("", "bad_address"),
        ("o@ote-cr.cz.lds.cz", "undeclared_sandbox"),
    ],
)
def test_mail_addresses_that_are_no_sandbox(mail: str, code: str) -> None:
    with pytest.raises(OutboundError) as error:
        require_sandbox(read_mail(mail)[1])
    assert error.value.code == code
    with pytest.raises(OutboundError):
        MailChannel(WHERE, FakeArchive(), lambda: AT, replace(MAIL, receiver=mail))


@pytest.mark.parametrize(
    ("mail", "address"),
    [
        ("o@example.com", "o@example.com"),
        ("a.b+c@Example.COM", "a.b+c@example.com"),
        ("<o@localhost>", "o@localhost"),
        ("LDS Sever, a.s. <o@example.com>", None),
        ('"LDS Sever, a.s." <o@example.com>', "o@example.com"),
        ("Česká LDS <o@example.com>", "o@example.com"),
    ],
)
def test_mail_addresses_with_one_reading(mail: str, address: str | None) -> None:
    if address is None:
        with pytest.raises(OutboundError):
            read_mail(mail)
    else:
        assert read_mail(mail)[0] == address


def test_an_adapter_judges_the_host_that_it_uses() -> None:
    """Not only the one that its destination names."""
    where = Destination("x", "https://www.ote-cr.cz/x", Environment.SANDBOX, "127.0.0.1")
    with pytest.raises(OutboundError, match="belongs to the market operator"):
        HttpChannel(where, FakeArchive(), lambda: AT)
    services = {"121": Service("A", "https://127.0.0.1/"), "122": Service("B", "https://www.ote-cr.cz/")}
    setting: Any = type("Setting", (), {"services": services})
    with pytest.raises(OutboundError, match="belongs to the market operator"):
        SoapChannel(where, FakeArchive(), lambda: AT, setting)
    with pytest.raises(OutboundError, match="belongs to the market operator"):
        relay = replace(MAIL, smtp=replace(MAIL.smtp, host="smtp.ote-cr.cz"))
        MailChannel(WHERE, FakeArchive(), lambda: AT, relay)


@pytest.mark.parametrize(
    ("apply", "says"),
    [
        (test_config.change("channels.0.receiver", "cds@ote-cr.cz (o@example.com)"), "is not in the form local@"),
        (test_config.change("channels.0.receiver", "o@lds.cz"), "name it in `sandbox_hosts`"),
        (test_config.change("channels.0.smtp", {"url": "smtps://127.0.0.1@ote-cr.cz"}), "is not in the form"),
        (test_config.change("channels.1.services.0.url", "https://sand.example.com@ote-cr.cz/"), "is not in the form"),
        (test_config.change("channels.3.url", "sandbox+https://www.lds.cz/"), "name it in `sandbox_hosts`"),
    ],
)
def test_the_settings_file_is_refused(tmp_path: Path, apply: Any, says: str) -> None:
    data = test_config.usual(tmp_path)
    apply(data)
    with pytest.raises(DomainError, match=says):
        test_config.read(tmp_path, data).open_channels(FakeArchive(), lambda: AT)


def test_one_end_is_not_production_and_sandbox(tmp_path: Path) -> None:
    data = test_config.usual(tmp_path)
    data["sandbox_hosts"] = ["cds.lds.cz"]
    service = {"name": "CDSService", "url": "https://cds.lds.cz:443/a", "codes": ["122"]}
    data["channels"].append({**data["channels"][1], "name": "real", "environment": "production", "services": [service]})
    test_config.read(tmp_path, data)
    data["channels"][3]["url"] = "sandbox+https://CDS.lds.cz/b"
    with pytest.raises(BadInput, match=r"cds\.lds\.cz:443 is production for one channel and a sandbox for another"):
        test_config.read(tmp_path, data)


@pytest.mark.parametrize("folder", ["x", "x/", "./x/out", "y/../x", "link", "."])
def test_a_folder_belongs_to_one_channel(tmp_path: Path, folder: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "x")
    data = test_config.usual(tmp_path)
    other = {**data["channels"][2], "name": "real", "environment": "production", "codes": ["GP7"], "folder": folder}
    data["channels"].append(other)
    (tmp_path / "channels.json").write_text(json.dumps(data))
    with pytest.raises(BadInput, match="lie in one another"):
        read_settings(tmp_path / "channels.json")
