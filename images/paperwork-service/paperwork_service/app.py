"""Wires the service to the contract: upload, process, generate, their undo, look-up, clean-up."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import shutil
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from heal7_contract import Context, Problem, Service, StoredAction, clock
from heal7_contract.settings import from_env
from paperwork_service.generate import (
    MEDIA_TYPES,
    Format,
    GenerateRequest,
    described,
    document_id_of,
    file_name,
    paper_of,
    sums_of,
)
from paperwork_service.limits import LIMITS
from paperwork_service.models import (
    AVAILABLE,
    Deleted,
    DocumentDetail,
    DocumentOut,
    GenerateResult,
    ProcessRequest,
    ProcessResult,
    SumsOut,
    TemplatesOut,
)
from paperwork_service.open_document import BusyError, Opener
from paperwork_service.shelf import FullError, Shelf
from paperwork_service.sniff import DocumentError, Kind, sniff
from paperwork_service.summary import summarise

# "processed" held results of an older shape, which nothing reads any more.
DOCUMENTS, PROCESSED = "documents", "readings"
_SWEEP_SECONDS = 3600.0
_log = logging.getLogger("heal7.paperwork")

service = Service(
    name="paperwork-service",
    version="0.1.0",
    port=8010,
    max_body_bytes=LIMITS.file_bytes + 100_000,
)
service.documents(DOCUMENTS, keep=LIMITS.stored_documents, max_age_s=LIMITS.stored_seconds)
service.documents(PROCESSED, keep=2_000, max_age_s=LIMITS.stored_seconds)
opener = Opener(LIMITS)

DocumentId = Annotated[str, Field(pattern=r"^doc_[0-9a-f]{32}$")]
_UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "PDF, docx, xlsx, PNG, JPEG, TIFF, WebP, BMP or GIF",
                        }
                    },
                }
            }
        },
    }
}


def shelf() -> Shelf:
    """The folder `documents` beside the service's SQLite file, as HEAL7_DATA says."""
    data = from_env(os.environ, name=service.name, port=service.port).data
    return Shelf(data.parent / "documents", LIMITS.stored_bytes)


@service.post(
    "/documents",
    status_code=201,
    response_model=DocumentOut,
    openapi_extra=_UPLOAD_BODY,
    errors={
        400: "The body is not valid multipart",
        413: "The file is too large",
        415: "The file is of no kind that is read",
        422: "No file, or one that is empty, broken, encrypted or a zip bomb",
        507: "The documents' space is used up",
    },
)
async def upload(request: Request) -> JSONResponse:
    """Stores a PDF, docx, xlsx or picture; the same bytes again are the same document."""
    async with request.form(max_files=1, max_fields=8) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Problem(
                422,
                code="file_missing",
                title="There is no file",
                detail="The form has no file in the field `file`.",
                remedy="Send multipart/form-data, as in: curl -F file=@invoice.pdf …/documents",
            )
        name, data = file.filename or "", await file.read()
    try:
        stored = await service.offload(_store, name, data)
    except DocumentError as fault:
        raise _refused(fault) from None
    return JSONResponse(stored.model_dump(), status_code=201)


def _store(name: str, data: bytes) -> DocumentOut:
    kind = sniff(data, LIMITS)
    try:
        document_id, _ = shelf().put(data)
    except (FullError, OSError) as error:
        raise _full(error) from None
    return _record_document(document_id, _plain_name(name), kind, data)


def _store_generated(document_id: str, name: str, form: Format, template: str, data: bytes) -> None:
    try:
        shelf().put_as(document_id, data)
    except (FullError, OSError) as error:
        raise _full(error) from None
    _record_document(document_id, name, form, data, template)


def _full(error: Exception) -> Problem:
    return Problem(
        507,
        code="storage_full",
        title="The document can not be stored",
        detail=f"The documents' folder takes no more: {error}.",
        remedy="DELETE documents that are no longer needed, or enlarge the volume.",
    )


def _record_document(
    document_id: str, name: str, kind: Kind, data: bytes, template: str | None = None
) -> DocumentOut:
    moment = datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="milliseconds")
    document = DocumentOut(
        document_id=document_id,
        name=name,
        kind=kind,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        uploaded=moment.replace("+00:00", "Z"),
        template=template,
    )
    service.store.put(DOCUMENTS, document_id, document.model_dump())
    return document


