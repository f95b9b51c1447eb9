"""The sandbox with the operator's doors as they are: SOAP with mutual TLS and mail with S/MIME.

Certificates, passwords and a settings' file for the participant's channels are made in the sandbox's folder.
"""

import json
import secrets
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from central.market.channels.certificates import Counterparty
from central.market.channels.mail import Mailbox
from central.market.sandbox.authority import OPERATOR_NAME, PARTICIPANT_NAME, Authority, make_authority
from central.market.sandbox.server import SOAP_PATH
from central.market.sandbox.ways import MailWay, SoapWay
from central.platform.smtp import Server

SETTINGS_NAME: Final = "channels.json"
FOLDER: Final = "participant"
OURS: Final = "participant@sandbox.test"
THEIRS: Final = "ote@sandbox.test"
USER: Final = "participant"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the sandbox listens, and where the participant's call-back service is to."""

    soap: int
    smtp: int
    imap: int
    callback: int


@dataclass(frozen=True, slots=True)
class Doors:
    """Everything that SOAP and mail of a sandbox need."""

    authority: Authority
    host: str
    ports: Ports
    participant: str
    operator: str
    password: str
    mail_server: str | None = None
    """Answers go to this SMTP server instead of the sandbox's own mailbox."""

    def soap_way(self, now: Callable[[], datetime]) -> SoapWay:
        """To the participant's call-back service."""
        context = ssl.create_default_context(cafile=str(self.authority.ca_file))
        context.load_cert_chain(self.authority.folder / "operator-tls.pem", self.authority.folder / "operator-tls.key")
        url = f"https://{self.host}:{self.ports.callback}{SOAP_PATH}"
        return SoapWay(url, self.authority.key("operator", "sign"), context, self.them(), now)

    def mail_way(self, now: Callable[[], datetime]) -> MailWay:
        """To the participant's mailbox."""
        target: Mailbox | Server
        if self.mail_server is not None:
            target = Server.of(self.mail_server)
        else:
            ca_file = str(self.authority.ca_file)
            target = Mailbox(self.host, self.ports.imap, "imap+starttls", USER, self.password, ca_file=ca_file)
        return MailWay(target, (THEIRS, OURS), self.authority.key("operator", "sign"), self.them(), now)

    def them(self) -> Counterparty:
        """The participant as the operator knows it."""
        return self.authority.party(self.participant, PARTICIPANT_NAME, "ours")

    def server_context(self) -> ssl.SSLContext:
        """TLS of the mail servers."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.authority.folder / "operator-tls.pem", self.authority.folder / "operator-tls.key")
        return context


def make_doors(
    folder: Path,
    host: str,
    ports: Ports,
    participant: str,
    operator: str,
    at: datetime,
    mail_codes: Sequence[str],
    mail_server: str | None = None,
) -> Doors:
    """The doors with certificates made in the folder if need be, and the participant's settings' file."""
    authority = make_authority(folder / FOLDER, sorted({host, "127.0.0.1", "localhost"}), at)
    password_file = authority.folder / "mail.password"
    if not password_file.exists() or not password_file.stat().st_size:  # killed between its making and its writing
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_urlsafe(18), encoding="ascii")
    doors = Doors(authority, host, ports, participant, operator, password_file.read_text("ascii").strip(), mail_server)
    _write_settings(authority.folder / SETTINGS_NAME, _settings(doors, mail_codes))
    return doors


def _write_settings(path: Path, settings: dict[str, Any]) -> None:
    """Whole or not at all: the participant's services may read it at this moment."""
    text = json.dumps(settings, ensure_ascii=False, indent=2) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    begun = path.with_suffix(".tmp")
    begun.write_text(text, encoding="utf-8")
    begun.replace(path)


def _settings(doors: Doors, mail_codes: Sequence[str]) -> dict[str, Any]:
    """The settings' file of the participant's channels, see docs/channels.md."""
    host, ports = doors.host, doors.ports
    common = {"environment": "sandbox", "counterparty": doors.operator}
    server = {"user": USER, "password_file": "mail.password", "ca_file": "ca.pem"}
    service = {
        "name": "CDSService", "url": f"https://{host}:{ports.soap}{SOAP_PATH}/CDSService", "codes": ["*"]
    }  # fmt: skip
    return {
        "participants": [doors.participant],
        "keys": [
            {"name": "ours", "roles": ["sign", "decrypt"], "certificate": "ours.pem", "key": "ours.key"},
            {"name": "ours-tls", "roles": ["tls"], "certificate": "ours-tls.pem", "key": "ours-tls.key"},
        ],
        "counterparties": [
            {
                "code": doors.operator,
                "anchors": ["ca.pem"],
                "subject": {"organizationName": OPERATOR_NAME},
                "encrypt_for": ["operator.pem"],
            }
        ],
        "channels": [
            {"kind": "soap", "name": "sandbox-soap", **common, "services": [service], "ca_file": "ca.pem"},
            {
                "kind": "mail", "name": "sandbox-mail", **common, "codes": list(mail_codes),
                "sender": OURS, "receiver": THEIRS,
                "smtp": {"url": f"smtp+starttls://{host}:{ports.smtp}", **server},
                "imap": {"url": f"imap+starttls://{host}:{ports.imap}", **server},
            },
        ],
        "callback": {
            "channel": "sandbox-soap", **common, "host": host, "port": ports.callback, "tls_key": "ours-tls",
            "client_ca_file": "ca.pem",
        },
        "sandbox_hosts": [host],
    }  # fmt: skip
