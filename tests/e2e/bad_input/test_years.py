"""A term that reaches into a year without a holiday notice is left open by the service, never guessed."""

from __future__ import annotations

from datetime import UTC, date

import pytest

from chassis.errors import Fault
from cli.commands.deadline import read_calendar
from cli.departments import office_by_id
from services.intake.domain.cases.deadlines import china_date
from standards.working_days import WorkingCalendar
from tests.e2e.bad_input.bench import COUNTY, Bench
from tests.e2e.bad_input.calling import change, parts
from tests.stacks.applicants import PHOTO
from tongban.intake.v1 import part_pb2

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_a_deadline_beyond_the_loaded_years_is_left_open_and_never_guessed(bench: Bench):
    """Thirty working days by law: whether they end in a year with a holiday notice depends on today."""
    land = office_by_id(bench.offices, f"{COUNTY}-land")
    part_id = submitted_transfer(bench)
    part = parts(bench, land).GetPart(part_pb2.GetPartRequest(part_id=part_id)).part
    accepted = change(bench, "AcceptPart", land, part_id=part_id, etag=part.etag).part
    calendar = read_calendar(bench.reach.state.catalogue)
    day = china_date(accepted.accepted_at.ToDatetime(tzinfo=UTC))
    for told in (accepted.promised, accepted.statutory):
        due = last_day(calendar, day, told.working_days)
        assert (told.due_date, told.calendar_pending) == (due, not due)
        assert told.calendar_version == calendar.version
    bench.settle()


def submitted_transfer(bench: Bench) -> str:
    """Return the part of a submitted property transfer."""
    form = {
        "property_location": "测试街道1号",
        "property_area": "90",
        "property_unit_number": "3" * 28,
        "contact_mobile": bench.holder.person.phone,
    }
    body = {
        "target": {"kind": "item", "id": "property-transfer"},
        "county": COUNTY,
        "answers": {"property_mortgaged": "false", "applied_by_agent": "self"},
        "form": form,
    }
    case = bench.ask("POST", "/v1/cases", bench.holder, json=body).json()
    at = f"/v1/cases/{case['case_id']}"
    for material in ("identity_card", "tax_clearance"):
        supply = {"supply": {"kind": "tolerance", "agreed": True}}
        assert bench.ask("PUT", f"{at}/materials/{material}", bench.holder, json=supply).status_code == 200
    for material in ("property_certificate_seller", "property_transfer_contract"):
        files = {"file": ("p.png", PHOTO, "image/png")}
        answer = bench.ask("POST", f"{at}/materials/{material}/file", bench.holder, files=files)
        assert answer.status_code == 200
    handed_in = bench.ask("POST", f"{at}/submit", bench.holder)
    assert handed_in.status_code == 200, handed_in.text
    return str(case["parts"][0]["part_id"])


def last_day(calendar: WorkingCalendar, day: date, working_days: int) -> str:
    """Return the last day where every year on the way is loaded, else nothing."""
    try:
        return calendar.due(day, working_days).isoformat()
    except Fault:
        return ""
