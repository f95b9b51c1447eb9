"""The app: routes of all rooms, one form of errors, one transaction a request, documentation without a CDN."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from starlette.routing import Route

from central.api.docs import page
from central.api.errors import add_error_handlers
from central.api.openapi import secure
from central.checks.customer.coded import load_at_start
from central.market.format_package import look_into
from central.platform.database import make_engine
from central.platform.hooks import load_hooks
from central.platform.identity import Identities
from central.platform.settings import Settings
from central.web.mount import mount

ROOMS = {
    "platform": "Health and the record of acts.",
    "registry": "Who and where: parties, supply points, contracts.",
    "network": "What measures: concentrators, meters, registers, channels, and the mapping between them.",
    "ingest": "What came in: batches, quarantine, events of concentrators.",
    "readings": "Profiles with versions and qualities, register states, completeness, trace.",
    "tariffs": "Law as data: legislative packages and their prices.",
    "settlement": "Settlement runs and billing bases.",
    "market": "Messages to and from the market operator.",
    "documents": "Templates and files.",
    "checks": "Verdicts over billing bases.",
    "invoicing": "Invoices and their documents.",
    "workflow": "Acts that drive several rooms.",
}

DESCRIPTION = """
From the meter's terminals to the invoice and the market operator.

Every request but `/v1/health` needs `Authorization: Bearer TOKEN`; a token names a person and rights, and every act is
recorded under that name. Errors are `{"code": ..., "message": ...}` with a sentence that says what to do.
Instants are in UTC, metering days are local dates (electricity from midnight, gas from 06:00), energy and volume are
integers in unit x 10^exponent, money is decimal text.
"""

OPEN_PATH = "/v1/health"

_log = structlog.get_logger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The whole interface over the database and the tokens of `settings`."""
    engine = make_engine(settings.database_url, name="rozvodna-api", pool_size=10)
    look_into(settings.home)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(load_at_start, engine)
        yield
        engine.dispose()

    app = FastAPI(
        title="Rozvodna",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        openapi_tags=[{"name": name, "description": text} for name, text in ROOMS.items()],
        lifespan=lifespan,
    )
    tokens = settings.all_tokens()
    if not tokens:
        _log.warning("no tokens are set: everything but /v1/health is refused; set ROZVODNA_TOKENS_FILE")
    app.state.engine = engine
    app.state.settings = settings
    app.state.identities = Identities(tokens)
    add_error_handlers(app)
    load_hooks()
    for router in room_routers():
        # First of all dependencies: a caller without a token never reaches the database.
        app.include_router(router, dependencies=[Depends(identified)])
    secure(app, frozenset({OPEN_PATH}))
    mount(app)
    # made when somebody asks: describing every route takes longer than all the rest of a start
    document = cache(lambda: HTMLResponse(page(app)))
    app.router.routes.append(Route("/docs", lambda _: document(), include_in_schema=False))
    return app


def identified(request: Request) -> None:
    """Every route needs a known caller, whatever right it asks for besides; only health is open.

    The path is the one that was routed: `request.url` is put together with the Host header, which the caller writes.
    """
    if request.scope["path"] != OPEN_PATH:
        identities: Identities = request.app.state.identities
        identities.require(request.headers.get("authorization"))


def room_routers() -> list[APIRouter]:
    """`central.<room>.api.router` of every room that has one, in the order of ROOMS."""
    found = []
    for room in ROOMS:
        if find_spec(f"central.{room}") and find_spec(f"central.{room}.api"):
            router: APIRouter = import_module(f"central.{room}.api").router
            found.append(router)
    return found
