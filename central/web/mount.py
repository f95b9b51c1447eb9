"""Put the pages onto the app: their routes, the sign-in where nobody is signed in, and errors as pages."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from central.platform.errors import DomainError
from central.web.routes import SignedOutError, page, router

_PAGES = "/m/"

Answer = Callable[[Any], tuple[int, str]]
"""Status of an error and the sentence that its page shows."""
_ANSWERS: dict[type[Exception], Answer] = {
    DomainError: lambda error: (error.status, error.message),
    RequestValidationError: lambda _: (422, "The form is not complete; fill it in again."),
    DataError: lambda _: (422, "A value of the address or form cannot be stored; correct it."),
    HTTPException: lambda error: (error.status_code, f"{error.detail}."),
}


def mount(app: FastAPI) -> None:
    """After the app's own error handlers are there: they stay in charge of everything that is no page."""

    @app.exception_handler(SignedOutError)
    async def signed_out(request: Request, _: SignedOutError) -> Response:
        return page(request, "sign_in.html", status=401, session=None)

    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, _or_page(app.exception_handlers[kind], answer))
    app.include_router(router)


def _or_page(as_json: Any, answer: Answer) -> Any:
    async def handle(request: Request, error: Exception) -> Response:
        if not request.scope["path"].startswith(_PAGES):
            given: Response = await as_json(request, error)
            return given
        status, sentence = answer(error)
        return page(request, "page.html", status=status, session=None, error=sentence)

    return handle
