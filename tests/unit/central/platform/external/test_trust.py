"""Which places outside are trusted."""

from pathlib import Path

import pytest

from central.platform.errors import BadInput
from central.platform.external.trust import Trust

TRUST = Trust.of(["WWW.Example.cz", "example.cz:8443"], [Path("/srv/outside")], plain_http=False)


@pytest.mark.parametrize(
    "address",
    [
        "https://www.example.cz/a?b=1",
        "https://www.example.cz:443/",
        "https://WWW.EXAMPLE.CZ./a",
        "https://example.cz:8443",
        "file:///srv/outside/tdd",
        "file:///srv/outside",
    ],
)
def test_trusted(address: str) -> None:
    TRUST.require(address)
    assert True


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("http://www.example.cz/", "untrusted_scheme"),
        ("ftp://www.example.cz/", "untrusted_scheme"),
        ("https://example.cz/", "untrusted_host"),
        ("https://www.example.cz:8443/", "untrusted_host"),
        ("https://www.example.cz.evil.cz/", "untrusted_host"),
        ("https://www.example.cz@evil.cz/", "address_with_password"),
        ("https://evil.cz#www.example.cz", "untrusted_host"),
        ("https://a:b@www.example.cz/", "address_with_password"),
        ("https://[::1", "address"),
        ("https://www.example.cz:99999/", "address"),
        ("https:///path", "address"),
        ("https://www.example.cz/a b", "address"),
        ("file:///srv/outside/../../etc", "untrusted_folder"),
        ("file:///srv/outside%2F..%2F..%2Fetc", "untrusted_folder"),
        ("file:///srv/outsider", "untrusted_folder"),
        ("file:///srv/outside/%00", "address"),
        ("file://host/srv/outside", "address"),
        ("file:", "address"),
        ("", "address"),
    ],
)
def test_not_trusted(address: str, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        TRUST.require(address)
    assert refused.value.code == code
