"""Steps 4 and 5: licences from other counties instead of paper, ways out for the rest, one case."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from typing import Any

from PIL import Image, ImageDraw

from cli.clients.citizen import new_key
from cli.demo.registers import YUSHAN
from cli.demo.story import Story, expect, follow

CONSENT_VERSION = "2026.1"
PROMISED, TOLERATED = {"fire_completion"}, {"fire_training_record"}
"""What the citizen promises (告知承诺) or brings later (容缺受理); everything else is uploaded."""
PAGE = (595, 842)
"""A4 at 72 dots per inch."""


async def supply_materials(story: Story) -> None:
    """Supply every material: by licence where one is found, else by promise, tolerance or upload."""
    rows = await story.person.materials(story.case_id)
    by_county: Counter[str] = Counter()
    ways: Counter[str] = Counter()
    for row in rows:
        code, candidates = str(row["need"]["material"]["code"]), row["candidates"]
        if candidates:
            by_county[str(candidates[0]["county"])] += 1
        ways[await _supply(story, row, code)] += 1
    story.figures |= {
        "materials_from_licences": ways["licence"],
        "materials_by_county": dict(sorted(by_county.items())),
        "materials_by_way": dict(sorted(ways.items())),
    }
    expect(YUSHAN not in by_county, "no licence of the citizen is of the county of the kiosk")
    expect(len(by_county) > 1, "licences of two other counties stand in for paper")


async def submit(story: Story) -> None:
    """Hand the case in with a double tap: one case, one receipt, verified by anyone."""
    key = new_key()
    first, second = await asyncio.gather(
        story.person.submit(story.case_id, key), story.person.submit(story.case_id, key)
    )
    expect(first == second, "a double tap gives one case and one receipt")
    verified = await story.kiosk.verify_receipt(str(first["receipt"]))
    expect(verified["genuine"] and verified["document"] == first["document"], "the receipt verifies")
    story.figures["case_no"] = str(first["case_no"])
    story.note(YUSHAN, "intake", "receipt_verified", str(first["case_no"]))
    receipt = {"receipt": first["receipt"], "document": first["document"]}
    (story.out / "receipt.json").write_text(json.dumps(receipt, ensure_ascii=False, indent=1) + "\n")
    await follow(story)


async def _supply(story: Story, row: dict[str, Any], code: str) -> str:
    person, case_id = story.person, story.case_id
    if row["candidates"]:
        found = row["candidates"][0]
        agreed = {"agreed": True, "consent_version": CONSENT_VERSION}
        await person.supply(case_id, code, {"kind": "licence", "licence_id": found["licence_id"], **agreed})
        story.note(found["county"], "certs", "use_codes_issued", f"{code} ← {found['type_name']}")
        return "licence"
    way = "promise" if code in PROMISED else "tolerance" if code in TOLERATED else "upload"
    expect(way in row["need"]["supplies"], f"{way} is open for {code}")
    if way == "upload":
        await person.upload(case_id, code, f"{code}.pdf", "application/pdf", paper(code))
    else:
        await person.supply(case_id, code, {"kind": way, "agreed": True})
    story.note(YUSHAN, "intake", f"material_{way}", code)
    return way


def paper(title: str) -> bytes:
    """Return a one-page PDF that says what it stands for."""
    page = Image.new("RGB", PAGE, "white")
    ImageDraw.Draw(page).text((60, 80), f"Synthetic demo document: {title}", fill="black")
    written = io.BytesIO()
    page.save(written, "PDF")
    return written.getvalue()
