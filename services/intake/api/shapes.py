"""Shapes that all routes share: bodies refuse unknown fields, problems follow RFC 9457."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from services.intake.domain.catalogue.places import Text

UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
CODE_LIMIT = 64
VALUE_LIMIT = 2_000


class Body(BaseModel):
    """A request body; a field that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=4_096)

    @field_validator("*")
    @classmethod
    def _no_nul(cls, value: object) -> object:
        """Refuse a text with a NUL, which no database keeps."""
        if isinstance(value, str) and "\0" in value:
            raise ValueError
        return value


class View(BaseModel):
    """An answer; fields that do not apply are null."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TextView(View):
    """A text for people in both languages."""

    zh: str
    en: str


class Target(Body):
    """What is applied for: a service item (事项) or a bundle (一件事)."""

    kind: Literal["item", "bundle"]
    id: str = Field(min_length=1, max_length=CODE_LIMIT)


class WrongField(View):
    """One wrong field."""

    field: str
    code: str
    reason: str
    title: str
    title_en: str
    detail: str
    detail_en: str
    metadata: dict[str, str] = {}


class Problem(BaseModel):
    """A refusal (RFC 9457): ``reason`` (also as ``code``) is stable, the texts are for people."""

    type: str
    title: str
    title_en: str
    status: int
    code: str
    reason: str
    detail: str
    detail_en: str
    metadata: dict[str, str] = {}
    violations: list[WrongField] = []
    trace_id: str = ""
    request_id: str = ""
    retry_after_seconds: float | None = None


_REFUSALS = {
    400: "内容有误 / Something in the request is wrong",
    401: "未登录或会话已结束 / Not logged in, or the session has ended",
    403: "无权 / Not permitted",
    404: "不存在或与您无关 / There is none, or it is none of yours",
    409: "已被他人更新或正在处理 / Changed meanwhile, or still running",
    413: "内容过大 / Too large",
    422: "当前状态不允许 / Not possible in the present state",
    429: "过于频繁 / Too many requests",
    500: "系统内部错误 / Internal error",
    503: "依赖的系统暂不可用 / A system this depends on is unavailable",
    504: "处理超时 / The deadline passed",
}


def problems() -> dict[int | str, dict[str, Any]]:
    """Return the refusals that every route may answer, for the description of the interface."""
    shape = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": text, "content": shape, "model": Problem}
        for status, text in _REFUSALS.items()
    }


def text_view(text: Text) -> TextView:
    """Return a text of the catalogue."""
    return TextView(zh=text.zh, en=text.en)
