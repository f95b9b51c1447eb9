"""Client's side of DLMS security in one association: what goes out is protected, what comes in is proven or refused.

The counters that protect our messages come from a `Counter` (edge/dlms/counters.py), never twice the same. The meter's
must grow from message to message, with each key. Nothing of an earlier session passes: where the meter proves itself by
GMAC, counting begins with its proof over a fresh challenge; elsewhere with what it sent last (`MeterMemory`).
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from edge.dlms.errors import SecurityError
from shared.dlms.acse import Mechanism
from shared.dlms.ciphering import (
    AUTHENTICATED,
    ENCRYPTED,
    GENERAL_OVERHEAD,
    HEADER_SIZE,
    KEY_SIZE,
    OVERHEAD,
    SUITES,
    TAG_SIZE,
    TITLE_SIZE,
    CipheredApdu,
    Keys,
    decode_ciphered,
    encode_ciphered,
    gmac,
    protect,
    unprotect,
)
from shared.dlms.errors import CipherError, DecodeError
from shared.identifiers import Obis

CHALLENGE_SIZE: Final = 16
ASSOCIATION: Final = Obis(0, 0, 40, 0, 0)
REPLY_TO_HLS: Final = 1
"""Method of the association object (class 15) that takes the client's proof and gives the meter's."""


class Counter(Protocol):
    """Source of invocation counters for one key."""

    def next(self) -> int:
        """A number that was never given before and is greater than all that were. Raises DlmsError when none is left
        or it cannot be kept.
        """


@dataclass(slots=True)
class MeterMemory:
    """What outlives sessions: the last invocation counter of messages with the global key, by the sender's title."""

    last: dict[bytes, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecuritySettings:
    """What client and meter have agreed on."""

    client_title: bytes
    keys: Keys
    """Global unicast encryption key and authentication key."""
    counter: Counter = field(repr=False)
    suite: int = 0
    mechanism: int = Mechanism.HIGH_GMAC
    protection: int = AUTHENTICATED | ENCRYPTED
    """Of each message: AUTHENTICATED, ENCRYPTED, both, or 0 (then only the proof by GMAC)."""
    meter_title: bytes | None = None
    """None takes the title that the meter states; one that is given must be the meter's."""
    dedicated: bool = False
    """Messages are protected with a key of this association only."""
    general: bool = False
    """In the form that names the sender's title (general-glo-, general-ded-ciphering), if the meter grants it."""
    association: Obis = ASSOCIATION
    memory: MeterMemory = field(default_factory=MeterMemory, repr=False)

    def __post_init__(self) -> None:
        if self.suite not in SUITES:
            raise ValueError(f"The security suite {self.suite} must be 0 or 1.")
        for whose, title in (("client", self.client_title), ("meter", self.meter_title)):
            if title is not None and len(title) != TITLE_SIZE:
                raise ValueError(f"The {whose}'s system title has {TITLE_SIZE} octets, not {len(title)}.")
        if self.dedicated and not self.protection & ENCRYPTED:
            raise ValueError("A dedicated key is sent in the first message, which must be encrypted then.")


class ClientSecurity:
    """State of one association's security. `begin` before each opening."""

    def __init__(self, settings: SecuritySettings, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self.settings = settings
        self.challenge = b""
        self.dedicated_key = b""
        self._random = random
        self._title: bytes | None = None
        self._seen: dict[bool, int] = {}
        self._general = False

    def begin(self) -> None:
        """A new association: fresh challenge and dedicated key."""
        self.challenge = self._random(CHALLENGE_SIZE) if self.settings.mechanism == Mechanism.HIGH_GMAC else b""
        self.dedicated_key = self._random(KEY_SIZE) if self.settings.dedicated else b""
        self._title = self.settings.meter_title
        self._seen = {}
        self._general = False

    @property
    def ciphered(self) -> bool:
        """Whether messages are protected at all."""
        return bool(self.settings.protection)

    @property
    def overhead(self) -> int:
        """Octets that protection adds to a message, at most."""
        if not self.ciphered:
            return 0
        return GENERAL_OVERHEAD if self.settings.general else OVERHEAD

    def meet(self, title: bytes) -> None:
        """The title that the meter states in its AARE (empty if it states none). Raises SecurityError."""
        known = self.settings.meter_title
        if known is not None and title and title != known:
            raise SecurityError(f"it states the system title {title.hex()}, but it must be {known.hex()}")
        found = title or known or b""
        if len(found) != TITLE_SIZE:
            raise SecurityError(
                f"it states the system title {found.hex() or 'nothing'}, but {TITLE_SIZE} octets are needed; "
                "write the meter's title into the configuration"
            )
        self._title = found
        if self.settings.mechanism != Mechanism.HIGH_GMAC:
            self._seen[False] = self.settings.memory.last.get(found, -1)

    def grant_general(self, granted: bool) -> None:
        """Whether the meter takes messages in the general form."""
        self._general = granted and self.settings.general

    def protect_initiate(self, plain: bytes) -> bytes:
        """The InitiateRequest, in its own form and with the global key."""
        if not self.ciphered:
            return plain
        return encode_ciphered(CipheredApdu(plain[0], False, None, self._protected(plain, dedicated=False)))

    def protect(self, plain: bytes, *, proving: bool = False) -> bytes:
        """A request; with the global key while the association is opened (`proving`)."""
        if not self.ciphered:
            return plain
        dedicated = self.settings.dedicated and not proving
        title = self.settings.client_title if self._general else None
        return encode_ciphered(CipheredApdu(plain[0], dedicated, title, self._protected(plain, dedicated)))

    def unprotect(self, octets: bytes, *, proving: bool = False) -> bytes:
        """The plain message in what the meter sent. Raises SecurityError for everything that is not proven to be the
        meter's, new, and as well protected as agreed.
        """
        if not self.ciphered:
            return octets
        try:
            apdu = decode_ciphered(octets)
        except DecodeError as error:
            raise SecurityError(str(error)) from None
        if apdu is None:
            raise SecurityError(f"it begins with {octets[:1].hex() or 'nothing'} and is not ciphered, but it must be")
        dedicated = self.settings.dedicated and not proving
        if apdu.dedicated is not dedicated:
            used, wanted = ("dedicated", "global") if apdu.dedicated else ("global", "dedicated")
            raise SecurityError(f"it is ciphered with the {used} key, but it must be with the {wanted} one")
        if apdu.title and apdu.title != self._title:
            raise SecurityError(f"it names the sender {apdu.title.hex()}, but the meter is {self._known.hex()}")
        try:
            opened = unprotect(
                apdu.body,
                self._known,
                self._keys(dedicated),
                suite=self.settings.suite,
                demanded=self.settings.protection,
            )
        except CipherError as error:
            raise SecurityError(str(error)) from None
        if apdu.tag is not None and opened.plain[:1] != bytes((apdu.tag,)):
            raise SecurityError(f"its content begins with {opened.plain[:1].hex()}, but the tag says {apdu.tag:02x}")
        self._advance(opened.counter, dedicated)
        return opened.plain

    def proof(self, challenge: bytes) -> bytes:
        """Our answer to the meter's challenge. Raises SecurityError for one that would prove nothing."""
        if not 8 <= len(challenge) <= 64:
            raise SecurityError(f"its challenge has {len(challenge)} octets, but 8 to 64 are needed")
        if challenge == self.challenge:
            raise SecurityError("its challenge is our own, thrown back")
        settings = self.settings
        return gmac(settings.suite, settings.client_title, settings.counter.next(), settings.keys, challenge)

    def verify(self, answer: bytes) -> None:
        """Check the meter's answer to our challenge. Raises SecurityError."""
        settings = self.settings
        if len(answer) != HEADER_SIZE + TAG_SIZE or answer[0] != AUTHENTICATED | settings.suite:
            raise SecurityError(f"its proof {answer.hex()} is not security control, counter and tag")
        counter = int.from_bytes(answer[1:HEADER_SIZE])
        wanted = gmac(settings.suite, self._known, counter, settings.keys, self.challenge)
        if not secrets.compare_digest(answer, wanted):
            raise SecurityError("its proof is wrong: it does not have the keys of the configuration")
        # Made before the message that carries it, which may have been looked at already: no order among these two.
        self._seen[False] = max(counter, self._seen.get(False, 0))

    @property
    def _known(self) -> bytes:
        assert self._title is not None
        return self._title

    def _keys(self, dedicated: bool) -> Keys:
        keys = self.settings.keys
        return Keys(self.dedicated_key, keys.authentication) if dedicated else keys

    def _protected(self, plain: bytes, dedicated: bool) -> bytes:
        settings = self.settings
        control = settings.protection | settings.suite
        return protect(control, settings.client_title, settings.counter.next(), self._keys(dedicated), plain)

    def _advance(self, counter: int, dedicated: bool) -> None:
        seen = self._seen.get(dedicated, -1)
        if counter <= seen:
            raise SecurityError(
                f"its invocation counter {counter} must be greater than {seen}: the message is late or was recorded"
            )
        self._seen[dedicated] = counter
        if not dedicated:
            self.settings.memory.last[self._known] = counter
