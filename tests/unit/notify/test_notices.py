"""Every event that is told has an approved template whose parameters the event can fill."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from events import intake
from services.notify.consumers import Telling, handlers, notice_of
from services.notify.templates import read_templates

CATALOGUE = Path(__file__).parents[3] / "catalogue"
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
DEPARTMENT = "11361123TB1000011X"
REF = {"case_id": "c", "case_no": "n", "person_id": "p"}
PART = {**REF, "part_id": "t", "item_name": "食品经营许可", "department_code": DEPARTMENT}

TOLD = [
    intake.CaseSubmitted(
        **REF, title="开办餐饮店", county_code="361123", terminal_id=None, submitted_at=NOW, parts=[]
    ),
    intake.SupplementRequested(**PART, defects=2, requested_at=NOW),
    intake.PartAccepted(
        **PART, accepted_at=NOW, promised_due=date(2026, 3, 9), statutory_due=None, calendar_version="v"
    ),
    intake.PartRefused(**PART, refused_at=NOW),
    *(
        intake.PartDecided(
            **PART,
            item_code="i",
            county_code="361123",
            approved=approved,
            licence_type_code=None,
            signatures=2,
            decided_at=NOW,
        )
        for approved in (True, False)
    ),
    intake.PartCompleted(
        **PART, licence_id="l", licence_identifier="x", licence_name="食品经营许可证", completed_at=NOW
    ),
    intake.CaseClosed(
        **REF, title="开办餐饮店", county_code="361123", approved_parts=3, rejected_parts=0, closed_at=NOW
    ),
    intake.RectificationOpened(
        **REF, order_id="o", contact_due=None, rectify_due=date(2026, 3, 23), opened_at=NOW
    ),
]


@pytest.mark.parametrize("event", TOLD, ids=lambda event: type(event).__name__)
def test_a_told_event_fills_every_parameter_of_its_template(event):
    templates, names = read_templates(CATALOGUE)
    notice = notice_of(event, names)
    template = templates.approved(notice.template_code)
    facts = {**notice.facts, "masked_name": "张**"}
    chosen = {name: facts[name] for name in template.parameters}
    for channel in template.channels():
        assert template.render(channel, "zh", chosen)


def test_a_part_that_ended_without_a_licence_is_not_told_as_one():
    ended = intake.PartCompleted(
        **PART, licence_id=None, licence_identifier=None, licence_name=None, completed_at=NOW
    )
    assert notice_of(ended, {}) is None


def test_every_handled_event_is_told_here():
    telling = Telling(None, {}, None, None, None)  # type: ignore[arg-type]
    assert {each.event for each in handlers(telling)} == {type(event) for event in TOLD}
