"""Routes of stock items (kmenové karty zboží): overview, one, create, revise."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import Field

from central.platform import audit
from central.platform.etag import IfMatch, require_match, show
from central.platform.overview import Asked, Column, Kind, Overview
from central.platform.plain import plain
from central.platform.web import Db, Now
from central.registry.tables import party
from central.registry.web import Body, Operator, Reader, Why
from central.settlement.stock_items import create_stock_item, require_stock_item, revise_stock_item
from central.settlement.stock_tables import MARKS, stock_item

router = APIRouter()

Code = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[\w.-]+$")]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
ItemCode = Annotated[str, Path(min_length=1, max_length=50, pattern=r"^[\w.-]+$")]

_item = stock_item.c
OVERVIEW = Overview(
    name="stock items",
    source=stock_item,
    key=_item.id,
    joined=stock_item.outerjoin(party, party.c.id == _item.owner),
    columns=(
        Column("id", _item.id, Kind.INTEGER),
        Column("code", _item.code),
        Column("name_cs", _item.name_cs),
        Column("name_en", _item.name_en),
        Column("rate", _item.rate, Kind.INTEGER),
        Column("component", _item.component),
        Column("owner", party.c.code),
        Column("ote_item_type", _item.ote_item_type),
        Column("mark", _item.mark, Kind.CHOICE, MARKS),
        Column("source", _item.source),
    ),
    default_sort=(("rate", False), ("code", False)),
)


class StockItemFacts(Body):
    """What a stock item is for: a rate, and where it must be told apart a component of ours and who invoices (code of
    a party). `ote_item_type`: item code of message 127 as in GET /v1/received-invoices/items, of gas the field."""

    name_cs: Name
    name_en: Name
    rate: Annotated[int, Field(ge=1, le=9999)]
    component: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w.:-]+$")] | None = None
    owner: Code | None = None
    ote_item_type: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[\w.-]+$")] | None = None
    source: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")] = Field(
        description="what the type stands on"
    )


class StockItemIn(StockItemFacts):
    """A new stock item; its code is taken for good."""

    code: Code


class StockItemChange(StockItemFacts):
    """All facts of a stock item, as they are from now on."""

    why: Why


@router.get("/stock-items", summary="Stock items: filter, sort, page")
def find_stock_items(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(OVERVIEW.asked())]
) -> list[dict[str, Any]]:
    """Kmenové karty zboží with their OTE invoice item type; an empty `component` or `owner` means any."""
    page = OVERVIEW.find(connection, asked)
    page.tell(request, response)
    return [plain(row) for row in page.rows]


@router.get("/stock-items/{code}", summary="One stock item")
def get_stock_item(connection: Db, _: Reader, response: Response, code: ItemCode) -> dict[str, Any]:
    """With the tag (ETag) that changing it asks for."""
    return _shown(connection, response, code)


@router.post("/stock-items", status_code=201, summary="Create a stock item")
def post_stock_item(
    connection: Db, person: Operator, clock: Now, response: Response, body: StockItemIn
) -> dict[str, Any]:
    """Refused (409) where the code, or an item for the same rate, component and owner, is there."""
    facts = body.model_dump()
    create_stock_item(connection, facts)
    audit.record(connection, person, "stock_item.create", f"stock_item/{body.code}", {}, clock.now(), after=facts)
    return _shown(connection, response, body.code)


@router.put("/stock-items/{code}", summary="Change a stock item")
def put_stock_item(
    connection: Db, person: Operator, clock: Now, response: Response, code: ItemCode, body: StockItemChange,
    if_match: IfMatch = None,
) -> dict[str, Any]:  # fmt: skip
    """All but its code. Bases that were checked keep their results until they are checked again."""
    before = _told(require_stock_item(connection, code, lock=True))
    require_match(if_match, before, f"the stock item {code}")
    facts = body.model_dump(exclude={"why"})
    revise_stock_item(connection, code, facts)
    subject = f"stock_item/{code}"
    audit.record(
        connection, person, "stock_item.revise", subject, {}, clock.now(), before=before, after=facts, why=body.why
    )
    return _shown(connection, response, code)


def _shown(connection: Db, response: Response, code: str) -> dict[str, Any]:
    told = _told(require_stock_item(connection, code))
    show(response, told)
    return told


def _told(row: Any) -> dict[str, Any]:
    told: dict[str, Any] = plain({**row, "owner": row["owner_code"]})
    del told["owner_code"]
    return told
