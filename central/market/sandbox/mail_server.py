"""The sandbox's mail servers: SMTP, by which the participant's mail comes, and IMAP with the participant's mailbox.

Both are in memory and for one participant. They need the libraries of `rozvodna[sandbox]`.
"""

import asyncio
import hmac
import socket
import ssl
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import DictBackend
from pymap.imap import IMAPServer

from central.market.channels import smime
from central.market.channels.certificates import Counterparty
from central.market.channels.keys import OwnKey
from central.market.channels.port import LARGEST
from central.market.errors import InboundError
from central.market.sandbox.operator import NoReceiptError, Sandbox
from central.market.sandbox.secure import USER

log = structlog.get_logger("central.market.sandbox")


@dataclass(frozen=True)  # without slots: aiosmtpd looks at all members, which Python before 3.11.3 cannot do with them
class Door:
    """What mail is taken: of whom, opened by which key."""

    sandbox: Sandbox
    key: OwnKey
    participant: Counterparty
    now: Callable[[], datetime]

    async def handle_DATA(  # noqa: N802 - the hook's name is aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """The reply to a mail."""
        octets = envelope.original_content or b""
        try:
            content = await asyncio.to_thread(self._open, octets)
            return f"250 {await self.sandbox.take(content, 'mail')}"
        except InboundError as error:
            return f"554 {_one_line(f'{error.code}: {error.message}')}"
        except NoReceiptError as error:
            return f"451 {_one_line(str(error))}"
        except Exception:
            log.exception("a mail could not be taken")
            return "451 it could not be taken now"

    def _open(self, octets: bytes) -> bytes:
        return smime.open_letter(smime.read_letter(octets), [self.key], self.participant, self.now()).content


@dataclass(slots=True)
class MailServers:
    """Both servers, running."""

    smtp: asyncio.Server
    imap: asyncio.Server

    def close(self) -> None:
        """Take no more connections."""
        self.smtp.close()
        self.imap.close()


async def start_mail(
    door: Door, context: ssl.SSLContext, password: str, smtp_listener: socket.socket, imap_listener: socket.socket
) -> MailServers:
    """Serve both with STARTTLS and a login."""

    def login(*given: Any) -> AuthResult:
        data = given[-1]
        known = isinstance(data, LoginPassword) and data.login == USER.encode()
        right = known and hmac.compare_digest(data.password, password.encode())
        return AuthResult(success=right, handled=False)

    def smtp() -> SMTP:
        return SMTP(
            door, data_size_limit=LARGEST, tls_context=context, require_starttls=True, authenticator=login,
            auth_required=True, hostname="sandbox.test", loop=asyncio.get_running_loop(),
        )  # fmt: skip

    arguments = Namespace(
        host="", port=0, debug=False, cert=None, key=None, tls=True, passlib_cfg=None, proxy_protocol=None,
        demo_data=False, demo_user=USER, demo_password=password,
    )  # fmt: skip
    backend, config = await DictBackend.init(arguments, ssl_context=context)
    config.apply_context()
    callback = ProxyProtocolReader(config.proxy_protocol).get_callback(IMAPServer(backend.login, config))
    loop = asyncio.get_running_loop()
    return MailServers(
        await loop.create_server(smtp, sock=smtp_listener), await asyncio.start_server(callback, sock=imap_listener)
    )


def _one_line(text: str) -> str:
    """As SMTP can say it."""
    return "".join(letter if 32 <= ord(letter) < 127 else "?" for letter in text)[:400]
