"""Who is signed in on the pages: a cookie that names a session, which names the token that was given.

The cookie's text is random and only its digest is stored; a token that is withdrawn ends its sessions. Every form
carries the session's key, so that no other site can send one.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from central.platform.errors import NotAllowed, NotIdentified
from central.platform.identity import Identities, Person
from central.platform.settings import TokenSetting
from central.workflow.work_order_tables import page_session

COOKIE: Final = "rozvodna_page"
LASTS: Final = timedelta(hours=12)
RIGHTS: Final = ("work", "operate")
"""Either lets a person use the technician's pages."""


@dataclass(frozen=True, slots=True)
class Session:
    """A person on the pages, and the key that their forms carry."""

    person: Person
    form_key: str

    @property
    def sees_all(self) -> bool:
        """Operators see every technician's orders, technicians their own."""
        return "operate" in self.person.rights


def begin(connection: Connection, identities: Identities, token: str, now: datetime) -> str:
    """Sign in with a token; gives the cookie's text. Sessions that ended are forgotten on the way."""
    person = identities.require(f"Bearer {token}")
    _require_right(person)
    connection.execute(delete(page_session).where(page_session.c.ends_at <= now))
    cookie = secrets.token_urlsafe(32)
    connection.execute(
        insert(page_session).values(
            digest=_digest(cookie),
            person=person.name,
            token_digest=_digest(token),
            form_key=secrets.token_urlsafe(24),
            began_at=now,
            ends_at=now + LASTS,
        )
    )
    return cookie


def find(connection: Connection, tokens: Iterable[TokenSetting], cookie: str | None, now: datetime) -> Session | None:
    """The session of a cookie, if it has not ended and its token still stands."""
    if not cookie:
        return None
    row = connection.execute(
        select(page_session).where(page_session.c.digest == _digest(cookie), page_session.c.ends_at > now)
    ).first()
    if row is None:
        return None
    for token in tokens:
        if hmac.compare_digest(_digest(token.token.get_secret_value()), bytes(row.token_digest)):
            person = Person(token.name, token.rights)
            _require_right(person)
            return Session(person, row.form_key)
    return None


def check_form(session: Session, form_key: str) -> None:
    """Refuse a form that was not made for this session."""
    if not hmac.compare_digest(session.form_key.encode(), form_key.encode()):
        raise NotIdentified("form_key", "The form is not of this session: open the page again and repeat.")


def end(connection: Connection, cookie: str | None) -> None:
    """Sign out."""
    if cookie:
        connection.execute(delete(page_session).where(page_session.c.digest == _digest(cookie)))


def _require_right(person: Person) -> None:
    if not person.rights & set(RIGHTS):
        raise NotAllowed("right_missing", f"{person.name} lacks the right 'work' that these pages need.")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
