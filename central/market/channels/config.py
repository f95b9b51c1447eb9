"""The settings of the channels, read whole: keys, certificates, and the channels that they open.

What is wrong is said by name when the file is read, before anything is sent.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509

from central.market.channels.addresses import read_mail, read_url
from central.market.channels.callback import CallbackSetting
from central.market.channels.certificates import Counterparty, Watched, oid_of, read_certificates
from central.market.channels.config_file import (
    AnyChannel,
    ChannelsFile,
    FolderSource,
    HttpSource,
    MailSource,
    PartySource,
    ServerSource,
    SoapSource,
    check,
    codes_of,
)
from central.market.channels.folder import FolderChannel
from central.market.channels.keys import OwnKey, load_key
from central.market.channels.mail import IMAP_PORTS, Mailbox, MailChannel, MailSetting
from central.market.channels.plain_http import HttpChannel, destination_of
from central.market.channels.port import Archive, Channel, Destination
from central.market.channels.revocation import RevocationList
from central.market.channels.soap import Service, SoapChannel, SoapSetting
from central.market.channels.wss import Rules
from central.platform.errors import BadInput
from central.platform.smtp import Server


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

    @property
    def participants(self) -> frozenset[str]:
        """Our own codes, if they are set."""
        return frozenset(self.source.participants)

    def codes_of(self) -> dict[str, list[str]]:
        """Message codes by channel."""
        return {channel.name: codes_of(channel) for channel in self.source.channels}

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
        source: AnyChannel,
        archive: Archive,
        now: Callable[[], datetime],
    ) -> Channel:
        if isinstance(source, HttpSource):
            where = replace(destination_of(source.url, self.source.sandbox_hosts), name=source.name)
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
            where = self._destination(source, first, read_url(first, {"http", "https"}).host)
            ca_file = None if source.ca_file is None else str(self.folder / source.ca_file)
            return SoapChannel(where, archive, now, SoapSetting(services, self.keys, party, ca_file, self.rules))
        where = self._destination(source, source.receiver, read_mail(source.receiver)[1])
        mailbox = None if source.imap is None else _mailbox(source.imap, self.folder)
        setting = MailSetting(
            _server(source.smtp, self.folder), mailbox, source.sender, source.receiver, self.keys, party
        )
        return MailChannel(where, archive, now, setting)

    def _destination(self, source: MailSource | SoapSource, address: str, host: str) -> Destination:
        return Destination(source.name, address, source.environment, host, self.source.sandbox_hosts)


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
    check(settings.source, folder)
    return settings


def _counterparty(source: PartySource, folder: Path) -> Counterparty:
    for attribute in (*source.subject, *source.issuer):
        oid_of(attribute)
    party = Counterparty(
        source.code,
        _certificates(source.anchors, folder),
        _certificates(source.intermediates, folder),
        source.subject,
        _certificates(source.encrypt_for, folder),
        frozenset(each.replace(":", "").lower() for each in source.refused),
        source.issuer,
        frozenset(int(each.replace(":", "") or "0", 16) for each in source.serials),
        [RevocationList(folder / name) for name in source.revocation_lists],
        frozenset(source.uses),
    )
    for each in party.lists:
        each.current()
    if party.names_nobody():
        raise BadInput(
            "nobody_named",
            f"The counterparty {source.code} trusts an authority and does not say which of its certificates are those "
            f"of {source.code}: name `subject` or `serials`, or put its own certificates into `anchors`.",
        )
    return party


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
    read_url(source.url, {"smtp", "smtp+starttls", "smtps"})
    plain = Server.of(source.url)
    if plain.security == "smtp" and source.user is not None and plain.host not in {"127.0.0.1", "::1", "localhost"}:
        raise BadInput("smtp_plain", f"{plain.host} would get its password unencrypted; use smtp+starttls:// instead.")
    ca_file = None if source.ca_file is None else str(folder / source.ca_file)
    password = _password(source, folder) if source.user is not None else None
    return Server(plain.host, plain.port, plain.security, source.user, password, ca_file)


def _mailbox(source: ServerSource, folder: Path) -> Mailbox:
    url = read_url(source.url, IMAP_PORTS)
    if source.user is None:
        raise BadInput("imap_url", f"The mailbox {source.url} needs a user; name it.")
    ca_file = None if source.ca_file is None else str(folder / source.ca_file)
    return Mailbox(
        url.host,
        url.port or IMAP_PORTS[url.scheme],
        url.scheme,
        source.user,
        _password(source, folder),
        source.folder,
        ca_file,
    )
