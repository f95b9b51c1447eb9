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
from central.market.payloads.gas_billing_rules import in_a_row, problems
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
_VOID: Final = "/storno"
"""What follows the number of a document that is cancelled by itself: its number is that of the document as it was."""


def received(document: GasBilling, envelope: Envelope, operator: str, place: int) -> ReceivedInvoice:
    """The document as an invoice; `operator` is the market operator's EAN, `place` that in the message, from 1.

    A cancelling takes its amounts back, whichever sign it writes. A document that says of itself that it is cancelled
    is one that cancels the document of its number: that one may have come before, or come late.
    """
    sender = envelope.sender.id
    number = document.number or document.document or document.further_number or f"{envelope.id}/{place}"
    is_void = document.cancelled is True and document.segment != "cancel"
    takes_back = is_void or document.segment == "cancel"
    found = problems(GasBillings(documents=[document]))
    if is_void:
        found.append(f"The gas document {number} says of itself that it is cancelled: nothing of it holds.")
    gross = document.gross if document.gross is None or not takes_back else -abs(document.gross)
    net = -abs(document.net) if takes_back else document.net
    return ReceivedInvoice(
        issuer=document.opm[:_NETWORK] if sender == operator else sender,
        recipient=envelope.receiver.id,
        number=f"{number}{_VOID}" if is_void else number,
        kind="cancel" if is_void else document.segment,
        commodity="gas",
        corrects=number if is_void else document.concerns,
        point=document.opm,
        first=_day(document.start),
        stop=_day(document.end),
        issued=envelope.at.astimezone(PRAGUE).date(),
        net=net,
        vat=None if gross is None else gross - net,
        gross=gross,
        to_pay=gross,
        problems=found,
        in_a_row=in_a_row(document),
        items=[] if is_void else [_item(line, negative=net < 0) for line in priced_lines(document)],
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
