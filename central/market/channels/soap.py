"""SOAP 1.1 web services of the market operator: each message to the service of its code, signed, over mutual TLS.

Names of services are documented, their addresses and SOAP actions are settings; a direct reply must be signed by the
same counterparty, else it is no receipt, and a fault only then decides what becomes of the message. A reply that
carries a market message (a synchronous answer) waits in the archive until whoever receives next takes it in.
"""

import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Final

import httpx
from lxml import etree

from central.market.channels import wss
from central.market.channels.addresses import read_url
from central.market.channels.certificates import Counterparty, fingerprint
from central.market.channels.keys import OwnKey, in_force
from central.market.channels.plain_http import PASSING_STATUSES, post
from central.market.channels.port import (
    LARGEST,
    Archive,
    Channel,
    Destination,
    Direction,
    Exchanged,
    Incoming,
    LeftToPersonError,
    Outgoing,
    Receipt,
    RefusedByChannelError,
    Sealed,
    UndeliveredError,
    Verdict,
)
from central.market.errors import InboundError, OutboundError
from central.platform.errors import BadInput

ACKNOWLEDGEMENT: Final = "urn:rozvodna:soap"
"""Assumed: the namespace of `Accepted`, the payload of a reply that says no more than that something arrived."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the other end: its address and its SOAPAction."""

    name: str
    url: str
    action: str = ""


@dataclass(frozen=True, slots=True)
class SoapSetting:
    """Services by message code (`*`: all others), our keys, the other end."""

    services: Mapping[str, Service]
    keys: Sequence[OwnKey] = field(repr=False)
    counterparty: Counterparty
    ca_file: str | None = None
    rules: wss.Rules = wss.USUAL_RULES


class SoapChannel(Channel):
    """The services of one other end."""

    at_once = 4

    def __init__(
        self,
        destination: Destination,
        archive: Archive,
        now: Callable[[], datetime],
        setting: SoapSetting,
        *,
        connect_s: float = 10.0,
        answer_s: float = 60.0,
    ) -> None:
        super().__init__(destination, archive, now)
        for service in setting.services.values():
            destination.require_leads_to(read_url(service.url, {"http", "https"}).host)
        self._setting = setting
        self._timeout = httpx.Timeout(answer_s, connect=connect_s)
        self._opening = Lock()
        self._open: httpx.Client | None = None

    def close(self) -> None:
        """See `Channel`."""
        if self._open is not None:
            self._open.close()
        self._open = None

    def _client(self) -> httpx.Client:
        """Opened when it is needed first: a key that is missing keeps no other channel."""
        with self._opening:
            if self._open is None:
                context = tls_context(self._setting.keys, self._now(), self._setting.ca_file)
                self._open = httpx.Client(
                    timeout=self._timeout, follow_redirects=False, trust_env=False, verify=context
                )
            return self._open

    def receive(self) -> Iterable[Incoming]:
        """Market messages that came as direct replies; all others come by the call-back service.

        One look passes by all of them: those that are left waiting hold back none of those behind them.
        """
        last = 0
        while replies := self._archive.waiting_replies(self.destination, last):
            for last, reply in replies:
                yield self._incoming(str(last), reply)

    def confirm(self, incoming: Incoming) -> None:
        """See `Channel`."""
        self._archive.reply_is_taken(int(incoming.handle))

    def _incoming(self, handle: str, reply: Exchanged) -> Incoming:
        """A reply as it was opened when it came."""
        where, party = self.destination, self._setting.counterparty
        try:
            opened = wss.open_envelope(reply.octets, party, reply.at, self._setting.rules)
        except InboundError as error:
            # its certificate is not trusted any more
            refusal = error.code, error.message
            return Incoming(where.name, where.environment, reply.identity, "?", reply.octets, handle, refusal=refusal)
        return Incoming(
            where.name,
            where.environment,
            opened.identity,
            party.code,
            reply.octets,
            handle,
            opened.payload,
            certificate=fingerprint(opened.signer),
        )

    def _seal(self, message: Outgoing) -> Sealed:
        self._service(message)
        self._client()
        at = self._now()
        key = in_force(self._setting.keys, "sign", at)
        octets = wss.seal_envelope(message.xml, key, at, self._setting.rules)
        return Sealed(octets, message.id, self._setting.counterparty.code, None, fingerprint(key.certificate))

    def _transmit(self, message: Outgoing, sealed: Sealed) -> Receipt:
        service = self._service(message)
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{service.action}"'}
        status, body = post(self._client(), service.url, sealed.octets, headers, message.id, LARGEST)
        try:
            opened = wss.open_envelope(body, self._setting.counterparty, self._now(), self._setting.rules)
        except InboundError as error:
            why = f"HTTP {status}, {error.code}: {error.message}"
            self._archive.keep(self._kept(message, body, Verdict.REFUSED, why=why))
            raise self._unproven(message, status, body, error) from None
        fault = wss.fault_of(opened.payload)
        if status != 200 or fault is not None:
            self._archive.keep(self._kept(message, body, Verdict.REPLY, opened, why=f"HTTP {status}"))
            if fault is not None and fault.is_final:
                raise RefusedByChannelError(
                    f"The other end does not take {message.id} in (fault {fault.code}): {fault.text}"
                )
            said = "no receipt" if fault is None else f"fault {fault.code}: {fault.text}"
            raise UndeliveredError(f"{service.url} gave no receipt for {message.id} (HTTP {status}): {said}")
        kept = self._kept(message, body, Verdict.REPLY, opened)
        if is_acknowledgement(opened.payload):
            self._archive.keep(kept)
        else:
            self._archive.keep_reply(kept)
        return Receipt(opened.identity)

    def _unproven(self, message: Outgoing, status: int, body: bytes, error: InboundError) -> UndeliveredError:
        """What an answer means that nobody, or not the other end, has signed: never that the message is refused."""
        if status == 200:
            return UndeliveredError(
                f"The reply to {message.id} is no receipt, its signature is not taken: {error.message}"
            )
        fault = wss.read_fault(body)
        said = f"fault {fault.code}: {fault.text}" if fault else body[:300].decode("utf-8", "replace")
        url = self._service(message).url
        if fault.is_final if fault is not None else 400 <= status < 500 and status not in PASSING_STATUSES:
            return LeftToPersonError(
                f"{url} does not take {message.id} in and does not prove who it is (HTTP {status}): {said}"
            )
        return UndeliveredError(f"{url} gave no receipt for {message.id} (HTTP {status}): {said}")

    def _kept(
        self,
        message: Outgoing,
        body: bytes,
        verdict: Verdict,
        opened: wss.OpenedEnvelope | None = None,
        why: str | None = None,
    ) -> Exchanged:
        return Exchanged(
            Direction.IN,
            self.destination.name,
            self.destination.environment,
            self._now(),
            self._setting.counterparty.code,
            opened.identity if opened else f"reply to {message.id}",
            body,
            verdict,
            content=opened.payload if opened else None,
            certificate=fingerprint(opened.signer) if opened else None,
            message_id=message.id,
            why=why,
        )

    def _service(self, message: Outgoing) -> Service:
        services = self._setting.services
        found = services.get(message.code, services.get("*"))
        if found is None:
            raise OutboundError(
                "no_service",
                f"No web service of {self.destination.name} is set for the message code {message.code}: add it to the "
                f"settings of the market's channels.",
            )
        return found


