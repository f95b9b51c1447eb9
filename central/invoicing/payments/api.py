"""Routes of the payments: open items, statements of the bank, payments and what is done with them."""

from dataclasses import asdict
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response, UploadFile
from sqlalchemy import delete, insert, select

from central.invoicing.payments import acts
from central.invoicing.payments.anyway import book_anyway, waiting
from central.invoicing.payments.bodies import (
    AllocateOrder,
    AnywayOrder,
    AssignOrder,
    PathId,
    Reason,
    RulesOrder,
    SettleOrder,
    SplitOrder,
)
from central.invoicing.payments.booking import MOST_OCTETS, book_statements
from central.invoicing.payments.matching import match_payments
from central.invoicing.payments.overviews import PAYMENTS, RECEIVABLES, STATEMENTS, find_allocations, find_saldo
from central.invoicing.payments.pickup import try_again
from central.invoicing.payments.receivables import close_by, require
from central.invoicing.payments.settling_tables import matching_rule
from central.invoicing.payments.tables import bank_file, bank_pickup, bank_statement
from central.platform import audit
from central.platform.errors import BadInput, NotFound
from central.platform.identity import Person
from central.platform.identity import require as require_right
from central.platform.overview import Asked
from central.platform.plain import plain
from central.platform.web import Db, Now
from central.registry.tables import party
from shared.metering_day import PRAGUE

router = APIRouter(prefix="/v1", tags=["invoicing"])

Reader = Annotated[Person, Depends(require_right("read"))]
Payer = Annotated[Person, Depends(require_right("pay"))]

_MEDIA = {"abo": "application/octet-stream", "camt053": "application/xml"}


def too_large() -> BadInput:
    """The refusal of a file that is too long."""
    return BadInput("too_large", f"The file has more than {MOST_OCTETS // 10**6} MB; send it in parts.", 413)


def _pickup(row: Any) -> dict[str, Any]:
    return {**row._mapping, "sha256": bytes(row.sha256).hex()}


async def body(request: Request) -> bytes:
    """The body, refused as soon as it is too long."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MOST_OCTETS:
            raise too_large()
        pieces.append(piece)
    return b"".join(pieces)


def rows(found: Any) -> list[dict[str, Any]]:
    """Rows as JSON, decimals as texts with their zeros: a JSON number would pass through a binary float."""
    return [shown(row) for row in found]


def shown(row: Any) -> dict[str, Any]:
    """One row as JSON."""
    return {
        str(name): format(value, "f") if isinstance(value, Decimal) else plain(value) for name, value in row.items()
    }


def party_id(connection: Any, code: str) -> int:
    """The id of the party, or NotFound."""
    found = connection.execute(select(party.c.id).where(party.c.code == code)).scalar()
    if found is None:
        raise NotFound("party_not_found", f"There is no party {plain(code)}; see GET /v1/parties.")
    return int(found)


Code = Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


@router.get("/receivables", summary="Open items")
def find_receivables(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(RECEIVABLES.asked())],
) -> list[dict[str, Any]]:
    """What is to be paid and by whom; `rest` is what is left of it."""
    page = RECEIVABLES.find(connection, asked)
    page.tell(request, response)
    return rows(page.rows)


@router.get("/receivables/{receivable}", summary="An open item with what settles it")
def get_receivable(receivable: PathId, connection: Db, _: Reader) -> dict[str, Any]:
    """Released allocations are shown too."""
    row = require(connection, receivable)
    return shown(row._mapping) | {"allocations": rows(find_allocations(connection, "receivable", receivable))}


@router.post("/receivables/{receivable}/close", summary="No longer ask for what is left of an item")
def close(receivable: PathId, order: Reason, connection: Db, clock: Now, person: Payer) -> dict[str, str]:
    """What is paid stays paid."""
    require(connection, receivable)
    return {"closed": format(close_by(connection, [receivable], order.reason, person, clock.now()), "f")}


@router.get("/saldo", summary="Balance of a party by contract account")
def get_saldo(party: Code, connection: Db, _: Reader, clock: Now) -> list[dict[str, Any]]:
    """saldo = debts - credit notes - free money; what is past due today stands beside."""
    return rows(find_saldo(connection, party_id(connection, party), clock.now().astimezone(PRAGUE).date()))


@router.post("/bank-statements", status_code=201, summary="Read and book a file of bank statements")
def book(
    content: Annotated[bytes, Depends(body)],
    connection: Db,
    clock: Now,
    person: Payer,
    name: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$", description="of the file")] = "",
) -> dict[str, Any]:
    """ABO (GPC) or CAMT.053 as the body. Booked and matched whole or not at all; the same octets again do nothing."""
    return asdict(book_statements(connection, name, content, person, clock.now()))


@router.post("/bank-statements/upload", status_code=201, summary="Read and book an uploaded file of bank statements")
def upload(file: UploadFile, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """The same as a form's field `file` (multipart/form-data)."""
    octets = file.file.read(MOST_OCTETS + 1)
    if len(octets) > MOST_OCTETS:
        raise too_large()
    name = (file.filename or "").replace("\0", "")[:200]
    return asdict(book_statements(connection, name, octets, person, clock.now()))


