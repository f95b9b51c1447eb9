"""Routes of documents: store a file, its facts, its octets."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response, UploadFile
from pydantic import BaseModel, Field

from central.documents import files
from central.documents.tables import LARGEST
from central.platform.identity import Person, require
from central.platform.web import Db, Now

router = APIRouter(prefix="/v1", tags=["documents"])

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Identifier = Annotated[int, Field(ge=1, le=2_147_483_647)]


class DocumentOut(BaseModel):
    """A document's facts; `sha256` as hexadecimal digits."""

    id: int
    name: str
    media_type: str
    sha256: str
    size: int
    stored_at: datetime
    stored_by: str


@router.post("/documents", status_code=201, summary="Store a file")
def store_document(connection: Db, person: Operator, clock: Now, file: UploadFile) -> DocumentOut:
    """PDF, JPEG, PNG, WebP, plain text or CSV of at most 20 MiB, as a form's field `file`."""
    octets = file.file.read(LARGEST + 1)
    identifier = files.store(connection, file.filename or "", file.content_type or "", octets, person, clock.now())
    return shown(files.require(connection, identifier))


@router.get("/documents/{identifier}", summary="Facts of a document")
def get_document(connection: Db, _: Reader, identifier: Identifier) -> DocumentOut:
    """Name, type, size, digest, who stored it when."""
    return shown(files.require(connection, identifier))


@router.get("/documents/{identifier}/content", summary="A document", response_class=Response)
def get_content(connection: Db, _: Reader, identifier: Identifier) -> Response:
    """Its octets, always as a download."""
    facts = files.require(connection, identifier)
    name = facts["name"].encode("ascii", "replace").decode().replace("?", "_")
    return Response(
        files.require_octets(connection, identifier),
        media_type=facts["media_type"],
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
            "ETag": f'"{bytes(facts["sha256"]).hex()}"',
        },
    )


def shown(row: Any) -> DocumentOut:
    """A stored row as it is answered."""
    return DocumentOut(**{**row, "sha256": bytes(row["sha256"]).hex()})
