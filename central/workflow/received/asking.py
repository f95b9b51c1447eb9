"""What we ask and claim ourselves: requests for data (CDSREQ) and claims (CDSCLAIM), of electricity and gas.

A claim opens a conversation that the answer to it ends; what a request brings comes as messages of its own.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, RowMapping, select

from central.market.errors import OutboundError
from central.market.format_package import package_at
from central.market.messages import Subject
from central.market.payloads.claims import Claim, Claims
from central.market.payloads.gas_requests import AskedGasPoint, GasRequest
from central.market.payloads.requests import AskedPoint, DataRequest
from central.platform.errors import BadInput, Refused
from central.registry.points import require_supply_point
from central.registry.tables import party
from central.workflow.received.statement import Said, say

CLAIM_CODES: Final = {"electricity": "XC1", "gas": "XG7"}
REQUEST_CODES: Final = {
    ("electricity", "profiles"): "XR1",
    ("electricity", "master_data"): "XR3",
    ("gas", "master_data"): "XG4",
    ("gas", "profiles"): "GO7",
}


@dataclass(frozen=True, slots=True)
class About:
    """A point (EAN or EIC) and days, the last one included; to whom (EAN; None: the market operator)."""

    point: str
    first_day: date
    last_day: date
    receiver: str | None = None
    sender: str | None = None


def raise_claim(
    connection: Connection, about: About, kind: Literal["metering", "billing", "master_data", "other"], text: str,
    message: str | None, at: datetime, person: str,
) -> int:  # fmt: skip
    """Make the message of a claim of ours; its number. Its conversation is known by the claim's number `R-...`."""
    point = require_supply_point(connection, about.point)
    claim = f"R-{at:%Y%m%d%H%M%S%f}"[:25]
    record = Claim(
        claim=claim,
        opm=about.point,
        kind=kind,
        first_day=about.first_day,
        last_day=about.last_day,
        state="new",
        text=text,
        message=message,
    )
    code = CLAIM_CODES[point["commodity"]]
    return _say(connection, about, point, (code, claim, Claims(claims=[record])), at, person)


def ask_for_data(
    connection: Connection, about: About, what: Literal["profiles", "master_data"], at: datetime, person: str
) -> int:
    """Make the message of a request of ours; its number."""
    point = require_supply_point(connection, about.point)
    days = {"opm": about.point, "first_day": about.first_day, "last_day": about.last_day}
    payload: msgspec.Struct
    if point["commodity"] == "gas":
        payload = GasRequest(locations=[msgspec.convert(days, AskedGasPoint)])
    else:
        payload = DataRequest(locations=[msgspec.convert(days, AskedPoint)])
    code = REQUEST_CODES[point["commodity"], what]
    return _say(connection, about, point, (code, f"{code}-{at:%Y%m%d%H%M%S%f}", payload), at, person)


def _say(
    connection: Connection, about: About, point: RowMapping, what: tuple[str, str, msgspec.Struct], at: datetime,
    person: str,
) -> int:  # fmt: skip
    code, reference, payload = what
    if about.last_day < about.first_day:
        raise BadInput("days", f"The days {about.first_day} to {about.last_day} run backward.")
    query = select(party.c.ean13).where(party.c.id == point["operator"])
    sender = about.sender or connection.execute(query).scalar_one()
    if sender is None:
        raise Refused("no_ean", f"The operator of {about.point} has no EAN: fill it in at its party.")
    said = Said(
        code=code,
        payload=payload,
        sender=sender,
        receiver=about.receiver or package_at(at).envelope.market_operator,
        subject=Subject("request", reference, point["id"]),
        first_day=about.first_day,
        end_day=about.last_day + timedelta(days=1),
        basis={"supply_point": about.point},
    )
    try:
        return say(connection, said, at, person)
    except OutboundError as error:
        raise BadInput(error.code, error.message) from None
