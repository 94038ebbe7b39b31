"""The public verification page as a person uses it: in a browser, by keyboard, judged by axe."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from fastapi import FastAPI
from playwright.async_api import FilePayload, Page, async_playwright

from services.certs.app import read_catalogue
from services.certs.domain.ofd import render
from services.intake.api.uploads import MAX_UPLOAD_BYTES
from services.intake.api.wording import CHECKS
from tests.integration.documents.test_licence_documents import CATALOGUE, FOOD, made
from tests.integration.intake.verifying import doors, stocked, verification_app, world
from tests.integration.seal.doors import Doors
from tests.stacks.needs import unavailable
from tests.unit.seal.pdf.pdf_room import plain_pdf
from tests.unit.seal.sealing_room import ofd_files, pack, sealed_once, unpack
from tongban.seal.v1 import use_pb2

__all__ = ["doors", "stocked", "verification_app", "world"]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LEAST_TEXT_PX, LEAST_TARGET_PX, LEAST_SPACING = 18, 60, 1.3
PLACE = use_pb2.Placement(at=use_pb2.Placement.At(page=1, x_mm=200, y_mm=140))


@pytest.fixture
async def page(verification_app: FastAPI) -> AsyncIterator[Page]:
    """A browser's page on the empty form, whose console must stay empty."""
    chromium = shutil.which("chromium")
    if chromium is None:
        unavailable("no browser: install Debian's chromium")
    config = uvicorn.Config(
        verification_app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        opened = await browser.new_page(locale="zh-CN", timezone_id="Asia/Shanghai")
        complaints: list[str] = []
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("console", lambda said: complaints.append(said.text))
        await opened.goto(f"{address}/verify")
        yield opened
        await browser.close()
    server.should_exit = True
    await serving
    assert [each for each in complaints if "status of" not in each] == []


async def verify(page: Page, content: bytes | Path, name: str = "食品经营许可证.ofd") -> None:
    """Choose the file and press the button."""
    if isinstance(content, Path):
        await page.set_input_files("#file", content)
    else:
        chosen = FilePayload(name=name, mimeType="application/octet-stream", buffer=content)
        await page.set_input_files("#file", files=[chosen])
    await page.click("button[type=submit]")
    await page.wait_for_url("**/v1/verifications")
    await accessible(page)


async def accessible(page: Page) -> None:
    """Check WCAG 2.2 A and AA as far as axe can, and the sizes that old eyes and fingers need."""
    options = {"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"]}
    found = await Axe().run(page, options=options)
    assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []
    assert await page.get_attribute("html", "lang") == "zh-CN"
    texts: list[list[Any]] = await page.evaluate(TEXTS)
    assert [each for each in texts if each[1] < LEAST_TEXT_PX or each[2] < LEAST_SPACING] == []
    for target in await page.query_selector_all("button, input"):
        box = await target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= LEAST_TARGET_PX
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
        "nothing to scroll aside"
    )


TEXTS = """() => [...document.querySelectorAll('main *')]
  .filter(each => [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
  .map(each => { const style = getComputedStyle(each), size = parseFloat(style.fontSize);
                 return [each.outerHTML.slice(0, 80), size, parseFloat(style.lineHeight) / size]; })"""


async def checks(page: Page) -> list[list[str]]:
    """Return the cells of the first table of checks, row by row."""
    rows = await page.query_selector_all("table >> nth=0 >> tbody tr")
    return [[await cell.inner_text() for cell in await row.query_selector_all("th, td")] for row in rows]


async def failing(page: Page, result: str) -> list[str]:
    """Return the reasons of the checks with that result."""
    return [await each.inner_text() for each in await page.query_selector_all(f"td.{result} + td code")]


async def verdict(page: Page) -> str:
    return await page.inner_text("#result")


async def licence_under_seal(doors: Doors) -> bytes:
    """Return a licence as the registry makes it, under a seal of the register."""
    rendered = render(made(), read_catalogue(CATALOGUE)[0][FOOD])
    return (await doors.seal(rendered.ofd, placements=[PLACE]))[1]


async def test_the_empty_page_is_accessible_and_small_screens_and_large_letters_do_not_break_it(page: Page):
    await accessible(page)
    await page.set_viewport_size({"width": 320, "height": 640})
    await accessible(page)


