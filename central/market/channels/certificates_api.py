"""Routes of the certificates: what is in use, until when, and what runs out."""

from datetime import UTC
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from central.market.channels import quota
from central.market.channels.certificates import Expiry, judge_expiry
from central.market.channels.open_channels import channel_settings
from central.market.channels.watch import list_days_left, metrics, shown
from central.platform.identity import Person, require
from central.platform.settings import Settings
from central.platform.web import Db, Now

router = APIRouter()

Reader = Annotated[Person, Depends(require("read"))]


@router.get("/certificates", summary="Certificates of the channels")
def find_certificates(
    request: Request, _: Reader, clock: Now, within_days: Annotated[int | None, Query(ge=0, le=36_500)] = None
) -> list[dict[str, Any]]:
    """Ours and the counterparties', the one that runs out first in front; `within_days`: only what runs out so soon."""
    found = _expiries(request, clock)
    return [shown(expiry) for expiry in found if within_days is None or expiry.days_left < within_days]


@router.get("/metrics", summary="Certificates and strangers, for Prometheus", response_class=Response)
def get_metrics(request: Request, _: Reader, db: Db, clock: Now) -> Response:
    """Gauges in the text format of Prometheus; of what strangers brought, today's (UTC)."""
    at = clock.now()
    found = channel_settings(request.app.state.settings)
    lists = {} if found is None else list_days_left(found, at)
    text = metrics(_expiries(request, clock), lists, quota.find(db, at.astimezone(UTC).date()))
    return Response(text, media_type="text/plain; version=0.0.4")


def _expiries(request: Request, clock: Now) -> list[Expiry]:
    settings: Settings = request.app.state.settings
    found = channel_settings(settings)
    if found is None:
        return []
    return judge_expiry(found.watched(), clock.now(), found.source.warn_days)
