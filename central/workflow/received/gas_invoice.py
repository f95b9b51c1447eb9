"""A document of CDSGASPOF GP6 as a received invoice: its lines by the documented formulas, with their prices. Pure.

The message names neither issuer nor days of issue and payment. Assumed: the issuer is who sent it, or, where the market
operator handed it on, the network in the point's EIC (its first 7 characters); it is issued when the message was made.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Final

from central.market.envelope import Envelope
from central.market.errors import InboundError
from central.market.payloads.gas_billing import GasBilling, GasBillings
from central.market.payloads.gas_billing_rules import problems
from central.market.payloads.gas_lines import PricedLine, PriceField, priced_lines
from central.workflow.received.invoice import ReceivedInvoice, ReceivedItem, rates
from shared.metering_day import PRAGUE, day_of
from shared.quantities import Commodity

_NETWORK: Final = 7
"""Characters of an EIC that name the network: 27ZG and its number."""
_UNITS: Final[dict[PriceField, str]] = {
    "DistributionSum.UnitPrice": "KWH",
    "DistributionSum.MOSettlementUnitPrice": "KWH",
    "Period.Payment_Rent": "PAYMENT",
    "Period.Capacity_Price": "1000M3_DAY",
    "ContractValue.Year_Price": "1000M3_DAY",
    "ContractValue.Oversize_Price": "1000M3_DAY",
}
_NAMES: Final[dict[PriceField, str]] = {
    "DistributionSum.UnitPrice": "distribuované množství",
    "DistributionSum.MOSettlementUnitPrice": "činnost operátora trhu",
    "Period.Payment_Rent": "stálý plat",
    "Period.Capacity_Price": "pevná kapacita",
    "ContractValue.Year_Price": "denní rezervovaná kapacita",
    "ContractValue.Oversize_Price": "překročení denní rezervované kapacity",
}
_ONE: Final = Decimal(1)


def received(document: GasBilling, envelope: Envelope, operator: str, place: int) -> ReceivedInvoice:
    """The document as an invoice; `operator` is the market operator's EAN, `place` that in the message, from 1."""
    sender = envelope.sender.id
    negative = document.net < 0
    return ReceivedInvoice(
        issuer=document.opm[:_NETWORK] if sender == operator else sender,
        recipient=envelope.receiver.id,
        number=document.number or document.document or document.further_number or f"{envelope.id}/{place}",
        kind=document.segment,
        commodity="gas",
        corrects=document.concerns,
        point=document.opm,
        first=_day(document.start),
        stop=_day(document.end),
        issued=envelope.at.astimezone(PRAGUE).date(),
        net=document.net,
        vat=None if document.gross is None else document.gross - document.net,
        gross=document.gross,
        to_pay=document.gross,
        problems=problems(GasBillings(documents=[document])),
        items=[_item(line, negative=negative) for line in priced_lines(document)],
    )


def _item(line: PricedLine, *, negative: bool) -> ReceivedItem:
    return ReceivedItem(
        code=line.field,
        rate=rates().get(line.field),
        description=_NAMES[line.field],
        first=_day(line.start),
        stop=_day(line.end),
        quantity=-line.quantity if negative else line.quantity,
        unit=_UNITS[line.field],
        unit_price=line.price,
        effect=None if line.effect == _ONE else line.effect,
        net=-line.amount if negative else line.amount,
    )


def _day(instant: datetime) -> date:
    """The gas day that an instant lies in."""
    try:
        return day_of(Commodity.GAS, instant).date
    except (OverflowError, ValueError):
        raise InboundError("day", f"The instant {instant.isoformat()} lies out of our time.") from None
