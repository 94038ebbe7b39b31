"""Faults as RFC 9457 problem documents: Chinese first, English beside it, every wrong field at once."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from chassis.errors import (
    BODY_TOO_LARGE,
    FIELD_MALFORMED,
    FIELD_REQUIRED,
    FIELD_TOO_LONG,
    INTERNAL,
    INVALID_REQUEST,
    Fault,
    Kind,
    Violation,
    declare,
)
from chassis.logs import get_logger

MEDIA_TYPE = "application/problem+json"
LONG_TYPES = frozenset({"string_too_long", "too_long", "bytes_too_long"})
EMPTY_TYPES = frozenset({"missing", "string_too_short", "too_short"})
_PLACES = frozenset({"body", "query", "path", "header", "cookie"})

FIELD_UNKNOWN = declare("FIELD_UNKNOWN", Kind.INVALID_ARGUMENT, "没有这一项", "No such field")
BODY_MALFORMED = declare("BODY_MALFORMED", Kind.INVALID_ARGUMENT, "内容无法读取", "The body cannot be read")
ROUTE_UNKNOWN = declare("ROUTE_UNKNOWN", Kind.NOT_FOUND, "没有这个地址", "No such address")
METHOD_UNKNOWN = declare(
    "METHOD_UNKNOWN", Kind.INVALID_ARGUMENT, "此地址不支持这种操作", "The address does not take this method"
)
_STATUS = {"BODY_TOO_LARGE": 413, "BODY_TOO_SLOW": 408, "HEADERS_TOO_LARGE": 431, "METHOD_UNKNOWN": 405}
"""HTTP statuses finer than what the kind says."""

log = get_logger(__name__)


def problem_of(fault: Fault, *, trace_id: str = "", request_id: str = "") -> JSONResponse:
    """Return the response for a fault: status, problem document, ``Retry-After`` where it has one.

    The stable code is there as ``reason`` and ``code``, the texts as ``detail``/``detail_en`` and
    ``title``/``title_en``, in the document and in each of its violations.
    """
    status = status_of(fault)
    document: dict[str, Any] = {
        "type": f"urn:tongban:reason:{fault.code}",
        "title": fault.zh,
        "title_en": fault.en,
        "status": status,
        "code": fault.code,
        "reason": fault.code,
        "detail": fault.zh,
        "detail_en": fault.en,
        "metadata": fault.metadata,
        "violations": [_entry(each) for each in fault.violations],
        "trace_id": trace_id,
        "request_id": request_id,
    }
    headers = {}
    if fault.retry_after_seconds is not None:
        document["retry_after_seconds"] = fault.retry_after_seconds
        headers["retry-after"] = str(max(1, math.ceil(fault.retry_after_seconds)))
    kept = {name: value for name, value in document.items() if value not in ("", [], {})}
    return JSONResponse(kept, status, headers, media_type=MEDIA_TYPE)


def status_of(fault: Fault) -> int:
    """Return the HTTP status that says a fault."""
    return _STATUS.get(fault.code, fault.kind.http_status)


def fault_of(problem: Exception) -> Fault:
    """Return the fault to show for an exception; anything untyped is logged and INTERNAL."""
    if isinstance(problem, Fault):
        try:
            _ = problem.zh, problem.en, [(each.zh, each.en) for each in problem.violations]
        except (KeyError, IndexError):
            log.exception("fault_without_its_metadata", reason=problem.code)
        else:
            return problem
    incident = secrets.token_hex(6)
    log.error("request_failed", incident=incident, exc_info=problem)
    return INTERNAL(incident=incident)


def fault_of_status(status: int, limit_bytes: int | None = None) -> Fault:
    """Return the fault that a bare status of the framework stands for."""
    if status == 413:
        return BODY_TOO_LARGE(limit_bytes=limit_bytes or 0)
    if status == 405:
        return METHOD_UNKNOWN()
    if status == 404:
        return ROUTE_UNKNOWN()
    return INVALID_REQUEST(violations=[BODY_MALFORMED.at("body")])


def invalid(errors: Iterable[Mapping[str, Any]]) -> Fault:
    """Return INVALID_REQUEST for pydantic's errors; the values sent never appear in it."""
    return INVALID_REQUEST(violations=[_violation(each) for each in errors])


def _violation(error: Mapping[str, Any]) -> Violation:
    kind, context = str(error["type"]), error.get("ctx") or {}
    path = _path(error["loc"])
    if kind == "json_invalid":
        return BODY_MALFORMED.at("body")
    if kind in LONG_TYPES:
        return FIELD_TOO_LONG.at(path, limit=context.get("max_length", ""))
    if kind in EMPTY_TYPES and context.get("min_length", 1) == 1:
        return FIELD_REQUIRED.at(path)
    if kind == "extra_forbidden":
        return FIELD_UNKNOWN.at(path)
    return FIELD_MALFORMED.at(path)


def _path(location: Sequence[str | int]) -> str:
    parts = location[1:] if len(location) > 1 and location[0] in _PLACES else location
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _entry(violation: Violation) -> dict[str, Any]:
    return {
        "field": violation.field_path,
        "code": violation.reason.code,
        "reason": violation.reason.code,
        "title": violation.zh,
        "title_en": violation.en,
        "detail": violation.zh,
        "detail_en": violation.en,
        "metadata": violation.metadata,
    }
