"""One error family for every door: gRPC, HTTP, CLI and dead letters.

A *reason* is declared once, next to the rule it belongs to, and keeps its code for ever
(AIP-193: callers match on the code, never on the text). A *fault* is one occurrence of it.
Rendering happens in one place per door: ``chassis.rpc.faults`` and ``chassis.web``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,62}")  # AIP-193: at most 63 characters, UPPER_SNAKE
_declared: dict[str, Reason] = {}


class Kind(Enum):
    """What a caller can do about a fault; the names are those of the gRPC status codes."""

    INVALID_ARGUMENT = 400
    UNAUTHENTICATED = 401
    PERMISSION_DENIED = 403
    NOT_FOUND = 404
    ALREADY_EXISTS = 409
    ABORTED = 409_1
    FAILED_PRECONDITION = 422
    RESOURCE_EXHAUSTED = 429
    INTERNAL = 500
    UNAVAILABLE = 503
    DEADLINE_EXCEEDED = 504

    @property
    def http_status(self) -> int:
        """The HTTP status code; two kinds share 409."""
        return self.value if self.value < 1000 else self.value // 10


@dataclass(frozen=True, slots=True)
class Reason:
    """A declared cause of refusal: stable code, kind, and a text template per language."""

    code: str
    kind: Kind
    zh: str
    en: str

    def __call__(
        self,
        *,
        violations: Iterable[Violation] = (),
        retry_after_seconds: float | None = None,
        **metadata: object,
    ) -> Fault:
        """Return a fault to raise; every variable part of the text is also in its metadata."""
        return Fault(self, tuple(violations), _texts(metadata), retry_after_seconds)

    def at(self, field_path: str, **metadata: object) -> Violation:
        """Return the same refusal as said of one request field, for use with `refuse`."""
        return Violation(field_path, self, _texts(metadata))


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong field: its path in the request as the caller wrote it, and why."""

    field_path: str
    reason: Reason
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def zh(self) -> str:
        """The Chinese text with the variable parts filled in."""
        return _fill(self.reason.zh, self.metadata)

    @property
    def en(self) -> str:
        """The English text with the variable parts filled in."""
        return _fill(self.reason.en, self.metadata)


class Fault(Exception):  # noqa: N818 - the family is named for what a caller meets
    """An expected refusal. Anything else that escapes is INTERNAL and never shown."""

    def __init__(
        self,
        reason: Reason,
        violations: tuple[Violation, ...] = (),
        metadata: dict[str, str] | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(reason.code)
        self.reason = reason
        self.violations = violations
        self.metadata = metadata or {}
        self.retry_after_seconds = retry_after_seconds

    @property
    def code(self) -> str:
        """The stable reason code."""
        return self.reason.code

    @property
    def kind(self) -> Kind:
        """What a caller can do about it."""
        return self.reason.kind

    @property
    def zh(self) -> str:
        """The Chinese text with the variable parts filled in."""
        return _fill(self.reason.zh, self.metadata)

    @property
    def en(self) -> str:
        """The English text with the variable parts filled in."""
        return _fill(self.reason.en, self.metadata)


def declare(code: str, kind: Kind, zh: str, en: str) -> Reason:
    """Declare a reason at import time; the same code twice is a programming error."""
    if not _CODE.fullmatch(code):
        message = f"reason code {code!r} is not UPPER_SNAKE of at most 63 characters"
        raise ValueError(message)
    if code in _declared:
        message = f"reason {code} is declared twice"
        raise ValueError(message)
    reason = _declared[code] = Reason(code, kind, zh, en)
    return reason


def declared() -> tuple[Reason, ...]:
    """Return every reason declared by the modules imported so far, sorted by code."""
    return tuple(_declared[code] for code in sorted(_declared))


def refuse(violations: Iterable[Violation]) -> None:
    """Raise one INVALID_REQUEST that names every wrong field at once, or do nothing."""
    found = tuple(violations)
    if found:
        raise INVALID_REQUEST(violations=found)


def _texts(metadata: dict[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in metadata.items()}


def _fill(template: str, metadata: dict[str, str]) -> str:
    return template.format_map(metadata) if metadata else template


INVALID_REQUEST = declare(
    "INVALID_REQUEST", Kind.INVALID_ARGUMENT, "提交的内容有误，请逐项更正", "Some fields are wrong"
)
FIELD_REQUIRED = declare("FIELD_REQUIRED", Kind.INVALID_ARGUMENT, "必填", "Required")
FIELD_TOO_LONG = declare(
    "FIELD_TOO_LONG", Kind.INVALID_ARGUMENT, "最多 {limit} 个字符", "At most {limit} characters"
)
FIELD_MALFORMED = declare("FIELD_MALFORMED", Kind.INVALID_ARGUMENT, "格式不正确", "Malformed")
BODY_TOO_LARGE = declare(
    "BODY_TOO_LARGE", Kind.INVALID_ARGUMENT, "内容超过 {limit_bytes} 字节", "More than {limit_bytes} bytes"
)
NOT_AUTHENTICATED = declare(
    "NOT_AUTHENTICATED", Kind.UNAUTHENTICATED, "请先登录", "Log in or present a certificate first"
)
NOT_PERMITTED = declare("NOT_PERMITTED", Kind.PERMISSION_DENIED, "无权进行此操作", "Not permitted")
ETAG_MISMATCH = declare(
    "ETAG_MISMATCH", Kind.ABORTED, "内容已被他人更新，请刷新后重试", "Changed meanwhile; read it again"
)
REQUEST_ID_REUSED = declare(
    "REQUEST_ID_REUSED",
    Kind.INVALID_ARGUMENT,
    "同一请求编号不能用于不同内容",
    "The same request_id was used with other content",
)
REQUEST_IN_PROGRESS = declare(
    "REQUEST_IN_PROGRESS", Kind.ABORTED, "同一请求正在处理", "The same request is still running"
)
TOO_MANY_REQUESTS = declare(
    "TOO_MANY_REQUESTS", Kind.RESOURCE_EXHAUSTED, "操作过于频繁，请稍后再试", "Too many requests"
)
PEER_UNAVAILABLE = declare(
    "PEER_UNAVAILABLE", Kind.UNAVAILABLE, "{peer} 暂时不可用，请稍后重试", "{peer} is unavailable; try again"
)
DEADLINE_PASSED = declare(
    "DEADLINE_PASSED", Kind.DEADLINE_EXCEEDED, "处理超时，请稍后重试", "The deadline passed"
)
INTERNAL = declare(
    "INTERNAL", Kind.INTERNAL, "系统内部错误，编号 {incident}", "Internal error, incident {incident}"
)