@router.get("/bank-pickups", summary="Files that were picked up from the folder")
def find_pickups(connection: Db, _: Reader) -> list[dict[str, Any]]:
    """The last thousand, newest first; a refused one says why."""
    query = select(bank_pickup).order_by(bank_pickup.c.id.desc()).limit(1_000)
    return rows(_pickup(row) for row in connection.execute(query))


@router.post("/bank-pickups/{pickup}/again", summary="Try a refused file of the folder again")
def again(pickup: PathId, order: Reason, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """At the next look, if it is still there."""
    return shown(_pickup(try_again(connection, pickup, order.reason, person, clock.now())))


@router.get("/bank-statements", summary="Bank statements")
def find_statements(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(STATEMENTS.asked())],
) -> list[dict[str, Any]]:
    """Newest first."""
    page = STATEMENTS.find(connection, asked)
    page.tell(request, response)
    return rows(page.rows)


@router.get("/bank-statements/{statement}", summary="A bank statement with its sums and repeated movements")
def get_statement(statement: PathId, connection: Db, _: Reader) -> dict[str, Any]:
    """Its movements: GET /v1/payments?statement=ID. Repeated ones were taken for payments of other statements."""
    row = connection.execute(select(bank_statement).where(bank_statement.c.id == statement)).mappings().one_or_none()
    if row is None:
        raise NotFound("statement_not_found", f"There is no statement {statement}; see GET /v1/bank-statements.")
    return shown(row) | {"repeated": waiting(connection, statement, row["repeated"])}


@router.post("/bank-statements/{statement}/book", summary="Book repeated movements of a statement anyway")
def book_repeated(statement: PathId, order: AnywayOrder, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """Where a person knows that they are payments of their own; they are matched at once."""
    now = clock.now()
    places = list(dict.fromkeys(order.places))
    made = book_anyway(connection, statement, places, order.reason, person, now)
    matched = match_payments(connection, person, now, now.astimezone(PRAGUE).date())
    return {"payments": made, "matched": asdict(matched)}


@router.get("/bank-files/{file}", summary="A file of bank statements as it came")
def get_file(file: PathId, connection: Db, _: Reader) -> Response:
    """The very octets."""
    row = connection.execute(select(bank_file).where(bank_file.c.id == file)).one_or_none()
    if row is None:
        raise NotFound("file_not_found", f"There is no file {file}; see GET /v1/bank-statements.")
    headers = {"Content-Disposition": f'attachment; filename="statement-{file}"'}
    return Response(row.content, media_type=_MEDIA[row.form], headers=headers)


@router.get("/payments", summary="Payments")
def find_payments(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(PAYMENTS.asked())],
) -> list[dict[str, Any]]:
    """`state=parked` waits for a person, `parked` says why; `rest` of a booked one is its payer's credit."""
    page = PAYMENTS.find(connection, asked)
    page.tell(request, response)
    return rows(page.rows)


