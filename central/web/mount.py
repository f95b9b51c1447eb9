"""Put the pages onto the app: their routes, the sign-in where nobody is signed in, and errors as pages."""

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError

from central.platform.errors import DomainError
from central.web.routes import SignedOutError, page, router

_PAGES = "/m/"


def mount(app: FastAPI) -> None:
    """After the app's own error handlers are there: they stay in charge of everything that is no page."""
    as_json = {kind: app.exception_handlers[kind] for kind in (DomainError, RequestValidationError)}

    @app.exception_handler(SignedOutError)
    async def signed_out(request: Request, _: SignedOutError) -> Response:
        return page(request, "sign_in.html", status=401, session=None)

    @app.exception_handler(DomainError)
    async def refused(request: Request, error: DomainError) -> Response:
        if not request.scope["path"].startswith(_PAGES):
            answer: Response = await as_json[DomainError](request, error)  # type: ignore[misc]  # the app's is a coroutine
            return answer
        return page(request, "page.html", status=error.status, session=None, error=error.message)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        if not request.scope["path"].startswith(_PAGES):
            answer: Response = await as_json[RequestValidationError](request, error)  # type: ignore[misc]
            return answer
        return page(request, "page.html", status=422, session=None, error="The form is not complete; fill it in again.")

    app.include_router(router)
