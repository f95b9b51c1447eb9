"""What every room's router needs: the request's transaction, its clock and its caller."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection, Engine

from central.platform.clock import get_clock
from central.platform.database import transaction
from shared.clock import Clock


def request_connection(request: Request) -> Iterator[Connection]:
    """One transaction a request, committed once, before the answer leaves (`scope="function"` below).

    The app carries its engine in `app.state.engine`.
    """
    engine: Engine = request.app.state.engine
    with transaction(engine) as connection:
        yield connection


Db = Annotated[Connection, Depends(request_connection, scope="function")]
"""Parameter type of a route that reads or writes the database."""

Now = Annotated[Clock, Depends(get_clock)]
"""Parameter type of a route that asks for the time."""