@router.post("/payments/match", summary="Match everything that waits")
def match(connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """As after each statement: payments of known symbols with items, refunds with movements."""
    now = clock.now()
    matched = match_payments(connection, person, now, now.astimezone(PRAGUE).date())
    audit.record(connection, person, "payment.match", "payments", asdict(matched), now)
    return asdict(matched)


@router.post("/payments/settle", summary="A party's free money settles what it owes")
def settle(order: SettleOrder, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """Over all contract accounts, oldest due first."""
    payer, seller = party_id(connection, order.payer), party_id(connection, order.seller)
    return {"allocations": acts.settle_due(connection, payer, seller, order.until, person, clock.now())}


@router.get("/payments/{payment}", summary="A payment with what it settles")
def get_payment(payment: PathId, connection: Db, _: Reader) -> dict[str, Any]:
    """Released allocations are shown too."""
    row = acts.require_payment(connection, payment)
    hidden = shown({name: value for name, value in row._mapping.items() if name != "content"})
    return hidden | {"allocations": rows(find_allocations(connection, "payment", payment))}


@router.post("/payments/{payment}/allocate", summary="Allocate a payment to items")
def allocate(payment: PathId, order: AllocateOrder, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """By hand; never more than either side has."""
    wanted = [(item.receivable, item.amount) for item in order.items]
    return {"allocations": acts.allocate(connection, payment, wanted, person, clock.now())}


@router.post("/payments/{payment}/assign", summary="Say whose payment it is")
def assign(payment: PathId, order: AssignOrder, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """It is matched with that party's items by the next matching; what is left is the party's credit."""
    acts.assign(connection, payment, order.payer, order.account, order.reason, person, clock.now())
    return get_payment(payment, connection, person)


@router.post("/payments/{payment}/split", summary="Split a payment among payers")
def split(payment: PathId, order: SplitOrder, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """Each part is then a payment of its own payer and is matched at once."""
    now = clock.now()
    parts = [acts.Part(part.amount, part.variable_symbol, part.account, part.payer) for part in order.parts]
    made = acts.split(connection, payment, parts, order.reason, person, now)
    matched = match_payments(connection, person, now, now.astimezone(PRAGUE).date())
    return {"payments": made, "matched": asdict(matched)}


@router.post("/payments/{payment}/outside", summary="A payment is no matter of open items")
def outside(payment: PathId, order: Reason, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """A wage, a fee of the bank, a loan."""
    acts.set_outside(connection, payment, order.reason, person, clock.now())
    return get_payment(payment, connection, person)


@router.post("/payments/{payment}/back", summary="A payment that was set outside waits again")
def back(payment: PathId, order: Reason, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """It is parked."""
    acts.take_back(connection, payment, order.reason, person, clock.now())
    return get_payment(payment, connection, person)


@router.post("/allocations/{allocation}/release", summary="Undo an allocation")
def release(allocation: PathId, order: Reason, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """Both sides are open again; matching leaves the payment to persons."""
    acts.release(connection, allocation, order.reason, person, clock.now())
    return {"released": allocation}


@router.get("/matching-rules", summary="Rules of matching in their order")
def find_rules(connection: Db, _: Reader) -> list[dict[str, Any]]:
    """exact, symbol, account."""
    return rows(connection.execute(select(matching_rule).order_by(matching_rule.c.place)).mappings())


@router.put("/matching-rules", summary="Order the rules of matching")
def save_rules(order: RulesOrder, connection: Db, clock: Now, person: Payer) -> list[dict[str, Any]]:
    """Each of the three once."""
    if len({rule.rule for rule in order.rules}) != len(order.rules):
        raise BadInput("rules", "A rule is named twice; name exact, symbol and account once each.")
    before = {row["rule"]: row for row in find_rules(connection, person)}
    connection.execute(delete(matching_rule))
    connection.execute(
        insert(matching_rule),
        [{"rule": rule.rule, "place": place, "active": rule.active} for place, rule in enumerate(order.rules, start=1)],
    )
    after = {row["rule"]: row for row in find_rules(connection, person)}
    audit.record(
        connection, person, "matching_rules.save", "matching_rules", {}, clock.now(), before=before, after=after,
        why=order.reason,
    )  # fmt: skip
    return find_rules(connection, person)
