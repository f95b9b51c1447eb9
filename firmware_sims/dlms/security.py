"""Simulated meter's side of DLMS security towards one client: counters of the meter's life, keys of one association."""

import secrets
from dataclasses import dataclass, field
from typing import Final

from firmware_sims.dlms.meter import MeterSecurity
from shared.dlms.ciphering import (
    HEADER_SIZE,
    TAG_SIZE,
    CipheredApdu,
    Keys,
    decode_ciphered,
    encode_ciphered,
    gmac,
    protect,
    unprotect,
)
from shared.dlms.errors import CipherError

CHALLENGE_SIZE: Final = 16


class CounterRefusedError(Exception):
    """The client's invocation counter is not greater than the last one."""

    def __init__(self, expected: int) -> None:
        super().__init__(f"The client's invocation counter must be at least {expected}.")
        self.expected = expected


@dataclass(slots=True)
class LifeCounters:
    """Counters that a meter keeps as long as its keys, by client."""

    received: int = 0
    """Last counter accepted from the client with the global key: what the counter object shows."""
    sent: int = 0


@dataclass(slots=True)
class ServerSecurity:
    """One association with a client that `agreed` applies to."""

    agreed: MeterSecurity
    life: LifeCounters
    title: bytes
    client_title: bytes = b""
    challenge: bytes = b""
    client_challenge: bytes = field(default=b"", repr=False)
    dedicated_key: bytes = field(default=b"", repr=False)
    _received_dedicated: int = -1
    _form: CipheredApdu | None = None

    def begin(self, client_title: bytes, client_challenge: bytes) -> None:
        """An AARQ has come."""
        self.client_title = client_title
        self.client_challenge = client_challenge
        self.challenge = secrets.token_bytes(CHALLENGE_SIZE)
        self.dedicated_key = b""
        self._received_dedicated = -1
        self._form = None

    def open(self, octets: bytes) -> bytes | None:
        """The plain request in a ciphered one; None if it is not ciphered. Raises DecodeError, CounterRefusedError."""
        apdu = self._form = decode_ciphered(octets)
        if apdu is None:
            return None
        if apdu.title and apdu.title != self.client_title:
            raise CipherError(f"The message names the sender {apdu.title.hex()}, not {self.client_title.hex()}.")
        keys = self._keys(apdu.dedicated)
        opened = unprotect(apdu.body, self.client_title, keys, suite=self.agreed.suite, demanded=self.agreed.policy)
        if apdu.tag is not None and opened.plain[:1] != bytes((apdu.tag,)):
            raise CipherError(f"The content begins with {opened.plain[:1].hex()}, but the tag says {apdu.tag:02x}.")
        last = self._received_dedicated if apdu.dedicated else self.life.received
        if opened.counter <= last:
            raise CounterRefusedError(last + 1)
        if apdu.dedicated:
            self._received_dedicated = opened.counter
        else:
            self.life.received = opened.counter
        return opened.plain

    def close(self, plain: bytes) -> bytes:
        """The answer, in the form of the request."""
        form = self._form
        if form is None:
            return plain
        title = self.title if form.title is not None else None
        body = protect(
            self.agreed.policy | self.agreed.suite, self.title, self._next(), self._keys(form.dedicated), plain
        )
        return encode_ciphered(CipheredApdu(plain[0], form.dedicated, title, body))

    def accepts(self, proof: bytes) -> bool:
        """Whether the client's answer to our challenge is right; its counter is used up then."""
        if len(proof) != HEADER_SIZE + TAG_SIZE:
            return False
        counter = int.from_bytes(proof[1:HEADER_SIZE])
        wanted = gmac(self.agreed.suite, self.client_title, counter, self.agreed.keys, self.challenge)
        if not secrets.compare_digest(proof, wanted):
            return False
        self.life.received = max(counter, self.life.received)
        return True

    def proof(self) -> bytes:
        """Our answer to the client's challenge."""
        return gmac(self.agreed.suite, self.title, self._next(), self.agreed.keys, self.client_challenge)

    def _next(self) -> int:
        self.life.sent += 1
        return self.life.sent

    def _keys(self, dedicated: bool) -> Keys:
        if not dedicated:
            return self.agreed.keys
        if not self.dedicated_key:
            raise CipherError("There is no dedicated key in this association.")
        return Keys(self.dedicated_key, self.agreed.keys.authentication)
