"""Routes of the export for the accounting."""

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, Response

from central.invoicing.payments.api import Payer, Reader, rows, shown
from central.invoicing.payments.bodies import ExportOrder, PathId
from central.invoicing.payments.journal import export_period, find_exports, require_file
from central.platform.web import Db, Now

router = APIRouter(prefix="/v1/journal-exports", tags=["invoicing"])


@router.post("", status_code=201, summary="Hand a period to the accounting")
def export(order: ExportOrder, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """Once; its files then stay as they are."""
    made = export_period(connection, order.seller, order.since, order.until, person, clock.now())
    return shown(asdict(made) | {"sums": {currency: f"{amount:f}" for currency, amount in made.sums.items()}})


@router.get("", summary="Periods that were handed over")
def exports(connection: Db, _: Reader) -> list[dict[str, Any]]:
    """Newest first."""
    return rows(find_exports(connection))


@router.get("/{export}/{form}", summary="A file of an export")
def export_file(export: PathId, form: Literal["csv", "pohoda"], connection: Db, _: Reader) -> Response:
    """The same octets each time."""
    row = require_file(connection, export, form)
    name, media = (f"{export}.csv", "text/csv") if form == "csv" else (f"{export}.xml", "application/xml")
    headers = {"Content-Disposition": f'attachment; filename="journal-{name}"'}
    return Response(bytes(row.content), media_type=media, headers=headers)
