"""Make a billing basis by hand: what no run settles, or settles wrongly. It is never changed but deleted."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text
from sqlalchemy.dialects.postgresql import Range

from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person, name_of
from central.platform.plain import plain
from central.settlement.document import digest_of
from central.settlement.model import half_up
from central.settlement.statements import CORRECTS, NAMES, StatementType, is_cancelling
from central.settlement.tables import billing_basis
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

COMPONENT = "by_hand"
"""The component of bases that were made by hand."""

_SIDES = text("""
    -- the item of the contract that has the point over the whole time, and who invoices whom at its beginning
    SELECT ci.id AS item, c.id AS contract, c.number, c.kind, c.customer,
           CASE WHEN c.kind = 'framework' THEN coalesce(sp.supplier, c.payer) ELSE c.payer END AS payer,
           sp.id AS supply_point, sp.ean, sp.operator, sp.commodity
      FROM supply_point_valid sp
      JOIN contract_item ci ON ci.supply_point = sp.id AND ci.valid @> daterange(:first, :end)
      JOIN contract_valid c ON c.id = ci.contract AND c.held @> CAST(:first AS date)
     WHERE sp.ean = :ean AND sp.valid @> CAST(:first AS date) AND c.number = :contract
""")


@dataclass(frozen=True, slots=True)
class ByHand:
    """What a person says of a basis; `end` is exclusive, the price free, the reason kept with the basis."""

    ean: str
    contract: str
    first: date
    end: date
    service: str
    rate: int
    name: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    price_unit: str
    statement_type: int
    reason: str
    original: int | None = None


def commodity_of(connection: Connection, ean: str) -> Commodity:
    """The commodity of a supply point, which decides the package and the metering day; NotFound without the point."""
    found = connection.execute(text("SELECT commodity FROM supply_point WHERE ean = :ean"), {"ean": ean}).scalar()
    if found is None:
        raise NotFound("supply_point_not_found", f"There is no supply point {ean}.")
    return Commodity(found)


def make_basis(connection: Connection, order: ByHand, vat_percent: Decimal, person: Person | str, at: datetime) -> int:
    """Store a basis made by hand; it may be invoiced at once. Its amount is quantity times price, rounded half up once.

    Raises BadInput for a wrong time, type or figures, NotFound where the contract does not have the point in the time.
    """
    _require_form(order)
    sides = connection.execute(
        _SIDES, {"first": order.first, "end": order.end, "ean": order.ean, "contract": order.contract}
    ).first()
    if sides is None:
        raise NotFound(
            "contract_item_not_found",
            f"Contract {order.contract} has no item for supply point {order.ean} over the whole of {order.first} to "
            f"{order.end}; split the basis or name the contract that has.",
        )
    _require_original(connection, order, sides)
    commodity = Commodity(sides.commodity)
    values: dict[str, Any] = {
        "run": None,
        "input": None,
        "supply_point": sides.supply_point,
        "contract_item": sides.item,
        "contract": sides.contract,
        "customer": sides.customer,
        "payer": sides.payer,
        "seller": sides.operator,
        "service": order.service,
        "rate": order.rate,
        "component": COMPONENT,
        "name": order.name,
        "quantity": order.quantity,
        "unit": order.unit,
        "unit_price": order.unit_price,
        "price_unit": order.price_unit,
        "amount": half_up(order.quantity * order.unit_price, Decimal("0.01")),
        "vat_percent": vat_percent,
        "valid": Range(MeteringDay(commodity, order.first).start, MeteringDay(commodity, order.end).start),
        "statement_type": order.statement_type,
        "measurements": [],
        "original": order.original,
        "reason": order.reason,
    }
    why = {"text": f"Zadáno ručně: {order.reason}", "made_by": name_of(person)}
    fingerprint = digest_of([plain(values), at.isoformat()])
    basis = connection.execute(
        insert(billing_basis)
        .values(**values, why=why, fingerprint=fingerprint, state="approved", made_at=at, made_by=name_of(person))
        .returning(billing_basis.c.id)
    ).scalar_one()
    audit.record(
        connection, person, "basis.make", f"billing_basis/{basis}", {}, at, after=plain(values), why=order.reason
    )
    return int(basis)


def _require_form(order: ByHand) -> None:
    if not order.first < order.end:
        raise BadInput("period", f"The basis ends on {order.end}, not after its first day {order.first}.")
    known = [kind for kind in StatementType if not is_cancelling(kind)]
    if order.statement_type not in known:
        names = ", ".join(f"{kind} {NAMES[kind][1]}" for kind in known)
        raise BadInput(
            "statement_type",
            f"A basis of statement type {order.statement_type} is not made by hand: what cancels another is made by "
            f"POST /v1/bases/cancel. By hand: {names}.",
        )
    if StatementType(order.statement_type) in CORRECTS.values() and order.original is None:
        raise BadInput("original", f"A basis of statement type {order.statement_type} corrects another: name it.")


def _require_original(connection: Connection, order: ByHand, sides: Row[Any]) -> None:
    if order.original is None:
        return
    table = billing_basis
    found = connection.execute(
        select(table.c.supply_point, table.c.state, table.c.statement_type).where(table.c.id == order.original)
    ).first()
    if found is None:
        raise NotFound("basis_not_found", f"There is no billing basis {order.original}; see GET /v1/bases.")
    if found.supply_point != sides.supply_point:
        raise BadInput("original", f"Basis {order.original} belongs to another supply point than {order.ean}.")
    if found.state != "invoiced":
        raise Refused(
            "basis_not_invoiced",
            f"Basis {order.original} is {found.state}; only an invoiced one is corrected, another is deleted.",
        )
    wanted = CORRECTS.get(StatementType(found.statement_type))
    kind = StatementType(order.statement_type)
    if kind in CORRECTS.values() and kind != wanted:
        raise BadInput(
            "statement_type",
            f"Basis {order.original} has statement type {found.statement_type}, which type "
            f"{order.statement_type} does not correct; expected {'none' if wanted is None else int(wanted)}.",
        )
