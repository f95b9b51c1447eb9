"""What the network's routes share: rights, the key store, strict bodies."""

from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field

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
Identifier = Annotated[int, Field(ge=1, le=2_147_483_647)]


class Body(BaseModel):
    """A request's body: fields beyond the named ones are refused."""

    model_config = ConfigDict(extra="forbid")


def key_store(request: Request) -> KeyStore:
    """The key store of the app's settings; its file is not touched before it is needed."""
    return KeyStore(request.app.state.settings.store_key_path)


Store = Annotated[KeyStore, Depends(key_store)]
