"""The settings' file of the channels (JSON, ROZVODNA_MARKET_CHANNELS_FILE): its form, and what in it must agree.

Paths are below the file's folder unless they are absolute. Secrets stand in files or variables that it names.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from central.market.channels.addresses import read_mail, read_url, require_sandbox
from central.market.channels.allowed import Environment
from central.market.channels.callback import SERVICES
from central.market.channels.keys import KeySource
from central.market.channels.plain_http import destination_of
from central.market.channels.soap import Service, check_services
from central.platform.errors import BadInput

REST: Final = "*"
"""The code that stands for all that no channel names."""
_WEB: Final = {"http": 80, "https": 443}
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class PartySource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A counterparty; files of certificates (PEM or DER, several in a PEM file). `serials` in hexadecimal;
    `revocation_lists`: files (CRL) that somebody keeps up to date."""

    code: str
    anchors: list[str] = []
    intermediates: list[str] = []
    subject: dict[str, str] = {}
    issuer: dict[str, str] = {}
    serials: list[Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f:]{1,80}$")]] = []
    encrypt_for: list[str] = []
    refused: list[str] = []
    revocation_lists: list[str] = []
    uses: list[str] = []


class ServerSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mail server: its URL without user and password."""

    url: str
    user: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    ca_file: str | None = None
    folder: str = "INBOX"


class MailSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="mail"):
    """Mail with S/MIME."""

    name: Name
    environment: Environment
    counterparty: str
    codes: list[str]
    smtp: ServerSource
    imap: ServerSource | None = None
    sender: str
    receiver: str


class ServiceSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A web service and the message codes that go to it."""

    name: str
    url: str
    action: str = ""
    codes: list[str]


class SoapSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="soap"):
    """Web services with WS-Security over mutual TLS."""

    name: Name
    environment: Environment
    counterparty: str
    services: list[ServiceSource]
    ca_file: str | None = None


class FolderSource(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="folder"
):
    """Exchange of files with another program."""

    name: Name
    environment: Environment
    counterparty: str
    codes: list[str]
    folder: str


class HttpSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="http"):
    """Plain HTTP to our own sandbox: `sandbox+http://...`."""

    name: Name
    codes: list[str]
    url: str


AnyChannel = MailSource | SoapSource | FolderSource | HttpSource


class CallbackSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The call-back service. Without `tls_key` the server is for a proxy on this machine that keeps mutual TLS."""

    channel: Name
    environment: Environment
    counterparty: str
    host: str = "127.0.0.1"
    port: int = 8443
    tls_key: str | None = None
    client_ca_file: str | None = None
    services: frozenset[str] = SERVICES


class ChannelsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file.

    `participants`: our own codes; what is received for another one is refused then.
    `sandbox_hosts`: hosts of the open network that are sandboxes. `warn_days`: so long before it runs out a certificate
    is warned of. `clock_skew_s` and `oldest_s` bound the Timestamp of what is called.
    """

    participants: list[str] = []
    keys: list[KeySource] = []
    counterparties: list[PartySource] = []
    channels: list[AnyChannel] = []
    callback: CallbackSource | None = None
    sandbox_hosts: list[str] = []
    warn_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30
    clock_skew_s: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 60
    oldest_s: Annotated[int, msgspec.Meta(ge=1, le=86400)] = 300


def check(source: ChannelsFile, folder: Path) -> None:
    """BadInput or OutboundError where parts of the file do not agree or an address is not what it should be."""
    _refuse_repeated("name of a channel", [channel.name for channel in source.channels])
    _refuse_repeated("message code", [code for channel in source.channels for code in codes_of(channel)])
    named = [each.counterparty for each in source.channels if not isinstance(each, HttpSource)]
    if source.callback is not None:
        named.append(source.callback.counterparty)
    described = {each.code for each in source.counterparties}
    for code in named:
        if code not in described:
            raise _bad(f"The counterparty {code!r} is named and not described.")
    for channel in source.channels:
        if isinstance(channel, SoapSource):
            if not channel.services:
                raise _bad(f"The channel {channel.name} has no services.")
            services = {each.name: Service(each.name, each.url, each.action) for each in channel.services}
            check_services(services, is_sandbox=channel.environment is Environment.SANDBOX)
    _refuse_wrong_ends(source)
    _refuse_shared_folders(source, folder)


def codes_of(channel: AnyChannel) -> list[str]:
    """The message codes that a channel carries."""
    if isinstance(channel, SoapSource):
        return [code for service in channel.services for code in service.codes]
    return channel.codes


def _refuse_repeated(what: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise _bad(f"The {what} {name!r} stands twice; it must belong to one channel.")
        seen.add(name)


def _refuse_wrong_ends(source: ChannelsFile) -> None:
    """A sandbox leads to what can be one, and what one channel calls production no other calls a sandbox."""
    known: dict[str, Environment] = {}
    for channel in source.channels:
        environment, ends = _ends(channel, source.sandbox_hosts)
        for end, host in ends:
            if environment is Environment.SANDBOX:
                require_sandbox(host, source.sandbox_hosts)
            if known.setdefault(end, environment) is not environment:
                raise _bad(f"{end} is production for one channel and a sandbox for another; it can be one only.")


def _ends(channel: AnyChannel, sandboxes: Sequence[str]) -> tuple[Environment, list[tuple[str, str]]]:
    """Whose world a channel leads to, and its ends with their hosts: domains of mail, host and port of services."""
    if isinstance(channel, MailSource):
        domain = read_mail(channel.receiver)[1]
        return channel.environment, [(f"mail for {domain}", domain)]
    if isinstance(channel, HttpSource):
        where = destination_of(channel.url, sandboxes)
        return where.environment, [_server(where.address)]
    if isinstance(channel, SoapSource):
        return channel.environment, [_server(service.url) for service in channel.services]
    return channel.environment, []


def _server(address: str) -> tuple[str, str]:
    url = read_url(address, _WEB)
    return f"{url.host}:{url.port or _WEB[url.scheme]}", url.host


def _refuse_shared_folders(source: ChannelsFile, folder: Path) -> None:
    """No folder of a channel lies in that of another: what one leaves the other would take."""
    known: dict[Path, str] = {}
    for channel in source.channels:
        if isinstance(channel, FolderSource):
            path = (folder / channel.folder).resolve()
            for other, name in known.items():
                if path.is_relative_to(other) or other.is_relative_to(path):
                    raise _bad(f"The folder {path} of {channel.name} and that of {name} ({other}) lie in one another.")
            known[path] = channel.name


def _bad(sentence: str) -> BadInput:
    return BadInput("market_channels_file", sentence)
