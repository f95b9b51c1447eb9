"""The technician's pages: today's orders, one order, its result. They work on a phone, without a script too (but for
the signature)."""

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request, Response, UploadFile
from fastapi.responses import FileResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import Connection, RowMapping, or_

from central.documents import files
from central.documents.tables import LARGEST
from central.network.maintenance import work_orders
from central.network.maintenance.order_tables import work_order
from central.network.maintenance.overviews import shown_order
from central.platform.errors import BadInput, DomainError, NotAllowed, NotFound
from central.platform.web import Db, Now
from central.web import sessions
from central.web.sessions import COOKIE, Session
from central.web.texts import LANGUAGES, language_of, words, written_day
from central.workflow.work_results import Attached, documents_of, finish_with_results, registers_of
from shared.metering_day import PRAGUE

router = APIRouter(prefix="/m", include_in_schema=False)

_HERE: Final = Path(__file__).parent
_STATIC: Final = {"pages.css": "text/css", "signature.js": "text/javascript"}
_PHOTOS: Final = 20
_SIGNATURE: Final = "data:image/png;base64,"
_LARGEST_SIGNATURE: Final = 1_000_000
_SAFE: Final = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_pages = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined)


class SignedOutError(Exception):
    """Nobody is signed in: show the form."""


def signed_in(request: Request, connection: Db, clock: Now) -> Session:
    """The session of the request's cookie."""
    tokens = request.app.state.settings.all_tokens()
    session = sessions.find(connection, tokens, request.cookies.get(COOKIE), clock.now())
    if session is None:
        raise SignedOutError
    return session


SignedIn = Annotated[Session, Depends(signed_in)]


@router.get("/static/{name}")
def get_static(name: str) -> FileResponse:
    """Style and script of the pages."""
    if name not in _STATIC:
        raise NotFound("file_not_found", f"There is no file {name!r} of the pages.")
    return FileResponse(
        _HERE / "static" / name, media_type=_STATIC[name], headers={"X-Content-Type-Options": "nosniff"}
    )


@router.post("/sign-in")
def sign_in(request: Request, connection: Db, clock: Now, token: Annotated[str, Form(max_length=500)]) -> Response:
    """Take a token, answer with a cookie."""
    try:
        cookie = sessions.begin(connection, request.app.state.identities, token, clock.now())
    except DomainError as error:
        return page(request, "sign_in.html", status=error.status, session=None, error=error.message)
    answer = RedirectResponse("/m/", status_code=303)
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=int(sessions.LASTS.total_seconds()),
        path="/m",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/sign-out")
def sign_out(
    request: Request, connection: Db, session: SignedIn, form_key: Annotated[str, Form(max_length=200)]
) -> Response:
    """End the session."""
    sessions.check_form(session, form_key)
    sessions.end(connection, request.cookies.get(COOKIE))
    answer = RedirectResponse("/m/", status_code=303)
    answer.delete_cookie(COOKIE, path="/m")
    return answer


@router.get("/")
def show_orders(request: Request, connection: Db, clock: Now, session: SignedIn) -> Response:
    """What is on the way today and what is left from before, in the order of the route."""
    today = clock.now().astimezone(PRAGUE).date()
    query = shown_order.where(
        work_order.c.state.in_(("assigned", "under_way")),
        or_(work_order.c.planned_on <= today, work_order.c.state == "under_way"),
    ).order_by(work_order.c.assignee, work_order.c.planned_on, work_order.c.route_order, work_order.c.id)
    if not session.sees_all:
        query = query.where(work_order.c.assignee == session.person.name)
    orders = connection.execute(query.limit(500)).mappings().all()
    return page(request, "orders.html", session=session, orders=orders, today=today)


@router.get("/orders/{number}")
def show_order(request: Request, connection: Db, clock: Now, session: SignedIn, number: str) -> Response:
    """One order with what is to be filled in."""
    _own(connection, session, number)
    return _order_page(request, connection, session, number, clock.now())


@router.post("/orders/{number}/begin")
def begin(
    request: Request,
    connection: Db,
    clock: Now,
    session: SignedIn,
    number: str,
    form_key: Annotated[str, Form(max_length=200)],
) -> Response:
    """The technician is there."""
    sessions.check_form(session, form_key)
    work_orders.begin(connection, _own(connection, session, number, locked=True), session.person, clock.now())
    return RedirectResponse(f"/m/orders/{number}", status_code=303)


