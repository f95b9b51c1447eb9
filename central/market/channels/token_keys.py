"""Keys in a PKCS#11 token: an RSA key that signs and decrypts where it is, and never leaves.

It takes the place of a key of `cryptography` wherever that signs or decrypts. python-pkcs11 is an optional dependency.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Never

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from central.platform.errors import BadInput

if TYPE_CHECKING:
    from central.market.channels.keys import TokenSource

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
    try:
        token = pkcs11.lib(source.module).get_token(token_label=source.token)
        session = token.open(user_pin=pin)
        key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=source.label)
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        # the library's words name functions and labels, never the PIN
        raise BadInput(
            "pkcs11_token",
            f"The key {name!r}: label {source.label!r} in the token {source.token!r} by {source.module} cannot be "
            f"opened ({type(error).__name__} {error}); check module, token, label and PIN.",
        ) from None
    return TokenKey(key, public, pkcs11.Mechanism)


class TokenKey(RSAPrivateKey):
    """An RSA key of which only signing (PKCS#1 v1.5, SHA-2) and decrypting (PKCS#1 v1.5) can be asked."""

    def __init__(self, key: Any, public: RSAPublicKey, mechanisms: Any) -> None:
        self._key = key
        self._public = public
        self._mechanisms = mechanisms

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
        return bytes(self._key.sign(data, mechanism=mechanism))

    def decrypt(self, ciphertext: bytes, padding: AsymmetricPadding) -> bytes:
        """Decrypt in the token; ValueError where it cannot."""
        if not isinstance(padding, PKCS1v15):
            raise ValueError("A key in a token decrypts with PKCS#1 v1.5 only.")
        try:
            return bytes(self._key.decrypt(ciphertext, mechanism=self._mechanisms.RSA_PKCS))
        except Exception as error:
            # whatever the token says, to its caller it is a message that cannot be decrypted
            raise ValueError(f"The token did not decrypt: {type(error).__name__}.") from None

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