def tls_context(keys: Sequence[OwnKey], at: datetime, ca_file: str | None) -> ssl.SSLContext:
    """TLS 1.2 or newer that shows our certificate for TLS where there is one. BadInput or Refused."""
    key = in_force(keys, "tls", at) if any("tls" in each.roles for each in keys) else None
    if key is not None and key.files is None:
        raise BadInput(
            "tls_key", f"The key {key.name!r} cannot serve for TLS: that needs a certificate and a key in PEM files."
        )
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if key is not None and key.files is not None:
            certificate, private, password = key.files
            context.load_cert_chain(certificate, private, password)
    except OSError as error:
        raise BadInput("tls_files", f"The files for TLS cannot be used: {error}.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def acknowledgement(of: str) -> bytes:
    """The payload of a reply that says that something arrived."""
    element = etree.Element(f"{{{ACKNOWLEDGEMENT}}}Accepted", {"id": of})
    return etree.tostring(element)


def is_acknowledgement(payload: bytes) -> bool:
    """Whether a reply's payload is no market message. Assumed: the operator's own is named so too, in whatever
    namespace, or has no content at all."""
    root = etree.fromstring(payload, etree.XMLParser(resolve_entities=False, no_network=True))
    return etree.QName(root).localname in {"Accepted", "Ack", "Acknowledgement"} or (
        len(root) == 0 and not root.attrib and not (root.text or "").strip()
    )


def check_services(services: Mapping[str, Service], *, is_sandbox: bool) -> None:
    """BadInput for an address that is not https (a sandbox may be http on this machine), OutboundError for none."""
    for service in services.values():
        url = read_url(service.url, {"http", "https"})
        is_local = is_sandbox and url.host in {"127.0.0.1", "::1", "localhost"}
        if url.scheme != "https" and not is_local:
            raise BadInput("soap_url", f"The address {service.url!r} of {service.name} must be https://...")
