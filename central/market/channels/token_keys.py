"""Keys in a PKCS#11 token: an RSA key that signs and decrypts where it is, and never leaves.

It takes the place of a key of `cryptography` wherever that signs or decrypts. python-pkcs11 is an optional dependency.
"""

from collections.abc import Callable
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, Never

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from central.platform.errors import BadInput, Refused

if TYPE_CHECKING:
    from central.market.channels.keys import TokenSource

_TOKENS = Lock()
"""Around all that is done with tokens: libraries of their makers die of two calls at the same time."""
_SESSIONS: dict[tuple[str, str], tuple[str | None, Any]] = {}
"""By library and token: the PIN that opened it, and the session."""
_ENDED = frozenset(
    {"SessionHandleInvalid", "SessionClosed", "UserNotLoggedIn", "DeviceRemoved", "DeviceError", "TokenNotPresent"}
)
"""What python-pkcs11 raises when a session is over."""
_MECHANISMS = {"sha256": "SHA256_RSA_PKCS", "sha384": "SHA384_RSA_PKCS", "sha512": "SHA512_RSA_PKCS"}


def open_token_key(name: str, source: "TokenSource", pin: str | None, certificate: x509.Certificate) -> RSAPrivateKey:
    """The token's key behind a certificate; BadInput says what is missing."""
    try:
        pkcs11: Any = import_module("pkcs11")
    except ImportError:
        raise BadInput(
            "pkcs11_missing",
            f"The key {name!r} is in a PKCS#11 token and python-pkcs11 is not installed: install rozvodna[pkcs11].",
        ) from None
    public = certificate.public_key()
    if not isinstance(public, RSAPublicKey):
        raise BadInput("market_key", f"The key {name!r} of the market's channels is no RSA key.")

    place, used = (source.module, source.token), None

    def find() -> Any:
        nonlocal used
        used = _session(pkcs11, source, pin)
        return used.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=source.label)

    def find_again() -> Any:
        # another key may have opened the next session already
        if place in _SESSIONS and _SESSIONS[place][1] is used:
            del _SESSIONS[place]
        return find()

    try:
        with _TOKENS:
            key = find()
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        # the library's words name functions and labels, never the PIN
        raise BadInput(
            "pkcs11_token",
            f"The key {name!r}: label {source.label!r} in the token {source.token!r} by {source.module} cannot be "
            f"opened ({type(error).__name__} {error}); check module, token, label and PIN.",
        ) from None
    return TokenKey(key, public, pkcs11.Mechanism, find_again)


def _session(pkcs11: Any, source: "TokenSource", pin: str | None) -> Any:
    """The program's session of the token: it logs in once, for all keys, and stays as long as the program runs."""
    place = source.module, source.token
    if place not in _SESSIONS:
        token = pkcs11.lib(source.module).get_token(token_label=source.token)
        try:
            session = token.open(user_pin=pin)
        except pkcs11.exceptions.UserAlreadyLoggedIn:
            session = token.open()
        _SESSIONS[place] = pin, session
    known, session = _SESSIONS[place]
    if known != pin:
        raise pkcs11.exceptions.PinIncorrect("another PIN has opened the token before")
    return session


class TokenKey(RSAPrivateKey):
    """An RSA key of which only signing (PKCS#1 v1.5, SHA-2) and decrypting (PKCS#1 v1.5) can be asked."""

    def __init__(
        self, key: Any, public: RSAPublicKey, mechanisms: Any, find_again: Callable[[], Any] | None = None
    ) -> None:
        self._key = key
        self._public = public
        self._mechanisms = mechanisms
        self._find_again = find_again

    @property
    def key_size(self) -> int:
        """See `RSAPrivateKey`."""
        return self._public.key_size

    def public_key(self) -> RSAPublicKey:
        """See `RSAPrivateKey`."""
        return self._public

    def sign(self, data: bytes, padding: AsymmetricPadding, algorithm: Any) -> bytes:
        """Sign in the token, which also hashes."""
        if not isinstance(padding, PKCS1v15) or not isinstance(algorithm, hashes.HashAlgorithm):
            raise TypeError("A key in a token signs with PKCS#1 v1.5 and a hash that it makes itself.")
        mechanism = getattr(self._mechanisms, _MECHANISMS[algorithm.name])
        try:
            return self._ask(lambda key: key.sign(data, mechanism=mechanism))
        except Exception as error:
            # whatever the token says, to its caller it is a key that is not there now
            raise Refused("token_away", f"A key's token does not sign: {type(error).__name__} {error}.") from None

    def decrypt(self, ciphertext: bytes, padding: AsymmetricPadding) -> bytes:
        """Decrypt in the token; ValueError where it cannot."""
        if not isinstance(padding, PKCS1v15):
            raise ValueError("A key in a token decrypts with PKCS#1 v1.5 only.")
        try:
            return self._ask(lambda key: key.decrypt(ciphertext, mechanism=self._mechanisms.RSA_PKCS))
        except Exception as error:
            # whatever the token says, to its caller it is a message that cannot be decrypted
            raise ValueError(f"The token did not decrypt: {type(error).__name__}.") from None

    def _ask(self, act: Callable[[Any], Any]) -> bytes:
        """One act of the token; once more in a new session if the old one has ended (the token was pulled out)."""
        with _TOKENS:
            try:
                return bytes(act(self._key))
            except Exception as error:
                if type(error).__name__ not in _ENDED or self._find_again is None:
                    raise
                self._key = self._find_again()
                return bytes(act(self._key))

    def private_numbers(self) -> Never:
        """Never leaves the token."""
        raise TypeError("The private key is in a token and does not leave it.")

    def private_bytes(self, encoding: Any, format: Any, encryption_algorithm: Any) -> Never:
        """Never leaves the token."""
        raise TypeError("The private key is in a token and does not leave it.")

    def __copy__(self) -> "TokenKey":
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> "TokenKey":
        return self
