"""A refusal read from an HTTP answer (RFC 9457) is the same fault again."""

from __future__ import annotations

from typing import Any

import httpx

from chassis.errors import PEER_UNAVAILABLE, Fault, Kind, Reason, Violation

_KINDS = {400: Kind.INVALID_ARGUMENT, 409: Kind.ABORTED} | {kind.http_status: kind for kind in Kind}


def answer_of(response: httpx.Response) -> Any:
    """Return the JSON of a successful answer, None for an empty one. Raises the fault of any other."""
    if response.is_success:
        return response.json() if response.content else None
    raise fault_of_response(response)


def content_of(response: httpx.Response) -> bytes:
    """Return the bytes of a successful answer. Raises the fault of any other."""
    if response.is_success:
        return response.content
    raise fault_of_response(response)


def fault_of_response(response: httpx.Response) -> Fault:
    """Return the fault of a problem document, or what the bare status means."""
    kind = _KINDS.get(response.status_code, Kind.INTERNAL)
    try:
        found: dict[str, Any] = response.json()
        code = str(found["reason"])
    except (ValueError, KeyError, TypeError):
        code, text = f"HTTP_{response.status_code}", response.reason_phrase
        return Fault(Reason(code, kind, text, text))
    violations = tuple(
        Violation(
            str(each.get("field", "")),
            Reason(
                str(each.get("reason", code)),
                kind,
                str(each.get("detail", "")),
                str(each.get("detail_en", "")),
            ),
        )
        for each in found.get("violations", ())
    )
    reason = Reason(code, kind, str(found.get("detail", code)), str(found.get("detail_en", code)))
    return Fault(reason, violations, retry_after_seconds=found.get("retry_after_seconds"))


def unreachable(peer: str, problem: httpx.HTTPError) -> Fault:
    """Return the fault of a service that does not answer."""
    del problem
    return PEER_UNAVAILABLE(peer=peer)