@router.post("/orders/{number}/finish")
def finish(
    request: Request,
    connection: Db,
    clock: Now,
    session: SignedIn,
    number: str,
    form_key: Annotated[str, Form(max_length=200)],
    result: Annotated[str, Form(max_length=1_000)],
    outcome: Annotated[str, Form(pattern="^(done|failed)$")],
    registers: Annotated[list[str] | None, Form(alias="register")] = None,
    state: Annotated[list[str] | None, Form()] = None,
    photo: list[UploadFile] | None = None,
    signature: Annotated[str, Form()] = "",
) -> Response:
    """All or nothing; on a fault the page comes again with what was written and a sentence on it."""
    sessions.check_form(session, form_key)
    order = _own(connection, session, number, locked=True)
    written = dict(zip(registers or [], state or [], strict=False))
    now = clock.now()
    try:
        with connection.begin_nested():
            attached = [*_photos(photo or []), *_signature(signature, number)]
            states = [(name, text) for name, text in written.items() if text.strip()]
            finish_with_results(
                connection, order, states, attached, result.replace("\0", ""), outcome == "done", session.person, now
            )
    except DomainError as error:
        return _order_page(request, connection, session, number, now, error=error, written=written, result=result)
    return RedirectResponse("/m/", status_code=303)


@router.get("/orders/{number}/documents/{identifier}")
def get_document(connection: Db, session: SignedIn, number: str, identifier: int) -> Response:
    """A photo or signature of the order."""
    order = _own(connection, session, number)
    if identifier not in {each["id"] for each in documents_of(connection, order["id"])}:
        raise NotFound("document_not_found", f"The work order {number} has no document {identifier}.")
    facts = files.require(connection, identifier)
    return Response(files.require_octets(connection, identifier), media_type=facts["media_type"], headers=_SAFE)


def page(request: Request, template: str, status: int = 200, **facts: Any) -> Response:
    """A page in the language that was asked for; the choice is kept in a cookie."""
    language = language_of(
        request.query_params.get("lang") or request.cookies.get("lang"), request.headers.get("accept-language")
    )
    facts = {"error": None, **facts, "language": language, "words": words(language), "local": _local}
    facts["day"] = partial(written_day, language=language)
    answer = Response(_pages.get_template(template).render(**facts), status, headers=_SAFE, media_type="text/html")
    if request.query_params.get("lang") in LANGUAGES:
        answer.set_cookie("lang", language, path="/m", samesite="strict")
    return answer


def _order_page(
    request: Request,
    connection: Connection,
    session: Session,
    number: str,
    now: datetime,
    *,
    error: DomainError | None = None,
    written: dict[str, str] | None = None,
    result: str = "",
) -> Response:
    order = connection.execute(shown_order.where(work_order.c.number == number)).mappings().one()
    registers = registers_of(connection, order["meter"], now) if order["meter"] else []
    stored = work_orders.require_order(connection, number)
    return page(
        request,
        "order.html",
        status=error.status if error else 200,
        session=session,
        order=order,
        registers=registers,
        written={each.name: (written or {}).get(each.name, "") for each in registers},
        result=result,
        documents=documents_of(connection, stored["id"]),
        error=error.message if error else None,
    )


def _own(connection: Connection, session: Session, number: str, *, locked: bool = False) -> RowMapping:
    order = work_orders.require_order(connection, number, locked=locked)
    if not session.sees_all and order["assignee"] != session.person.name:
        raise NotAllowed("not_yours", f"The work order {number} is not assigned to {session.person.name}.")
    return order


def _photos(given: list[UploadFile]) -> Iterator[Attached]:
    chosen = [each for each in given if each.filename]
    if len(chosen) > _PHOTOS:
        raise BadInput("photos", f"A result takes at most {_PHOTOS} photos; given: {len(chosen)}.")
    for each in chosen:
        yield Attached("photo", each.filename or "", each.content_type or "", each.file.read(LARGEST + 1))


def _signature(text: str, number: str) -> Iterator[Attached]:
    if not text:
        return
    try:
        if not text.startswith(_SIGNATURE) or len(text) > _LARGEST_SIGNATURE:
            raise ValueError("no drawing")
        octets = base64.b64decode(text.removeprefix(_SIGNATURE), validate=True)
    except (ValueError, binascii.Error):
        raise BadInput("signature", "The signature is no drawing of this page; draw it again.") from None
    yield Attached("signature", f"{number}.png", "image/png", octets)


def _local(at: datetime) -> str:
    return at.astimezone(PRAGUE).strftime("%d.%m.%Y %H:%M")
