"""Overviews of advances, of what came for them, and of their tax documents."""

from sqlalchemy import func, select

from central.invoicing.advances.tables import ADVANCE_STATES, advance, advance_deposit, advance_document
from central.platform.overview import Column, Kind, Overview
from central.registry.tables import contract, party
from central.registry.validity import ends, starts

_payer, _owner = party.alias("payer_party"), party.alias("owner_party")
_came = (
    select(func.coalesce(func.sum(advance_deposit.c.amount), 0))
    .where(advance_deposit.c.advance == advance.c.id, advance_deposit.c.released_on.is_(None))
    .correlate(advance)
    .scalar_subquery()
)

ADVANCES = Overview(
    name="advances",
    source=advance,
    key=advance.c.id,
    joined=advance.join(contract, contract.c.id == advance.c.contract).join(_payer, _payer.c.id == advance.c.payer),
    columns=(
        Column("id", advance.c.id, Kind.INTEGER),
        Column("number", advance.c.number),
        Column("state", advance.c.state, Kind.CHOICE, ADVANCE_STATES),
        Column("contract_number", contract.c.number, through=(advance.c.contract, contract.c.id)),
        Column("payer_code", _payer.c.code, through=(advance.c.payer, _payer.c.id)),
        Column("payer_name", _payer.c.name),
        Column("start", starts(advance.c.period), Kind.DATE),
        Column("end", ends(advance.c.period), Kind.DATE),
        Column("due", advance.c.due, Kind.DATE),
        Column("amount", advance.c.amount, Kind.DECIMAL),
        Column("received", _came, Kind.DECIMAL, sortable=False),
        Column("vat_percent", advance.c.vat_percent, Kind.DECIMAL),
        Column("currency", advance.c.currency),
        Column("issued_on", advance.c.issued_on, Kind.DATE),
    ),
    default_sort=(("due", False),),
)
"""What is asked for, by the day when it is due."""

DEPOSITS = Overview(
    name="received advances",
    source=advance_deposit,
    key=advance_deposit.c.id,
    joined=advance_deposit.join(advance, advance.c.id == advance_deposit.c.advance)
    .join(contract, contract.c.id == advance.c.contract)
    .join(_payer, _payer.c.id == advance.c.payer)
    .outerjoin(advance_document, advance_document.c.id == advance_deposit.c.document),
    columns=(
        Column("id", advance_deposit.c.id, Kind.INTEGER),
        Column("advance_number", advance.c.number),
        Column("contract_number", contract.c.number),
        Column("payer_code", _payer.c.code),
        Column("document", advance_document.c.number),
        Column("payment", advance_deposit.c.payment, Kind.INTEGER),
        Column("received_on", advance_deposit.c.received_on, Kind.DATE),
        Column("amount", advance_deposit.c.amount, Kind.DECIMAL),
        Column("vat_percent", advance_deposit.c.vat_percent, Kind.DECIMAL),
        Column("vat", advance_deposit.c.vat, Kind.DECIMAL),
        Column("deducted", advance_deposit.c.deducted, Kind.DECIMAL),
        Column("released_on", advance_deposit.c.released_on, Kind.DATE),
    ),
    default_sort=(("received_on", False),),
)
"""What came for advances, and how much of it statements have deducted."""

DOCUMENTS = Overview(
    name="tax documents of advances",
    source=advance_document,
    key=advance_document.c.id,
    joined=advance_document.join(_owner, _owner.c.id == advance_document.c.payer),
    columns=(
        Column("number", advance_document.c.number),
        Column("document_type", advance_document.c.document_type, Kind.INTEGER),
        Column("payer_code", _owner.c.code, through=(advance_document.c.payer, _owner.c.id)),
        Column("payer_name", _owner.c.name),
        Column("payment", advance_document.c.payment, Kind.INTEGER),
        Column("issue_date", advance_document.c.issue_date, Kind.DATE),
        Column("tax_date", advance_document.c.tax_date, Kind.DATE),
        Column("net", advance_document.c.net, Kind.DECIMAL),
        Column("vat", advance_document.c.vat, Kind.DECIMAL),
        Column("gross", advance_document.c.gross, Kind.DECIMAL),
        Column("currency", advance_document.c.currency),
        Column("reason", advance_document.c.reason),
    ),
    default_sort=(("number", False),),
)
"""Tax documents of received advances (5) and their credit notes (6)."""
