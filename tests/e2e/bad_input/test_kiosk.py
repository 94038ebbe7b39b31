"""At the kiosk's HTTP door: each bad request is refused whole, and nothing of it is kept."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest
from joserfc import jws, jwt

from standards.identifiers import build_uscc
from tests.e2e.bad_input.bench import ANSWERS, COUNTY, ITEM, OTHER_TERMINAL, Bench
from tests.e2e.bad_input.refusals import Fields, problem
from tests.stacks.applicants import PHOTO

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
JSON = {"content-type": "application/json"}
DRAFT = {"target": {"kind": "item", "id": ITEM}, "county": COUNTY, "answers": ANSWERS, "form": {}}
NOBODY = str(uuid.UUID(int=7))
MIB = 1024 * 1024


@dataclass(frozen=True)
class Bad:
    """A request and the refusal it meets."""

    what: str
    ask: Callable[[Bench], httpx.Response]
    status: int
    reason: str = "INVALID_REQUEST"
    fields: Fields = field(default_factory=dict)


def other_last(value: str) -> str:
    """Return a value whose last character is another one, so that the check character is wrong."""
    return value[:-1] + ("1" if value[-1] != "1" else "2")


def draft(bench: Bench, key: str | None = "fresh", **changed: object) -> httpx.Response:
    return bench.ask("POST", "/v1/cases", bench.holder, key, json=DRAFT | changed)


def raw(bench: Bench, content: object, **headers: str) -> httpx.Response:
    return bench.ask("POST", "/v1/cases", bench.holder, content=content, headers=JSON | headers)


def of_draft(bench: Bench, method: str, path: str, **given: object) -> httpx.Response:
    return bench.ask(method, f"/v1/cases/{bench.draft_id}{path}", bench.holder, **given)


def of_submitted(bench: Bench, method: str, path: str, **given: object) -> httpx.Response:
    return bench.ask(method, f"/v1/cases/{bench.submitted['case_id']}{path}", bench.holder, **given)


def supply(bench: Bench, material: str, **choice: object) -> httpx.Response:
    return of_draft(bench, "PUT", f"/materials/{material}", json={"supply": choice})


def upload(bench: Bench, name: str, content: bytes) -> httpx.Response:
    return of_draft(bench, "POST", "/materials/photo/file", files={"file": (name, content, "image/png")})


def log_in(bench: Bench, phone: str = "19900000000", **changed: str) -> httpx.Response:
    body = bench.log_in_body(bench.reading(bench.holder.person, **changed), phone=phone)
    return bench.ask("POST", "/v1/sessions", json=body)


def read_draft(bench: Bench, **headers: str) -> httpx.Response:
    return bench.ask("GET", f"/v1/cases/{bench.draft_id}", headers=bench.holder.headers | headers)


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
SHAPE = (
    Bad(
        "no key and everything else wrong too",
        lambda bench: draft(
            bench, None, target={"kind": "wish", "id": ""}, county="36", wish=1, form={"a": 5}
        ),
        400,
        fields={
            "Idempotency-Key": "FIELD_REQUIRED",
            "target.kind": "FIELD_MALFORMED",
            "target.id": "FIELD_REQUIRED",
            "county": "FIELD_MALFORMED",
            "form.a": "FIELD_MALFORMED",
            "wish": "FIELD_UNKNOWN",
        },
    ),
    Bad(
        "a key that is no UUID",
        lambda bench: draft(bench, "tap-1"),
        400,
        fields={"Idempotency-Key": "FIELD_MALFORMED"},
    ),
    Bad("no JSON", lambda bench: raw(bench, b"{"), 400, fields={"body": "BODY_MALFORMED"}),
    Bad(
        "JSON nested without end",
        lambda bench: raw(bench, b"[" * 100_000),
        400,
        fields={"body": "BODY_MALFORMED"},
    ),
    Bad("a list for an object", lambda bench: raw(bench, b"[]"), 400, fields={"body": "FIELD_MALFORMED"}),
    Bad(
        "JSON that says it is text",
        lambda bench: raw(bench, json.dumps(DRAFT).encode(), **{"content-type": "text/plain"}),
        400,
        fields={"body": "FIELD_MALFORMED"},
    ),
    Bad(
        "half a surrogate pair",
        lambda bench: raw(bench, json.dumps(DRAFT | {"form": {"home_address": "\ud800"}}).encode()),
        400,
        fields={"form.home_address": "FIELD_MALFORMED"},
    ),
    Bad(
        "a body of two megabytes",
        lambda bench: raw(bench, b'"' + b"x" * 2 * MIB + b'"'),
        413,
        "BODY_TOO_LARGE",
    ),
    Bad(
        "a body that does not say how long it is",
        lambda bench: raw(bench, (b"x" * 64_000 for _ in range(32))),
        413,
        "BODY_TOO_LARGE",
    ),
    Bad(
        "a page of minus one after an unknown place",
        lambda bench: bench.ask(
            "GET", "/v1/cases", bench.holder, params={"page_size": -1, "page_token": "WyJ4Il0="}
        ),
        400,
        fields={"page_size": "FIELD_MALFORMED", "page_token": "FIELD_MALFORMED"},
    ),
    Bad(
        "an unknown place in the list of uses",
        lambda bench: bench.ask("GET", "/v1/licences/uses", bench.holder, params={"page_token": "nowhere"}),
        400,
        fields={"page_token": "FIELD_MALFORMED"},
    ),
    Bad(
        "an unknown place in the inbox",
        lambda bench: bench.ask("GET", "/v1/messages", bench.holder, params={"page_token": "nowhere"}),
        400,
        fields={"page_token": "FIELD_MALFORMED"},
    ),
    Bad(
        "an unknown address", lambda bench: bench.ask("GET", "/v1/wishes", bench.holder), 404, "ROUTE_UNKNOWN"
    ),
    Bad(
        "a method of none",
        lambda bench: bench.ask("DELETE", "/v1/cases", bench.holder),
        405,
        "METHOD_UNKNOWN",
    ),
)
UPLOADS = (
    Bad(
        "JSON for a file",
        lambda bench: of_draft(bench, "POST", "/materials/photo/file", json={"file": "x"}),
        400,
        fields={"file": "FIELD_REQUIRED"},
    ),
    Bad(
        "a text for a file",
        lambda bench: of_draft(bench, "POST", "/materials/photo/file", data={"file": "x"}),
        400,
        fields={"file": "FIELD_MALFORMED"},
    ),
    Bad(
        "a form that breaks off",
        lambda bench: of_draft(
            bench,
            "POST",
            "/materials/photo/file",
            content=b"broken off",
            headers={"content-type": "multipart/form-data; boundary=a"},
        ),
        400,
        fields={"body": "BODY_MALFORMED"},
    ),
    Bad("a program", lambda bench: upload(bench, "p.png", b"MZ\x90\0"), 400, "UPLOAD_TYPE_UNKNOWN"),
    Bad("an empty file", lambda bench: upload(bench, "p.png", b""), 400, "UPLOAD_TYPE_UNKNOWN"),
    Bad("a picture named as PDF", lambda bench: upload(bench, "p.pdf", PHOTO), 400, "UPLOAD_TYPE_UNKNOWN"),
    Bad(
        "a file of eight megabytes",
        lambda bench: upload(bench, "p.png", PHOTO + bytes(8 * MIB)),
        400,
        "UPLOAD_TOO_LARGE",
    ),
    Bad(
        "a file of twenty-one megabytes",
        lambda bench: upload(bench, "p.png", PHOTO + bytes(21 * MIB)),
        413,
        "BODY_TOO_LARGE",
    ),
)
IDENTITY = (
    Bad(
        "another person's case",
        lambda bench: bench.ask("GET", f"/v1/cases/{bench.draft_id}", bench.other),
        404,
        "CASE_NOT_FOUND",
    ),
    Bad(
        "another person's case to be submitted",
        lambda bench: bench.ask("POST", f"/v1/cases/{bench.draft_id}/submit", bench.other),
        404,
        "CASE_NOT_FOUND",
    ),
    Bad(
        "a case that is none",
        lambda bench: bench.ask("GET", f"/v1/cases/{NOBODY}", bench.holder),
        404,
        "CASE_NOT_FOUND",
    ),
    Bad(
        "the token at another terminal",
        lambda bench: read_draft(bench, **{"x-terminal-id": OTHER_TERMINAL}),
        401,
        "NOT_AUTHENTICATED",
    ),
    Bad("no terminal", lambda bench: read_draft(bench, **{"x-terminal-id": ""}), 401, "NOT_AUTHENTICATED"),
    Bad("no token", lambda bench: bench.ask("POST", "/v1/cases", key=None), 401, "NOT_AUTHENTICATED"),
    Bad(
        "a token of nobody's",
        lambda bench: read_draft(bench, authorization=f"Bearer {bench.holder.token[:-8]}AAAAAAAA"),
        401,
        "NOT_AUTHENTICATED",
    ),
    Bad(
        "an expired token",
        lambda bench: read_draft(bench, authorization=f"Bearer {retimed(bench, -3600)}"),
        401,
        "NOT_AUTHENTICATED",
    ),
    Bad(
        "an assertion of no terminal",
        lambda bench: bench.ask(
            "POST", "/v1/sessions", json={"assertion": "a.b.c", "reading": bench.reading(bench.holder.person)}
        ),
        401,
        "NOT_AUTHENTICATED",
    ),
    Bad(
        "a code for no session",
        lambda bench: bench.ask(
            "POST",
            f"/v1/sessions/{NOBODY}/verify",
            json={"code": "123456"},
            headers={"x-terminal-id": OTHER_TERMINAL},
        ),
        401,
        "CODE_NOT_ACCEPTED",
    ),
    Bad(
        "a code that is none, at no terminal",
        lambda bench: bench.ask("POST", f"/v1/sessions/{NOBODY}/verify", json={"code": "12", "again": 1}),
        400,
        fields={"code": "FIELD_MALFORMED", "again": "FIELD_UNKNOWN", "X-Terminal-Id": "FIELD_REQUIRED"},
    ),
    Bad(
        "acting for a stranger's organisation",
        lambda bench: bench.ask(
            "POST", "/v1/sessions/current/acting", bench.holder, json={"organisation_id": NOBODY}
        ),
        404,
        "REPRESENTATION_NOT_FOUND",
    ),
)


@pytest.mark.parametrize(
    "bad", (*CHECK_DIGITS, *CONTENT, *SHAPE, *UPLOADS, *IDENTITY), ids=lambda bad: bad.what
)
def test_it_is_refused_whole_and_nothing_is_kept(bench: Bench, bad: Bad):
    empty_draft(bench)  # made before anything is counted
    with bench.nothing_kept():
        answer = bad.ask(bench)
    problem(answer, bad.status, bad.reason, bad.fields)
    assert bench.holder.person.name not in answer.text


def empty_draft(bench: Bench) -> str:
    """Return a draft with nothing in it."""
    if not bench.empty_draft_id:
        bench.empty_draft_id = draft(bench).json()["case_id"]
    return bench.empty_draft_id


def retimed(bench: Bench, seconds: int) -> str:
    """Return the holder's token signed again by intake's own key, its times moved."""
    token = bench.holder.token
    claims = jwt.decode(token, bench.token_key).claims
    moved = {name: claims[name] + seconds for name in ("iat", "nbf", "exp")}
    return jwt.encode(jws.extract_compact(token.encode()).headers(), claims | moved, bench.token_key)


def test_the_token_is_refused_for_nothing_but_its_time(bench: Bench):
    assert read_draft(bench, authorization=f"Bearer {retimed(bench, 0)}").status_code == 200


def test_the_second_submission_names_the_first(bench: Bench):
    first = of_submitted(bench, "POST", "/submit", key=bench.submitted_key).json()
    again = problem(of_submitted(bench, "POST", "/submit"), 422, "CASE_ALREADY_SUBMITTED")
    assert again["metadata"]["case_no"] == first["case_no"]
    assert first["case_no"] in again["detail"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [("../../../tmp/evil.png", "evil.png"), ("..\\..\\evil.png", "evil.png"), ("a\u202egnp.png", "agnp.png")],
)
def test_a_file_name_says_nothing_about_where_a_file_is_kept(bench: Bench, name: str, kept: str):
    answer = upload(bench, name, PHOTO)
    assert answer.status_code == 200
    assert answer.json()["supplies"]["photo"]["file_name"] == kept
    assert list(bench.reach.layout.home.rglob("*.png")) == []
