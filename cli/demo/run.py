"""The order of the ten steps, and what is left when they are done."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from cli.clients.sandbox import Sandbox
from cli.demo.applying import choose_bundle, log_in
from cli.demo.closing import archive, rate
from cli.demo.deciding import decide_parts
from cli.demo.importing import import_stock
from cli.demo.receiving import await_licences, present
from cli.demo.registers import YUSHAN, make_cast
from cli.demo.story import Story
from cli.demo.supplying import submit, supply_materials
from cli.departments import read_offices
from cli.reach import Reach

TERMINAL = f"KIOSK-{YUSHAN}-01"
STEPS: tuple[tuple[str, Callable[[Story], Awaitable[None]]], ...] = (
    ("1 存量证照导入 | stock import", import_stock),
    ("2 自助终端登录 | kiosk log-in", log_in),
    ("3 选择一件事 | bundle and guide", choose_bundle),
    ("4 跨县区调用证照 | licences for paper", supply_materials),
    ("5 提交与收件凭证 | submit and receipt", submit),
    ("6 部门并联审批 | departments decide", decide_parts),
    ("7 制证、签章、签发 | licences in force", await_licences),
    ("8 亮证与核验 | present and verify", present),
    ("9 好差评 | rating", rate),
    ("10 归档 | archive package", archive),
)


@asynccontextmanager
async def open_story(reach: Reach, out: Path, seed: int) -> AsyncIterator[Story]:
    """Yield a fresh story over a running stack; ``out`` exists. Its doors are closed at the end."""
    rng = random.Random(seed)  # noqa: S311 - synthetic persons must come again from their seed
    async with reach.door("intake") as intake, reach.door("notify") as notify:
        yield Story(
            reach=reach,
            cast=make_cast(rng),
            offices=read_offices(reach.state.catalogue),
            rng=rng,
            out=out,
            kiosk=reach.kiosk(intake, TERMINAL),
            sandbox=Sandbox(notify),
            figures={"seed": seed},
        )


async def tell(story: Story) -> None:
    """Run the ten steps; timeline.json is left even where a step is refused."""
    began = time.monotonic()
    try:
        for title, step in STEPS:
            story.begin(title)
            await step(story)
    finally:
        story.entries.sort(key=lambda entry: entry.at)
        story.figures["timeline"] = [entry.data() for entry in story.entries]
        story.figures["seconds"] = round(time.monotonic() - began, 2)
        timeline = json.dumps(story.figures["timeline"], ensure_ascii=False, indent=1)
        (story.out / "timeline.json").write_text(timeline + "\n")
