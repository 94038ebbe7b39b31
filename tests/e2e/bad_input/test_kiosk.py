"""What a person says at the kiosk: each bad request is refused whole, and nothing of it is kept."""

from __future__ import annotations

import httpx
import pytest

from standards.identifiers import build_uscc
from tests.e2e.bad_input.asking import (
    DRAFT,
    Bad,
    draft,
    empty_draft,
    of_draft,
    of_submitted,
    other_last,
    refused_whole,
    supply,
)
from tests.e2e.bad_input.bench import ANSWERS, COUNTY, Bench
from tests.e2e.bad_input.refusals import problem

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def log_in(bench: Bench, phone: str = "19900000000", **changed: str) -> httpx.Response:
    body = bench.log_in_body(bench.reading(bench.holder.person, **changed), phone=phone)
    return bench.ask("POST", "/v1/sessions", json=body)


def other_licence(bench: Bench) -> httpx.Response:
    chosen = {"licence_id": bench.others_licence_id, "consent_version": "2026.1"}
    return supply(bench, "identity_card", kind="licence", agreed=True, **chosen)


CHECK_DIGITS = (
    Bad(
        "a card whose number, name, reader and phone are wrong",
        lambda bench: log_in(
            bench, "123", id_number=other_last(bench.holder.person.id_number), name="\x01", reader="eye"
        ),
        400,
        fields={
            "reading.id_number": "CITIZEN_ID_CHECK_WRONG",
            "reading.name": "FIELD_MALFORMED",
            "reading.reader": "FIELD_MALFORMED",
            "phone": "FIELD_MALFORMED",
        },
    ),
    Bad(
        "an organisation with a wrong check character",
        lambda bench: bench.ask(
            "POST",
            "/v1/me/organisations",
            bench.holder,
            json={"uscc": other_last(build_uscc("92", COUNTY, "MATB0001"))},
        ),
        400,
        fields={"uscc": "USCC_CHECK_WRONG"},
    ),
    Bad(
        "an organisation's number in a form",
        lambda bench: draft(
            bench,
            target={"kind": "item", "id": "freight-operation-licence"},
            form={"business_uscc": other_last(build_uscc("91", COUNTY, "MATB0002")), "nothing": "1"},
            answers=ANSWERS | {"weather": "fine"},
        ),
        400,
        fields={
            "answers.weather": "GUIDE_QUESTION_UNKNOWN",
            "form.nothing": "FORM_FIELD_UNKNOWN",
            "form.business_uscc": "USCC_CHECK_WRONG",
        },
    ),
)
CONTENT = (
    Bad(
        "an unknown item",
        lambda bench: draft(bench, target={"kind": "item", "id": "moon-landing"}),
        404,
        "ITEM_NOT_FOUND",
    ),
    Bad(
        "an unknown bundle",
        lambda bench: draft(bench, target={"kind": "bundle", "id": "moon-landing"}),
        404,
        "BUNDLE_NOT_FOUND",
    ),
    Bad("a county without the item", lambda bench: draft(bench, county="990101"), 422, "ITEM_NOT_OFFERED"),
    Bad(
        "wrong answers and a wrong form",
        lambda bench: draft(
            bench,
            answers={"applied_by_agent": "dog"},
            form={"contact_mobile": "12", "home_address": "x" * 300},
        ),
        400,
        fields={
            "answers.applied_by_agent": "GUIDE_ANSWER_UNKNOWN",
            "form.contact_mobile": "FIELD_MALFORMED",
            "form.home_address": "FIELD_TOO_LONG",
        },
    ),
    Bad(
        "a guide without its answers",
        lambda bench: bench.ask("POST", "/v1/guides", json={"target": DRAFT["target"], "county": COUNTY}),
        400,
        fields={"answers.applied_by_agent": "GUIDE_ANSWER_MISSING"},
    ),
    Bad(
        "a draft with missing materials and an empty form",
        lambda bench: bench.ask("POST", f"/v1/cases/{empty_draft(bench)}/submit", bench.holder),
        400,
        fields={
            "form.home_address": "FIELD_REQUIRED",
            "form.contact_mobile": "FIELD_REQUIRED",
            "materials.identity_card": "MATERIAL_MISSING",
            "materials.photo": "MATERIAL_MISSING",
        },
    ),
    Bad(
        "a material that is not asked for",
        lambda bench: supply(bench, "moon-rock", kind="tolerance", agreed=True),
        404,
        "MATERIAL_UNKNOWN",
    ),
    Bad(
        "a way that is not open",
        lambda bench: supply(bench, "photo", kind="promise", agreed=True),
        422,
        "SUPPLY_NOT_ALLOWED",
    ),
    Bad(
        "a licence without agreement",
        lambda bench: supply(bench, "identity_card", kind="licence", agreed=False),
        400,
        fields={
            "supply.agreed": "AGREEMENT_REQUIRED",
            "supply.licence_id": "FIELD_REQUIRED",
            "supply.consent_version": "FIELD_REQUIRED",
        },
    ),
    Bad("a licence of another holder", other_licence, 422, "LICENCE_NOT_ACCEPTED"),
    Bad(
        "another holder's licence to be shown",
        lambda bench: bench.ask("POST", f"/v1/licences/{bench.others_licence_id}/presentation", bench.holder),
        404,
        "OWN_LICENCE_NOT_FOUND",
    ),
    Bad(
        "another holder's document",
        lambda bench: bench.ask("GET", f"/v1/licences/{bench.others_licence_id}/document", bench.holder),
        404,
        "OWN_LICENCE_NOT_FOUND",
    ),
    Bad(
        "a text that no database keeps",
        lambda bench: supply(
            bench, "identity_card", kind="licence", agreed=True, licence_id="\0", consent_version="\0"
        ),
        400,
        fields={"supply.licence_id": "FIELD_MALFORMED", "supply.consent_version": "FIELD_MALFORMED"},
    ),
    Bad(
        "a second submission",
        lambda bench: of_submitted(bench, "POST", "/submit"),
        422,
        "CASE_ALREADY_SUBMITTED",
    ),
    Bad(
        "a key used for another case",
        lambda bench: of_draft(bench, "POST", "/submit", key=bench.submitted_key),
        400,
        "REQUEST_ID_REUSED",
    ),
    Bad(
        "a change of a submitted case",
        lambda bench: of_submitted(bench, "PUT", "/form", json={"form": {}}),
        422,
        "CASE_NOT_EDITABLE",
    ),
    Bad(
        "a rating out of range",
        lambda bench: of_submitted(
            bench, "POST", "/rating", json={"grade": 9, "options": ["x" * 20], "stars": 5}
        ),
        400,
        fields={"grade": "FIELD_MALFORMED", "options[0]": "FIELD_TOO_LONG", "stars": "FIELD_UNKNOWN"},
    ),
)


@pytest.mark.parametrize("bad", [*CHECK_DIGITS, *CONTENT], ids=lambda bad: bad.what)
def test_it_is_refused_whole_and_nothing_is_kept(bench: Bench, bad: Bad):
    refused_whole(bench, bad)


def test_the_second_submission_names_the_first(bench: Bench):
    first = of_submitted(bench, "POST", "/submit", key=bench.submitted_key).json()
    again = problem(of_submitted(bench, "POST", "/submit"), 422, "CASE_ALREADY_SUBMITTED")
    assert again["metadata"]["case_no"] == first["case_no"]
    assert first["case_no"] in again["detail"]
