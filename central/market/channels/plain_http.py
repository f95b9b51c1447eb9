"""Plain HTTP to our own sandbox of the market operator: POST of the XML, 202 with `{"receipt": ...}`."""

from collections.abc import Callable, Collection
from datetime import datetime
from time import monotonic
from typing import Final

import httpx
import msgspec

from central.market.channels.addresses import read_url
from central.market.channels.allowed import Environment
from central.market.channels.port import (
    Archive,
    Channel,
    Destination,
    LeftToPersonError,
    Outgoing,
    Receipt,
    Sealed,
    UndeliveredError,
)

SANDBOX_MARK: Final = "sandbox+"
LONGEST_S: Final = 120.0
"""Of a whole reply, however it trickles: shorter than a delivery's lease."""
RECEIPT_BYTES: Final = 64 * 1024
PASSING_STATUSES: Final = frozenset({401, 403, 404, 408, 429})
"""Of 4xx those that a person or time mends; every other 4xx is about the message."""


def destination_of(text: str, sandboxes: Collection[str] = ()) -> Destination:
    """`https://...` is production; `sandbox+http://...` or `sandbox+https://...` a sandbox. OutboundError otherwise."""
    is_sandbox = text.startswith(SANDBOX_MARK)
    url = read_url(text.removeprefix(SANDBOX_MARK), {"http", "https"} if is_sandbox else {"https"})
    environment = Environment.SANDBOX if is_sandbox else Environment.PRODUCTION
    return Destination("http", url.text, environment, url.host, sandboxes)


class HttpChannel(Channel):
    """POST of the XML; redirects are not followed, and nothing is signed."""

    def __init__(
        self,
        destination: Destination,
        archive: Archive,
        now: Callable[[], datetime],
        *,
        connect_s: float = 5.0,
        answer_s: float = 30.0,
    ) -> None:
        super().__init__(destination, archive, now)
        destination.require_leads_to(read_url(destination.address, {"http", "https"}).host)
        self._client = httpx.Client(
            timeout=httpx.Timeout(answer_s, connect=connect_s),
            follow_redirects=False,
            trust_env=destination.environment is not Environment.SANDBOX,
        )

    def close(self) -> None:
        """See `Channel`."""
        self._client.close()

    def _seal(self, message: Outgoing) -> Sealed:
        return Sealed(message.xml, message.id, self.destination.host)

    def _transmit(self, message: Outgoing, sealed: Sealed) -> Receipt:
        headers = {"Content-Type": "application/xml; charset=utf-8", "X-Message-Id": message.id}
        url = self.destination.address
        status, body = post(self._client, url, sealed.octets, headers, message.id, RECEIPT_BYTES)
        return _receipt(message, status, body)


def post(
    client: httpx.Client, url: str, content: bytes, headers: dict[str, str], message_id: str, at_most: int
) -> tuple[int, bytes]:
    """Status and body of the reply, at most so many octets of it: an endless one must not fill the memory.

    UndeliveredError where no reply came, or a compressed one, which was not asked for: it could unpack to anything.
    """
    headers = {**headers, "Accept-Encoding": "identity"}
    body, end = bytearray(), monotonic() + LONGEST_S
    try:
        with client.stream("POST", url, content=content, headers=headers) as response:
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise UndeliveredError(f"{url} gave no receipt for {message_id}: its reply is compressed")
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > at_most:
                    break
                if monotonic() > end:
                    raise UndeliveredError(f"{url} gave no receipt for {message_id}: its reply takes too long")
            return response.status_code, bytes(body[:at_most])
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise UndeliveredError(
            f"{url} gave no receipt for {message_id}: {type(error).__name__} {error}".rstrip()
        ) from None


class _ReceiptBody(msgspec.Struct):
    receipt: str


def _receipt(message: Outgoing, status: int, body: bytes) -> Receipt:
    if status == 202:
        try:
            return Receipt(msgspec.json.decode(body, type=_ReceiptBody).receipt)
        except msgspec.DecodeError:
            raise UndeliveredError(f"The reply to {message.id} has status 202 but no receipt in it.") from None
    said = body[:500].decode("utf-8", "replace")
    if 400 <= status < 500 and status not in PASSING_STATUSES:
        raise LeftToPersonError(
            f"The other end does not take {message.id} in and does not prove who it is (HTTP {status}): {said}"
        )
    raise UndeliveredError(f"The other end gave no receipt for {message.id} (HTTP {status}): {said}")
