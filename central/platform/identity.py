"""Who acts: bearer tokens that name a person and rights (accounts take their place later)."""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fastapi import Request

from central.platform.errors import NotAllowed, NotIdentified
from central.platform.settings import TokenSetting


@dataclass(frozen=True, slots=True)
class Person:
    """A named person (or program) and what it may do; every act is recorded under `name`."""

    name: str
    rights: frozenset[str]


def name_of(person: Person | str) -> str:
    """The name that an act is recorded under; programs may be given by their name alone."""
    return person.name if isinstance(person, Person) else person


SYSTEM = Person("system", frozenset({"read", "operate", "settle", "invoice", "pay", "market", "admin"}))
"""The system's own services and command lines, run by whoever may run them on the machine."""


class Identities:
    """Finds the person of a token. Tokens are kept as digests only and compared in constant time."""

    def __init__(self, tokens: Iterable[TokenSetting]) -> None:
        self._known = [(_digest(token.token.get_secret_value()), Person(token.name, token.rights)) for token in tokens]

    def find(self, token: str) -> Person | None:
        """The token's person; all known tokens are compared, so the time tells nothing about which one is near."""
        given = _digest(token)
        found: Person | None = None
        for digest, person in self._known:
            if hmac.compare_digest(given, digest):
                found = person
        return found

    def require(self, authorization: str | None) -> Person:
        """The person of an `Authorization: Bearer ...` header, or NotIdentified."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotIdentified("token_missing", "The request has no bearer token: send `Authorization: Bearer ...`.")
        person = self.find(token.strip())
        if person is None:
            raise NotIdentified(
                "token_unknown", "The bearer token is not known here: ask the operator for a valid one."
            )
        return person


def require(right: str, *others: str) -> Callable[[Request], Person]:
    """FastAPI dependency: the caller's Person if it has `right` or one of `others`, else 401 or 403.

    The app carries its `Identities` in `app.state.identities`.
    """

    def person_with_right(request: Request) -> Person:
        identities: Identities = request.app.state.identities
        person = identities.require(request.headers.get("authorization"))
        if person.rights.isdisjoint({right, *others}):
            raise NotAllowed("right_missing", f"{person.name} lacks the right {right!r} that this act needs.")
        return person

    return person_with_right


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
