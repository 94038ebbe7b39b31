"""Steps 2 and 3: the citizen logs in at the kiosk, chooses the bundle, answers four questions."""

from __future__ import annotations

from typing import Any

from cli.clients.kiosk import CardReading
from cli.demo.registers import YUSHAN
from cli.demo.story import Story, expect

BUNDLE = "open-restaurant"
ANSWERS = {
    "premises_tenure": "rented",
    "food_special_area": "false",
    "sign_on_shared_building": "false",
    "fire_promise": "promise",
}


async def log_in(story: Story) -> None:
    """Log the citizen in with card and one-time code, to act for the business."""
    person = story.cast.citizen
    known = len(await story.sandbox.messages(person.phone))
    challenge = await story.kiosk.begin(CardReading(person.id_number, person.name), person.phone)
    story.note(YUSHAN, "intake", "card_read", story.kiosk.terminal_id)
    code = await story.sandbox.one_time_code(person.phone, known=known)
    story.note(YUSHAN, "notify", "one_time_code_sent", challenge.phone_masked)
    natural = await story.kiosk.finish(challenge, code)
    story.note(YUSHAN, "intake", "logged_in", f"level {natural.assurance}")
    organisation = await natural.represent(story.cast.business.uscc)
    story.citizen = await natural.act_for(organisation["organisation_id"])
    story.note(YUSHAN, "certs", "representation_proved", "business licence of 361103")


async def choose_bundle(story: Story) -> None:
    """Choose the bundle, answer its questions, get the exact material list, begin the draft."""
    bundle = await story.kiosk.bundle(BUNDLE)
    asked = [each["question_id"] for each in bundle["questions"]]
    expect(set(asked) == set(ANSWERS), f"the bundle asks exactly {sorted(ANSWERS)}")
    told = await story.kiosk.guide("bundle", BUNDLE, YUSHAN, ANSWERS)
    codes = [each["material"]["code"] for each in told["materials"]]
    story.note(YUSHAN, "intake", "told_once_in_full", f"{len(codes)} materials")
    case = await story.person.create_case("bundle", BUNDLE, YUSHAN, ANSWERS, _form(story))
    story.case_id = str(case["case_id"])
    story.figures |= {
        "bundle": BUNDLE,
        "county": YUSHAN,
        "parts": len(told["parts"]),
        "materials_demanded": len(codes),
        "case_id": story.case_id,
    }
    story.note(YUSHAN, "intake", "draft_begun")


def _form(story: Story) -> dict[str, Any]:
    name, uscc = story.cast.business.name, story.cast.business.uscc
    return {
        "shop_name": name,
        "business_name": name,
        "business_uscc": uscc,
        "business_address": "玉山县冰溪街道测试路8号",
        "floor_area": "120",
        "seats": "40",
        "food_business_kind": "restaurant",
        "food_scope": "hot",
        "sign_kind": "wall",
        "sign_content": name,
        "sign_width_m": "4",
        "sign_height_m": "0.8",
        "floors": "地上1层",
        "place_kind": "restaurant",
        "contact_mobile": story.cast.citizen.phone,
    }
