"""The public verification page: HTTP to intake, gRPC to a real seal service, PostgreSQL under both."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.intake.api.wording import CHECKS
from tests.integration.intake.stage import Stage, open_stage
from tests.integration.intake.verifying import doors, stocked, verification_app, world
from tests.integration.seal.doors import Doors
from tests.stacks.postgres import PostgresServer
from tests.unit.seal.pdf.pdf_room import plain_pdf
from tests.unit.seal.sealing_room import ofd_files, pack

__all__ = ["doors", "stocked", "verification_app", "world"]
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
async def web(verification_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=verification_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://intake.test") as client:
        yield client


@pytest.fixture
async def stage(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(postgres_server, tmp_path) as opened:
        yield opened


async def upload(client: httpx.AsyncClient, content: bytes, **headers: str) -> httpx.Response:
    given = {"file": ("档案.ofd", content, "application/octet-stream")}
    return await client.post("/v1/verifications", files=given, headers=headers)


class Page(HTMLParser):
    """What of a page a reader, or a screen reader, gets."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [given for name, given in self.tags if name == tag]


def accessible(text: str) -> Page:
    """Check what a machine can of WCAG: language, title, one h1, labels, captions, headers, no script."""
    page = Page(text)
    assert page.all("html") == [{"lang": "zh-CN"}]
    assert len(page.all("title")) == len(page.all("h1")) == len(page.all("main")) == 1
    labelled = {each["for"] for each in page.all("label")}
    assert all(each.get("id") in labelled for each in page.all("input"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(each.get("scope") in {"col", "row"} for each in page.all("th"))
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids))
    assert {each["aria-labelledby"] for each in page.all("section")} <= set(ids)
    assert not page.all("script")
    assert not page.all("style")
    assert all(
        "style" not in given and not any(name.startswith("on") for name in given) for _, given in page.tags
    )
    outside = [value for _, given in page.tags for value in given.values() if value and "//" in value]
    assert outside == [], "nothing is fetched from elsewhere"
    return page


async def test_the_empty_page_has_a_form_that_a_browser_can_send(stage: Stage):
    answer = await stage.web.get("/verify")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe" not in answer.headers["content-security-policy"]
    page = accessible(answer.text)
    assert page.all("form") == [
        {"action": "/v1/verifications", "method": "post", "enctype": "multipart/form-data"}
    ]
    style = await stage.web.get("/verify.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text


async def test_a_sealed_file_shows_its_thirteen_checks_for_people_and_programs(
    web: httpx.AsyncClient, doors: Doors
):
    _, sealed = await doors.seal()
    shown = await upload(web, sealed, **BROWSER)
    assert shown.status_code == 200
    page = accessible(shown.text)
    assert "有效" in page.text
    assert all(zh in page.text and en in page.text for zh, en in CHECKS.values())
    assert [each["class"] for each in page.all("td") if "class" in each].count("valid") >= 12
    answer = await upload(web, sealed)
    report: dict[str, Any] = answer.json()
    assert (report["verdict"], report["now_verdict"], report["format"]) == ("VALID", "VALID", "ofd")
    (one,) = report["signatures"]
    assert [each["name"] for each in one["checks"]] == list(CHECKS)
    assert (one["seal_id"], one["stamps"][0]["page"]) == (doors.seal_id, 1)
    assert one["coverage"]["protected_pages"] == [1]


async def test_a_file_larger_than_a_message_is_verified_and_never_touches_the_disk(
    web: httpx.AsyncClient, doors: Doors, monkeypatch: pytest.MonkeyPatch
):
    import os

    large = pack({**ofd_files(), "Doc_0/large.bin": os.urandom(10 << 20)})
    rolled: list[int] = []
    monkeypatch.setattr(
        tempfile.SpooledTemporaryFile, "rollover", lambda file: rolled.append(file.tell()), raising=True
    )
    answer = await upload(web, large)
    assert (answer.status_code, answer.json()["verdict"]) == (200, "UNSIGNED"), answer.text
    assert rolled == []


async def test_a_pdf_is_told_by_its_content(web: httpx.AsyncClient):
    answer = await upload(web, plain_pdf())
    assert (answer.json()["format"], answer.json()["verdict"]) == ("pdf", "UNSIGNED")
    page = accessible((await upload(web, plain_pdf(), **BROWSER)).text)
    assert "没有电子印章" in page.text


async def test_a_broken_file_and_a_hostile_name_are_shown_as_text(web: httpx.AsyncClient, doors: Doors):
    _, sealed = await doors.seal()
    hostile = pack({**ofd_files(), "Doc_0/<script>alert(1)</script>": b"x"})
    for content in (sealed[:-10], b"PK\x03\x04", hostile):
        answer = await upload(web, content, **BROWSER)
        assert answer.status_code == 200
        page = accessible(answer.text)
        assert "无效" in page.text or "没有电子印章" in page.text


async def test_what_is_refused_says_why_in_the_form_that_was_asked_for(web: httpx.AsyncClient):
    refused = await upload(web, b"\x89PNG")
    assert (refused.status_code, refused.json()["code"]) == (400, "FILE_KIND_UNKNOWN")
    shown = await upload(web, b"\x89PNG", **BROWSER)
    assert shown.status_code == 400
    assert "只能核验 OFD 和 PDF 文件" in accessible(shown.text).text
    for sent in (
        {"content": b"{}", "headers": {"content-type": "application/json"}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
        {"content": b"--a\r\nx", "headers": {"content-type": "multipart/form-data; boundary=a"}},
        {"files": {"other": ("a", b"PK")}},
        {"files": {"file": ("a", b"")}},
        {"data": {"file": "PK"}},
    ):
        answer = await web.post("/v1/verifications", **sent)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST"), sent


async def test_a_source_that_asks_too_often_is_told_to_wait(stage: Stage):
    answers = [await upload(stage.web, b"PK") for _ in range(30)]
    assert {each.status_code for each in answers} == {200}
    over = await upload(stage.web, b"PK")
    assert (over.status_code, over.headers["content-type"]) == (429, "application/problem+json")
    shown = await upload(stage.web, b"PK", **BROWSER)
    assert (shown.status_code, int(shown.headers["retry-after"]) > 0) == (429, True)
    accessible(shown.text)


async def test_an_annotated_copy_is_called_a_copy_for_people_and_programs(web: httpx.AsyncClient):
    mark = '<CustomData Name="JZJZZSY">办理贷款</CustomData><CustomData Name="JZJYXQJZSJ">2026-12-01</CustomData>'
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        package.writestr("OFD.xml", f"<OFD><CustomDatas>{mark}</CustomDatas></OFD>")
    page = (await upload(web, content.getvalue(), accept="text/html")).text
    assert "这是加注件" in page
    assert "办理贷款" in page
    told = (await upload(web, content.getvalue())).json()["annotated_copy"]
    assert (told["use_cause"], told["expires_at"]) == ("办理贷款", "2026-12-01")
