"""CDSIDIS received (DUF): rate and breaker over days are kept with the message that said them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert
from sqlalchemy.dialects.postgresql import Range

from central.market.payloads.billing_data import BillingData
from central.market.received import Effect, Message
from central.market.tables import received_tariff
from central.workflow.received.known import not_ours, points_of


def effects(connection: Connection, messages: Sequence[Message], _at: datetime) -> list[Effect]:
    """For each message the rates and breakers of its documents."""
    codes = {document.opm for message in messages for document in _data(message).documents}
    known = points_of(connection, codes)
    return [_effect(_data(message), known) for message in messages]


def _data(message: Message) -> BillingData:
    payload: BillingData = message.read.payload
    return payload


def _effect(data: BillingData, known: dict[str, int]) -> Effect:
    rows = [
        {
            "document": document.number,
            "segment": document.segment,
            "point_code": document.opm,
            "supply_point": known.get(document.opm),
            "valid": Range(tariff.first_day, tariff.last_day + timedelta(days=1)),
            "rate": tariff.rate,
            "breaker_phases": tariff.breaker_phases,
            "breaker_amps": tariff.breaker_amps,
        }
        for document in data.documents
        for tariff in document.tariffs
    ]
    strange = not_ours([document.opm for document in data.documents], known)
    if not rows:
        return Effect("kept", f"The billing data name neither a rate nor a breaker. {strange}".rstrip())

    def write(connection: Connection, inbox: int) -> None:
        connection.execute(insert(received_tariff), [row | {"inbox": inbox} for row in rows])

    count = len(rows)
    return Effect("applied", f"{count} spans of rate and breaker kept. {strange}".rstrip(), write=write)
