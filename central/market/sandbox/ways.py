"""Ways by which the sandbox's answers go: plain HTTP with a token, SOAP to our call-back service, mail with S/MIME."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import httpx
from imap_tools import BaseMailBox

from central.market.channels import smime, wss
from central.market.channels.certificates import Counterparty
from central.market.channels.keys import OwnKey
from central.market.channels.mail import AWAY as MAILBOX_AWAY
from central.market.channels.mail import Mailbox, open_mailbox
from central.market.channels.port import Outgoing
from central.market.errors import InboundError
from central.platform.smtp import PutOffError, Server, Smtp, TurnedDownError

TIMEOUT_S = 30.0
FINAL_REFUSALS = {409, 413, 422}
"""The other side read the answer and does not want it: repeating is of no use. All else may be mended meanwhile."""


class AwayError(Exception):
    """It could not be delivered now: try again."""


class Way(Protocol):
    """Where messages to the participant go."""

    async def deliver(self, content: bytes, message_id: str, code: str) -> str:
        """What the other side said; AwayError where it shall be tried again."""
        ...


@dataclass(frozen=True, slots=True)
class HttpWay:
    """The participant's own door for a sandbox, and the bearer token that opens it."""

    url: str
    token: str

    async def deliver(self, content: bytes, message_id: str, code: str) -> str:
        """See `Way`."""
        headers = {"Content-Type": "application/xml", "Authorization": f"Bearer {self.token}"}
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
                reply = await client.post(self.url, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise AwayError(f"{type(error).__name__} {error}") from None
        if reply.status_code >= 400 and reply.status_code not in FINAL_REFUSALS:
            raise AwayError(f"HTTP {reply.status_code}")
        return f"HTTP {reply.status_code}"


class SoapWay:
    """The participant's call-back service: signed, over mutual TLS; its reply must be signed as well."""

    def __init__(
        self, url: str, key: OwnKey, context: ssl.SSLContext, participant: Counterparty, now: Callable[[], datetime]
    ) -> None:
        self._url = url
        self._key = key
        self._context = context
        self._participant = participant
        self._now = now
        self._client: httpx.AsyncClient | None = None

    async def deliver(self, content: bytes, message_id: str, code: str) -> str:
        """See `Way`."""
        service = "CDSGasCallbackService" if b"/schema/gas/" in content[:600] else "CDSCallbackService"
        octets = await asyncio.to_thread(wss.seal_envelope, content, self._key, self._now())
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, verify=self._context)
        try:
            reply = await self._client.post(
                f"{self._url}/{service}", content=octets, headers={"Content-Type": "text/xml; charset=utf-8"}
            )
        except httpx.HTTPError as error:
            raise AwayError(f"{type(error).__name__} {error}") from None
        if reply.status_code != 200:
            fault = wss.read_fault(reply.content)
            said = f"fault {fault.code}: {fault.text}" if fault else f"HTTP {reply.status_code}"
            if fault is None or not fault.is_final:
                raise AwayError(said)
            return said
        try:
            await asyncio.to_thread(wss.open_envelope, reply.content, self._participant, self._now())
        except InboundError as error:
            raise AwayError(f"the reply is no receipt: {error.message}") from None
        return "HTTP 200"


class MailWay:
    """The participant's mailbox: put into it by IMAP, or handed to a mail server by SMTP."""

    def __init__(
        self,
        target: Mailbox | Server,
        addresses: tuple[str, str],
        key: OwnKey,
        participant: Counterparty,
        now: Callable[[], datetime],
    ) -> None:
        self._target = target
        self._addresses = addresses
        self._key = key
        self._participant = participant
        self._now = now
        self._one_at_a_time = asyncio.Lock()
        self._box: BaseMailBox | None = None

    async def deliver(self, content: bytes, message_id: str, code: str) -> str:
        """See `Way`."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._deliver, content, message_id, code)

    def _deliver(self, content: bytes, message_id: str, code: str) -> str:
        message = Outgoing(message_id, code, "sandbox", content)
        sealed = smime.seal(message, self._key, self._participant.encrypt_for, self._addresses, self._now())
        if isinstance(self._target, Mailbox):
            return self._put(self._target, sealed.octets)
        smtp = Smtp(self._target)
        try:
            smtp.send_octets(*self._addresses, sealed.octets)
        except PutOffError as error:
            raise AwayError(str(error)) from None
        except TurnedDownError as error:
            return f"refused: {error}"
        finally:
            smtp.close()
        return "sent"

    def _put(self, mailbox: Mailbox, octets: bytes) -> str:
        try:
            if self._box is None:
                self._box = open_mailbox(mailbox)
            self._box.append(octets)
        except MAILBOX_AWAY as error:
            self._box = None
            raise AwayError(f"{type(error).__name__} {error}") from None
        return "in the mailbox"
