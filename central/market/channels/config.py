"""The settings' file of the channels (JSON, ROZVODNA_MARKET_CHANNELS_FILE): keys, counterparties, channels, call-back.

Paths are below the file's folder unless they are absolute. Secrets stand in files or variables that it names. What is
wrong is said by name when the file is read, before anything is sent.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from cryptography import x509

from central.market.channels.allowed import Environment
from central.market.channels.callback import SERVICES, CallbackSetting
from central.market.channels.certificates import Counterparty, Watched, oid_of, read_certificates
from central.market.channels.folder import FolderChannel
from central.market.channels.keys import KeySource, OwnKey, load_key
from central.market.channels.mail import IMAP_PORTS, Mailbox, MailChannel, MailSetting
from central.market.channels.plain_http import HttpChannel, destination_of
from central.market.channels.port import Archive, Channel, Destination
from central.market.channels.soap import Service, SoapChannel, SoapSetting, check_services
from central.market.channels.wss import Rules
from central.platform.errors import BadInput
from central.platform.smtp import Server

REST: Final = "*"
"""The code that stands for all that no channel names."""
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class PartySource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A counterparty; files of certificates (PEM or DER, several in a PEM file)."""

    code: str
    anchors: list[str] = []
    intermediates: list[str] = []
    subject: dict[str, str] = {}
    encrypt_for: list[str] = []
    refused: list[str] = []


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
    """The whole file. `warn_days`: so long before it runs out a certificate is warned of; `clock_skew_s` and
    `oldest_s` bound the Timestamp of what is called."""

    keys: list[KeySource] = []
    counterparties: list[PartySource] = []
    channels: list[MailSource | SoapSource | FolderSource | HttpSource] = []
    callback: CallbackSource | None = None
    warn_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30
    clock_skew_s: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 60
    oldest_s: Annotated[int, msgspec.Meta(ge=1, le=86400)] = 300


@dataclass(frozen=True)
class ChannelSettings:
    """The file with its keys and certificates read."""

    folder: Path
    source: ChannelsFile
    keys: Sequence[OwnKey] = field(repr=False)
    counterparties: Mapping[str, Counterparty] = field(repr=False)

    def watched(self) -> list[Watched]:
        """Every certificate that may run out under us."""
        ours = [Watched("ours", key.name, tuple(key.roles), key.certificate) for key in self.keys]
        theirs: list[Watched] = []
        for party in self.counterparties.values():
            for role, certificates in (
                ("anchor", party.anchors),
                ("intermediate", party.intermediates),
                ("encrypt", party.encrypt_for),
            ):
                theirs += [Watched(party.code, party.code, (role,), certificate) for certificate in certificates]
        return ours + theirs

    @property
    def rules(self) -> Rules:
        """What is asked of Timestamps."""
        source = self.source
        return Rules(oldest=timedelta(seconds=source.oldest_s), ahead=timedelta(seconds=source.clock_skew_s))

    def codes_of(self) -> dict[str, list[str]]:
        """Message codes by channel."""
        found: dict[str, list[str]] = {}
        for channel in self.source.channels:
            services = channel.services if isinstance(channel, SoapSource) else ()
            codes = [code for service in services for code in service.codes]
            found[channel.name] = codes if isinstance(channel, SoapSource) else list(channel.codes)
        return found

    def open_channels(self, archive: Archive, now: Callable[[], datetime]) -> dict[str, Channel]:
        """Every channel by its name; to be closed by the caller."""
        return {source.name: self._open(source, archive, now) for source in self.source.channels}

    def callback(self) -> CallbackSetting:
        """What the call-back service needs; BadInput where none is set."""
        source = self.source.callback
        if source is None:
            raise BadInput("no_callback", "The settings of the market's channels have no `callback`; add one.")
        return CallbackSetting(
            source.channel,
            source.environment,
            self.keys,
            self.counterparties[source.counterparty],
            self.rules,
            source.services,
        )

    def _open(
        self,
        source: MailSource | SoapSource | FolderSource | HttpSource,
        archive: Archive,
        now: Callable[[], datetime],
    ) -> Channel:
        if isinstance(source, HttpSource):
            found = destination_of(source.url)
            where = Destination(source.name, found.address, found.environment, found.host)
            return HttpChannel(where, archive, now)
        party = self.counterparties[source.counterparty]
        if isinstance(source, FolderSource):
            path = self.folder / source.folder
            return FolderChannel(
                Destination(source.name, str(path), source.environment), archive, now, path, party.code
            )
        if isinstance(source, SoapSource):
            services = {
                code: Service(service.name, service.url, service.action)
                for service in source.services
                for code in service.codes
            }
            first = source.services[0].url
            where = Destination(source.name, first, source.environment, urlsplit(first).hostname or "")
            ca_file = None if source.ca_file is None else str(self.folder / source.ca_file)
            return SoapChannel(where, archive, now, SoapSetting(services, self.keys, party, ca_file, self.rules))
        domain = source.receiver.rpartition("@")[2].rstrip("> ")
        where = Destination(source.name, source.receiver, source.environment, domain)
        mailbox = None if source.imap is None else _mailbox(source.imap, self.folder)
        setting = MailSetting(
            _server(source.smtp, self.folder), mailbox, source.sender, source.receiver, self.keys, party
        )
        return MailChannel(where, archive, now, setting)


