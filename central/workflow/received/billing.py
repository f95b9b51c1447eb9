"""CDSIDIS received (DUF): rate and breaker over days are kept with the message that said them, and compared.

Where they differ from the item of the point's contract, the change of the item waits to be taken; a change that was
refused once is not proposed again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert
from sqlalchemy.dialects.postgresql import Range

from central.market.payloads.billing_data import BillingData, BillingDocument
from central.market.received import Effect, Message
from central.market.tables import received_tariff
from central.workflow.received.known import not_ours, points_of
from central.workflow.received.tariffs import Compared, compare, items_of, read_decided


def effects(connection: Connection, messages: Sequence[Message], _at: datetime) -> list[Effect]:
    """For each message the rates and breakers of its documents, with the changes of contract items that they mean."""
    codes = {document.opm for message in messages for document in _data(message).documents}
    known = points_of(connection, codes)
    compared = Compared(items_of(connection, known.values()), read_decided(connection, sorted(codes)))
    return [_effect(_data(message), known, compared) for message in messages]


def _data(message: Message) -> BillingData:
    payload: BillingData = message.read.payload
    return payload


def _effect(data: BillingData, known: dict[str, int], compared: Compared) -> Effect:
    rows = [row for document in data.documents for row in _rows(document, known)]
    strange = not_ours([document.opm for document in data.documents], known)
    if not rows:
        return Effect("kept", f"The billing data name neither a rate nor a breaker. {strange}".rstrip())
    proposals, said = compare(data.documents, known, compared)

    def write(connection: Connection, inbox: int) -> None:
        connection.execute(insert(received_tariff), [row | {"inbox": inbox} for row in rows])

    why = " ".join(filter(None, [f"{len(rows)} spans of rate and breaker kept.", *said, strange]))
    return Effect("proposed" if proposals else "applied", why, proposals, write)


def _rows(document: BillingDocument, known: dict[str, int]) -> list[dict[str, Any]]:
    """A row for each span; what only cancels another document has one without rate and breaker."""
    head = {
        "document": document.number,
        "segment": document.segment,
        "point_code": document.opm,
        "supply_point": known.get(document.opm),
        "concerns": document.concerns,
    }
    spans: list[tuple[Any, Any]] = [(tariff, tariff) for tariff in document.tariffs]
    if not spans and document.concerns is not None:
        spans = [(document, None)]
    return [
        {
            **head,
            "valid": Range(days.first_day, days.last_day + timedelta(days=1)),
            "rate": said.rate if said else None,
            "breaker_phases": said.breaker_phases if said else None,
            "breaker_amps": said.breaker_amps if said else None,
        }
        for days, said in spans
    ]
