"""One form for all errors: a code and a sentence."""

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from starlette.exceptions import HTTPException

from central.platform.constraints import explain
from central.platform.errors import DomainError

_log = structlog.get_logger(__name__)


def add_error_handlers(app: FastAPI) -> None:
    """Errors of the field keep their status; what the database refuses is 409 or 422; the rest is logged and 500."""

    @app.exception_handler(DomainError)
    async def domain(_: Request, error: DomainError) -> JSONResponse:
        return _answer(error.status, error.code, error.message)

    @app.exception_handler(IntegrityError)
    async def integrity(_: Request, error: IntegrityError) -> JSONResponse:
        explained = explain(error)
        return _answer(explained.status, explained.code, explained.message)

    @app.exception_handler(DataError)
    async def data(_: Request, error: DataError) -> JSONResponse:
        reason = getattr(getattr(error.orig, "diag", None), "message_primary", None) or "it cannot be stored"
        return _answer(422, "out_of_range", f"A value is out of the range that it may have: {reason}.")

    @app.exception_handler(RequestValidationError)
    async def validation(_: Request, error: RequestValidationError) -> JSONResponse:
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        return _answer(422, "input", f"The request is not in the expected form: {'; '.join(faults)}.")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        message = f"{error.detail}: {request.method} {request.url.path}."
        return _answer(error.status_code, "http", message, error.headers)

    @app.exception_handler(OperationalError)
    async def refused_or_away(request: Request, error: OperationalError) -> JSONResponse:
        return _away(request, error.orig)

    @app.exception_handler(psycopg.OperationalError)
    async def away_in_copy(request: Request, error: psycopg.OperationalError) -> JSONResponse:
        return _away(request, error)

    @app.exception_handler(NoConnectionLeft)
    async def busy(request: Request, error: NoConnectionLeft) -> JSONResponse:
        _log.warning("no database connection left", path=request.url.path)
        return _answer(503, "busy", "The system is busy with other requests; try again in a moment.")

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        _log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
        return _answer(500, "internal", "The request failed by a fault of the system; it is in the log.")


def _away(request: Request, error: BaseException | None) -> JSONResponse:
    """The database is not there; unless it says that a value is beyond its limits (an indexed text, for instance)."""
    if isinstance(error, psycopg.errors.ProgramLimitExceeded):
        return _answer(422, "too_long", "A value is longer than it may be; shorten it.")
    _log.warning("database away", path=request.url.path, error=str(error))
    return _answer(503, "database_away", "The database does not answer at present; try again in a moment.")


def _answer(status: int, code: str, message: str, headers: object = None) -> JSONResponse:
    extra = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if isinstance(headers, dict):
        extra.update(headers)
    return JSONResponse({"code": code, "message": message}, status, headers=extra)
