"""Step 6: three departments decide side by side, over gRPC, within at most two signatures."""

from __future__ import annotations

import asyncio
from typing import Any

from cli.clients.department import UPLOADED, Department, licences_of
from cli.demo.registers import YUSHAN
from cli.demo.story import Story, expect, follow, wait_for
from cli.departments import Office, office_by_uscc

WATCH_SECONDS = 60.0


async def decide_parts(story: Story) -> None:
    """Have every part decided by its department, at the same time."""
    case = await story.person.case(story.case_id)
    codes = [str(each["department_code"]) for each in case["parts"]]
    expect(len(set(codes)) == len(codes) == story.figures["parts"], "each part has a department of its own")
    offices = [office_by_uscc(story.offices, YUSHAN, code) for code in codes]
    story.figures["departments"] = list(await asyncio.gather(*(_decide(story, each) for each in offices)))
    await follow(story)


async def _decide(story: Story, office: Office) -> dict[str, Any]:
    reviewers = office.staff_of("reviewer", "chief_representative")
    async with story.reach.department(office.uscc) as department:
        part = await department.part(await _next_part(story, department))
        clerk = office.staff_of("window_clerk")[0]
        story.labels[part.part_id] = (YUSHAN, part.item_name)
        part = await department.claim(part, clerk)
        used = await _read_materials(story, department, part)
        part = await department.accept(part, clerk)
        clocks = {
            "promised_due": part.promised.due_date or "calendar pending",
            "statutory_due": part.statutory.due_date or "calendar pending",
        }
        due = ", ".join(f"{name} {day}" for name, day in clocks.items())
        story.note(YUSHAN, office.department_id, "accepted", f"{part.item_name}: {due}")
        for number in range(part.signatures_required):
            part = await department.sign(part, reviewers[number], "符合法定条件，准予许可")
            story.note(YUSHAN, office.department_id, f"signature_{number + 1}_of_{part.signatures_required}")
    expect(1 <= len(part.signatures) <= 2, "at most two signatures")
    return {
        "department": office.department_id,
        "item": part.item_name,
        "signatures": len(part.signatures),
        "licences_used": used,
        **clocks,
    }


async def _next_part(story: Story, department: Department) -> str:
    """Return the department's part of the case, heard from its change feed."""

    async def heard() -> str | None:
        async for change in department.watch(0, WATCH_SECONDS):
            if change.part_id and (await department.part(change.part_id)).case_id == story.case_id:
                return str(change.part_id)
        return None

    return await wait_for(f"the part of {department.uscc}", heard, WATCH_SECONDS)


async def _read_materials(story: Story, department: Department, part: Any) -> int:
    """Consume every use-code and read every upload, as a case handler does before deciding."""
    used = 0
    for material in licences_of(part):
        cause = f"办理{part.item_name}"
        answer = await department.consume(material.use_code, part.item_code, part.case_id, cause)
        expect(answer.licence.licence_id, "a consumed use-code gives the licence")
        story.labels[answer.usage_id] = (material.licence_county_code, material.material_code)
        used += 1
    for material in part.materials:
        if material.supply == UPLOADED:
            content = await department.material_file(part.part_id, material.material_code)
            expect(len(content) == material.size_bytes, "an upload arrives whole")
    return used
