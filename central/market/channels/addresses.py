"""Addresses of channels, read strictly. Pure.

An address is compared with what must not be reached, and then used by other libraries: both must read the same host out
of it. So only forms with one reading are taken: no user before the host, no comment, no route, no escape, ASCII only.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from central.market.errors import OutboundError

OPERATOR_DOMAIN: Final = "ote-cr.cz"
RESERVED_DOMAINS: Final = frozenset(
    {"test", "example", "invalid", "localhost", "local", "internal", "example.com", "example.net", "example.org"}
)
"""Names that lead to nobody in the world (RFC 2606, 6761, 6762; `internal` by ICANN): they need not be declared."""

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z+]*)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[A-Za-z0-9._~!$&'()*+,;=:%/-]*)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:%/?-]*)?"
)
_ATOM: Final = r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]+"
_MAIL = re.compile(
    rf'(?:(?:"[^"\\<>@\x00-\x1f]*"|[^"\\<>@,;:()\[\]\x00-\x1f]*?) *<)?'
    rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@(?P<domain>[A-Za-z0-9.-]+)(?P<end>>)?"
)


@dataclass(frozen=True, slots=True)
class Url:
    """An address of a server, as it was written, and its parts."""

    text: str
    scheme: str
    host: str
    port: int | None


def read_host(text: str) -> str:
    """A host in the one way to write it: small letters, no dot at the end; OutboundError for what is none."""
    name = text.lower().removesuffix(".")
    try:
        return str(ip_address(name.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    last = name.rpartition(".")[2]
    # an address in numbers that only some libraries understand (127.1, 0x7f000001) is no name either
    if len(name) > 253 or not _NAME.fullmatch(name) or re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last):
        raise OutboundError("bad_address", f"{text[:200]!r} is no host: expected a name in ASCII or an IP address.")
    return name


def read_url(text: str, schemes: Collection[str]) -> Url:
    """scheme://host:port/path with nothing before the host; OutboundError."""
    found = _URL.fullmatch(text)
    port = None if found is None or found["port"] is None else int(found["port"])
    if found is None or found["scheme"] not in schemes or (port is not None and not 0 < port < 65536):
        wanted = " or ".join(f"{scheme}://" for scheme in sorted(schemes))
        raise OutboundError(
            "bad_address",
            f"The address {text[:200]!r} is not in the form {wanted}host:port/path, without user, # and other signs.",
        )
    return Url(text, found["scheme"], read_host(found["host"]), port)


def read_mail(text: str) -> tuple[str, str]:
    """The address (`local@domain`) and the domain of `local@domain` or `Name <local@domain>`; OutboundError."""
    found = _MAIL.fullmatch(text)
    if found is None or (found["end"] is not None) != ("<" in text) or found["domain"].startswith("."):
        raise OutboundError(
            "bad_address",
            f"The mail address {text[:200]!r} is not in the form local@domain or Name <local@domain>: one address, "
            f"without comments, routes and quotes.",
        )
    domain = read_host(found["domain"])
    if _address_of(domain) is not None:
        raise OutboundError("bad_address", f"The mail address {text[:200]!r} must have a name after its @.")
    return f"{found['local']}@{domain}", domain


def refuse_operator(host: str) -> None:
    """OutboundError if the host belongs to the market operator: it cannot be declared a sandbox of ours."""
    name = read_host(host)
    if _is_below(name, OPERATOR_DOMAIN):
        raise OutboundError(
            "operator_is_no_sandbox",
            f"The host {host!r} belongs to the market operator: it cannot be marked as a sandbox of ours.",
        )


def require_sandbox(host: str, declared: Collection[str] = ()) -> None:
    """OutboundError unless the host can be a sandbox of ours.

    That is this machine, the own network, a reserved name, or what is `declared`; never what is the operator's.
    """
    refuse_operator(host)
    name = read_host(host)
    address = _address_of(name)
    is_ours = (
        (address.is_private or address.is_loopback or address.is_link_local)
        if address is not None
        else "." not in name or any(_is_below(name, domain) for domain in RESERVED_DOMAINS)
    )
    if not is_ours and name not in {read_host(each) for each in declared}:
        raise OutboundError(
            "undeclared_sandbox",
            f"The host {host!r} is marked as a sandbox and lies in the open network: name it in `sandbox_hosts` of the "
            f"channels' settings if it is one.",
        )


def _address_of(name: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(name)
    except ValueError:
        return None
    # an IPv4 address in an IPv6 one counts as private by itself, wherever it leads
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _is_below(name: str, domain: str) -> bool:
    return name == domain or name.endswith("." + domain)
