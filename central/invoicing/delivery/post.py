"""The post: takes queued mails, a few at a time, and hands them to the mail server.

A mail is marked as being sent before it leaves and as sent after it was taken, each in a transaction of its own. Who
dies in between leaves it marked; after a while it goes again under its old Message-ID, by which the receiver knows it.
"""

import signal
import threading
from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from email.errors import MessageError
from typing import Final

import structlog
from sqlalchemy import Engine, TextClause, text
from sqlalchemy.exc import DBAPIError

from central.invoicing.delivery.documents import DOCUMENTS
from central.invoicing.delivery.mail import Parcel, Transport, message_of
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.errors import BadInput
from central.platform.settings import Settings
from central.platform.smtp import PutOffError, Server, Smtp, TurnedDownError
from shared.clock import Clock

AT_ONCE = 20
GIVEN_UP_AFTER = timedelta(minutes=10)
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 240, 480, 960, 1_440))
"""Between attempts; after the last the mail is refused."""
POLL_S = 2.0
RETRY_S = 5.0
_UNWRITABLE: Final = (ValueError, LookupError, TypeError, AttributeError, MessageError)
"""What making a message of odd addresses, texts or files raises."""

_TAKE = text("""
    UPDATE delivery d SET state = 'sending', attempts = attempts + 1, due_at = :lease
      FROM (SELECT id FROM delivery WHERE due_at <= :now AND kind = 'mail'
             ORDER BY due_at, id LIMIT :most FOR UPDATE SKIP LOCKED) taken
     WHERE d.id = taken.id
    RETURNING d.id
""")
_PARCELS = text(f"""
    WITH document AS ({DOCUMENTS})
    SELECT d.id, d.address, d.message_id, d.number, i.language, i.due_date, i.variable_symbol, i.payable, i.currency,
           seller.name AS seller,
           coalesce((SELECT jsonb_object_agg(f.kind, encode(f.content, 'base64'))
                       FROM invoice_file f WHERE f.invoice = d.invoice),
                    (SELECT jsonb_object_agg(f.kind, encode(f.content, 'base64'))
                       FROM advance_file f WHERE f.advance = d.advance OR f.document = d.advance_document)) AS files
      FROM delivery d JOIN document i ON i.number = d.number JOIN party seller ON seller.id = i.seller
     WHERE d.id = ANY (:ids) ORDER BY d.number
""")  # noqa: S608 - a constant of this package
_TAKEN = text("""
    WITH taken AS (
        UPDATE delivery SET state = 'sent', sent_at = :now, due_at = NULL, answer = :answer
         WHERE id = :id AND state = 'sending' RETURNING invoice
    )
    UPDATE invoice SET state = 'sent' FROM taken WHERE invoice.id = taken.invoice AND invoice.state = 'issued'
""")
_PUT_OFF = text("""
    UPDATE delivery SET state = CASE WHEN attempts > :most THEN 'refused' ELSE 'deferred' END, answer = :answer,
           due_at = CASE WHEN attempts > :most THEN NULL
                         ELSE CAST(:now AS timestamptz) + (CAST(:pauses AS interval[]))[attempts] END
     WHERE id = :id AND state = 'sending'
""")
_REFUSED = text("""
    UPDATE delivery SET state = 'refused', due_at = NULL, answer = :answer WHERE id = :id AND state = 'sending'
""")

_log = structlog.get_logger(__name__)


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; a database or a mail server that is away is waited for."""
    if settings.smtp_url is None or settings.mail_from is None:
        raise BadInput(
            "smtp_url", "Mail needs ROZVODNA_SMTP_URL and ROZVODNA_MAIL_FROM; set them and start the post again."
        )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = make_engine(settings.database_url, name="rozvodna-post", pool_size=1)
    transport = Smtp(Server.of(settings.smtp_url.get_secret_value()))
    _log.info("post started")
    while not stop.is_set():
        try:
            sent = post_once(engine, get_clock(), transport, settings.mail_from)
        except DBAPIError as error:
            _log.warning("the database is away or refused", error=str(error.orig))
            stop.wait(RETRY_S)
            continue
        if not sent:
            transport.close()
            stop.wait(POLL_S)
    transport.close()
    engine.dispose()
    _log.info("post stopped")


def post_once(engine: Engine, clock: Clock, transport: Transport, sender: str) -> int:
    """Send what is due, a few mails; how many were tried."""
    now = clock.now()
    with transaction(engine) as connection:
        parameters = {"now": now, "lease": now + GIVEN_UP_AFTER, "most": AT_ONCE}
        ids = connection.execute(_TAKE, parameters).scalars().all()
    if not ids:
        return 0
    for parcel in _parcels(engine, ids):
        _send(engine, clock, transport, sender, parcel)
    return len(ids)


def _parcels(engine: Engine, ids: Sequence[int]) -> list[Parcel]:
    with engine.connect() as connection:
        rows = connection.execute(_PARCELS, {"ids": list(ids)}).all()
    return [
        Parcel(
            delivery=row.id,
            number=row.number,
            language=row.language,
            seller=row.seller,
            address=row.address,
            message_id=row.message_id,
            payable=_money(row.payable, row.language, row.currency),
            due=f"{row.due_date.day}. {row.due_date.month}. {row.due_date.year}",
            symbol=row.variable_symbol,
            files={kind: b64decode(content) for kind, content in (row.files or {}).items()},
        )
        for row in rows
    ]


def _money(payable: Decimal, language: str, currency: str) -> str | None:
    """What is to be paid, as text; None where nothing is."""
    if payable <= 0:
        return None
    amount = str(payable).replace(".", ",") if language == "cs" else str(payable)
    return f"{amount} {'Kč' if (language, currency) == ('cs', 'CZK') else currency}"


def _send(engine: Engine, clock: Clock, transport: Transport, sender: str, parcel: Parcel) -> None:
    try:
        answer = transport.send(message_of(parcel, sender, clock.now()))
    except PutOffError as error:
        _note(engine, _PUT_OFF, parcel, str(error), clock.now(), most=len(PAUSES), pauses=list(PAUSES))
        _log.info("mail put off", document=parcel.number, answer=str(error))
    except TurnedDownError as error:
        _note(engine, _REFUSED, parcel, str(error))
        _log.warning("mail refused", document=parcel.number, answer=str(error))
    except _UNWRITABLE as error:
        # one that cannot be written must not keep the others; it waits, for its fault may be the sender's, and settings
        # can be mended
        words = f"The message cannot be written: {error or type(error).__name__}"
        _note(engine, _PUT_OFF, parcel, words, clock.now(), most=len(PAUSES), pauses=list(PAUSES))
        _log.error("mail cannot be written", document=parcel.number, reason=words)
    else:
        _note(engine, _TAKEN, parcel, answer, clock.now())


def _note(
    engine: Engine, statement: TextClause, parcel: Parcel, answer: str, now: datetime | None = None, **more: object
) -> None:
    with transaction(engine) as connection:
        connection.execute(statement, {"id": parcel.delivery, "answer": answer, "now": now, **more})
