"""Route of the superior distributor's bill split over a collection: a listing by point."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.web import Db
from central.registry.web import Body, Day
from central.settlement.superior_split import Billed, bill_of, read_members, split_bill

router = APIRouter()

Rule = Literal["energy", "maximum", "capacity", "area"]
Amount = Annotated[Decimal, Field(max_digits=14, decimal_places=2)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class BilledIn(Body):
    """An amount of the superior's bill without VAT, and by what it is split."""

    name: Name
    amount: Amount
    by: Rule


class ExpectedIn(Body):
    """What a run says that the superior should bill for an entry; `by` gives the rule of a component."""

    run: Annotated[int, Field(ge=1, lt=2**63)]
    entry: Name
    by: Annotated[dict[str, Rule], Field(default_factory=dict, max_length=100)]
    otherwise: Rule = "energy"


class SplitIn(Body):
    """Days [first, end), the node of a collection whose points bear the bill, and the bill: given or expected."""

    first: Day
    end: Day
    collection: Name
    node: Name
    bill: Annotated[list[BilledIn], Field(max_length=200)] | None = None
    expected: ExpectedIn | None = None


class PartOut(BaseModel):
    """The part of an amount that a point bears."""

    ean: str
    name: str
    amount: Decimal


class SplitOut(BaseModel):
    """An amount, by what it was split, and its parts, which sum to it."""

    name: str
    amount: Decimal
    by: str
    parts: list[PartOut]


class ListingOut(BaseModel):
    """The whole listing: amounts with their parts, and by point the sum of its parts."""

    amounts: list[SplitOut]
    points: list[PartOut]
    total: Decimal


@router.post("/settlement/splits", summary="Split the superior distributor's bill over a collection")
def split(connection: Db, _: Annotated[Person, Depends(require("read"))], body: SplitIn) -> ListingOut:
    """Computes and stores nothing. Refused where a point has no weight by a rule or its readings are not complete."""
    if body.end <= body.first or (body.end - body.first).days > 400:
        raise BadInput(
            "period", f"The period {body.first} to {body.end} must have 1 to 400 days; its end is exclusive."
        )
    if (body.bill is None) == (body.expected is None):
        raise BadInput("bill", "Give either the amounts of a bill or a run with what is expected; one of them.")
    if body.expected is not None:
        asked = body.expected
        bill = bill_of(connection, asked.run, asked.entry, asked.by, asked.otherwise)
    else:
        bill = [Billed(each.name, each.amount, each.by) for each in body.bill or []]
    members = read_members(connection, body.collection, body.node, body.first, body.end)
    parted = split_bill(bill, members)
    sums: list[Any] = [sum((each.parts[place] for each in parted), Decimal("0.00")) for place in range(len(members))]
    return ListingOut(
        amounts=[
            SplitOut(
                name=each.billed.name,
                amount=each.billed.amount,
                by=each.billed.by,
                parts=[
                    PartOut(ean=member.ean, name=member.name, amount=part)
                    for member, part in zip(members, each.parts, strict=True)
                ],
            )
            for each in parted
        ],
        points=[
            PartOut(ean=member.ean, name=member.name, amount=amount)
            for member, amount in zip(members, sums, strict=True)
        ],
        total=sum((each.billed.amount for each in parted), Decimal("0.00")),
    )
