"""Steps 9 and 10: a bad rating opens a rectification order; the archive package verifies offline."""

from __future__ import annotations

from typing import Any

from chassis.clock import system_clock
from cli.demo.registers import YUSHAN
from cli.demo.story import Story, expect, follow, or_none, wait_for
from cli.verification import verify_file

GRADE = 2
REASON = "演示用差评：等候叫号时间偏长"


async def rate(story: Story) -> None:
    """Rate badly on purpose: the demo shows the order that this opens and its deadlines."""
    rated = await story.person.rate(story.case_id, GRADE, [], REASON)
    expect(rated["order_id"], "a bad rating opens a rectification order")
    story.figures["rating"] = {
        "grade": GRADE,
        "order_id": rated["order_id"],
        "contact_due": rated["contact_due"],
        "rectify_due": rated["rectify_due"],
    }
    story.note(
        YUSHAN, "intake", "rectification_order", f"mend by {rated['rectify_due'] or 'calendar pending'}"
    )


async def archive(story: Story) -> None:
    """Fetch the archive package and verify it without any service."""

    async def packed() -> bytes | None:
        return await or_none(story.person.archive(story.case_id), "CASE_NOT_ARCHIVED")

    content = await wait_for("the archive package", packed)
    path = story.out / "archive.zip"
    path.write_bytes(content)
    report = verify_file(path, story.trust, system_clock())
    expect(report.verdict == "VALID", f"the package verifies offline, not {report.verdict}")
    figures: dict[str, Any] = {"file": path.name, "bytes": len(content), "verdict": report.verdict}
    story.figures["archive"] = figures | {"signatures": len(report.signatures)}
    story.note(YUSHAN, "intake", "archive_verified_offline", report.verdict)
    await follow(story)
    await story.person.leave()
