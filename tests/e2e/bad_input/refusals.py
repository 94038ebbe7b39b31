"""What every refusal looks like at every door: a stable reason, both languages, every wrong field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from grpc_status import rpc_status

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
Fields = Mapping[str, str]
"""Path of a wrong field → its reason."""


def in_both_languages(zh: str, en: str) -> None:
    """Assert a text for people: there in Chinese and, as another text, in English."""
    assert _CHINESE.search(zh), zh
    assert en.strip(), zh
    assert not _CHINESE.search(en), en
    assert "{" not in zh + en, zh


def problem(answer: httpx.Response, status: int, reason: str, fields: Fields | None = None) -> dict[str, Any]:
    """Assert that an HTTP answer is this refusal and names exactly these fields; return its document."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    found = answer.json()
    assert (found["status"], found["reason"], found["code"]) == (status, reason, reason), found
    assert found["type"] == f"urn:tongban:reason:{reason}"
    assert found["request_id"] == answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", found["trace_id"])
    in_both_languages(found["detail"], found["detail_en"])
    named = found.get("violations", [])
    for each in named:
        in_both_languages(each["detail"], each["detail_en"])
    assert {each["field"]: each["reason"] for each in named} == dict(fields or {})
    assert len(named) == len(fields or {})
    return found


def read(answer: Any) -> Any:
    """Return an answer to its end: a stream fails only where it is read."""
    return list(answer) if hasattr(answer, "__next__") else answer


def rejection(
    call: Callable[[], Any], code: str, reason: str, fields: Fields | None = None
) -> details.ErrorInfo:
    """Assert that a call fails with this status, with every detail of AIP-193; return its ErrorInfo."""
    with pytest.raises(grpc.RpcError) as met:
        read(call())
    assert met.value.code().name == code, met.value
    status = rpc_status.from_call(met.value)
    info, local, bad = details.ErrorInfo(), details.LocalizedMessage(), details.BadRequest()
    packed: tuple[Message, ...] = (info, local, bad)
    assert all(sum(part.Is(each.DESCRIPTOR) for part in status.details) <= 1 for each in packed)
    for part in status.details:
        any(part.Unpack(each) for each in packed)
    assert (info.reason, info.domain, local.locale) == (reason, "tongban", "zh-CN")
    in_both_languages(local.message, status.message)
    for each in bad.field_violations:
        assert each.localized_message.locale == "en"
        in_both_languages(each.description, each.localized_message.message)
    assert {each.field: each.reason for each in bad.field_violations} == dict(fields or {})
    return info


def printed(answer: Mapping[str, Any], reason: str, fields: Fields | None = None) -> None:
    """Assert that a command's JSON is this refusal."""
    assert answer["reason"] == reason, answer
    in_both_languages(answer["zh"], answer["en"])
    for each in answer["fields"]:
        in_both_languages(each["zh"], each["en"])
    assert {each["field"]: each["reason"] for each in answer["fields"]} == dict(fields or {})
