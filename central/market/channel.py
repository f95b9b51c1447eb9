"""The way out: a message is handed to an address and comes back with a technical receipt, nothing more.

The answer (RESPONSE) arrives later by the operator calling our call-back address: the market operator does not let
clients poll. A message of a `sandbox` format package leaves for an address marked `sandbox+http(s)://` only; every
channel checks that itself, whoever asks it to deliver.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx
import msgspec

from central.market.errors import OutboundError
from central.market.format_package import load_package

SANDBOX_MARK: Final = "sandbox+"
OPERATOR_DOMAIN: Final = "ote-cr.cz"
RECEIPT_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Address:
    """Where messages go; a production address unless it was marked as a sandbox."""

    url: str
    is_sandbox: bool


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready to go: its id, code, the name of its format package, its bytes."""

    id: str
    code: str
    package: str
    xml: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """The other end has the bytes; what it thinks of them comes as an answer."""

    id: str


class UndeliveredError(Exception):
    """No receipt came: the message may or may not have arrived and is to be repeated under the same id."""


class RefusedByChannelError(Exception):
    """The other end has not taken the message in and will not: repeating it is of no use."""


class Channel(Protocol):
    """Takes messages to one address."""

    address: Address

    def deliver(self, message: Outgoing) -> Receipt:
        """Hand over; raises OutboundError, UndeliveredError or RefusedByChannelError."""
        ...


def parse_address(text: str) -> Address:
    """`https://...` is production; `sandbox+http://...` or `sandbox+https://...` a sandbox. OutboundError otherwise."""
    is_sandbox = text.startswith(SANDBOX_MARK)
    url = text.removeprefix(SANDBOX_MARK)
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in ({"http", "https"} if is_sandbox else {"https"}):
        raise OutboundError(
            "bad_address",
            f"The market address {text!r} must be https://... for production or sandbox+http(s)://... for a sandbox.",
        )
    host = parts.hostname.rstrip(".")
    if is_sandbox and (host == OPERATOR_DOMAIN or host.endswith("." + OPERATOR_DOMAIN)):
        raise OutboundError(
            "operator_is_no_sandbox",
            f"The address {url!r} belongs to the market operator: it cannot be marked as a sandbox of ours.",
        )
    return Address(url, is_sandbox)


def refuse_wrong_address(package_name: str, address: Address) -> None:
    """OutboundError if messages of that format package must not go to that address."""
    if load_package(package_name).is_sandbox and not address.is_sandbox:
        raise OutboundError(
            "sandbox_format",
            f"Messages of the format package {package_name} were laid out by us and must not go to {address.url}: "
            f"install the operator's formats, or mark the address as {SANDBOX_MARK}http(s)://... if it is a sandbox.",
        )


class HttpChannel:
    """POST of the XML; 202 with `{"receipt": ...}` is the receipt. Redirects are not followed."""

    def __init__(self, address: Address, *, connect_s: float = 5.0, answer_s: float = 30.0) -> None:
        self.address = address
        self._client = httpx.Client(
            timeout=httpx.Timeout(answer_s, connect=connect_s),
            follow_redirects=False,
            trust_env=not address.is_sandbox,
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def deliver(self, message: Outgoing) -> Receipt:
        """See `Channel`."""
        refuse_wrong_address(message.package, self.address)
        headers = {"Content-Type": "application/xml; charset=utf-8", "X-Message-Id": message.id}
        try:
            with self._client.stream("POST", self.address.url, content=message.xml, headers=headers) as response:
                return _receipt(message, response.status_code, _body(response))
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise UndeliveredError(
                f"{self.address.url} gave no receipt for {message.id}: {type(error).__name__} {error}".rstrip()
            ) from None


def _body(response: httpx.Response) -> bytes:
    """At most RECEIPT_BYTES of the reply: an endless one must not fill the memory."""
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > RECEIPT_BYTES:
            break
    return bytes(body[:RECEIPT_BYTES])


class _ReceiptBody(msgspec.Struct):
    receipt: str


def _receipt(message: Outgoing, status: int, body: bytes) -> Receipt:
    if status == 202:
        try:
            return Receipt(msgspec.json.decode(body, type=_ReceiptBody).receipt)
        except msgspec.DecodeError:
            raise UndeliveredError(f"The reply to {message.id} has status 202 but no receipt in it.") from None
    said = body[:500].decode("utf-8", "replace")
    if 400 <= status < 500 and status not in {401, 403, 404, 408, 429}:
        raise RefusedByChannelError(f"The other end does not take {message.id} in (HTTP {status}): {said}")
    raise UndeliveredError(f"The other end gave no receipt for {message.id} (HTTP {status}): {said}")


@contextmanager
def open_channel(address_text: str) -> Iterator[HttpChannel]:
    """A channel to the address of the settings, closed at the end."""
    channel = HttpChannel(parse_address(address_text))
    try:
        yield channel
    finally:
        channel.close()
