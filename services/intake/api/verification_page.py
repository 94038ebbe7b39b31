"""The public page that verifies sealed files, and the same for programs. Nothing of a file is kept, not for a moment."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import Response

from chassis.clock import CHINA_TIME
from chassis.errors import BODY_TOO_LARGE, FIELD_REQUIRED, INVALID_REQUEST, Fault, refuse
from chassis.web.problems import BODY_MALFORMED, status_of
from services.intake.api.doors import Doors, DoorsHere, source_of
from services.intake.api.file_views import FileView, file_view
from services.intake.api.uploads import FORM_OVERHEAD_BYTES, MAX_UPLOAD_BYTES
from services.intake.api.verifications import VERIFICATIONS_BY_SOURCE
from services.intake.api.wording import CHECKS, PARTS, RESULTS, VERDICTS
from services.intake.usecases.file_verification import FileReport
from standards.annotated_copy import copy_mark

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
_HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
_pages = Environment(
    loader=PackageLoader("services.intake.api", "pages"), autoescape=True, undefined=StrictUndefined
)
_style = files("services.intake.api").joinpath("pages", "verify.css").read_bytes()
router = APIRouter(tags=["verifications"])


class _InMemory(MultiPartParser):
    """Keeps what is uploaded off the disk; the route bounds it."""

    spool_max_size = MAX_UPLOAD_BYTES + FORM_OVERHEAD_BYTES


@router.get("/verify", summary="电子印章核验页", response_class=HTMLResponse)
async def show_page() -> HTMLResponse:
    """Show the form: one file, no script."""
    return _page()


@router.get(
    "/verify.css",
    summary="核验页样式",
    response_class=Response,
    responses={200: {"content": {"text/css": {"schema": {"type": "string"}}}}},
)
async def show_style() -> Response:
    """Return the style of the page."""
    return Response(_style, media_type="text/css")


@router.post(
    "/v1/verifications",
    summary="核验 OFD 或 PDF 文件",
    max_body_size=MAX_UPLOAD_BYTES + FORM_OVERHEAD_BYTES,
    response_model=FileView,
    responses=_HTML,
    openapi_extra=_FORM,
)
async def verify_file(request: Request, doors: DoorsHere) -> Response:
    """Verify a sealed OFD or PDF of at most 20 MB, check by check; HTML for whoever accepts that, else JSON."""
    if "text/html" not in request.headers.get("accept", ""):
        report = await _verified(request, doors)
        return JSONResponse(file_view(report).model_dump(mode="json"))
    request.state.fault_page = _fault_page  # also for a body that is too large to be read
    try:
        return _page(await _verified(request, doors))
    except Fault as fault:
        return _fault_page(fault)


async def _verified(request: Request, doors: Doors) -> FileReport:
    await doors.limits.check(VERIFICATIONS_BY_SOURCE, source_of(request))
    content = await _uploaded(request)
    report = await doors.seals.verify_file(content)
    return replace(report, annotated_copy=await asyncio.to_thread(copy_mark, content))


async def _uploaded(request: Request) -> bytes:
    """Return the one file of the form. Raises INVALID_REQUEST, BODY_TOO_LARGE."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        refuse([FIELD_REQUIRED.at("file")])
    try:
        form = await _InMemory(request.headers, request.stream(), max_files=1, max_fields=4).parse()
    except (MultiPartException, KeyError, UnicodeError) as problem:
        raise INVALID_REQUEST(violations=[BODY_MALFORMED.at("body")]) from problem
    try:
        file = form.get("file")
        content = await file.read(MAX_UPLOAD_BYTES + 1) if isinstance(file, UploadFile) else b""
    finally:
        await form.close()
    if len(content) > MAX_UPLOAD_BYTES:
        raise BODY_TOO_LARGE(limit_bytes=MAX_UPLOAD_BYTES)
    refuse([] if content else [FIELD_REQUIRED.at("file")])
    return content


def _fault_page(fault: Fault) -> HTMLResponse:
    return _page(fault=fault)


def _page(report: FileReport | None = None, fault: Fault | None = None) -> HTMLResponse:
    shown: dict[str, Any] = {
        "report": report,
        "fault": fault,
        "most_mb": MAX_UPLOAD_BYTES >> 20,
        "checks": CHECKS,
        "results": RESULTS,
        "verdicts": VERDICTS,
        "parts": PARTS,
        "time": _time,
    }
    content = _pages.get_template("verify.html").render(shown)
    if fault is None:
        return HTMLResponse(content)
    wait = fault.retry_after_seconds
    headers = {"retry-after": str(max(1, math.ceil(wait)))} if wait is not None else None
    return HTMLResponse(content, status_of(fault), headers)


def _time(moment: datetime | None) -> str:
    return moment.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S") if moment else "—"