async def test_a_sealed_licence_shows_its_thirteen_checks_in_order_with_words_and_clause(
    page: Page, doors: Doors
):
    await verify(page, await licence_under_seal(doors))
    assert "有效" in await verdict(page)
    rows = await checks(page)
    assert [row[0] for row in rows] == [str(number) for number in range(1, 14)]
    for (zh, en), (_, name, result, explained, clause) in zip(CHECKS.values(), rows, strict=True):
        assert (zh in name, en in name, bool(explained.strip()), bool(clause.strip())) == (True,) * 4
        assert "通过" in result or "不适用" in result
    assert any("GB/T 38540" in row[4] for row in rows)
    for width in (1280, 640, 320):
        await page.set_viewport_size({"width": width, "height": 800})
        await accessible(page)
    assert (await page.pdf()).startswith(b"%PDF-"), "it prints"


async def test_a_changed_licence_is_invalid_and_the_failing_check_is_named(page: Page, doors: Doors):
    files = unpack(await licence_under_seal(doors))
    content = next(name for name in files if name.endswith("Content.xml"))
    files[content] = files[content].replace("丰小玉".encode(), "王小玉".encode(), 1)
    await verify(page, pack(files))
    assert "无效" in await verdict(page)
    assert await failing(page, "invalid") == ["DIGEST"]
    (row,) = [row for row in await checks(page) if "不通过" in row[2]]
    assert CHECKS["digests"][0] in row[1]


async def test_one_flipped_byte_of_the_file_is_invalid_with_a_named_check(page: Page, doors: Doors):
    whole = bytearray(await licence_under_seal(doors))
    whole[whole.index(b"Content.xml") + 200] ^= 1
    await verify(page, bytes(whole))
    assert "无效" in await verdict(page)
    assert len(await failing(page, "invalid")) >= 1


async def test_a_strangers_document_is_indeterminate_and_never_valid(page: Page):
    await verify(page, sealed_once())
    assert "无法确定" in await verdict(page)
    assert "✓ 有效" not in await page.inner_text("main")
    rows = await checks(page)
    assert {row[2].split()[1] for row in rows[:4]} == {"通过"}, "its cryptography holds"
    assert "NO_ANCHOR" in await failing(page, "indeterminate")


async def test_what_is_not_verified_is_refused_with_the_reason(page: Page, tmp_path: Path):
    large = tmp_path / "large.pdf"
    for size, said, code in (
        (8, "只能核验 OFD 和 PDF 文件", "FILE_KIND_UNKNOWN"),
        (MAX_UPLOAD_BYTES + 1, "内容超过", "BODY_TOO_LARGE"),
        (2 * MAX_UPLOAD_BYTES, "内容超过", "BODY_TOO_LARGE"),
    ):
        with large.open("wb") as file:
            file.truncate(size)
        await verify(page, large)
        alert = await page.inner_text("[role=alert]")
        assert (said in alert, code in alert, "未能核验" in alert) == (True, True, True), alert
        assert await page.is_visible("#file"), "another file can be chosen at once"


async def test_hostile_documents_are_answered_and_nothing_of_them_runs(page: Page):
    hostile = pack({**ofd_files(), "../../etc/<img src=x onerror=alert(1)>": b"x"})
    broken_pdf = plain_pdf().replace(b"/Pages", b"/Pagez")
    for content in (hostile, b"PK\x03\x04", broken_pdf):
        await verify(page, content, '"><script>alert(1)</script>.ofd')
        assert "无效" in await verdict(page)
        assert (await failing(page, "invalid"))[0]
        assert await page.query_selector("script, img") is None


async def test_the_keyboard_is_enough(page: Page, doors: Doors):
    sealed = await licence_under_seal(doors)
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "file"
    assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    async with page.expect_file_chooser() as opened:
        await page.keyboard.press("Space")
    chooser = await opened.value
    await chooser.set_files([FilePayload(name="证.ofd", mimeType="application/ofd", buffer=sealed)])
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.tagName") == "BUTTON"
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/v1/verifications")
    assert "有效" in await verdict(page)
    await accessible(page)
