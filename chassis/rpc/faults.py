"""Faults on the wire: ``google.rpc.Status`` with ErrorInfo, BadRequest, RetryInfo, LocalizedMessage (AIP-193).

A fault that crossed the wire is the same fault again: code, kind, metadata, violations, retry time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2
from grpc_status import rpc_status

from chassis.errors import (
    BODY_TOO_LARGE,
    DEADLINE_PASSED,
    INTERNAL,
    PEER_UNAVAILABLE,
    TOO_MANY_REQUESTS,
    Fault,
    Kind,
    Reason,
    Violation,
    declared,
)

DOMAIN = "tongban"
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""What gRPC itself refuses without our details, on whichever side is asked to go over it."""
DETAILS_KEY = "grpc-status-details-bin"
MAX_VIOLATIONS_BYTES = 24 * 1024
"""Room for violations in the trailers; the rest is counted in ``violations_omitted``."""


def to_rich_status(fault: Fault, *, trace_id: str = "", request_id: str = "") -> status_pb2.Status:
    """Return the message for the wire; each kind of detail appears at most once."""
    violations, metadata = _violations(fault)
    metadata |= fault.metadata | {"trace_id": trace_id, "request_id": request_id}
    info = {name: value for name, value in metadata.items() if value}
    parts: list[Message] = [
        details.ErrorInfo(reason=fault.code, domain=DOMAIN, metadata=info),
        details.LocalizedMessage(locale="zh-CN", message=fault.zh),
    ]
    if violations:
        parts.append(details.BadRequest(field_violations=violations))
    if fault.retry_after_seconds is not None:
        parts.append(details.RetryInfo(retry_delay=_duration(fault.retry_after_seconds)))
    if fault.kind is Kind.RESOURCE_EXHAUSTED and "budget" in fault.metadata:
        parts.append(_quota(fault))
    return status_pb2.Status(
        code=_status_code(fault.kind), message=fault.en, details=[_packed(p) for p in parts]
    )


def to_status(fault: Fault, *, trace_id: str = "", request_id: str = "") -> grpc.Status:
    """Return what a servicer's context aborts with."""
    return rpc_status.to_status(to_rich_status(fault, trace_id=trace_id, request_id=request_id))


def from_error(error: grpc.aio.AioRpcError, peer: str) -> Fault:
    """Return the fault of a failed call to ``peer``: its own, or what the bare status means to us."""
    for name, value in error.trailing_metadata() or ():
        if name == DETAILS_KEY and isinstance(value, bytes):
            found = _from_rich(value)
            if found is not None:
                return found
    code = error.code()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DEADLINE_PASSED(peer=peer)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in (error.details() or ""):
        return BODY_TOO_LARGE(limit_bytes=MAX_MESSAGE_BYTES, peer=peer)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return TOO_MANY_REQUESTS(retry_after_seconds=1.0, peer=peer)
    if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
        return PEER_UNAVAILABLE(peer=peer)
    return INTERNAL(incident=f"{peer}:{code.name}", peer=peer)


def _from_rich(raw: bytes) -> Fault | None:
    try:
        status = status_pb2.Status.FromString(raw)
        info, local, bad, retry = _unpacked(status.details)
    except DecodeError:
        return None
    if info.domain != DOMAIN:
        return None
    metadata = dict(info.metadata)
    own = {name: value for name, value in metadata.items() if not name.startswith("violation_")}
    reason = _reason(info.reason, _kind(status.code), local.message, status.message, own)
    violations = tuple(_violation(i, each, metadata) for i, each in enumerate(bad.field_violations))
    after = (
        retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9 if retry.HasField("retry_delay") else None
    )
    return Fault(reason, violations, own, after)


def _unpacked(
    parts: Iterable[any_pb2.Any],
) -> tuple[details.ErrorInfo, details.LocalizedMessage, details.BadRequest, details.RetryInfo]:
    found = (details.ErrorInfo(), details.LocalizedMessage(), details.BadRequest(), details.RetryInfo())
    for part in parts:
        for each in found:
            part.Unpack(each)  # does nothing unless the type fits
    return found


def _violation(index: int, wire: details.BadRequest.FieldViolation, metadata: dict[str, str]) -> Violation:
    prefix = f"violation_{index}_"
    own = {name.removeprefix(prefix): value for name, value in metadata.items() if name.startswith(prefix)}
    english = wire.localized_message.message
    reason = _reason(wire.reason, Kind.INVALID_ARGUMENT, wire.description, english, own)
    return Violation(wire.field, reason, own)


def _reason(code: str, kind: Kind, zh: str, en: str, metadata: dict[str, str]) -> Reason:
    """Return the declared reason, or one made from the texts received when we do not know it.

    A declared reason whose texts want metadata the peer did not send is as good as unknown.
    """
    known = next((each for each in declared() if each.code == code), None)
    if known is not None and known.kind is kind and _fills(known, metadata):
        return known
    return Reason(code, kind, _literal(zh, metadata), _literal(en, metadata))


def _fills(reason: Reason, metadata: dict[str, str]) -> bool:
    try:
        (reason.zh + reason.en).format_map(metadata)
    except (KeyError, IndexError, ValueError):
        return False
    return True


def _literal(text: str, metadata: dict[str, str]) -> str:
    return text.replace("{", "{{").replace("}", "}}") if metadata else text


def _violations(fault: Fault) -> tuple[list[details.BadRequest.FieldViolation], dict[str, str]]:
    kept: list[details.BadRequest.FieldViolation] = []
    metadata: dict[str, str] = {}
    room = MAX_VIOLATIONS_BYTES
    for index, each in enumerate(fault.violations):
        wire = details.BadRequest.FieldViolation(
            field=each.field_path,
            description=each.zh,
            reason=each.reason.code,
            localized_message=details.LocalizedMessage(locale="en", message=each.en),
        )
        variables = {f"violation_{index}_{name}": value for name, value in each.metadata.items()}
        room -= wire.ByteSize() + sum(len(name) + 4 * len(value) for name, value in variables.items())
        if room < 0:
            metadata["violations_omitted"] = str(len(fault.violations) - index)
            break
        kept.append(wire)
        metadata |= variables
    return kept, metadata


def _quota(fault: Fault) -> Message:
    """Return which budget is used up; whose it is the caller knows."""
    used_up = details.QuotaFailure.Violation(subject=fault.metadata["budget"], description=fault.en)
    return details.QuotaFailure(violations=[used_up])


def _packed(part: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(part)
    return packed


def _duration(seconds: float) -> duration_pb2.Duration:
    whole = math.floor(seconds)
    return duration_pb2.Duration(seconds=whole, nanos=int((seconds - whole) * 1e9))


def _status_code(kind: Kind) -> int:
    return int(getattr(grpc.StatusCode, kind.name).value[0])


def _kind(code: int) -> Kind:
    return next((kind for kind in Kind if _status_code(kind) == code), Kind.INTERNAL)
