"""An invoice of CDSINVOICE (127, 240) as a received invoice. Pure."""

from datetime import timedelta

from central.market.payloads.distribution_invoice import DistributionInvoice, DistributionInvoices, problems
from central.workflow.received.invoice import ReceivedInvoice, ReceivedItem, rates


def received(invoice: DistributionInvoice) -> ReceivedInvoice:
    """With its items; `problems` are the rules that it breaks."""
    one = timedelta(days=1)
    return ReceivedInvoice(
        issuer=invoice.subjects.issuer,
        recipient=invoice.subjects.recipient,
        number=invoice.number,
        kind=invoice.kind,
        commodity="electricity",
        corrects=invoice.corrects,
        point=invoice.subjects.opm,
        first=invoice.first_day,
        stop=invoice.last_day + one,
        issued=invoice.issued,
        tax_point=invoice.tax_point,
        due=invoice.due,
        variable_symbol=invoice.variable_symbol,
        net=invoice.net,
        vat=invoice.vat,
        gross=invoice.gross,
        to_pay=invoice.to_pay,
        problems=problems(DistributionInvoices(invoices=[invoice])),
        items=[
            ReceivedItem(
                code=item.code,
                rate=rates().get(item.code),
                description=item.description,
                first=item.first_day,
                stop=item.last_day + one,
                quantity=item.quantity,
                unit=item.unit,
                unit_price=item.unit_price,
                net=item.net,
                vat_rate=item.vat_rate,
            )
            for item in invoice.items
        ],
    )