def read_settings(path: Path) -> ChannelSettings:
    """The file with all that it names; BadInput in one sentence."""
    try:
        source = msgspec.json.decode(path.read_bytes(), type=ChannelsFile)
    except OSError as error:
        raise BadInput("market_channels_file", f"The file {path} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise BadInput("market_channels_file", f"The file {path} is not in the expected form: {error}.") from None
    folder = path.parent
    keys = [load_key(each, folder) for each in source.keys]
    parties = {each.code: _counterparty(each, folder) for each in source.counterparties}
    settings = ChannelSettings(folder, source, keys, parties)
    _check(settings)
    return settings


def _check(settings: ChannelSettings) -> None:
    source = settings.source
    _refuse_repeated("name of a channel", [channel.name for channel in source.channels])
    _refuse_repeated("message code", [code for codes in settings.codes_of().values() for code in codes])
    named = [each.counterparty for each in source.channels if not isinstance(each, HttpSource)]
    if source.callback is not None:
        named.append(source.callback.counterparty)
    for code in named:
        if code not in settings.counterparties:
            raise BadInput("market_channels_file", f"The counterparty {code!r} is named and not described.")
    for channel in source.channels:
        if isinstance(channel, SoapSource):
            if not channel.services:
                raise BadInput("market_channels_file", f"The channel {channel.name} has no services.")
            services = {each.name: Service(each.name, each.url, each.action) for each in channel.services}
            check_services(services, is_sandbox=channel.environment is Environment.SANDBOX)
            for service in channel.services:
                Destination(channel.name, service.url, channel.environment, urlsplit(service.url).hostname or "")


def _refuse_repeated(what: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadInput("market_channels_file", f"The {what} {name!r} stands twice; it must belong to one channel.")
        seen.add(name)


def _counterparty(source: PartySource, folder: Path) -> Counterparty:
    for attribute in source.subject:
        oid_of(attribute)
    return Counterparty(
        source.code,
        _certificates(source.anchors, folder),
        _certificates(source.intermediates, folder),
        source.subject,
        _certificates(source.encrypt_for, folder),
        frozenset(each.replace(":", "").lower() for each in source.refused),
    )


def _certificates(files: Sequence[str], folder: Path) -> tuple[x509.Certificate, ...]:
    found: list[x509.Certificate] = []
    for name in files:
        try:
            octets = (folder / name).read_bytes()
        except OSError as error:
            raise BadInput("certificate_file", f"The file {folder / name} cannot be read: {error.strerror}.") from None
        found += read_certificates(octets, name)
    return tuple(found)


def _password(source: ServerSource, folder: Path) -> str:
    if source.password_file is not None:
        try:
            return (folder / source.password_file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise BadInput(
                "market_password", f"The password's file {folder / source.password_file} cannot be read."
            ) from None
    if source.password_env is not None:
        if source.password_env not in os.environ:
            raise BadInput("market_password", f"The variable {source.password_env} with a password is not set.")
        return os.environ[source.password_env]
    return ""


def _server(source: ServerSource, folder: Path) -> Server:
    plain = Server.of(source.url)
    if plain.security == "smtp" and source.user is not None and plain.host not in {"127.0.0.1", "::1", "localhost"}:
        raise BadInput("smtp_plain", f"{plain.host} would get its password unencrypted; use smtp+starttls:// instead.")
    ca_file = None if source.ca_file is None else str(folder / source.ca_file)
    password = _password(source, folder) if source.user is not None else None
    return Server(plain.host, plain.port, plain.security, source.user, password, ca_file)


def _mailbox(source: ServerSource, folder: Path) -> Mailbox:
    parts = urlsplit(source.url)
    if parts.scheme not in IMAP_PORTS or not parts.hostname or source.user is None:
        raise BadInput(
            "imap_url",
            f"The mailbox {parts.scheme}://{parts.hostname} must be imaps:// or imap+starttls://, with a user.",
        )
    ca_file = None if source.ca_file is None else str(folder / source.ca_file)
    return Mailbox(
        parts.hostname,
        parts.port or IMAP_PORTS[parts.scheme],
        parts.scheme,
        source.user,
        _password(source, folder),
        source.folder,
        ca_file,
    )
