"""What the network's routes share: rights, the key store, strict bodies."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from central.network.configuration_body import DEEPEST, depth
from central.network.meter_keys import KeyStore
from central.platform.identity import Person, require

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Admin = Annotated[Person, Depends(require("admin"))]

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A name or a sentence of a person."""
Note = Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00]*$")]
Reason = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"^[^\x00]*\S[^\x00]*$")]
"""Why something is done; kept with the act."""
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _likely(at: datetime) -> datetime:
    if not EARLIEST <= at < LATEST:
        raise ValueError(f"must lie between {EARLIEST.year} and {LATEST.year}")
    return at


def _storable(tree: dict[str, Any]) -> dict[str, Any]:
    if depth(tree) > DEEPEST:
        raise ValueError(f"is nested deeper than {DEEPEST} levels")
    try:
        octets = json.dumps(tree, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise ValueError("holds a number or a character that cannot be stored") from None
    if b"\\u0000" in octets:
        raise ValueError("holds the character NUL, which cannot be stored")
    return tree


Instant = Annotated[AwareDatetime, AfterValidator(_likely)]
"""An instant with an offset; a year far off is a slip."""
Tree = Annotated[dict[str, Any], AfterValidator(_storable)]
"""A part of a configuration: JSON that can be stored and walked through."""
Identifier = Annotated[int, Field(ge=1, le=2_147_483_647)]


class Body(BaseModel):
    """A request's body: fields beyond the named ones are refused."""

    model_config = ConfigDict(extra="forbid")


def key_store(request: Request) -> KeyStore:
    """The key store of the app's settings; its file is not touched before it is needed."""
    return KeyStore(request.app.state.settings.store_key_path)


Store = Annotated[KeyStore, Depends(key_store)]
