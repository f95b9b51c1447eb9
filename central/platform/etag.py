"""Lost updates are refused: a record has a tag (ETag), and who revises it says which state it has seen (If-Match)."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Header, Response

from central.platform.errors import DomainError
from central.platform.plain import plain

IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="the ETag of the record as it was read; without it: 428")
]
"""Parameter type of a route that revises or closes a record."""


class Outdated(DomainError):  # noqa: N818 - named as the field says it
    """Somebody else changed the record since it was read (412)."""

    status = 412


class TagMissing(DomainError):  # noqa: N818 - named as the field says it
    """The request does not say which state of the record it means to change (428)."""

    status = 428


def etag_of(record: Mapping[Any, Any]) -> str:
    """The strong tag of a record: a digest of all that its answer shows, in quotes."""
    text = json.dumps(plain(record), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def show(response: Response, record: Mapping[Any, Any]) -> None:
    """Set the record's tag on the answer that shows it."""
    response.headers["ETag"] = etag_of(record)


def require_match(if_match: str | None, record: Mapping[Any, Any], what: str) -> None:
    """Refuse (428, 412) unless `if_match` names the record's present tag.

    `record` must be read under a lock (`FOR UPDATE`) in the transaction that changes it: whoever waited for the lock
    then sees what the other one has stored. `what` names the thing ("the supply point 8591...").
    """
    if if_match is None or not if_match.strip():
        raise TagMissing(
            "if_match_missing",
            f"The request to change {what} does not say which state it has seen; read it and send its ETag as "
            "If-Match.",
        )
    given = {tag.strip() for tag in if_match.split(",")}
    if "*" not in given and etag_of(record) not in given:
        raise Outdated(
            "changed_meanwhile",
            f"{what[0].upper()}{what[1:]} was changed by somebody since it was read; read it again, look at what is "
            "new, and repeat the change.",
        )
