"""How the kiosk's requests come: shape, size, files, tokens and terminals; nothing of a bad one is kept."""

from __future__ import annotations

import json

import httpx
import pytest
from joserfc import jws, jwt

from tests.e2e.bad_input.asking import DRAFT, JSON, MIB, NOBODY, Bad, draft, of_draft, refused_whole, upload
from tests.e2e.bad_input.bench import OTHER_TERMINAL, Bench
from tests.stacks.applicants import PHOTO

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def raw(bench: Bench, content: object, **headers: str) -> httpx.Response:
    return bench.ask("POST", "/v1/cases", bench.holder, content=content, headers=JSON | headers)


def read_draft(bench: Bench, **headers: str) -> httpx.Response:
    return bench.ask("GET", f"/v1/cases/{bench.draft_id}", headers=bench.holder.headers | headers)


def retimed(bench: Bench, seconds: int) -> str:
    """Return the holder's token signed again by intake's own key, its times moved."""
    token = bench.holder.token
    claims = jwt.decode(token, bench.token_key).claims
    moved = {name: claims[name] + seconds for name in ("iat", "nbf", "exp")}
    return jwt.encode(jws.extract_compact(token.encode()).headers(), claims | moved, bench.token_key)


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


@pytest.mark.parametrize("bad", [*SHAPE, *UPLOADS, *IDENTITY], ids=lambda bad: bad.what)
def test_it_is_refused_whole_and_nothing_is_kept(bench: Bench, bad: Bad):
    refused_whole(bench, bad)


def test_the_token_is_refused_for_nothing_but_its_time(bench: Bench):
    assert read_draft(bench, authorization=f"Bearer {retimed(bench, 0)}").status_code == 200


@pytest.mark.parametrize(
    ("name", "kept"),
    [("../../../tmp/evil.png", "evil.png"), ("..\\..\\evil.png", "evil.png"), ("a\u202egnp.png", "agnp.png")],
)
def test_a_file_name_says_nothing_about_where_a_file_is_kept(bench: Bench, name: str, kept: str):
    answer = upload(bench, name, PHOTO)
    assert answer.status_code == 200
    assert answer.json()["supplies"]["photo"]["file_name"] == kept
    assert list(bench.reach.layout.home.rglob("*.png")) == []