def _plain_name(name: str) -> str:
    """For people only, never a path: no folders, no control characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in last if char.isprintable())[:200] or "document"


@service.action(
    "process",
    request=ProcessRequest,
    result=ProcessResult,
    errors={
        404: "No such document",
        422: "An operation that does not exist, or a document that can not be read",
    },
)
async def process(body: ProcessRequest, ctx: Context) -> ProcessResult:
    """Reads a stored document: `extract` text, tables and facts, `ocr` pictures, `classify` it."""
    _check_operations(body.operations)
    document = await ctx.offload(_document, body.document_id)
    kind: Kind = document.kind
    try:
        path = shelf().path(body.document_id)
        reading = await opener.read(kind, path, ocr="ocr" in body.operations)
    except BusyError as busy:
        raise _busy(busy) from None
    except DocumentError as fault:
        raise _refused(fault) from None
    result = await ctx.offload(summarise, body.document_id, kind, reading, body.operations)
    await ctx.offload(ctx.store.put, PROCESSED, ctx.action_id, _record(ctx.action_id, result))
    return result


@process.compensate
def undo_process(record: StoredAction, reason: str) -> None:
    """Deletes what the action stored. The document was there before and stays."""
    service.store.delete(PROCESSED, record.id)


@service.action(
    "generate",
    request=GenerateRequest,
    result=GenerateResult,
    errors={
        422: "Data that do not fit the template, sums that do not hold, a letter without a shape",
        507: "The documents' space is used up",
    },
)
async def generate(body: GenerateRequest, ctx: Context) -> GenerateResult:
    """Makes a document of a template and keeps it; GET /documents/{id}/file fetches it."""
    wanted = body.root
    paper = paper_of(wanted)
    try:
        data, pages = await opener.write(paper, wanted.format)
    except BusyError as busy:
        raise _busy(busy) from None
    except DocumentError as fault:
        raise _refused(fault, "The document can not be made") from None
    document_id, name = document_id_of(ctx.action_id), file_name(paper, wanted.format)
    await ctx.offload(_store_generated, document_id, name, wanted.format, wanted.template, data)
    sums = sums_of(wanted)
    return GenerateResult(
        document_id=document_id,
        template=wanted.template,
        format=wanted.format,
        name=name,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        pages=pages,
        totals=SumsOut(**sums) if sums else None,
        file=f"/documents/{document_id}/file",
    )


@generate.compensate
def undo_generate(record: StoredAction, reason: str) -> None:
    """Deletes the document that the action made, and what was read from it since."""
    _forget(document_id_of(record.id))


@service.get("/templates", response_model=TemplatesOut)
def templates() -> TemplatesOut:
    """Every template with the schema of its data and an example body for generate."""
    return TemplatesOut(templates=described())


@service.get(
    "/documents/{document_id}/file",
    errors={404: "No such document"},
    response_class=Response,
    openapi_extra={
        "responses": {
            "200": {
                "description": "The file",
                "content": {
                    media: {"schema": {"type": "string", "format": "binary"}}
                    for media in sorted({*MEDIA_TYPES.values(), "application/octet-stream"})
                },
            }
        }
    },
)
def read_file(document_id: DocumentId) -> Response:
    """The document's own bytes, as they were uploaded or generated."""
    document = _document(document_id)
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(document.name)}",
        # It came from a stranger: no browser may take it for anything else.
        "x-content-type-options": "nosniff",
    }
    media_type = MEDIA_TYPES.get(document.kind, "application/octet-stream")
    data = shelf().path(document_id).read_bytes()
    return Response(data, headers=headers, media_type=media_type)


@service.get(
    "/documents/{document_id}", errors={404: "No such document"}, response_model=DocumentDetail
)
def read_document(document_id: DocumentId) -> DocumentDetail:
    """What is known of a document, with the newest result of `process`."""
    document = _document(document_id)
    runs = service.store.find(PROCESSED, where={"document_id": document_id})
    latest = ProcessResult.model_validate(runs[0]["result"]) if runs else None
    ids = [run["id"] for run in runs]
    return DocumentDetail(**document.model_dump(), process_ids=ids, latest=latest)


@service.delete(
    "/documents/{document_id}", errors={404: "No such document"}, response_model=Deleted
)
def delete_document(document_id: DocumentId) -> Deleted:
    """Deletes a document, its file and every stored result."""
    _document(document_id)
    _forget(document_id)
    return Deleted(id=document_id, deleted=True)


def _forget(document_id: str) -> None:
    while runs := service.store.find(PROCESSED, where={"document_id": document_id}):
        for run in runs:
            service.store.delete(PROCESSED, run["id"])
    service.store.delete(DOCUMENTS, document_id)
    shelf().remove(document_id)


@service.ready_check("ocr")
def ocr_is_there() -> str | None:
    """Without it pictures would be taken and never read."""
    return None if shutil.which("tesseract") else "tesseract is not installed"


@service.background("sweep")
async def sweep() -> None:
    """Removes files whose record has expired or was never written."""
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        removed = await service.offload(sweep_once)
        if removed:
            _log.info("removed %d files that no document knows", removed)


def sweep_once() -> int:
    """One pass; returns the number of files removed."""
    store = service.store
    return shelf().sweep(lambda name: store.get(DOCUMENTS, name) is not None, clock.now())


def _document(document_id: str) -> DocumentOut:
    stored = service.store.get(DOCUMENTS, document_id)
    if stored is None or not shelf().path(document_id).is_file():
        raise Problem(
            404,
            code="document_not_found",
            title="No such document",
            detail=f"There is no document {document_id}; it may have expired or been deleted.",
            remedy="Upload it with POST /documents and use the document_id of the reply.",
        )
    return DocumentOut.model_validate(stored)


def _check_operations(operations: list[str]) -> None:
    unknown = [name for name in operations if name not in AVAILABLE]
    if not unknown:
        return
    raise Problem(
        422,
        code="operation_unavailable",
        title="The operation is not available",
        detail=f"`{unknown[0]}` does not exist; available: {', '.join(AVAILABLE)}.",
        remedy="Leave it out of `operations`.",
        unavailable=unknown,
        available=list(AVAILABLE),
    )


def _busy(busy: BusyError) -> Problem:
    return Problem(
        503,
        code="busy",
        title="The service is busy",
        detail=f"{busy}.",
        remedy="Ask again with the same key after Retry-After seconds.",
        headers={"Retry-After": "5"},
    )


def _refused(fault: DocumentError, title: str = "The document can not be taken") -> Problem:
    return Problem(
        fault.status,
        code=fault.code,
        title=title,
        detail=fault.detail,
        remedy=fault.remedy,
    )


def _record(action_id: str, result: ProcessResult) -> dict[str, Any]:
    return {"id": action_id, "document_id": result.document_id, "result": result.model_dump()}
